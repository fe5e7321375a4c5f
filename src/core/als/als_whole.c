/*
 * als_whole.c - the fixed side's vectors as whole numbers of 13 bits, for conjugate gradients.
 *
 * Most of the time above 96 factors goes by in waiting for vectors.  So before rows are solved every vector of the
 * fixed side is rounded to multiples of a step of its own, and takes half the space.  For the half-sweep that is the
 * fixed side, as in als_int16.c, whose steps are those of columns: products of pairs of numbers need that, and these do
 * not.
 */
#include "core/als/als_state.h"

#include "core/kernels/int16_cells.h"

/* Rows of the fixed side that a term's cells refer to. */
static int64_t
fixed_rows(const MfAls *als)
{
	return als->side == MF_ITEMS ? als->problem->nusers : als->problem->nitems;
}

/* Says where the fixed side's rows go, in the place of the copy of floats. */
void
mf_whole_place(MfAls *als)
{
	size_t		n = (size_t) fixed_rows(als);
	MfArena		arena = {(char *) als->copy, 0};

	for (int part = 0; part < MF_TERMS; part++)
	{
		MfWholeSide *side = &als->whole[part];

		if (!als->term[part].present)
			continue;
		/* users have the same vectors for all terms */
		if (als->side == MF_ITEMS && part > 0 && als->term[0].present)
		{
			*side = als->whole[0];
			continue;
		}
		side->rows = mf_arena_take(&arena, n * (size_t) mf_cells_stride(als->ld) * sizeof(int16_t));
		side->scale = mf_arena_floats(&arena, n);
		side->square[MF_SHARED] = mf_arena_floats(&arena, n);
		side->square[MF_PRIVATE] = als->own > 0 ? mf_arena_floats(&arena, n) : NULL;
	}
}

/* Rounds n rows of the fixed side from `first` on (rows: n x ld, in the form of vectors inside). */
void
mf_whole_rows(const MfAls *als, MfPart part, int64_t first, int n, const float *rows)
{
	const MfWholeSide *side = &als->whole[part];
	size_t		stride = (size_t) mf_cells_stride(als->ld);

	for (int64_t k = 0; k < n; k++)
	{
		const float *row = rows + k * als->ld;
		side->scale[first + k] = als->int16_cells->quantize(side->rows + (size_t) (first + k) * stride, row, als->ld);
		side->square[MF_SHARED][first + k] = als->dense->dot(row, row, als->shared_width);
		if (als->own > 0)
			side->square[MF_PRIVATE][first + k] = als->dense->dot(row + als->shared_width, row + als->shared_width,
																  als->ld - als->shared_width);
	}
}

/*
 * exposure.c - by how much predicted vectors of items are longer or shorter than what is right for them.
 *
 * A map is fitted to vectors of items that have many cells or few, and says of a new item what it would be like among
 * those; how much users want of it is another question.  gamma is the one number by which predictions would have to be
 * multiplied so that the interest part of the objective is least, for items that the map has not seen.  With v_i the
 * prediction of item i by a map fitted to the other two thirds, cells weigh unobserved_i (u_i) where nothing is observed
 * and u_i + alpha w where something is:
 *
 *		gamma = sum over observed (u_i + alpha w) p.v / (sum_i u_i v' (P'P) v + alpha sum over observed w (p.v)^2)
 *
 * Sums over users are made of blocks of rows, each in the order of rows however passes are cut.
 */
#include "core/features/exposure.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/features/thirds.h"
#include "core/kernels/dense.h"
#include "core/linalg/gram.h"

#define ROWS 256				/* users of a block */
#define STEPS 30				/* of conjugate gradients: nearly solved, wherever they start */
#define TOLERANCE 1e-2

/* Sums over observed cells. */
typedef struct CellSums
{
	double		products;		/* (unobserved + alpha weight) p.v */
	double		squares;		/* alpha weight (p.v)^2 */
} CellSums;

/* The workspace, and a part of a pass at work. */
typedef struct Exposure
{
	const MfExposureFit *fit;
	const MfDense *dense;
	int			ld;
	float	   *weight;			/* nitems: without a third */
	int32_t    *place;			/* nitems: itself in that third, else -1 */
	float	   *b;				/* nfeatures x ld */
	double	   *spread;			/* d x d: sum over items of unobserved v v' */
	CellSums   *sums;			/* one per ROWS users */
	void	   *map_space;
	void	   *gram_space;
	const float *predicted;
	const MfRows *rows;
} Exposure;

/* Takes the arrays; start NULL only measures. */
static void
lay_out(Exposure *exposure, const MfExposureFit *fit, MfArena *arena)
{
	const MfFeatureMatrix *matrix = fit->map.matrix;
	int			d = fit->map.factors;

	*exposure = (Exposure) {.fit = fit,.dense = mf_dense(),.ld = mf_padded(d)};
	exposure->weight = mf_arena_floats(arena, (size_t) matrix->nitems);
	exposure->place = mf_arena_take(arena, (size_t) matrix->nitems * sizeof(int32_t));
	exposure->b = mf_arena_floats(arena, (size_t) matrix->nfeatures * (size_t) exposure->ld);
	exposure->spread = mf_arena_take(arena, (size_t) d * (size_t) d * sizeof(double));
	exposure->sums = mf_arena_take(arena, (size_t) (fit->nusers / ROWS + 1) * sizeof(CellSums));
	exposure->map_space = mf_arena_take(arena, mf_map_size(matrix->nitems, matrix->nfeatures, mf_map_columns(d),
														   fit->map.parallel));
	exposure->gram_space = mf_arena_take(arena, mf_gram_sums_size(d));
}

/* Bytes of workspace for mf_exposure_find(), of any alignment. */
size_t
mf_exposure_size(const MfExposureFit *fit)
{
	Exposure	exposure;
	MfArena		arena = {NULL, 0};

	lay_out(&exposure, fit, &arena);
	return arena.used + 64;
}

/* Predicts the items of a third by a map fitted to the others. */
static MfError
predict_third(Exposure *exposure, int third, float *predicted)
{
	const MfExposureFit *fit = exposure->fit;
	MfMapFit	map = fit->map;
	size_t		size = (size_t) map.matrix->nfeatures * (size_t) exposure->ld * sizeof(float);
	MfError		error;

	for (int64_t i = 0; i < map.matrix->nitems; i++)
	{
		float		weight = map.weight != NULL ? map.weight[i] : 1.0f;
		bool		held_out = mf_item_third(i) == third;

		exposure->weight[i] = held_out ? 0.0f : weight;
		exposure->place[i] = held_out && weight > 0.0f ? (int32_t) i : -1;
	}
	if (fit->start != NULL)
		memcpy(exposure->b, fit->start, size);
	else
		memset(exposure->b, 0, size);
	map.weight = exposure->weight;
	map.factors = mf_map_columns(map.factors);
	map.steps = STEPS;
	map.tolerance = TOLERANCE;
	error = mf_map_fit(&map, fit->vector, exposure->b, exposure->map_space);
	return error == MF_OK ? mf_map_apply_to(&map, exposure->b, exposure->place, predicted) : error;
}

/* Adds the cells of a row to the sums. */
static void
add_row(const Exposure *exposure, int64_t r, CellSums *sums)
{
	const MfExposureFit *fit = exposure->fit;
	const MfRows *rows = exposure->rows;
	const float *p = fit->user + (rows->first + r) * exposure->ld;

	for (int64_t c = rows->start[r]; c < rows->start[r + 1]; c++)
	{
		int64_t		i = rows->column[c];
		double		weight = (double) fit->alpha * (rows->weight != NULL ? rows->weight[c] : 1.0f);
		double		product = exposure->dense->dot(p, exposure->predicted + i * exposure->ld, exposure->ld);

		sums->products += (weight + (fit->unobserved != NULL ? fit->unobserved[i] : 1.0f)) * product;
		sums->squares += weight * product * product;
	}
}

/* Task: what the part at work has of a block of users; the rest of it was in the part before, or comes in the next. */
static void
add_block(void *state, int64_t task, int worker)
{
	const Exposure *exposure = state;
	const MfRows *rows = exposure->rows;
	int64_t		block = rows->first / ROWS + task;
	int64_t		begin = block * ROWS > rows->first ? block * ROWS - rows->first : 0;
	int64_t		end = (block + 1) * ROWS - rows->first;

	(void) worker;
	for (int64_t r = begin; r < end && r < rows->nrows; r++)
		add_row(exposure, r, &exposure->sums[block]);
}

/* *sums = those over all observed cells. */
static MfError
add_cells(Exposure *exposure, CellSums *sums)
{
	const MfPasses *cells = &exposure->fit->cells;
	int64_t		nblocks = exposure->fit->nusers / ROWS + 1;
	MfRows		rows;
	MfError		error = cells->rewind(cells->state);

	exposure->rows = &rows;
	memset(exposure->sums, 0, (size_t) nblocks * sizeof(CellSums));
	while (error == MF_OK && cells->next(cells->state, &rows))
	{
		int64_t		first = rows.first / ROWS;
		int64_t		last = (rows.first + rows.nrows - 1) / ROWS;

		if (rows.nrows > 0 && !mf_parallel_for(exposure->fit->map.parallel, last - first + 1, add_block, exposure))
			error = MF_CANCELLED;
	}
	exposure->rows = NULL;
	*sums = (CellSums) {0};
	for (int64_t b = 0; b < nblocks; b++)
	{
		sums->products += exposure->sums[b].products;
		sums->squares += exposure->sums[b].squares;
	}
	return error;
}

/* *sum = over all items, of unobserved v' gram v: the inner product of two matrices. */
static MfError
sum_unobserved(const Exposure *exposure, double *sum)
{
	const MfExposureFit *fit = exposure->fit;
	int			d = fit->map.factors;
	MfError		error = mf_gram_sums(fit->map.parallel, exposure->predicted, exposure->ld, fit->map.matrix->nitems, d,
									 fit->unobserved, exposure->spread, exposure->gram_space);

	*sum = 0.0;
	for (int k = 0; k < d * d && error == MF_OK; k++)
		*sum += exposure->spread[k] * fit->gram[k];
	return error;
}

/*
 * *gamma = the scale of predicted vectors that is right for items that a map has not seen; 0 where predictions say
 * nothing, or the wrong.  predicted (nitems x mf_padded(d); out): each item's prediction by a map that has not seen it,
 * 0 of cold items.  workspace: mf_exposure_size() bytes.  One pass over the cells, and those of three fits.
 *
 * Returns MF_CANCELLED, MF_NOT_FINITE, or MF_OK.
 */
MfError
mf_exposure_find(const MfExposureFit *fit, float *predicted, double *gamma, void *workspace)
{
	MfArena		arena = mf_arena_at(workspace);
	Exposure	exposure;
	CellSums	observed;
	double		unobserved;
	MfError		error = MF_OK;

	lay_out(&exposure, fit, &arena);
	exposure.predicted = predicted;
	memset(predicted, 0, (size_t) fit->map.matrix->nitems * (size_t) exposure.ld * sizeof(float));
	for (int third = 0; third < MF_THIRDS && error == MF_OK; third++)
		error = predict_third(&exposure, third, predicted);
	if (error == MF_OK)
		error = sum_unobserved(&exposure, &unobserved);
	if (error == MF_OK)
		error = add_cells(&exposure, &observed);
	if (error != MF_OK)
		return error;
	if (!isfinite(observed.products) || !isfinite(observed.squares + unobserved))
		return MF_NOT_FINITE;
	*gamma = observed.squares + unobserved > 0.0 ? fmax(observed.products / (observed.squares + unobserved), 0.0) : 0.0;
	return MF_OK;
}

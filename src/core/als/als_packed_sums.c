/*
 * als_packed_sums.c - the sums of an item's cells as they travel from who has some of its users to who solves it.
 *
 * What travels of an item are the numbers of its dimensions alone, without padding.  Of each matrix that its terms
 * have, one unless they weigh cells differently, a group: MfRowSums, the right-hand sides, and the upper triangle.
 *
 * A half-sweep that need not be exact sends triangles in half the space: the diagonal as it is, and every other number
 * as a part of the most that it can be, the root of the product of its row's and its column's diagonal (Cauchy and
 * Schwarz), in 16 bits.  So what rounding adds to a matrix is 1e-5 of what it says of a direction, in each direction
 * that a diagonal number is of, and items are as far as that from the bottom of the objective, which rises by the
 * square.
 */
#include "core/als/als_packed_sums.h"
#include "core/als/als_state.h"

#include <math.h>
#include <string.h>

/* The groups of an item's sums; returns how many. */
int
mf_sums_groups(const MfAls *als, MfSumsGroup *groups)
{
	int			n = 0;

	for (int part = 0; part < MF_TERMS; part++)
	{
		MfSumsGroup *group = &groups[n];

		if (!als->term[part].present || (n > 0 && !als->apart))
			continue;
		*group = (MfSumsGroup) {.asked = (MfPart) part,.dimensions = als->shared};
		if (mf_sweep_shares(als, (MfPart) part, MF_INTEREST))
			group->right[group->nright++] = 0;
		if (mf_sweep_shares(als, (MfPart) part, MF_RATING))
		{
			group->dimensions = als->shared + als->own;
			group->right[group->nright++] = 1;
			group->right[group->nright++] = 2;
		}
		n++;
	}
	return n;
}

/* Whole numbers stand for 0 .. 1 by this. */
#define MOST_PART 32767

/* Bytes of a group. */
size_t
mf_sums_group_bytes(const MfAls *als, const MfSumsGroup *group)
{
	size_t		d = (size_t) group->dimensions;
	size_t		right = (size_t) group->nright * d * sizeof(float);
	size_t		triangle = d * (d + 1) / 2 * sizeof(float);

	/* floats are at multiples of four bytes, so an odd number of halves has one more */
	if (als->halves)
		triangle = d * sizeof(float) + (d * (d - 1) / 2 + 1) / 2 * 2 * sizeof(int16_t);
	return sizeof(MfRowSums) + right + triangle;
}

size_t
mf_als_sums_bytes(const MfAls *als)
{
	MfSumsGroup groups[MF_TERMS];
	int			n = mf_sums_groups(als, groups);
	size_t		bytes = 0;

	for (int g = 0; g < n; g++)
		bytes += mf_sums_group_bytes(als, &groups[g]);
	return bytes;
}

/* Where a dimension's numbers are inside of a half-sweep. */
static inline int
place_of(const MfAls *als, int k)
{
	return k < als->shared ? k : als->shared_width + k - als->shared;
}

/* The numbers of n dimensions from place_of(k) on are one behind the other: up to the next kind, or `end`. */
static inline int
run_length(const MfAls *als, int k, int end)
{
	return (k < als->shared && als->shared < end ? als->shared : end) - k;
}

/* Copies dimensions first .. end - 1 of a row of ld floats; returns what lies behind the copy. */
static char *
pack_row(const MfAls *als, const float *row, int first, int end, char *out)
{
	for (int k = first; k < end;)
	{
		int			n = run_length(als, k, end);

		memcpy(out, row + place_of(als, k), (size_t) n * sizeof(float));
		out += (size_t) n * sizeof(float);
		k += n;
	}
	return out;
}

/*
 * Packs a triangle in halves; the matrix is overwritten, by the whole numbers: row after row they lie before what is
 * yet to be read.  roots: of ld floats.
 */
static void
pack_halves(const MfAls *als, int d, float *matrix, float *roots, char *out)
{
	int16_t    *half = (int16_t *) (void *) matrix;
	int16_t    *to = half;
	size_t		bytes = (size_t) (d * (d - 1) / 2) * sizeof(int16_t);

	memset(roots, 0, (size_t) als->ld * sizeof(float));
	for (int i = 0; i < d; i++)
	{
		float		square = matrix[place_of(als, i) * (als->ld + 1)];

		memcpy(out, &square, sizeof(float));
		out += sizeof(float);
		/* what is not finite stays so on the diagonal */
		roots[place_of(als, i)] = square > 0.0f && isfinite(square) ? 1.0f / sqrtf(square) : 0.0f;
	}
	for (int i = 0; i < d; i++)
	{
		const float *row = matrix + place_of(als, i) * als->ld;

		for (int k = i + 1; k < d;)
		{
			int			n = run_length(als, k, d);

			als->dense->to_halves(to, row + place_of(als, k), roots + place_of(als, k),
								  MOST_PART * roots[place_of(als, i)], n);
			to += n;
			k += n;
		}
	}
	memset(out + bytes, 0, bytes % sizeof(float));
	memcpy(out, half, bytes);
}

/*
 * A group as it travels, from what mf_sweep_accumulate() has made, of which nothing is left.  roots: room for ld
 * floats.
 */
void
mf_sums_pack(const MfAls *als, const MfSumsGroup *group, float *matrix, float *roots, const MfRowSums *sums, char *out)
{
	int			d = group->dimensions;

	memcpy(out, sums, sizeof(MfRowSums));
	out += sizeof(MfRowSums);
	for (int r = 0; r < group->nright; r++)
		out = pack_row(als, matrix + (als->ld + group->right[r]) * als->ld, 0, d, out);
	if (als->halves)
	{
		pack_halves(als, d, matrix, roots, out);
		return;
	}
	for (int i = 0; i < d; i++)
		out = pack_row(als, matrix + place_of(als, i) * als->ld, i, d, out);
}

/* The other way round: adds to a row of dimensions first .. end - 1. */
static const char *
add_row(const MfAls *als, float *row, int first, int end, const char *from)
{
	for (int k = first; k < end;)
	{
		int			n = run_length(als, k, end);

		als->dense->add(row + place_of(als, k), (const float *) (const void *) from, n);
		from += (size_t) n * sizeof(float);
		k += n;
	}
	return from;
}

/* Adds a triangle that came in halves.  roots: room for ld floats. */
static void
add_halves(const MfAls *als, int d, float *matrix, float *roots, const char *from)
{
	const int16_t *half = (const int16_t *) (const void *) (from + (size_t) d * sizeof(float));

	for (int i = 0; i < d; i++)
	{
		float		square;

		memcpy(&square, from + (size_t) i * sizeof(float), sizeof(float));
		matrix[place_of(als, i) * (als->ld + 1)] += square;
		roots[place_of(als, i)] = sqrtf(square);
	}
	for (int i = 0; i < d; i++)
	{
		float	   *row = matrix + place_of(als, i) * als->ld;

		for (int k = i + 1; k < d;)
		{
			int			n = run_length(als, k, d);

			als->dense->add_halves(row + place_of(als, k), half, roots + place_of(als, k),
								   roots[place_of(als, i)] / MOST_PART, n);
			half += n;
			k += n;
		}
	}
}

/* Adds a group that has come from one of those who sum. */
static void
add_group(const MfAls *als, const MfSumsGroup *group, float *matrix, float *roots, MfRowSums *sums, const char *from)
{
	int			d = group->dimensions;
	MfRowSums	more;

	memcpy(&more, from, sizeof(MfRowSums));
	from += sizeof(MfRowSums);
	for (int part = 0; part < MF_TERMS; part++)
		sums->constant[part] += more.constant[part];
	sums->target_sum += more.target_sum;
	sums->weight_sum += more.weight_sum;
	for (int r = 0; r < group->nright; r++)
		from = add_row(als, matrix + (als->ld + group->right[r]) * als->ld, 0, d, from);
	if (als->halves)
	{
		add_halves(als, d, matrix, roots, from);
		return;
	}
	for (int i = 0; i < d; i++)
		from = add_row(als, matrix + place_of(als, i) * als->ld, i, d, from);
}

/*
 * What mf_sweep_accumulate() gives, from the sums of row `row` of als->rows, in the order of those who made them: of
 * `part`, or of all terms where they share a matrix.  roots: room for ld floats.
 */
void
mf_sums_take(const MfAls *als, MfPart part, int64_t row, float *matrix, float *roots, MfRowSums *sums)
{
	MfSumsGroup groups[MF_TERMS] = {0};	/* there is one at least */
	int			n = mf_sums_groups(als, groups);
	size_t		at = (size_t) row * mf_als_sums_bytes(als);
	int			g = 0;

	while (g + 1 < n && groups[g].asked != part)
		at += mf_sums_group_bytes(als, &groups[g++]);
	memset(sums, 0, sizeof(MfRowSums));
	memset(matrix, 0, (size_t) (als->ld + MF_MAX_RIGHT) * (size_t) als->ld * sizeof(float));
	for (int p = 0; p < als->nsums; p++)
		if (als->sums[p] != NULL)
			add_group(als, &groups[g], matrix, roots, sums, als->sums[p] + at);
	/* systems side by side are made of the upper half alone */
	for (int i = 0; i < als->ld && als->ld > MF_LANES_MOST_LD; i++)
		for (int k = 0; k < i; k++)
			matrix[i * als->ld + k] = matrix[k * als->ld + i];
}

/*
 * als_packed_sums.c - the sums of an item's cells as they travel from who has some of its users to who solves it.
 *
 * What travels of an item are the numbers of its dimensions alone, without padding: of each matrix that its terms have,
 * one unless they weigh cells differently, the upper triangle and the right-hand sides, and behind them MfRowSums.
 */
#include "core/als/als_packed_sums.h"
#include "core/als/als_state.h"

#include <string.h>

/* MfRowSums as floats. */
#define SUMS_FLOATS ((int) (sizeof(MfRowSums) / sizeof(float)))

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

/* Floats of a group. */
size_t
mf_sums_group_floats(const MfSumsGroup *group)
{
	size_t		d = (size_t) group->dimensions;

	return d * (d + 1) / 2 + (size_t) group->nright * d + SUMS_FLOATS;
}

size_t
mf_als_sums_floats(const MfAls *als)
{
	MfSumsGroup groups[MF_TERMS];
	int			n = mf_sums_groups(als, groups);
	size_t		floats = 0;

	for (int g = 0; g < n; g++)
		floats += mf_sums_group_floats(&groups[g]);
	return floats;
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
static float *
pack_row(const MfAls *als, const float *row, int first, int end, float *out)
{
	for (int k = first; k < end;)
	{
		int			n = run_length(als, k, end);

		memcpy(out, row + place_of(als, k), (size_t) n * sizeof(float));
		out += n;
		k += n;
	}
	return out;
}

/* A group as it travels, from what mf_sweep_accumulate() has made. */
void
mf_sums_pack(const MfAls *als, const MfSumsGroup *group, const float *matrix, const MfRowSums *sums, float *out)
{
	int			d = group->dimensions;

	for (int i = 0; i < d; i++)
		out = pack_row(als, matrix + place_of(als, i) * als->ld, i, d, out);
	for (int r = 0; r < group->nright; r++)
		out = pack_row(als, matrix + (als->ld + group->right[r]) * als->ld, 0, d, out);
	memcpy(out, sums, sizeof(MfRowSums));
}

/* The other way round: a row of dimensions first .. end - 1. */
static const float *
unpack_row(const MfAls *als, float *row, int first, int end, const float *from)
{
	for (int k = first; k < end;)
	{
		int			n = run_length(als, k, end);

		memcpy(row + place_of(als, k), from, (size_t) n * sizeof(float));
		from += n;
		k += n;
	}
	return from;
}

/*
 * What mf_sweep_accumulate() gives, from the sums of row `row` of als->rows: those of `part`, or of all terms where they
 * share a matrix.
 */
void
mf_sums_take(const MfAls *als, MfPart part, int64_t row, float *matrix, MfRowSums *sums)
{
	MfSumsGroup groups[MF_TERMS] = {0};	/* there is one at least */
	int			n = mf_sums_groups(als, groups);
	const float *from = als->sums + (size_t) row * mf_als_sums_floats(als);
	int			g = 0;
	int			d;

	while (g + 1 < n && groups[g].asked != part)
		from += mf_sums_group_floats(&groups[g++]);
	d = groups[g].dimensions;
	memset(matrix, 0, (size_t) (als->ld + MF_MAX_RIGHT) * (size_t) als->ld * sizeof(float));
	for (int i = 0; i < d; i++)
		from = unpack_row(als, matrix + place_of(als, i) * als->ld, i, d, from);
	for (int i = 0; i < als->ld; i++)
		for (int k = 0; k < i; k++)
			matrix[i * als->ld + k] = matrix[k * als->ld + i];
	for (int r = 0; r < groups[g].nright; r++)
		from = unpack_row(als, matrix + (als->ld + groups[g].right[r]) * als->ld, 0, d, from);
	memcpy(sums, from, sizeof(MfRowSums));
}

/* Adds a group's sums to others. */
static void
add_group(const MfSumsGroup *group, float *to, const float *from)
{
	size_t		n = mf_sums_group_floats(group) - SUMS_FLOATS;
	MfRowSums	sum;
	MfRowSums	more;

	for (size_t k = 0; k < n; k++)
		to[k] += from[k];
	memcpy(&sum, to + n, sizeof(MfRowSums));
	memcpy(&more, from + n, sizeof(MfRowSums));
	for (int part = 0; part < MF_TERMS; part++)
		sum.constant[part] += more.constant[part];
	sum.target_sum += more.target_sum;
	sum.weight_sum += more.weight_sum;
	memcpy(to + n, &sum, sizeof(MfRowSums));
}

void
mf_als_add_sums(const MfAls *als, int64_t nrows, float *to, const float *from)
{
	MfSumsGroup groups[MF_TERMS];
	int			n = mf_sums_groups(als, groups);

	for (int64_t r = 0; r < nrows; r++)
		for (int g = 0; g < n; g++)
		{
			add_group(&groups[g], to, from);
			to += mf_sums_group_floats(&groups[g]);
			from += mf_sums_group_floats(&groups[g]);
		}
}

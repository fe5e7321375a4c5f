/*
 * seeding.c - centers to begin with, by greedy k-means++ (Arthur and Vassilvitskii 2007).
 *
 * A center after the other is one of the rows, drawn with a chance that is its squared distance from the nearest center
 * so far.  Of some candidates that are drawn so, the one is taken that leaves the least sum of these distances.
 */
#include "core/cluster/seeding.h"

#include <math.h>
#include <string.h>

#include "core/base/padding.h"
#include "core/base/rng.h"

#define PANELS_AT_ONCE 64		/* between two looks at whether to cancel */

/* The space of seeding by these rows; start NULL only measures. */
void
mf_seeding_lay_out(MfSeeding *seeding, MfArena *arena, const MfPoints *points, const MfParallel *parallel)
{
	int64_t		npanels = (points->n + MF_NEAREST_ROWS - 1) / MF_NEAREST_ROWS;
	size_t		n = (size_t) npanels * MF_NEAREST_ROWS;

	seeding->parallel = parallel;
	seeding->points = *points;
	seeding->npanels = npanels;
	mf_scoring_lay_out(&seeding->scoring, arena, points->d, MF_MOST_CANDIDATES, parallel);
	seeding->turned = mf_arena_floats(arena, n * (size_t) mf_padded(points->d));
	seeding->norm = mf_arena_floats(arena, n);
	seeding->closest = mf_arena_floats(arena, n);
	seeding->closer = mf_arena_floats(arena, n * MF_MOST_CANDIDATES);
}

/* The first panel of a part. */
static int64_t
part_start(const MfSeeding *seeding, int64_t part)
{
	return seeding->npanels * part / MF_MOST_PARTS;
}

/* Task: transposes a part's panels, once for all centers to come.  Lanes behind the last row are 0. */
static void
turn_part(void *state, int64_t part, int worker)
{
	MfSeeding  *seeding = state;
	int			ld = seeding->scoring.ld;
	const MfDense *dense = seeding->scoring.dense;

	(void) worker;
	for (int64_t p = part_start(seeding, part); p < part_start(seeding, part + 1); p++)
	{
		int64_t		first = p * MF_NEAREST_ROWS;
		const float *rows = seeding->points.x + first * ld;
		int64_t		left = seeding->points.n - first;

		if (p % PANELS_AT_ONCE == 0 && mf_cancelled(seeding->parallel))
			return;
		dense->transpose_panel(seeding->turned + first * ld, rows, ld, left < MF_NEAREST_ROWS ? (int) left : MF_NEAREST_ROWS,
							   MF_NEAREST_ROWS);
		for (int r = 0; r < MF_NEAREST_ROWS; r++)
			seeding->norm[first + r] = r < left ? dense->dot(rows + r * ld, rows + r * ld, ld) : 0;
	}
}

/* Gets ready for choices from the rows.  Returns MF_CANCELLED or MF_OK. */
MfError
mf_seeding_begin(MfSeeding *seeding)
{
	return mf_parallel_for(seeding->parallel, MF_MOST_PARTS, turn_part, seeding) ? MF_OK : MF_CANCELLED;
}

/*
 * Task: what would become of the squared distances of a part's rows by each of the candidates, and their sum.  Parts
 * are of the rows, not of the threads, so sums are the same to the bit with any number of these.
 */
static void
compare_part(void *state, int64_t part, int worker)
{
	MfSeeding  *seeding = state;
	MfScoring  *scoring = &seeding->scoring;
	int64_t		n = seeding->npanels * MF_NEAREST_ROWS;
	int			padded = (scoring->k + MF_CENTER_PADDING - 1) / MF_CENTER_PADDING * MF_CENTER_PADDING;
	float	   *score = scoring->score + (size_t) worker * MF_CENTERS_AT_ONCE * MF_NEAREST_ROWS;

	memset(seeding->sums[part], 0, sizeof(seeding->sums[part]));
	for (int64_t p = part_start(seeding, part); p < part_start(seeding, part + 1); p++)
	{
		int64_t		first = p * MF_NEAREST_ROWS;

		if (p % PANELS_AT_ONCE == 0 && mf_cancelled(seeding->parallel))
			return;
		scoring->dense->gemm(score, MF_NEAREST_ROWS, scoring->center, scoring->ld, seeding->turned + first * scoring->ld,
							 scoring->d, MF_NEAREST_ROWS, padded);
		for (int c = 0; c < scoring->k; c++)
		{
			const float *norm = seeding->norm + first;
			const float *closest = seeding->closest + first;
			float	   *closer = seeding->closer + c * n + first;
			float		half = -scoring->offset[c];
			float		unsure = (float) (2 * scoring->d + 16) * 0x1.0p-24f;
			float		sum = 0;

			for (int r = 0; r < MF_NEAREST_ROWS; r++)
			{
				float		square = norm[r] + 2 * (half - score[c * MF_NEAREST_ROWS + r]);

				/* a row that is the candidate, or the same, is not apart from it by rounding */
				square = square > unsure * (norm[r] + 2 * half) * 2 ? square : 0;
				closer[r] = square < closest[r] ? square : closest[r];
				sum += closer[r];
			}
			seeding->sums[part][c] += sum;
		}
	}
}

/* A random number in [0, 1). */
static double
draw(MfSeeding *seeding)
{
	return mf_random_uniform(seeding->seed, seeding->drawn++);
}

/* The sum of squared distances, over all parts. */
static double
total_of(const MfSeeding *seeding)
{
	double		total = 0;

	for (int part = 0; part < MF_MOST_PARTS; part++)
		total += seeding->sum[part];
	return total;
}

/*
 * A row, drawn by its squared distance from the nearest center; these must not all be 0.  First the part is found by
 * its sum, then the row within it.  A row at distance 0, which is a center or like one, is never drawn.
 */
static int64_t
draw_row(MfSeeding *seeding)
{
	double		left = draw(seeding) * total_of(seeding);
	int64_t		last = 0;

	for (int64_t part = 0; part < MF_MOST_PARTS; part++)
	{
		int64_t		end = part_start(seeding, part + 1) * MF_NEAREST_ROWS;

		if (left >= seeding->sum[part])
		{
			left -= seeding->sum[part];
			continue;
		}
		for (int64_t i = part_start(seeding, part) * MF_NEAREST_ROWS; i < end && left >= 0; i++)
			if (seeding->closest[i] > 0)
			{
				left -= seeding->closest[i];
				last = i;
			}
		return last;
	}
	/* rounding has left something: the row that can be drawn last */
	for (int64_t i = 0; i < seeding->points.n; i++)
		last = seeding->closest[i] > 0 ? i : last;
	return last;
}

/* Makes rows candidates; *best: the one that would leave the least sum, whose distances are taken over. */
static MfError
try_rows(MfSeeding *seeding, const int64_t *rows, int n, int *best)
{
	int			ld = seeding->scoring.ld;
	int64_t		size = seeding->npanels * MF_NEAREST_ROWS;
	double		least = INFINITY;

	for (int c = 0; c < n; c++)
		memcpy(seeding->scoring.center + c * ld, seeding->points.x + rows[c] * ld, sizeof(float) * (size_t) ld);
	mf_scoring_set(&seeding->scoring, n);
	if (!mf_parallel_for(seeding->parallel, MF_MOST_PARTS, compare_part, seeding))
		return MF_CANCELLED;
	for (int c = 0; c < n; c++)
	{
		double		sum = 0;

		for (int part = 0; part < MF_MOST_PARTS; part++)
			sum += seeding->sums[part][c];
		if (sum < least)
		{
			least = sum;
			*best = c;
		}
	}
	memcpy(seeding->closest, seeding->closer + *best * size, sizeof(float) * (size_t) size);
	for (int part = 0; part < MF_MOST_PARTS; part++)
		seeding->sum[part] = seeding->sums[part][*best];
	return MF_OK;
}

/*
 * center (wanted x ld): rows to begin with, *count of them: fewer than wanted where rows do not differ.  Returns
 * MF_CANCELLED or MF_OK.
 *
 * The first is drawn evenly.  For each other one there are some candidates, of which the paper says that they help.
 */
MfError
mf_seeding_choose(MfSeeding *seeding, uint64_t seed, int wanted, float *center, int *count)
{
	int64_t		size = seeding->npanels * MF_NEAREST_ROWS;
	int			candidates = 2 + (int) log(wanted);
	int64_t		rows[MF_MOST_CANDIDATES];
	int			ld = seeding->scoring.ld;

	seeding->seed = seed;
	seeding->drawn = 0;
	candidates = candidates < MF_MOST_CANDIDATES ? candidates : MF_MOST_CANDIDATES;
	for (int64_t i = 0; i < size; i++)
		seeding->closest[i] = i < seeding->points.n ? INFINITY : 0;
	for (*count = 0; *count < wanted; (*count)++)
	{
		int			n = *count == 0 ? 1 : candidates;
		int			best = 0;

		if (*count > 0 && total_of(seeding) <= 0)
			return MF_OK;
		for (int c = 0; c < n; c++)
			rows[c] = *count == 0 ? (int64_t) (draw(seeding) * (double) seeding->points.n) : draw_row(seeding);
		if (try_rows(seeding, rows, n, &best) != MF_OK)
			return MF_CANCELLED;
		memcpy(center + (size_t) *count * (size_t) ld, seeding->points.x + rows[best] * ld, sizeof(float) * (size_t) ld);
	}
	return MF_OK;
}

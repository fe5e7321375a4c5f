/*
 * lloyd.c - steps of Lloyd's algorithm (Lloyd 1982): rows go to the nearest center, centers to the mean of their rows.
 *
 * Most rows stay where they are, and need not be compared with all centers to know it (Hamerly 2010): of each row an
 * upper bound of the distance from its center is kept, and a lower one of that from all others.  When centers move,
 * bounds move by as much.  A row whose bounds do not meet stays; one whose bounds meet is compared with its own center,
 * and only then, among MF_NEAREST_ROWS others in the same case, with all.
 *
 * |x - c|^2 = |x|^2 - 2 (x . c - |c|^2 / 2), where the inner products are a product of matrices.  Bounds allow for the
 * rounding of it, so that a row never stays where the naive comparison would find another center nearer by more than that.
 *
 * Sums of clusters are kept in double and changed by the rows that move; in parts, whose number depends on the shape
 * of the problem alone.
 */
#include "core/cluster/lloyd.h"

#include <math.h>
#include <string.h>

#include "core/base/padding.h"

#define ROWS_AT_ONCE 1024		/* between two looks at whether to cancel */

/* Bounds are rounded away from each other by this share. */
#define ROUNDING 0x1.0p-22f

/* Centers with their padding. */
static int
padded_centers(int k)
{
	return (k + MF_CENTER_PADDING - 1) / MF_CENTER_PADDING * MF_CENTER_PADDING;
}

/* The space of a scoring by up to k centers; start NULL only measures. */
void
mf_scoring_lay_out(MfScoring *scoring, MfArena *arena, int d, int k, const MfParallel *parallel)
{
	size_t		workers = (size_t) mf_workers(parallel);
	size_t		ld = (size_t) mf_padded(d);

	scoring->dense = mf_dense();
	scoring->nearest = mf_nearest();
	scoring->d = d;
	scoring->ld = (int) ld;
	scoring->center = mf_arena_floats(arena, (size_t) padded_centers(k) * ld);
	scoring->offset = mf_arena_floats(arena, (size_t) padded_centers(k));
	scoring->panel = mf_arena_floats(arena, workers * 2 * MF_NEAREST_ROWS * ld);
	scoring->score = mf_arena_floats(arena, workers * MF_CENTERS_AT_ONCE * MF_NEAREST_ROWS);
}

/*
 * The first k centers have been written: what else is known of them follows.  A score is x . c - |c|^2 / 2, so the
 * nearest center has the largest; minus infinity in the padding is never among them.
 */
void
mf_scoring_set(MfScoring *scoring, int k)
{
	int			ld = scoring->ld;

	scoring->k = k;
	memset(scoring->center + (size_t) k * ld, 0, sizeof(float) * (size_t) (padded_centers(k) - k) * (size_t) ld);
	for (int c = 0; c < padded_centers(k); c++)
	{
		const float *center = scoring->center + (size_t) c * ld;

		scoring->offset[c] = c < k ? -scoring->dense->dot(center, center, ld) / 2 : -INFINITY;
	}
}

/*
 * How far the squared distance between a row of this squared length and centers of at most length `longest` may be off:
 * d + 8 roundings of an inner product (Higham, Accuracy and Stability of Numerical Algorithms, 3.1), twice.
 */
double
mf_scoring_error(const MfScoring *scoring, float norm, float longest)
{
	double		length = sqrt(norm);

	return (2 * scoring->d + 16) * 0x1.0p-24 * length * (length + longest);
}

/*
 * The two largest scores of a worker's panel of rows, by all centers: MF_CENTERS_AT_ONCE at a time, so that scores are
 * still in the cache when they are compared.  Lanes without a row have what was there before, which callers do not look
 * at.
 */
static void
score_panel(const MfScoring *scoring, int worker, MfTwoBest *found)
{
	int			ld = scoring->ld;
	float	   *panel = scoring->panel + (size_t) worker * 2 * MF_NEAREST_ROWS * (size_t) ld;
	float	   *turned = panel + (size_t) MF_NEAREST_ROWS * (size_t) ld;
	float	   *score = scoring->score + (size_t) worker * MF_CENTERS_AT_ONCE * MF_NEAREST_ROWS;
	int			all = padded_centers(scoring->k);

	scoring->dense->transpose_panel(turned, panel, ld, MF_NEAREST_ROWS, MF_NEAREST_ROWS);
	for (int r = 0; r < MF_NEAREST_ROWS; r++)
	{
		found->best[r] = found->second[r] = -INFINITY;
		found->index[r] = 0;
	}
	for (int c = 0; c < all; c += MF_CENTERS_AT_ONCE)
	{
		int			n = all - c < MF_CENTERS_AT_ONCE ? all - c : MF_CENTERS_AT_ONCE;

		scoring->dense->gemm(score, MF_NEAREST_ROWS, scoring->center + (size_t) c * ld, ld, turned, scoring->d,
							 MF_NEAREST_ROWS, n);
		scoring->nearest->two_best(found, score, scoring->offset + c, c, n);
	}
}

/*
 * Parts that rows are split into: fewer where sums of clusters are large.  sums: numbers in a part; those of all parts
 * take at most 32 MB, or what four parts need.
 */
static int
part_count(int64_t sums)
{
	int64_t		parts = (1 << 22) / sums;

	return parts < 4 ? 4 : parts > MF_MOST_PARTS ? MF_MOST_PARTS : (int) parts;
}

/* The space of steps with up to `most` centers; start NULL only measures. */
void
mf_lloyd_lay_out(MfLloyd *lloyd, MfArena *arena, const MfPoints *points, int most, const MfParallel *parallel)
{
	size_t		n = (size_t) points->n;
	size_t		parts;

	lloyd->parallel = parallel;
	lloyd->points = *points;
	lloyd->most = most;
	lloyd->nparts = part_count((int64_t) most * points->d);
	parts = (size_t) lloyd->nparts;
	mf_scoring_lay_out(&lloyd->scoring, arena, points->d, most, parallel);
	lloyd->norm = mf_arena_floats(arena, n);
	lloyd->cluster = mf_arena_take(arena, n * sizeof(int32_t));
	lloyd->upper = mf_arena_floats(arena, n);
	lloyd->lower = mf_arena_floats(arena, n);
	lloyd->drift = mf_arena_floats(arena, (size_t) most);
	lloyd->sum = mf_arena_take(arena, parts * (size_t) most * (size_t) points->d * sizeof(double));
	lloyd->count = mf_arena_take(arena, parts * (size_t) most * sizeof(int64_t));
	lloyd->moved = mf_arena_take(arena, parts * sizeof(int64_t));
}

/* The first row of a part. */
static int64_t
part_start(const MfLloyd *lloyd, int64_t part)
{
	return lloyd->points.n * part / lloyd->nparts;
}

/* Row i. */
static const float *
row_of(const MfLloyd *lloyd, int64_t i)
{
	return lloyd->points.x + i * lloyd->scoring.ld;
}

/* Task: lengths of a part's rows, none of which is in a cluster yet. */
static void
begin_part(void *state, int64_t part, int worker)
{
	MfLloyd    *lloyd = state;

	(void) worker;
	for (int64_t i = part_start(lloyd, part); i < part_start(lloyd, part + 1); i++)
	{
		if (i % ROWS_AT_ONCE == 0 && mf_cancelled(lloyd->parallel))
			return;
		lloyd->norm[i] = lloyd->scoring.dense->dot(row_of(lloyd, i), row_of(lloyd, i), lloyd->scoring.ld);
		lloyd->cluster[i] = -1;
	}
}

/*
 * What moves of centers mean for bounds.  A row's other centers have moved by no more than the farthest of all, or,
 * where that is its own, than the next one (Hamerly 2010): two numbers do for all rows.
 */
static void
summarize_drift(MfLloyd *lloyd)
{
	lloyd->farthest = 0;
	lloyd->most_drift = lloyd->next_drift = lloyd->longest = 0;
	for (int c = 0; c < lloyd->scoring.k; c++)
	{
		float		drift = lloyd->drift[c];

		lloyd->longest = fmaxf(lloyd->longest, sqrtf(-2 * lloyd->scoring.offset[c]) * (1 + ROUNDING));
		if (drift > lloyd->most_drift)
		{
			lloyd->next_drift = lloyd->most_drift;
			lloyd->most_drift = drift;
			lloyd->farthest = c;
		}
		else if (drift > lloyd->next_drift)
			lloyd->next_drift = drift;
	}
}

/*
 * Begins anew from k centers, which have been written to scoring.center.  Returns MF_CANCELLED or MF_OK.
 *
 * The variance is that of centered rows, whose mean is 0.  It is added up row by row, in one thread, and so does not
 * depend on their number.
 */
MfError
mf_lloyd_begin(MfLloyd *lloyd, int k)
{
	size_t		most = (size_t) lloyd->most * (size_t) lloyd->nparts;
	double		squares = 0;

	if (!mf_parallel_for(lloyd->parallel, lloyd->nparts, begin_part, lloyd))
		return MF_CANCELLED;
	for (int64_t i = 0; i < lloyd->points.n; i++)
		squares += lloyd->norm[i];
	lloyd->variance = squares / (double) lloyd->points.n / lloyd->points.d;
	memset(lloyd->sum, 0, sizeof(double) * most * (size_t) lloyd->points.d);
	memset(lloyd->count, 0, sizeof(int64_t) * most);
	memset(lloyd->drift, 0, sizeof(float) * (size_t) k);
	mf_scoring_set(&lloyd->scoring, k);
	summarize_drift(lloyd);
	return MF_OK;
}

/*
 * Adds a row, `times` over (-1: takes it away), to what its part has of a cluster.  A part is one task's, whose rows
 * come in their order, so sums are the same to the bit with any number of threads.
 */
static void
count_row(MfLloyd *lloyd, int64_t part, int64_t i, int cluster, int times)
{
	size_t		at = (size_t) part * (size_t) lloyd->most + (size_t) cluster;
	double	   *sum = lloyd->sum + at * (size_t) lloyd->points.d;
	const float *row = row_of(lloyd, i);

	for (int k = 0; k < lloyd->points.d; k++)
		sum[k] += times * (double) row[k];
	lloyd->count[at] += times;
}

/* Puts a row into another cluster. */
static void
put_row(MfLloyd *lloyd, int64_t part, int64_t i, int cluster)
{
	if (lloyd->cluster[i] == cluster)
		return;
	if (lloyd->cluster[i] >= 0)
		count_row(lloyd, part, i, lloyd->cluster[i], -1);
	count_row(lloyd, part, i, cluster, 1);
	lloyd->cluster[i] = cluster;
	lloyd->moved[part]++;
}

/* The squared distance that a score stands for. */
static double
square_of(const MfLloyd *lloyd, int64_t i, float score)
{
	return (double) lloyd->norm[i] - 2.0 * score;
}

/* The largest distance that a row with this score may have. */
static float
distance_at_most(const MfLloyd *lloyd, int64_t i, float score)
{
	double		square = square_of(lloyd, i, score) + mf_scoring_error(&lloyd->scoring, lloyd->norm[i], lloyd->longest);

	return (float) sqrt(square > 0 ? square : 0) * (1 + ROUNDING);
}

/* The smallest one. */
static float
distance_at_least(const MfLloyd *lloyd, int64_t i, float score)
{
	double		square = square_of(lloyd, i, score) - mf_scoring_error(&lloyd->scoring, lloyd->norm[i], lloyd->longest);

	return square > 0 ? (float) sqrt(square) * (1 - ROUNDING) : 0;
}

/* Compares the n rows of a worker's panel, which are those in `rows`, with all centers. */
static void
compare_panel(MfLloyd *lloyd, int64_t part, int worker, const int64_t *rows, int n)
{
	MfTwoBest	found;

	score_panel(&lloyd->scoring, worker, &found);
	for (int r = 0; r < n; r++)
	{
		put_row(lloyd, part, rows[r], found.index[r]);
		lloyd->upper[rows[r]] = distance_at_most(lloyd, rows[r], found.best[r]);
		lloyd->lower[rows[r]] = distance_at_least(lloyd, rows[r], found.second[r]);
	}
}

/*
 * Whether a row's center is still the nearest one, by what is known of both; moves the bounds by what centers have
 * moved.  Where they meet, the upper one is made tight, by one inner product, before all centers are tried (Hamerly
 * 2010).  False for a row that has no center yet.
 */
static bool
stays(MfLloyd *lloyd, int64_t i)
{
	int			c = lloyd->cluster[i];
	const MfScoring *scoring = &lloyd->scoring;
	float		score;

	if (c < 0)
		return false;
	lloyd->upper[i] = (lloyd->upper[i] + lloyd->drift[c]) * (1 + ROUNDING);
	lloyd->lower[i] = (lloyd->lower[i] - (c == lloyd->farthest ? lloyd->next_drift : lloyd->most_drift)) * (1 - ROUNDING);
	if (lloyd->upper[i] < lloyd->lower[i])
		return true;
	score = scoring->dense->dot(row_of(lloyd, i), scoring->center + (size_t) c * scoring->ld, scoring->ld) + scoring->offset[c];
	lloyd->upper[i] = distance_at_most(lloyd, i, score);
	return lloyd->upper[i] < lloyd->lower[i];
}

/*
 * Task: the rows of a part go to their nearest centers.  Those that may have another one are gathered until a panel is
 * full, as a product of matrices costs the same for one row as for MF_NEAREST_ROWS.
 */
static void
assign_part(void *state, int64_t part, int worker)
{
	MfLloyd    *lloyd = state;
	int			ld = lloyd->scoring.ld;
	float	   *panel = lloyd->scoring.panel + (size_t) worker * 2 * MF_NEAREST_ROWS * (size_t) ld;
	int64_t		rows[MF_NEAREST_ROWS];
	int			n = 0;

	lloyd->moved[part] = 0;
	for (int64_t i = part_start(lloyd, part); i < part_start(lloyd, part + 1); i++)
	{
		if (i % ROWS_AT_ONCE == 0 && mf_cancelled(lloyd->parallel))
			return;
		if (stays(lloyd, i))
			continue;
		memcpy(panel + n * ld, row_of(lloyd, i), sizeof(float) * (size_t) ld);
		rows[n++] = i;
		if (n == MF_NEAREST_ROWS)
		{
			compare_panel(lloyd, part, worker, rows, n);
			n = 0;
		}
	}
	if (n > 0)
		compare_panel(lloyd, part, worker, rows, n);
}

/* Puts every row into the cluster of its nearest center.  Returns MF_CANCELLED or MF_OK. */
MfError
mf_lloyd_assign(MfLloyd *lloyd)
{
	return mf_parallel_for(lloyd->parallel, lloyd->nparts, assign_part, lloyd) ? MF_OK : MF_CANCELLED;
}

/* The rows in a cluster. */
static int64_t
size_of(const MfLloyd *lloyd, int cluster)
{
	int64_t		size = 0;

	for (int part = 0; part < lloyd->nparts; part++)
		size += lloyd->count[(size_t) part * (size_t) lloyd->most + (size_t) cluster];
	return size;
}

/* Whether a row is the same as its center. */
static bool
lies_on_center(const MfLloyd *lloyd, int64_t i)
{
	const float *center = lloyd->scoring.center + (size_t) lloyd->cluster[i] * lloyd->scoring.ld;

	return memcmp(center, row_of(lloyd, i), sizeof(float) * (size_t) lloyd->points.d) == 0;
}

/*
 * Gives a cluster that has lost all rows the one that is farthest from its center, as its bound has it: the naive step
 * would leave the cluster empty for good.  Nothing, where all rows lie on their centers.
 */
static void
fill_cluster(MfLloyd *lloyd, int cluster)
{
	int64_t		farthest = -1;
	int64_t		part = 0;

	for (int64_t i = 0; i < lloyd->points.n; i++)
		if (lloyd->upper[i] > (farthest < 0 ? 0 : lloyd->upper[farthest]) && size_of(lloyd, lloyd->cluster[i]) > 1)
			farthest = i;
	if (farthest < 0 || lies_on_center(lloyd, farthest))
		return;
	while (part_start(lloyd, part + 1) <= farthest)
		part++;
	put_row(lloyd, part, farthest, cluster);
	/* bounds that meet, whatever centers do: the next step compares it with all */
	lloyd->upper[farthest] = lloyd->lower[farthest] = 0;
}

/* Moves a center to the mean of its rows, if it has some; returns how far that is, and a bit more. */
static float
move_center(MfLloyd *lloyd, int cluster)
{
	int			d = lloyd->points.d;
	float	   *center = lloyd->scoring.center + (size_t) cluster * lloyd->scoring.ld;
	int64_t		size = size_of(lloyd, cluster);
	double		squares = 0;

	for (int k = 0; k < d && size > 0; k++)
	{
		double		sum = 0;
		float		before = center[k];

		for (int part = 0; part < lloyd->nparts; part++)
			sum += lloyd->sum[((size_t) part * (size_t) lloyd->most + (size_t) cluster) * (size_t) d + (size_t) k];
		center[k] = (float) (sum / (double) size);
		squares += ((double) center[k] - before) * ((double) center[k] - before);
	}
	return (float) sqrt(squares) * (1 + ROUNDING);
}

/*
 * Moves every center to the mean of its rows.  Returns the sum of the squared moves.  Empty clusters get a row first,
 * so that their centers move like the others, and bounds of all rows allow for it.
 */
double
mf_lloyd_move(MfLloyd *lloyd)
{
	double		squares = 0;

	for (int c = 0; c < lloyd->scoring.k && !mf_cancelled(lloyd->parallel); c++)
		if (size_of(lloyd, c) == 0)
			fill_cluster(lloyd, c);
	for (int c = 0; c < lloyd->scoring.k; c++)
	{
		lloyd->drift[c] = move_center(lloyd, c);
		squares += (double) lloyd->drift[c] * lloyd->drift[c];
	}
	mf_scoring_set(&lloyd->scoring, lloyd->scoring.k);
	summarize_drift(lloyd);
	return squares;
}

/* Distances of rows from their centers, and the sum of their squares in each part. */
typedef struct Measure
{
	const MfLloyd *lloyd;
	float	   *distance;		/* n; NULL: they are not wanted */
	double		inertia[MF_MOST_PARTS];
} Measure;

/*
 * Task: the distances of a part's rows, by the differences themselves, in double: what is reported has none of the
 * rounding that bounds have to allow for.
 */
static void
measure_part(void *state, int64_t part, int worker)
{
	Measure    *m = state;
	const MfLloyd *lloyd = m->lloyd;
	double		sum = 0;

	(void) worker;
	for (int64_t i = part_start(lloyd, part); i < part_start(lloyd, part + 1); i++)
	{
		const float *row = row_of(lloyd, i);
		const float *center = lloyd->scoring.center + (size_t) lloyd->cluster[i] * lloyd->scoring.ld;
		double		square = 0;

		if (i % ROWS_AT_ONCE == 0 && mf_cancelled(lloyd->parallel))
			return;
		for (int k = 0; k < lloyd->points.d; k++)
			square += ((double) row[k] - center[k]) * ((double) row[k] - center[k]);
		sum += square;
		if (m->distance)
			m->distance[i] = (float) sqrt(square);
	}
	m->inertia[part] = sum;
}

/*
 * distance (n; NULL: not wanted): how far each row is from its center; *inertia: the sum of the squares.  Returns
 * MF_CANCELLED or MF_OK.
 */
MfError
mf_lloyd_measure(MfLloyd *lloyd, float *distance, double *inertia)
{
	Measure		m = {.lloyd = lloyd,.distance = distance};

	if (!mf_parallel_for(lloyd->parallel, lloyd->nparts, measure_part, &m))
		return MF_CANCELLED;
	*inertia = 0;
	for (int part = 0; part < lloyd->nparts; part++)
		*inertia += m.inertia[part];
	return MF_OK;
}

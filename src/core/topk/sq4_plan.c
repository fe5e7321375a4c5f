/*
 * sq4_plan.c - decides whether an index is to have codes, and of how many coordinates.
 *
 * By a sample: some items at even distances, and some queries.  What the queries would cost is
 * estimated for every number of coordinates; nothing of it matters for exactness.
 */
#include "core/topk/sq4.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/linalg/dot.h"
#include "core/linalg/gram.h"
#include "core/linalg/principal_axes.h"

/* Items and queries that decisions rest on. */
#define SAMPLE_ITEMS 4096
#define SAMPLE_QUERIES 16
#define SAMPLE_BEST 10

/* Codes are for models where a search would look at more items than this. */
#define ENOUGH_ITEMS 4096

/* Nanoseconds of looking at one coordinate of one item's code, and of scoring an item in float. */
#define COORDINATE_COST 0.015
#define SCORE_COST 25.0

/* What codes usually miss of a score, as a share of the norms that they stand for: see USUAL_STEP in sq4.c. */
#define USUAL_ERROR 0.11

/* Sections of the planner's workspace. */
typedef struct Sample
{
	int			n;				/* items: whole packs, at even distances */
	int			parts;			/* of 16 coordinates that there are */
	float	   *vector;			/* n x ld: as codes are made of them */
	float	   *weight;			/* n: 1 / |v|^2 */
	int32_t    *position;		/* n: of the items, in the index */
	float	   *gram;			/* ld x ld, of vectors of length 1; padding 0 */
	float	   *axes;			/* ld x ld: orthonormal rows, those first that carry most; zeros from the d-th on */
	float	   *carried;		/* parts x n: squared norms along the first 16, 32, ... axes */
	float	   *score;			/* n + MF_BLOCK */
	void	   *space;			/* for mf_gram(), then for the axes */
	float	   *workspace;		/* see MfSq4Plan */
} Sample;

/* Divides the planner's workspace, for an index of nitems x d. */
static void
lay_out_sample(Sample *sample, MfArena *arena, int64_t nitems, int d, const MfParallel *parallel)
{
	size_t		ld = mf_padded(d);
	int64_t		packs = (nitems + MF_PACK - 1) / MF_PACK;
	size_t		gram = mf_gram_size(d, parallel);
	size_t		axes = mf_axes_size(d);
	size_t		n;

	if (packs > SAMPLE_ITEMS / MF_PACK)
		packs = SAMPLE_ITEMS / MF_PACK;
	n = (size_t) packs * MF_PACK;
	sample->n = (int) n;
	sample->parts = (int) ld / MF_PACK;
	sample->vector = mf_arena_floats(arena, n * ld);
	sample->weight = mf_arena_floats(arena, n);
	sample->position = mf_arena_take(arena, n * sizeof(int32_t));
	sample->gram = mf_arena_floats(arena, ld * ld);
	sample->axes = mf_arena_floats(arena, ld * ld);
	sample->carried = mf_arena_floats(arena, sample->parts * n);
	sample->score = mf_arena_floats(arena, n + MF_BLOCK);
	sample->space = mf_arena_take(arena, gram > axes ? gram : axes);
	sample->workspace = mf_arena_floats(arena, mf_workers(parallel) * (MF_PACK + 1) * ld);
}

/* Bytes of 64-byte aligned workspace for a plan and for coding by it. */
size_t
mf_sq4_workspace(int64_t nitems, int factors, const MfParallel *parallel)
{
	MfArena		arena = {NULL, 0};
	Sample		sample;

	lay_out_sample(&sample, &arena, nitems, factors, parallel);
	return arena.used;
}

/* Copies a vector (ld floats), as codes are made of it; coded: whether they are, else it counts as 0. */
static void
take_vector(float *vector, const MfIndex *index, int32_t at, bool coded)
{
	float		scale = index->directions ? 1 / index->norm[at] : 1;
	const float *row = coded ? mf_index_row(index, at, vector) : NULL;

	for (int j = 0; j < index->ld; j++)
		vector[j] = coded ? scale * row[j] : 0;
}

/* Copies the sample out of the index. */
static void
take_sample(Sample *sample, const MfIndex *index)
{
	int64_t		packs = sample->n / MF_PACK;

	for (int i = 0; i < sample->n; i++)
	{
		int64_t		pack = i / MF_PACK * index->npacks / packs;
		int32_t		at = (int32_t) (pack * MF_PACK + i % MF_PACK);
		double		norm = index->norm[at];

		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): null only where sizes are asked for */
		sample->position[i] = at;
		sample->weight[i] = norm > MF_LEAST_CODED && norm < MF_MOST_CODED ? (float) (1 / (norm * norm)) : 0;
		take_vector(sample->vector + (size_t) i * index->ld, index, at, sample->weight[i] > 0);
		if (index->directions && sample->weight[i] > 0)
			sample->weight[i] = 1;
	}
}

/* Query number q of the sample: one of those that the caller gave, or an item. */
static const float *
sample_query(const Sample *sample, const MfItems *items, int ld, int q)
{
	if (items->query != NULL && items->nqueries > 0)
		return items->query + (size_t) (q * items->nqueries / SAMPLE_QUERIES) * ld;
	return sample->vector + (size_t) (q * (sample->n - 1) / SAMPLE_QUERIES) * ld;
}

/* Puts a score among the best so far, ascending. */
static void
keep_best(float *best, float score)
{
	int			at = 0;

	if (score <= best[0])
		return;
	for (; at + 1 < SAMPLE_BEST && best[at + 1] < score; at++)
		best[at] = best[at + 1];
	best[at] = score;
}

/*
 * The score that a share of items exceeds when scores are spread like a normal distribution.  Its tail beyond z
 * deviations is exp(-z^2 / 2) / (z sqrt(2 pi)), nearly: solved for z, first without the factor, then with it.
 */
static double
normal_quantile(double mean, double variance, double share)
{
	double		z = sqrt(fmax(0, -2 * log(share * 2.5)));

	if (z > 1.5)
		z = sqrt(fmax(0, -2 * log(share * 2.5 * z)));
	return mean + z * sqrt(fmax(0, variance));
}

/*
 * What the tenth best score of all items will be about, for a query (ld floats): the tenth among those of the sample
 * and of the first block, or what a normal distribution with the sample's mean and variance says.  The sample's
 * scores are left in sample->score.
 */
static double
guess_threshold(const Sample *sample, const MfIndex *index, const float *query)
{
	const MfScore *kernels = mf_score();
	float		best[SAMPLE_BEST];
	double		sum = 0;
	double		squares = 0;
	double		mean;
	int			first = index->nitems < MF_BLOCK || index->directions ? 0 : MF_BLOCK;

	for (int i = 0; i < SAMPLE_BEST; i++)
		best[i] = -INFINITY;
	for (int i = 0; i < sample->n + first; i += MF_PACK)
	{
		bool		sampled = i < sample->n;
		int32_t		row[MF_PACK];

		for (int r = 0; r < MF_PACK; r++)
			row[r] = sampled ? i + r : i - sample->n + r;
		if (sampled || index->vector != NULL)
			kernels->score_rows(query, index->ld, sampled ? sample->vector : index->vector, row, NULL, NULL, 0,
								sample->score + i);
		else
			kernels->score_narrow(query, index->ld, &index->narrow, row, NULL, NULL, 0, sample->score + i);
		for (int r = 0; r < MF_PACK; r++)
		{
			float		score = sample->score[i + r] +=
				index->offset == NULL ? 0 : index->offset[sampled ? sample->position[i + r] : row[r]];

			keep_best(best, score);
			sum += sampled ? score : 0;
			squares += sampled ? (double) score * score : 0;
		}
	}
	mean = sum / sample->n;
	return fmax(best[0], normal_quantile(mean, squares / sample->n - mean * mean,
										 (double) SAMPLE_BEST / (double) index->nitems));
}

/* How many items of the index lie in packs that a threshold does not rule out. */
static double
count_reached(const MfIndex *index, double norm, double threshold)
{
	int64_t		count = 0;

	for (int64_t pack = 0; pack < index->npacks; pack++)
		count += norm * index->pack_norm[pack] +
			(index->pack_offset == NULL ? 0 : index->pack_offset[pack]) >= threshold;
	return (double) count * MF_PACK;
}

/* Sums up the squared coordinates of each sampled item along the first 16, 32, ... axes: sample->carried. */
static void
project_sample(Sample *sample, int ld)
{
	const MfScore *kernels = mf_score();
	float		y[MF_PACK];

	for (int part = 0; part < sample->parts; part++)
		for (int i = 0; i < sample->n; i++)
		{
			size_t		at = (size_t) part * sample->n + i;
			double		carried = part == 0 ? 0 : sample->carried[at - sample->n];

			mf_sq4_rotate(kernels, sample->axes, part * MF_PACK, sample->vector + (size_t) i * ld, ld, y);
			for (int r = 0; r < MF_PACK; r++)
				carried += (double) y[r] * y[r];
			sample->carried[at] = (float) carried;
		}
}

/*
 * The share of the sample that codes of parts 0 .. part would let pass: whose score, plus what codes usually miss of
 * it, plus what is left of query and item, reaches the threshold.  carried: the query's squared norm along the axes of
 * these parts; rest: beyond.
 */
static double
share_passed(const Sample *sample, int part, double carried, double rest, double threshold)
{
	const float *all = sample->carried + (size_t) (sample->parts - 1) * sample->n;
	double		passed = 0;

	for (int i = 0; i < sample->n; i++)
	{
		size_t		at = (size_t) part * sample->n + i;
		double		left = all[i] - sample->carried[at];

		passed += sample->score[i] + USUAL_ERROR * sqrt(carried * sample->carried[at]) +
			sqrt(fmax(rest, 0) * fmax(left, 0)) >= threshold;
	}
	return passed / sample->n;
}

/*
 * Adds what a query would cost with 16, 32, ... coded coordinates to cost[]: looking at the codes of the items that
 * are reached, and scoring those that pass.
 */
static void
add_costs(const Sample *sample, const MfIndex *index, const float *query, double threshold, double reached,
		  double *cost)
{
	const MfScore *kernels = mf_score();
	double		norm = mf_norm(query, index->ld);
	double		carried = 0;

	for (int part = 0; part < sample->parts; part++)
	{
		float		x[MF_PACK];

		mf_sq4_rotate(kernels, sample->axes, part * MF_PACK, query, index->ld, x);
		for (int r = 0; r < MF_PACK; r++)
			carried += (double) x[r] * x[r];
		cost[part] += reached * COORDINATE_COST * MF_PACK * (part + 1) +
			share_passed(sample, part, carried, norm * norm - carried, threshold) * (double) index->nitems * SCORE_COST;
	}
}

/* How far the first c axes are from orthonormal, and what rounding of coordinates adds: see MfSq4.skew and sq4.c. */
static double
measure_skew(const Sample *sample, int ld, int c)
{
	double		squares = 0;

	for (int i = 0; i < c; i++)
		for (int j = 0; j <= i; j++)
		{
			double		sum = mf_dot(sample->axes + (size_t) i * ld, sample->axes + (size_t) j * ld, ld);

			/* rows beyond d are zero: they add a zero coordinate, which is no skew */
			if (i == j && sum > 0.5)
				sum -= 1;
			squares += (i == j ? 1 : 2) * sum * sum;
		}
	return 1.1 * sqrt(squares) + 2.2 * (mf_score_error(ld) + MF_SCORE_ROUNDING) * sqrt(c);
}

/*
 * The items that the sample's queries have to look at in spite of the bounds of norms, all queries together: what
 * codes could save.
 */
static double
count_all_reached(const Sample *sample, const MfIndex *index, const MfItems *items)
{
	double		reached = 0;

	for (int q = 0; q < SAMPLE_QUERIES; q++)
	{
		const float *query = sample_query(sample, items, index->ld, q);

		reached += count_reached(index, mf_norm(query, index->ld), guess_threshold(sample, index, query));
	}
	return reached;
}

/* How many coordinates are to be coded: those with which the sample's queries cost least. */
static int
choose_dims(const Sample *sample, const MfIndex *index, const MfItems *items)
{
	double		cost[(MF_MAX_PADDED + MF_PACK - 1) / MF_PACK] = {0};
	int			best = 0;

	for (int q = 0; q < SAMPLE_QUERIES; q++)
	{
		const float *query = sample_query(sample, items, index->ld, q);
		double		threshold = guess_threshold(sample, index, query);

		add_costs(sample, index, query, threshold, count_reached(index, mf_norm(query, index->ld), threshold), cost);
	}
	for (int part = 1; part < sample->parts; part++)
		if (cost[part] < cost[best])
			best = part;
	return (best + 1) * MF_PACK;
}

/*
 * Decides whether an index is to have 4-bit codes, whether it goes by them alone, and of how many coordinates, by what
 * the queries of the sample would cost; without, plan->dims is 0.  index holds everything but codes.  The workspace has
 * mf_sq4_workspace() bytes, and keeps what the plan points to.  Returns false when it was cancelled.
 */
bool
mf_sq4_plan(MfSq4Plan *plan, const MfIndex *index, const MfItems *items, MfQuantization quantization,
			void *workspace, const MfParallel *parallel)
{
	MfArena		arena = {workspace, 0};
	Sample		sample;
	int			d = index->factors;

	memset(plan, 0, sizeof(*plan));
	if (quantization == MF_QUANTIZE_NEVER || index->nitems == 0 ||
		(quantization == MF_QUANTIZE_AUTO && index->nitems < 2 * ENOUGH_ITEMS))
		return true;
	lay_out_sample(&sample, &arena, index->nitems, index->factors, parallel);
	take_sample(&sample, index);
	plan->flat = quantization == MF_QUANTIZE_SQ4 ||
		count_all_reached(&sample, index, items) >= (double) ENOUGH_ITEMS * SAMPLE_QUERIES;

	memset(sample.gram, 0, (size_t) index->ld * (size_t) index->ld * sizeof(float));
	if (mf_gram(parallel, sample.vector, sample.n, d, sample.weight, sample.gram, sample.space) != MF_OK)
		return !mf_cancelled(parallel);
	mf_axes_find(sample.axes, sample.gram, d, sample.space);
	if (mf_cancelled(parallel))
		return false;
	project_sample(&sample, index->ld);
	plan->dims = choose_dims(&sample, index, items);
	mf_axes_mix(sample.axes, plan->dims < d ? plan->dims : d, index->ld, sample.space);
	plan->rotation = sample.axes;
	plan->workspace = sample.workspace;
	plan->skew = (float) measure_skew(&sample, index->ld, plan->dims);
	return true;
}

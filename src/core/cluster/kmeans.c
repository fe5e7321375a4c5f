/*
 * kmeans.c - k-means: some starts on a sample, the best of them refined on all rows.
 *
 * What Lloyd's algorithm finds depends on where it starts, and most of its time goes into rows that would say the same
 * once more.  So starts are made and brought to rest on a sample of some hundred rows a cluster (Bradley and Fayyad
 * 1998), and the one of the least inertia there goes on with all rows, where few steps are left to do.
 *
 * Everything depends on rows, plan and instruction set alone: not on threads.
 */
#include "core/cluster/kmeans.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/padding.h"
#include "core/base/rng.h"
#include "core/cluster/seeding.h"

/* One start will do for more than so many. */
#define MANY_CLUSTERS 500

/* k-means in the making. */
typedef struct Kmeans
{
	const MfKmeansPlan *plan;
	MfPoints	all;
	MfPoints	sample;			/* where all rows are few enough, these */
	float	   *sampled;		/* rows of the sample, where they are not */
	MfSeeding	seeding;
	MfLloyd		lloyd;
	float	   *best;			/* centers of the best start so far */
	int			count;			/* of them */
	int32_t    *order;			/* wanted: clusters by size */
	int32_t    *rank;			/* wanted: the inverse */
	int			iterations;
} Kmeans;

/* A plan with as many clusters, and what has proved to be good.  With many clusters starts hardly differ. */
MfKmeansPlan
mf_kmeans_plan(int clusters, uint64_t seed)
{
	return (MfKmeansPlan) {.clusters = clusters,.seed = seed,.starts = clusters <= MANY_CLUSTERS ? 4 : 1,.sample = 256,
	.iterations = 300,.tolerance = 1e-4};
}

/* Divides the space; start NULL only measures. */
static void
lay_out(Kmeans *k, MfArena *arena, const MfPoints *points, const MfKmeansPlan *plan, const MfParallel *parallel)
{
	int64_t		sampled = (int64_t) plan->sample * plan->clusters;
	size_t		ld = (size_t) mf_padded(points->d);

	k->plan = plan;
	k->all = k->sample = *points;
	k->iterations = 0;
	if (sampled < points->n)
	{
		k->sampled = mf_arena_floats(arena, (size_t) sampled * ld);
		k->sample = (MfPoints) {k->sampled, sampled, points->d};
	}
	k->best = mf_arena_floats(arena, (size_t) plan->clusters * ld);
	k->order = mf_arena_take(arena, (size_t) plan->clusters * sizeof(int32_t));
	k->rank = mf_arena_take(arena, (size_t) plan->clusters * sizeof(int32_t));
	mf_seeding_lay_out(&k->seeding, arena, &k->sample, parallel);
	mf_lloyd_lay_out(&k->lloyd, arena, points, plan->clusters, parallel);
}

/* Bytes of space for mf_kmeans_run(). */
size_t
mf_kmeans_size(const MfPoints *points, const MfKmeansPlan *plan, const MfParallel *parallel)
{
	MfArena		arena = {NULL, 0};
	Kmeans		k;

	lay_out(&k, &arena, points, plan, parallel);
	return arena.used + 64;
}

/*
 * Takes the sample: a row at random of each of as many stretches of rows.  So whatever order the rows are in, each
 * range of it has its share.  Where a stretch is less than two rows, neighbors may draw the same one.  Nothing to do
 * where the sample is all rows.
 */
static void
take_sample(Kmeans *k)
{
	size_t		ld = (size_t) mf_padded(k->all.d);
	double		step = (double) k->all.n / (double) k->sample.n;

	for (int64_t i = 0; k->sample.n < k->all.n && i < k->sample.n; i++)
	{
		int64_t		row = (int64_t) (((double) i + mf_random_uniform(k->plan->seed, (uint64_t) i)) * step);

		memcpy(k->sampled + (size_t) i * ld, k->all.x + (size_t) row * ld, sizeof(float) * ld);
	}
}

/* How many rows the last step has put elsewhere. */
static int64_t
moved_rows(const MfLloyd *lloyd)
{
	int64_t		moved = 0;

	for (int part = 0; part < lloyd->nparts; part++)
		moved += lloyd->moved[part];
	return moved;
}

/*
 * Steps until centers are at rest, from those in scoring.center; at the end every row is in the cluster of its nearest
 * center, as a step moves centers first and assigns rows then.
 *
 * At rest is where squared moves add up to no more than the tolerance times the variance, or no row has moved: then the
 * next step would find the same means.  But for rounding, inertia never rises by a step (Lloyd 1982), so the limit of
 * iterations is one of time.  Returns MF_CANCELLED or MF_OK.
 */
static MfError
run(Kmeans *k, const MfPoints *points, int count)
{
	MfLloyd    *lloyd = &k->lloyd;
	MfError		error;
	double		least;

	lloyd->points = *points;
	error = mf_lloyd_begin(lloyd, count);
	if (error == MF_OK)
		error = mf_lloyd_assign(lloyd);
	least = k->plan->tolerance * lloyd->variance;
	for (int i = 0; error == MF_OK && i < k->plan->iterations; i++)
	{
		double		moved = mf_lloyd_move(lloyd);

		error = mf_lloyd_assign(lloyd);
		k->iterations++;
		if (k->plan->iterated && error == MF_OK)
			k->plan->iterated(k->plan->state, k->iterations);
		if (moved <= least || (moved_rows(lloyd) == 0 && k->plan->tolerance > 0))
			break;
	}
	return error;
}

/* Whether there is one start, on all rows: then nothing is to be chosen, and refining it is all there is to do. */
static bool
is_whole_run(const Kmeans *k)
{
	return k->plan->starts == 1 && k->sample.n == k->all.n;
}

/*
 * Makes the starts, and keeps the centers of the best: the one of the least inertia on the sample, of equal ones the
 * first.  Each has a seed of its own, which depends on the plan's and its number.
 */
static MfError
make_starts(Kmeans *k)
{
	size_t		ld = (size_t) mf_padded(k->all.d);
	double		least = INFINITY;
	MfError		error = mf_seeding_begin(&k->seeding);

	for (int s = 0; s < k->plan->starts && error == MF_OK; s++)
	{
		double		inertia = 0;
		int			count = 0;

		error = mf_seeding_choose(&k->seeding, mf_random_bits(k->plan->seed, (uint64_t) s), k->plan->clusters,
								  k->lloyd.scoring.center, &count);
		if (error == MF_OK && !is_whole_run(k))
			error = run(k, &k->sample, count);
		if (error == MF_OK && !is_whole_run(k))
			error = mf_lloyd_measure(&k->lloyd, NULL, &inertia);
		if (error != MF_OK || inertia >= least)
			continue;
		least = inertia;
		k->count = count;
		memcpy(k->best, k->lloyd.scoring.center, sizeof(float) * (size_t) count * ld);
	}
	return error;
}

/* Clusters by descending size, of equal ones that which was first; a sort by insertion, as clusters are few. */
static void
order_clusters(Kmeans *k, const int64_t *size)
{
	for (int c = 0; c < k->count; c++)
	{
		int			at = c;

		for (; at > 0 && size[k->order[at - 1]] < size[c]; at--)
			k->order[at] = k->order[at - 1];
		k->order[at] = c;
	}
	for (int c = 0; c < k->count; c++)
		k->rank[k->order[c]] = c;
}

/*
 * The results, clusters numbered by their sizes.  Clusters without rows, where fewer rows differ than were wanted, are
 * last and are not counted; centers beyond those that were found are 0.
 */
static MfError
finish(Kmeans *k, MfClusters *clusters)
{
	MfLloyd    *lloyd = &k->lloyd;
	size_t		ld = (size_t) lloyd->scoring.ld;
	int64_t    *size = lloyd->count;	/* of the first part: sums are of no use any more */
	MfError		error = mf_lloyd_measure(lloyd, clusters->distance, &clusters->inertia);

	memset(size, 0, sizeof(int64_t) * (size_t) k->plan->clusters);
	for (int64_t i = 0; i < k->all.n && error == MF_OK; i++)
		size[lloyd->cluster[i]]++;
	order_clusters(k, size);
	memset(clusters->center, 0, sizeof(float) * (size_t) k->plan->clusters * ld);
	clusters->count = 0;
	for (int c = 0; c < k->plan->clusters; c++)
		clusters->size[c] = 0;
	for (int c = 0; c < k->count; c++)
	{
		memcpy(clusters->center + (size_t) c * ld, lloyd->scoring.center + (size_t) k->order[c] * ld, sizeof(float) * ld);
		clusters->size[c] = size[k->order[c]];
		clusters->count += clusters->size[c] > 0;
	}
	for (int64_t i = 0; i < k->all.n && error == MF_OK; i++)
		clusters->cluster[i] = k->rank[lloyd->cluster[i]];
	clusters->iterations = k->iterations;
	return error;
}

/*
 * Puts the rows into clusters.  space: mf_kmeans_size() bytes.  Returns MF_CANCELLED or MF_OK.  A cluster's rows are
 * nearer to its center than to others, as far as floats tell distances; clusters are numbered by descending size.
 */
MfError
mf_kmeans_run(const MfParallel *parallel, const MfPoints *points, const MfKmeansPlan *plan, MfClusters *clusters, void *space)
{
	MfArena		arena = mf_arena_at(space);
	Kmeans		k;
	MfError		error;

	lay_out(&k, &arena, points, plan, parallel);
	take_sample(&k);
	error = make_starts(&k);
	if (error != MF_OK)
		return error;
	memcpy(k.lloyd.scoring.center, k.best, sizeof(float) * (size_t) k.count * (size_t) k.lloyd.scoring.ld);
	error = run(&k, points, k.count);
	return error == MF_OK ? finish(&k, clusters) : error;
}

/*
 * clusters.c - clusters of vectors by k-means.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "core/base/padding.h"
#include "core/cluster/kmeans.h"
#include "core/linalg/centering.h"
#include "geometry/clusters.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/progress.h"

/* An error where there are fewer vectors than clusters that are asked for. */
static void
CheckCount(const VectorSet *set, int count)
{
	if (count > set->n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot put %lld %s into %d clusters", (long long) set->n, SideName(set->side), count),
				 errdetail("\"%s\" has no more of which there is a vector.", set->name),
				 errhint("Ask for at most as many clusters as vectors: clusters => %lld.", (long long) set->n)));
}

/* Reports an iteration; how many there will be is not known. */
static void
ReportStep(void *state, int iteration)
{
	(void) state;
	ReportIteration(iteration, 0, NAN);
}

/*
 * Compares two vectors of one cluster by their distance from its center, and by their place, which is by id: no two are
 * equal, so the order does not depend on how it is sorted.
 */
static int
CompareDistances(const void *a, const void *b, void *distances)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;
	const float *distance = distances;

	CHECK_FOR_INTERRUPTS();
	if (distance[x] != distance[y])
		return distance[x] < distance[y] ? -1 : 1;
	return x < y ? -1 : x > y;
}

/*
 * Puts vectors in the order of clusters and distances: by cluster in one pass, as their sizes say where each begins,
 * then each cluster is sorted on its own.
 */
static void
OrderRows(const VectorSet *set, Clusters *clusters)
{
	int64	   *next = palloc(sizeof(int64) * clusters->count);
	int64		start = 0;

	for (int c = 0; c < clusters->count; c++)
	{
		clusters->start[c] = next[c] = start;
		start += clusters->size[c];
	}
	for (int64 i = 0; i < set->n; i++)
		clusters->order[next[clusters->cluster[i]]++] = (int32) i;
	for (int c = 0; c < clusters->count; c++)
		qsort_arg(clusters->order + clusters->start[c], clusters->size[c], sizeof(int32), CompareDistances,
				  clusters->distance);
}

/*
 * Puts a set's vectors into `count` clusters, in the current memory context; the vectors themselves are centered by it.
 * A seed gives the same clusters each time, with any number of threads.
 */
void
FindClusters(VectorSet *set, int count, int64 seed, Clusters *clusters)
{
	int			d = set->d;
	MfPoints	points = {set->vectors, set->n, d};
	MfKmeansPlan plan = mf_kmeans_plan(count, (uint64) seed);
	MfCentering centering = {.mean = palloc(sizeof(double) * d),.rest = palloc(sizeof(double) * d)};
	MfClusters	found;
	Size		work;
	void	   *space;

	CheckCount(set, count);
	plan.iterated = ReportStep;
	work = Max(mf_center_size(d), mf_kmeans_size(&points, &plan, &set->parallel));
	CheckSetMemory(set, work + set->n * (sizeof(int32) * 2 + sizeof(float)));
	ReportPhase(PHASE_CLUSTER);
	space = HugeArray(work, 1);
	clusters->cluster = HugeArray(set->n, sizeof(int32));
	clusters->distance = HugeArray(set->n, sizeof(float));
	clusters->size = HugeArray(count, sizeof(int64));
	clusters->start = HugeArray(count, sizeof(int64));
	found = (MfClusters) {.center = AlignedArray((int64) count * mf_padded(d), sizeof(float)),.size = clusters->size,
	.cluster = clusters->cluster,.distance = clusters->distance};
	CheckCore(mf_center(&set->parallel, set->vectors, set->n, d, &centering, space));
	CheckCore(mf_kmeans_run(&set->parallel, &points, &plan, &found, space));
	pfree(space);
	/* centering has scaled vectors; distances are in the caller's unit */
	for (int64 i = 0; i < set->n; i++)
		clusters->distance[i] = (float) (clusters->distance[i] / centering.scale);
	clusters->count = found.count;
	clusters->order = HugeArray(set->n, sizeof(int32));
	OrderRows(set, clusters);
}

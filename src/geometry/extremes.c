/*
 * extremes.c - vectors that stand for many: those at the ends of an axis, and at the center of a cluster.
 *
 * They are shown to people, who know what many have rated.  And where little is known of an item, it lies at an end, or
 * at a center, by chance.  So only those count that have no fewer ratings than the mean, of all or of the cluster.
 */
#include "postgres.h"

#include "core/base/heap.h"
#include "geometry/extremes.h"

/* The mean number of ratings of some vectors, NULL: of the first n. */
static double
MeanCount(const VectorSet *set, const int32 *rows, int64 n)
{
	double		sum = 0;

	for (int64 i = 0; i < n; i++)
		sum += set->counts[rows ? rows[i] : i];
	return sum / n;
}

/* The k vectors with the largest coordinates times sign, largest first, of those with so many ratings. */
static int32 *
FarthestOut(const VectorSet *set, const Components *components, int component, int sign, double least, int k, int *count)
{
	int32	   *rows = palloc(sizeof(int32) * k);
	MfHeap		heap;

	mf_heap_start(&heap, palloc(sizeof(MfScored) * k), k);
	for (int64 i = 0; i < set->n; i++)
		if (set->counts[i] >= least)
			mf_heap_push(&heap, i, sign * components->coordinates[i * components->n + component]);
	mf_heap_sort(&heap);
	for (*count = 0; *count < heap.count; (*count)++)
		rows[*count] = (int32) heap.entry[*count].number;
	return rows;
}

/*
 * The vectors at both ends of a component, k at each, or all where these are fewer; with few vectors both ends may name
 * the same.  The set must have counts, so it is no relation's.
 */
Extremes
FindExtremes(const VectorSet *set, const Components *components, int component, int k)
{
	double		least = MeanCount(set, NULL, set->n);
	Extremes	ends;

	ends.lowest = FarthestOut(set, components, component, -1, least, k, &ends.count);
	ends.highest = FarthestOut(set, components, component, 1, least, k, &ends.count);
	return ends;
}

/* The k vectors nearest to the center of a cluster, or as many as there are; returns how many. */
int
FindNearest(const VectorSet *set, const Clusters *clusters, int cluster, int k, int32 *nearest)
{
	const int32 *rows = clusters->order + clusters->start[cluster];
	double		least = MeanCount(set, rows, clusters->size[cluster]);
	int			count = 0;

	for (int64 i = 0; i < clusters->size[cluster] && count < k; i++)
		if (set->counts[rows[i]] >= least)
			nearest[count++] = rows[i];
	return count;
}

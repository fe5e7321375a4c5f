/*
 * clusters.h - clusters of vectors by k-means.
 */
#ifndef MFREC_CLUSTERS_H
#define MFREC_CLUSTERS_H

#include "geometry/vector_set.h"

/* A set's vectors in clusters, by descending size. */
typedef struct Clusters
{
	int			count;			/* of clusters; fewer than were wanted where fewer vectors differ */
	int64	   *size;			/* count */
	int32	   *cluster;		/* set->n: from 0 */
	float	   *distance;		/* set->n: from the center */
	int32	   *order;			/* set->n: the vectors by cluster, in these by distance, by id */
	int64	   *start;			/* count: where each begins in this order */
} Clusters;

extern void FindClusters(VectorSet *set, int count, int64 seed, Clusters *clusters);

#endif

/*
 * kmeans.h - k-means: rows in clusters, each nearest to the mean of its own.
 */
#ifndef MF_KMEANS_H
#define MF_KMEANS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/cluster/points.h"

/* What is wanted; mf_kmeans_plan() fills in what callers rarely choose. */
typedef struct MfKmeansPlan
{
	int			clusters;		/* at least 1 */
	uint64_t	seed;
	int			starts;			/* of which the best is refined */
	int			sample;			/* rows a cluster that these are made from */
	int			iterations;		/* at most, of a start, and of the refinement */
	double		tolerance;		/* centers are at rest when their squared moves add up to this times the variance */
	void		(*iterated) (void *state, int iteration);	/* after each, from the calling thread; NULL: none */
	void	   *state;
} MfKmeansPlan;

/* The caller's arrays. */
typedef struct MfClusters
{
	int			count;			/* that have rows: at most as many as were wanted, fewer where few rows differ */
	float	   *center;			/* wanted x mf_padded(d), 64-byte aligned */
	int64_t    *size;			/* wanted: rows in each, descending */
	int32_t    *cluster;		/* n: which each row is in, from 0 */
	float	   *distance;		/* n: from its center */
	double		inertia;		/* the sum of the squares of these */
	int			iterations;		/* all of them */
} MfClusters;

extern MfKmeansPlan mf_kmeans_plan(int clusters, uint64_t seed);
extern size_t mf_kmeans_size(const MfPoints *points, const MfKmeansPlan *plan, const MfParallel *parallel);
extern MfError mf_kmeans_run(const MfParallel *parallel, const MfPoints *points, const MfKmeansPlan *plan,
						 MfClusters *clusters, void *space);

#endif

/*
 * extremes.h - vectors that stand for many: those at the ends of an axis, and at the center of a cluster.
 */
#ifndef MFREC_EXTREMES_H
#define MFREC_EXTREMES_H

#include "geometry/clusters.h"
#include "geometry/components.h"

/* Vectors at both ends of an axis, those farthest out first. */
typedef struct Extremes
{
	int			count;
	int32	   *lowest;			/* count */
	int32	   *highest;		/* count */
} Extremes;

extern Extremes FindExtremes(const VectorSet *set, const Components *components, int component, int k);
extern int	FindNearest(const VectorSet *set, const Clusters *clusters, int cluster, int k, int32 *nearest);

#endif

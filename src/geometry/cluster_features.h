/*
 * cluster_features.h - the attributes that set clusters apart from the other items, or users.
 */
#ifndef MFREC_CLUSTER_FEATURES_H
#define MFREC_CLUSTER_FEATURES_H

#include "geometry/clusters.h"

/* The features of one cluster, the one that says most first. */
typedef struct ClusterFeatures
{
	int			count;
	char	  **names;
} ClusterFeatures;

extern ClusterFeatures *FindClusterFeatures(const Recommender *r, const VectorSet *set, const Clusters *clusters, int k);

#endif

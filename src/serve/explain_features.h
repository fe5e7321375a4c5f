/*
 * explain_features.h - which attributes of an item carry its score for a user.
 */
#ifndef MFREC_EXPLAIN_FEATURES_H
#define MFREC_EXPLAIN_FEATURES_H

#include "serve/recommender.h"

/* What a feature of an item adds to its score. */
typedef struct FeatureShare
{
	const char *feature;
	double		contribution;
} FeatureShare;

extern int	ExplainFeatures(Recommender *r, const UserState *user, int32 item, int k, FeatureShare **shares);

#endif

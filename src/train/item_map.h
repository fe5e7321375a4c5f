/*
 * item_map.h - the map from items' features to their factors, which a training learns beside them.
 */
#ifndef MFREC_ITEM_MAP_H
#define MFREC_ITEM_MAP_H

#include "core/features/feature_map.h"
#include "features/features.h"
#include "model/feature_table.h"
#include "model/objective_json.h"
#include "train/training.h"

/*
 * The map of a training.  F features of n items, of which the first problem.nitems have ratings, and those behind them
 * are cold; ld = mf_padded(d).
 */
typedef struct ItemMap
{
	Features   *features;
	MfFeatureMatrix matrix;
	float	   *strength;		/* nblocks: lambda, the larger the less a block says; 0: it is not used */
	float	   *scale;			/* F: what values are multiplied by, by the strength of their block */
	bool		known;			/* strengths have been found, and */
	bool		used;			/* some block says something of items that the map has not seen */
	bool		draws;			/* known items are drawn to the map, too: their lists are better for it */
	float	   *interest;		/* F x ld: of s_i, like the next two in the unit of scale once that is known; NULL
								 * without an interest part */
	float	   *rating;			/* F x ld: of q_i; NULL, like the next, without a rating part */
	float	   *bias;			/* F: of b_i */
	float	   *interest_prior; /* n x ld: what the map makes of items; NULL where the map is */
	float	   *rating_prior;	/* n x ld */
	float	   *bias_prior;		/* n */
	float	   *weight;			/* n: 1 with ratings, 0 of cold items */
	float	   *rating_weight;	/* n: t_i with ratings, 0 of cold items; NULL without a rating part */
	float	   *shift;			/* ld: what is added to s_i of cold items */
	void	   *workspace;
} ItemMap;

/* n x ld: what the map makes of the vectors that lists use. */
static inline float *
ListPrior(const ItemMap *map)
{
	return map->interest_prior ? map->interest_prior : map->rating_prior;
}

extern void CreateItemMap(Training *t);
extern void ScaleItemMap(const Training *t);
extern void FollowItems(Training *t);
extern void MakeColdItems(Training *t);
extern void MatrixOfFeatures(Features *features, MfFeatureMatrix *matrix);

/* map_trial.c */
extern void TryItemMap(Training *t);
extern void TryUserMap(Training *t);
extern void NoticeMaps(const Training *t, const char *items, const char *users);

/* map_rows.c */
extern void MapRows(const Training *t, FeatureRows *rows);
extern void UserMapRows(const Training *t, FeatureRows *rows);
extern void MapParameters(const Training *t, const char *text_configuration, MapSummary *summary);
extern void UserMapParameters(const Training *t, const char *text_configuration, MapSummary *summary);
extern void TakeMap(Training *t, Oid relid, int32 version);

#endif

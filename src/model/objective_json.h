/*
 * objective_json.h - a version's objective on its way through mfrec.model_version.parameters.
 */
#ifndef MFREC_OBJECTIVE_JSON_H
#define MFREC_OBJECTIVE_JSON_H

#include "core/als/objective.h"
#include "utils/jsonb.h"

/* What parameters say of a map from features of items, or users, to factors. */
typedef struct MapSummary
{
	const float *cold_shift;	/* d: what is added to the interest in cold items; of items alone */
	const char *text_configuration; /* of text search, by which texts became words */
	int			count;			/* columns of attributes */
	const char **names;			/* count */
	const float *strengths;		/* count: lambda of each; 0: it is not used */
	bool		draws;			/* known items are drawn to the map, too; of items alone */
} MapSummary;

/* The key that says whether known items are drawn to the map; for folding items in. */
#define ITEMS_DRAWN "items_drawn"

/* The key of what only versions have whose users may be drawn to points of their own. */
#define USER_STRENGTHS "user_feature_strengths"

extern char *ObjectiveToJson(const MfObjective *objective, const float *mean_user, double mean_bias,
							 const MapSummary *map, const MapSummary *user_map);
extern void ObjectiveFromJson(MfObjective *objective, Jsonb *json);
extern float *MeanUserFromJson(Jsonb *json, int factors, double *mean_bias);
extern float *ColdShiftFromJson(Jsonb *json, int factors);

#endif

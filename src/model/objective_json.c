/*
 * objective_json.c - a version's objective on its way through mfrec.model_version.parameters.
 *
 * One table of names serves both directions, so that what is written is what is read.  Numbers are written with as
 * many digits as bring the same double back (17), or the same float (9): lists of a restored version are the same.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "compat.h"
#include "model/objective_json.h"
#include "pg/json.h"

/*
 * Counts up whenever a version cannot be served from its parameters by the extension as it was
 * before: an older library that meets a newer number says so.
 */
#define PARAMETERS_FORMAT 3

/* The numbers among an objective's fields, by their names in JSON; all are doubles. */
static const struct
{
	const char *name;
	size_t		offset;
}			numbers[] = {
	{"regularization", offsetof(MfObjective, regularization)},
	{"interest_weight", offsetof(MfObjective, interest_weight)},
	{"alpha", offsetof(MfObjective, alpha)},
	{"taste", offsetof(MfObjective, taste)},
	{"rating_regularization", offsetof(MfObjective, rating_regularization)},
	{"rating_uncertainty", offsetof(MfObjective, rating_uncertainty)},
	{"rating_exponent", offsetof(MfObjective, rating_exponent)},
	{"noise", offsetof(MfObjective, noise)},
	{"interest_regularization", offsetof(MfObjective, interest_regularization)},
	{"user_exponent", offsetof(MfObjective, user_exponent)},
	{"item_exponent", offsetof(MfObjective, item_exponent)},
	{"user_ratings", offsetof(MfObjective, user_ratings)},
	{"item_ratings", offsetof(MfObjective, item_ratings)},
	{"bias_regularization", offsetof(MfObjective, bias_regularization)},
	{"value_scale", offsetof(MfObjective, value_scale)},
	{"weight_scale", offsetof(MfObjective, weight_scale)},
	{"mean", offsetof(MfObjective, mean)},
	{"deviation", offsetof(MfObjective, deviation)},
	{"min", offsetof(MfObjective, min)},
	{"max", offsetof(MfObjective, max)},
};

/* The field of an objective that number i of the table above means. */
static double *
Number(const MfObjective *objective, int i)
{
	return (double *) ((char *) objective + numbers[i].offset);
}

/*
 * The oldest format that says all of an objective: 2 knows of values that are confidences, of weights' scale, and of
 * dimensions of ratings alone, 3 of items that a map has made, of users who are drawn to points of their own, of rows
 * that fade, and of users' spreads.
 */
static int
FormatOf(const MfObjective *objective, const MapSummary *user_map)
{
	if (objective->item_map || user_map || objective->half_life > 0 || objective->user_variance > 0)
		return 3;
	return objective->value_is_confidence || objective->weight_scale != 1 || objective->rating_factors > 0 ? 2 : 1;
}

/* Appends how strongly each column of a map is held. */
static void
AppendStrengths(StringInfo json, const char *key, const MapSummary *map)
{
	appendStringInfo(json, ", \"%s\": {", key);
	for (int i = 0; i < map->count; i++)
	{
		appendStringInfoString(json, i > 0 ? ", " : "");
		escape_json(json, map->names[i]);
		appendStringInfo(json, ": %.9g", map->strengths[i]);
	}
	appendStringInfoChar(json, '}');
}

/* Appends a vector of d floats. */
static void
AppendVector(StringInfo json, const char *key, const float *vector, int d)
{
	appendStringInfo(json, ", \"%s\": [", key);
	for (int k = 0; k < d; k++)
		appendStringInfo(json, "%s%.9g", k ? ", " : "", vector[k]);
	appendStringInfoChar(json, ']');
}

/* Appends what there is to know of a map of items to vectors of d floats. */
static void
AppendMap(StringInfo json, const MapSummary *map, int d)
{
	AppendVector(json, "cold_shift", map->cold_shift, d);
	appendStringInfo(json, ", \"" ITEMS_DRAWN "\": %d", map->draws);
	AppendStrengths(json, "feature_strengths", map);
}

/*
 * The objective, the mean user (d floats, and a bias) and maps of items and users (NULL: there is none) as a JSON
 * object.  What has its usual value is left out where libraries of older versions do not know it.
 */
char *
ObjectiveToJson(const MfObjective *objective, const float *mean_user, double mean_bias, const MapSummary *map,
				const MapSummary *user_map)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"format\": %d, \"has_rating\": %d, \"has_interest\": %d",
					 FormatOf(objective, user_map), objective->has_rating, objective->has_interest);
	appendStringInfo(&json, ", \"factors\": %d, \"iterations\": %d", objective->factors, objective->iterations);
	for (int i = 0; i < (int) lengthof(numbers); i++)
		appendStringInfo(&json, ", \"%s\": %.17g", numbers[i].name, *Number(objective, i));
	if (objective->half_life > 0)
	{
		AppendJsonNumber(&json, "half_life", objective->half_life);
		AppendJsonNumber(&json, "mean_fade", objective->mean_fade);
		AppendJsonNumber(&json, "rating_roots", objective->rating_roots);
	}
	if (objective->trend_half_life > 0)
	{
		AppendJsonNumber(&json, "trend_half_life", objective->trend_half_life);
		AppendJsonNumber(&json, "trend_mean", objective->trend_mean);
		AppendJsonNumber(&json, "trend_weight", objective->trend_weight);
	}
	if (objective->half_life > 0 || objective->trend_half_life > 0)
		AppendJsonNumber(&json, "newest", objective->newest);
	if (objective->user_variance > 0)
		AppendJsonNumber(&json, "user_variance", objective->user_variance);
	if (objective->rating_factors > 0)
		appendStringInfo(&json, ", \"rating_factors\": %d, \"rating_gain\": %.17g", objective->rating_factors,
						 objective->rating_gain);
	if (objective->fold != MF_FOLD_TRAINED)
		appendStringInfo(&json, ", \"fold\": %d", objective->fold);
	if (objective->value_is_confidence)
		appendStringInfoString(&json, ", \"value_is_confidence\": 1");
	if (objective->item_map)
		appendStringInfo(&json, ", \"item_map\": 1, \"feature_strength\": %.17g", objective->feature_strength);
	if (map)
		AppendMap(&json, map, mf_dimensions(objective));
	if (map || user_map)
		AppendJsonString(&json, "text_search_config", (map ? map : user_map)->text_configuration);
	if (user_map)
		AppendStrengths(&json, USER_STRENGTHS, user_map);
	appendStringInfo(&json, ", \"mean_user_bias\": %.9g", mean_bias);
	AppendVector(&json, "mean_user", mean_user, mf_dimensions(objective));
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* An error when the parameters are of a newer format than this library knows. */
static void
CheckFormat(Jsonb *json)
{
	int			format = (int) JsonNumber(json, "format", 1);

	if (format > PARAMETERS_FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the model was trained by a newer version of the extension mfrec"),
				 errdetail("Its parameters are of format %d, and this version knows formats up to %d.",
						   format, PARAMETERS_FORMAT),
				 errhint("Install the newer version of mfrec on this server, or train the model again.")));
}

/*
 * The inverse of ObjectiveToJson; what is missing is 0, but the scale of weights 1, as version 0.1.0 took weights as they
 * are, and so is the gain of predicted ratings.  An error for parameters of a format that this library does not know.
 */
void
ObjectiveFromJson(MfObjective *objective, Jsonb *json)
{
	CheckFormat(json);
	objective->has_rating = JsonNumber(json, "has_rating", 0) != 0;
	objective->has_interest = JsonNumber(json, "has_interest", 0) != 0;
	objective->factors = (int) JsonNumber(json, "factors", 0);
	objective->rating_factors = (int) JsonNumber(json, "rating_factors", 0);
	objective->iterations = (int) JsonNumber(json, "iterations", 0);
	objective->fold = (MfFoldRule) JsonNumber(json, "fold", MF_FOLD_TRAINED);
	objective->value_is_confidence = JsonNumber(json, "value_is_confidence", 0) != 0;
	objective->item_map = JsonNumber(json, "item_map", 0) != 0;
	objective->feature_strength = JsonNumber(json, "feature_strength", 1);
	objective->half_life = JsonNumber(json, "half_life", 0);
	objective->trend_half_life = JsonNumber(json, "trend_half_life", 0);
	objective->trend_mean = JsonNumber(json, "trend_mean", 0);
	objective->trend_weight = JsonNumber(json, "trend_weight", 0);
	objective->newest = JsonNumber(json, "newest", 0);
	objective->mean_fade = JsonNumber(json, "mean_fade", 1);
	objective->rating_roots = JsonNumber(json, "rating_roots", 0);
	objective->rating_gain = JsonNumber(json, "rating_gain", 1);
	objective->user_variance = JsonNumber(json, "user_variance", 0);
	for (int i = 0; i < (int) lengthof(numbers); i++)
		*Number(objective, i) = JsonNumber(json, numbers[i].name, 0);
	if (!(objective->weight_scale > 0))
		objective->weight_scale = 1;
}

/* A vector of d floats; zero where the object has none of that length. */
static float *
VectorFromJson(Jsonb *json, const char *key, int d)
{
	float	   *vector = palloc0(sizeof(float) * d);
	JsonbValue	space;
	JsonbValue *value = getKeyJsonValueFromContainer(&json->root, key, strlen(key), &space);

	if (value == NULL || value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data) ||
		(int) JsonContainerSize(value->val.binary.data) != d)
		return vector;
	for (int k = 0; k < d; k++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(value->val.binary.data, k);

		if (element && element->type == jbvNumeric)
			vector[k] = (float) DatumGetFloat8(DirectFunctionCall1(numeric_float8,
																   NumericGetDatum(element->val.numeric)));
	}
	return vector;
}

/* The mean user's vector, d floats, and bias. */
float *
MeanUserFromJson(Jsonb *json, int factors, double *mean_bias)
{
	*mean_bias = JsonNumber(json, "mean_user_bias", 0);
	return VectorFromJson(json, "mean_user", factors);
}

/* What the vectors of cold items have beside what the map makes of them, d floats; zero without a map. */
float *
ColdShiftFromJson(Jsonb *json, int factors)
{
	return VectorFromJson(json, "cold_shift", factors);
}

/*
 * train_options.c - the arguments of a training: ranges, names, and their way through
 * mfrec.model.parameters, from which mf_retrain reads them back.
 */
#include "postgres.h"

#include <math.h>

#include "pg/json.h"
#include "train/train_options.h"

/* Nothing asked for: every value the preset's default. */
void
InitTrainOptions(TrainOptions *options)
{
	memset(options, 0, sizeof(TrainOptions));
	InitSourceColumns(&options->columns);
	options->factors = options->rating_factors = options->iterations = -1;
	options->regularization = options->alpha = options->interest_weight = NAN;
	options->taste = options->feature_strength = options->trend_weight = options->tolerance = options->validation = NAN;
	options->user_exponent = options->item_exponent = NAN;
	options->seed = 1;
	options->features.side = &item_side;
	options->user_features.side = &user_side;
}

/* An error for a number out of its range; NaN, which is not given, is in any. */
static void
CheckNumber(const char *name, double value, double min, double max)
{
	if (isnan(value) || (value >= min && value <= max))
		return;
	if (isinf(max))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be at least %g and finite", name, min)));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must be between %g and %g", name, min, max)));
}

/* An error for a strength out of its range, or of nothing. */
static void
CheckFeatureStrength(const TrainOptions *options)
{
	CheckNumber("feature_strength", options->feature_strength, 1e-3, 1e3);
	if (!isnan(options->feature_strength) && !HasFeatures(&options->features))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("feature_strength needs item_features"),
				 errdetail("It says how strongly these are held back."),
				 errhint("Name the table or view of items' attributes with the argument item_features.")));
}

/* An error for a weight of trends out of its range, or of rows without times. */
static void
CheckTrendWeight(const TrainOptions *options)
{
	CheckNumber("trend_weight", options->trend_weight, 0, 2);
	if (options->trend_weight > 0 && options->columns.time == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trend_weight needs time_column"),
				 errdetail("It says how much lists go by what items' rows are of late."),
				 errhint("Name the column that says when a row came to be with the argument time_column.")));
}

/* An error for a half-life of nothing, or one that is none. */
static void
CheckHalfLife(const SourceColumns *columns)
{
	if (isnan(columns->half_life))
		return;
	if (!(columns->half_life > 0) || isinf(columns->half_life))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("half_life must be positive and finite"),
				 errdetail("It is the age at which a row counts half as much as the newest one."),
				 errhint("Leave it out, and rows count the same at any age.")));
	if (columns->time == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("half_life needs time_column"),
				 errdetail("It is the age at which a row counts half as much as the newest one."),
				 errhint("Name the column that says when a row came to be with the argument time_column.")));
}

/* Raises an error for the first value out of its range. */
void
CheckTrainOptions(const TrainOptions *options)
{
	if (options->factors != -1)
		CheckNumber("factors", options->factors, 1, MF_MAX_FACTORS);
	if (Max(options->factors, 0) + Max(options->rating_factors, 0) > MF_MAX_FACTORS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("factors and rating_factors together must be at most %d", MF_MAX_FACTORS),
				 errdetail("They are %d and %d.", options->factors, options->rating_factors)));
	if (options->iterations != -1)
		CheckNumber("iterations", options->iterations, 1, MFREC_MAX_ITERATIONS);
	CheckNumber("regularization", options->regularization, 0, 1e9);
	CheckNumber("alpha", options->alpha, 0, 1e9);
	CheckNumber("interest_weight", options->interest_weight, 0, 1e9);
	CheckNumber("taste", options->taste, 0, 1e9);
	CheckNumber("user_exponent", options->user_exponent, 0, 2);
	CheckNumber("item_exponent", options->item_exponent, 0, 2);
	CheckNumber("tolerance", options->tolerance, 0, 1);
	CheckNumber("validation", options->validation, 0, 0.9);
	CheckFeatureArguments(&options->features, &options->user_features);
	CheckFeatureStrength(options);
	CheckHalfLife(&options->columns);
	CheckTrendWeight(options);
	if (options->columns.events && options->columns.event == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("event_weights needs event_column"),
				 errhint("Name the column that says of which kind a row is with the argument event_column.")));
	if (options->validation_by == VALIDATION_BY_TIME && options->columns.time == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("validation_by => 'time' needs time_column"),
				 errhint("Name the column that says when a row came to be with the argument time_column.")));
}

/* Whether a model of such feedback has both parts, ratings and interest. */
bool
HasBothParts(const TrainOptions *options, Feedback feedback)
{
	return feedback == FEEDBACK_EXPLICIT && options->interest_weight != 0;
}

/*
 * Raises an error for dimensions of ratings alone in a model that has nothing else, or none: without both parts all
 * dimensions are of the one part.
 */
void
CheckRatingFactors(const TrainOptions *options, Feedback feedback)
{
	if (options->rating_factors > 0 && !HasBothParts(options, feedback))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rating_factors needs a model of both ratings and choice"),
				 errdetail("They are dimensions in which ratings are learned and choice is not; here there is one of the two."),
				 errhint("Leave rating_factors out and set factors, or train with feedback => 'explicit' and an interest_weight above 0.")));
}

/* Raises an error for attributes of users in a model of ratings alone, where nothing draws users to anything but 0. */
void
CheckUserFeatures(const TrainOptions *options, Feedback feedback)
{
	if (HasFeatures(&options->user_features) && feedback == FEEDBACK_EXPLICIT && options->interest_weight == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("user_features needs a model of choice"),
				 errdetail("What is known of users says what they choose, and with interest_weight => 0 only ratings are learned."),
				 errhint("Leave user_features out, or train with an interest_weight above 0.")));
}

/*
 * The argument validation_by; NULL leaves the choice to whether there is a time column, and anything else is an error.
 */
ValidationBy
ParseValidationBy(const char *name)
{
	if (name == NULL)
		return VALIDATION_DEFAULT;
	if (strcmp(name, "time") == 0)
		return VALIDATION_BY_TIME;
	if (strcmp(name, "random") == 0)
		return VALIDATION_RANDOM;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized validation_by \"%s\"", name),
			 errhint("Use \"time\" to hold out the newest rows, \"random\" to hold out any.")));
	return VALIDATION_DEFAULT;	/* keep the compiler quiet */
}

/* In which rows lose half of their weight, in seconds; 0: they keep it. */
double
TrainHalfLife(const TrainOptions *options)
{
	return isnan(options->columns.half_life) ? 0 : options->columns.half_life;
}

/* The rows to hold out for validation: none unless asked for. */
Holdout
TrainHoldout(const TrainOptions *options)
{
	Holdout		holdout;

	holdout.fraction = isnan(options->validation) ? 0 : options->validation;
	holdout.from = options->validation_from;
	holdout.seed = (uint64) options->seed;
	holdout.reread = options->reread;
	holdout.by_time = options->columns.time && options->validation_by != VALIDATION_RANDOM;
	return holdout;
}

/* Appends a number if it was given: NaN and -1 stand for those that were not. */
static void
AppendGiven(StringInfo json, const char *name, double value)
{
	if (!isnan(value) && value != -1)
		AppendJsonNumber(json, name, value);
}

/* What was asked for, as the JSON object that mfrec.model.parameters keeps; palloc'd. */
char *
TrainOptionsToJson(const TrainOptions *options)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"seed\": " INT64_FORMAT, options->seed);
	AppendGiven(&json, "factors", options->factors);
	AppendGiven(&json, "rating_factors", options->rating_factors);
	AppendGiven(&json, "iterations", options->iterations);
	AppendGiven(&json, "regularization", options->regularization);
	AppendGiven(&json, "alpha", options->alpha);
	AppendGiven(&json, "interest_weight", options->interest_weight);
	AppendGiven(&json, "taste", options->taste);
	AppendGiven(&json, "feature_strength", options->feature_strength);
	AppendGiven(&json, "trend_weight", options->trend_weight);
	AppendGiven(&json, "user_exponent", options->user_exponent);
	AppendGiven(&json, "item_exponent", options->item_exponent);
	AppendGiven(&json, "tolerance", options->tolerance);
	AppendGiven(&json, "validation", options->validation);
	if (options->validation_by != VALIDATION_DEFAULT)
		AppendJsonString(&json, "validation_by", options->validation_by == VALIDATION_BY_TIME ? "time" : "random");
	AppendSourceColumns(&json, &options->columns);
	AppendFeatureArguments(&json, &options->features);
	AppendFeatureArguments(&json, &options->user_features);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/*
 * The inverse of TrainOptionsToJson(): what is missing was not given.  Strings are palloc'd.  Models of versions that
 * knew no dimensions of ratings alone go on without.
 */
void
TrainOptionsFromJson(TrainOptions *options, Jsonb *json)
{
	InitTrainOptions(options);
	SourceColumnsFromJson(&options->columns, json);
	options->factors = (int) JsonNumber(json, "factors", -1);
	options->rating_factors = (int) JsonNumber(json, "rating_factors", 0);
	options->iterations = (int) JsonNumber(json, "iterations", -1);
	options->regularization = JsonNumber(json, "regularization", NAN);
	options->alpha = JsonNumber(json, "alpha", NAN);
	options->interest_weight = JsonNumber(json, "interest_weight", NAN);
	options->taste = JsonNumber(json, "taste", NAN);
	options->feature_strength = JsonNumber(json, "feature_strength", NAN);
	options->trend_weight = JsonNumber(json, "trend_weight", NAN);
	options->user_exponent = JsonNumber(json, "user_exponent", NAN);
	options->item_exponent = JsonNumber(json, "item_exponent", NAN);
	options->tolerance = JsonNumber(json, "tolerance", NAN);
	options->validation = JsonNumber(json, "validation", NAN);
	options->validation_by = ParseValidationBy(JsonString(json, "validation_by"));
	options->seed = JsonInteger(json, "seed", 1);
	FeatureArgumentsFromJson(&options->features, &item_side, json);
	FeatureArgumentsFromJson(&options->user_features, &user_side, json);
}

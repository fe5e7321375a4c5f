/*
 * guc.c - the settings, and the arguments of a training: ranges, names, and their way through
 * mfrec.model.parameters, from which mf_retrain reads them back.
 */
#include "postgres.h"

#include <limits.h>
#include <math.h>
#include <unistd.h>

#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "compat.h"
#include "guc.h"

char	   *mfrec_model = NULL;
int			mfrec_threads = 0;
int			mfrec_max_memory = 0;
int			mfrec_keep_versions = 2;
int			mfrec_cold_start = COLD_START_POPULAR;
bool		mfrec_verbose = false;

static const struct config_enum_entry cold_start_options[] = {
	{"popular", COLD_START_POPULAR, false},
	{"empty", COLD_START_EMPTY, false},
	{"error", COLD_START_ERROR, false},
	{NULL, 0, false}
};

/* Registers the settings; called once when the library is loaded. */
void
DefineSettings(void)
{
	DefineCustomStringVariable("mfrec.model",
							   "Model that functions use when their model argument is null.",
							   "Empty means the model chosen with mf_set_default, at first the first one trained.",
							   &mfrec_model, "", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mfrec.threads",
							"Number of threads that train.",
							"0 means max_parallel_maintenance_workers + 1, at most one per core.",
							&mfrec_threads, 0, 0, 1024, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mfrec.max_memory",
							"Memory that a training may take for factors and dictionaries of ids.",
							"Ratings obey maintenance_work_mem. 0 means three quarters of the machine's memory, or of the container's.",
							&mfrec_max_memory, 0, 0, INT_MAX / 1024, PGC_USERSET, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("mfrec.keep_versions",
							"Number of versions of a model that training keeps, the new one included.",
							"1 saves space but leaves nothing to roll back to.",
							&mfrec_keep_versions, 2, 1, 1000, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("mfrec.cold_start",
							 "What mf_recommend returns for a user of whom nothing is known.",
							 NULL,
							 &mfrec_cold_start, COLD_START_POPULAR, cold_start_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("mfrec.verbose",
							 "Reports each iteration of a training as a notice.",
							 NULL,
							 &mfrec_verbose, false, PGC_USERSET, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("mfrec");
}

/* Threads that a parallel loop may use: the setting, never more than the cores. */
int
ThreadCount(void)
{
	long		cores = sysconf(_SC_NPROCESSORS_ONLN);
	int			wanted = mfrec_threads > 0 ? mfrec_threads : max_parallel_maintenance_workers + 1;

	return Max(1, Min(wanted, Max(cores, 1)));
}

/* Nothing asked for: every value the preset's default. */
void
InitTrainOptions(TrainOptions *options)
{
	memset(options, 0, sizeof(TrainOptions));
	options->feedback = FEEDBACK_AUTO;
	options->factors = options->iterations = -1;
	options->regularization = options->alpha = options->interest_weight = NAN;
	options->taste = options->tolerance = options->validation = NAN;
	options->seed = 1;
	options->user_column = "user_id";
	options->item_column = "item_id";
	options->rating_column = "rating";
}

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

/* Raises an error for the first value out of its range. */
void
CheckTrainOptions(const TrainOptions *options)
{
	if (options->factors != -1)
		CheckNumber("factors", options->factors, 1, MFREC_MAX_FACTORS);
	if (options->iterations != -1)
		CheckNumber("iterations", options->iterations, 1, MFREC_MAX_ITERATIONS);
	CheckNumber("regularization", options->regularization, 0, 1e9);
	CheckNumber("alpha", options->alpha, 0, 1e9);
	CheckNumber("interest_weight", options->interest_weight, 0, 1e9);
	CheckNumber("taste", options->taste, 0, 1e9);
	CheckNumber("tolerance", options->tolerance, 0, 1);
	CheckNumber("validation", options->validation, 0, 0.9);
}

/* A preset's name as an argument; NULL means to choose by the columns. */
Feedback
ParseFeedback(const char *name)
{
	if (name == NULL)
		return FEEDBACK_AUTO;
	if (strcmp(name, "explicit") == 0)
		return FEEDBACK_EXPLICIT;
	if (strcmp(name, "implicit") == 0)
		return FEEDBACK_IMPLICIT;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized feedback \"%s\"", name),
			 errhint("Use \"explicit\" for ratings such as stars, \"implicit\" for purchases, clicks or views.")));
	return FEEDBACK_AUTO;		/* keep the compiler quiet */
}

const char *
FeedbackName(Feedback feedback)
{
	return feedback == FEEDBACK_EXPLICIT ? "explicit" :
		feedback == FEEDBACK_IMPLICIT ? "implicit" : NULL;
}

static void
AppendNumber(StringInfo json, const char *name, double value)
{
	if (!isnan(value) && value != -1)
		appendStringInfo(json, ", \"%s\": %.17g", name, value);
}

static void
AppendText(StringInfo json, const char *name, const char *value)
{
	appendStringInfo(json, ", \"%s\": ", name);
	if (value)
		escape_json(json, value);
	else
		appendStringInfoString(json, "null");
}

/* What was asked for, as the JSON object that mfrec.model.parameters keeps. */
char *
TrainOptionsToJson(const TrainOptions *options)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"seed\": " INT64_FORMAT, options->seed);
	if (options->feedback != FEEDBACK_AUTO)
		AppendText(&json, "feedback", FeedbackName(options->feedback));
	AppendNumber(&json, "factors", options->factors);
	AppendNumber(&json, "iterations", options->iterations);
	AppendNumber(&json, "regularization", options->regularization);
	AppendNumber(&json, "alpha", options->alpha);
	AppendNumber(&json, "interest_weight", options->interest_weight);
	AppendNumber(&json, "taste", options->taste);
	AppendNumber(&json, "tolerance", options->tolerance);
	AppendNumber(&json, "validation", options->validation);
	AppendText(&json, "user_column", options->user_column);
	AppendText(&json, "item_column", options->item_column);
	if (options->rating_named || options->rating_column == NULL)
		AppendText(&json, "rating_column", options->rating_column);
	if (options->weight_column)
		AppendText(&json, "weight_column", options->weight_column);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* The number of a key of a JSON object; `missing` where there is none. */
double
JsonNumber(Jsonb *json, const char *key, double missing)
{
	JsonbValue	space;
	JsonbValue *value = getKeyJsonValueFromContainer(&json->root, key, strlen(key), &space);

	if (value == NULL || value->type != jbvNumeric)
		return missing;
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric)));
}

/* The string of a key of a JSON object; NULL where there is none or it is null. */
char *
JsonString(Jsonb *json, const char *key)
{
	JsonbValue	space;
	JsonbValue *value = getKeyJsonValueFromContainer(&json->root, key, strlen(key), &space);

	if (value == NULL || value->type != jbvString)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/* The seed of a JSON object: not every integer is a double. */
static int64
JsonSeed(Jsonb *json)
{
	JsonbValue	space;
	JsonbValue *value = getKeyJsonValueFromContainer(&json->root, "seed", strlen("seed"), &space);

	if (value == NULL || value->type != jbvNumeric)
		return 1;
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
}

/* The inverse of TrainOptionsToJson. */
void
TrainOptionsFromJson(TrainOptions *options, Jsonb *json)
{
	JsonbValue	space;

	InitTrainOptions(options);
	options->kept = true;
	options->feedback = ParseFeedback(JsonString(json, "feedback"));
	options->factors = (int) JsonNumber(json, "factors", -1);
	options->iterations = (int) JsonNumber(json, "iterations", -1);
	options->regularization = JsonNumber(json, "regularization", NAN);
	options->alpha = JsonNumber(json, "alpha", NAN);
	options->interest_weight = JsonNumber(json, "interest_weight", NAN);
	options->taste = JsonNumber(json, "taste", NAN);
	options->tolerance = JsonNumber(json, "tolerance", NAN);
	options->validation = JsonNumber(json, "validation", NAN);
	options->seed = JsonSeed(json);
	options->user_column = JsonString(json, "user_column");
	options->item_column = JsonString(json, "item_column");
	options->weight_column = JsonString(json, "weight_column");
	if (getKeyJsonValueFromContainer(&json->root, "rating_column", strlen("rating_column"), &space))
	{
		options->rating_column = JsonString(json, "rating_column");
		options->rating_named = options->rating_column != NULL;
	}
}

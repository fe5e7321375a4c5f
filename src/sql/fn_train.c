/*
 * fn_train.c - SQL functions that make versions, or nearly: mf_train, mf_retrain, mf_import, mf_estimate, mf_tune.
 *
 * Arguments are read here, and checked where that needs nothing but the argument; what depends on each other, or on
 * the source, is checked in src/train.  Several functions have the arguments of mf_train, in its order.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "model/family_write.h"
#include "model/model_acl.h"
#include "model/model_source.h"
#include "model/model_write.h"
#include "pg/json.h"
#include "rows/row_time.h"
#include "sql/args.h"
#include "sql/srf.h"
#include "train/estimate.h"
#include "train/import.h"
#include "train/train.h"
#include "train/train_each.h"
#include "tune/tune.h"

#define MAX_TRIALS 1000

/*
 * The row that all functions return that make a version: its model, its number, what it was made of and how
 * good it is.
 */
static Datum
VersionRow(FunctionCallInfo fcinfo, const char *model, const ModelVersion *version)
{
	Datum		values[9];
	bool		nulls[9] = {false};

	values[0] = CStringGetTextDatum(model);
	values[1] = Int32GetDatum(version->version);
	values[2] = Int64GetDatum(version->users);
	values[3] = Int64GetDatum(version->items);
	values[4] = Int64GetDatum(version->ratings);
	values[5] = Int32GetDatum(version->iterations);
	values[6] = Float8GetDatum(version->loss);
	nulls[6] = isnan(version->loss);
	values[7] = Float8GetDatum(version->rmse);
	nulls[7] = isnan(version->rmse);
	values[8] = Float8GetDatum(version->seconds);
	return ResultRow(fcinfo, values, nulls);
}

/*
 * A notice to callers who write a kind of feedback where the model's name stands: they probably mean the argument
 * behind it.
 */
static void
NoteFeedbackAsModel(const char *model, const char *feedback)
{
	if (model && feedback == NULL && (strcmp(model, "explicit") == 0 || strcmp(model, "implicit") == 0))
		ereport(NOTICE,
				(errmsg("the model is called \"%s\"", model),
				 errdetail("That is its name, and says nothing of the feedback that it is trained on."),
				 errhint("To choose the feedback, write feedback => '%s'.", model)));
}

/*
 * The argument rating_factors, which the scripts of 0.1.0 do not have: it is the last one, at that place.  -1 where it
 * is null or missing.
 */
static int
RatingFactorsArgument(FunctionCallInfo fcinfo, int place)
{
	int64		count;

	if (PG_NARGS() <= place || PG_ARGISNULL(place))
		return -1;
	count = PG_GETARG_INT64(place);
	if (count < 0 || count >= MF_MAX_FACTORS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between %d and %d", "rating_factors", 0, MF_MAX_FACTORS - 1)));
	return (int) count;
}

/*
 * The arguments item_features, feature_categories and feature_strength, which the scripts of 0.1.0 do not have: the
 * last ones, from that place on.
 */
static void
ReadFeatureArguments(FunctionCallInfo fcinfo, int place, TrainOptions *options)
{
	FeatureArguments *arguments = &options->features;
	Datum	   *values;
	bool	   *nulls;

	if (PG_NARGS() <= place)
		return;
	options->feature_strength = NumberArgument(fcinfo, place + 2, "feature_strength");
	arguments->relid = PG_ARGISNULL(place) ? InvalidOid : PG_GETARG_OID(place);
	if (PG_ARGISNULL(place + 1))
		return;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(place + 1), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls,
					  &arguments->ncategories);
	arguments->categories = palloc(sizeof(char *) * Max(arguments->ncategories, 1));
	for (int i = 0; i < arguments->ncategories; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not have a null", "feature_categories")));
		arguments->categories[i] = TextDatumGetCString(values[i]);
	}
}

/*
 * The argument user_features, which the scripts of 0.1.0 do not have either, at that place; feature_categories, which
 * has been read, holds for both relations.
 */
static void
ReadUserFeatures(FunctionCallInfo fcinfo, int place, TrainOptions *options)
{
	FeatureArguments *arguments = &options->user_features;

	if (PG_NARGS() > place && !PG_ARGISNULL(place))
		arguments->relid = PG_GETARG_OID(place);
	arguments->categories = options->features.categories;
	arguments->ncategories = options->features.ncategories;
}

/*
 * The arguments time_column, half_life, validation_by, event_column and event_weights, which the scripts of 0.1.0 do
 * not have either: the last ones, from that place on.
 */
static void
ReadRowArguments(FunctionCallInfo fcinfo, int place, TrainOptions *options)
{
	if (PG_NARGS() <= place + 4)
		return;
	options->columns.time = TextArgument(fcinfo, place);
	if (!PG_ARGISNULL(place + 1))
		options->columns.half_life = SecondsOfInterval(PG_GETARG_INTERVAL_P(place + 1));
	options->validation_by = ParseValidationBy(TextArgument(fcinfo, place + 2));
	options->columns.event = TextArgument(fcinfo, place + 3);
	if (!PG_ARGISNULL(place + 4))
		options->columns.events = EventWeightsFromJson(&PG_GETARG_JSONB_P(place + 4)->root);
}

/* The arguments trend_weight, user_exponent and item_exponent, from that place on, which scripts of before do not have. */
static void
ReadPowers(FunctionCallInfo fcinfo, int place, TrainOptions *options)
{
	if (PG_NARGS() <= place + 2)
		return;
	options->trend_weight = NumberArgument(fcinfo, place, "trend_weight");
	options->user_exponent = NumberArgument(fcinfo, place + 1, "user_exponent");
	options->item_exponent = NumberArgument(fcinfo, place + 2, "item_exponent");
}

/* The argument guard, at that place, which scripts of before do not have; 0: none. */
static double
GuardArgument(FunctionCallInfo fcinfo, int place)
{
	double		guard;

	if (PG_NARGS() <= place || PG_ARGISNULL(place))
		return 0;
	guard = PG_GETARG_FLOAT8(place);
	if (!(guard >= 0 && guard <= 0.5))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between %g and %g", "guard", 0.0, 0.5),
				 errdetail("It is the share of the pairs of user and item that no version learns from, so that they can be compared."),
				 errhint("0.05 is a good choice.")));
	return guard;
}

/*
 * The argument serve, at that place, which scripts of before do not have; whether it is false: the version is withheld.
 */
static bool
WithholdArgument(FunctionCallInfo fcinfo, int place)
{
	return PG_NARGS() > place && !PG_ARGISNULL(place) && !PG_GETARG_BOOL(place);
}

/* The argument distribute, at that place, which scripts of before do not have. */
static Distribute
DistributeArgument(FunctionCallInfo fcinfo, int place)
{
	if (PG_NARGS() <= place || PG_ARGISNULL(place))
		return DISTRIBUTE_DEFAULT;
	return PG_GETARG_BOOL(place) ? DISTRIBUTE_ALWAYS : DISTRIBUTE_NEVER;
}

/*
 * The arguments of mf_train, which other functions have too: the source as argument 0, model and all
 * that follow it from argument 1 + skip on.  Numbers that are null are -1 or NaN: to be chosen.
 */
static void
ReadTrainArguments(FunctionCallInfo fcinfo, int skip, TrainRequest *request)
{
	TrainOptions *options = &request->options;
	char	   *feedback = TextArgument(fcinfo, skip + 2);

	RequireArgument(fcinfo, 0, "source", "Name a table or view of ratings: %s('ratings').");
	memset(request, 0, sizeof(TrainRequest));
	InitTrainOptions(options);
	request->source = PG_GETARG_OID(0);
	request->model = TextArgument(fcinfo, skip + 1);
	options->columns.feedback = ParseFeedback(feedback);
	NoteFeedbackAsModel(request->model, feedback);
	options->factors = IntegerArgument(fcinfo, skip + 3, "factors", MF_MAX_FACTORS);
	options->iterations = IntegerArgument(fcinfo, skip + 4, "iterations", MFREC_MAX_ITERATIONS);
	options->regularization = NumberArgument(fcinfo, skip + 5, "regularization");
	options->alpha = NumberArgument(fcinfo, skip + 6, "alpha");
	options->interest_weight = NumberArgument(fcinfo, skip + 7, "interest_weight");
	options->taste = NumberArgument(fcinfo, skip + 8, "taste");
	options->tolerance = NumberArgument(fcinfo, skip + 9, "tolerance");
	options->validation = NumberArgument(fcinfo, skip + 10, "validation");
	options->seed = PG_ARGISNULL(skip + 11) ? 1 : PG_GETARG_INT64(skip + 11);
	options->columns.user = TextArgument(fcinfo, skip + 12);
	options->columns.item = TextArgument(fcinfo, skip + 13);
	NameRatingColumn(&options->columns, TextArgument(fcinfo, skip + 14));
	options->columns.weight = TextArgument(fcinfo, skip + 15);
	request->schema = TextArgument(fcinfo, skip + 16);
}

/*
 * mf_train(source regclass, model text, feedback text, factors int, iterations int, regularization,
 * alpha, interest_weight, taste, tolerance, validation float8, seed bigint, user_column,
 * item_column, rating_column, weight_column, schema text, rating_factors int, item_features regclass,
 * feature_categories text[], feature_strength float8, user_features regclass, time_column text, half_life interval,
 * validation_by, event_column text, event_weights jsonb, serve bool, guard float8, distribute bool, trend_weight,
 * user_exponent, item_exponent float8): trains a model, or its next version where there is one of that name, stores it and
 * lets it serve, unless serve is false.  Returns a row about the version.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_train);
Datum
mf_train(PG_FUNCTION_ARGS)
{
	TrainRequest request;
	ModelVersion version;
	char	   *model;

	ReadTrainArguments(fcinfo, 0, &request);
	request.options.rating_factors = RatingFactorsArgument(fcinfo, 17);
	ReadFeatureArguments(fcinfo, 18, &request.options);
	ReadUserFeatures(fcinfo, 21, &request.options);
	ReadRowArguments(fcinfo, 22, &request.options);
	request.withhold = WithholdArgument(fcinfo, 27);
	request.guard = GuardArgument(fcinfo, 28);
	request.distribute = DistributeArgument(fcinfo, 29);
	ReadPowers(fcinfo, 30, &request.options);
	model = Train(&request, &version);
	return VersionRow(fcinfo, model, &version);
}

/*
 * mf_retrain(model text, serve bool, guard float8, distribute bool): the next version, from the same source and arguments, beginning
 * with the factors that there are.  Whoever may act as the model's owner may call it, and it runs as that role.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_retrain);
Datum
mf_retrain(PG_FUNCTION_ARGS)
{
	TrainRequest request = {0};
	ModelVersion version;
	Model	   *model;
	Acting		acting;
	char	   *name;

	PushBookkeepingSnapshot();
	model = OpenModel(TextArgument(fcinfo, 0));
	PopBookkeepingSnapshot();
	RefuseFamily(model);
	CheckModelOwner(model);
	ActAsModelOwner(model, &acting);
	request.source = ModelSourceRelation(model, UNTIL_LISTS);
	request.model = model->name;
	request.warm = true;
	request.withhold = WithholdArgument(fcinfo, 1);
	request.guard = GuardArgument(fcinfo, 2);
	request.distribute = DistributeArgument(fcinfo, 3);
	TrainOptionsFromJson(&request.options, model->parameters);
	name = Train(&request, &version);
	StopActing(&acting);
	return VersionRow(fcinfo, name, &version);
}

/*
 * mf_import(model text, users, items regclass, feedback text, source regclass, regularization, alpha,
 * regularization_exponent, mean float8, id_column, factors_column, bias_column, ratings_column,
 * user_column, item_column, rating_column, schema text, value_is_confidence bool): factors trained elsewhere,
 * in two relations with an id and a vector a row, become a model's next version.  Returns a row about it.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_import);
Datum
mf_import(PG_FUNCTION_ARGS)
{
	const char *hint = "Name the model and two tables or views of vectors: mf_import('model', 'users', 'items').";
	ImportRequest request = {0};
	TrainOptions *options = &request.options;
	ModelVersion version;
	char	   *model;

	RequireArgument(fcinfo, 0, "model", hint);
	RequireArgument(fcinfo, 1, "users", hint);
	RequireArgument(fcinfo, 2, "items", hint);
	InitTrainOptions(options);
	request.model = TextArgument(fcinfo, 0);
	request.users = PG_GETARG_OID(1);
	request.items = PG_GETARG_OID(2);
	options->columns.feedback = PG_ARGISNULL(3) ? FEEDBACK_IMPLICIT : ParseFeedback(TextArgument(fcinfo, 3));
	request.source = PG_ARGISNULL(4) ? InvalidOid : PG_GETARG_OID(4);
	options->regularization = NumberArgument(fcinfo, 5, "regularization");
	options->alpha = NumberArgument(fcinfo, 6, "alpha");
	request.regularization_exponent = PG_ARGISNULL(7) ? 0 : NumberArgument(fcinfo, 7, "regularization_exponent");
	request.mean = NumberArgument(fcinfo, 8, "mean");
	request.columns.id = TextArgument(fcinfo, 9);
	request.columns.factors = TextArgument(fcinfo, 10);
	request.columns.bias = TextArgument(fcinfo, 11);
	request.columns.ratings = TextArgument(fcinfo, 12);
	options->columns.user = TextArgument(fcinfo, 13);
	options->columns.item = TextArgument(fcinfo, 14);
	NameRatingColumn(&options->columns, TextArgument(fcinfo, 15));
	request.schema = TextArgument(fcinfo, 16);

	/* which the script of 0.1.0 does not have */
	request.value_is_confidence = PG_NARGS() > 17 && !PG_ARGISNULL(17) && PG_GETARG_BOOL(17);
	model = Import(&request, &version);
	return VersionRow(fcinfo, model, &version);
}

/*
 * mf_estimate(source, ... as mf_train): what the training would take, as one row: counts, memory, temporary
 * files and tables in bytes, seconds.  Reads the source, trains a little, and changes nothing.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_estimate);
Datum
mf_estimate(PG_FUNCTION_ARGS)
{
	TrainRequest request;
	Estimate	estimate;
	Datum		values[9];
	bool		nulls[9] = {false};

	ReadTrainArguments(fcinfo, 0, &request);
	request.options.rating_factors = RatingFactorsArgument(fcinfo, 17);
	ReadFeatureArguments(fcinfo, 18, &request.options);
	ReadRowArguments(fcinfo, 21, &request.options);
	ReadPowers(fcinfo, 26, &request.options);
	EstimateTraining(&request, &estimate);
	values[0] = Int64GetDatum(estimate.ratings);
	values[1] = Int64GetDatum(estimate.users);
	values[2] = Int64GetDatum(estimate.items);
	values[3] = Int32GetDatum(estimate.factors);
	values[4] = Int32GetDatum(estimate.iterations);
	values[5] = Int64GetDatum(estimate.memory);
	values[6] = Int64GetDatum(estimate.temporary);
	values[7] = Int64GetDatum(estimate.storage);
	values[8] = Float8GetDatum(estimate.seconds);
	return ResultRow(fcinfo, values, nulls);
}

/* Seconds as an interval of days and what is left, palloc'd. */
static Interval *
DaysInterval(double seconds)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->day = (int32) floor(Min(seconds / SECS_PER_DAY, INT_MAX));
	interval->time = (TimeOffset) ((seconds - (double) interval->day * SECS_PER_DAY) * USECS_PER_SEC);
	return interval;
}

/* The rows of mf_tune; a parameter of which the model has no use is null. */
static void
PutTrials(FunctionCallInfo fcinfo, const TuneResult *result)
{
	for (int i = 0; i < result->count; i++)
	{
		const Trial *trial = &result->trials[i];
		const MfObjective *o = &trial->objective;
		Datum		values[17];
		bool		nulls[17] = {false};

		values[0] = Int32GetDatum(trial->number);
		values[1] = BoolGetDatum(trial->winner);
		values[2] = CStringGetTextDatum(result->metric);
		values[3] = Float8GetDatum(trial->value);
		values[4] = Int32GetDatum(trial->iterations);
		values[5] = Int32GetDatum(o->factors);
		values[6] = Float8GetDatum(o->regularization);
		values[7] = Float8GetDatum(o->alpha);
		values[8] = Float8GetDatum(o->interest_weight);
		values[9] = Float8GetDatum(o->taste);
		values[10] = Float8GetDatum(trial->seconds);
		values[11] = Float8GetDatum(trial->confirmed);	/* a column since 0.2.0 */
		values[12] = Float8GetDatum(o->feature_strength);	/* since 0.2.0, too */
		values[13] = IntervalPGetDatum(DaysInterval(o->half_life));
		nulls[13] = !(o->half_life > 0);
		nulls[14] = trial->events == NULL;
		values[14] = nulls[14] ? (Datum) 0 :
			DirectFunctionCall1(jsonb_in, CStringGetDatum(EventWeightsToJson(trial->events)));
		nulls[15] = !trial->winner || result->importance == NULL;
		values[15] = nulls[15] ? (Datum) 0 : DirectFunctionCall1(jsonb_in, CStringGetDatum(result->importance));
		values[16] = Float8GetDatum(o->trend_weight);
		nulls[16] = !(o->trend_weight > 0);
		nulls[3] = isnan(trial->value);
		nulls[7] = mf_ratings_alone(o);
		nulls[8] = nulls[9] = !mf_is_joint(o);
		nulls[11] = isnan(trial->confirmed);
		nulls[12] = !o->item_map;
		PutRow(fcinfo, values, nulls);
	}
}

/*
 * mf_tune(source regclass, metric text, trials int, seconds float8, train bool, model ... as mf_train,
 * relevant_from float8, rating_factors int, item_features regclass, feature_categories text[], feature_strength float8,
 * time_column text, half_life interval, validation_by, event_column text, event_weights jsonb, relevant_event text,
 * trend_weight, user_exponent, item_exponent float8): searches parameters on rows held out; a row a trial, one of them the
 * winner.  What is given is not searched.  train: afterwards trains on all rows with the winner's parameters.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_tune);
Datum
mf_tune(PG_FUNCTION_ARGS)
{
	TrainRequest request;
	TuneRequest tune = {0};
	bool		train = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	TuneResult	result;

	ReadTrainArguments(fcinfo, 4, &request);
	request.options.rating_factors = RatingFactorsArgument(fcinfo, 22);
	ReadFeatureArguments(fcinfo, 23, &request.options);
	ReadRowArguments(fcinfo, 26, &request.options);
	ReadPowers(fcinfo, 32, &request.options);
	tune.source = request.source;
	tune.options = request.options;
	tune.metric = TextArgument(fcinfo, 1);
	tune.relevant_from = PG_NARGS() > 21 ? NumberArgument(fcinfo, 21, "relevant_from") : NAN;	/* since 0.2.0 */
	tune.relevant_event = PG_NARGS() > 31 ? TextArgument(fcinfo, 31) : NULL;
	tune.trials = PG_ARGISNULL(2) ? 20 : IntegerArgument(fcinfo, 2, "trials", MAX_TRIALS);
	tune.seconds = PG_ARGISNULL(3) ? INFINITY : NumberArgument(fcinfo, 3, "seconds");
	InitMaterializedSRF(fcinfo, 0);
	if (train)
	{
		PreventCommandIfReadOnly("mf_tune()");
		PreventCommandDuringRecovery("mf_tune()");
	}
	Tune(&tune, &result);
	PutTrials(fcinfo, &result);
	if (train)
		TrainWinner(&request, result.trials);
	return (Datum) 0;
}

/* A row of mf_train_each; a TenantFunction. */
static void
PutTenant(void *state, const TenantResult *result)
{
	const ModelVersion *version = result->version;
	Datum		values[10];
	bool		nulls[10] = {false};

	values[0] = CStringGetTextDatum(result->tenant);
	values[1] = CStringGetTextDatum(result->model);
	for (int i = 2; i < 9; i++)
		nulls[i] = version == NULL;
	if (version)
	{
		values[2] = Int32GetDatum(version->version);
		values[3] = Int64GetDatum(version->users);
		values[4] = Int64GetDatum(version->items);
		values[5] = Int64GetDatum(version->ratings);
		values[6] = Int32GetDatum(version->iterations);
		values[7] = Float8GetDatum(version->loss);
		values[8] = Float8GetDatum(version->rmse);
		nulls[8] = isnan(version->rmse);
	}
	nulls[9] = result->failed == NULL;
	values[9] = result->failed ? CStringGetTextDatum(result->failed) : (Datum) 0;
	PutRow(state, values, nulls);
}

/*
 * mf_train_each(source regclass, by text, model, feedback text, factors, iterations bigint, regularization, alpha,
 * interest_weight, taste, tolerance float8, seed bigint, user_column, item_column, rating_column, weight_column, schema
 * text, rating_factors bigint, time_column text, half_life interval, event_column text, event_weights jsonb,
 * trend_weight, user_exponent, item_exponent float8): trains a model for each tenant, which are the values of the column
 * `by`, on its rows.  A row a tenant.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_train_each);
Datum
mf_train_each(PG_FUNCTION_ARGS)
{
	const char *hint = "Name a table or view of ratings, and its column of tenants: mf_train_each('ratings', by => 'shop_id').";
	TrainRequest request = {0};
	TrainOptions *options = &request.options;

	RequireArgument(fcinfo, 0, "source", hint);
	RequireArgument(fcinfo, 1, "by", hint);
	InitTrainOptions(options);
	request.source = PG_GETARG_OID(0);
	options->columns.by = TextArgument(fcinfo, 1);
	request.model = TextArgument(fcinfo, 2);
	options->columns.feedback = ParseFeedback(TextArgument(fcinfo, 3));
	options->factors = IntegerArgument(fcinfo, 4, "factors", MF_MAX_FACTORS);
	options->iterations = IntegerArgument(fcinfo, 5, "iterations", MFREC_MAX_ITERATIONS);
	options->regularization = NumberArgument(fcinfo, 6, "regularization");
	options->alpha = NumberArgument(fcinfo, 7, "alpha");
	options->interest_weight = NumberArgument(fcinfo, 8, "interest_weight");
	options->taste = NumberArgument(fcinfo, 9, "taste");
	options->tolerance = NumberArgument(fcinfo, 10, "tolerance");
	options->seed = PG_ARGISNULL(11) ? 1 : PG_GETARG_INT64(11);
	options->columns.user = TextArgument(fcinfo, 12);
	options->columns.item = TextArgument(fcinfo, 13);
	NameRatingColumn(&options->columns, TextArgument(fcinfo, 14));
	options->columns.weight = TextArgument(fcinfo, 15);
	request.schema = TextArgument(fcinfo, 16);
	options->rating_factors = RatingFactorsArgument(fcinfo, 17);
	options->columns.time = TextArgument(fcinfo, 18);
	if (!PG_ARGISNULL(19))
		options->columns.half_life = SecondsOfInterval(PG_GETARG_INTERVAL_P(19));
	options->columns.event = TextArgument(fcinfo, 20);
	if (!PG_ARGISNULL(21))
		options->columns.events = EventWeightsFromJson(&PG_GETARG_JSONB_P(21)->root);
	ReadPowers(fcinfo, 22, options);
	InitMaterializedSRF(fcinfo, 0);
	TrainEach(&request, PutTenant, fcinfo);
	return (Datum) 0;
}

/*
 * mf_retrain_each(model text): the next versions of all models of a family, from the same source and arguments, beginning
 * with the factors that there are; as the family's owner, likewise.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_retrain_each);
Datum
mf_retrain_each(PG_FUNCTION_ARGS)
{
	TrainRequest request = {0};
	Model	   *model;
	Acting		acting;

	RequireArgument(fcinfo, 0, "model", "Name what mf_train_each has trained: mf_retrain_each('ratings').");
	PushBookkeepingSnapshot();
	model = OpenModel(TextArgument(fcinfo, 0));
	PopBookkeepingSnapshot();
	if (!IsFamily(model))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is one model, not a family of tenants' models", model->name),
				 errhint("Train it with mf_retrain(%s).", quote_literal_cstr(model->name))));
	CheckModelOwner(model);
	InitMaterializedSRF(fcinfo, 0);
	ActAsModelOwner(model, &acting);
	request.source = ModelSourceRelation(model, NULL);
	request.model = model->name;
	request.warm = true;
	TrainOptionsFromJson(&request.options, model->parameters);
	if (!JsonHasKey(model->parameters, "rating_factors"))
		request.options.rating_factors = -1;	/* a family's row has what was asked for */
	TrainEach(&request, PutTenant, fcinfo);
	StopActing(&acting);
	return (Datum) 0;
}

/*
 * mf_tenant(model text, tenant "any" or text): the name of a tenant's model, for the argument model of other functions.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_tenant);
Datum
mf_tenant(PG_FUNCTION_ARGS)
{
	Oid			type = getBaseType(ArgumentType(fcinfo, 1));
	Datum		value = PG_GETARG_DATUM(1);
	char	   *tenant;
	Oid			output;
	bool		is_varlena;

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_INDETERMINATE_DATATYPE),
				 errmsg("could not determine the type of the tenant")));
	getTypeOutputInfo(type, &output, &is_varlena);
	tenant = IsStringType(type) ? StringDatumToCString(value, type) : OidOutputFunctionCall(output, value);
	PG_RETURN_TEXT_P(cstring_to_text(TenantModel(text_to_cstring(PG_GETARG_TEXT_PP(0)), tenant)));
}

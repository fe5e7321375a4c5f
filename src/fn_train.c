/*
 * fn_train.c - SQL functions that train: mf_train, mf_retrain.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "arguments.h"
#include "compat.h"
#include "model.h"
#include "progress.h"
#include "trainer.h"

static int
IntegerArgument(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		return -1;
	if (PG_GETARG_INT32(n) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be positive", name)));
	return PG_GETARG_INT32(n);
}

/* A number, NaN where it is null; NaN itself is no number. */
static double
NumberArgument(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		return NAN;
	if (!isfinite(PG_GETARG_FLOAT8(n)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a finite number", name)));
	return PG_GETARG_FLOAT8(n);
}

/* Trains, and makes the result row that all training functions share. */
static Datum
TrainRow(FunctionCallInfo fcinfo, const TrainRequest *request)
{
	TupleDesc	desc;
	ModelVersion version;
	Datum		values[9];
	bool		nulls[9] = {false};
	char	   *model;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	model = Train(request, &version);
	values[0] = CStringGetTextDatum(model);
	values[1] = Int32GetDatum(version.version);
	values[2] = Int64GetDatum(version.users);
	values[3] = Int64GetDatum(version.items);
	values[4] = Int64GetDatum(version.ratings);
	values[5] = Int32GetDatum(version.iterations);
	values[6] = Float8GetDatum(version.loss);
	values[7] = Float8GetDatum(version.rmse);
	nulls[7] = isnan(version.rmse);
	values[8] = Float8GetDatum(version.seconds);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * mf_train(source regclass, model text, feedback text, factors int, iterations int, regularization,
 * alpha, interest_weight, taste, tolerance, validation float8, seed bigint, user_column,
 * item_column, rating_column, weight_column, schema text): trains a model or its next version.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_train);
Datum
mf_train(PG_FUNCTION_ARGS)
{
	TrainRequest request = {0};
	TrainOptions *options = &request.options;
	char	   *feedback = TextArgument(fcinfo, 2);

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("source must not be null"),
				 errhint("Name a table or view of ratings: mf_train('ratings').")));
	InitTrainOptions(options);
	request.source = PG_GETARG_OID(0);
	request.model = TextArgument(fcinfo, 1);
	options->feedback = ParseFeedback(feedback);
	options->factors = IntegerArgument(fcinfo, 3, "factors");
	options->iterations = IntegerArgument(fcinfo, 4, "iterations");
	options->regularization = NumberArgument(fcinfo, 5, "regularization");
	options->alpha = NumberArgument(fcinfo, 6, "alpha");
	options->interest_weight = NumberArgument(fcinfo, 7, "interest_weight");
	options->taste = NumberArgument(fcinfo, 8, "taste");
	options->tolerance = NumberArgument(fcinfo, 9, "tolerance");
	options->validation = NumberArgument(fcinfo, 10, "validation");
	options->seed = PG_ARGISNULL(11) ? 1 : PG_GETARG_INT64(11);
	options->user_column = TextArgument(fcinfo, 12);
	options->item_column = TextArgument(fcinfo, 13);
	options->rating_column = TextArgument(fcinfo, 14);
	options->rating_named = options->rating_column && strcmp(options->rating_column, "rating") != 0;
	options->weight_column = TextArgument(fcinfo, 15);
	request.schema = TextArgument(fcinfo, 16);
	return TrainRow(fcinfo, &request);
}

/* mf_retrain(model text): the next version, from the same source and arguments, warm. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_retrain);
Datum
mf_retrain(PG_FUNCTION_ARGS)
{
	TrainRequest request = {0};
	Model	   *model = OpenModel(TextArgument(fcinfo, 0));

	request.source = ModelSourceRelation(model);
	request.model = model->name;
	request.warm = true;
	TrainOptionsFromJson(&request.options, model->parameters);
	return TrainRow(fcinfo, &request);
}

/* Seconds between two timestamps. */
static double
SecondsBetween(TimestampTz from, TimestampTz to)
{
	return (to - from) / 1e6;
}

/* mf_trainings(): the rows of the view mf_progress. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_trainings);
Datum
mf_trainings(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Progress   *trainings;
	int			count;
	TimestampTz now = GetCurrentTimestamp();

	InitMaterializedSRF(fcinfo, 0);
	count = ReadProgress(&trainings);
	for (int i = 0; i < count; i++)
	{
		const Progress *p = &trainings[i];
		Datum		values[10];
		bool		nulls[10] = {false};

		values[0] = Int32GetDatum(p->pid);
		values[1] = CStringGetTextDatum(p->model);
		values[2] = CStringGetTextDatum(PhaseName(p->phase));
		values[3] = Int64GetDatum(p->rows);
		values[4] = Int32GetDatum(p->iteration);
		values[5] = Int32GetDatum(p->iterations);
		values[6] = Float8GetDatum(p->loss);
		values[7] = Float8GetDatum(SecondsBetween(p->started, now));
		values[8] = Float8GetDatum(p->iteration == 0 ? 0 : (p->iterations - p->iteration) *
								   SecondsBetween(p->sweep_started, p->iterated) / p->iteration);
		values[9] = Int64GetDatum(p->memory);
		nulls[5] = p->iterations == 0;
		nulls[6] = isnan(p->loss);
		nulls[8] = p->iteration == 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * fn_evaluate.c - SQL function that measures models: mf_evaluate.
 */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "eval/evaluate.h"
#include "sql/args.h"

/* Adds a figure to the result; a FigureFunction. */
static void
PutFigure(void *state, const char *user, const char *metric, double value, double baseline)
{
	ReturnSetInfo *rsinfo = state;
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = CStringGetTextDatum(metric);
	values[1] = Float8GetDatum(value);
	nulls[1] = isnan(value);
	values[2] = Float8GetDatum(baseline);
	nulls[2] = isnan(baseline);
	values[3] = user ? CStringGetTextDatum(user) : (Datum) 0;
	nulls[3] = user == NULL;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* The argument relevant_from: NaN where it is null. */
static double
RelevantFromArgument(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		return NAN;
	if (!isfinite(PG_GETARG_FLOAT8(n)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("relevant_from must be a finite number")));
	return PG_GETARG_FLOAT8(n);
}

/*
 * mf_evaluate(test regclass, k bigint, model text, version bigint, relevant_from float8, per_user bool,
 * train regclass, user_column, item_column, rating_column text): how good a model is on rows that it
 * was not trained on; one row a figure, or one row a user and figure.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_evaluate);
Datum
mf_evaluate(PG_FUNCTION_ARGS)
{
	EvaluationRequest request = {0};

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("test must not be null"),
				 errhint("Name a table or view of rows that the model was not trained on: mf_evaluate('test_ratings').")));
	request.test = PG_GETARG_OID(0);
	request.k = ListLengthArgument(fcinfo, 1, DEFAULT_K);
	request.model = TextArgument(fcinfo, 2);
	request.version = PG_ARGISNULL(3) ? 0 : Int32Argument(fcinfo, 3, "version");
	request.relevant_from = RelevantFromArgument(fcinfo, 4);
	request.per_user = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	request.train = PG_ARGISNULL(6) ? InvalidOid : PG_GETARG_OID(6);
	request.user_column = TextArgument(fcinfo, 7);
	request.item_column = TextArgument(fcinfo, 8);
	request.rating_column = TextArgument(fcinfo, 9);
	Evaluate(&request, PutFigure, fcinfo->resultinfo);
	return (Datum) 0;
}

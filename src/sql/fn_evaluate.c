/*
 * fn_evaluate.c - SQL function that measures models: mf_evaluate.
 */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "utils/builtins.h"

#include "compat.h"
#include "eval/evaluate.h"
#include "sql/args.h"
#include "sql/list_args.h"
#include "sql/srf.h"

/* Adds a metric or count to the result; a ReportFunction, whose state is the call. */
static void
PutMetric(void *state, const char *user, const char *name, double value, double baseline)
{
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = CStringGetTextDatum(name);
	values[1] = Float8GetDatum(value);
	nulls[1] = isnan(value);
	values[2] = Float8GetDatum(baseline);
	nulls[2] = isnan(baseline);
	values[3] = user ? CStringGetTextDatum(user) : (Datum) 0;
	nulls[3] = user == NULL;
	PutRow(state, values, nulls);
}

/*
 * mf_evaluate(test regclass, k bigint, model text, version bigint, relevant_from float8, per_user bool,
 * train regclass, user_column, item_column, rating_column, relevant_event text, diversity float8): how good a model is
 * on rows that it was not trained on, as metric (or count), value, and baseline: what popular items or biases reach.
 * user_id is null, or with per_user who the row is about.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_evaluate);
Datum
mf_evaluate(PG_FUNCTION_ARGS)
{
	EvaluationRequest request = {0};

	InitMaterializedSRF(fcinfo, 0);
	RequireArgument(fcinfo, 0, "test",
					"Name a table or view of rows that the model was not trained on: %s('test_ratings').");
	request.test = PG_GETARG_OID(0);
	request.k = ListLengthArgument(fcinfo, 1, DEFAULT_K);
	request.model = TextArgument(fcinfo, 2);
	request.version = PG_ARGISNULL(3) ? 0 : Int32Argument(fcinfo, 3, "version");
	request.relevant_from = NumberArgument(fcinfo, 4, "relevant_from");
	request.per_user = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	request.train = PG_ARGISNULL(6) ? InvalidOid : PG_GETARG_OID(6);
	request.user_column = TextArgument(fcinfo, 7);
	request.item_column = TextArgument(fcinfo, 8);
	request.rating_column = TextArgument(fcinfo, 9);
	request.relevant_event = PG_NARGS() > 10 ? TextArgument(fcinfo, 10) : NULL; /* since 0.2.0 */
	request.diversity = DiversityArgument(fcinfo, 11);
	Evaluate(&request, PutMetric, fcinfo);
	return (Datum) 0;
}

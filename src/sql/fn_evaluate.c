/*
 * fn_evaluate.c - SQL functions that measure models: mf_holdout, mf_evaluate.
 */
#include "postgres.h"

#include <math.h>

#include "access/transam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "compat.h"
#include "core/metrics/holdout.h"
#include "eval/evaluate.h"
#include "sql/args.h"

/* How an argument of mf_holdout is hashed; kept between calls. */
typedef struct HoldoutId
{
	Oid			base;			/* its type, without domains */
	bool		lower;			/* equal whatever their case: hashed in lower case */
	FmgrInfo	output;			/* for types that are hashed as their text */
} HoldoutId;

/* The expression of an argument, NULL where the call is none. */
static Node *
ArgumentExpression(FunctionCallInfo fcinfo, int n)
{
	Node	   *call = fcinfo->flinfo->fn_expr;

	if (call == NULL || !IsA(call, FuncExpr) || list_length(((FuncExpr *) call)->args) <= n)
		return NULL;
	return list_nth(((FuncExpr *) call)->args, n);
}

/*
 * The type of what is passed, beneath casts that change nothing: citext comes as text.  By whom it was cast is
 * not asked, for the planner takes expressions for equal that differ in that alone.
 */
static Oid
PassedType(Node *argument)
{
	while (IsA(argument, RelabelType))
		argument = (Node *) ((RelabelType *) argument)->arg;
	return getBaseType(exprType(argument));
}

/* Whether a type takes upper case for lower case, as citext does. */
static bool
IgnoresCase(Oid base)
{
	Oid			equal;
	Oid			input;
	Oid			ioparam;

	if (base < FirstNormalObjectId || !IsStringType(base))
		return false;
	equal = lookup_type_cache(base, TYPECACHE_EQ_OPR)->eq_opr;
	if (!OidIsValid(equal))
		return false;
	getTypeInputInfo(base, &input, &ioparam);
	return DatumGetBool(OidFunctionCall2Coll(get_opcode(equal), DEFAULT_COLLATION_OID,
											 OidInputFunctionCall(input, pstrdup("A"), ioparam, -1),
											 OidInputFunctionCall(input, pstrdup("a"), ioparam, -1)));
}

/* An error for a collation to which ids that read differently are the same. */
static void
CheckCollation(Node *argument)
{
	Oid			collation = argument ? exprCollation(argument) : InvalidOid;

	if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot split by ids of the nondeterministic collation \"%s\"", get_collation_name(collation)),
				 errdetail("It takes ids that read differently for the same, and these would not always fall on the same side."),
				 errhint("Make one of them, for example with lower(id) COLLATE \"C\".")));
}

/* Finds out how to hash an argument; a type whose text depends on settings is an error. */
static void
InitHoldoutId(FunctionCallInfo fcinfo, int n, HoldoutId *id)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, n);
	Node	   *argument = ArgumentExpression(fcinfo, n);
	Oid			output;
	bool		varlena;

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_INDETERMINATE_DATATYPE),
				 errmsg("could not determine the type of an id"),
				 errhint("Cast it to its type.")));
	CheckCollation(argument);
	id->base = getBaseType(type);
	id->lower = argument && IgnoresCase(PassedType(argument));
	if (id->base == UNKNOWNOID)
		return;
	getTypeOutputInfo(id->base, &output, &varlena);
	if (func_volatile(output) != PROVOLATILE_IMMUTABLE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("cannot split by ids of type %s", format_type_be(type)),
				 errdetail("How its values read depends on settings, so a row would not always fall on the same side."),
				 errhint("Cast it to a type that always reads the same, such as bigint or text.")));
	fmgr_info_cxt(output, &id->output, fcinfo->flinfo->fn_mcxt);
}

/* A string in lower case, as citext compares it. */
static uint64
HashLower(const HoldoutId *id, Datum value)
{
	char	   *text = OutputFunctionCall((FmgrInfo *) &id->output, value);
	char	   *lower = str_tolower(text, strlen(text), DEFAULT_COLLATION_OID);

	return mf_holdout_text(lower, strlen(lower));
}

/* A varlena's bytes; the blanks behind a character(n) are none of them. */
static uint64
HashBytes(Datum value, bool padded)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);
	Size		length = VARSIZE_ANY_EXHDR(bytes);

	while (padded && length > 0 && VARDATA_ANY(bytes)[length - 1] == ' ')
		length--;
	return mf_holdout_text(VARDATA_ANY(bytes), length);
}

/* A uuid as it reads: lower case, with hyphens. */
static uint64
HashUuid(const pg_uuid_t *uuid)
{
	static const char digits[] = "0123456789abcdef";
	char		text[2 * UUID_LEN + 4];
	int			n = 0;

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[n++] = '-';
		text[n++] = digits[uuid->data[i] >> 4];
		text[n++] = digits[uuid->data[i] & 15];
	}
	return mf_holdout_text(text, n);
}

/* Equal values hash alike, whatever their type: see core/holdout.c. */
static uint64
HashHoldoutId(HoldoutId *id, Datum value)
{
	char	   *text;

	if (id->lower)
		return HashLower(id, value);
	switch (id->base)
	{
		case INT2OID:
			return mf_holdout_integer(DatumGetInt16(value));
		case INT4OID:
			return mf_holdout_integer(DatumGetInt32(value));
		case INT8OID:
			return mf_holdout_integer(DatumGetInt64(value));
		case FLOAT4OID:
			return mf_holdout_number(DatumGetFloat4(value));
		case FLOAT8OID:
			return mf_holdout_number(DatumGetFloat8(value));
		case UUIDOID:
			return HashUuid(DatumGetUUIDP(value));
		case TEXTOID:
		case VARCHAROID:
		case BYTEAOID:
			return HashBytes(value, false);
		case BPCHAROID:
			return HashBytes(value, true);
		case UNKNOWNOID:
			return mf_holdout_text(DatumGetCString(value), strlen(DatumGetCString(value)));
		case NUMERICOID:		/* 1.0 equals 1.00 */
			value = DirectFunctionCall1(numeric_trim_scale, value);
			break;
		default:
			break;
	}
	text = OutputFunctionCall(&id->output, value);
	return mf_holdout_text(text, strlen(text));
}

/*
 * mf_holdout(user_id "any" or text, item_id "any" or text, fraction float8, seed bigint): whether a
 * row belongs to the test side of a split.  Null where an id is: such a row is on neither side.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_holdout);
Datum
mf_holdout(PG_FUNCTION_ARGS)
{
	HoldoutId  *ids = fcinfo->flinfo->fn_extra;
	double		fraction;
	uint64		user;

	if (PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(2) ? "fraction" : "seed")));
	fraction = PG_GETARG_FLOAT8(2);
	if (!(fraction >= 0 && fraction <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("fraction must be between 0 and 1, not %g", fraction),
				 errhint("0.2 holds out a fifth of the rows.")));
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (ids == NULL)
	{
		ids = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, 2 * sizeof(HoldoutId));
		InitHoldoutId(fcinfo, 0, &ids[0]);
		InitHoldoutId(fcinfo, 1, &ids[1]);
		fcinfo->flinfo->fn_extra = ids;
	}
	user = HashHoldoutId(&ids[0], PG_GETARG_DATUM(0));
	PG_RETURN_BOOL(mf_holdout_place((uint64) PG_GETARG_INT64(3), user,
									HashHoldoutId(&ids[1], PG_GETARG_DATUM(1))) < fraction);
}

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

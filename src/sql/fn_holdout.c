/*
 * fn_holdout.c - SQL functions that split by a hash: rows for a test, mf_holdout; users of an experiment, mf_variant.
 *
 * Equal ids must fall on the same side, so what a call says of its arguments counts, not only their values: citext
 * comes as text, and a collation may take ids that read differently for the same.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_collation.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "compat.h"
#include "eval/holdout_split.h"
#include "eval/variants.h"
#include "ids/id_type.h"
#include "sql/args.h"

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

/* Finds out how to hash an argument of a call. */
static void
InitIdArgument(FunctionCallInfo fcinfo, int n, HoldoutId *id)
{
	Oid			type = ArgumentType(fcinfo, n);
	Node	   *argument = ArgumentExpression(fcinfo, n);

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_INDETERMINATE_DATATYPE),
				 errmsg("could not determine the type of an id"),
				 errhint("Cast it to its type.")));
	CheckCollation(argument);
	InitHoldoutId(id, type, argument && IgnoresCase(PassedType(argument)), fcinfo->flinfo->fn_mcxt);
}

/* The argument fraction: 0 to 1. */
static double
FractionArgument(FunctionCallInfo fcinfo, int n)
{
	double		fraction = PG_GETARG_FLOAT8(n);

	if (!(fraction >= 0 && fraction <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("fraction must be between 0 and 1, not %g", fraction),
				 errhint("0.2 holds out a fifth of the rows.")));
	return fraction;
}

/*
 * mf_holdout(user_id "any" or text, item_id "any" or text, fraction float8, seed bigint): whether a
 * row belongs to the test side of a split, which has that fraction of all pairs of ids.  Null where an id is:
 * such a row is on neither side.  How ids are hashed is found out once a query.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_holdout);
Datum
mf_holdout(PG_FUNCTION_ARGS)
{
	HoldoutId  *ids = fcinfo->flinfo->fn_extra;
	double		fraction;

	RequireArgument(fcinfo, 2, "fraction", NULL);
	RequireArgument(fcinfo, 3, "seed", NULL);
	fraction = FractionArgument(fcinfo, 2);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (ids == NULL)
	{
		ids = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, 2 * sizeof(HoldoutId));
		InitIdArgument(fcinfo, 0, &ids[0]);
		InitIdArgument(fcinfo, 1, &ids[1]);
		fcinfo->flinfo->fn_extra = ids;
	}
	PG_RETURN_BOOL(HoldoutPlace(PG_GETARG_INT64(3), &ids[0], PG_GETARG_DATUM(0), &ids[1], PG_GETARG_DATUM(1)) < fraction);
}

/* What mf_variant keeps from one row of a query to the next. */
typedef struct VariantCall
{
	HoldoutId	id;
	Jsonb	   *json;			/* that `variants` was read from */
	Variants	variants;
	MemoryContext context;		/* of json and variants */
} VariantCall;

/* The state of a call of mf_variant, made for the first row of a query. */
static VariantCall *
OpenVariantCall(FunctionCallInfo fcinfo)
{
	VariantCall *call = fcinfo->flinfo->fn_extra;

	if (call == NULL)
	{
		call = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(VariantCall));
		InitIdArgument(fcinfo, 0, &call->id);
		call->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "mfrec variants", ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = call;
	}
	return call;
}

/* Reads the variants, unless they are those of the row before. */
static void
RenewVariants(VariantCall *call, Jsonb *json)
{
	MemoryContext before;

	if (call->json && VARSIZE(call->json) == VARSIZE(json) && memcmp(call->json, json, VARSIZE(json)) == 0)
		return;
	call->json = NULL;
	MemoryContextReset(call->context);
	before = MemoryContextSwitchTo(call->context);
	ReadVariants(json, &call->variants);
	call->json = memcpy(palloc(VARSIZE(json)), json, VARSIZE(json));
	MemoryContextSwitchTo(before);
}

/*
 * mf_variant(user_id "any" or text, variants jsonb, experiment text): the name of the variant that a user gets, a share
 * of users by its weight.  Null for a null user.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_variant);
Datum
mf_variant(PG_FUNCTION_ARGS)
{
	VariantCall *call;

	RequireArgument(fcinfo, 1, "variants", "Write mf_variant(user, '{\"ratings\": 90, \"challenger\": 10}').");
	RequireArgument(fcinfo, 2, "experiment", "Leave it out, or give the experiment a name.");
	call = OpenVariantCall(fcinfo);
	RenewVariants(call, PG_GETARG_JSONB_P(1));
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(ChooseVariant(&call->variants, PG_GETARG_TEXT_PP(2), HashHoldoutId(&call->id, PG_GETARG_DATUM(0))));
}

/*
 * args.c - how SQL-callable functions read their arguments.
 *
 * User and item ids come as "any", so that a number, a uuid or a quoted literal works as it is; their
 * types are known from the call, and an unquoted type that does not fit the model is an error whose
 * hint shows the call that works.
 */
#include "postgres.h"

#include <math.h>

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "sql/args.h"

/* The longest list: more than this is no list to show to a user. */
#define MAX_LIST 10000

/*
 * An error where an argument is null that must not be.  The hint (NULL: none) may name the function with %s, as
 * several share it.
 */
void
RequireArgument(FunctionCallInfo fcinfo, int n, const char *name, const char *hint)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name),
				 hint ? errhint(hint, get_func_name(fcinfo->flinfo->fn_oid)) : 0));
}

/* A text argument in the current memory context, NULL where it is null. */
char *
TextArgument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/*
 * An error where an argument of which only the type counts, text, is more than null or empty: a model's name comes there
 * where candidates behind it are a literal.  call: how such a call begins, for the hint.
 */
void
RequireNoName(FunctionCallInfo fcinfo, int n, const char *name, const char *call)
{
	char	   *value = TextArgument(fcinfo, n);

	if (value && value[0] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be null, not \"%s\"", name, value),
				 errhint("If these are a model and its candidates, name the candidates: %s, %s, candidates => ...).", call,
						 quote_literal_cstr(value))));
}

/*
 * An integer argument that is not null.  It is bigint, so that count(*) and drivers that know nothing
 * shorter can pass it; in the SQL of 0.1.0, and in views that were made with it, it is integer.
 */
int64
Int64Argument(FunctionCallInfo fcinfo, int n)
{
	return ArgumentType(fcinfo, n) == INT4OID ? PG_GETARG_INT32(n) : PG_GETARG_INT64(n);
}

/* The same, which must be in the range of an integer. */
int32
Int32Argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	int64		value = Int64Argument(fcinfo, n);

	if (value != (int32) value)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s is out of range: %lld", name, (long long) value)));
	return (int32) value;
}

/* A positive integer of at most max, -1 where it is null. */
int
IntegerArgument(FunctionCallInfo fcinfo, int n, const char *name, int max)
{
	int64		value;

	if (PG_ARGISNULL(n))
		return -1;
	value = Int64Argument(fcinfo, n);
	if (value < 1 || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 1 and %d", name, max)));
	return (int) value;
}

/* A number, NaN where it is null; NaN itself is no number. */
double
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

/*
 * The argument new_items, which views that were made before there was one do not pass: true where it is missing or
 * null.
 */
bool
NewItemsArgument(FunctionCallInfo fcinfo, int n)
{
	return PG_NARGS() <= n || PG_ARGISNULL(n) || PG_GETARG_BOOL(n);
}

/* The argument k: 1 to MAX_LIST, `missing` where it is null. */
int
ListLengthArgument(FunctionCallInfo fcinfo, int n, int missing)
{
	int64		k = PG_ARGISNULL(n) ? missing : Int64Argument(fcinfo, n);

	if (k < 1 || k > MAX_LIST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k must be between 1 and %d, not %lld", MAX_LIST, (long long) k)));
	return (int) k;
}

/* The argument version, 0 where it is null: the one that serves. */
int32
VersionArgument(FunctionCallInfo fcinfo, int n)
{
	int32		version;

	if (PG_ARGISNULL(n))
		return 0;
	version = Int32Argument(fcinfo, n, "version");
	if (version < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version must be at least 1, not %d", version),
				 errhint("The view mf_models lists the versions that are kept.")));
	return version;
}

/*
 * A user or item id in an argument that takes any type, which must not be null; `what` says which of them it
 * is.  A type that does not fit the model is an error; a value that the model's type has no room for is an id
 * that there is not.
 */
int64
IdArgument(FunctionCallInfo fcinfo, int n, const IdType *idtype, const char *what, const char *model)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, n);
	int64		id;

	if (!IdFromDatum(idtype, PG_GETARG_DATUM(n), type, &id))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s ids of model \"%s\" are of type %s, not %s", what, model,
						format_type_be(idtype->type), format_type_be(type)),
				 errhint("Pass a value of type %s, or a quoted literal.", format_type_be(idtype->type))));
	return id;
}

/* The type of an argument, InvalidOid where the call does not say. */
Oid
ArgumentType(FunctionCallInfo fcinfo, int n)
{
	return get_fn_expr_argtype(fcinfo->flinfo, n);
}

/* The type of an array argument's elements. */
Oid
ArgumentElementType(FunctionCallInfo fcinfo, int n)
{
	Oid			type = ArgumentType(fcinfo, n);

	return OidIsValid(type) ? get_base_element_type(type) : InvalidOid;
}

/*
 * A literal of an array, which a string argument or a quoted literal brings.  Braces may be missing where no
 * element has a comma in it: so drivers write an array for which the server has not asked.
 */
static Datum
ParseArray(Datum value, Oid type, Oid element)
{
	char	   *literal = type == UNKNOWNOID ? DatumGetCString(value) : StringDatumToCString(value, type);
	Oid			array = get_array_type(element);
	Oid			input;
	Oid			ioparam;

	if (literal[strspn(literal, " \t\n")] != '{' && literal[strspn(literal, " \t\n")] != '[' && !IsStringType(element))
		literal = psprintf("{%s}", literal);
	getTypeInputInfo(array, &input, &ioparam);
	return OidInputFunctionCall(input, literal, ioparam, -1);
}

/*
 * An array of ids in an argument that takes any type: an array, or a literal of one, which is read as one of
 * the model's type.  `what` says ids of what: item, user.  The argument must not be null.
 */
ArrayType *
IdArrayArgument(FunctionCallInfo fcinfo, int n, const IdType *idtype, const char *what, const char *name)
{
	Oid			type = getBaseType(ArgumentType(fcinfo, n));
	Datum		value = PG_GETARG_DATUM(n);

	if (type == UNKNOWNOID || IsStringType(type))
		value = ParseArray(value, type, idtype->is_int ? INT8OID : idtype->base);
	else if (!OidIsValid(get_element_type(type)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s must be an array of %s ids, not %s", name, what, format_type_be(type)),
				 errhint("Write %s => ARRAY(SELECT id FROM ...) or %s => ARRAY[1, 2, 3].", name, name)));
	return DatumGetArrayTypeP(value);
}

/* An array in an argument that takes any type, a literal as an array of text; not null. */
ArrayType *
ArrayArgument(FunctionCallInfo fcinfo, int n, const char *name)
{
	Oid			type = getBaseType(ArgumentType(fcinfo, n));

	if (type == UNKNOWNOID || IsStringType(type))
		return DatumGetArrayTypeP(ParseArray(PG_GETARG_DATUM(n), type, TEXTOID));
	if (!OidIsValid(get_element_type(type)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s must be an array, not %s", name, format_type_be(type)),
				 errhint("Write %s => ARRAY(SELECT ... FROM ...).", name)));
	return PG_GETARG_ARRAYTYPE_P(n);
}

/* An error with a hint unless ids can be returned in a column (from 0) of the result of BeginRows. */
void
CheckIdColumn(FunctionCallInfo fcinfo, int column, const IdType *idtype, const char *what, const char *hint)
{
	CheckIdResult(fcinfo, ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc, column, idtype, what, hint);
}

/*
 * The same for a result of this row type.  Where the call expects another type than that, an argument that
 * names the type stands in the wrong place.
 */
void
CheckIdResult(FunctionCallInfo fcinfo, TupleDesc desc, int column, const IdType *idtype, const char *what,
			  const char *hint)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			type = TupleDescAttr(desc, column)->atttypid;

	if (!IdTypeFits(idtype, type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s ids of this model are of type %s and cannot be returned as %s", what,
						format_type_be(idtype->type), format_type_be(type)),
				 errhint(hint, format_type_be(idtype->type))));
	if (rsinfo->expectedDesc && column < rsinfo->expectedDesc->natts &&
		TupleDescAttr(rsinfo->expectedDesc, column)->atttypid != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the argument that names a result's id type must come right after k"),
				 errhint(hint, format_type_be(idtype->type))));
}

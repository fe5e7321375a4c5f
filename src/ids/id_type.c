/*
 * id_type.c - the types of ids: how their values are hashed, compared and converted.
 *
 * An id travels as one int64 through the whole extension: the integer itself for int2, int4 and
 * int8, a Datum for any other type.  So code that loops over ids has one path, and only hashing,
 * comparing and copying ask what kind it is.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "core/base/rng.h"
#include "ids/id_type.h"

/* Whether ids of a base type are kept as int64 rather than as Datums. */
static bool
IsIntegerType(Oid base)
{
	return base == INT2OID || base == INT4OID || base == INT8OID;
}

/*
 * Fills in what is needed to handle ids of a type, in the current memory context; an error for a type without a
 * hash function or an equality.  typmod and collation are the column's.
 */
void
InitIdType(IdType *idtype, Oid type, int32 typmod, Oid collation)
{
	TypeCacheEntry *entry;

	memset(idtype, 0, sizeof(IdType));
	idtype->type = type;
	idtype->base = getBaseType(type);
	idtype->typmod = typmod;
	idtype->collation = collation;
	get_typlenbyvalalign(idtype->base, &idtype->typlen, &idtype->typbyval, &idtype->typalign);
	idtype->is_int = IsIntegerType(idtype->base);
	if (idtype->is_int)
		return;
	entry = lookup_type_cache(idtype->base, TYPECACHE_HASH_PROC | TYPECACHE_EQ_OPR | TYPECACHE_CMP_PROC);
	if (!OidIsValid(entry->hash_proc) || !OidIsValid(entry->eq_opr))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("values of type %s cannot be user or item ids", format_type_be(type)),
				 errdetail("The type has no hash operator class."),
				 errhint("Cast the column in a view, for example to text.")));
	fmgr_info_cxt(entry->hash_proc, &idtype->hash, CurrentMemoryContext);
	fmgr_info_cxt(get_opcode(entry->eq_opr), &idtype->equal, CurrentMemoryContext);
	if (OidIsValid(entry->cmp_proc))
		fmgr_info_cxt(entry->cmp_proc, &idtype->compare, CurrentMemoryContext);
}

/* The error of a column that is of another type than it was when it was looked at. */
void
ColumnHasChanged(TupleDesc desc, int column, Oid type)
{
	Form_pg_attribute att = TupleDescAttr(desc, column);

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" is of type %s, not %s", NameStr(att->attname), format_type_be(att->atttypid),
					format_type_be(type)),
			 errdetail("It was altered while this statement ran."),
			 errhint("Run the statement again.")));
}

/*
 * What a query delivers in column `column`, from 0, must be of the type by which its ids are to be read: a
 * column may have been altered since it was looked at, and an integer is no pointer.
 */
void
CheckDeliveredId(TupleDesc desc, int column, const IdType *idtype)
{
	Oid			type = TupleDescAttr(desc, column)->atttypid;

	if (type != idtype->type && getBaseType(type) != idtype->base)
		ColumnHasChanged(desc, column, idtype->type);
}

/* The integer in a datum of type int2, int4 or int8; false for any other type. */
static bool
IntegerFromDatum(Datum value, Oid type, int64 *result)
{
	switch (type)
	{
		case INT2OID:
			*result = DatumGetInt16(value);
			return true;
		case INT4OID:
			*result = DatumGetInt32(value);
			return true;
		case INT8OID:
			*result = DatumGetInt64(value);
			return true;
		default:
			return false;
	}
}

/*
 * The integer that a string stands for, written as integers are, without blanks or leading zeros; false for any
 * other string.
 */
bool
IntegerFromString(const char *s, int64 *integer)
{
	char	   *end;

	errno = 0;
	*integer = strtoll(s, &end, 10);
	return errno == 0 && end != s && *end == '\0' && strcmp(psprintf(INT64_FORMAT, *integer), s) == 0;
}

/* The integer that a numeric is, as 2 is and 2.00; false for any other number. */
bool
IntegerFromNumeric(Datum value, int64 *integer)
{
	value = DirectFunctionCall1(numeric_trim_scale, value);
	return IntegerFromString(DatumGetCString(DirectFunctionCall1(numeric_out, value)), integer);
}

/*
 * The id that a literal means, in the type's own syntax; bad syntax is that type's own error.  What has no
 * room in the column is an id all the same, which is found nowhere: the source's column may have grown.
 */
static int64
ParseId(const IdType *idtype, char *text)
{
	Oid			input;
	Oid			ioparam;
	int64		id;

	if (idtype->is_int && IntegerFromString(text, &id))
		return id;
	getTypeInputInfo(idtype->base, &input, &ioparam);
	return IdFromColumn(idtype, OidInputFunctionCall(input, text, ioparam, -1));
}

/* Whether a base type is a string: text, and what drivers and columns have in its stead. */
bool
IsStringType(Oid base)
{
	char		category;
	bool		preferred;

	if (base == TEXTOID || base == VARCHAROID)
		return true;
	get_type_category_preferred(base, &category, &preferred);
	return category == TYPCATEGORY_STRING;
}

/* The value of a string type as a C string, palloc'd, without the blanks behind a character(n). */
char *
StringDatumToCString(Datum value, Oid base)
{
	Oid			output;
	bool		varlena;

	if (base == BPCHAROID)
		value = DirectFunctionCall1(rtrim1, value);
	else if (base != TEXTOID && base != VARCHAROID)
	{
		getTypeOutputInfo(base, &output, &varlena);
		return OidOutputFunctionCall(output, value);
	}
	return TextDatumGetCString(value);
}

/*
 * Converts an argument to an id: numbers that are integers to ids that are, a quoted literal or a string
 * to any type, otherwise what is binary coercible.  False when the type does not fit.  The id may
 * point into value.
 */
bool
IdFromDatum(const IdType *idtype, Datum value, Oid value_type, int64 *id)
{
	Oid			base;
	bool		integer;

	if (idtype->is_int && IntegerFromDatum(value, value_type, id))
		return true;
	base = getBaseType(value_type);
	integer = IntegerFromDatum(value, base, id);
	if (integer && idtype->base == NUMERICOID)
		*id = (int64) NumericGetDatum(int64_to_numeric(*id));
	if (integer && (idtype->is_int || idtype->base == NUMERICOID))
		return true;
	if (idtype->is_int && base == NUMERICOID)
		return IntegerFromNumeric(value, id);
	if (base == UNKNOWNOID)
		*id = ParseId(idtype, DatumGetCString(value));
	else if (base == idtype->base || (!idtype->is_int && IsBinaryCoercible(base, idtype->base)))
		*id = IdFromColumn(idtype, value);
	else if (IsStringType(base))
		*id = ParseId(idtype, StringDatumToCString(value, base));
	else
		return false;
	return true;
}

/*
 * The id in a datum that a query delivers, of a type that CheckDeliveredId() has passed.  A toasted value is
 * detoasted: the id lives as long as the datum, or the current memory context.
 */
int64
IdFromColumn(const IdType *idtype, Datum value)
{
	switch (idtype->base)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return DatumGetInt64(value);
		default:
			return (int64) (idtype->typlen == -1 ? PointerGetDatum(PG_DETOAST_DATUM(value)) : value);
	}
}

/*
 * The id as a datum of its own column's type, in which queries must have it: some indexes (GiST) find no other.
 * An id that does not fit, see IdFits(), would stand for another one.
 */
Datum
IdToDatum(const IdType *idtype, int64 id)
{
	switch (idtype->base)
	{
		case INT2OID:
			return Int16GetDatum((int16) id);
		case INT4OID:
			return Int32GetDatum((int32) id);
		case INT8OID:
			return Int64GetDatum(id);
		default:
			return (Datum) id;
	}
}

/*
 * Whether the id can be in a column of its type: larger integers cannot, which a source's column may have if it
 * has grown.
 */
bool
IdFits(const IdType *idtype, int64 id)
{
	return idtype->base == INT4OID ? id == (int32) id : idtype->base == INT2OID ? id == (int16) id : true;
}

/* Whether ids can be returned in a result column of this type, by IdToOutput(). */
bool
IdTypeFits(const IdType *idtype, Oid output_type)
{
	Oid			base;

	if (idtype->is_int && output_type == INT8OID)
		return true;
	base = getBaseType(output_type);
	if (IsStringType(base))
		return true;
	if (idtype->is_int)
		return IsIntegerType(base) || base == NUMERICOID;
	return base == idtype->base || IsBinaryCoercible(idtype->base, base) ||
		(idtype->base == NUMERICOID && IsIntegerType(base));
}

/* The integer that a numeric id is; an error for one that is none. */
static int64
IntegerFromId(const IdType *idtype, int64 id)
{
	int64		integer;

	if (!IntegerFromNumeric((Datum) id, &integer))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("id %s cannot be returned as an integer", IdToText(idtype, id)),
				 errhint("Ask for ids of type numeric, or of type text.")));
	return integer;
}

/* The id as a datum of a string type, by that type's input function. */
static Datum
StringFromId(const IdType *idtype, int64 id, Oid base)
{
	Oid			input;
	Oid			ioparam;

	getTypeInputInfo(base, &input, &ioparam);
	return OidInputFunctionCall(input, IdToText(idtype, id), ioparam, -1);
}

/*
 * The id as a datum of a result column's type, which IdTypeFits() has accepted; an error for an id that has no
 * value there.
 */
Datum
IdToOutput(const IdType *idtype, int64 id, Oid output_type)
{
	Oid			base;

	if (idtype->is_int && output_type == INT8OID)
		return Int64GetDatum(id);
	base = getBaseType(output_type);
	if (!idtype->is_int && (base == idtype->base || IsBinaryCoercible(idtype->base, base)))
		return (Datum) id;
	if (base == TEXTOID || base == VARCHAROID)
		return CStringGetTextDatum(IdToText(idtype, id));
	if (base == NUMERICOID)
		return NumericGetDatum(int64_to_numeric(id));
	if (idtype->base == NUMERICOID && IsIntegerType(base))
		id = IntegerFromId(idtype, id);
	if (base == INT8OID)
		return Int64GetDatum(id);
	if (base == INT4OID)
		return DirectFunctionCall1(int84, Int64GetDatum(id));
	if (base == INT2OID)
		return DirectFunctionCall1(int82, Int64GetDatum(id));
	return StringFromId(idtype, id, base);
}

/* The id as text, palloc'd, as messages and results have it; of a character(n) what a cast to text gives. */
char *
IdToText(const IdType *idtype, int64 id)
{
	Oid			output;
	bool		varlena;

	if (idtype->is_int)
		return psprintf(INT64_FORMAT, id);
	if (idtype->base == BPCHAROID)
		return StringDatumToCString((Datum) id, BPCHAROID);
	getTypeOutputInfo(idtype->base, &output, &varlena);
	return OidOutputFunctionCall(output, (Datum) id);
}

/*
 * The collation by which ids that differ may be equal and hash alike, so that a dictionary made by it serves no
 * other; InvalidOid for all others, which only equal bytes are equal to.
 */
Oid
HashCollation(const IdType *idtype)
{
	if (!OidIsValid(idtype->collation) || idtype->collation == DEFAULT_COLLATION_OID ||
		get_collation_isdeterministic(idtype->collation))
		return InvalidOid;
	return idtype->collation;
}

/* Hash of an id: a finalizer for integers, else the type's own hash function, with the column's collation. */
uint32
HashId(const IdType *idtype, int64 id)
{
	if (idtype->is_int)
		return (uint32) mf_mix64((uint64) id);
	return DatumGetUInt32(FunctionCall1Coll((FmgrInfo *) &idtype->hash, idtype->collation, (Datum) id));
}

/* Whether two ids are the same one, by the type's equality and the column's collation. */
bool
EqualIds(const IdType *idtype, int64 a, int64 b)
{
	if (idtype->is_int)
		return a == b;
	return DatumGetBool(FunctionCall2Coll((FmgrInfo *) &idtype->equal, idtype->collation,
										  (Datum) a, (Datum) b));
}

/* The operator in SQL with its schema, palloc'd, so that no search_path can turn it into another one. */
static char *
QualifiedOperator(Oid operator)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *sql;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	sql = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
				   NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return sql;
}

/*
 * The type's equality as an operator in SQL, palloc'd: a query that compares ids by it means what HashId() and
 * EqualIds() mean, whatever the search_path is.
 */
char *
IdEqualitySql(const IdType *idtype)
{
	return QualifiedOperator(lookup_type_cache(idtype->base, TYPECACHE_EQ_OPR)->eq_opr);
}

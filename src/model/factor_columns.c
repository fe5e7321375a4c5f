/*
 * factor_columns.c - what a model table and its columns are called, and of which types they are.
 *
 * The tables belong to the user, who may rename a column, change its type or drop it.  So columns are looked up
 * by name each time, and their types compared with what is read or written there.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "model/factor_columns.h"
#include "model/model_catalog.h"

/* The name of a model table, in the current memory context; an error where it has gone since it was found. */
const char *
FactorTableName(Oid relid)
{
	const char *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("a model table does not exist any more"),
				 errdetail("It was dropped while this statement ran.")));
	return name;
}

/* The same with its schema, quoted for use in SQL. */
const char *
FactorTableSql(Oid relid)
{
	const char *name = FactorTableName(relid);

	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
}

/* The type of the id column of a model table, with its collation; an error where there is no such column. */
void
FactorIdType(Oid relid, const char *id_column, IdType *idtype)
{
	AttrNumber	attnum = get_attnum(relid, id_column);
	Oid			type;
	int32		typmod;
	Oid			collation;

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("model table \"%s\" has no column \"%s\"", FactorTableName(relid), id_column),
				 errhint("Drop the model with mf_drop and train it again.")));
	get_atttypetypmodcoll(relid, attnum, &type, &typmod, &collation);
	InitIdType(idtype, type, typmod, collation);
}

/* A column of that name and type; InvalidAttrNumber where there is none. */
static AttrNumber
FindColumn(Oid relid, const char *column, Oid type)
{
	AttrNumber	attnum = get_attnum(relid, column);

	return attnum != InvalidAttrNumber && get_atttype(relid, attnum) == type ? attnum : InvalidAttrNumber;
}

/* The column of a users' table that says what they have; tables that 0.1.0 made are without. */
AttrNumber
SeenColumn(Oid relid)
{
	return FindColumn(relid, "seen", BYTEAOID);
}

/* The column with what attributes make of users or items; tables that 0.1.0 made are without. */
AttrNumber
PriorColumn(Oid relid)
{
	return FindColumn(relid, "prior", FLOAT4ARRAYOID);
}

/* The column of an items' table with the numbers by which that means them; tables that 0.1.0 made are without. */
AttrNumber
ItemNumberColumn(Oid relid)
{
	return FindColumn(relid, "number", INT4OID);
}

/* The column that tells rows of the source apart from those before; tables that 0.1.0 made are without. */
AttrNumber
FingerprintColumn(Oid relid)
{
	return FindColumn(relid, "fingerprint", INT8OID);
}

/* The column of an items' table with their faded counts; tables that 0.1.0 made are without. */
AttrNumber
TrendColumn(Oid relid)
{
	return FindColumn(relid, "trend", FLOAT4OID);
}

/* The column of a users' table with how widely their ratings spread; tables that 0.1.0 made are without. */
AttrNumber
SpreadColumn(Oid relid)
{
	return FindColumn(relid, "spread", FLOAT4OID);
}

/*
 * Where the columns of a model table are.  What it does not have, or has of another type than training has made,
 * is InvalidAttrNumber; ids may be of any type, which is not looked up.
 */
void
FindFactorColumns(Oid relid, const char *id_column, FactorColumns *columns)
{
	columns->version = FindColumn(relid, "version", INT4OID);
	columns->id = get_attnum(relid, id_column);
	columns->ratings = FindColumn(relid, "ratings", INT4OID);
	columns->bias = FindColumn(relid, "bias", FLOAT4OID);
	columns->factors = FindColumn(relid, "factors", FLOAT4ARRAYOID);
	columns->rating_factors = FindColumn(relid, "rating_factors", FLOAT4ARRAYOID);
	columns->seen = SeenColumn(relid);
	columns->prior = PriorColumn(relid);
	columns->number = ItemNumberColumn(relid);
	columns->fingerprint = FingerprintColumn(relid);
	columns->trend = TrendColumn(relid);
	columns->spread = SpreadColumn(relid);
	columns->tenant = FindColumn(relid, TENANT, TEXTOID);
}

/* An error for a column of a model table that has not kept its type: it is `now`, and was made as `type`. */
static void
CheckColumnType(const char *column, Oid now, Oid type)
{
	if (now != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of a model table is of type %s, not %s", column, format_type_be(now), format_type_be(type)),
				 errhint("Change it back, or drop the model with mf_drop and train it again.")));
}

/* The same for a column, from 0, of what a query delivers. */
void
CheckFactorColumn(TupleDesc desc, int column, Oid type)
{
	Form_pg_attribute att = TupleDescAttr(desc, column);

	CheckColumnType(NameStr(att->attname), att->atttypid, type);
}

/* An error unless a model table has a column of that name and type. */
void
RequireColumn(Oid relid, const char *column, Oid type)
{
	AttrNumber	attnum = get_attnum(relid, column);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("model table \"%s\" has no column \"%s\" of type %s", get_rel_name(relid), column, format_type_be(type)),
				 errhint("Drop the model with mf_drop and train it again.")));
	CheckColumnType(column, get_atttype(relid, attnum), type);
}

/* An error unless a table of items has a column for a second vector of each, which a model with both parts has. */
void
CheckRatingColumn(Oid relid)
{
	RequireColumn(relid, "rating_factors", FLOAT4ARRAYOID);
}

/*
 * FindFactorColumns, with an error where the table lacks a column that versions must have, or has it of another type
 * than training has made.
 */
void
RequireFactorColumns(Oid relid, const char *id_column, FactorColumns *columns)
{
	RequireColumn(relid, "version", INT4OID);
	RequireColumn(relid, "ratings", INT4OID);
	RequireColumn(relid, "bias", FLOAT4OID);
	RequireColumn(relid, "factors", FLOAT4ARRAYOID);
	if (get_attnum(relid, "rating_factors") != InvalidAttrNumber)
		CheckRatingColumn(relid);
	FactorIdType(relid, id_column, &columns->idtype);
	FindFactorColumns(relid, id_column, columns);
}

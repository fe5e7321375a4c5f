/*
 * relation.c - a relation that the user names, and its columns: found, checked, read.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "source/relation.h"

/*
 * Opens a relation that has rows to read, with a lock that stays until the end of the transaction; the caller
 * closes it. refusal: the message about one that has none, with a place for its name; hint: helps where there
 * is no relation.
 */
Relation
OpenRows(Oid relid, const char *refusal, const char *hint)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	char		kind;

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid),
				 errhint("%s", hint)));
	kind = rel->rd_rel->relkind;
	if (kind != RELKIND_RELATION && kind != RELKIND_VIEW && kind != RELKIND_MATVIEW &&
		kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg(refusal, RelationGetRelationName(rel)),
				 errdetail("It is neither a table nor a view."),
				 errhint("Name a table, view, materialized view, partitioned or foreign table.")));
	return rel;
}

/* The relation's columns as a list, for a detail; palloc'd. */
static char *
ColumnNames(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			appendStringInfo(&names, "%s%s", names.len ? ", " : "", NameStr(TupleDescAttr(desc, i)->attname));
	return names.data;
}

/*
 * A column that must be there, found by name: it lives as long as the relation is open. argument: what names
 * another one, for the hint.
 */
Form_pg_attribute
NamedColumn(Relation rel, const char *column, const char *argument)
{
	AttrNumber	attnum = column ? get_attnum(RelationGetRelid(rel), column) : InvalidAttrNumber;

	if (column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", argument)));
	if (attnum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", column, RelationGetRelationName(rel)),
				 errdetail("Its columns are: %s.", ColumnNames(rel)),
				 errhint("Name the column to use with the argument %s.", argument)));
	return TupleDescAttr(RelationGetDescr(rel), attnum - 1);
}

/*
 * The type of a column of numbers, domains resolved; an error for anything that has no cast to double
 * precision.
 */
Oid
NumberColumn(Relation rel, const char *column, const char *argument)
{
	Form_pg_attribute att = NamedColumn(rel, column, argument);
	Oid			base = getBaseType(att->atttypid);

	if (base != INT2OID && base != INT4OID && base != INT8OID && base != FLOAT4OID &&
		base != FLOAT8OID && base != NUMERICOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is of type %s, which is not a number", column,
						RelationGetRelationName(rel), format_type_be(att->atttypid)),
				 errdetail("It can be smallint, integer, bigint, real, double precision or numeric."),
				 errhint("Name another column with the argument %s, or cast it in a view.", argument)));
	return base;
}

/*
 * Column `column`, from 0, of what a query delivers must be of a type, or a domain over it: it may have been
 * altered.
 */
void
CheckDeliveredType(TupleDesc desc, int column, Oid type)
{
	Oid			delivered = TupleDescAttr(desc, column)->atttypid;

	if (delivered != type && getBaseType(delivered) != type)
		ColumnHasChanged(desc, column, type);
}

/* Fills in the type of a column of ids; an error for a type that has no hash function or no equality. */
void
IdColumn(Relation rel, const char *column, const char *argument, IdType *idtype)
{
	Form_pg_attribute att = NamedColumn(rel, column, argument);

	InitIdType(idtype, att->atttypid, att->atttypmod, att->attcollation);
}

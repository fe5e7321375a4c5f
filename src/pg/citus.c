/*
 * citus.c - tables whose rows Citus keeps elsewhere, and calls that it runs elsewhere.
 *
 * A table that was handed to Citus (distributed, a reference table, or a local one in its metadata) has its
 * rows in shards; what stands under its own name is empty or of the past, and only queries reach the rows.
 * Nothing here needs Citus to be built: its catalog is read where there is one.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_namespace.h"
#include "executor/spi.h"
#include "nodes/nodes.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "pg/citus.h"

/* How Citus calls the sessions in which workers run parts of a query. */
#define TASK_NAME "citus_internal"

/* A table that has no distribution column: each of its nodes has all rows. */
#define WHOLE_TABLE (-1)

/*
 * Whether Citus has a table, and the attribute that it is distributed by: *column, WHOLE_TABLE where there is
 * none.  Reads Citus's catalog, whose columns are found by name as their order is of no promise.
 */
static bool
FindCitusTable(Oid relid, int *column)
{
	Oid			catalog = get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE);
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	if (!OidIsValid(catalog))
		return false;
	rel = table_open(catalog, AccessShareLock);
	ScanKeyInit(&key, get_attnum(catalog, "logicalrelid"), BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	*column = WHOLE_TABLE;
	if (found)
	{
		bool		isnull;
		Datum		key_node = heap_getattr(tuple, get_attnum(catalog, "partkey"), RelationGetDescr(rel), &isnull);

		/* a column as PostgreSQL writes nodes of expressions */
		if (!isnull)
			*column = castNode(Var, stringToNode(TextDatumGetCString(key_node)))->varattno;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* Whether Citus keeps the rows of a table. */
bool
IsCitusTable(Oid relid)
{
	int			column;

	return FindCitusTable(relid, &column);
}

/* Whether an index that serves all rows, valid and not partial, begins with a column. */
static bool
HasIndexOn(Relation rel, AttrNumber column)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		found = false;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		found |= index->rd_index->indisvalid && index->rd_index->indkey.values[0] == column &&
			RelationGetIndexPredicate(index) == NIL;
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

/*
 * Whether Citus finds rows of one of its tables by the value of a column in one place and through an index,
 * which all shards have that the table has.  The planner's costs say nothing of that.
 */
bool
CitusFindsRows(Oid relid, const char *column)
{
	AttrNumber	attnum = get_attnum(relid, column);
	int			distributed;
	Relation	rel;
	bool		found;

	if (!FindCitusTable(relid, &distributed) || (distributed != WHOLE_TABLE && distributed != attnum))
		return false;
	rel = relation_open(relid, AccessShareLock);
	found = HasIndexOn(rel, attnum);
	relation_close(rel, NoLock);
	return found;
}

/* Whether this session is one in which Citus runs a part of a query on a worker. */
bool
IsCitusTask(void)
{
	return application_name && strncmp(application_name, TASK_NAME, strlen(TASK_NAME)) == 0;
}

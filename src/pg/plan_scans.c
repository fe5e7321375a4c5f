/*
 * plan_scans.c - what a plan reads that the planner's costs tell little about.
 *
 * The cost of a scan in another server, of another extension's or of a function is what its author has made
 * up, often a small constant, whatever there is to read.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "pg/plan_scans.h"

/* Storage by columns: finding a row through an index reads a block of thousands. */
#define COLUMNAR "columnar"

/* What a scan of a table says of its storage: whether the planner's costs are made for it. */
static int
TableScans(const PlannedStmt *statement, const Scan *scan)
{
	Oid			relid = rt_fetch(scan->scanrelid, statement->rtable)->relid;
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		by_index = IsA(scan, IndexScan) || IsA(scan, IndexOnlyScan) || IsA(scan, BitmapHeapScan);
	Oid			method;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		return 0;
	method = ((Form_pg_class) GETSTRUCT(tuple))->relam;
	ReleaseSysCache(tuple);
	if (!OidIsValid(method) || method == HEAP_TABLE_AM_OID)
		return 0;
	name = get_am_name(method);
	return by_index && name && strcmp(name, COLUMNAR) != 0 ? 0 : SCANS_STORAGE;
}

/* What a scan of functions calls: those of PostgreSQL itself have costs that fit. */
static int
FunctionScans(const FunctionScan *scan)
{
	ListCell   *cell;

	foreach(cell, scan->functions)
	{
		Node	   *call = lfirst_node(RangeTblFunction, cell)->funcexpr;

		if (!IsA(call, FuncExpr) || ((FuncExpr *) call)->funcid >= FirstNormalObjectId)
			return SCANS_FUNCTION;
	}
	return 0;
}

static int	NodeScans(const PlannedStmt *statement, Plan *plan);

/* The scans of several plans. */
static int
ListScans(const PlannedStmt *statement, List *plans)
{
	int			scans = 0;
	ListCell   *cell;

	foreach(cell, plans)
		scans |= NodeScans(statement, lfirst(cell));
	return scans;
}

/*
 * The scans of another extension's node.  One above other plans only chooses among them or adds them up, and
 * goes by their costs.
 */
static int
CustomScans(const PlannedStmt *statement, const CustomScan *scan)
{
	return scan->custom_plans == NIL ? SCANS_CUSTOM : ListScans(statement, scan->custom_plans);
}

/* The scans of a node and those below it. */
static int
NodeScans(const PlannedStmt *statement, Plan *plan)
{
	int			scans;

	if (plan == NULL)
		return 0;
	scans = NodeScans(statement, plan->lefttree) | NodeScans(statement, plan->righttree);
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
			return scans | SCANS_WHOLE | TableScans(statement, (Scan *) plan);
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
			return scans | TableScans(statement, (Scan *) plan);
		case T_FunctionScan:
			return scans | FunctionScans((FunctionScan *) plan);
		case T_ForeignScan:
			return scans | SCANS_FOREIGN;
		case T_CustomScan:
			return scans | CustomScans(statement, (CustomScan *) plan);
		case T_Append:
			return scans | ListScans(statement, ((Append *) plan)->appendplans);
		case T_MergeAppend:
			return scans | ListScans(statement, ((MergeAppend *) plan)->mergeplans);
		case T_SubqueryScan:
			return scans | NodeScans(statement, ((SubqueryScan *) plan)->subplan);
		default:
			return scans;
	}
}

/* All kinds of scans in a plan and its subplans that read more than what an index finds. */
static int
AllScans(const PlannedStmt *statement)
{
	return NodeScans(statement, statement->planTree) | ListScans(statement, statement->subplans);
}

/* The kinds of such scans in a plan and its subplans, as bits; 0 where the planner's costs can be trusted. */
int
PlanScans(const PlannedStmt *statement)
{
	return AllScans(statement) & ~SCANS_WHOLE;
}

/*
 * Whether a query with one parameter of a type (InvalidOid: none) finds its rows through indexes, whatever its value
 * is.
 */
bool
FindsByIndex(const char *sql, Oid type)
{
	bool		finds = false;
	SPIPlanPtr	plan;
	CachedPlan *cached;

	SPI_connect();
	plan = SPI_prepare_cursor(sql, OidIsValid(type) ? 1 : 0, &type, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	cached = SPI_plan_get_cached_plan(plan);
	if (cached)
	{
		finds = AllScans(linitial_node(PlannedStmt, cached->stmt_list)) == 0;
		ReleaseCachedPlan(cached, NULL);
	}
	SPI_freeplan(plan);
	SPI_finish();
	return finds;
}

/*
 * plain_query.c - whether a query brings columns of tables and does nothing else.
 *
 * The planner is asked: where all that it makes of a query are scans of whole tables, one after the other, whose target
 * lists are columns, then reading these columns is what the query means, whatever way it has come to that: a table, its
 * partitions with columns in another order, a view that only renames.  Row security, conditions, generated columns that
 * are computed when read, foreign tables and other extensions' storage all show as something else in the plan, and are
 * left to it.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"
#include "parser/parsetree.h"
#include "utils/plancache.h"
#include "utils/rel.h"

#include "compat.h"
#include "read/plain_query.h"

/*
 * Replaces places in a plan's target list by what its expressions there are: `varno`'s columns.  False where there is
 * anything else.
 */
static bool
FollowColumns(const Plan *plan, int varno, PlainTable *table)
{
	for (int i = 0; i < table->ncolumns; i++)
	{
		PlainColumn *column = &table->column[i];
		Node	   *expr = (Node *) list_nth_node(TargetEntry, plan->targetlist, column->attnum - 1)->expr;

		if (!IsA(expr, Var) || ((Var *) expr)->varno != varno || ((Var *) expr)->varattno <= 0)
			return false;
		column->attnum = ((Var *) expr)->varattno;
	}
	return true;
}

/*
 * Adds a table that is scanned as a whole; false where its rows are not there to be read, or not in a heap: other
 * storage need not have scans that processes share, nor mean by one what a query does.
 */
static bool
AddTable(const PlannedStmt *statement, const SeqScan *seqscan, PlainTable table, List **tables)
{
	const Scan *scan = (const Scan *) seqscan;
	Relation	rel;
	bool		readable;
	PlainTable *added;

	if (!FollowColumns(&scan->plan, (int) scan->scanrelid, &table))
		return false;
	table.relid = rt_fetch(scan->scanrelid, statement->rtable)->relid;
	rel = table_open(table.relid, NoLock);
	readable = RelationIsScannable(rel) && rel->rd_tableam == GetHeapamTableAmRoutine();
	table_close(rel, NoLock);
	added = palloc(sizeof(PlainTable));
	*added = table;
	*tables = lappend(*tables, added);
	return readable;
}

/*
 * Adds the tables below a node of a plan, of which so many places in its target list are wanted.  False where it does
 * more than bring columns of tables.
 */
static bool
AddTables(const PlannedStmt *statement, Plan *plan, PlainTable wanted, List **tables)
{
	ListCell   *cell;

	check_stack_depth();
	if (plan == NULL || plan->qual != NIL || plan->initPlan != NIL || plan->righttree != NULL)
		return false;
	switch (nodeTag(plan))
	{
		case T_SeqScan:
			return AddTable(statement, (SeqScan *) plan, wanted, tables);
		case T_Result:
			if (((Result *) plan)->resconstantqual)
				return false;
			/* FALLTHROUGH */
		case T_Gather:
			return FollowColumns(plan, OUTER_VAR, &wanted) && AddTables(statement, plan->lefttree, wanted, tables);
		case T_Append:
			if (!FollowColumns(plan, OUTER_VAR, &wanted))
				return false;
			foreach(cell, ((Append *) plan)->appendplans)
				if (!AddTables(statement, lfirst(cell), wanted, tables))
					return false;
			return true;
		default:
			return false;
	}
}

/* The same of a whole statement. */
static List *
TablesOfStatement(const PlannedStmt *statement)
{
	PlainTable	wanted = {.ncolumns = list_length(statement->planTree->targetlist)};
	List	   *tables = NIL;

	if (statement->commandType != CMD_SELECT || statement->subplans != NIL || statement->rowMarks != NIL ||
		wanted.ncolumns > MOST_COLUMNS)
		return NIL;
	for (int i = 0; i < wanted.ncolumns; i++)
		wanted.column[i].attnum = i + 1;
	return AddTables(statement, statement->planTree, wanted, &tables) ? tables : NIL;
}

/*
 * The tables that a prepared query without parameters reads, PlainTable each, and *desc, what its columns are; NIL
 * where it has to run.  The tables are locked by then, and the current user may read them: an error where not, which is
 * the executor's own. The caller has connected SPI.
 */
List *
PlainTables(SPIPlanPtr plan, TupleDesc *desc)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);
	List	   *tables = NIL;
	PlannedStmt *statement;

	if (cached == NULL)
		return NIL;
	statement = linitial_node(PlannedStmt, cached->stmt_list);
	if (list_length(cached->stmt_list) == 1 && statement->utilityStmt == NULL && ExecutorCheckPerms_hook == NULL)
		tables = TablesOfStatement(statement);
	if (tables != NIL)
	{
		CheckQueryPermissions(statement);
		*desc = ExecTypeFromTL(statement->planTree->targetlist);
	}
	ReleaseCachedPlan(cached, NULL);
	return tables;
}

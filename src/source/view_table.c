/*
 * view_table.c - the table whose rows a view shows.
 *
 * A view that passes on rows of one table, some or all of them, with columns of its own or of reference tables of
 * Citus, is as good as the table where rows are to be read where they lie: a row of it is where the table's row is.  What
 * joins rows otherwise, groups or limits them makes new ones, which are nowhere.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "nodes/parsenodes.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "pg/citus.h"
#include "source/view_table.h"

/* Whether a query passes on rows of what is in its FROM one by one. */
static bool
PassesRows(const Query *query)
{
	return query->commandType == CMD_SELECT && query->setOperations == NULL && query->cteList == NIL &&
		query->groupClause == NIL && query->groupingSets == NIL && query->havingQual == NULL &&
		query->distinctClause == NIL && query->sortClause == NIL && query->limitCount == NULL &&
		query->limitOffset == NULL && query->rowMarks == NIL && !query->hasAggs && !query->hasWindowFuncs &&
		!query->hasTargetSRFs && !query->hasSubLinks;
}

/* Whether an entry of a FROM is a relation as it is. */
static bool
IsPlainRelation(const RangeTblEntry *rte)
{
	return rte->rtekind == RTE_RELATION && rte->tablesample == NULL;
}

/*
 * Whether rows of a part of a FROM are those of the relation number `rows`, each with what reference tables add to it,
 * which every node has; *met: it is in this part.
 */
static bool
AddsToRows(const Query *query, const Node *from, int rows, bool *met)
{
	const JoinExpr *join = (const JoinExpr *) from;
	bool		left = false;
	bool		right = false;

	if (IsA(from, RangeTblRef))
	{
		int			index = ((const RangeTblRef *) from)->rtindex;
		const RangeTblEntry *rte = rt_fetch(index, query->rtable);
		const CitusTable *table;

		*met = index == rows;
		if (*met || !IsPlainRelation(rte))
			return *met;
		table = FindCitusTable(rte->relid);
		return table && table->reference;
	}
	if (!IsA(from, JoinExpr) || !AddsToRows(query, join->larg, rows, &left) || !AddsToRows(query, join->rarg, rows, &right))
		return false;
	*met = left || right;
	/* where a row has no partner, it is the one with the user that stays */
	return join->jointype == JOIN_INNER || (join->jointype == JOIN_LEFT && !right);
}

/* The relation and the column of it that a view's column is; false where its query does more than pass on rows. */
static bool
FindBeneath(const Query *query, AttrNumber column, Oid *relid, AttrNumber *attnum)
{
	const TargetEntry *entry = list_nth(query->targetList, column - 1);
	const Var  *var = (const Var *) entry->expr;
	const RangeTblEntry *rte;
	ListCell   *cell;

	if (!PassesRows(query) || !IsA(var, Var) || var->varattno <= 0)
		return false;
	foreach(cell, query->jointree->fromlist)
	{
		bool		met;

		if (!AddsToRows(query, lfirst(cell), var->varno, &met))
			return false;
	}
	rte = rt_fetch(var->varno, query->rtable);
	if (!IsPlainRelation(rte))
		return false;
	*relid = rte->relid;
	*attnum = var->varattno;
	return true;
}

/*
 * The table that has the rows of a relation, and the column of it that is the relation's `column`: the relation itself,
 * unless it is a view of some or all rows of one table, maybe by way of other views.  False where a view does more, or
 * computes that column, and where there is no such column.
 */
bool
FindRowTable(Oid relid, const char *column, Oid *table, AttrNumber *attnum)
{
	*table = relid;
	*attnum = get_attnum(relid, column);
	if (*attnum == InvalidAttrNumber)
		return false;
	while (get_rel_relkind(*table) == RELKIND_VIEW)
	{
		Relation	view = table_open(*table, AccessShareLock);
		bool		found = FindBeneath(get_view_query(view), *attnum, table, attnum);

		table_close(view, NoLock);
		if (!found)
			return false;
	}
	return true;
}

/* The table that has the rows of a source, itself or the one beneath a view; InvalidOid: a view makes its own. */
Oid
RowTableOf(const Source *source)
{
	AttrNumber	user;
	Oid			table;

	return FindRowTable(source->relid, source->user_column, &table, &user) ? table : InvalidOid;
}

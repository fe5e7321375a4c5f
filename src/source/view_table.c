/*
 * view_table.c - the table whose rows a view shows.
 *
 * A view that passes on rows of one table, some or all of them, with columns of its own, is as good as the table where
 * rows are to be read where they lie: a row of it is where the table's row is.  What joins, groups or limits rows makes
 * new ones, which are nowhere.
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
#include "source/view_table.h"

/* Whether a query passes on rows of what is in its FROM one by one. */
static bool
PassesRows(const Query *query)
{
	return query->commandType == CMD_SELECT && query->setOperations == NULL && query->cteList == NIL &&
		query->groupClause == NIL && query->groupingSets == NIL && query->havingQual == NULL &&
		query->distinctClause == NIL && query->sortClause == NIL && query->limitCount == NULL &&
		query->limitOffset == NULL && query->rowMarks == NIL && !query->hasAggs && !query->hasWindowFuncs &&
		!query->hasTargetSRFs && !query->hasSubLinks && list_length(query->jointree->fromlist) == 1;
}

/* The relation and the column of it that a view's column is; false where its query does more than pass on rows. */
static bool
FindBeneath(const Query *query, AttrNumber column, Oid *relid, AttrNumber *attnum)
{
	const Node *from = PassesRows(query) ? linitial(query->jointree->fromlist) : NULL;
	const TargetEntry *entry = list_nth(query->targetList, column - 1);
	const RangeTblEntry *rte;
	const Var  *var = (const Var *) entry->expr;

	if (from == NULL || !IsA(from, RangeTblRef) || !IsA(var, Var))
		return false;
	rte = rt_fetch(((const RangeTblRef *) from)->rtindex, query->rtable);
	if (rte->rtekind != RTE_RELATION || rte->tablesample || var->varno != ((const RangeTblRef *) from)->rtindex ||
		var->varattno <= 0)
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

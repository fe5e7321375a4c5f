/*
 * list_scan.c - a node of plans for functions in FROM that return a list.
 *
 * For such a function the server's own node looks its result's columns up in the catalogs, prepares each of its twenty
 * arguments as an expression, and has rows written to a tuplestore and read again: that takes as long as finding the
 * list does.  This node takes its place where nothing depends on the difference.  It passes arguments that are
 * constants as they are, and the function puts its rows where the node hands them out from (RowSink), those columns
 * alone that the query asks for.
 *
 * The function is called as ever, through its entry in the catalogs and with the caller's privileges, once for each
 * set of arguments.  Plans with what is not handled here keep the server's node: several functions in one FROM item,
 * WITH ORDINALITY, whole rows, correlated subqueries as arguments, and functions that have been altered to be strict,
 * or to run with settings or privileges of their own.  So do lateral calls: the planner takes the server's node for one
 * that repeats at no cost, and others for as dear as they are, which puts joins into another order, with more calls
 * where it expects too few rows.
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "pgstat.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"

#include "compat.h"
#include "sql/list_scan.h"
#include "sql/srf.h"

/* Functions that put their rows into a RowSink, and the shape of these. */
extern PGDLLEXPORT Datum mf_recommend(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum mf_recommend_typed(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum mf_recommend_for(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum mf_popular(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum mf_popular_typed(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum mf_popular_text(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum mf_similar_items(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum mf_similar_users(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum mf_recommend_users(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum mf_recommend_users_typed(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum mf_recommend_users_text(PG_FUNCTION_ARGS);

static const struct
{
	PGFunction	function;
	RowShape	shape;
}			functions[] = {
	{mf_recommend, ROWS_RECOMMENDED},
	{mf_recommend_typed, ROWS_RECOMMENDED},
	{mf_recommend_for, ROWS_RANKED},
	{mf_popular, ROWS_COUNTED},
	{mf_popular_typed, ROWS_COUNTED},
	{mf_popular_text, ROWS_COUNTED},
	{mf_similar_items, ROWS_RANKED},
	{mf_similar_users, ROWS_RANKED},
	{mf_recommend_users, ROWS_RANKED},
	{mf_recommend_users_typed, ROWS_RANKED},
	{mf_recommend_users_text, ROWS_RANKED},
};

/* An argument that is computed for each call. */
typedef struct ComputedArgument
{
	int			place;			/* from 0 */
	ExprState  *expression;
} ComputedArgument;

/* The state of the node. */
typedef struct ListScan
{
	CustomScanState css;
	FuncExpr   *call;
	FmgrInfo	function;
	FunctionCallInfo fcinfo;
	ComputedArgument *argument;
	int			narguments;
	RowSink		sink;
	int			column[MAX_ROW_COLUMNS];	/* of the sink, for each of the node's */
	int			ncolumns;
	MemoryContext context;		/* of arguments and rows, until the next call */
	bool		called;			/* rows are there */
	int			at;				/* the row that was handed out last; -1 before the first, the count after the last */
	Bitmapset  *params;			/* parameters of the plan that arguments depend on */
	bool		has_params;		/* these are known */
} ListScan;

static set_rel_pathlist_hook_type next_pathlist_hook = NULL;
static const CustomPathMethods path_methods;
static const CustomScanMethods plan_methods;
static const CustomExecMethods node_methods;

/* ---- planning ---- */

/* The shape of the rows of a function that puts them into a sink, -1 of any other. */
static int
ShapeOfFunction(Oid function)
{
	FmgrInfo	info;

	if (!OidIsValid(get_func_support(function)))
		return -1;
	fmgr_info(function, &info);
	for (int i = 0; i < (int) lengthof(functions); i++)
		if (info.fn_addr == functions[i].function)
			return functions[i].shape;
	return -1;
}

/*
 * The shape of a call's rows, -1 where they do not go into a sink, the script declares others, or nulls among the
 * arguments say that there are none; *desc becomes their columns.
 */
static int
ShapeOfCall(FuncExpr *call, TupleDesc *desc)
{
	int			shape = ShapeOfFunction(call->funcid);

	if (shape < 0 || func_strict(call->funcid) ||
		get_expr_result_type((Node *) call, NULL, desc) != TYPEFUNC_COMPOSITE || !RowsHaveColumns(shape, *desc))
		return -1;
	return shape;
}

/* Adds the columns of a relation that expressions refer to, and that are not there yet. */
static List *
AddColumns(List *columns, Node *expressions, Index relid)
{
	List	   *vars = pull_var_clause(expressions, PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS | PVC_RECURSE_PLACEHOLDERS);
	ListCell   *cell;

	foreach(cell, vars)
	{
		Var		   *var = lfirst(cell);

		if ((Index) var->varno == relid && var->varlevelsup == 0)
			columns = list_append_unique(columns, var);
	}
	return columns;
}

/*
 * Whether a query takes columns for what they are.  The parser goes by the order in which arguments are written, and
 * where they are named may take another's type for that of the ids: the server's node says so.
 */
static bool
TakesTypes(const RelOptInfo *rel, TupleDesc desc)
{
	List	   *columns = AddColumns(NIL, (Node *) rel->reltarget->exprs, rel->relid);
	ListCell   *cell;

	columns = AddColumns(columns, (Node *) extract_actual_clauses(rel->baserestrictinfo, false), rel->relid);
	foreach(cell, columns)
	{
		const Var  *var = lfirst(cell);

		if (var->varattno > desc->natts || TupleDescAttr(desc, var->varattno - 1)->atttypid != var->vartype)
			return false;
	}
	return true;
}

/* Whether a query asks for a relation's rows as a whole. */
static bool
WantsWholeRows(const RelOptInfo *rel)
{
	Bitmapset  *columns = NULL;

	if (!bms_is_empty(rel->attr_needed[0 - rel->min_attr]))
		return true;
	/* 16 does not count what expressions that the relation itself computes for an outer join need */
	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &columns);
	pull_varattnos((Node *) extract_actual_clauses(rel->baserestrictinfo, false), rel->relid, &columns);
	return bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, columns);
}

/* The call that a FROM item is, if this node can make it, else NULL. */
static FuncExpr *
ListCall(const PlannerInfo *root, const RelOptInfo *rel, const RangeTblEntry *rte)
{
	const RangeTblFunction *function;
	FuncExpr   *call;

	if (rel->reloptkind != RELOPT_BASEREL || rte->rtekind != RTE_FUNCTION || rte->funcordinality ||
		list_length(rte->functions) != 1 || !bms_is_empty(rel->lateral_relids) || root->rowMarks != NIL)
		return NULL;
	function = linitial(rte->functions);
	call = (FuncExpr *) function->funcexpr;
	if (!IsA(call, FuncExpr) || !call->funcretset || function->funccolnames != NIL)
		return NULL;
	return contain_subplans((Node *) call->args) || WantsWholeRows(rel) ? NULL : call;
}

/* set_rel_pathlist_hook: has this node scan a function that returns a list, in the place of the server's. */
static void
AddListPath(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	FuncExpr   *call;
	CustomPath *path;
	int			shape;
	TupleDesc	desc;

	if (next_pathlist_hook)
		next_pathlist_hook(root, rel, rti, rte);
	call = ListCall(root, rel, rte);
	if (call == NULL || list_length(rel->pathlist) != 1 || ((Path *) linitial(rel->pathlist))->pathtype != T_FunctionScan)
		return;
	shape = ShapeOfCall(call, &desc);
	if (shape < 0 || !TakesTypes(rel, desc))
		return;
	path = makeNode(CustomPath);
	path->path = *(Path *) linitial(rel->pathlist);
	path->path.type = T_CustomPath;
	path->path.pathtype = T_CustomScan;
	path->flags = CUSTOMPATH_SUPPORT_BACKWARD_SCAN | CUSTOMPATH_SUPPORT_PROJECTION;
	path->custom_private = list_make3(call, makeInteger(shape), list_make1_oid(TupleDescAttr(desc, 0)->atttypid));
	path->methods = &path_methods;
	linitial(rel->pathlist) = path;
}

/* PlanCustomPath: the node's columns are those that its conditions, and whatever is above it, refer to. */
static Plan *
PlanListScan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *plans)
{
	CustomScan *scan = makeNode(CustomScan);
	List	   *qual = extract_actual_clauses(clauses, false);
	List	   *columns = AddColumns(NIL, (Node *) tlist, rel->relid);
	List	   *places = NIL;
	ListCell   *cell;

	(void) root;
	(void) plans;
	/* the targets may be replaced by what is computed of the relation's */
	columns = AddColumns(columns, (Node *) rel->reltarget->exprs, rel->relid);
	columns = AddColumns(columns, (Node *) qual, rel->relid);
	foreach(cell, columns)
	{
		Var		   *var = lfirst(cell);

		places = lappend_int(places, var->varattno - 1);
		scan->custom_scan_tlist = lappend(scan->custom_scan_tlist,
										  makeTargetEntry(copyObject((Expr *) var), list_length(places), NULL, false));
	}
	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = qual;
	scan->flags = path->flags;
	scan->custom_exprs = list_make1(copyObject(linitial(path->custom_private)));
	scan->custom_private = list_make3(places, lsecond(path->custom_private), lthird(path->custom_private));
	scan->methods = &plan_methods;
	return &scan->scan.plan;
}

/* ---- execution ---- */

/* CreateCustomScanState. */
static Node *
CreateListScan(CustomScan *scan)
{
	ListScan   *list = palloc0(sizeof(ListScan));

	(void) scan;
	NodeSetTag(list, T_CustomScanState);
	list->css.methods = &node_methods;
	return (Node *) list;
}

/* Looks the function up, which the caller must be allowed to execute. */
static void
PrepareFunction(ListScan *list)
{
	Oid			function = list->call->funcid;
	AclResult	result = FunctionAclCheck(function);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
	InvokeFunctionExecuteHook(function);
	fmgr_info(function, &list->function);
	fmgr_info_set_expr((Node *) list->call, &list->function);
}

/* Takes constants among the arguments as they are, and prepares the others. */
static void
PrepareArguments(ListScan *list)
{
	List	   *arguments = list->call->args;
	int			n = list_length(arguments);

	list->fcinfo = palloc0(SizeForFunctionCallInfo(n));
	InitFunctionCallInfoData(*list->fcinfo, &list->function, n, list->call->inputcollid, NULL, (Node *) &list->sink.info);
	list->argument = palloc(sizeof(ComputedArgument) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		Expr	   *argument = list_nth(arguments, i);

		if (IsA(argument, Const))
		{
			list->fcinfo->args[i].value = ((Const *) argument)->constvalue;
			list->fcinfo->args[i].isnull = ((Const *) argument)->constisnull;
		}
		else
			list->argument[list->narguments++] = (ComputedArgument) {i, ExecInitExpr(argument, &list->css.ss.ps)};
	}
}

/* BeginCustomScan. */
static void
BeginListScan(CustomScanState *node, EState *estate, int eflags)
{
	ListScan   *list = (ListScan *) node;
	CustomScan *scan = (CustomScan *) node->ss.ps.plan;
	RowSink    *sink = &list->sink;
	ListCell   *cell;

	(void) eflags;
	list->call = linitial(scan->custom_exprs);
	PrepareFunction(list);
	PrepareArguments(list);
	foreach(cell, (List *) linitial(scan->custom_private))
	{
		list->column[list->ncolumns++] = lfirst_int(cell);
		sink->wanted[lfirst_int(cell)] = true;
	}
	list->context = AllocSetContextCreate(estate->es_query_cxt, "mfrec list", ALLOCSET_DEFAULT_SIZES);
	StartSink(sink, node->ss.ps.ps_ExprContext, intVal(lsecond(scan->custom_private)),
			  linitial_oid((List *) lthird(scan->custom_private)));
	list->at = -1;
}

/* Calls the function. */
static void
CallFunction(ListScan *list)
{
	MemoryContext old;
	PgStat_FunctionCallUsage usage;

	MemoryContextReset(list->context);
	old = MemoryContextSwitchTo(list->context);
	for (int i = 0; i < list->narguments; i++)
	{
		NullableDatum *value = &list->fcinfo->args[list->argument[i].place];

		value->value = ExecEvalExpr(list->argument[i].expression, list->css.ss.ps.ps_ExprContext, &value->isnull);
	}
	ClearSink(&list->sink);
	pgstat_init_function_usage(list->fcinfo, &usage);
	list->fcinfo->isnull = false;
	(void) FunctionCallInvoke(list->fcinfo);
	pgstat_end_function_usage(&usage, true);
	MemoryContextSwitchTo(old);
	list->called = true;
}

/* The access method of ExecScan: the next row, in either direction. */
static TupleTableSlot *
NextRow(ScanState *node)
{
	ListScan   *list = (ListScan *) node;
	TupleTableSlot *slot = node->ss_ScanTupleSlot;
	const RowSink *sink = &list->sink;

	if (!list->called)
		CallFunction(list);
	if (ScanDirectionIsForward(node->ps.state->es_direction))
		list->at = Min(list->at + 1, sink->count);
	else
		list->at = Max(list->at - 1, -1);
	ExecClearTuple(slot);
	if (list->at < 0 || list->at >= sink->count)
		return slot;
	for (int i = 0; i < list->ncolumns; i++)
	{
		slot->tts_values[i] = sink->row[list->at].values[list->column[i]];
		slot->tts_isnull[i] = sink->row[list->at].nulls[list->column[i]];
	}
	return ExecStoreVirtualTuple(slot);
}

/*
 * The recheck method of ExecScan.  Plans whose rows are locked keep the server's node, so there is nothing to look at
 * again: what is rechecked asks for a subquery's rows.  Servers of older minors come here for these, as they would for
 * a join that was pushed down, and take what is in the slot; newer ones go straight to NextRow.
 */
static bool
RecheckRow(ScanState *node, TupleTableSlot *slot)
{
	(void) slot;
	(void) NextRow(node);
	return true;
}

/* ExecCustomScan. */
static TupleTableSlot *
ExecListScan(CustomScanState *node)
{
	return ExecScan(&node->ss, NextRow, RecheckRow);
}

/* EndCustomScan. */
static void
EndListScan(CustomScanState *node)
{
	MemoryContextDelete(((ListScan *) node)->context);
}

/* Collects the parameters of the plan in an expression. */
static bool
CollectParams(Node *node, Bitmapset **params)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		*params = bms_add_member(*params, ((Param *) node)->paramid);
	return expression_tree_walker(node, TreeWalker(CollectParams), params);
}

/* ReScanCustomScan: calls again only where arguments may have changed. */
static void
ReScanListScan(CustomScanState *node)
{
	ListScan   *list = (ListScan *) node;

	if (!list->has_params)
		(void) CollectParams((Node *) list->call->args, &list->params);
	list->has_params = true;
	if (bms_overlap(node->ss.ps.chgParam, list->params))
		list->called = false;
	list->at = -1;
	ExecScanReScan(&node->ss);
}

/* ExplainCustomScan: which function it is, or with VERBOSE the call, as the server's node has it. */
static void
ExplainListScan(CustomScanState *node, List *ancestors, ExplainState *es)
{
	FuncExpr   *call = ((ListScan *) node)->call;
	List	   *context;

	if (!es->verbose)
	{
		ExplainPropertyText("Function", get_func_name(call->funcid), es);
		return;
	}
	context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, ancestors);
	ExplainPropertyText("Function Call", deparse_expression((Node *) call, context, true, false), es);
}

static const CustomPathMethods path_methods = {
	.CustomName = "List",
	.PlanCustomPath = PlanListScan,
};

static const CustomScanMethods plan_methods = {
	.CustomName = "mfrec list",
	.CreateCustomScanState = CreateListScan,
};

static const CustomExecMethods node_methods = {
	.CustomName = "mfrec list",
	.BeginCustomScan = BeginListScan,
	.ExecCustomScan = ExecListScan,
	.EndCustomScan = EndListScan,
	.ReScanCustomScan = ReScanListScan,
	.ExplainCustomScan = ExplainListScan,
};

/* Has plans use the node from now on. */
void
InstallListScan(void)
{
	RegisterCustomScanMethods(&plan_methods);
	next_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = AddListPath;
}

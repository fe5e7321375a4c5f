/*
 * planner_support.c - what the planner is told about functions that return a list.
 *
 * A list is as long as its argument k says, and no longer than its array of candidates.  With that the
 * planner joins ten recommendations to a large table through its primary key.  Arguments are found by
 * their names, so that one support function serves all of them.
 *
 * A call's cost is COST in the script: what it takes, in operators, of which a million are about ten
 * milliseconds.  Functions that look at every item or user cost by how many the version has, where it is
 * known which model that is.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "model/model_catalog.h"
#include "sql/args.h"

/* What more rows than usual and candidates add to a call's cost, in operators. */
#define ROW_OPERATORS 50.0
#define CANDIDATE_OPERATORS 2.0

/* The length of a list that is not known before the query runs. */
#define UNKNOWN_LENGTH (-1.0)

/* Functions that look at every item or user of the model, and what each of these costs. */
typedef struct ModelScan
{
	const char *function;
	bool		users;
	double		operators;
	bool		list_each;		/* returns a list for each of them */
} ModelScan;

static const ModelScan scans[] = {
	{"mf_similar_items", false, 1.0, false},
	{"mf_similar_users", true, 40.0, false},
	{"mf_recommend_users", true, 40.0, false},
	{"mf_recommend_all", true, 2000.0, true},
};

/* What a call's arguments tell about its list. */
typedef struct ListEstimate
{
	double		k;				/* or UNKNOWN_LENGTH */
	double		candidates;		/* or UNKNOWN_LENGTH */
	double		lists;			/* how many such lists are returned */
	double		operators;		/* what the call costs whatever its length */
} ListEstimate;

/* The argument of that name in a call, NULL where the function has none. */
static Node *
NamedArgument(HeapTuple function, const List *arguments, const char *name)
{
	Datum		names;
	Datum		modes;
	bool		no_names;
	bool		no_modes;
	char	  **input_names;
	int			n;

	names = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_proargnames, &no_names);
	modes = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_proargmodes, &no_modes);
	if (no_names || no_modes)
		return NULL;
	n = get_func_input_arg_names(names, modes, &input_names);
	for (int i = 0; i < n && i < list_length(arguments); i++)
		if (input_names[i] && strcmp(input_names[i], name) == 0)
			return list_nth(arguments, i);
	return NULL;
}

/* An argument's value as far as it is known now. */
static Node *
EstimatedValue(PlannerInfo *root, Node *argument)
{
	return root ? estimate_expression_value(root, argument) : argument;
}

/* The argument k, as far as it is known: bigint, in views that were made with 0.1.0 integer; null is the default. */
static double
EstimateK(PlannerInfo *root, Node *argument)
{
	Const	   *value = (Const *) EstimatedValue(root, argument);

	if (!IsA(value, Const) || (value->consttype != INT8OID && value->consttype != INT4OID))
		return UNKNOWN_LENGTH;
	if (value->constisnull)
		return DEFAULT_K;
	return Max(value->consttype == INT8OID ? (double) DatumGetInt64(value->constvalue) : DatumGetInt32(value->constvalue), 1);
}

/* The number of elements of an array argument; unknown for a null, which means no array. */
static double
EstimateElements(PlannerInfo *root, Node *argument)
{
	Node	   *value = EstimatedValue(root, argument);

	if (IsA(value, Const))
	{
		Const	   *constant = (Const *) value;
		ArrayType  *array;

		if (constant->constisnull || !OidIsValid(get_base_element_type(constant->consttype)))
			return UNKNOWN_LENGTH;
		array = DatumGetArrayTypeP(constant->constvalue);
		return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	}
	if (IsA(value, ArrayExpr) && !((ArrayExpr *) value)->multidims)
		return list_length(((ArrayExpr *) value)->elements);
	return UNKNOWN_LENGTH;
}

/* The argument version: 0 where it is not known, or is left out, for the one that serves. */
static int32
EstimateVersion(PlannerInfo *root, Node *argument)
{
	Const	   *value = argument ? (Const *) EstimatedValue(root, argument) : NULL;

	if (value == NULL || !IsA(value, Const) || value->constisnull)
		return 0;
	return value->consttype == INT8OID ? (int32) DatumGetInt64(value->constvalue) :
		value->consttype == INT4OID ? DatumGetInt32(value->constvalue) : 0;
}

/*
 * The users or items that a call looks at, negative where it is not known which model it means: those of one
 * version, as its tables have the rows of all that are kept.
 */
static double
ModelRows(PlannerInfo *root, Node *argument, int32 version, bool users)
{
	Const	   *value = (Const *) EstimatedValue(root, argument);
	Model	   *model;

	if (!IsA(value, Const) || value->consttype != TEXTOID || !ActiveSnapshotSet())
		return -1;
	model = FindModel(value->constisnull ? NULL : TextDatumGetCString(value->constvalue));
	return model ? VersionRows(model, version > 0 ? version : model->version, users) : -1;
}

/* How many lists a call returns, and what it costs whatever their length. */
static void
EstimateScan(PlannerInfo *root, HeapTuple function, Node *model, int32 version, ListEstimate *list)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(function);

	list->lists = 1;
	list->operators = form->procost;
	for (int i = 0; model && i < (int) lengthof(scans); i++)
	{
		double		rows;

		if (strcmp(NameStr(form->proname), scans[i].function) != 0)
			continue;
		rows = ModelRows(root, model, version, scans[i].users);
		if (rows <= 0)
			continue;
		list->operators = scans[i].operators * rows;
		if (scans[i].list_each)
			list->lists = rows;
	}
}

/* Reads the arguments of a call of a function by their names; false where there are none to read. */
static bool
EstimateList(PlannerInfo *root, Oid function, Node *call, ListEstimate *list)
{
	HeapTuple	tuple;
	List	   *arguments;
	Node	   *k;
	Node	   *candidates;

	if (call == NULL || !IsA(call, FuncExpr))
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		return false;
	arguments = ((FuncExpr *) call)->args;
	k = NamedArgument(tuple, arguments, "k");
	candidates = NamedArgument(tuple, arguments, "candidates");
	list->k = k ? EstimateK(root, k) : UNKNOWN_LENGTH;
	list->candidates = candidates ? EstimateElements(root, candidates) : UNKNOWN_LENGTH;
	EstimateScan(root, tuple, NamedArgument(tuple, arguments, "model"),
				 EstimateVersion(root, NamedArgument(tuple, arguments, "version")), list);
	ReleaseSysCache(tuple);
	return true;
}

/* The rows of a list; UNKNOWN_LENGTH leaves it to ROWS in the script. */
static double
ListRows(const ListEstimate *list)
{
	if (list->candidates < 0)
		return list->k < 0 ? UNKNOWN_LENGTH : clamp_row_est(list->lists * list->k);
	return clamp_row_est(list->lists * Min(list->candidates, list->k < 0 ? DEFAULT_K : list->k));
}

/* Answers how many rows a call returns; false leaves it to ROWS in the script. */
static bool
EstimateRows(SupportRequestRows *request)
{
	ListEstimate list;

	if (!EstimateList(request->root, request->funcid, request->node, &list) || ListRows(&list) < 0)
		return false;
	request->rows = ListRows(&list);
	return true;
}

/* Answers what a call costs; false leaves it to COST in the script. */
static bool
EstimateCost(SupportRequestCost *request)
{
	ListEstimate list;

	if (!EstimateList(request->root, request->funcid, request->node, &list))
		return false;
	request->startup = 0;
	request->per_tuple = cpu_operator_cost *
		(list.operators + ROW_OPERATORS * Max(ListRows(&list) - DEFAULT_K, 0) +
		 CANDIDATE_OPERATORS * Max(list.candidates, 0));
	return true;
}

/*
 * mf_serve_support(internal) internal: rows and cost of a function that returns a list, for the planner; null
 * for whatever else it asks, and where a call says nothing.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_serve_support);
Datum
mf_serve_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	bool		answered = false;

	if (IsA(request, SupportRequestRows))
		answered = EstimateRows((SupportRequestRows *) request);
	else if (IsA(request, SupportRequestCost))
		answered = EstimateCost((SupportRequestCost *) request);
	PG_RETURN_POINTER(answered ? request : NULL);
}

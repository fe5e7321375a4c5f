/*
 * fn_node.c - calls by which the nodes of a Citus cluster train together: mfrec.node_take, mfrec.node_receive,
 * mfrec.node_run, mfrec.driver_send.
 *
 * They come from the driver of a training (src/distributed), in queries that Citus takes to the nodes, as the role that
 * trains, so anybody may call them where there is Citus, and nobody elsewhere.  Whoever else calls them reaches only
 * what the same role has in the same transaction, and gets an error where a step does not fit.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "distributed/driver.h"
#include "distributed/node.h"
#include "pg/citus.h"
#include "sql/args.h"

/* Arguments of mfrec.node_take before the columns. */
#define COLUMNS_FROM 5

/* The training that a call takes rows into, and the turn in which it began to. */
typedef struct NodeTaking
{
	NodeState  *state;
	int64		turn;
} NodeTaking;

/* What the second argument of mfrec.node_take says. */
#define TAKES_RATINGS 1
#define TAKES_VALUE 2
#define TAKES_WEIGHT 4
#define TAKES_TIME 8
#define TAKES_EVENT 16

/* An error where the database is no node of a cluster: no training comes here. */
static void
CheckCluster(void)
{
	if (!HasCitus())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database is no node of a Citus cluster"),
				 errdetail("By this function nodes of a cluster train together."),
				 errhint("Train with mf_train().")));
}

/* The type of ids in an argument's column. */
static void
ArgumentIdType(FunctionCallInfo fcinfo, int place, IdType *idtype)
{
	Node	   *call = fcinfo->flinfo->fn_expr;
	List	   *args = call && IsA(call, FuncExpr) ? ((FuncExpr *) call)->args : NIL;
	Node	   *arg = place < list_length(args) ? list_nth(args, place) : NULL;

	if (arg == NULL || !OidIsValid(getBaseType(exprType(arg))))
		NodeStepIsWrong();
	InitIdType(idtype, exprType(arg), exprTypmod(arg), exprCollation(arg));
}

/* Whether a value of a type can be read as a number, or as a time. */
static bool
IsNumber(Oid type, bool or_time)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return true;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return or_time;
		default:
			return false;
	}
}

/* Prepares a training for the columns of a call, where it is new; else an error unless it takes columns like these. */
static void
BeginTakingColumns(FunctionCallInfo fcinfo, NodeState *state)
{
	int			flags = PG_GETARG_INT32(1);
	NodeSource	source = {
		.is_explicit = (flags & TAKES_RATINGS) != 0,
		.has_value = (flags & TAKES_VALUE) != 0,
		.has_weight = (flags & TAKES_WEIGHT) != 0,
		.has_time = (flags & TAKES_TIME) != 0,
		.has_event = (flags & TAKES_EVENT) != 0,
		.half_life = PG_GETARG_FLOAT8(2),
		.name = text_to_cstring(PG_GETARG_TEXT_PP(3)),
		.time_name = text_to_cstring(PG_GETARG_TEXT_PP(4))
	};
	int			numbers = source.has_value + source.has_weight + source.has_time;
	int			more = numbers + source.has_event;
	Oid			types[4];
	IdType		user;
	IdType		item;

	if (PG_NARGS() != COLUMNS_FROM + 2 + more || (source.is_explicit && !source.has_value) || !(source.half_life >= 0))
		NodeStepIsWrong();
	ArgumentIdType(fcinfo, COLUMNS_FROM, &user);
	ArgumentIdType(fcinfo, COLUMNS_FROM + 1, &item);
	for (int i = 0; i < more; i++)
	{
		types[i] = getBaseType(get_fn_expr_argtype(fcinfo->flinfo, COLUMNS_FROM + 2 + i));
		if (i < numbers && !IsNumber(types[i], source.has_time && i == numbers - 1))
			NodeStepIsWrong();
	}
	if (state->intake == NULL)
		BeginTaking(state, &source, &user, &item, types);
	else if (!TakesColumns(state, &source, &user, &item, types))
		NodeStepIsWrong();
}

/* The training of a call, which takes rows. */
static NodeState *
TakingState(FunctionCallInfo fcinfo)
{
	int64		job;
	NodeState  *state;

	CheckCluster();
	for (int i = 0; i < COLUMNS_FROM; i++)
		if (PG_NARGS() <= COLUMNS_FROM || PG_ARGISNULL(i))
			NodeStepIsWrong();
	job = PG_GETARG_INT64(0);
	state = FindNodeState(job);
	if (state == NULL)
		state = OpenNodeState(job);
	else if (state->phase != NODE_TAKES || state->empty)
		NodeStepIsWrong();
	BeginTakingColumns(fcinfo, state);
	return state;
}

/*
 * mfrec.node_take(job bigint, flags integer, half_life float8, name text, time_name text, VARIADIC "any"): takes a row
 * of a source into a training on this node; returns 1.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mfrec_node_take);
Datum
mfrec_node_take(PG_FUNCTION_ARGS)
{
	NodeTaking *taking = fcinfo->flinfo->fn_extra;
	int			n = PG_NARGS() - COLUMNS_FROM;
	Datum		values[FUNC_MAX_ARGS];
	bool		nulls[FUNC_MAX_ARGS];

	if (taking == NULL)
	{
		taking = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(NodeTaking));
		taking->state = TakingState(fcinfo);
		taking->turn = taking->state->turn;
		fcinfo->flinfo->fn_extra = taking;
	}
	else if (PG_ARGISNULL(0) || FindNodeState(PG_GETARG_INT64(0)) != taking->state ||
			 taking->state->turn != taking->turn)
		NodeStepIsWrong();		/* which other calls of the query, or of others, have changed */
	for (int i = 0; i < n; i++)
	{
		nulls[i] = PG_ARGISNULL(COLUMNS_FROM + i);
		values[i] = PG_GETARG_DATUM(COLUMNS_FROM + i);
	}
	TakeNodeRow(taking->state, values, nulls, n);
	PG_RETURN_INT64(1);
}

/* mfrec.node_receive(job bigint, chunk bytea): takes a chunk that the driver has sent; returns 1. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mfrec_node_receive);
Datum
mfrec_node_receive(PG_FUNCTION_ARGS)
{
	bytea	   *chunk = PG_GETARG_BYTEA_P(1);

	CheckCluster();
	ReceiveChunk(PG_GETARG_INT64(0), chunk);
	PG_FREE_IF_COPY(chunk, 1);
	PG_RETURN_INT64(1);
}

/* mfrec.node_run(job bigint, node integer, step text, argument bytea): runs a step of a training; chunks of its answer. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mfrec_node_run);
Datum
mfrec_node_run(PG_FUNCTION_ARGS)
{
	FuncCallContext *context;
	NodeAnswer *answer;
	bytea	   *chunk;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		CheckCluster();
		context = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(context->multi_call_memory_ctx);
		context->user_fctx = answer = palloc0(sizeof(NodeAnswer));
		BeginNodeStep(answer, PG_GETARG_INT64(0), PG_GETARG_INT32(1), text_to_cstring(PG_GETARG_TEXT_PP(2)),
					  PG_GETARG_BYTEA_P_COPY(3));
		MemoryContextSwitchTo(old);
	}
	context = SRF_PERCALL_SETUP();
	answer = context->user_fctx;
	chunk = NextNodeChunk(answer);
	if (chunk == NULL)
		SRF_RETURN_DONE(context);
	SRF_RETURN_NEXT(context, PointerGetDatum(chunk));
}

/* mfrec.driver_send(job bigint): chunks that the driver of a training in this session sends to its nodes. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mfrec_driver_send);
Datum
mfrec_driver_send(PG_FUNCTION_ARGS)
{
	FuncCallContext *context;
	bytea	   *chunk;

	if (SRF_IS_FIRSTCALL())
	{
		CheckCluster();
		context = SRF_FIRSTCALL_INIT();
		context->user_fctx = FindSending(PG_GETARG_INT64(0));
	}
	context = SRF_PERCALL_SETUP();
	chunk = NextSent(context->user_fctx);
	if (chunk == NULL)
		SRF_RETURN_DONE(context);
	SRF_RETURN_NEXT(context, PointerGetDatum(chunk));
}

/*
 * node_state.c - what a node has of a training while it runs: opened with its first row, found again by each step.
 *
 * Steps are calls from queries that Citus sends to this session, one after the other in one transaction.  What they
 * leave for the next is in memory of the transaction, and temporary files are its own, not the query's: they go with
 * it however it ends.  A user finds none but the own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "distributed/node_state.h"
#include "pg/core_call.h"

/* Trainings that run here in this transaction: one, but for curious callers. */
static NodeState *states = NULL;

/* Turns of all trainings of this session so far. */
static int64 turns = 0;

/* Context callback: the training's memory goes. */
static void
ForgetState(void *arg)
{
	for (NodeState **link = &states; *link; link = &(*link)->next)
		if (*link == arg)
		{
			*link = (*link)->next;
			break;
		}
}

/* Until LeaveNode(), what is allocated and opened is the training's. */
void
EnterNode(NodeState *state, NodeCall *call)
{
	call->context = MemoryContextSwitchTo(state->context);
	call->owner = CurrentResourceOwner;
	CurrentResourceOwner = CurTransactionResourceOwner;
}

/* What EnterNode() has changed is as before. */
void
LeaveNode(const NodeCall *call)
{
	CurrentResourceOwner = call->owner;
	MemoryContextSwitchTo(call->context);
}

/* The error of a step that does not come when and as a training sends it. */
void
NodeStepIsWrong(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("this session takes no such part in a training"),
			 errdetail("What a training has on a node is in one session, and it was asked another one, or in another order."),
			 errhint("Train in a transaction of its own, with mf_train().")));
}

/*
 * The caller's training of that number, or NULL.  Another subtransaction has none: what it would take could be taken
 * back without the rest, and temporary files end with the one that opened them, even where its memory stays.
 */
NodeState *
FindNodeState(int64 job)
{
	NodeState  *state = states;

	while (state && (state->job != job || state->user != GetUserId() || state->began != GetCurrentSubTransactionId()))
		state = state->next;
	return state;
}

/*
 * A step begins, or the training itself.  As turns are not given twice, whoever keeps a state between calls knows by
 * its turn that it is still the same: another one may lie where it was.
 */
void
BeginNodeTurn(NodeState *state)
{
	state->turn = ++turns;
}

/* A training that begins on this node. */
NodeState *
OpenNodeState(int64 job)
{
	MemoryContext context = AllocSetContextCreate(CurTransactionContext, "mfrec node", ALLOCSET_DEFAULT_SIZES);
	NodeState  *state = MemoryContextAllocZero(context, sizeof(NodeState));
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));

	state->job = job;
	state->user = GetUserId();
	state->began = GetCurrentSubTransactionId();
	state->context = context;
	BeginNodeTurn(state);
	state->next = states;
	states = state;
	callback->func = ForgetState;
	callback->arg = state;
	MemoryContextRegisterResetCallback(context, callback);
	InitParallel(&state->parallel);
	return state;
}

/*
 * Prepares for the rows of a source, with these types of ids and of the columns behind them (as many as there are:
 * value, weight, time, kind of event).  The source is not opened: rows come as arguments, from whichever shard, so
 * columns have only to be there or not, and the name of the source is for messages.
 */
void
BeginTaking(NodeState *state, const NodeSource *source, const IdType *user, const IdType *item, const Oid *types)
{
	Source	   *to = &state->source;
	NodeCall	call;

	EnterNode(state, &call);
	to->name = pstrdup(source->name);
	to->feedback = source->is_explicit ? FEEDBACK_EXPLICIT : FEEDBACK_IMPLICIT;
	to->relevant = -1;
	to->user_column = to->item_column = to->name;
	InitIdType(&to->user, user->type, user->typmod, user->collation);
	InitIdType(&to->item, item->type, item->typmod, item->collation);
	if (source->has_value)
	{
		to->value_column = to->name;
		to->value_type = *types++;
	}
	if (source->has_weight)
	{
		to->weight_column = to->name;
		to->weight_type = *types++;
	}
	if (source->has_time)
	{
		to->time_column = pstrdup(source->time_name);
		to->time_type = *types++;
	}
	if (source->has_event && state->events == NULL)
		NodeStepIsWrong();
	if (source->has_event)
	{
		to->event_column = to->name;
		OpenEventKinds(&to->events, to->name, *types++, state->events, to->name, "event_column");
	}
	state->intake = OpenPartStream(to, source->half_life, &state->parallel);
	LeaveNode(&call);
}

/*
 * Whether rows of a source with these columns are of the kind that a training takes: it reads all of them alike, from
 * whichever shard, so what BeginTaking() was told must be so of each call.
 */
bool
TakesColumns(const NodeState *state, const NodeSource *source, const IdType *user, const IdType *item, const Oid *types)
{
	const Source *to = &state->source;

	if (user->type != to->user.type || item->type != to->item.type ||
		source->is_explicit != (to->feedback == FEEDBACK_EXPLICIT) || source->has_value != (to->value_column != NULL) ||
		source->has_weight != (to->weight_column != NULL) || source->has_time != (to->time_column != NULL) ||
		source->has_event != (to->event_column != NULL))
		return false;
	return (!source->has_value || *types++ == to->value_type) &&
		(!source->has_weight || *types++ == to->weight_type) && (!source->has_time || *types++ == to->time_type) &&
		(!source->has_event || *types == to->events.type);
}

/*
 * Takes a row of the source, the columns as BeginTaking() has them.  A row that is no rating, and cannot be passed
 * over, is an error at once.
 */
void
TakeNodeRow(NodeState *state, const Datum *values, const bool *nulls, int natts)
{
	NodeCall	call;

	EnterNode(state, &call);
	AddPartRow(state->intake, values, nulls, natts);
	state->taken++;
	LeaveNode(&call);
}

/*
 * The training has ended: its memory and files go.  The state's own context may be the current one, which cannot be
 * deleted; LeaveNode() has the caller's.  Its callback takes the training off the list.
 */
void
FreeNodeState(NodeState *state)
{
	if (state->phase >= NODE_SORTED)
		FreeRatings(state->ratings);
	MemoryContextSwitchTo(TopTransactionContext);
	MemoryContextDelete(state->context);
}

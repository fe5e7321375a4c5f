/*
 * node_take.c - the rows of a table's shard, as a node reads them.
 *
 * A shard is an ordinary table (pg/placement.c), so its rows are read as those of any table: as a query of the columns says,
 * by the caller's privileges and row security, and without the executor where that comes to no more than columns.  Rows
 * of views come by mfrec.node_take(), one by one.
 */
#include "postgres.h"

#include "compat.h"
#include "distributed/node_take.h"
#include "pg/placement.h"

/* The name of a column; NULL where the source has none. */
static char *
ColumnName(TakeArgument *argument, int column)
{
	argument->column[column][NAMEDATALEN - 1] = '\0';
	return argument->column[column][0] ? pstrdup(argument->column[column]) : NULL;
}

/* The shard as a source, by the names that the driver has sent. */
static void
OpenShardSource(const NodeState *state, TakeArgument *argument, Oid relid, Source *source)
{
	SourceColumns columns = {.kept = true,.feedback = argument->is_explicit ? FEEDBACK_EXPLICIT : FEEDBACK_IMPLICIT,
		.user = ColumnName(argument, 0),.item = ColumnName(argument, 1),.rating = ColumnName(argument, 2),.rating_named = true,
		.weight = ColumnName(argument, 3),.time = ColumnName(argument, 4),.event = ColumnName(argument, 5),
		.events = (EventWeights *) state->events};

	if (columns.user == NULL || columns.item == NULL || (argument->is_explicit && columns.rating == NULL) ||
		(columns.event && columns.events == NULL) || !(argument->half_life >= 0))
		NodeStepIsWrong();
	OpenSource(source, relid, &columns);
}

/* Whether another shard of the same training has columns of the same types: rows of all shards are taken alike. */
static bool
SameTypes(const Source *a, const Source *b)
{
	return a->user.type == b->user.type && a->item.type == b->item.type && a->feedback == b->feedback &&
		a->value_type == b->value_type && a->weight_type == b->weight_type && a->time_type == b->time_type &&
		(a->event_column != NULL) == (b->event_column != NULL) && a->events.type == b->events.type;
}

/* STEP_TAKE: all rows of a shard.  The node's number is the shard's for it.  Argument: TakeArgument and shards. */
void
BeginTake(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	TakeArgument argument;
	Source		source;
	StringInfoData sql;
	int64		shard;

	StepArgument(answer, &argument, sizeof(argument));
	if (answer->node < 0 || answer->node >= argument.nshards || state->empty ||
		answer->bytes != sizeof(argument) + sizeof(int64) * argument.nshards)
		NodeStepIsWrong();
	argument.schema[NAMEDATALEN - 1] = argument.table[NAMEDATALEN - 1] = '\0';
	memcpy(&shard, answer->argument + sizeof(argument) + sizeof(int64) * answer->node, sizeof(int64));
	OpenShardSource(state, &argument, NamedShard(argument.schema, argument.table, shard), &source);
	initStringInfo(&sql);
	AppendSourceQuery(&sql, &source);
	if (state->intake == NULL)
	{
		state->source = source;
		state->source.name = pstrdup(argument.table);	/* for messages */
		state->intake = OpenPartStream(&state->source, argument.half_life, &state->parallel);
	}
	else if (!SameTypes(&source, &state->source))
		NodeStepIsWrong();
	answer->at = AddPartQuery(state->intake, sql.data, &(MfParallel) {.nthreads = 1});
	answer->next = NextTotal;
	state->taken += answer->at;
}

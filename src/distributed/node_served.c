/*
 * node_served.c - a stored version's users, read where they lie.
 *
 * By them a guard measures the version that serves, on the rows that are held out here.  Its items come from the driver,
 * where errors of ratings are summed here; its lists are made by the driver, which asks for users' vectors.
 */
#include "postgres.h"

#include "compat.h"
#include "distributed/node_served.h"
#include "distributed/node_store.h"
#include "pg/alloc.h"

/* Whether a user of here has a hash of a shard. */
static bool
HasUsersOf(const ShardRange *shard, const int32 *hash, int64 count)
{
	for (int64 u = 0; u < count; u++)
		if (hash[u] >= shard->min && hash[u] <= shard->max)
			return true;
	return false;
}

/* The chunk of STEP_SERVED: how many of the users of here the version has. */
static bytea *
NextServed(NodeAnswer *answer)
{
	return answer->state->served ? NextTotal(answer) : NULL;
}

/* Room for the version's factors, in a memory context of their own, from what the argument has behind its shards. */
static void
MakeServed(const NodeAnswer *answer, Size shards)
{
	NodeState  *state = answer->state;
	ServedArgument argument;
	Size		floats = answer->bytes - shards - sizeof(argument);
	int			d;
	float	   *mean;
	MemoryContext old;

	memcpy(&argument, answer->argument + shards, sizeof(argument));
	d = mf_dimensions(&argument.objective);
	if (argument.objective.factors < 1 || argument.objective.factors > MF_MAX_FACTORS ||
		argument.objective.rating_factors < 0 || d > MF_MAX_FACTORS || floats != sizeof(float) * d)
		NodeStepIsWrong();
	old = MemoryContextSwitchTo(AllocSetContextCreate(state->context, "mfrec served version", ALLOCSET_DEFAULT_SIZES));
	mean = palloc(floats);
	memcpy(mean, answer->argument + shards + sizeof(argument), floats);
	state->served = palloc0(sizeof(ServedFactors));
	*state->served = (ServedFactors) {.objective = argument.objective,.mean_user = mean,.mean_bias = argument.mean_bias};
	MakeServedFactors(state->served, state->problem.nusers, state->problem.nitems);
	MemoryContextSwitchTo(old);
}

/* What STEP_SERVED has taken goes. */
static void
FreeServed(NodeState *state)
{
	MemoryContextDelete(GetMemoryChunkContext(state->served));
	state->served = NULL;
}

/*
 * STEP_SERVED: from here on a stored version is measured.  Argument: StoreArgument, shards, ServedArgument and the mean
 * user; nothing: what is trained is measured again.
 */
void
BeginServed(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	StoreArgument argument;
	Size		shards;
	int32	   *hash;
	int64		count;

	if (state->empty)
		return;
	if (state->served)
		FreeServed(state);
	if (answer->bytes == 0)
		return;
	answer->next = NextServed;
	StepArgument(answer, &argument, sizeof(argument));
	shards = sizeof(StoreArgument) + sizeof(ShardRange) * Max(argument.nshards, 0);
	if (answer->bytes < shards + sizeof(ServedArgument))
		NodeStepIsWrong();
	TakeStoreArgument(answer, &argument, answer->bytes - shards);
	MakeServed(answer, shards);
	hash = HashUsers(state, &count);
	for (int s = 0; s < argument.nshards; s++)
	{
		ShardRange	shard = StoredShard(answer, s);

		if (HasUsersOf(&shard, hash, state->problem.nusers))
			answer->at += LoadServedSide(OpenStoredShard(&argument, &shard), argument.version, state->served,
										 state->ratings->users, true);
	}
	pfree(hash);
}

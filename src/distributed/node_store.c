/*
 * node_store.c - a node's users, stored where their ratings lie, and its copy of all items.
 *
 * The table of users is distributed as the source is, so a user's row belongs into a shard that is here.  A shard is an
 * ordinary table, written as any table of users is (model/factor_rows.c), in the transaction that Citus has begun here
 * and ends on all nodes or none.  The driver says which shards there are and which hashes they have.  Of items every node
 * has all rows, in one shard, for which the driver has all of them write alike.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "distributed/node_profiles.h"
#include "distributed/node_store.h"
#include "model/factor_rows.h"
#include "model/model_catalog.h"
#include "model/model_acl.h"
#include "pg/alloc.h"
#include "pg/placement.h"
#include "pg/progress.h"

/* A shard's table on this node, which must be the caller's. */
Oid
OpenStoredShard(const StoreArgument *argument, const ShardRange *shard)
{
	Oid			relid = NamedShard(argument->schema, argument->table, shard->shard);

	if (!OwnsRelation(relid))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
	return relid;
}

/*
 * The hashes of users, known ones and behind them those without a vector, as Citus has them: *count, in the order of
 * numbers.  Made once for all shards, as each shard looks through all of them.
 */
int32 *
HashUsers(const NodeState *state, int64 *count)
{
	const IdType *type = &state->source.user;
	const IdMap *known = state->ratings->users;
	const IdMap *unknown = state->ratings->unknown;
	TypeCacheEntry *entry = lookup_type_cache(type->base, TYPECACHE_HASH_PROC_FINFO);
	int32	   *hash;

	*count = known->count + (unknown ? unknown->count : 0);
	hash = HugeArray(*count, sizeof(int32));
	for (int64 u = 0; u < *count; u++)
	{
		int64		id = u < known->count ? IdAt(known, (int32) u) : IdAt(unknown, (int32) (u - known->count));

		hash[u] = DatumGetInt32(FunctionCall1Coll(&entry->hash_proc_finfo, type->collation, IdToDatum(type, id)));
	}
	return hash;
}

/* The numbers by which versions say what users have: of all items, of which cold ones are behind the others. */
static int32 *
NumberItems(const NodeState *state)
{
	int32	   *counts = HugeZeroArray(state->items->count, sizeof(int32));
	int32	   *numbers;

	memcpy(counts, state->item_counts, sizeof(int32) * state->problem.nitems);
	numbers = NumberByRatings(counts, state->items->count);
	pfree(counts);
	return numbers;
}

/* What is stored of users, all of them. */
static FactorRows
RowsOfUsers(NodeState *state, float mean_bias)
{
	const Ratings *ratings = state->ratings;
	FactorRows	rows = {
		.factors = state->problem.factors,
		.ids = ratings->users,
		.counts = state->user_counts,
		.bias = state->factors.user_bias,
		.spread = state->factors.user_spread,
		.vectors = state->factors.user,
		.fingerprints = ratings->fingerprints->user,
		.nfingerprints = state->problem.nusers,
		.unknown = ratings->unknown
	};

	PutProfiles(state, mean_bias, &rows);
	DropTiny(state->factors.user, ratings->users->count * (int64) mf_padded(state->problem.factors));
	DropTiny(state->factors.user_bias, ratings->users->count);
	return rows;
}

/* Stores the users whose hashes a shard has; returns how many these are. */
static int64
StoreShard(NodeState *state, const StoreArgument *argument, const ShardRange *shard, const int32 *hash, int64 count,
		   int32 *numbers, FactorRows rows)
{
	Ratings    *ratings = state->ratings;
	int32	   *chosen = HugeArray(count, sizeof(int32));
	SeenRows	seen;
	int64		last = argument->with_seen ? count : ratings->users->count;

	rows.chosen = chosen;
	for (int64 u = 0; u < last; u++)
		if (hash[u] >= shard->min && hash[u] <= shard->max)
			chosen[rows.nchosen++] = (int32) u;
	if (rows.nchosen > 0)
	{
		OpenSeenRows(&seen, &ratings->by_user, ratings->others, numbers, state->items->count);
		rows.seen = &seen;
		StoreFactors(OpenStoredShard(argument, shard), USER_ID, argument->version, &rows, argument->with_seen);
	}
	pfree(chosen);
	return rows.nchosen;
}

/* The argument of a step that names shards, with `more` bytes behind these. */
void
TakeStoreArgument(const NodeAnswer *answer, StoreArgument *argument, Size more)
{
	StepArgument(answer, argument, sizeof(StoreArgument));
	if (argument->nshards < 0 || answer->bytes != sizeof(StoreArgument) + sizeof(ShardRange) * argument->nshards + more)
		NodeStepIsWrong();
	argument->schema[NAMEDATALEN - 1] = argument->table[NAMEDATALEN - 1] = '\0';
}

/* Its shard number `s`. */
ShardRange
StoredShard(const NodeAnswer *answer, int s)
{
	ShardRange	shard;

	memcpy(&shard, answer->argument + sizeof(StoreArgument) + sizeof(ShardRange) * s, sizeof(ShardRange));
	return shard;
}

/* STEP_STORE: users' rows.  Argument: StoreArgument and shards. */
void
BeginStore(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	StoreArgument argument;
	FactorRows	rows;
	int32	   *numbers;
	int32	   *hash;
	int64		count;

	answer->next = NextTotal;
	if (state->empty)
		return;
	TakeStoreArgument(answer, &argument, 0);
	ReportPhase(PHASE_STORE);
	rows = RowsOfUsers(state, argument.mean_bias);
	numbers = NumberItems(state);
	hash = HashUsers(state, &count);
	for (int s = 0; s < argument.nshards; s++)
	{
		ShardRange	shard = StoredShard(answer, s);

		answer->at += StoreShard(state, &argument, &shard, hash, count, numbers, rows);
	}

	/*
	 * Ranges of all shards of all nodes leave no hash out.  So if a user is in none of them, the driver has the ranges
	 * of another table; if in one that is not here, OpenStoredShard() has said so.
	 */
	if (answer->at != (argument.with_seen ? count : state->ratings->users->count))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a user's ratings are on another node than the user"),
				 errdetail("The table of users is not distributed as the source is."),
				 errhint("Train again.")));
	pfree(numbers);
	pfree(hash);
}

/* What is stored of items: all there is of them anywhere, as it has come last. */
static FactorRows
RowsOfItems(const NodeState *state, int32 *numbers)
{
	const MfFactors *factors = &state->factors;

	return (FactorRows) {
		.factors = state->problem.factors,
		.ids = state->items,
		.counts = state->item_counts,
		.bias = factors->item_bias,
		.vectors = factors->interest ? factors->interest : factors->rating,
		.rating_vectors = factors->interest ? factors->rating : NULL,
		.numbers = numbers,
		.fingerprints = state->item_fingerprints,
		.nfingerprints = state->problem.nitems,
		.trends = state->item_trends
	};
}

/*
 * STEP_STORE_ITEMS: items' rows, of which cold ones are not known here.  Argument: StoreArgument and the one shard that all
 * nodes have.
 */
void
BeginStoreItems(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	StoreArgument argument;
	ShardRange	shard;
	FactorRows	rows;
	int32	   *numbers;

	TakeStoreArgument(answer, &argument, 0);
	if (state->empty || argument.nshards != 1 || state->items->count != state->problem.nitems)
		NodeStepIsWrong();
	shard = StoredShard(answer, 0);
	ReportPhase(PHASE_STORE);
	numbers = NumberItems(state);
	rows = RowsOfItems(state, numbers);
	StoreFactors(OpenStoredShard(&argument, &shard), ITEM_ID, argument.version, &rows, argument.with_seen);
	pfree(numbers);
	answer->at = state->problem.nitems;
	answer->next = NextTotal;
}

/*
 * cluster.c - where the shards of a table lie, as Citus's catalog of this node has it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "tcop/dest.h"

#include "compat.h"
#include "distributed/cluster.h"
#include "pg/spi_query.h"

/*
 * Columns as ShardReceiver takes them.  Only placements that are whole count (shardstate 1).  The order is that of
 * hashes, so that nodes, which are numbered as shards name them, have the same numbers in each training: sums over
 * nodes are made in that order.
 */
static const char *const shards_sql =
"SELECT s.shardid, s.shardminvalue::pg_catalog.int4, s.shardmaxvalue::pg_catalog.int4,"
" pg_catalog.min(p.groupid)::pg_catalog.int4, pg_catalog.count(*)::pg_catalog.int4, t.colocationid::pg_catalog.int4"
" FROM pg_catalog.pg_dist_shard s, pg_catalog.pg_dist_placement p, pg_catalog.pg_dist_partition t"
" WHERE s.logicalrelid OPERATOR(pg_catalog.=) $1 AND t.logicalrelid OPERATOR(pg_catalog.=) $1"
" AND p.shardid OPERATOR(pg_catalog.=) s.shardid AND p.shardstate OPERATOR(pg_catalog.=) 1"
" GROUP BY 1, 2, 3, 6 ORDER BY 2";

/* Receives shards. */
typedef struct ShardReceiver
{
	DestReceiver pub;
	MemoryContext context;
	Shards	   *shards;
} ShardReceiver;

/* Takes a row. */
static bool
ReceiveShard(TupleTableSlot *slot, DestReceiver *self)
{
	ShardReceiver *receiver = (ShardReceiver *) self;
	Shards	   *shards = receiver->shards;
	const Datum *values;

	slot_getallattrs(slot);
	values = slot->tts_values;
	if (shards->shard == NULL)
		shards->shard = MemoryContextAlloc(receiver->context, sizeof(Shard));
	else
		shards->shard = repalloc(shards->shard, sizeof(Shard) * (shards->count + 1));
	shards->shard[shards->count++] = (Shard) {
		{DatumGetInt64(values[0]), DatumGetInt32(values[1]), DatumGetInt32(values[2])},
		DatumGetInt32(values[3]), DatumGetInt32(values[4])
	};
	shards->colocation = DatumGetInt32(values[5]);
	return true;
}

/*
 * The shards of a table that is distributed by hash, palloc'd in the current memory context.  None (count 0) of a table
 * that Citus does not distribute.
 */
Shards *
ReadShards(Oid relid)
{
	ShardReceiver receiver = {.pub.receiveSlot = ReceiveShard,.context = CurrentMemoryContext,.shards = palloc0(sizeof(Shards))};

	RunQuery(shards_sql, REGCLASSOID, ObjectIdGetDatum(relid), false, &receiver.pub);
	return receiver.shards;
}

/* Also of those that are not whole, and so cannot be written to: who looks for all of them must not pass over any. */
static const char *const placements_sql =
"SELECT p.groupid::pg_catalog.int4 FROM pg_catalog.pg_dist_placement p"
" WHERE p.shardid OPERATOR(pg_catalog.=) $1 ORDER BY 1";

/* Receives placements. */
typedef struct PlacementReceiver
{
	DestReceiver pub;
	MemoryContext context;
	Placements *placements;
} PlacementReceiver;

/* Takes a row. */
static bool
ReceivePlacement(TupleTableSlot *slot, DestReceiver *self)
{
	PlacementReceiver *receiver = (PlacementReceiver *) self;
	Placements *placements = receiver->placements;

	slot_getallattrs(slot);
	if (placements->group == NULL)
		placements->group = MemoryContextAlloc(receiver->context, sizeof(int32));
	else
		placements->group = repalloc(placements->group, sizeof(int32) * (placements->count + 1));
	placements->group[placements->count++] = DatumGetInt32(slot->tts_values[0]);
	return true;
}

/* Where all placements of a shard are, palloc'd in the current memory context. */
Placements *
ReadPlacements(int64 shard)
{
	PlacementReceiver receiver = {.pub.receiveSlot = ReceivePlacement,.context = CurrentMemoryContext,
	.placements = palloc0(sizeof(Placements))};

	RunQuery(placements_sql, INT8OID, Int64GetDatum(shard), false, &receiver.pub);
	return receiver.placements;
}

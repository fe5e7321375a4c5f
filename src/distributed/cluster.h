/*
 * cluster.h - where the shards of a table lie.
 */
#ifndef MFREC_CLUSTER_H
#define MFREC_CLUSTER_H

#include "distributed/node_protocol.h"

/*
 * A shard, its one node, and the hashes of its rows.  A shard of more than one placement is on several nodes, of which
 * `group` is then but one: such tables are refused, see WhyNotDistributed().
 */
typedef struct Shard
{
	ShardRange	range;
	int32		group;			/* of nodes, as Citus numbers them */
	int32		placements;
} Shard;

/* The shards of a table that is distributed by hash, in the order of hashes. */
typedef struct Shards
{
	int32		colocation;		/* of tables that are distributed alike */
	int			count;
	Shard	   *shard;
} Shards;

/* The nodes that have a shard. */
typedef struct Placements
{
	int			count;
	int32	   *group;			/* of nodes */
} Placements;

extern Shards *ReadShards(Oid relid);
extern Placements *ReadPlacements(int64 shard);

#endif

/*
 * node_store.h - a node's users, stored where their ratings lie.
 */
#ifndef MFREC_NODE_STORE_H
#define MFREC_NODE_STORE_H

#include "distributed/node_answer.h"

extern Oid	OpenStoredShard(const StoreArgument *argument, const ShardRange *shard);
extern int32 *HashUsers(const NodeState *state, int64 *count);
extern void TakeStoreArgument(const NodeAnswer *answer, StoreArgument *argument, Size more);
extern ShardRange StoredShard(const NodeAnswer *answer, int s);
extern void BeginStore(NodeAnswer *answer);
extern void BeginStoreItems(NodeAnswer *answer);

#endif

/*
 * node_read.h - a node's rows: what was taken of them, the items that they name, and both orders.
 */
#ifndef MFREC_NODE_READ_H
#define MFREC_NODE_READ_H

#include "distributed/node_answer.h"

extern void BeginOpen(NodeAnswer *answer);
extern void BeginItems(NodeAnswer *answer);
extern void BeginTimes(NodeAnswer *answer);
extern void BeginSort(NodeAnswer *answer);
extern void ReceiveIds(NodeState *state, IdMap *items, const ChunkHeader *header, const char *data, Size bytes);

#endif

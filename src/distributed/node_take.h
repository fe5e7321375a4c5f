/*
 * node_take.h - the rows of a table's shard, as a node reads them.
 */
#ifndef MFREC_NODE_TAKE_H
#define MFREC_NODE_TAKE_H

#include "distributed/node_answer.h"

extern void BeginTake(NodeAnswer *answer);

#endif

/*
 * node.h - the steps of a training on a node, as its driver asks for them.
 */
#ifndef MFREC_NODE_H
#define MFREC_NODE_H

#include "distributed/node_answer.h"

extern void BeginNodeStep(NodeAnswer *answer, int64 job, int node, const char *step, const bytea *argument);
extern bytea *NextNodeChunk(NodeAnswer *answer);
extern void ReceiveChunk(int64 job, const bytea *chunk);

#endif

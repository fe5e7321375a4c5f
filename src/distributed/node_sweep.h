/*
 * node_sweep.h - a node's half-sweeps: its users solved, and its part of what items are solved from.
 */
#ifndef MFREC_NODE_SWEEP_H
#define MFREC_NODE_SWEEP_H

#include "distributed/node_answer.h"

extern void BeginProblem(NodeAnswer *answer);
extern void BeginUsers(NodeAnswer *answer);
extern void BeginSums(NodeAnswer *answer);
extern void BeginErrors(NodeAnswer *answer);
extern void BeginItemRows(NodeState *state);
extern void CheckItems(const NodeState *state, const SumsArgument *argument);
extern MfRows NextItemRows(NodeState *state, int64 end);

#endif

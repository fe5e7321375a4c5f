/*
 * node_store.h - a node's users, stored where their ratings lie.
 */
#ifndef MFREC_NODE_STORE_H
#define MFREC_NODE_STORE_H

#include "distributed/node_answer.h"

extern void BeginStore(NodeAnswer *answer);

#endif

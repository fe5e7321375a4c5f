/*
 * node_items.h - what a node gives where items are solved by the driver: their cells once, then users' vectors.
 */
#ifndef MFREC_NODE_ITEMS_H
#define MFREC_NODE_ITEMS_H

#include "distributed/node_answer.h"

extern void BeginItemCells(NodeAnswer *answer);
extern void BeginUserVectors(NodeAnswer *answer);

#endif

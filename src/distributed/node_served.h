/*
 * node_served.h - a stored version's users, read where they lie.
 */
#ifndef MFREC_NODE_SERVED_H
#define MFREC_NODE_SERVED_H

#include "distributed/node_answer.h"

extern void BeginServed(NodeAnswer *answer);

#endif

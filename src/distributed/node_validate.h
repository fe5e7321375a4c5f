/*
 * node_validate.h - rows of a node that are held out: whose they are, and how good factors are on them.
 */
#ifndef MFREC_NODE_VALIDATE_H
#define MFREC_NODE_VALIDATE_H

#include "distributed/node_answer.h"

extern void BeginHeldOut(NodeAnswer *answer);
extern void BeginHeldRows(NodeAnswer *answer);
extern void BeginHeldErrors(NodeAnswer *answer);

#endif

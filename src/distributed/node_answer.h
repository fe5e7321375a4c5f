/*
 * node_answer.h - a step of a training on a node, and the chunks that it gives.
 */
#ifndef MFREC_NODE_ANSWER_H
#define MFREC_NODE_ANSWER_H

#include "distributed/node_state.h"

/* The chunks that a step gives, one after the other. */
typedef struct NodeAnswer
{
	NodeState  *state;			/* NULL: it has ended */
	int64		job;
	int64		turn;			/* the step's, of the state's */
	int			node;
	bytea	   *(*next) (struct NodeAnswer *answer); /* the next chunk, palloc'd; NULL: there are no more */
	const char *argument;		/* of the step, and its bytes */
	Size		bytes;
	int			part;			/* how far it is: in the kinds of chunks, and within one */
	int64		at;
} NodeAnswer;

extern void StepArgument(const NodeAnswer *answer, void *to, Size size);
extern bytea *NextTotal(NodeAnswer *answer);

#endif

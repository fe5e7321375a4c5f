/*
 * node_answer.c - what steps of a training on a node have in common: arguments, and an answer of one number.
 */
#include "postgres.h"

#include "distributed/node_answer.h"

/* The argument of a step, which begins with a struct of so many bytes; an error where it is shorter. */
void
StepArgument(const NodeAnswer *answer, void *to, Size size)
{
	if (answer->bytes < size)
		NodeStepIsWrong();
	memcpy(to, answer->argument, size);
}

/* The chunk of a step that answers with a total, answer->at: of rows that it took, say, or stored. */
bytea *
NextTotal(NodeAnswer *answer)
{
	if (answer->part++ > 0)
		return NULL;
	return MakeChunk(answer->node, CHANNEL_RESULT, 0, 0, &answer->at, sizeof(answer->at));
}

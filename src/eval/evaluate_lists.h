/*
 * evaluate_lists.h - the lists of a block's users, and the order of all items.
 */
#ifndef MFREC_EVALUATE_LISTS_H
#define MFREC_EVALUATE_LISTS_H

#include "eval/evaluate_block.h"

extern void JudgeLists(Evaluation *e);

#endif

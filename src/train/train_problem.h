/*
 * train_problem.h - what a training minimises: constants by preset and argument, regularization by row.
 */
#ifndef MFREC_TRAIN_PROBLEM_H
#define MFREC_TRAIN_PROBLEM_H

#include "train/training.h"

extern void SettleObjective(Training *t);
extern void StateProblem(Training *t);

#endif

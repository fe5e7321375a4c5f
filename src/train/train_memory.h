/*
 * train_memory.h - what a training needs of memory for its factors, and whether it may have it.
 */
#ifndef MFREC_TRAIN_MEMORY_H
#define MFREC_TRAIN_MEMORY_H

#include "core/als/als.h"
#include "features/features.h"
#include "source/ratings.h"

extern int64 FactorBytes(const MfProblem *problem, bool validation, const MfParallel *parallel);
extern int64 ItemMapBytes(const MfProblem *problem, const Features *features, const MfParallel *parallel);
extern void CheckFactorMemory(const MfProblem *problem, const Ratings *ratings, const Features *features,
							  const Features *user_features, const MfParallel *parallel);

#endif

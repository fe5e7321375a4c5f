/*
 * train_memory.h - what a training needs of memory for its factors, and whether it may have it.
 */
#ifndef MFREC_TRAIN_MEMORY_H
#define MFREC_TRAIN_MEMORY_H

#include "core/als/als.h"
#include "core/als/objective.h"
#include "ids/id_map.h"

extern int64 FactorBytes(const MfObjective *objective, int64 users, int64 items, bool validation,
						 const MfParallel *parallel);
extern void CheckFactorMemory(const MfObjective *objective, const IdMap *users, const IdMap *items,
							  const IdMap *unknown, bool validation, const MfParallel *parallel);

#endif

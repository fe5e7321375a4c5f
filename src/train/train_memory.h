/*
 * train_memory.h - what a training needs of memory and temporary disk, and whether it may have it.
 */
#ifndef MFREC_TRAIN_MEMORY_H
#define MFREC_TRAIN_MEMORY_H

#include "core/als/objective.h"
#include "ids/id_map.h"

extern int64 RatingsBudget(void);
extern int64 MemoryLimit(void);
extern int64 FactorBytes(const MfObjective *objective, int64 users, int64 items, bool validation,
						 const MfParallel *parallel);
extern void CheckDictionaries(const IdMap *users, const IdMap *items, int64 others);
extern void CheckImportedBytes(int64 bytes);
extern void CheckBudget(const MfObjective *objective, const IdMap *users, const IdMap *items, const IdMap *unknown,
						bool validation, const MfParallel *parallel);
extern void CheckListBudget(int64 needed, int64 users);

#endif

/*
 * memory_limit.h - how much memory trainings and lists of all users may take.
 */
#ifndef MFREC_MEMORY_LIMIT_H
#define MFREC_MEMORY_LIMIT_H

#include "compat.h"

extern int64 MaintenanceMemory(void);
extern int64 MemoryLimit(void);
pg_noreturn extern void TrainingExceedsMemory(int64 needed, const char *detail);

#endif

/*
 * direct_read.h - the rows of a source, from its tables.
 */
#ifndef MFREC_DIRECT_READ_H
#define MFREC_DIRECT_READ_H

#include "core/base/threads.h"
#include "read/row_batch.h"
#include "utils/snapshot.h"

/* Takes a batch of rows, which is the caller's. */
typedef void (*BatchFunction) (void *state, const RowBatch *batch);

extern bool ReadDirectly(RowTaker *taker, const char *sql, bool read_only, const MfParallel *parallel,
						 BatchFunction function, void *state);

#endif

/*
 * bulk_load.h - many rows into a table at once, around the executor as COPY does.
 */
#ifndef MFREC_BULK_LOAD_H
#define MFREC_BULK_LOAD_H

#include "executor/tuptable.h"
#include "utils/rel.h"

/* Fills a slot, all of whose columns are null so far, with row number `row`; what it allocates lives long enough. */
typedef void (*BulkRowFunction) (void *state, int64 row, TupleTableSlot *slot);

/* Sets a column of the row in a slot, by its attribute number. */
static inline void
SetBulkColumn(TupleTableSlot *slot, AttrNumber column, Datum value)
{
	slot->tts_isnull[column - 1] = false;
	slot->tts_values[column - 1] = value;
}

extern void BulkLoad(Relation rel, int64 count, BulkRowFunction function, void *state);

#endif

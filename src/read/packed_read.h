/*
 * packed_read.h - the rows of a source that Citus keeps on other nodes, many of them as one value.
 */
#ifndef MFREC_PACKED_READ_H
#define MFREC_PACKED_READ_H

#include "source/source.h"

/* Takes a row, whose columns are those of the source's query: false where there is no room for another one. */
typedef bool (*SourceRowFunction) (void *state, const Datum *values, const bool *nulls, int natts);

/* Rows taken so far are no longer there when this returns. */
typedef void (*SourceFlushFunction) (void *state);

extern bool ReadPacked(const Source *source, bool read_only, SourceRowFunction take, SourceFlushFunction flush, void *state);

#endif

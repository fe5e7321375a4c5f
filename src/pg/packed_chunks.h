/*
 * packed_chunks.h - the rows of a query on their way into packed values of a megabyte.
 */
#ifndef MFREC_PACKED_CHUNKS_H
#define MFREC_PACKED_CHUNKS_H

#include "pg/packed_rows.h"

/* Rows that one call of mfrec.pack_row() in one execution of a query has taken. */
typedef struct PackedChunks PackedChunks;

extern PackedChunks *OpenPackedChunks(MemoryContext query, int ncolumns, const Oid *types);
extern const PackedLayout *ChunksLayout(const PackedChunks *chunks);
extern int64 PackRow(PackedChunks *chunks, const Datum *values, const bool *nulls);
extern bytea *TakePackedChunk(MemoryContext query, int64 number);

#endif

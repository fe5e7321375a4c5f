/*
 * chunk_ids.h - ids of items or users that a node gets from its driver.
 */
#ifndef MFREC_CHUNK_IDS_H
#define MFREC_CHUNK_IDS_H

#include "ids/id_type.h"
#include "pg/packed_rows.h"

/* A chunk of ids that is read. */
typedef struct ChunkIds
{
	const IdType *type;
	PackedLayout layout;
	PackedReader reader;
	bytea	   *rows;
} ChunkIds;

extern void OpenChunkIds(ChunkIds *ids, const IdType *type, const char *data, Size bytes);
extern bool NextChunkId(ChunkIds *ids, int64 *id);
extern void CloseChunkIds(ChunkIds *ids);

#endif

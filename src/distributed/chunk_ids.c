/*
 * chunk_ids.c - ids of items or users that a node gets from its driver, as PackIds() has made chunks of them.
 */
#include "postgres.h"

#include "compat.h"
#include "distributed/chunk_ids.h"
#include "distributed/node_state.h"
#include "ids/id_map.h"

/* Begins to read a chunk's data: ids of a type.  An error where these are no packed rows of that length. */
void
OpenChunkIds(ChunkIds *ids, const IdType *type, const char *data, Size bytes)
{
	if (bytes < VARHDRSZ)
		NodeStepIsWrong();
	ids->type = type;
	InitPackedLayout(&ids->layout, 1, &type->base);
	ids->rows = palloc(bytes);	/* aligned as values in it have to be */
	memcpy(ids->rows, data, bytes);
	if (VARSIZE(ids->rows) != bytes)
		NodeStepIsWrong();
	ReadPackedRows(&ids->reader, &ids->layout, ids->rows);
}

/* The next id, which lives until CloseChunkIds(); false at the end. */
bool
NextChunkId(ChunkIds *ids, int64 *id)
{
	Datum		value;
	bool		isnull;

	if (!NextPackedRow(&ids->reader, &value, &isnull))
		return false;
	if (isnull)
		NodeStepIsWrong();
	*id = IdFromColumn(ids->type, value);
	return true;
}

/* Ends the reading. */
void
CloseChunkIds(ChunkIds *ids)
{
	pfree(ids->rows);
}

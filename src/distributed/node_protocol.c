/*
 * node_protocol.c - what a training on several nodes sends from one to the others and back: chunks.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "compat.h"
#include "distributed/node_protocol.h"
#include "pg/packed_rows.h"

/*
 * A chunk with so many bytes of data, which is copied (NULL: yet to be written), palloc'd.  node: whose it is, 0 of
 * the driver; first, count: of items, 0 of results.
 */
bytea *
MakeChunk(int node, Channel channel, int64 first, int64 count, const void *data, Size bytes)
{
	ChunkHeader header = {.protocol = NODE_PROTOCOL,.node = node,.channel = channel,.first = first,.count = count};
	bytea	   *chunk = palloc(VARHDRSZ + sizeof(ChunkHeader) + bytes);

	SET_VARSIZE(chunk, VARHDRSZ + sizeof(ChunkHeader) + bytes);
	memcpy(VARDATA(chunk), &header, sizeof(ChunkHeader));
	if (data != NULL && bytes > 0)
		memcpy(VARDATA(chunk) + sizeof(ChunkHeader), data, bytes);
	return chunk;
}

/* Where a chunk's data are, to be written. */
char *
ChunkData(bytea *chunk)
{
	return VARDATA(chunk) + sizeof(ChunkHeader);
}

/*
 * The data of a chunk, which is not toasted, and its header; data lie at a multiple of four bytes.  An error for what
 * is too short, of another version of the protocol, or of negative numbers.  As first + count may overflow, callers
 * compare count with what is left behind first.
 */
const char *
ReadChunk(const bytea *chunk, ChunkHeader *header, Size *bytes)
{
	Size		size = VARSIZE(chunk) - VARHDRSZ;

	if (size >= sizeof(ChunkHeader))
		memcpy(header, VARDATA(chunk), sizeof(ChunkHeader));
	if (size < sizeof(ChunkHeader) || header->protocol != NODE_PROTOCOL || header->first < 0 || header->count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("nodes do not understand each other"),
				 errdetail("Something has come from another node that mfrec does not send."),
				 errhint("Install the same version of mfrec on all nodes.")));
	*bytes = size - sizeof(ChunkHeader);
	return VARDATA(chunk) + sizeof(ChunkHeader);
}

/*
 * The next ids of a dictionary as a chunk, from number *at on, which is moved on; NULL at the end.  order: their
 * numbers in the order in which they go; NULL: as they are.  fingerprints: of each, to go with it; or NULL.
 */
bytea *
PackIds(const IdMap *ids, const int32 *order, const int64 *fingerprints, int node, Channel channel, int64 end, int64 *at)
{
	PackedLayout layout;
	PackedBuffer buffer = {0};
	Oid			types[2] = {ids->type->base, INT8OID};
	int64		first = *at;
	bytea	   *rows;
	bytea	   *chunk;

	if (first >= end)
		return NULL;
	InitPackedLayout(&layout, fingerprints ? 2 : 1, types);
	while (*at < end && buffer.length < CHUNK_BYTES)
	{
		Datum		values[2] = {IdToDatum(ids->type, IdAt(ids, order ? order[*at] : (int32) *at))};
		bool		nulls[2] = {false, false};

		if (fingerprints)
			values[1] = Int64GetDatum(fingerprints[*at]);
		AppendPackedRow(&buffer, &layout, values, nulls);
		(*at)++;
	}
	rows = FinishPackedRows(&buffer);
	chunk = MakeChunk(node, channel, first, *at - first, rows, VARSIZE(rows));
	pfree(rows);
	return chunk;
}

/*
 * driver_cells.c - cells of users' attributes on their way to nodes, in chunks.
 */
#include "postgres.h"

#include "compat.h"
#include "distributed/driver_state.h"

/* The rows of a part that go with the next chunk: as many as make up its size, one at least. */
static int64
RowsOfChunk(const MfRows *part)
{
	int64		n = 1;

	while (n < part->nrows && (part->start[n + 1] - part->start[0]) * 2 + n < CHUNK_BYTES / (int64) sizeof(int32))
		n++;
	return n;
}

/* The next chunk of cells, of which there are more. */
bytea *
NextSentCells(Sending *sending, const SentArray *array)
{
	Cells	   *cells = unconstify(void *, array->values);
	MfRows	   *part = &sending->part;
	int64		first = sending->at;
	int64		rows;
	int64		n;
	bytea	   *chunk;
	char	   *to;

	if (part->nrows == 0 && !NextCells(cells, part))
		elog(ERROR, "mfrec: cells end before their rows");
	rows = RowsOfChunk(part);
	n = part->start[rows] - part->start[0];
	chunk = MakeChunk(0, array->channel, first, rows, NULL, sizeof(int32) * rows + (sizeof(int32) + sizeof(float)) * n);
	to = ChunkData(chunk);
	for (int64 r = 0; r < rows; r++, to += sizeof(int32))
		memcpy(to, &(int32) {(int32) (part->start[r + 1] - part->start[r])}, sizeof(int32));
	memcpy(to, part->column + part->start[0], sizeof(int32) * n);
	memcpy(to + sizeof(int32) * n, part->rating + part->start[0], sizeof(float) * n);
	part->first += rows;
	part->nrows -= rows;
	part->start += rows;
	sending->at += rows;
	return chunk;
}

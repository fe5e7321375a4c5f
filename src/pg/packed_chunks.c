/*
 * packed_chunks.c - the rows of a query on their way into packed values of a megabyte.
 *
 *     SELECT mfrec.packed_rows(n)
 *     FROM (SELECT n FROM (SELECT mfrec.pack_row(user_id, item_id) AS n FROM ratings) r WHERE n IS NOT NULL ORDER BY n) c
 *
 * mfrec.pack_row() takes a row after the other; with the first row of a chunk it returns the chunk's number, else null.
 * The sort must see all of its input before it gives anything, so by the time that a number arrives above it the chunk
 * is complete, and every row is in one of those whose numbers arrive.  There is nothing to group: a row costs a call and
 * a copy of its bytes, a fifth of what an aggregate by user would take.
 *
 * What has been taken waits in memory up to work_mem, and in a temporary file beyond.  Both go with the query's memory.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "compat.h"
#include "pg/packed_chunks.h"

/* A row begins another chunk where this one has so many bytes: larger values are slower to send. */
#define CHUNK_BYTES (1 << 20)

/* Bits of a chunk's number that count chunks; those above say whose it is. */
#define COUNT_BITS 32

/* A chunk that takes no more rows. */
typedef struct Chunk
{
	char	   *data;			/* NULL: in the file, or no longer here */
	Size		length;
	int			fileno;			/* where it lies in the file */
	off_t		offset;
} Chunk;

struct PackedChunks
{
	MemoryContext query;		/* of the execution: those who take chunks must be of it */
	MemoryContext context;		/* of all that is here, this included: a child of it */
	PackedChunks *next;			/* in open_chunks */
	uint32		serial;
	PackedLayout layout;
	PackedBuffer buffer;		/* the chunk that takes rows; without data: there is none */
	Chunk	   *chunk;			/* count, of room: complete ones */
	int64		count;
	int64		room;
	Size		held;			/* bytes of chunks in memory */
	BufFile    *file;			/* NULL: all are in memory */
	int			end_fileno;		/* where it ends */
	off_t		end_offset;
	char	   *taken;			/* the chunk that was taken last, which its taker may still need */
};

/* Those of queries that run now in this session, and how many there have been. */
static PackedChunks *open_chunks = NULL;
static uint32 serials = 0;

/* Context callback: the query's memory goes.  At an error its file has gone already. */
static void
CloseChunks(void *arg)
{
	PackedChunks *chunks = arg;

	if (chunks->file && IsTransactionState())
		BufFileClose(chunks->file);
	for (PackedChunks **link = &open_chunks; *link; link = &(*link)->next)
		if (*link == chunks)
		{
			*link = chunks->next;
			break;
		}
}

/* No rows yet, of columns of these types; lives as long as the memory context of the query's execution. */
PackedChunks *
OpenPackedChunks(MemoryContext query, int ncolumns, const Oid *types)
{
	MemoryContext context = AllocSetContextCreate(query, "mfrec packed rows", ALLOCSET_DEFAULT_SIZES);
	PackedChunks *chunks = MemoryContextAllocZero(context, sizeof(PackedChunks));
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));

	InitPackedLayout(&chunks->layout, ncolumns, types);
	chunks->query = query;
	chunks->context = context;
	chunks->serial = ++serials;
	chunks->next = open_chunks;
	open_chunks = chunks;
	callback->func = CloseChunks;
	callback->arg = chunks;
	MemoryContextRegisterResetCallback(context, callback);
	return chunks;
}

/* How rows are packed. */
const PackedLayout *
ChunksLayout(const PackedChunks *chunks)
{
	return &chunks->layout;
}

/* Writes a chunk to the file, which begins with the first that has no room in memory. */
static void
SpillChunk(PackedChunks *chunks, Chunk *chunk)
{
	if (chunks->file == NULL)
		chunks->file = BufFileCreateTemp(false);
	if (BufFileSeek(chunks->file, chunks->end_fileno, chunks->end_offset, SEEK_SET) != 0)
		elog(ERROR, "could not seek in a temporary file");
	chunk->fileno = chunks->end_fileno;
	chunk->offset = chunks->end_offset;
	BufFileWrite(chunks->file, chunk->data, chunk->length);
	BufFileTell(chunks->file, &chunks->end_fileno, &chunks->end_offset);
	pfree(chunk->data);
	chunk->data = NULL;
}

/* The chunk that takes rows takes no more. */
static void
CompleteChunk(PackedChunks *chunks)
{
	Chunk	   *chunk;

	if (chunks->count == chunks->room)
	{
		chunks->room = Max(16, 2 * chunks->room);
		chunks->chunk = chunks->chunk ? repalloc(chunks->chunk, sizeof(Chunk) * chunks->room) :
			palloc(sizeof(Chunk) * chunks->room);
	}
	chunk = &chunks->chunk[chunks->count++];
	*chunk = (Chunk) {.data = (char *) FinishPackedRows(&chunks->buffer)};
	chunk->length = VARSIZE(chunk->data);
	memset(&chunks->buffer, 0, sizeof(PackedBuffer));
	if (chunks->held + chunk->length > (Size) work_mem * 1024)
		SpillChunk(chunks, chunk);
	else
		chunks->held += chunk->length;
}

/* Takes a row; returns the number of the chunk that it begins, or 0. */
int64
PackRow(PackedChunks *chunks, const Datum *values, const bool *nulls)
{
	MemoryContext old = MemoryContextSwitchTo(chunks->context);
	bool		begins;

	if (chunks->buffer.length > CHUNK_BYTES)
		CompleteChunk(chunks);
	begins = chunks->buffer.data == NULL;
	AppendPackedRow(&chunks->buffer, &chunks->layout, values, nulls);
	MemoryContextSwitchTo(old);
	return begins ? ((int64) chunks->serial << COUNT_BITS) + chunks->count : 0;
}

/* The chunk of that number, which the query itself must have packed; an error where there is none that is complete. */
static Chunk *
FindChunk(MemoryContext query, int64 number, PackedChunks **owner)
{
	PackedChunks *chunks = open_chunks;
	int64		count = number & ((INT64CONST(1) << COUNT_BITS) - 1);

	while (chunks && (chunks->query != query || chunks->serial != (uint64) number >> COUNT_BITS))
		chunks = chunks->next;
	if (chunks && chunks->buffer.data)
	{
		MemoryContext old = MemoryContextSwitchTo(chunks->context);

		CompleteChunk(chunks);
		MemoryContextSwitchTo(old);
	}
	*owner = chunks;
	if (chunks == NULL || count >= chunks->count || chunks->chunk[count].length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this query has packed no rows under number %lld", (long long) number),
				 errhint("mfrec.packed_rows() is for queries by which mfrec itself reads distributed tables.")));
	return &chunks->chunk[count];
}

/* Brings a chunk back from the file. */
static char *
LoadChunk(PackedChunks *chunks, const Chunk *chunk)
{
	char	   *data = MemoryContextAlloc(chunks->context, chunk->length);

	if (BufFileSeek(chunks->file, chunk->fileno, chunk->offset, SEEK_SET) != 0)
		elog(ERROR, "could not seek in a temporary file");
	ReadTempFile(chunks->file, data, chunk->length);
	return data;
}

/* Hands a chunk over, once, to the query whose execution has packed it: until the next one, or the query's end. */
bytea *
TakePackedChunk(MemoryContext query, int64 number)
{
	PackedChunks *chunks;
	Chunk	   *chunk = FindChunk(query, number, &chunks);

	if (chunks->taken)
		pfree(chunks->taken);
	chunks->taken = chunk->data ? chunk->data : LoadChunk(chunks, chunk);
	chunk->data = NULL;
	chunk->length = 0;
	return (bytea *) chunks->taken;
}

/*
 * seen_rows.c - what users have, on the way into their rows.
 *
 * That are the items that a user rated in the training, and those of rows that training passed over: two streams
 * of cells, sorted by user, which may lie on disk (source/csr_store.c).  Each user's row gets the union of both, as
 * numbers of items that are small for what many users have, in the code of core/base/seen.c: half a byte to one
 * and a half an item.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "core/base/seen.h"
#include "core/base/sorted_list.h"
#include "model/seen_rows.h"
#include "pg/alloc.h"

/*
 * Numbers a version's items by their ratings: those that most users have get the smallest numbers.  counts and the
 * result have nitems elements; the result is the caller's to free.
 */
int32 *
NumberByRatings(const int32 *counts, int64 nitems)
{
	int32	   *number = HugeArray(nitems, sizeof(int32));
	void	   *workspace = HugeArray(mf_seen_number_workspace(nitems), 1);

	mf_seen_number(counts, nitems, number, workspace);
	pfree(workspace);
	return number;
}

/* Begins with the first row of cells, NULL: with none. */
static void
OpenStream(RowStream *stream, Cells *cells)
{
	memset(stream, 0, sizeof(RowStream));
	stream->cells = cells;
	if (cells)
		RewindColumns(cells);
}

/*
 * Begins with the first user.  rated and others are who has what, either may be NULL; columns of their cells are
 * items, of which there are nitems, and which get the numbers in `number`.  What is allocated on the way goes with
 * the current memory context.
 */
void
OpenSeenRows(SeenRows *seen, Cells *rated, Cells *others, int32 *number, int64 nitems)
{
	memset(seen, 0, sizeof(SeenRows));
	seen->context = CurrentMemoryContext;
	OpenStream(&seen->rated, rated);
	OpenStream(&seen->others, others);
	seen->number = number;
	seen->nitems = nitems;
}

/*
 * The columns of a row, ascending, until the next is asked for; returns how many.  Rows are asked for in ascending
 * order, but not each.
 */
static int64
RowColumns(RowStream *stream, int64 row, const int32 **columns)
{
	MfRows	   *part = &stream->part;

	*columns = NULL;
	if (stream->cells == NULL)
		return 0;
	while (row >= part->first + part->nrows)
		if (!NextCells(stream->cells, part))
			return 0;
	row -= part->first;
	*columns = part->column + part->start[row];
	return part->start[row + 1] - part->start[row];
}

/* Makes room for n items: 4 bytes for each number, what it may take as code, and workspace to sort. */
static void
GrowBuffers(SeenRows *seen, int64 n)
{
	if (n <= seen->capacity)
		return;
	if (seen->items)
	{
		pfree(seen->items);
		pfree(seen->bytes);
		pfree(seen->workspace);
	}
	seen->capacity = Max(n, 2 * seen->capacity);
	seen->items = HugeArray(seen->capacity, sizeof(int32));
	seen->bytes = HugeArray(mf_seen_bound(seen->capacity), 1);
	seen->workspace = HugeArray(mf_list_sort_workspace(seen->capacity, seen->nitems), 1);
}

/* What a user has, as it is stored, in the caller's memory context; users must come in ascending order. */
bytea *
SeenRow(SeenRows *seen, int64 user)
{
	MemoryContext caller = MemoryContextSwitchTo(seen->context);	/* parts of cells outlive a row */
	const int32 *rated;
	const int32 *others;
	int64		nrated = RowColumns(&seen->rated, user, &rated);
	int64		nothers = RowColumns(&seen->others, user, &others);
	Size		size;
	bytea	   *row;
	int64		n;

	GrowBuffers(seen, nrated + nothers);
	MemoryContextSwitchTo(caller);
	n = mf_list_unite(rated, nrated, others, nothers, seen->items);
	for (int64 i = 0; i < n; i++)
		seen->items[i] = seen->number[seen->items[i]];
	mf_list_sort(seen->items, n, seen->nitems, seen->workspace);
	size = mf_seen_encode(seen->items, n, seen->bytes);
	row = palloc(VARHDRSZ + size);
	SET_VARSIZE(row, VARHDRSZ + size);
	if (size > 0)
		memcpy(VARDATA(row), seen->bytes, size);
	return row;
}

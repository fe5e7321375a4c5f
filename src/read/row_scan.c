/*
 * row_scan.c - the rows of several tables, a batch at a time.
 *
 * A source may be a table with partitions.  Processes that read it take blocks of one table after the other; each goes
 * on to the next table by itself when there are no blocks of this one left, so that none waits at the end of a
 * partition.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "read/row_scan.h"

/* So many rows at most are looked at for a batch, for perhaps none of them counts. */
#define MOST_LOOKS (16 * BATCH_ROWS)

/* Nothing read yet; the caller's taker has a batch whenever ScanBatch() is called. */
void
InitRowScan(RowScan *scan, RowTaker *taker, char *shared, const SharedTable *tables, int ntables)
{
	memset(scan, 0, sizeof(RowScan));
	scan->taker = taker;
	scan->shared = shared;
	scan->tables = tables;
	scan->ntables = ntables;
	scan->scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec row scan", ALLOCSET_SMALL_SIZES);
}

/* Opens the next table, if none is open; false where there is none. */
static bool
OpenTable(RowScan *scan)
{
	const SharedTable *next = &scan->tables[scan->table];

	if (scan->open)
		return true;
	if (scan->table == scan->ntables)
		return false;
	BeginTableRows(&scan->rows, &next->table, (ParallelTableScanDesc) (scan->shared + next->scan));
	scan->open = true;
	return true;
}

/* Takes rows of the open table until the batch is full, the table ends, a row is bad, or enough were looked at. */
static void
ScanTable(RowScan *scan)
{
	RowTaker   *taker = scan->taker;
	int			ncolumns = scan->rows.table->ncolumns;
	Datum		values[MOST_COLUMNS];
	bool		nulls[MOST_COLUMNS];
	MemoryContext old = MemoryContextSwitchTo(scan->scratch);

	for (int looks = 0; looks < MOST_LOOKS && !BatchIsFull(taker->batch); looks++)
	{
		scan->open = NextTableRow(&scan->rows, values, nulls);
		if (!scan->open || !TakeRow(taker, values, nulls, ncolumns))
			break;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(scan->scratch);
	if (scan->open)
		return;
	EndTableRows(&scan->rows);
	scan->table++;
}

/*
 * Reads rows into the taker's batch, which is empty; there may be none that counts, or a bad one: see taker->bad.
 * False where there are no more rows.
 */
bool
ScanBatch(RowScan *scan)
{
	CHECK_FOR_INTERRUPTS();
	BeginBatch(scan->taker);
	if (!OpenTable(scan))
		return false;
	ScanTable(scan);
	EndBatch(scan->taker);
	return true;
}

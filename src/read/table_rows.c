/*
 * table_rows.c - the rows of a table, of which a few columns are wanted.
 *
 * What the executor does for a column is little, but there are rows in millions.  Where the wanted columns come
 * before any of variable length, as ids and numbers mostly do, they lie at one place of all rows that have no nulls.
 * All other rows go through a slot.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/tupmacs.h"
#include "executor/executor.h"
#include "utils/rel.h"

#include "compat.h"
#include "read/table_rows.h"

/* Finds out where wanted columns lie in rows without nulls; false where that is not the same in all of them. */
static bool
FindOffsets(TableRows *rows)
{
	TupleDesc	desc = RelationGetDescr(rows->rel);
	int32		offset = 0;

	for (int a = 1; a <= rows->last; a++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, a - 1);

		if (att->attlen < 0)
			return false;
		offset = (int32) att_align_nominal(offset, att->attalign);
		for (int i = 0; i < rows->table->ncolumns; i++)
			if (rows->table->column[i].attnum == a)
			{
				rows->offset[i] = offset;
				rows->length[i] = att->attlen;
				rows->by_value[i] = att->attbyval;
			}
		offset += att->attlen;
	}
	return true;
}

/* Begins to read a table, which a parallel scan divides among those who read it. */
void
BeginTableRows(TableRows *rows, const PlainTable *table, ParallelTableScanDesc shared)
{
	memset(rows, 0, sizeof(TableRows));
	rows->table = table;
	rows->rel = table_open(table->relid, AccessShareLock);
	for (int i = 0; i < table->ncolumns; i++)
		rows->last = Max(rows->last, table->column[i].attnum);
	rows->at_offsets = FindOffsets(rows);
	rows->slot = MakeSingleTupleTableSlot(RelationGetDescr(rows->rel), &TTSOpsHeapTuple);
	rows->scan = BeginParallelScan(rows->rel, shared);
}

/* Takes the wanted columns out of the slot. */
static void
TakeFromSlot(TableRows *rows, Datum *values, bool *nulls)
{
	const PlainTable *table = rows->table;

	slot_getsomeattrs(rows->slot, rows->last);
	for (int i = 0; i < table->ncolumns; i++)
	{
		int			at = table->column[i].attnum - 1;

		nulls[i] = rows->slot->tts_isnull[at];
		values[i] = rows->slot->tts_values[at];
	}
}

/*
 * The wanted columns of the next row; false at the end.  Values that are not passed by value live until the next call.
 */
bool
NextTableRow(TableRows *rows, Datum *values, bool *nulls)
{
	HeapTuple	tuple = heap_getnext(rows->scan, ForwardScanDirection);

	if (tuple == NULL)
		return false;
	if (rows->at_offsets && !HeapTupleHasNulls(tuple) && HeapTupleHeaderGetNatts(tuple->t_data) >= rows->last)
	{
		const char *data = (const char *) tuple->t_data + tuple->t_data->t_hoff;

		for (int i = 0; i < rows->table->ncolumns; i++)
		{
			values[i] = fetch_att(data + rows->offset[i], rows->by_value[i], rows->length[i]);
			nulls[i] = false;
		}
		return true;
	}
	ExecStoreHeapTuple(tuple, rows->slot, false);
	TakeFromSlot(rows, values, nulls);
	return true;
}

/* Ends the reading; the lock stays until the end of the transaction. */
void
EndTableRows(TableRows *rows)
{
	ExecDropSingleTupleTableSlot(rows->slot);
	table_endscan(rows->scan);
	table_close(rows->rel, NoLock);
	rows->rel = NULL;
}

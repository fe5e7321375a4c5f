/*
 * table_rows.h - the rows of a table, of which a few columns are wanted.
 */
#ifndef MFREC_TABLE_ROWS_H
#define MFREC_TABLE_ROWS_H

#include "access/relscan.h"
#include "executor/tuptable.h"

#include "read/plain_query.h"

/* A scan of a table on its way, whose storage is a heap. */
typedef struct TableRows
{
	const PlainTable *table;
	Relation	rel;
	TableScanDesc scan;
	TupleTableSlot *slot;
	int			last;			/* the wanted column that comes last in the table */
	bool		at_offsets;		/* columns lie at the same place of every row without nulls */
	int32		offset[MOST_COLUMNS];
	int16		length[MOST_COLUMNS];
	bool		by_value[MOST_COLUMNS];
} TableRows;

extern void BeginTableRows(TableRows *rows, const PlainTable *table, ParallelTableScanDesc shared);
extern bool NextTableRow(TableRows *rows, Datum *values, bool *nulls);
extern void EndTableRows(TableRows *rows);

#endif

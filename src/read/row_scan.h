/*
 * row_scan.h - the rows of several tables, a batch at a time.
 */
#ifndef MFREC_ROW_SCAN_H
#define MFREC_ROW_SCAN_H

#include "read/row_batch.h"
#include "read/table_rows.h"

/* A table, and where in shared memory, from its start, the scan lies that those who read it share. */
typedef struct SharedTable
{
	PlainTable	table;
	Size		scan;
} SharedTable;

/* What one process reads of tables, all together reading each row once. */
typedef struct RowScan
{
	RowTaker   *taker;
	char	   *shared;			/* what SharedTable.scan starts from */
	const SharedTable *tables;
	int			ntables;
	int			table;			/* the one that is read */
	bool		open;
	TableRows	rows;
	MemoryContext scratch;		/* of what a batch needs */
} RowScan;

extern void InitRowScan(RowScan *scan, RowTaker *taker, char *shared, const SharedTable *tables, int ntables);
extern bool ScanBatch(RowScan *scan);

#endif

/*
 * seen_rows.h - what users have, on the way into their rows.
 */
#ifndef MFREC_SEEN_ROWS_H
#define MFREC_SEEN_ROWS_H

#include "source/csr_store.h"
#include "source/ratings.h"

/* A sequence of rows of cells, of which one row after the other is taken. */
typedef struct RowStream
{
	Cells	   *cells;			/* NULL: every row is empty */
	MfRows		part;			/* what is at hand */
} RowStream;

/* What users have: the union of two sequences, and buffers for one row of it. */
typedef struct SeenRows
{
	MemoryContext context;		/* of what is allocated */
	RowStream	rated;
	RowStream	others;
	int64		nitems;
	int32	   *number;			/* of each item, as rows name them */
	int64		capacity;		/* items that there is room for below */
	int32	   *items;
	uint8	   *bytes;
	void	   *workspace;
} SeenRows;

extern int32 *NumberByRatings(const int32 *counts, int64 nitems);
extern void OpenSeenRows(SeenRows *seen, Cells *rated, Cells *others, int32 *number, int64 nitems);
extern bytea *SeenRow(SeenRows *seen, int64 user);

#endif

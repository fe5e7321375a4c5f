/*
 * plain_query.h - whether a query brings columns of tables and does nothing else.
 */
#ifndef MFREC_PLAIN_QUERY_H
#define MFREC_PLAIN_QUERY_H

#include "access/attnum.h"
#include "access/tupdesc.h"
#include "executor/spi.h"
#include "nodes/pg_list.h"

/* Columns that a query of a source has at most. */
#define MOST_COLUMNS 6

/* A column of a table. */
typedef struct PlainColumn
{
	AttrNumber	attnum;
} PlainColumn;

/* A table that has rows of its own, and which of its columns are read. */
typedef struct PlainTable
{
	Oid			relid;
	int			ncolumns;
	PlainColumn column[MOST_COLUMNS];
} PlainTable;

extern List *PlainTables(SPIPlanPtr plan, TupleDesc *desc);

#endif

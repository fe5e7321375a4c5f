/*
 * packed_rows.h - columns of many rows in one bytea, as another node of a cluster sends them.
 */
#ifndef MFREC_PACKED_ROWS_H
#define MFREC_PACKED_ROWS_H

/* Columns of a row at most: as many as a byte has bits. */
#define PACKED_COLUMNS 8

/* How a column's values are stored, by the type beneath its own. */
typedef struct PackedColumn
{
	int16		length;
	bool		by_value;
	char		align;
} PackedColumn;

/* The columns of packed rows, and a number that two layouts share where they are the same. */
typedef struct PackedLayout
{
	int			ncolumns;
	uint32		signature;
	PackedColumn column[PACKED_COLUMNS];
} PackedLayout;

/* Rows on their way into a bytea, whose length is set at last. */
typedef struct PackedBuffer
{
	char	   *data;			/* begins with the header of a varlena; NULL: no row yet */
	Size		length;			/* with the header */
	Size		capacity;
} PackedBuffer;

/* Rows on their way out of a bytea. */
typedef struct PackedReader
{
	const PackedLayout *layout;
	const char *start;			/* of the bytea: values lie at multiples of their alignment from here */
	Size		at;
	Size		length;
} PackedReader;

extern bool CanBePacked(Oid type);
extern void InitPackedLayout(PackedLayout *layout, int ncolumns, const Oid *types);
extern void AppendPackedRow(PackedBuffer *buffer, const PackedLayout *layout, const Datum *values, const bool *nulls);
extern bytea *FinishPackedRows(PackedBuffer *buffer);
extern void ReadPackedRows(PackedReader *reader, const PackedLayout *layout, const bytea *rows);
extern bool NextPackedRow(PackedReader *reader, Datum *values, bool *nulls);

#endif

/*
 * packed_rows.c - columns of many rows in one bytea, as another node of a cluster sends them.
 *
 * A cluster brings rows from its nodes one at a time, each as a message with a length for every column, and keeps all
 * of them before the first is looked at.  Packed, a row takes a bit for each column that may be null and the bytes of
 * its values, and hundreds of rows come as one.
 *
 * Only types are packed whose bytes mean the same on every node: not those that hold oids, as enums do.  Nodes of a
 * cluster are of one kind, so bytes are in their own order; where they are not, the signature says so.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "pg/packed_rows.h"

/* Of the layout below; another one needs another number. */
#define PACKED_FORMAT 1

/* What a buffer begins with: a shard may have few rows. */
#define FIRST_BYTES 8192

/* The header: of the varlena, and the signature. */
#define HEADER_BYTES (VARHDRSZ + sizeof(uint32))

/* Whether values of a type mean the same wherever their bytes are read. */
bool
CanBePacked(Oid type)
{
	switch (getBaseType(type))
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case UUIDOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return true;
		default:
			return false;
	}
}

/* How rows of columns of these types are packed; an error where one is not of those that CanBePacked() has. */
void
InitPackedLayout(PackedLayout *layout, int ncolumns, const Oid *types)
{
	if (ncolumns > PACKED_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_ARGUMENTS),
				 errmsg("cannot pack rows of more than %d columns", PACKED_COLUMNS)));
	layout->ncolumns = ncolumns;
	layout->signature = PACKED_FORMAT;
	for (int i = 0; i < ncolumns; i++)
	{
		PackedColumn *column = &layout->column[i];

		if (!CanBePacked(types[i]))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("cannot pack values of type %s", format_type_be(types[i])),
					 errhint("Cast them, for example to text.")));
		get_typlenbyvalalign(getBaseType(types[i]), &column->length, &column->by_value, &column->align);
		/* the base types are PostgreSQL's own, whose oids are the same everywhere */
		layout->signature = hash_combine(layout->signature, murmurhash32(getBaseType(types[i])));
	}
}

/* Room for so many bytes more. */
static void
ReserveBytes(PackedBuffer *buffer, Size bytes)
{
	Size		needed = buffer->length + bytes;

	if (needed <= buffer->capacity)
		return;
	if (needed > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("cannot pack more than 1 GB of rows into one value"),
				 errhint("Ids and numbers of a row must be far shorter.")));
	buffer->capacity = Min(Max(needed, 2 * buffer->capacity), MaxAllocSize);
	buffer->data = repalloc(buffer->data, buffer->capacity);
}

/* The first bytes of a buffer, in the current memory context, where all of it will be. */
static void
StartBuffer(PackedBuffer *buffer, const PackedLayout *layout)
{
	buffer->capacity = FIRST_BYTES;
	buffer->data = palloc(FIRST_BYTES);
	memcpy(buffer->data + VARHDRSZ, &layout->signature, sizeof(uint32));
	buffer->length = HEADER_BYTES;
}

/* Appends a value that is passed by reference, at a multiple of its type's alignment. */
static void
AppendBytes(PackedBuffer *buffer, const PackedColumn *column, const void *value, Size length)
{
	Size		at = att_align_nominal(buffer->length, column->align);

	ReserveBytes(buffer, at - buffer->length + length);
	memset(buffer->data + buffer->length, 0, at - buffer->length);
	memcpy(buffer->data + at, value, length);
	buffer->length = at + length;
}

/* Appends a value of variable length, not compressed, with the header that a reader finds its end by. */
static void
AppendVarlena(PackedBuffer *buffer, const PackedColumn *column, Datum value)
{
	struct varlena *plain = PG_DETOAST_DATUM(value);

	AppendBytes(buffer, column, plain, VARSIZE(plain));
	if ((Pointer) plain != DatumGetPointer(value))
		pfree(plain);
}

/* Appends a value that is passed by value: its bytes, wherever they come to lie. */
static inline void
AppendByValue(PackedBuffer *buffer, int16 length, Datum value)
{
	char	   *to = buffer->data + buffer->length;

	switch (length)
	{
		case sizeof(char):
			*to = DatumGetChar(value);
			break;
		case sizeof(int16):
			memcpy(to, &(int16) {DatumGetInt16(value)}, sizeof(int16));
			break;
		case sizeof(int32):
			memcpy(to, &(int32) {DatumGetInt32(value)}, sizeof(int32));
			break;
		default:
			memcpy(to, &value, sizeof(Datum));
	}
	buffer->length += length;
}

/*
 * Appends a row to a buffer, which is in one memory context, the current one, from its first row on.
 */
void
AppendPackedRow(PackedBuffer *buffer, const PackedLayout *layout, const Datum *values, const bool *nulls)
{
	uint8		bits = 0;

	if (buffer->data == NULL)
		StartBuffer(buffer, layout);
	for (int i = 0; i < layout->ncolumns; i++)
		bits |= nulls[i] << i;
	ReserveBytes(buffer, 1 + layout->ncolumns * sizeof(Datum));
	buffer->data[buffer->length++] = (char) bits;
	for (int i = 0; i < layout->ncolumns; i++)
	{
		const PackedColumn *column = &layout->column[i];

		if (nulls[i])
			continue;
		if (!column->by_value && column->length < 0)
			AppendVarlena(buffer, column, values[i]);
		else if (!column->by_value)
			AppendBytes(buffer, column, DatumGetPointer(values[i]), column->length);
		else
		{
			ReserveBytes(buffer, sizeof(Datum));
			AppendByValue(buffer, column->length, values[i]);
		}
	}
}

/* The rows of a buffer, which has one at least and takes no more. */
bytea *
FinishPackedRows(PackedBuffer *buffer)
{
	SET_VARSIZE(buffer->data, buffer->length);
	return (bytea *) buffer->data;
}

/* The error of rows that are not what was asked for. */
pg_noreturn static void
RowsAreStrange(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("rows from another node have come in another form than expected"),
			 errdetail("Their columns were altered while this statement ran, or nodes have different versions of mfrec."),
			 errhint("Install the same version on all nodes, and run the statement again.")));
}

/* Begins to read packed rows, not compressed and aligned as palloc() aligns, which must stay as long as values are used. */
void
ReadPackedRows(PackedReader *reader, const PackedLayout *layout, const bytea *rows)
{
	*reader = (PackedReader) {.layout = layout,.start = (const char *) rows,.at = HEADER_BYTES,.length = VARSIZE(rows)};
	if (reader->length < HEADER_BYTES || memcmp(VARDATA(rows), &layout->signature, sizeof(uint32)) != 0)
		RowsAreStrange();
}

/* The next value that is passed by reference. */
static Datum
NextReference(PackedReader *reader, const PackedColumn *column)
{
	Size		at = att_align_nominal(reader->at, column->align);
	Size		needed = at + (column->length < 0 ? VARHDRSZ : column->length);

	if (needed <= reader->length && column->length < 0)
	{
		Size		size = VARSIZE(reader->start + at);

		needed = size < VARHDRSZ ? reader->length + 1 : at + size;
	}
	if (needed > reader->length)
		RowsAreStrange();
	reader->at = needed;
	return PointerGetDatum(reader->start + at);
}

/* The next value that is passed by value. */
static inline Datum
NextByValue(PackedReader *reader, int16 length)
{
	const char *from = reader->start + reader->at;
	union
	{
		int16		two;
		int32		four;
		Datum		eight;
	}			value;

	reader->at += length;
	if (reader->at > reader->length)
		RowsAreStrange();
	switch (length)
	{
		case sizeof(char):
			return CharGetDatum(*from);
		case sizeof(int16):
			memcpy(&value.two, from, sizeof(int16));
			return Int16GetDatum(value.two);
		case sizeof(int32):
			memcpy(&value.four, from, sizeof(int32));
			return Int32GetDatum(value.four);
		default:
			memcpy(&value.eight, from, sizeof(Datum));
			return value.eight;
	}
}

/* The next row; false at the end.  Values that are passed by reference point into the rows. */
bool
NextPackedRow(PackedReader *reader, Datum *values, bool *nulls)
{
	const PackedLayout *layout = reader->layout;
	uint8		bits;

	if (reader->at >= reader->length)
		return false;
	bits = (uint8) reader->start[reader->at++];
	for (int i = 0; i < layout->ncolumns; i++)
	{
		const PackedColumn *column = &layout->column[i];

		nulls[i] = (bits >> i) & 1;
		if (nulls[i])
			values[i] = (Datum) 0;
		else
			values[i] = column->by_value ? NextByValue(reader, column->length) : NextReference(reader, column);
	}
	return true;
}

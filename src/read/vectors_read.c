/*
 * vectors_read.c - vectors in a relation of the user's: found, checked, read.
 *
 * What is read was made by another program, so nothing is taken on trust: an error names the row by its
 * id.  The query runs as the caller, with their privileges and row security.  All vectors are kept in memory,
 * in rows of mf_padded(factors) floats, which double as they fill up.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/base/padding.h"
#include "pg/alloc.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"
#include "pg/spi_query.h"
#include "source/relation.h"
#include "read/vectors_read.h"

/* Rows that there is room for at first. */
#define FIRST_ROWS 1024

/* The row that an error is about. */
#define ROW_DETAIL(v, id) \
	errdetail("It is in the row of %s %s in relation \"%s\".", (v)->purpose->side, IdToText(&(v)->id_type, id), (v)->name)

/* Whether a type has a cast to real[] by a function, as pgvector's vector does. */
static bool
CastsToVector(Oid type)
{
	Oid			function;

	return find_coercion_pathway(FLOAT4ARRAYOID, type, COERCION_EXPLICIT, &function) == COERCION_PATH_FUNC;
}

/* Finds the type of the elements of a column of vectors, float4 or float8, and whether it must be cast; or an error. */
static void
FactorsColumn(Vectors *v, Relation rel, const char *column)
{
	Form_pg_attribute att = NamedColumn(rel, column, v->purpose->argument);
	Oid			base = getBaseType(att->atttypid);

	v->cast = base != FLOAT4ARRAYOID && base != FLOAT8ARRAYOID;
	if (v->cast && !CastsToVector(base))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is of type %s", column, RelationGetRelationName(rel),
						format_type_be(att->atttypid)),
				 errdetail("Vectors are of type real[] or double precision[], or of one with a cast to real[]."),
				 errhint("Name another column with the argument %s, or cast it in a view: %s::real[].",
						 v->purpose->argument, quote_identifier(column))));
	v->element_type = base == FLOAT8ARRAYOID ? FLOAT8OID : FLOAT4OID;
}

/* The type of a column of counts: an integer type, or an error. */
static Oid
CountColumn(Relation rel, const char *column)
{
	Form_pg_attribute att = NamedColumn(rel, column, "ratings_column");
	Oid			base = getBaseType(att->atttypid);

	if (base != INT2OID && base != INT4OID && base != INT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is of type %s, which is not an integer", column,
						RelationGetRelationName(rel), format_type_be(att->atttypid)),
				 errhint("Name another column with the argument ratings_column, or cast it in a view.")));
	return base;
}

/*
 * Resolves one side's relation and columns into *v: all that can be wrong before a row is read is an error
 * here. *purpose and *columns must live as long as *v.
 */
void
OpenVectors(Vectors *v, const VectorPurpose *purpose, Oid relid, const VectorColumns *columns)
{
	Relation	rel = OpenRows(relid, purpose->refusal, purpose->hint);

	memset(v, 0, sizeof(Vectors));
	v->purpose = purpose;
	v->schema = get_namespace_name(RelationGetNamespace(rel));
	v->name = pstrdup(RelationGetRelationName(rel));
	v->columns = columns;
	IdColumn(rel, columns->id, "id_column", &v->id_type);
	FactorsColumn(v, rel, columns->factors);
	if (columns->bias)
		v->bias_type = NumberColumn(rel, columns->bias, "bias_column");
	if (columns->ratings)
		v->ratings_type = CountColumn(rel, columns->ratings);
	relation_close(rel, NoLock);
}

/* Bytes that the vectors and their ids take. */
int64
VectorBytes(const Vectors *v)
{
	return v->capacity * (mf_padded(v->factors) * sizeof(float) + sizeof(float) + sizeof(int32)) + IdMapBytes(v->ids);
}

/* An error where vectors that are being read, and those read before, exceed the limit of memory. */
static void
CheckImportedBytes(int64 bytes)
{
	if (bytes > MemoryLimit())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("vectors need %lld MB of memory, so far, but the limit is %lld MB",
						(long long) (bytes >> 20), (long long) (MemoryLimit() >> 20)),
				 errdetail("All vectors and ids must be in memory."),
				 errhint("Raise mfrec.max_memory if the machine has the memory.")));
}

/* Makes room for the first rows, once the first one has said how long vectors are, or for twice as many. */
static void
GrowVectors(Vectors *v)
{
	int64		ld = mf_padded(v->factors);
	bool		first = v->capacity == 0;

	v->capacity = first ? FIRST_ROWS : 2 * v->capacity;
	CheckImportedBytes(VectorBytes(v) + v->other_bytes);
	if (first)
	{
		MemoryContext old = MemoryContextSwitchTo(v->context);

		v->vector = HugeArray(v->capacity * ld, sizeof(float));
		v->bias = HugeArray(v->capacity, sizeof(float));
		v->count = HugeArray(v->capacity, sizeof(int32));
		MemoryContextSwitchTo(old);
		return;
	}
	v->vector = repalloc_huge(v->vector, v->capacity * ld * sizeof(float));
	v->bias = repalloc_huge(v->bias, v->capacity * sizeof(float));
	v->count = repalloc_huge(v->count, v->capacity * sizeof(int32));
}

/*
 * An error for an array that is no vector as all must be: of one dimension, as long as those before, without
 * nulls.
 */
static void
CheckShape(const Vectors *v, int64 id, ArrayType *array)
{
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	if (ARR_NDIM(array) != 1 || n > v->purpose->most)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a vector must be a one-dimensional array of 1 to %d numbers", v->purpose->most),
				 errdetail("That of %s %s in relation \"%s\" has %d dimensions and %d numbers.", v->purpose->side,
						   IdToText(&v->id_type, id), v->name, ARR_NDIM(array), n),
				 errhint("Correct the row, or leave it out with a view.")));
	if (v->factors > 0 && n != v->factors)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s", v->purpose->length),
				 errdetail("That of %s %s in relation \"%s\" has %d, those before it have %d.", v->purpose->side,
						   IdToText(&v->id_type, id), v->name, n, v->factors),
				 errhint("%s", v->purpose->length_hint)));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a vector has a null element"),
				 ROW_DETAIL(v, id),
				 errhint("Correct the row, or leave it out with a view.")));
}

/* A number of a row in single precision; an error where it is none, or not finite. */
static float
FiniteNumber(const Vectors *v, int64 id, const char *column, double number)
{
	if (!isfinite((float) number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" has %g, which is not a finite number in single precision", column, number),
				 ROW_DETAIL(v, id),
				 errhint("Correct the row, or leave it out with a view.")));
	return (float) number;
}

/* Stores a row's array, which CheckShape() has passed, as vector `row`, padded with zeros. */
static void
TakeVector(Vectors *v, int64 id, int32 row, ArrayType *array)
{
	float	   *into = v->vector + (Size) row * mf_padded(v->factors);
	const float *narrow = (const float *) ARR_DATA_PTR(array);
	const double *wide = (const double *) ARR_DATA_PTR(array);

	memset(into, 0, sizeof(float) * mf_padded(v->factors));
	for (int k = 0; k < v->factors; k++)
		into[k] = FiniteNumber(v, id, v->columns->factors, v->element_type == FLOAT4OID ? narrow[k] : wide[k]);
}

/* An error where a column that must have a value has none. */
static void
CheckNotNull(const Vectors *v, int64 id, const char *column, bool isnull)
{
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("column \"%s\" is null", column),
				 ROW_DETAIL(v, id),
				 errhint("Correct the row, or leave it out with a view.")));
}

/* A row's number of ratings; an error for one that is negative or beyond 32 bits. */
static int32
CountFromDatum(const Vectors *v, int64 id, Datum value)
{
	int64		count = v->ratings_type == INT2OID ? DatumGetInt16(value) :
		v->ratings_type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);

	if (count < 0 || count > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" has %lld, which is not a number of ratings", v->columns->ratings, (long long) count),
				 ROW_DETAIL(v, id)));
	return (int32) count;
}

/*
 * Adds a row of the query: id, factors, then bias and ratings where there are such columns.  A second row of one
 * id is an error.
 */
static void
AddRow(Vectors *v, Datum *values, bool *nulls)
{
	int			column = 2;
	ArrayType  *array;
	int32		before = v->ids->count;
	int64		id;
	int32		row;

	if (nulls[0])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("column \"%s\" of relation \"%s\" has a null", v->columns->id, v->name),
				 errdetail("Every vector belongs to one %s.", v->purpose->side),
				 errhint("Leave the row out with a view.")));
	id = IdFromColumn(&v->id_type, values[0]);
	CheckNotNull(v, id, v->columns->factors, nulls[1]);
	array = DatumGetArrayTypeP(values[1]);
	CheckShape(v, id, array);
	v->factors = ARR_DIMS(array)[0];
	row = AddId(v->ids, id);
	if (row < before)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("relation \"%s\" has several vectors of one %s", v->name, v->purpose->side),
				 errdetail("There is more than one row of %s %s.", v->purpose->side, IdToText(&v->id_type, id)),
				 errhint("Leave the others out with a view: SELECT DISTINCT ON (%s) ...",
						 quote_identifier(v->columns->id))));
	if (row >= v->capacity)
		GrowVectors(v);
	TakeVector(v, id, row, array);
	v->bias[row] = 0;
	v->count[row] = 0;
	if (v->columns->bias)
	{
		CheckNotNull(v, id, v->columns->bias, nulls[column]);
		v->bias[row] = FiniteNumber(v, id, v->columns->bias, NumberFromDatum(values[column++], v->bias_type));
	}
	if (v->columns->ratings)
	{
		CheckNotNull(v, id, v->columns->ratings, nulls[column]);
		v->count[row] = CountFromDatum(v, id, values[column]);
	}
}

/* Receives the rows of the query. */
typedef struct VectorReceiver
{
	DestReceiver pub;
	Vectors    *vectors;
} VectorReceiver;

/* Takes a row of the query; what it leaves behind is freed at once. */
static bool
ReceiveVector(TupleTableSlot *slot, DestReceiver *self)
{
	Vectors    *v = ((VectorReceiver *) self)->vectors;
	MemoryContext old = MemoryContextSwitchTo(v->row);

	slot_getallattrs(slot);
	AddRow(v, slot->tts_values, slot->tts_isnull);
	MemoryContextSwitchTo(old);
	MemoryContextReset(v->row);
	if (v->ids->count % 1024 == 0)
		ReportRowsRead(v->ids->count);
	return true;
}

/* The columns that the query delivers must be of the types that OpenVectors() has found. */
static void
StartupVectorReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	const Vectors *v = ((VectorReceiver *) self)->vectors;
	int			column = 2;

	(void) operation;
	CheckDeliveredId(typeinfo, 0, &v->id_type);
	CheckDeliveredType(typeinfo, 1, v->element_type == FLOAT4OID ? FLOAT4ARRAYOID : FLOAT8ARRAYOID);
	if (v->columns->bias)
		CheckDeliveredType(typeinfo, column++, v->bias_type);
	if (v->columns->ratings)
		CheckDeliveredType(typeinfo, column, v->ratings_type);
}

/* The query that reads the vectors, palloc'd. */
static char *
VectorQuery(const Vectors *v)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	appendStringInfo(&sql, "%s, %s%s", quote_identifier(v->columns->id), quote_identifier(v->columns->factors),
					 v->cast ? "::pg_catalog.float4[]" : "");
	if (v->columns->bias)
		appendStringInfo(&sql, ", %s", quote_identifier(v->columns->bias));
	if (v->columns->ratings)
		appendStringInfo(&sql, ", %s", quote_identifier(v->columns->ratings));
	appendStringInfo(&sql, " FROM %s", quote_qualified_identifier(v->schema, v->name));
	return sql.data;
}

/*
 * Reads all rows into the current memory context; an error where there are none. factors: the length that all
 * must have, 0 for that of the first; other_bytes: what is in memory already and counts with these vectors.
 */
void
ReadVectors(Vectors *v, int factors, int64 other_bytes)
{
	VectorReceiver receiver = {.vectors = v};

	receiver.pub.receiveSlot = ReceiveVector;
	receiver.pub.rStartup = StartupVectorReceiver;
	v->ids = CreateIdMap(&v->id_type);
	v->factors = factors;
	v->other_bytes = other_bytes;
	v->context = CurrentMemoryContext;
	v->row = AllocSetContextCreate(CurrentMemoryContext, "mfrec vector", ALLOCSET_DEFAULT_SIZES);
	RunQuery(VectorQuery(v), InvalidOid, (Datum) 0, v->purpose->read_only, &receiver.pub);
	MemoryContextDelete(v->row);
	if (v->ids->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has no vectors", v->name),
				 errhint("Insert some, and check that row security does not hide them.")));
}

/*
 * factor_rows.c - rows of the model tables: stored in bulk, deleted, read back.
 *
 * Storing goes around the executor (pg/bulk_load.c): rows are formed from arrays of floats.  What only the executor
 * would honour has been refused before (factor_table.c).  Reading goes through a query, so that privileges and row
 * security of the current user hold, whose rows a receiver hands on one by one: no copy of a version is ever made.
 *
 * Vectors have d floats in a row of a table, and mf_padded(d) from one to the next in arrays.
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "compat.h"
#include "model/factor_rows.h"
#include "model/factor_table.h"
#include "model/model_catalog.h"
#include "pg/bulk_load.h"
#include "pg/citus.h"
#include "pg/placement.h"
#include "pg/snapshot.h"
#include "pg/spi_query.h"

/* A real[] of d floats, written straight into its final form, in the current memory context. */
Datum
MakeVector(const float *values, int d)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + sizeof(float) * d;
	ArrayType  *array = palloc(size);

	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = d;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), values, sizeof(float) * d);
	return PointerGetDatum(array);
}

/*
 * Puts a stored item into its place among factors that have as many dimensions: what both have, for a version of one part may
 * follow one of both, or the other way round.
 */
void
CopyItemRow(const StoredRow *row, int64 item, const MfFactors *factors)
{
	Size		at = (Size) item * mf_padded(row->factors);
	Size		bytes = sizeof(float) * row->factors;
	const float *rating_vector = factors->interest ? row->rating_vector : row->vector;

	if (factors->interest)
		memcpy(factors->interest + at, row->vector, bytes);
	if (factors->rating && rating_vector)
	{
		memcpy(factors->rating + at, rating_vector, bytes);
		factors->item_bias[item] = row->bias;
	}
}

/*
 * Makes zeros of numbers so small that the product of two of them underflows: in SQL that product is an error.
 * Iterations bring unused dimensions of tiny catalogues there.  values: count of them, or NULL.
 */
void
DropTiny(float *values, int64 count)
{
	for (int64 i = 0; values && i < count; i++)
		if (fabsf(values[i]) < TINY_FACTOR)
			values[i] = 0;
}

/* Rows on their way into a table. */
typedef struct Storing
{
	const VersionSide *side;	/* whose rows come now */
	int64		first;			/* the number of the first of them */
	bool		with_unknown;	/* also users without a vector */
	const FactorRows *rows;		/* of side, like the next */
	int32		version;
	FactorColumns columns;
} Storing;

/* Begins a row: its version, and the id of number `row` of a dictionary. */
static void
FillKey(TupleTableSlot *slot, const Storing *storing, const IdMap *ids, int64 row)
{
	SetBulkColumn(slot, storing->columns.version, Int32GetDatum(storing->version));
	SetBulkColumn(slot, storing->columns.id, IdToDatum(&storing->columns.idtype, ids->ids[row]));
	if (storing->rows->tenant)
		SetBulkColumn(slot, storing->columns.tenant, CStringGetTextDatum(storing->rows->tenant));
}

/* Whether of a user nothing is known but that there is one: no ratings, and nothing that says where to draw them. */
static bool
HasNoVector(const FactorRows *rows, int64 row)
{
	return rows->has_prior && row >= rows->rated && !rows->has_prior[row];
}

/*
 * The row of number `row` of a side: what is NULL in `rows` is stored as FactorRows says; columns that the table
 * does not have are left out.
 */
static void
FillKnown(TupleTableSlot *slot, const Storing *storing, int64 row)
{
	const FactorRows *rows = storing->rows;
	const FactorColumns *columns = &storing->columns;
	Size		at = (Size) row * mf_padded(rows->factors);

	FillKey(slot, storing, rows->ids, row);
	SetBulkColumn(slot, columns->ratings, Int32GetDatum(rows->counts[row]));
	SetBulkColumn(slot, columns->bias, Float4GetDatum(rows->bias ? rows->bias[row] : 0));
	if (rows->spread && rows->counts[row] > 0 && columns->spread != InvalidAttrNumber)
		SetBulkColumn(slot, columns->spread, Float4GetDatum(rows->spread[row]));
	if (HasNoVector(rows, row))
		SetBulkColumn(slot, columns->factors, PointerGetDatum(construct_empty_array(FLOAT4OID)));
	else
		SetBulkColumn(slot, columns->factors, MakeVector(rows->vectors + at, rows->factors));
	if (rows->priors && rows->has_prior[row] && columns->prior != InvalidAttrNumber)
		SetBulkColumn(slot, columns->prior, MakeVector(rows->priors + at, rows->shared));
	if (rows->rating_vectors)
		SetBulkColumn(slot, columns->rating_factors, MakeVector(rows->rating_vectors + at, rows->factors));
	if (rows->numbers && columns->number != InvalidAttrNumber)
		SetBulkColumn(slot, columns->number, Int32GetDatum(rows->numbers[row]));
	if (rows->trends && rows->counts[row] > 0 && columns->trend != InvalidAttrNumber)
		SetBulkColumn(slot, columns->trend, Float4GetDatum(rows->trends[row]));
	if (rows->fingerprints && row < rows->nfingerprints && rows->fingerprints[row] != 0 &&
		columns->fingerprint != InvalidAttrNumber)
		SetBulkColumn(slot, columns->fingerprint, Int64GetDatum(rows->fingerprints[row]));
	if (rows->seen && columns->seen != InvalidAttrNumber)
		SetBulkColumn(slot, columns->seen, PointerGetDatum(SeenRow(rows->seen, row)));
}

/* The row of a user of whom nothing is known but what they have: no ratings, and a vector of no factors. */
static void
FillUnknown(TupleTableSlot *slot, const Storing *storing, int64 row)
{
	const FactorRows *rows = storing->rows;
	const FactorColumns *columns = &storing->columns;

	FillKey(slot, storing, rows->unknown, row);
	SetBulkColumn(slot, columns->ratings, Int32GetDatum(0));
	SetBulkColumn(slot, columns->bias, Float4GetDatum(0));
	SetBulkColumn(slot, columns->factors, PointerGetDatum(construct_empty_array(FLOAT4OID)));
	SetBulkColumn(slot, columns->seen, PointerGetDatum(SeenRow(rows->seen, (int64) rows->ids->count + row)));
}

/* How many rows a side of a version has. */
static int64
RowsOfSide(const Storing *storing, const FactorRows *rows)
{
	if (rows->chosen)
		return rows->nchosen;
	return rows->ids->count + (storing->with_unknown && rows->unknown ? rows->unknown->count : 0);
}

/* Turns to a side's rows, which begin with number `first`. */
static void
TurnTo(Storing *storing, const VersionSide *side, int64 first)
{
	storing->side = side;
	storing->first = first;
	storing->rows = side->rows;
	storing->version = side->version;
}

/* BulkRowFunction: rows come in order, those of one version after the other, users without a vector behind the others. */
static void
FillRow(void *state, int64 row, TupleTableSlot *slot)
{
	Storing    *storing = state;
	int32		known;

	while (row >= storing->first + RowsOfSide(storing, storing->rows))
		TurnTo(storing, storing->side + 1, storing->first + RowsOfSide(storing, storing->rows));
	row -= storing->first;
	known = storing->rows->ids->count;
	if (storing->rows->chosen)
		row = storing->rows->chosen[row];
	if (row < known)
		FillKnown(slot, storing, row);
	else
		FillUnknown(slot, storing, row - known);
}

/*
 * Looks again whether a table can be loaded, and where its columns are: before the long phase that has made the rows
 * it could, but what runs in a session, a view's functions too, may have altered it since.
 */
static void
CheckTarget(Relation rel, const char *id_column, Storing *storing)
{
	const FactorRows *rows = storing->rows;
	FactorColumns *columns = &storing->columns;

	CheckFactorTarget(rel, id_column, rows->ids->type, false, columns);
	if (rows->tenant)
		RequireColumn(RelationGetRelid(rel), TENANT, TEXTOID);
	if (rows->rating_vectors)
		CheckRatingColumn(RelationGetRelid(rel));
	if (columns->rating_factors != InvalidAttrNumber && rows->rating_vectors == NULL &&
		TupleDescAttr(RelationGetDescr(rel), columns->rating_factors - 1)->attnotnull)
		RefuseTable(rel, "Its column \"rating_factors\" is not null, and this version has none.");
}

/*
 * Inserts all rows of one side of n versions, 1 or more, those of users without a vector behind the others of theirs; an
 * error where the table cannot take them, by the first.  with_seen: the columns with what users have are there, and are
 * filled.  The lock stays.
 */
void
StoreVersions(Oid relid, const char *id_column, const VersionSide *sides, int n, bool with_seen)
{
	Relation	rel = table_open(relid, RowExclusiveLock);
	Storing		storing = {.with_unknown = with_seen};
	int64		count = 0;

	TurnTo(&storing, sides, 0);
	CheckTarget(rel, id_column, &storing);
	if (!with_seen)
		storing.columns.seen = storing.columns.number = InvalidAttrNumber;
	for (int i = 0; i < n; i++)
		count += RowsOfSide(&storing, sides[i].rows);
	BulkLoad(rel, count, FillRow, &storing);
	table_close(rel, NoLock);
}

/* The same of one version. */
void
StoreFactors(Oid relid, const char *id_column, int32 version, const FactorRows *rows, bool with_seen)
{
	VersionSide side = {version, rows};

	StoreVersions(relid, id_column, &side, 1, with_seen);
}

/* Whether a model table, or a placement of one, has a row of a version, by its primary key. */
static bool
HasRowsAt(Oid relid, const char *id_column, int32 version, bool read_only)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(version)};

	return RunSql(psprintf("SELECT FROM %s WHERE version OPERATOR(pg_catalog.=) $1 ORDER BY %s LIMIT 1",
						   FactorTableSql(relid), id_column), 1, types, values, read_only) > 0;
}

/*
 * Whether a model table has a row of a version.  read_only: for the calling query's snapshot, else for one that is
 * taken now.  Of a table that Citus has what is on this node is looked at first; a part of a query that Citus runs can
 * look no further, and takes it that there are rows.
 */
bool
HasVersionRows(Oid relid, const char *id_column, int32 version, bool read_only)
{
	int			shard = 0;
	Oid			placement;

	while (OidIsValid(placement = AnyPlacement(relid, &shard)))
		if (HasRowsAt(placement, id_column, version, read_only))
			return true;
	return (IsCitusTask() && IsCitusTable(relid)) || HasRowsAt(relid, id_column, version, read_only);
}

/* Deletes every row of a version older than the given one, by SQL: triggers on DELETE fire. */
void
DeleteVersionsBefore(Oid relid, int32 version, int32 except)
{
	StringInfoData sql;
	Oid			types[2] = {INT4OID, INT4OID};
	Datum		values[2] = {Int32GetDatum(version), Int32GetDatum(except)};

	initStringInfo(&sql);
	appendStringInfoString(&sql, "DELETE FROM ");
	appendStringInfo(&sql, "%s WHERE version OPERATOR(pg_catalog.<) $1 AND version OPERATOR(pg_catalog.<>) $2",
					 FactorTableSql(relid));
	(void) RunSql(sql.data, 2, types, values, false);
	CheckRowsVisibleToWriter(relid);
}

/* Deletes every row of n versions, integers, likewise. */
void
DeleteVersions(Oid relid, const Datum *versions, int n)
{
	Oid			types[1] = {INT4ARRAYOID};
	Datum		values[1] = {PointerGetDatum(construct_array((Datum *) versions, n, INT4OID, sizeof(int32), true, TYPALIGN_INT))};

	(void) RunSql(psprintf("DELETE FROM %s WHERE version OPERATOR(pg_catalog.=) ANY ($1)", FactorTableSql(relid)),
				  1, types, values, false);
	CheckRowsVisibleToWriter(relid);
}

/*
 * Deletes the rows that a version has of n ids, which are of the type of the column; returns how many there were.  By
 * SQL: triggers on DELETE fire.
 */
int64
DeleteVersionRows(Oid relid, const char *id_column, int32 version, const IdType *idtype, const Datum *ids, int n)
{
	Oid			types[2] = {INT4OID, get_array_type(idtype->base)};
	Datum		values[2] = {Int32GetDatum(version)};
	int64		deleted;

	if (n == 0)
		return 0;
	values[1] = PointerGetDatum(construct_array((Datum *) ids, n, idtype->base, idtype->typlen, idtype->typbyval,
												idtype->typalign));
	deleted = (int64) RunSql(psprintf("DELETE FROM %s WHERE version OPERATOR(pg_catalog.=) $1 AND %s %s ANY ($2)",
									  FactorTableSql(relid), id_column, IdEqualitySql(idtype)),
							 2, types, values, false);
	CheckRowsVisibleToWriter(relid);
	pfree(DatumGetPointer(values[1]));
	return deleted;
}

/* The integers in the first column of the rows that a statement has returned, without nulls; lives in a context. */
static List *
ReturnedIntegers(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *list = NIL;

	CheckFactorColumn(SPI_tuptable->tupdesc, 0, INT4OID);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
			list = lappend_int(list, DatumGetInt32(value));
	}
	MemoryContextSwitchTo(old);
	return list;
}

/*
 * Deletes an id's rows of all versions, or raises an error; returns how many there were, and in which
 * versions there was a vector.  tenant: only those of this one; NULL: the table is of one model.
 */
int64
DeleteFactorRows(Oid relid, const char *id_column, const IdType *idtype, int64 id, const char *tenant, List **versions)
{
	MemoryContext context = CurrentMemoryContext;
	StringInfoData sql;
	Oid			types[2] = {idtype->base, TEXTOID};
	Datum		values[2] = {IdToDatum(idtype, id), tenant ? CStringGetTextDatum(tenant) : (Datum) 0};
	int64		deleted;

	*versions = NIL;
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot erase rows of model table \"%s\"", get_rel_name(relid)),
				 errdetail("Row security applies to its owner, and may hide some of them."),
				 errhint("Run ALTER TABLE ... NO FORCE ROW LEVEL SECURITY.")));
	if (!IdFits(idtype, id))
		return 0;
	initStringInfo(&sql);
	appendStringInfoString(&sql, "DELETE FROM ");
	appendStringInfo(&sql, "%s WHERE %s %s $1%s RETURNING CASE WHEN factors IS NOT NULL THEN version END",
					 FactorTableSql(relid), id_column, IdEqualitySql(idtype),
					 tenant ? " AND " TENANT " OPERATOR(pg_catalog.=) $2" : "");
	if (tenant)
		RequireColumn(relid, TENANT, TEXTOID);
	SPI_connect();
	if (SPI_execute_with_args(sql.data, tenant ? 2 : 1, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not run: %s", sql.data);
	CheckRowsVisibleToWriter(relid);
	deleted = SPI_processed;
	*versions = ReturnedIntegers(context);
	SPI_finish();
	return deleted;
}

/* What a scan of a model table reads behind the id; columns from FIRST_OPTION on are there or not. */
#define READ_COLUMNS "ratings, bias, factors"
#define FIRST_OPTION 4

/* Receives a scan of a model table and hands each row to a function. */
typedef struct FactorReceiver
{
	DestReceiver pub;
	const IdType *idtype;
	StoredRowFunction function;
	void	   *state;
	int			rating_factors; /* columns of the result; 0 where they are not read */
	int			prior;
	int			seen;
	int			number;
	int			fingerprint;
	int			trend;
	int			spread;
	int64		rows;
} FactorReceiver;

/*
 * The floats of a real[] without NULLs, and how many, as long as the datum lives; an error for any other array, and
 * for none.  may_be_empty: none is a vector, too, as in rows of users of whom nothing is known but what they have.
 */
const float *
VectorValues(Datum datum, bool isnull, bool may_be_empty, int *count)
{
	ArrayType  *array = isnull ? NULL : DatumGetArrayTypeP(datum);

	if (array == NULL || ARR_NDIM(array) > 1 || (ARR_NDIM(array) == 0 && !may_be_empty) || ARR_HASNULL(array))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a vector of factors must be a one-dimensional real[] without nulls"),
				 errhint("A model table was edited by hand; retrain the model.")));
	*count = ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0];
	return (const float *) ARR_DATA_PTR(array);
}

/* Another vector of an item, which is as long as its factors, in a column of the result; NULL where there is none. */
static const float *
OtherValues(const FactorReceiver *receiver, TupleTableSlot *slot, int column, const StoredRow *row)
{
	const float *vector;
	int			d;

	if (column == 0 || slot->tts_isnull[column])
		return NULL;
	vector = VectorValues(slot->tts_values[column], false, false, &d);
	if (d != row->factors)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("factors and %s of item %s differ in length",
						NameStr(TupleDescAttr(slot->tts_tupleDescriptor, column)->attname),
						IdToText(receiver->idtype, row->id)),
				 errhint("A model table was edited by hand; retrain the model.")));
	return vector;
}

/* receiveSlot: takes a row apart, and hands it on. */
static bool
ReceiveFactorRow(TupleTableSlot *slot, DestReceiver *self)
{
	FactorReceiver *receiver = (FactorReceiver *) self;
	StoredRow	row = {.spread = 1,.number = -1,.trend = NAN};

	slot_getallattrs(slot);
	row.id = IdFromColumn(receiver->idtype, slot->tts_values[0]);
	row.count = DatumGetInt32(slot->tts_values[1]);
	row.bias = DatumGetFloat4(slot->tts_values[2]);
	row.vector = VectorValues(slot->tts_values[3], slot->tts_isnull[3], receiver->rating_factors == 0, &row.factors);
	row.rating_vector = OtherValues(receiver, slot, receiver->rating_factors, &row);
	row.prior = OtherValues(receiver, slot, receiver->prior, &row);
	if (receiver->seen > 0 && !slot->tts_isnull[receiver->seen])
		row.seen = slot->tts_values[receiver->seen];
	if (receiver->number > 0 && !slot->tts_isnull[receiver->number])
		row.number = DatumGetInt32(slot->tts_values[receiver->number]);
	if (receiver->fingerprint > 0 && !slot->tts_isnull[receiver->fingerprint])
		row.fingerprint = DatumGetInt64(slot->tts_values[receiver->fingerprint]);
	if (receiver->trend > 0 && !slot->tts_isnull[receiver->trend])
		row.trend = DatumGetFloat4(slot->tts_values[receiver->trend]);
	if (receiver->spread > 0 && !slot->tts_isnull[receiver->spread])
		row.spread = DatumGetFloat4(slot->tts_values[receiver->spread]);
	receiver->function(receiver->state, &row);
	receiver->rows += row.factors > 0;
	return true;
}

/* rStartup: an error unless the query delivers the types that ReceiveFactorRow takes for granted. */
static void
StartupFactorReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	const FactorReceiver *receiver = (FactorReceiver *) self;

	(void) operation;
	CheckDeliveredId(typeinfo, 0, ((FactorReceiver *) self)->idtype);
	CheckFactorColumn(typeinfo, 1, INT4OID);
	CheckFactorColumn(typeinfo, 2, FLOAT4OID);
	CheckFactorColumn(typeinfo, 3, FLOAT4ARRAYOID);
	if (receiver->rating_factors > 0)
		CheckFactorColumn(typeinfo, receiver->rating_factors, FLOAT4ARRAYOID);
	if (receiver->prior > 0)
		CheckFactorColumn(typeinfo, receiver->prior, FLOAT4ARRAYOID);
}

/* Has a query read a column more, where it is there; returns its place in the result, 0 for none. */
static int
ReadColumn(StringInfo sql, int *columns, const char *column, AttrNumber attnum)
{
	if (attnum == InvalidAttrNumber)
		return 0;
	appendStringInfo(sql, ", %s", column);
	return (*columns)++;
}

/*
 * Prepares a receiver of rows, and begins the query of one version's that it is for; what it reads beside the vectors
 * is in options.
 */
static void
InitFactorReceiver(FactorReceiver *receiver, StringInfo sql, Oid relid, const char *id_column, int options)
{
	int			columns = FIRST_OPTION;

	receiver->pub.receiveSlot = ReceiveFactorRow;
	receiver->pub.rStartup = StartupFactorReceiver;
	initStringInfo(sql);
	appendStringInfoString(sql, "SELECT ");
	appendStringInfo(sql, "%s, " READ_COLUMNS, id_column);
	receiver->rating_factors = ReadColumn(sql, &columns, "rating_factors", get_attnum(relid, "rating_factors"));
	if (options & READ_PRIOR)
		receiver->prior = ReadColumn(sql, &columns, "prior", PriorColumn(relid));
	if (options & READ_SEEN)
		receiver->seen = ReadColumn(sql, &columns, "seen", SeenColumn(relid));
	receiver->number = ReadColumn(sql, &columns, "number", ItemNumberColumn(relid));
	receiver->spread = ReadColumn(sql, &columns, "spread", SpreadColumn(relid));
	if (options & READ_FINGERPRINTS)
		receiver->fingerprint = ReadColumn(sql, &columns, "fingerprint", FingerprintColumn(relid));
	if (options & READ_TRENDS)
		receiver->trend = ReadColumn(sql, &columns, "trend", TrendColumn(relid));
	appendStringInfo(sql, " FROM %s WHERE version OPERATOR(pg_catalog.=) ", RowsSql(relid));
}

/*
 * Hands every row of a version to a function, in no particular order, with the current user's privileges and row
 * security; options: what is read beside the vectors.  Returns how many rows there were that have a vector.
 */
int64
ReadFactors(Oid relid, const char *id_column, int32 version, const IdType *idtype, int options,
			StoredRowFunction function, void *state)
{
	FactorReceiver receiver = {.idtype = idtype,.function = function,.state = state};
	StringInfoData sql;

	InitFactorReceiver(&receiver, &sql, relid, id_column, options);
	appendStringInfoString(&sql, "$1");
	RunQuery(sql.data, INT4OID, Int32GetDatum(version), true, &receiver.pub);
	return receiver.rows;
}

/* The same of one id's row; nothing where there is none. */
void
ReadFactorsOf(Oid relid, const char *id_column, int32 version, const IdType *idtype, int64 id, int options,
			  StoredRowFunction function, void *state)
{
	FactorReceiver receiver = {.idtype = idtype,.function = function,.state = state};
	StringInfoData sql;

	InitFactorReceiver(&receiver, &sql, relid, id_column, options);
	appendStringInfo(&sql, "%d AND %s %s $1", version, id_column, IdEqualitySql(idtype));
	RunQuery(sql.data, idtype->base, IdToDatum(idtype, id), true, &receiver.pub);
}

/*
 * user_vector.c - one user's row of a version in the model table: the vector, and what the user has.
 *
 * The table is one that training made, so its primary key is scanned without a query, as the server scans
 * its own catalogs: that takes microseconds, and a list begins with it.  Where the table is no longer as it
 * was made, or row security applies to the caller, a query does it that is prepared once a session.  Both
 * read as the caller, with the caller's snapshot, privileges and row security.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "ids/id_growth.h"
#include "model/missing_rows.h"
#include "model/user_vector.h"
#include "pg/placement.h"
#include "pg/snapshot.h"
#include "pg/spi_query.h"

/* Whether an index is a primary key as training makes it: a valid btree on (version, id), version an int4. */
static bool
KeyFits(Relation index, const FactorColumns *columns)
{
	Form_pg_index key = index->rd_index;

	return index->rd_rel->relam == BTREE_AM_OID && key->indisvalid && !key->indcheckxmin && key->indnkeyatts == 2 &&
		key->indkey.values[0] == columns->version && key->indkey.values[1] == columns->id &&
		index->rd_opcintype[0] == INT4OID;
}

/* Whether a table has rows in children. */
static bool
HasRowsElsewhere(Relation rel)
{
	return rel->rd_rel->relhassubclass && find_inheritance_children(RelationGetRelid(rel), NoLock) != NIL;
}

/*
 * Finds out how users' rows of an open model table, or a placement of it, are found: through its primary key, or where
 * that is not as training made it, or rows may lie elsewhere, by a query.  What is found holds until the table changes.
 */
static void
ResolvePath(Relation rel, CachedModel *cached, VectorPath *path)
{
	FactorColumns *columns = &path->columns;
	Oid			relid = RelationGetRelid(rel);
	Oid			index = PrimaryKeyIndex(rel);
	Oid			type;
	Relation	key;

	path->index = InvalidOid;
	FindFactorColumns(relid, USER_ID, columns);
	path->resolved = true;
	if (!OidIsValid(index) || rel->rd_rel->relkind != RELKIND_RELATION || columns->version == InvalidAttrNumber ||
		columns->ratings == InvalidAttrNumber || columns->bias == InvalidAttrNumber ||
		columns->factors == InvalidAttrNumber || HasRowsElsewhere(rel))
		return;
	key = index_open(index, AccessShareLock);
	type = key->rd_opcintype[1];
	if (KeyFits(key, columns) && (type == cached->user_type.base || IsBinaryCoercible(cached->user_type.base, type)))
	{
		Oid			operator = get_opfamily_member(key->rd_opfamily[1], type, type, BTEqualStrategyNumber);

		fmgr_info_cxt(get_opcode(operator), &path->equal, cached->entry.context);
		path->collation = key->rd_indcollation[1];
		path->index = index;
	}
	index_close(key, AccessShareLock);
}

/*
 * Copies a vector of that many floats out of its array, which must have as many; false where it has none, as in
 * rows of users of whom nothing is known but what they have.
 */
static bool
TakeVector(Datum datum, bool isnull, const CachedModel *cached, int64 user, int factors, float *vector)
{
	ArrayType  *array = isnull ? NULL : DatumGetArrayTypeP(datum);

	if (array && ARR_NDIM(array) == 0)
		return false;
	if (array == NULL || ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != factors || ARR_HASNULL(array))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the vector of %s in \"%s\" does not have %d factors",
						IdToText(&cached->user_type, user), cached->model.user_table, factors),
				 errhint("A model table was edited by hand; retrain the model.")));
	memcpy(vector, ARR_DATA_PTR(array), sizeof(float) * factors);
	return true;
}

/*
 * Copies where a user is drawn to out of its array, which has as many floats as there are dimensions that interest and
 * ratings share, `factors` at most; false where there is none.
 */
static bool
TakePrior(Datum datum, bool isnull, const CachedModel *cached, int64 user, int factors, float *prior)
{
	int			shared;
	ArrayType  *array = isnull ? NULL : DatumGetArrayTypeP(datum);

	if (array == NULL)
		return false;
	shared = ARR_NDIM(array) == 1 ? ARR_DIMS(array)[0] : 0;
	if (shared > factors)
		shared = 0;
	return shared > 0 && TakeVector(datum, false, cached, user, shared, prior);
}

/* What a user has, copied to the given memory context; NULL where it is not known. */
static bytea *
TakeSeen(Datum datum, bool isnull, MemoryContext context)
{
	MemoryContext old;
	bytea	   *seen;

	if (isnull)
		return NULL;
	old = MemoryContextSwitchTo(context);
	seen = DatumGetByteaPCopy(datum);
	MemoryContextSwitchTo(old);
	return seen;
}

/*
 * Takes a user's row, whose columns are there, into `stored`; false where it has no vector.  What the user has is
 * copied to the given memory context.
 */
static bool
TakeUser(HeapTuple tuple, TupleDesc desc, const FactorColumns *columns, const CachedModel *cached, int64 user,
		 int factors, bool with_seen, MemoryContext context, StoredUser *stored)
{
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);
	int			fingerprint = columns->fingerprint - 1;
	int			seen = columns->seen - 1;
	int			prior = columns->prior - 1;
	int			spread = columns->spread - 1;

	/* all columns at once: most lie behind others of any length, so that each alone would be looked for from the first on */
	heap_deform_tuple(tuple, desc, values, nulls);
	stored->count = DatumGetInt32(values[columns->ratings - 1]);
	stored->bias = DatumGetFloat4(values[columns->bias - 1]);
	stored->spread = spread < 0 || nulls[spread] ? 1 : DatumGetFloat4(values[spread]);
	stored->fingerprint = fingerprint < 0 || nulls[fingerprint] ? 0 : DatumGetInt64(values[fingerprint]);
	if (with_seen && seen >= 0)
		stored->seen = TakeSeen(values[seen], nulls[seen], context);
	if (prior >= 0 && stored->prior)
		stored->has_prior = TakePrior(values[prior], nulls[prior], cached, user, factors, stored->prior);
	return TakeVector(values[columns->factors - 1], nulls[columns->factors - 1], cached, user, factors, stored->vector);
}

/*
 * LookupUser through the primary key of the open table, under the active snapshot.  The caller has checked that no
 * row security applies.
 */
static bool
ScanUser(Relation rel, const CachedModel *cached, const VectorPath *path, int32 version, int64 user, int factors,
		 bool with_seen, StoredUser *stored)
{
	const FactorColumns *columns = &path->columns;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&keys[0], columns->version, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(version));
	ScanKeyEntryInitializeWithInfo(&keys[1], 0, columns->id, BTEqualStrategyNumber, InvalidOid, path->collation,
								   (FmgrInfo *) &path->equal, IdToDatum(&cached->user_type, user));
	scan = systable_beginscan(rel, path->index, true, GetActiveSnapshot(), 2, keys);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		found = TakeUser(tuple, RelationGetDescr(rel), columns, cached, user, factors, with_seen, CurrentMemoryContext,
						 stored);
	else
		(void) CheckRowsVisible(RelationGetRelid(rel));
	systable_endscan(scan);
	return found;
}

/* The columns that UserQuery delivers. */
static const FactorColumns query_columns = {.factors = 1,.bias = 2,.ratings = 3,.prior = 4,.fingerprint = 5,
.spread = 6,.seen = 7};

/* The query that reads one user's row of a version from a table: parameter 1 is the version, 2 the user. */
static char *
UserQuery(const CachedModel *cached, Oid relid, bool with_seen)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT factors, bias, ratings");
	appendStringInfo(&sql, ", %s, %s, %s%s FROM %s WHERE version OPERATOR(pg_catalog.=) $1 AND %s %s $2",
					 PriorColumn(relid) != InvalidAttrNumber ? "prior" : "NULL::pg_catalog.float4[]",
					 FingerprintColumn(relid) != InvalidAttrNumber ? "fingerprint" : "NULL::pg_catalog.int8",
					 SpreadColumn(relid) != InvalidAttrNumber ? "spread" : "NULL::pg_catalog.float4",
					 with_seen ? ", seen" : "",
					 FactorTableSql(relid), USER_ID,
					 IdEqualitySql(&cached->user_type));
	return sql.data;
}

/* LookupUser by a query, which respects whatever the table has become: a view, partitions, policies. */
static bool
QueryUser(const CachedModel *cached, Oid relid, int32 version, int64 user, int factors, bool with_seen,
		  StoredUser *stored)
{
	Oid			types[2] = {INT4OID, cached->user_type.base};
	Datum		values[2] = {Int32GetDatum(version), IdToDatum(&cached->user_type, user)};
	MemoryContext context = CurrentMemoryContext;
	SPIPlanPtr	plan;
	TupleDesc	desc;
	bool		found;

	with_seen &= SeenColumn(relid) != InvalidAttrNumber;
	SPI_connect();
	plan = PrepareOnce(UserQuery(cached, relid, with_seen), 2, types);
	if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look up a vector");
	found = SPI_processed > 0;
	if (found)
	{
		desc = SPI_tuptable->tupdesc;
		CheckFactorColumn(desc, 0, FLOAT4ARRAYOID);
		CheckFactorColumn(desc, 1, FLOAT4OID);
		CheckFactorColumn(desc, 2, INT4OID);
		CheckFactorColumn(desc, 3, FLOAT4ARRAYOID);
		CheckFactorColumn(desc, 4, INT8OID);
		CheckFactorColumn(desc, 5, FLOAT4OID);
		found = TakeUser(SPI_tuptable->vals[0], desc, &query_columns, cached, user, factors, with_seen, context, stored);
	}
	else
		(void) CheckPlanRowsVisible(plan);
	SPI_finish();
	return found;
}

/* The path by which Citus finds a user's row: a query of the table, which must not be scanned. */
static VectorPath *
QueryPath(CachedModel *cached)
{
	cached->users.index = InvalidOid;
	cached->users.resolved = true;
	return &cached->users;
}

/*
 * How a user's row is found: in the table of users, or in its placement on this node that has the user.  Where Citus
 * has the table and the user's row is not here, by a query of the table.
 */
static VectorPath *
FindPath(CachedModel *cached, int64 user)
{
	VectorPath *path = &cached->users;
	Oid			placement = PlacementOf(path->relid, USER_ID, cached->user_type.base, IdToDatum(&cached->user_type, user));
	MemoryContext old;
	ListCell   *cell;

	if (!OidIsValid(placement))
		return QueryPath(cached);
	if (placement == path->relid)
		return path;
	foreach(cell, cached->placements)
		if (((VectorPath *) lfirst(cell))->relid == placement)
			return lfirst(cell);
	old = MemoryContextSwitchTo(cached->entry.context);
	path = palloc0(sizeof(VectorPath));
	path->relid = placement;
	cached->placements = lappend(cached->placements, path);
	MemoryContextSwitchTo(old);
	return path;
}

/* LookupUser by a path, whose table is open. */
static bool
LookupOnPath(Relation rel, CachedModel *cached, VectorPath *path, int32 version, int64 user, int factors,
			 bool with_seen, StoredUser *stored)
{
	if (!path->resolved)
		ResolvePath(rel, cached, path);
	if (!OidIsValid(path->index) ||
		(rel->rd_rel->relrowsecurity && check_enable_rls(path->relid, InvalidOid, true) == RLS_ENABLED))
		return QueryUser(cached, path->relid, version, user, factors, with_seen, stored);
	return ScanUser(rel, cached, path, version, user, factors, with_seen, stored);
}

/*
 * Reads a user's row of a version into `stored`, whose vector has room for `factors` floats; with_seen: also what
 * they have, in the current memory context.  False when there is no vector; what the user has may be known all the
 * same.  An error where the version has lost the rows of all users, or a vector is not of that length.  The caller
 * has checked the right to read the table.
 */
bool
LookupUser(CachedModel *cached, int32 version, int64 user, int factors, bool with_seen, StoredUser *stored)
{
	VectorPath *path;
	Relation	rel;
	Relation	placement;
	bool		found;

	stored->seen = NULL;
	stored->spread = 1;
	stored->has_prior = false;
	if (!IdFits(&cached->user_type, user))
		return false;
	rel = try_table_open(cached->users.relid, AccessShareLock);
	if (rel == NULL)
		ModelTableHasGone(&cached->model, cached->model.user_table);
	path = FindPath(cached, user);
	placement = path->relid == cached->users.relid ? NULL : try_table_open(path->relid, AccessShareLock);
	if (path->relid != cached->users.relid && placement == NULL)
		path = QueryPath(cached);	/* it was moved just now */
	found = LookupOnPath(placement ? placement : rel, cached, path, version, user, factors, with_seen, stored);
	if (placement)
		table_close(placement, AccessShareLock);
	table_close(rel, NoLock);
	if (!found)
		CheckNoUsers(cached, version);
	return found;
}

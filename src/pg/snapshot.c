/*
 * snapshot.c - whether the active snapshot sees the rows of a table that is read now.
 *
 * A SELECT locks its tables before it takes the snapshot that it runs with.  Functions that a SELECT calls
 * run with its snapshot and lock theirs later, so what they wait for commits after the snapshot was taken.
 * That is right as long as writers leave old rows in place; but ALTER TABLE, TRUNCATE, REPACK (CONCURRENTLY)
 * and a few more replace a table's file by one whose rows are all their own, in which an older snapshot sees
 * an empty table.  So readers that may have met that compare the file that the snapshot sees in pg_class with
 * the current one.  VACUUM FULL and CLUSTER replace the file too, but keep the visibility of rows: there the
 * snapshot sees some row, after the others none.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "pg/snapshot.h"

/* A file that has kept its rows shows one of them in its first blocks. */
#define SAMPLE_BLOCKS 64

/* Whether another transaction committed, if at all, after the active snapshot was taken. */
bool
IsAfterSnapshot(TransactionId xid)
{
	return TransactionIdIsNormal(xid) && !TransactionIdIsCurrentTransactionId(xid) &&
		XidInMVCCSnapshot(xid, GetActiveSnapshot());
}

/* The file of a relation by its row in pg_class that the active snapshot sees; InvalidOid where it sees none. */
static Oid
VisibleFile(Oid relid)
{
	Relation	catalog = table_open(RelationRelationId, AccessShareLock);
	Oid			file = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, ClassOidIndexId, true, GetActiveSnapshot(), 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		file = ((Form_pg_class) GETSTRUCT(tuple))->relfilenode;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return file;
}

/* Whether the first blocks of a table have a row for the snapshot. */
static bool
HasVisibleRow(Relation rel, Snapshot snapshot)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan_strat(rel, snapshot, 0, NULL, true, false);
	bool		found;

	heap_setscanlimits(scan, 0, SAMPLE_BLOCKS);
	found = table_scan_getnextslot(scan, ForwardScanDirection, slot);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return found;
}

/*
 * Whether rows that the active snapshot should see may be hidden from it.  In a table that is new to it rows
 * may have come from another one, so there must be none; in a file that is new to it some rows must be old.
 */
static bool
HidesRows(Relation rel)
{
	Oid			seen = VisibleFile(RelationGetRelid(rel));
	bool		is_heap = rel->rd_rel->relam == HEAP_TABLE_AM_OID;

	if (seen == rel->rd_rel->relfilenode)
		return false;
	if (OidIsValid(seen))
		return !is_heap || !HasVisibleRow(rel, GetActiveSnapshot());
	return is_heap ? HasVisibleRow(rel, SnapshotSelf) : RelationGetNumberOfBlocks(rel) > 0;
}

/* The error, a serialization failure, of a table whose rows were replaced after the snapshot was taken. */
static void
ReportRewrite(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent rewrite of table \"%s.%s\"",
					get_namespace_name(RelationGetNamespace(rel)), RelationGetRelationName(rel)),
			 IsolationUsesXactSnapshot() ? errdetail("Its rows were replaced after this transaction took its snapshot, which sees none of the new ones.")
			 : errdetail("Its rows were replaced after this statement took its snapshot, which sees none of the new ones."),
			 IsolationUsesXactSnapshot() ? errhint("Run the transaction again.") : errhint("Run the statement again.")));
}

/*
 * Checks one relation, whose row in pg_class was written after the snapshot.  One whose lock cannot be had at
 * once has not been read, since a reader has the lock.
 */
static void
CheckChangedRelation(Oid relid)
{
	Relation	rel;

	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return;
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
	{
		UnlockRelationOid(relid, AccessShareLock);
		return;
	}
	if (HidesRows(rel))
		ReportRewrite(rel);
	relation_close(rel, AccessShareLock);
}

/* CheckRowsVisible() without the relation's children; says whether it may have some. */
static TransactionId
CheckOneRelation(Oid relid, bool *has_children)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class form;
	TransactionId writer;
	bool		has_rows;

	*has_children = false;
	if (!HeapTupleIsValid(tuple))
		return FrozenTransactionId;
	form = (Form_pg_class) GETSTRUCT(tuple);
	*has_children = form->relhassubclass;
	has_rows = form->relkind == RELKIND_RELATION || form->relkind == RELKIND_MATVIEW;
	writer = HeapTupleHeaderGetXmin(tuple->t_data);
	ReleaseSysCache(tuple);
	if (has_rows && IsAfterSnapshot(writer))
		CheckChangedRelation(relid);
	return writer;
}

/*
 * An error where the rows of a relation or one of its children have been replaced since the active snapshot was
 * taken.  To be called after it was read, when its lock is held.  Returns the youngest transaction that has
 * written their rows in pg_class: every snapshot that sees all before it and itself may pass.
 */
TransactionId
CheckRowsVisible(Oid relid)
{
	bool		has_children;
	TransactionId youngest = CheckOneRelation(relid, &has_children);
	List	   *children = has_children ? find_all_inheritors(relid, NoLock, NULL) : NIL;
	ListCell   *cell;

	foreach(cell, children)
	{
		TransactionId writer = lfirst_oid(cell) == relid ? youngest : CheckOneRelation(lfirst_oid(cell), &has_children);

		if (TransactionIdFollows(writer, youngest))
			youngest = writer;
	}
	list_free(children);
	return youngest;
}

/*
 * The same after writing to a relation by SQL, which takes a snapshot of its own once it has the lock, except
 * in transactions that have one snapshot for all.
 */
void
CheckRowsVisibleToWriter(Oid relid)
{
	if (IsolationUsesXactSnapshot())
		(void) CheckRowsVisible(relid);
}

/*
 * Makes active a snapshot of what has been committed by now, or the transaction's where it has one for all.
 * What is to be read should be locked before.
 */
void
PushLatestSnapshot(void)
{
	PushActiveSnapshot(IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : GetLatestSnapshot());
}

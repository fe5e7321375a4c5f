/*
 * bulk_load.c - many rows into a table at once, around the executor as COPY does.
 *
 * Rows are formed in the table's own layout, BATCH_ROWS at a time, and index entries inserted behind them.  What only
 * the executor would honour (triggers, constraints, defaults, generated columns, row security) the caller has refused
 * before.  A table that Citus has takes them by statements instead.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "pg/bulk_load.h"
#include "pg/citus.h"
#include "pg/spi_query.h"

/* Rows that are formed, inserted and forgotten together. */
#define BATCH_ROWS 500

/*
 * Where rows go: a table that is locked and open, and what inserting into it needs.  Its slots are for the rows of
 * one batch; what they point to lives as long.
 */
typedef struct Target
{
	Relation	rel;
	EState	   *estate;
	ResultRelInfo *result;
	BulkInsertState bulk;
	CommandId	command;
	TupleTableSlot *slots[BATCH_ROWS];
} Target;

/* A result relation outside of any plan, as COPY sets one up, with all of its indexes open until ExecCloseIndices(). */
static ResultRelInfo *
OpenResult(EState *estate, Relation rel)
{
	ResultRelInfo *result = makeNode(ResultRelInfo);

	InitResultRelInfo(result, rel, 0, NULL, 0);
	ExecOpenIndices(result, false);
	estate->es_opened_result_relations = lappend(estate->es_opened_result_relations, result);
	return result;
}

/* Gets ready to load a table.  Ends with CloseTarget, or with the transaction where there is an error. */
static void
OpenTarget(Target *target, Relation rel)
{
	target->rel = rel;
	target->estate = CreateExecutorState();
	target->result = OpenResult(target->estate, rel);
	target->bulk = GetBulkInsertState();
	target->command = GetCurrentCommandId(true);
	for (int i = 0; i < BATCH_ROWS; i++)
		target->slots[i] = table_slot_create(rel, NULL);
}

/* Forms and inserts n rows, at most BATCH_ROWS, from number `first` on, and their index entries. */
static void
InsertBatch(Target *target, int64 first, int n, BulkRowFunction function, void *state)
{
	for (int i = 0; i < n; i++)
	{
		TupleTableSlot *slot = target->slots[i];

		ExecClearTuple(slot);
		memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
		function(state, first + i, slot);
		ExecStoreVirtualTuple(slot);
	}
	table_multi_insert(target->rel, target->slots, n, target->command, 0, target->bulk);
	for (int i = 0; i < n && target->result->ri_NumIndices > 0; i++)
	{
		InsertIndexTuples(target->result, target->slots[i], target->estate);
		ResetPerTupleExprContext(target->estate);
	}
}

/* Ends bulk loading: what was inserted is visible to what the transaction does next. */
static void
CloseTarget(Target *target)
{
	for (int i = 0; i < BATCH_ROWS; i++)
		ExecDropSingleTupleTableSlot(target->slots[i]);
	FreeBulkInsertState(target->bulk);
	table_finish_bulk_insert(target->rel, 0);
	ExecCloseIndices(target->result);
	FreeExecutorState(target->estate);
	CommandCounterIncrement();
}

/* BulkLoad() of a table whose rows are here. */
static void
LoadHere(Relation rel, int64 count, BulkRowFunction function, void *state)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "mfrec store", ALLOCSET_DEFAULT_SIZES);
	Target		target;

	OpenTarget(&target, rel);
	for (int64 row = 0; row < count; row += BATCH_ROWS)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);

		CHECK_FOR_INTERRUPTS();
		InsertBatch(&target, row, (int) Min(BATCH_ROWS, count - row), function, state);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	}
	CloseTarget(&target);
	MemoryContextDelete(batch);
}

/* The columns of a table that take values, as SQL. */
static char *
ColumnsSql(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && !att->attgenerated)
			appendStringInfo(&sql, "%s%s", sql.len > 0 ? ", " : "", quote_identifier(NameStr(att->attname)));
	}
	return sql.data;
}

/*
 * One row of BulkLoad(), as a value of the table's row type; *bytes grows by its size.  What it is made of goes with
 * the current memory context.
 */
static Datum
MakeRow(TupleTableSlot *slot, int64 row, BulkRowFunction function, void *state, Size *bytes)
{
	HeapTuple	tuple;
	Datum		value;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	function(state, row, slot);
	tuple = heap_form_tuple(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
	value = heap_copy_tuple_as_datum(tuple, slot->tts_tupleDescriptor);
	heap_freetuple(tuple);
	*bytes += VARSIZE_ANY(DatumGetPointer(value));
	return value;
}

/* How many bytes of rows go with one statement, beyond which no other is taken. */
#define STATEMENT_BYTES (8 * 1024 * 1024)

/*
 * BulkLoad() of a table whose rows are elsewhere: by statements that insert an array of its rows, which whoever has
 * them takes to where they belong.
 */
static void
LoadElsewhere(Relation rel, int64 count, BulkRowFunction function, void *state)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "mfrec store", ALLOCSET_DEFAULT_SIZES);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	Oid			type = rel->rd_rel->reltype;
	Oid			array_type = get_array_type(type);
	char	   *columns = ColumnsSql(rel);
	char	   *sql = psprintf("INSERT INTO %s (%s) SELECT %s FROM pg_catalog.unnest($1)",
							   quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
														  RelationGetRelationName(rel)), columns, columns);
	int64		row = 0;

	while (row < count)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);
		ArrayBuildState *rows = initArrayResult(type, batch, false);
		Size		bytes = 0;
		Datum		array;

		CHECK_FOR_INTERRUPTS();
		while (row < count && bytes < STATEMENT_BYTES)
			(void) accumArrayResult(rows, MakeRow(slot, row++, function, state, &bytes), false, type, batch);
		array = makeArrayResult(rows, batch);
		(void) RunSql(sql, 1, &array_type, &array, false);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	}
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(batch);
}

/* Inserts rows 0 .. count - 1, as the function makes them, into a table that the caller has locked for inserting. */
void
BulkLoad(Relation rel, int64 count, BulkRowFunction function, void *state)
{
	if (IsCitusTable(RelationGetRelid(rel)))
		LoadElsewhere(rel, count, function, state);
	else
		LoadHere(rel, count, function, state);
}

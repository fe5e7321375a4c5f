/*
 * packed_read.c - the rows of a source that Citus keeps on other nodes, many of them as one value.
 *
 * Citus brings rows one by one, and has stored all of them before the first one is seen: ten times the work of reading a
 * table.  So the nodes that have the rows are asked to send them in packed values of a megabyte; pg/packed_chunks.c has
 * the query, which is about the source's own query and runs with the same privileges and row security.  Whether Citus
 * runs it on the nodes is asked of its plan: then nothing stands above its own node.  That holds for distributed and for
 * reference tables, and for views that it pushes down.  Where the plan says otherwise, or a column is of a type whose
 * bytes mean something on one node alone, rows come one by one.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "nodes/extensible.h"
#include "nodes/plannodes.h"
#include "parser/parse_func.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

#include "compat.h"
#include "pg/citus.h"
#include "pg/memory_limit.h"
#include "pg/packed_rows.h"
#include "pg/spi_query.h"
#include "read/packed_read.h"

/*
 * Citus keeps all packed rows before the first is looked at, in memory up to this part of what is for maintenance: nine
 * bytes or so a row.  Triplets, which they become, take as many, and sorting these later more than both.
 */
#define ANSWER_SHARE 2

/* Columns of a source's query at most: user, item, value, weight, time, kind of event. */
#define SOURCE_COLUMNS 6

/* Receives packed rows. */
typedef struct PackedReceiver
{
	DestReceiver pub;
	const Source *source;
	int			ncolumns;		/* of the source's query */
	Oid			type[SOURCE_COLUMNS];
	PackedLayout layout;
	MemoryContext scratch;		/* of one value */
	SourceRowFunction take;
	SourceFlushFunction flush;
	void	   *state;
} PackedReceiver;

/* Appends a column of the source's query, if there is one, to the arguments that are packed. */
static void
AppendColumn(PackedReceiver *receiver, StringInfo sql, const char *name, Oid type)
{
	if (name == NULL)
		return;
	appendStringInfo(sql, "%s%s", receiver->ncolumns > 0 ? ", " : "", quote_identifier(name));
	receiver->type[receiver->ncolumns++] = type;
}

/* The columns in the order of AppendSourceQuery(). */
static void
AppendColumns(PackedReceiver *receiver, StringInfo sql)
{
	const Source *source = receiver->source;

	AppendColumn(receiver, sql, source->user_column, source->user.base);
	AppendColumn(receiver, sql, source->item_column, source->item.base);
	AppendColumn(receiver, sql, source->value_column, source->value_type);
	AppendColumn(receiver, sql, source->weight_column, source->weight_type);
	AppendColumn(receiver, sql, source->time_column, source->time_type);
	AppendColumn(receiver, sql, source->event_column, source->events.type);
}

/*
 * The query that brings packed rows, palloc'd; NULL where a column cannot be packed.  Numbers are in the whole range where
 * they are not null: of a range without statistics the planner takes it that one in two hundred rows is there, of not null
 * that nearly all are, and would have the query compiled for the sake of a sort that has a row in a hundred thousand.
 */
static char *
PackedQuery(PackedReceiver *receiver)
{
	const Source *source = receiver->source;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT mfrec.packed_rows(n) FROM (SELECT n FROM (SELECT mfrec.pack_row(");
	AppendColumns(receiver, &sql);
	appendStringInfo(&sql, ") AS n FROM %s) AS r", SourceSql(source));
	appendStringInfo(&sql, " WHERE n OPERATOR(pg_catalog.>=) '" INT64_FORMAT "'::pg_catalog.int8"
					 " AND n OPERATOR(pg_catalog.<=) '" INT64_FORMAT "'::pg_catalog.int8 ORDER BY n) AS c", PG_INT64_MIN, PG_INT64_MAX);
	for (int i = 0; i < receiver->ncolumns; i++)
		if (!CanBePacked(receiver->type[i]))
			return NULL;
	InitPackedLayout(&receiver->layout, receiver->ncolumns, receiver->type);
	return sql.data;
}

/* Whether all that is done of a query is Citus's own, on the nodes that have the rows. */
static bool
IsPushedDown(const char *sql)
{
	SPIPlanPtr	plan;
	CachedPlan *cached;
	bool		pushed = false;

	SPI_connect();
	plan = SPI_prepare_cursor(sql, 0, NULL, 0);
	if (plan == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	cached = SPI_plan_get_cached_plan(plan);
	if (cached)
	{
		const Plan *top = linitial_node(PlannedStmt, cached->stmt_list)->planTree;

		pushed = top && IsA(top, CustomScan) && IsCitusScan(((const CustomScan *) top)->methods->CustomName);
		ReleaseCachedPlan(cached, NULL);
	}
	SPI_freeplan(plan);
	SPI_finish();
	return pushed;
}

/* Whether the functions are there, on this node and the others: the extension may not have been updated yet. */
static bool
HasFunctions(void)
{
	List	   *name = list_make2(makeString("mfrec"), makeString("pack_row"));

	return CitusHasExtension("mfrec") && OidIsValid(LookupFuncName(name, -1, NULL, true));
}

/* The query, where packed rows come of it; NULL where they have to come one by one. */
static char *
FindPackedQuery(PackedReceiver *receiver)
{
	char	   *sql = HasFunctions() ? PackedQuery(receiver) : NULL;

	return sql && IsPushedDown(sql) ? sql : NULL;
}

/* Takes a row of the query: a chunk of rows. */
static bool
ReceivePacked(TupleTableSlot *slot, DestReceiver *self)
{
	PackedReceiver *receiver = (PackedReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(receiver->scratch);
	PackedReader reader;
	Datum		values[SOURCE_COLUMNS];
	bool		nulls[SOURCE_COLUMNS];

	slot_getallattrs(slot);
	ReadPackedRows(&reader, &receiver->layout, DatumGetByteaP(slot->tts_values[0]));
	while (NextPackedRow(&reader, values, nulls))
		if (!receiver->take(receiver->state, values, nulls, receiver->ncolumns))
			receiver->flush(receiver->state);
	if (!HasIntegerIds(receiver->source))
		receiver->flush(receiver->state);
	MemoryContextSwitchTo(old);
	MemoryContextReset(receiver->scratch);
	return true;
}

/*
 * Reads all rows of a source, and hands them over one by one: values live until `flush` is called, which happens where
 * there is no more room, and with ids that are no integers whenever their memory goes.  What was taken last has yet to be
 * flushed by the caller.  False where Citus has nothing to do with the source, or does not pack its rows: then nothing
 * was read.  read_only: see RunQuery().
 */
bool
ReadPacked(const Source *source, bool read_only, SourceRowFunction take, SourceFlushFunction flush, void *state)
{
	PackedReceiver receiver = {.source = source,.take = take,.flush = flush,.state = state};
	char	   *sql = FindPackedQuery(&receiver);
	int			settings;

	if (sql == NULL)
		return false;
	ereport(DEBUG1, (errmsg_internal("mfrec: reading relation \"%s\" packed, from the nodes that have its rows", source->name)));
	receiver.pub.receiveSlot = ReceivePacked;
	receiver.scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec packed rows", ALLOCSET_DEFAULT_SIZES);
	settings = NewGUCNestLevel();
	KeepAnswers(MaintenanceMemory() / ANSWER_SHARE);
	RunQuery(sql, InvalidOid, (Datum) 0, read_only, &receiver.pub);
	AtEOXact_GUC(true, settings);
	MemoryContextDelete(receiver.scratch);
	return true;
}

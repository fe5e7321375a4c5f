/*
 * direct_read.c - the rows of a source, from its tables.
 *
 * As the query that reads it would: by the snapshot that it would have, after the same checks of privileges, with the
 * same locks.  What the query does besides bringing columns of tables is left to it; see plain_query.c.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "optimizer/optimizer.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "pg/spi_query.h"
#include "read/direct_read.h"
#include "read/plain_query.h"
#include "read/row_workers.h"

/* Raises the error of a row that cannot be taken, if there is one. */
static void
CheckBadRow(const RowTaker *taker)
{
	if (taker->bad.check != RATING_OK)
		ReportBadRow(taker->source, &taker->bad);
}

/* Takes what workers have read, and reads where nothing waits, until all rows of the tables are taken. */
static void
RunCrew(RowCrew *crew, RowTaker *taker, BatchFunction function, void *state)
{
	RowScan		scan;
	bool		reads = crew->workers == 0 || parallel_leader_participation;

	InitCrewScan(crew, &scan, taker);
	do
	{
		const RowBatch *batch = WaitingBatch(crew);

		if (batch)
		{
			function(state, batch);
			ReleaseBatch(crew, batch);
			continue;
		}
		if (!reads)
			continue;
		reads = ScanBatch(&scan);
		CheckBadRow(taker);
		function(state, taker->batch);
	} while (reads || WaitForBatch(crew));
}

/* Reads all rows of tables, as the active snapshot sees them. */
static void
ReadTables(const List *tables, RowTaker *taker, const MfParallel *parallel, BatchFunction function, void *state)
{
	RowCrew		crew;

	StartRowCrew(&crew, taker, tables, GetActiveSnapshot(), CountRowWorkers(tables, parallel));
	RunCrew(&crew, taker, function, state);
	EndRowCrew(&crew, taker);
}

/*
 * Reads all rows that a query of a source brings, and hands them over in batches, whose ids are integers.  False where
 * the query has to run: then nothing was read.  read_only: as the active snapshot sees them, else with what has been
 * committed and done since.  The taker's batch is used, too, and is empty at the end.
 */
bool
ReadDirectly(RowTaker *taker, const char *sql, bool read_only, const MfParallel *parallel, BatchFunction function,
			 void *state)
{
	SPIPlanPtr	plan;
	List	   *tables;
	TupleDesc	desc;

	if (!HasIntegerIds(taker->source))
		return false;
	SPI_connect();
	plan = SPI_prepare_cursor(sql, 0, NULL, CURSOR_OPT_PARALLEL_OK);
	if (plan == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	tables = PlainTables(plan, &desc);
	if (tables != NIL)
	{
		CheckSourceColumns(taker->source, desc);
		if (!read_only)
		{
			CommandCounterIncrement();
			PushActiveSnapshot(GetTransactionSnapshot());
		}
		ReadTables(tables, taker, parallel, function, state);
		BeginBatch(taker);
		if (!read_only)
			PopActiveSnapshot();
		if (read_only || IsolationUsesXactSnapshot())
			(void) CheckPlanRowsVisible(plan);
	}
	SPI_finish();
	return tables != NIL;
}

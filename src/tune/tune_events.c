/*
 * tune_events.c - the kinds of events whose weights a search looks for.
 *
 * What is rare is mostly what is meant: there are more views than carts, and more carts than purchases.  So kinds are
 * ordered by how many rows they have, the most frequent one first, and the one that lists are for comes last.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "tune/tune_events.h"
#include "tune/tune_trial.h"

/* Takes the kinds that a query has delivered, each with the weight 1, in a memory context. */
static EventWeights *
TakeKinds(MemoryContext context)
{
	EventWeights *kinds = MemoryContextAllocZero(context, sizeof(EventWeights));

	kinds->count = (int) SPI_processed;
	kinds->name = MemoryContextAlloc(context, sizeof(char *) * Max(kinds->count, 1));
	kinds->weight = MemoryContextAlloc(context, sizeof(double) * Max(kinds->count, 1));
	for (int i = 0; i < kinds->count; i++)
	{
		kinds->name[i] = MemoryContextStrdup(context, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
		kinds->weight[i] = 1;
	}
	return kinds;
}

/*
 * The kinds in a column of a source, as the caller sees it, palloc'd, each with the weight 1; `relevant`, which need
 * not be there (NULL: none is named), comes last.  An error where there are none, or too many to search.
 */
EventWeights *
FindKinds(const Source *source, const char *column, const char *relevant)
{
	MemoryContext context = CurrentMemoryContext;
	EventWeights *kinds;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT kind FROM (SELECT %s::pg_catalog.text COLLATE \"C\" AS kind, pg_catalog.count(*) AS n "
					 "FROM %s WHERE %s IS NOT NULL GROUP BY 1) kinds "
					 "ORDER BY kind OPERATOR(pg_catalog.=) %s, n DESC, kind LIMIT %d", quote_identifier(column),
					 quote_qualified_identifier(source->schema, source->name), quote_identifier(column),
					 relevant ? quote_literal_cstr(relevant) : "NULL::pg_catalog.text", MOST_EVENT_KINDS + 1);
	SPI_connect();
	if (SPI_execute(sql.data, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the kinds of events of a source");
	kinds = TakeKinds(context);
	SPI_finish();
	if (kinds->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has no kinds of events", source->name),
				 errhint("Insert some rows, and check that row security does not hide them.")));
	if (kinds->count > MOST_EVENT_KINDS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" of relation \"%s\" has more than %d kinds of events", column, source->name, MOST_EVENT_KINDS),
				 errhint("Say what they weigh with event_weights, or group them in a view.")));
	return kinds;
}

/*
 * node_rows.c - how many rows nodes have read of a training.
 *
 * The session that was called waits for the query in which nodes read, so who asks how far it is asks the nodes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "compat.h"
#include "distributed/node_rows.h"
#include "pg/citus.h"
#include "pg/progress.h"
#include "pg/spi_query.h"

/* What sessions of this node have read, that take part in a training; the one that was called aside. */
int64
RowsReadHere(int64 job)
{
	Progress   *trainings;
	int			count = ReadProgress(&trainings);
	int64		rows = 0;

	for (int i = 0; i < count; i++)
		if (trainings[i].job == job && !trainings[i].drives)
			rows += trainings[i].rows;
	pfree(trainings);
	return rows;
}

/* Each node is asked apart from the caller's transaction; one that does not answer, or where the caller may not, counts nothing. */
static const char *const rows_sql =
"SELECT pg_catalog.sum(result::pg_catalog.int8)::pg_catalog.int8"
" FROM pg_catalog.run_command_on_all_nodes(pg_catalog.format('SELECT mfrec.node_rows(%s)', $1), give_warning_for_connection_errors => false)"
" WHERE success";

/* What all nodes have read of a training. */
int64
RowsReadThere(int64 job)
{
	if (!HasCitus() || IsCitusTask())
		return 0;
	return QueryNumber(rows_sql, INT8OID, Int64GetDatum(job));
}

/*
 * fn_progress.c - SQL functions that show the trainings that run right now: mf_trainings, mfrec.node_rows.
 *
 * A training writes what it does to a file of its own (pg/progress.c), as others cannot see its rows before it
 * commits.
 */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "distributed/node_rows.h"
#include "pg/progress.h"
#include "sql/srf.h"

/* Seconds from one time to another. */
static double
SecondsBetween(TimestampTz from, TimestampTz to)
{
	return (to - from) / 1e6;
}

/* The rows that a training has read, here or on all nodes that read for it. */
static int64
RowsOfTraining(const Progress *p)
{
	return p->drives && p->phase == PHASE_READ ? p->rows + RowsReadThere(p->job) : p->rows;
}

/* mfrec.node_rows(job bigint): the rows that this node has read of a training on several nodes. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mfrec_node_rows);
Datum
mfrec_node_rows(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(RowsReadHere(PG_GETARG_INT64(0)));
}

/*
 * mf_trainings(): a row a training of this database, of which the view mf_progress shows those whose process lives.
 * iterations is null until it is known, loss and seconds_left until an iteration has ended; the time left is that of
 * the remaining iterations, at the pace of those so far.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_trainings);
Datum
mf_trainings(PG_FUNCTION_ARGS)
{
	Progress   *trainings;
	int			count;
	TimestampTz now = GetCurrentTimestamp();

	InitMaterializedSRF(fcinfo, 0);
	count = ReadProgress(&trainings);
	for (int i = 0; i < count; i++)
	{
		const Progress *p = &trainings[i];
		Datum		values[10];
		bool		nulls[10] = {false};

		values[0] = Int32GetDatum(p->pid);
		values[1] = CStringGetTextDatum(p->model);
		values[2] = CStringGetTextDatum(PhaseName(p->phase));
		values[3] = Int64GetDatum(RowsOfTraining(p));
		values[4] = Int32GetDatum(p->iteration);
		values[5] = Int32GetDatum(p->iterations);
		values[6] = Float8GetDatum(p->loss);
		values[7] = Float8GetDatum(SecondsBetween(p->started, now));
		values[8] = Float8GetDatum(p->iteration == 0 ? 0 : (p->iterations - p->iteration) *
								   SecondsBetween(p->sweep_started, p->iterated) / p->iteration);
		values[9] = Int64GetDatum(p->memory);
		nulls[5] = p->iterations == 0;
		nulls[6] = isnan(p->loss);
		nulls[8] = p->iteration == 0 || p->iterations == 0;
		PutRow(fcinfo, values, nulls);
	}
	return (Datum) 0;
}

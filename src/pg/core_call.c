/*
 * core_call.c - how the core's threads and errors meet the server's.
 *
 * Threads know nothing of the server: they look at the flags that its signal handlers set, and leave
 * early.  Then the main thread, alone again, raises the error.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "guc.h"
#include "pg/core_call.h"

/* True when this query shall end: cancelled, timed out, or its session terminated. */
static bool
QueryEnds(void)
{
	return QueryCancelPending || ProcDiePending;
}

/* The number of threads of the setting, stopped by cancel and terminate. */
void
InitParallel(MfParallel *parallel)
{
	parallel->nthreads = ThreadCount();
	parallel->cancelled = QueryEnds;
}

/* Turns what a function of the core answered into an error; also a point where interrupts act. */
void
CheckCore(MfError error)
{
	CHECK_FOR_INTERRUPTS();
	switch (error)
	{
		case MF_OK:
			break;
		case MF_CANCELLED:
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("canceling statement due to user request")));
			break;
		case MF_NOT_FINITE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("factors grew beyond the range of single precision"),
					 errhint("Look for ratings, values or weights that are far larger than the others.")));
			break;
	}
}

/*
 * core_call.c - how the core's threads and errors meet the server's.
 *
 * Threads know nothing of the server: they look at the flags that its signal handlers set, and leave
 * early.  Then the main thread, alone again, raises the error: only it may call into PostgreSQL.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "guc.h"
#include "pg/core_call.h"

/* True if cancellation was requested: of the query, by a timeout, or of the session.  Threads call it. */
static bool
CancelRequested(void)
{
	return QueryCancelPending || ProcDiePending;
}

/* How the core's loops are to run: with the threads of the setting, until cancellation is requested. */
void
InitParallel(MfParallel *parallel)
{
	parallel->nthreads = ThreadCount();
	parallel->cancelled = CancelRequested;
}

/*
 * Raises the error that a function of the core has returned, if any; also a point where interrupts act, so
 * that a cancelled query ends with PostgreSQL's own message for what has cancelled it.
 */
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
		case MF_NO_LAPACK:
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_FILE),
					 errmsg("could not load a LAPACK library, which training needs"),
					 errdetail("Neither \"libopenblas.so.0\" nor \"liblapack.so.3\" can be loaded.  What is trained serves without it."),
					 errhint("Install OpenBLAS: on Debian and Ubuntu the package libopenblas0-pthread, elsewhere openblas.")));
			break;
	}
}

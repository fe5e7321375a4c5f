/*
 * subtransaction.c - what may fail without the transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "compat.h"
#include "pg/subtransaction.h"

/*
 * Calls a function in a subtransaction, in the current memory context; returns NULL.  Where it ends in an error nothing
 * that it did in the database is done, and the error is returned, in that context: which errors are no failure but have
 * to go on, such as that of a cancelled query, the caller knows, and throws them again.
 */
ErrorData *
TryInSubtransaction(void (*function) (void *state), void *state)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		function(state);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

/*
 * image_pending.c - files of images whose fate the end of a transaction decides.
 *
 * Training publishes the file of its new version before it commits: should it abort, that goes.  Files of
 * versions that no longer serve go after the commit that superseded them, for until then others read them.
 * Of a prepared transaction the end is not known in this session, so what is pending is forgotten: the file of a
 * version that has never been goes with the next sweep.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "compat.h"
#include "image/image_file.h"
#include "image/image_pending.h"

/* A file that the end of the transaction unlinks. */
typedef struct PendingUnlink
{
	pg_uuid_t	uuid;
	bool		at_commit;		/* else at abort */
	SubTransactionId subtransaction;	/* in which it was asked for, or its parent once that has committed */
	struct PendingUnlink *next;
} PendingUnlink;

static PendingUnlink *pending = NULL;	/* in TopMemoryContext */

/* Unlinks, or forgets, what is pending when a transaction ends.  Cannot fail: what cannot be unlinked stays. */
static void
AtEOXact_Images(XactEvent event, void *arg)
{
	bool		commit = event == XACT_EVENT_COMMIT;

	(void) arg;
	if (!commit && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	while (pending)
	{
		PendingUnlink *entry = pending;

		if (event != XACT_EVENT_PREPARE && entry->at_commit == commit)
			UnlinkImageFile(&entry->uuid);
		pending = entry->next;
		pfree(entry);
	}
}

/*
 * The same for subtransactions: what was asked for in one that aborts is settled, as if the transaction did; what
 * was asked for in one that commits becomes the parent's.
 */
static void
AtEOSubXact_Images(SubXactEvent event, SubTransactionId subtransaction, SubTransactionId parent, void *arg)
{
	PendingUnlink **link = &pending;

	(void) arg;
	if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (*link)
	{
		PendingUnlink *entry = *link;

		if (entry->subtransaction == subtransaction && event == SUBXACT_EVENT_ABORT_SUB)
		{
			if (!entry->at_commit)
				UnlinkImageFile(&entry->uuid);
			*link = entry->next;
			pfree(entry);
			continue;
		}
		if (entry->subtransaction == subtransaction)
			entry->subtransaction = parent;
		link = &entry->next;
	}
}

/* Adds a file to those that are pending. */
static void
AddPending(const pg_uuid_t *uuid, bool at_commit)
{
	static bool registered = false;
	PendingUnlink *entry;

	if (!registered)
	{
		RegisterXactCallback(AtEOXact_Images, NULL);
		RegisterSubXactCallback(AtEOSubXact_Images, NULL);
		registered = true;
	}
	entry = MemoryContextAlloc(TopMemoryContext, sizeof(PendingUnlink));
	entry->uuid = *uuid;
	entry->at_commit = at_commit;
	entry->subtransaction = GetCurrentSubTransactionId();
	entry->next = pending;
	pending = entry;
}

/* Unlinks a version's file should this (sub)transaction abort: its version will never have been. */
void
UnlinkImageAtAbort(const pg_uuid_t *uuid)
{
	AddPending(uuid, false);
}

/* Unlinks a version's file once this transaction has committed: it serves no longer. */
void
UnlinkImageAtCommit(const pg_uuid_t *uuid)
{
	AddPending(uuid, true);
}

/* Whether the end of this transaction decides about the file. */
bool
IsImagePending(const pg_uuid_t *uuid)
{
	for (const PendingUnlink *entry = pending; entry; entry = entry->next)
		if (memcmp(&entry->uuid, uuid, sizeof(pg_uuid_t)) == 0)
			return true;
	return false;
}

/*
 * spi_query.c - queries whose rows go to a receiver as the executor finds them: no copy, no tuplestore.
 *
 * They run as the caller, with their privileges and row security.  A plan is kept under its text, so
 * renaming a table or changing a column makes another plan, never a wrong one; PostgreSQL itself
 * revalidates what it kept.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "nodes/pg_list.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "pg/plan_scans.h"
#include "pg/snapshot.h"
#include "pg/spi_query.h"

/* More plans than this are not kept: a session of hundreds of models is no use for them. */
#define KEPT_PLANS 256

/* A kept plan; the key is a hash of the text and the last parameter's type. */
typedef struct KeptPlan
{
	uint64		key;
	char	   *sql;
	SPIPlanPtr	plan;
	bool		generic;		/* planned without its parameters' values */
	uint64		planned;		/* changes when that was found right; 0: never */
	uint64		changes;		/* see CheckKeptPlan; 0: it has not been there */
	TransactionId youngest;
} KeptPlan;

static HTAB *plans = NULL;
static uint64 changes = 1;		/* invalidations of relations so far */

/* A relation has changed. */
static void
RelationChanged(Datum arg, Oid relid)
{
	(void) arg;
	(void) relid;
	changes++;
}

/*
 * Whether a plan that is good for any parameter has a scan of another extension's.  Citus finds the shards by
 * the parameter's value, and has no such plan unless there is only one to go to.
 */
static bool
NeedsValue(SPIPlanPtr plan, ResourceOwner owner)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);
	bool		custom;

	if (cached == NULL)
		return false;
	custom = (PlanScans(linitial_node(PlannedStmt, cached->stmt_list)) & SCANS_CUSTOM) != 0;
	ReleaseCachedPlan(cached, owner);
	return custom;
}

/* Prepares a query: planned once, where that is possible. */
static SPIPlanPtr
Prepare(const char *sql, int nargs, Oid *types, bool *generic)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, nargs, types, CURSOR_OPT_GENERIC_PLAN);

	*generic = plan && !NeedsValue(plan, NULL);
	if (plan && !*generic)
	{
		SPI_freeplan(plan);
		plan = SPI_prepare(sql, nargs, types);
	}
	if (plan == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	return plan;
}

/* Whether a kept plan is still of the right kind: relations may have been handed to another extension. */
static bool
StillServes(KeptPlan *entry)
{
	if (entry->generic && entry->planned != changes)
	{
		uint64		now = changes;

		if (NeedsValue(entry->plan, CurrentResourceOwner))
			return false;
		entry->planned = now;
	}
	return true;
}

/* Prepares a kept query anew. */
static void
Replan(KeptPlan *entry, int nargs, Oid *types)
{
	bool		generic;
	SPIPlanPtr	plan = Prepare(entry->sql, nargs, types, &generic);

	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep a plan");
	SPI_freeplan(entry->plan);
	entry->plan = plan;
	entry->generic = generic;
	entry->planned = entry->changes = 0;
}

/* The plan of a query and what is kept with it, NULL where it is not kept; the caller has connected SPI. */
static SPIPlanPtr
FindPlan(const char *sql, int nargs, Oid *types, KeptPlan **kept)
{
	uint64		key = hash_bytes_extended((const unsigned char *) sql, strlen(sql),
											 nargs > 0 ? types[nargs - 1] : InvalidOid);
	KeptPlan   *entry;
	SPIPlanPtr	plan;
	bool		generic;

	*kept = NULL;
	if (plans == NULL)
	{
		HASHCTL		control = {0};

		CacheRegisterRelcacheCallback(RelationChanged, (Datum) 0);
		control.keysize = sizeof(uint64);
		control.entrysize = sizeof(KeptPlan);
		plans = hash_create("mfrec plans", 16, &control, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(plans, &key, HASH_FIND, NULL);
	if (entry && strcmp(entry->sql, sql) == 0)
	{
		if (!StillServes(entry))
			Replan(entry, nargs, types);
		*kept = entry;
		return entry->plan;
	}
	plan = Prepare(sql, nargs, types, &generic);
	if (entry || hash_get_num_entries(plans) >= KEPT_PLANS)
		return plan;
	sql = MemoryContextStrdup(TopMemoryContext, sql);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep a plan");
	entry = hash_search(plans, &key, HASH_ENTER, NULL);
	entry->sql = (char *) sql;
	entry->plan = plan;
	entry->generic = generic;
	entry->planned = 0;
	entry->changes = 0;
	*kept = entry;
	return plan;
}

/* The plan of a query, prepared at its first use in the session; the caller has connected SPI. */
SPIPlanPtr
PrepareOnce(const char *sql, int nargs, Oid *types)
{
	KeptPlan   *kept;

	return FindPlan(sql, nargs, types, &kept);
}

/* CheckRowsAreSeen for all relations that a plan has read. */
TransactionId
CheckPlanIsSeen(SPIPlanPtr plan)
{
	TransactionId youngest = FrozenTransactionId;
	ListCell   *source;
	ListCell   *cell;

	foreach(source, SPI_plan_get_plan_sources(plan))
		foreach(cell, ((CachedPlanSource *) lfirst(source))->relationOids)
		{
			TransactionId writer = CheckRowsAreSeen(lfirst_oid(cell));

			if (TransactionIdFollows(writer, youngest))
				youngest = writer;
		}
	return youngest;
}

/*
 * The same for a plan that runs again and again.  As long as no relation has changed, it is enough that the
 * snapshot is younger than whoever has last changed one of these.
 */
static void
CheckKeptPlan(SPIPlanPtr plan, KeptPlan *kept)
{
	uint64		now = changes;

	if (kept && kept->changes == now && TransactionIdPrecedes(kept->youngest, GetActiveSnapshot()->xmin))
		return;
	if (kept == NULL)
		(void) CheckPlanIsSeen(plan);
	else
	{
		kept->youngest = CheckPlanIsSeen(plan);
		kept->changes = now;
	}
}

static void
StartupReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	(void) self;
	(void) operation;
	(void) typeinfo;
}

static void
ShutdownReceiver(DestReceiver *self)
{
	(void) self;
}

/* How a query with one parameter (type InvalidOid: none) runs for a receiver. */
static SPIExecuteOptions
ReceiverOptions(Oid type, Datum value, bool read_only, DestReceiver *receiver)
{
	SPIExecuteOptions options = {.read_only = read_only,.dest = receiver};

	if (receiver->rStartup == NULL)
		receiver->rStartup = StartupReceiver;
	receiver->rShutdown = ShutdownReceiver;
	receiver->rDestroy = ShutdownReceiver;
	receiver->mydest = DestNone;
	if (OidIsValid(type))
	{
		options.params = makeParamList(1);
		options.params->params[0].isnull = false;
		options.params->params[0].pflags = PARAM_FLAG_CONST;
		options.params->params[0].ptype = type;
		options.params->params[0].value = value;
	}
	return options;
}

/*
 * Runs a query with one parameter (type InvalidOid: none) once.  Its rows go to the receiver, which has
 * a receiveSlot, and may have an rStartup that looks at the columns.  read_only: it sees what the calling
 * query sees, else what has been committed and done since as well.  An error where its relations' rows have
 * been replaced since the snapshot was taken; one that is taken with the locks held is young enough.
 */
void
RunQuery(const char *sql, Oid type, Datum value, bool read_only, DestReceiver *receiver)
{
	SPIExecuteOptions options = ReceiverOptions(type, value, read_only, receiver);
	SPIPlanPtr	plan;

	SPI_connect();
	plan = SPI_prepare_cursor(sql, OidIsValid(type) ? 1 : 0, &type, CURSOR_OPT_PARALLEL_OK);
	if (plan == NULL || SPI_execute_plan_extended(plan, &options) < 0)
		elog(ERROR, "could not run: %s", sql);
	if (read_only || IsolationUsesXactSnapshot())
		(void) CheckPlanIsSeen(plan);
	SPI_finish();
}

/* The same for a query that comes again and again: prepared at its first use, with the active snapshot. */
void
RunPrepared(const char *sql, Oid type, Datum value, DestReceiver *receiver)
{
	SPIExecuteOptions options = ReceiverOptions(type, value, true, receiver);
	KeptPlan   *kept;
	SPIPlanPtr	plan;

	SPI_connect();
	plan = FindPlan(sql, OidIsValid(type) ? 1 : 0, &type, &kept);
	if (SPI_execute_plan_extended(plan, &options) < 0)
		elog(ERROR, "could not run: %s", sql);
	CheckKeptPlan(plan, kept);
	SPI_finish();
}

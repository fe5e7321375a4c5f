/*
 * spi_query.c - queries whose rows go to a receiver as the executor finds them: no copy, no tuplestore.
 *
 * They run as the caller, with their privileges and row security.  A plan is saved under its text, so
 * renaming a table or changing a column makes another plan, never a wrong one; PostgreSQL itself
 * revalidates the plans that it has saved.
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

/* More plans than this are not saved: a session of hundreds of models has no use for them. */
#define MAX_SAVED_PLANS 256

/* A saved plan; the key is a hash of the text and the last parameter's type. */
typedef struct SavedPlan
{
	uint64		key;
	char	   *sql;			/* in TopMemoryContext, as the plan */
	SPIPlanPtr	plan;
	bool		generic;		/* planned without its parameters' values */
	uint64		planned_at;		/* relcache_changes when `generic` was last found right; 0: never */
	uint64		visible_at;		/* relcache_changes when CheckSavedPlanRows() last looked; 0: never */
	TransactionId youngest;		/* what it found then */
} SavedPlan;

/* Backend-local cache of plans, by SavedPlan.key; NULL before its first use. */
static HTAB *saved_plans = NULL;

/* Invalidations of relations so far in this session: as long as there are no more, nothing has changed. */
static uint64 relcache_changes = 1;

/* Relcache callback: some relation has changed. */
static void
PlanRelcacheCallback(Datum arg, Oid relid)
{
	(void) arg;
	(void) relid;
	relcache_changes++;
}

/*
 * Whether a plan without its parameters' values has a scan of another extension's.  Citus finds the shards by a
 * parameter's value, and has no such plan unless there is only one shard to go to.  owner: CurrentResourceOwner
 * for a plan that is kept, else NULL.
 */
static bool
NeedsParameterValues(SPIPlanPtr plan, ResourceOwner owner)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);
	bool		custom;

	if (cached == NULL)
		return false;
	custom = (PlanScans(linitial_node(PlannedStmt, cached->stmt_list)) & SCANS_CUSTOM) != 0;
	ReleaseCachedPlan(cached, owner);
	return custom;
}

/*
 * Prepares a query with a generic plan, planned once for all values, where that is possible: *generic.  The plan
 * goes away with the caller's SPI connection unless it is kept.
 */
static SPIPlanPtr
PreparePlan(const char *sql, int nargs, Oid *types, bool *generic)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, nargs, types, CURSOR_OPT_GENERIC_PLAN);

	*generic = plan && !NeedsParameterValues(plan, NULL);
	if (plan && !*generic)
	{
		SPI_freeplan(plan);
		plan = SPI_prepare(sql, nargs, types);
	}
	if (plan == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	return plan;
}

/* Whether a saved plan is still of the right kind: relations may have been handed to another extension. */
static bool
IsPlanCurrent(SavedPlan *saved)
{
	uint64		now = relcache_changes;

	if (!saved->generic || saved->planned_at == now)
		return true;
	if (NeedsParameterValues(saved->plan, CurrentResourceOwner))
		return false;
	saved->planned_at = now;
	return true;
}

/* Moves a plan to where it stays until the end of the session. */
static void
KeepPlan(SPIPlanPtr plan)
{
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep a plan");
}

/* Makes a kept plan that of an entry. */
static void
SetSavedPlan(SavedPlan *saved, SPIPlanPtr plan, bool generic)
{
	saved->plan = plan;
	saved->generic = generic;
	saved->planned_at = saved->visible_at = 0;
}

/* Prepares a saved query anew. */
static void
ReplaceSavedPlan(SavedPlan *saved, int nargs, Oid *types)
{
	bool		generic;
	SPIPlanPtr	old = saved->plan;
	SPIPlanPtr	plan = PreparePlan(saved->sql, nargs, types, &generic);

	KeepPlan(plan);
	SetSavedPlan(saved, plan, generic);
	SPI_freeplan(old);
}

/* Looks a query up by the hash of its text and last parameter's type; NULL where no query of that hash is saved. */
static SavedPlan *
LookUpPlan(uint64 key)
{
	HASHCTL		control = {.keysize = sizeof(uint64),.entrysize = sizeof(SavedPlan)};

	if (saved_plans == NULL)
	{
		CacheRegisterRelcacheCallback(PlanRelcacheCallback, (Datum) 0);
		saved_plans = hash_create("mfrec plans", 16, &control, HASH_ELEM | HASH_BLOBS);
	}
	return hash_search(saved_plans, &key, HASH_FIND, NULL);
}

/*
 * The plan of a query; *saved is its entry in the cache, or NULL where it has none, because the cache is full or
 * another text has the same hash: then the plan goes away with the caller's SPI connection.
 */
static SPIPlanPtr
FindPlan(const char *sql, int nargs, Oid *types, SavedPlan **saved)
{
	uint64		key = hash_bytes_extended((const unsigned char *) sql, strlen(sql),
										  nargs > 0 ? types[nargs - 1] : InvalidOid);
	SavedPlan  *found = LookUpPlan(key);
	SPIPlanPtr	plan;
	bool		generic;

	*saved = NULL;
	if (found && strcmp(found->sql, sql) == 0)
	{
		if (!IsPlanCurrent(found))
			ReplaceSavedPlan(found, nargs, types);
		*saved = found;
		return found->plan;
	}
	plan = PreparePlan(sql, nargs, types, &generic);
	if (found || hash_get_num_entries(saved_plans) >= MAX_SAVED_PLANS)
		return plan;
	sql = MemoryContextStrdup(TopMemoryContext, sql);
	KeepPlan(plan);
	found = hash_search(saved_plans, &key, HASH_ENTER, NULL);
	found->sql = (char *) sql;
	SetSavedPlan(found, plan, generic);
	*saved = found;
	return plan;
}

/*
 * The plan of a query, prepared at its first use in the session.  The caller has connected SPI, and does not
 * free the plan.
 */
SPIPlanPtr
PrepareOnce(const char *sql, int nargs, Oid *types)
{
	SavedPlan  *saved;

	return FindPlan(sql, nargs, types, &saved);
}

/*
 * CheckRowsVisible() for all relations that a plan has read; returns the youngest transaction that has written
 * to any of them in pg_class.
 */
TransactionId
CheckPlanRowsVisible(SPIPlanPtr plan)
{
	TransactionId youngest = FrozenTransactionId;
	ListCell   *source;
	ListCell   *cell;

	foreach(source, SPI_plan_get_plan_sources(plan))
		foreach(cell, ((CachedPlanSource *) lfirst(source))->relationOids)
		{
			TransactionId writer = CheckRowsVisible(lfirst_oid(cell));

			if (TransactionIdFollows(writer, youngest))
				youngest = writer;
		}
	return youngest;
}

/*
 * The same for a saved plan (NULL: it is none) that has just run.  As long as no relation has changed, it is
 * enough that the snapshot is younger than the last change of one of its relations.
 */
static void
CheckSavedPlanRows(SPIPlanPtr plan, SavedPlan *saved)
{
	uint64		now = relcache_changes;

	if (saved == NULL)
		(void) CheckPlanRowsVisible(plan);
	else if (saved->visible_at != now || !TransactionIdPrecedes(saved->youngest, GetActiveSnapshot()->xmin))
	{
		saved->youngest = CheckPlanRowsVisible(plan);
		saved->visible_at = now;
	}
}

/*
 * Runs a statement as the current user; returns how many rows it has returned or changed.  read_only: it sees
 * what the calling query sees, else what has been committed and done since as well.
 */
uint64
RunSql(const char *sql, int nargs, Oid *types, Datum *values, bool read_only)
{
	uint64		rows;

	SPI_connect();
	if (SPI_execute_with_args(sql, nargs, types, values, NULL, read_only, 0) < 0)
		elog(ERROR, "could not run: %s", sql);
	rows = SPI_processed;
	SPI_finish();
	return rows;
}

/* rStartup of receivers that take what columns there are. */
static void
StartupReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	(void) self;
	(void) operation;
	(void) typeinfo;
}

/* rShutdown and rDestroy of all receivers: they are the caller's, who frees them. */
static void
ShutdownReceiver(DestReceiver *self)
{
	(void) self;
}

/* How a query with parameters runs for a receiver, whose callbacks are completed. */
static SPIExecuteOptions
ReceiverOptions(int nargs, const Oid *types, const Datum *values, bool read_only, DestReceiver *receiver)
{
	SPIExecuteOptions options = {.read_only = read_only,.dest = receiver};

	if (receiver->rStartup == NULL)
		receiver->rStartup = StartupReceiver;
	receiver->rShutdown = ShutdownReceiver;
	receiver->rDestroy = ShutdownReceiver;
	receiver->mydest = DestNone;
	if (nargs > 0)
		options.params = makeParamList(nargs);
	for (int i = 0; i < nargs; i++)
	{
		options.params->params[i].isnull = false;
		options.params->params[i].pflags = PARAM_FLAG_CONST;
		options.params->params[i].ptype = types[i];
		options.params->params[i].value = values[i];
	}
	return options;
}

/* Runs a query once, with a plan that the options of its cursor allow. */
static void
RunOnce(const char *sql, int nargs, Oid *types, int cursor, bool read_only, SPIExecuteOptions *options)
{
	SPIPlanPtr	plan;

	SPI_connect();
	plan = SPI_prepare_cursor(sql, nargs, types, cursor);
	if (plan == NULL || SPI_execute_plan_extended(plan, options) < 0)
		elog(ERROR, "could not run: %s", sql);
	if (read_only || IsolationUsesXactSnapshot())
		(void) CheckPlanRowsVisible(plan);
	SPI_finish();
}

/*
 * Runs a query with parameters once, with a parallel plan where there is one.  Its
 * rows go to the receiver, which has a receiveSlot, and may have an rStartup that looks at the columns.
 *
 * read_only: the query sees what the calling query sees, else what has been committed and done since as well.
 * An error where its relations' rows have been replaced since the snapshot was taken; a snapshot that is taken
 * with the locks held is young enough.
 */
void
RunQueryWith(const char *sql, int nargs, Oid *types, const Datum *values, bool read_only, DestReceiver *receiver)
{
	SPIExecuteOptions options = ReceiverOptions(nargs, types, values, read_only, receiver);

	RunOnce(sql, nargs, types, CURSOR_OPT_PARALLEL_OK, read_only, &options);
}

/*
 * The same of a query without parameters, by this process alone, which sees what has been committed by now: its
 * receiver may write, and run subtransactions, which no session may while it has workers.
 */
void
RunQueryAlone(const char *sql, DestReceiver *receiver)
{
	SPIExecuteOptions options = ReceiverOptions(0, NULL, NULL, false, receiver);

	RunOnce(sql, 0, NULL, 0, false, &options);
}

/* The same of a query with one parameter (type InvalidOid: none). */
void
RunQuery(const char *sql, Oid type, Datum value, bool read_only, DestReceiver *receiver)
{
	RunQueryWith(sql, OidIsValid(type) ? 1 : 0, &type, &value, read_only, receiver);
}

/* The same for a query that comes again and again: its plan is saved, and it runs with the active snapshot. */
void
RunPrepared(const char *sql, Oid type, Datum value, DestReceiver *receiver)
{
	SPIExecuteOptions options = ReceiverOptions(OidIsValid(type) ? 1 : 0, &type, &value, true, receiver);
	SavedPlan  *saved;
	SPIPlanPtr	plan;

	SPI_connect();
	plan = FindPlan(sql, OidIsValid(type) ? 1 : 0, &type, &saved);
	if (SPI_execute_plan_extended(plan, &options) < 0)
		elog(ERROR, "could not run: %s", sql);
	CheckSavedPlanRows(plan, saved);
	SPI_finish();
}

/* Receives a number. */
typedef struct NumberReceiver
{
	DestReceiver pub;
	int64		number;
} NumberReceiver;

/* Takes the one number that the query returns. */
static bool
ReceiveNumber(TupleTableSlot *slot, DestReceiver *self)
{
	slot_getallattrs(slot);
	((NumberReceiver *) self)->number = slot->tts_isnull[0] ? 0 : DatumGetInt64(slot->tts_values[0]);
	return true;
}

/* The bigint that a query with one parameter returns, which may write; 0 where it is null, or there is no row. */
int64
QueryNumber(const char *sql, Oid type, Datum value)
{
	NumberReceiver receiver = {.pub.receiveSlot = ReceiveNumber};

	RunQuery(sql, type, value, false, &receiver.pub);
	return receiver.number;
}

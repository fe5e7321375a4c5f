/*
 * model_cache.c - backend-local cache of models' catalog rows and what is derived from them.
 *
 * Nothing here decides which version a call sees: that is the row of mfrec.model that is visible to
 * the caller's snapshot, fetched each time.  What was derived from a row is kept under the row's
 * place and the transaction that wrote it, and used again only when the snapshot sees that very row.
 * Whoever gives a version another image or takes one away writes the model's row, too.
 *
 * What depends on the catalogs (tables, columns, the source) goes stale by their invalidations,
 * which may come at any time: they only mark, and the next call forgets.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "ids/id_growth.h"
#include "model/factor_table.h"
#include "model/model_cache.h"
#include "model/model_source.h"
#include "pg/placement.h"

static SessionCache models = {.places = 64};	/* of CachedModel */
static Oid	model_relid = InvalidOid;	/* of mfrec.model, or its placement by Citus; InvalidOid: look it up */
static Oid	model_table = InvalidOid;	/* of mfrec.model, by which that is known */
static uint64 changes = 0;		/* invalidations so far */

/* What is known of a relation's placements, after it or one of them has changed. */
static void
ForgetPlacements(CachedModel *cached, Oid relid, bool all)
{
	ListCell   *cell;

	foreach(cell, cached->placements)
	{
		VectorPath *path = lfirst(cell);

		if (all || path->relid == relid || path->index == relid)
			path->resolved = false;
	}
}

/*
 * A relation has changed, or with InvalidOid perhaps all of them.  May be called wherever locks are taken, so it
 * only marks.
 */
static void
RelationChanged(Datum arg, Oid relid)
{
	bool		all = !OidIsValid(relid) || relid == model_relid || relid == model_table;

	(void) arg;
	changes++;
	if (all)
		model_relid = InvalidOid;
	for (int i = 0; i < models.places; i++)
	{
		CachedModel	   *cached = (CachedModel *) models.entries[i];

		if (cached == NULL)
			continue;
		if (all || relid == cached->model.user_relid || relid == cached->model.item_relid ||
			relid == cached->users.index || relid == cached->source_relid)
		{
			cached->entry.stale = true;
			cached->users.resolved = false;
		}
		ForgetPlacements(cached, relid, cached->entry.stale);
	}
}

/* A schema has changed: names may mean something else now. */
static void
SchemaChanged(Datum arg, int cacheid, uint32 hashvalue)
{
	(void) cacheid;
	(void) hashvalue;
	RelationChanged(arg, InvalidOid);
}

/* Has invalidations call us, before anything is derived that they concern. */
static void
RegisterCallbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterRelcacheCallback(RelationChanged, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, SchemaChanged, (Datum) 0);
	registered = true;
}

/*
 * Whether an open relation has a block, which asks the system for the length of its file unless the block is still in
 * the buffer where it was last.
 */
static bool
HasBlock(Relation rel, BlockNumber block, Buffer last)
{
	if (BufferIsValid(last) && ReadRecentBuffer(RelationFile(rel), MAIN_FORKNUM, block, last))
	{
		ReleaseBuffer(last);
		return true;
	}
	return block < RelationGetNumberOfBlocks(rel);
}

/*
 * Whether the caller's snapshot sees the row from which this was made: at its place there is a visible row of the
 * transaction that wrote it.  An update writes a new row elsewhere, and a place is used anew only when no snapshot
 * sees what was there.
 */
static bool
IsCurrent(Relation rel, CachedModel *cached)
{
	HeapTupleData tuple;
	bool		visible;

	tuple.t_self = cached->model.tid;
	if (!HasBlock(rel, ItemPointerGetBlockNumber(&tuple.t_self), cached->buffer) ||
		!heap_fetch(rel, GetActiveSnapshot(), &tuple, &cached->buffer, false))
		return false;
	visible = HeapTupleHeaderGetRawXmin(tuple.t_data) == cached->model.xmin;
	ReleaseBuffer(cached->buffer);
	return visible;
}

/* The kept model of that name (NULL: the default one) that the snapshot sees, or NULL. */
static CachedModel *
FindKept(const char *name)
{
	Relation	rel;
	CachedModel	   *found = NULL;

	if (!OidIsValid(model_relid))
		return NULL;
	rel = try_table_open(model_relid, AccessShareLock);
	if (rel == NULL)
		return NULL;
	for (int i = 0; i < models.places && found == NULL; i++)
	{
		CachedModel	   *cached = (CachedModel *) models.entries[i];

		if (cached && !cached->entry.stale &&
			(name ? strcmp(cached->model.name, name) == 0 : cached->model.is_default) &&
			IsCurrent(rel, cached))
			found = cached;
	}
	table_close(rel, NoLock);
	return found;
}

/* Reads all about a model under the active snapshot, in a memory context of its own below the current one. */
static CachedModel *
ReadModel(const char *name)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec model", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CachedModel	   *cached = palloc0(sizeof(CachedModel));
	uint64		before = changes;

	cached->entry.context = context;
	cached->model = *OpenModel(name);
	RefuseFamily(&cached->model);
	CheckModelTables(&cached->model);
	CheckTablesVisible(&cached->model);
	FactorIdType(cached->model.user_relid, USER_ID, &cached->user_type);
	FactorIdType(cached->model.item_relid, ITEM_ID, &cached->item_type);
	cached->has_image = FindVersionImage(&cached->model, cached->model.version, &cached->image);
	cached->users.relid = cached->model.user_relid;
	cached->entry.stale = changes != before;
	MemoryContextSwitchTo(old);
	return cached;
}

/* Lets go of what was kept of a model before, which its rows are no longer; an older snapshot reads it again. */
static void
ForgetFormer(const CachedModel *now)
{
	for (int i = 0; i < models.places; i++)
	{
		CachedModel	   *cached = (CachedModel *) models.entries[i];

		if (cached && strcmp(cached->model.name, now->model.name) == 0)
			cached->entry.stale = true;
	}
}

/*
 * The model that a model argument means to the active snapshot: see OpenModel.  Nothing says yet that the caller
 * may read it.  Valid until CloseCachedModel, or the end of the transaction where that is not called.
 */
CachedModel *
OpenCachedModel(const char *name)
{
	CachedModel	   *cached;

	if (name == NULL)
		name = ModelSetting();
	RegisterCallbacks();
	cached = FindKept(name);
	if (cached == NULL)
	{
		cached = ReadModel(name);
		ForgetFormer(cached);
		KeepCacheEntry(&models, &cached->entry);
		model_table = ModelRelation();
		model_relid = CopyHere(model_table);
	}
	PinCacheEntry(&cached->entry);
	return cached;
}

/* Ends a use of a model. */
void
CloseCachedModel(CachedModel *cached)
{
	UnpinCacheEntry(&cached->entry);
}

/* An error when a column of ids has become of a type that has nothing to do with the model's. */
static void
CheckSameIds(const Source *source, const char *column, const IdType *now, const IdType *trained, Oid relid,
			 const char *id_column)
{
	const char *sql;

	if (IdsConvert(now, trained))
		return;
	sql = AlterIdSql(relid, id_column, trained, now);
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of relation \"%s\" is of type %s, but its model was trained on %s", column,
					source->name, format_type_be(now->type), format_type_be(trained->type)),
			 sql ? errhint("Run %s. Or drop the model with mf_drop and train it again.", sql)
			 : errhint("Drop the model with mf_drop and train it again.")));
}

/*
 * The relation and columns that the model is trained on, opened for lookups as a version reads them whose values
 * are ratings, or are not.  It belongs to the cached model.  An error when the relation has gone or no longer
 * fits, with a hint that ends in `until`: see ModelSourceRelation.
 */
const SourceLookup *
OpenModelSource(CachedModel *cached, bool is_explicit, const char *until)
{
	SourceLookup *source = &cached->source[is_explicit];
	MemoryContext old;
	SourceColumns columns;
	uint64		before = changes;

	if (source->user_sql)
		return source;
	old = MemoryContextSwitchTo(cached->entry.context);
	SourceColumnsFromJson(&columns, cached->model.parameters);
	columns.feedback = is_explicit ? FEEDBACK_EXPLICIT : FEEDBACK_IMPLICIT;
	if (is_explicit)
		columns.event = NULL;	/* of a later version */
	OpenSource(&source->source, ModelSourceRelation(&cached->model, until), &columns);
	CheckSameIds(&source->source, source->source.user_column, &source->source.user, &cached->user_type,
				 cached->model.user_relid, USER_ID);
	CheckSameIds(&source->source, source->source.item_column, &source->source.item, &cached->item_type,
				 cached->model.item_relid, ITEM_ID);
	cached->source_relid = source->source.relid;
	PrepareSourceLookup(source, &cached->user_type, &cached->item_type);
	cached->entry.stale |= changes != before;
	MemoryContextSwitchTo(old);
	return source;
}

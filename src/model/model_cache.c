/*
 * model_cache.c - what a session remembers of the models that it serves.
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
#include "guc.h"
#include "ids/id_growth.h"
#include "model/factor_table.h"
#include "model/model_cache.h"

static SessionCache models = {.places = 16};	/* of Served */
static Oid	model_relid = InvalidOid;	/* of mfrec.model; InvalidOid: look it up */
static uint64 changes = 0;		/* invalidations so far */

/* A relation has changed, or with InvalidOid perhaps all of them. */
static void
RelationChanged(Datum arg, Oid relid)
{
	bool		all = !OidIsValid(relid) || relid == model_relid;

	(void) arg;
	changes++;
	if (all)
		model_relid = InvalidOid;
	for (int i = 0; i < models.places; i++)
	{
		Served	   *served = (Served *) models.entries[i];

		if (served == NULL)
			continue;
		if (all || relid == served->model.user_relid || relid == served->model.item_relid ||
			relid == served->users.index || relid == served->source_relid)
		{
			served->entry.stale = true;
			served->users.resolved = false;
		}
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

/* Whether the caller's snapshot sees the row from which this was made. */
static bool
IsCurrent(Relation rel, const Served *served)
{
	HeapTupleData tuple;
	Buffer		buffer;
	bool		visible;

	tuple.t_self = served->model.tid;
	if (ItemPointerGetBlockNumber(&tuple.t_self) >= RelationGetNumberOfBlocks(rel) ||
		!heap_fetch(rel, GetActiveSnapshot(), &tuple, &buffer, false))
		return false;
	visible = HeapTupleHeaderGetRawXmin(tuple.t_data) == served->model.xmin;
	ReleaseBuffer(buffer);
	return visible;
}

/* The kept model of that name (NULL: the default one) that the snapshot sees, or NULL. */
static Served *
FindKept(const char *name)
{
	Relation	rel;
	Served	   *found = NULL;

	if (!OidIsValid(model_relid))
		return NULL;
	rel = table_open(model_relid, AccessShareLock);
	for (int i = 0; i < models.places && found == NULL; i++)
	{
		Served	   *served = (Served *) models.entries[i];

		if (served && !served->entry.stale &&
			(name ? strcmp(served->model.name, name) == 0 : served->model.is_default) &&
			IsCurrent(rel, served))
			found = served;
	}
	table_close(rel, NoLock);
	return found;
}

/* Reads all about a model under the active snapshot. */
static Served *
ReadServed(const char *name)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec model", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Served	   *served = palloc0(sizeof(Served));
	uint64		before = changes;

	served->entry.context = context;
	served->model = *OpenModel(name);
	CheckModelTables(&served->model);
	CheckTablesAreSeen(&served->model);
	FactorIdType(served->model.user_relid, USER_ID, &served->user_type);
	FactorIdType(served->model.item_relid, ITEM_ID, &served->item_type);
	served->has_image = FindVersionImage(&served->model, served->model.version, &served->image);
	served->users.relid = served->model.user_relid;
	served->entry.stale = changes != before;
	MemoryContextSwitchTo(old);
	return served;
}

/*
 * The model that a model argument means to the active snapshot: see OpenModel.  Valid until
 * CloseServed, or the end of the transaction where that is not called.
 */
Served *
OpenServed(const char *name)
{
	Served	   *served;

	if (name == NULL && mfrec_model && *mfrec_model)
		name = mfrec_model;
	RegisterCallbacks();
	served = FindKept(name);
	if (served == NULL)
	{
		served = ReadServed(name);
		KeepCacheEntry(&models, &served->entry);
		model_relid = ModelRelation();
	}
	PinCacheEntry(&served->entry);
	return served;
}

/* Ends a use of a model. */
void
CloseServed(Served *served)
{
	UnpinCacheEntry(&served->entry);
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
 * The relation and columns that the model is trained on, as a version with or without ratings reads
 * them; an error when the relation has gone or no longer fits.
 */
const SourceLookup *
OpenServedSource(Served *served, bool has_rating, const char *until)
{
	SourceLookup *source = &served->source[has_rating];
	MemoryContext old;
	SourceColumns columns;
	uint64		before = changes;

	if (source->user_sql)
		return source;
	old = MemoryContextSwitchTo(served->entry.context);
	SourceColumnsFromJson(&columns, served->model.parameters);
	columns.feedback = has_rating ? FEEDBACK_EXPLICIT : FEEDBACK_IMPLICIT;
	OpenSource(&source->source, ModelSourceRelation(&served->model, until), &columns);
	CheckSameIds(&source->source, source->source.user_column, &source->source.user, &served->user_type,
				 served->model.user_relid, USER_ID);
	CheckSameIds(&source->source, source->source.item_column, &source->source.item, &served->item_type,
				 served->model.item_relid, ITEM_ID);
	served->source_relid = source->source.relid;
	PrepareSourceLookup(source, &served->user_type, &served->item_type);
	served->entry.stale |= changes != before;
	MemoryContextSwitchTo(old);
	return source;
}

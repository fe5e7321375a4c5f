/*
 * model_catalog.c - the bookkeeping is read: which models and versions there are.
 *
 * Rows are looked up with the caller's snapshot through the tables' indexes, so that a call sees the
 * version that its transaction sees.  model_write.c writes them.
 *
 * The bookkeeping names schemas, tables and sources, so that a dump of it can be restored; what they are the names of
 * is looked up each time, and may have gone: then InvalidOid stands for it until a call needs it, which ends in an
 * error that says what to do.  Errors for models that are not there are raised here, for all calls alike.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "guc.h"
#include "model/model_catalog.h"
#include "pg/citus.h"
#include "pg/json.h"
#include "pg/placement.h"
#include "pg/snapshot.h"

/* Columns of mfrec.model and mfrec.model_version, in the order of the script; those that are not read are left out. */
enum
{
	MODEL_NAME = 1, MODEL_DEFAULT, MODEL_VERSION, MODEL_SCHEMA, MODEL_USERS, MODEL_ITEMS,
	MODEL_SOURCE_SCHEMA, MODEL_SOURCE, MODEL_FRESH, MODEL_PARAMETERS,
	MODEL_OWNER, MODEL_FEATURES, MODEL_FAMILY, MODEL_TENANT /* since 0.2.0 */
};
enum
{
	VERSION_MODEL = 1, VERSION_VERSION, VERSION_IMAGE, VERSION_USERS = 6, VERSION_ITEMS, VERSION_RATINGS,
	VERSION_PARAMETERS = 14, VERSION_UPDATED /* since 0.2.0 */
};

/* A bookkeeping relation's oid; an error tells what to do when the extension is not there. */
static Oid
Bookkeeping(const char *name)
{
	Oid			schema = get_namespace_oid("mfrec", true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table mfrec.%s does not exist", name),
				 errhint("Run CREATE EXTENSION mfrec in this database.")));
	return relid;
}

/*
 * Opens a bookkeeping relation for reading: where mf_citus() has given it to Citus this node's placement of it.  An
 * error where it was handed to Citus so that this node does not have it.
 */
Relation
OpenBookkeeping(const char *name)
{
	Oid			relid = Bookkeeping(name);
	Oid			placement = CopyHere(relid);

	if (!OidIsValid(placement))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this node has no copy of table mfrec.%s, which Citus keeps", name),
				 errdetail("The bookkeeping of models must be a reference table, of which each node has a copy that is up to date."),
				 errhint("On a node that is new call replicate_reference_tables(); else mf_citus() on the coordinator, which must itself be a node: see citus_set_coordinator_host.")));
	return table_open(placement, AccessShareLock);
}

/* The oid of an index, by its name, of an open bookkeeping relation of that name. */
static Oid
BookkeepingIndex(Relation rel, const char *name, const char *index)
{
	const char *suffix = RelationGetRelationName(rel) + strlen(name);	/* of a placement: see PlacementName() */

	return get_relname_relid(*suffix ? psprintf("%s%s", index, suffix) : index, RelationGetNamespace(rel));
}

/* The oid of mfrec.model_version. */
Oid
VersionRelation(void)
{
	return Bookkeeping("model_version");
}

/* The identity in a row of mfrec.model_version: a uuid that no other contents of any version ever have. */
void
VersionImage(HeapTuple tuple, TupleDesc desc, pg_uuid_t *image)
{
	bool		isnull;

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the column is NOT NULL */
	*image = *DatumGetUUIDP(heap_getattr(tuple, VERSION_IMAGE, desc, &isnull));
}

/* The oid of mfrec.model. */
Oid
ModelRelation(void)
{
	return Bookkeeping("model");
}

/* Whether the bookkeeping is Citus's, and so are models: all nodes serve. */
bool
SharesBookkeeping(void)
{
	return IsCitusTable(ModelRelation());
}

/* A column of type text as a C string; NULL for a null. */
static char *
TextColumn(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* A row of mfrec.model, copied to the current memory context, and what its names stand for now. */
static Model *
ModelFromTuple(HeapTuple tuple, TupleDesc desc)
{
	Model	   *model = palloc0(sizeof(Model));
	bool		isnull;
	Oid			schema;

	model->name = TextColumn(tuple, desc, MODEL_NAME);
	model->is_default = DatumGetBool(heap_getattr(tuple, MODEL_DEFAULT, desc, &isnull));
	model->version = DatumGetInt32(heap_getattr(tuple, MODEL_VERSION, desc, &isnull));
	model->schema = TextColumn(tuple, desc, MODEL_SCHEMA);
	model->user_table = TextColumn(tuple, desc, MODEL_USERS);
	model->item_table = TextColumn(tuple, desc, MODEL_ITEMS);
	model->source_schema = TextColumn(tuple, desc, MODEL_SOURCE_SCHEMA);
	model->source = TextColumn(tuple, desc, MODEL_SOURCE);
	model->fresh = DatumGetBool(heap_getattr(tuple, MODEL_FRESH, desc, &isnull));
	model->parameters = DatumGetJsonbPCopy(heap_getattr(tuple, MODEL_PARAMETERS, desc, &isnull));
	model->tid = tuple->t_self;
	model->xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);
	if (desc->natts >= MODEL_FEATURES)
		model->feature_table = TextColumn(tuple, desc, MODEL_FEATURES);
	if (desc->natts >= MODEL_TENANT)
	{
		model->family = TextColumn(tuple, desc, MODEL_FAMILY);
		model->tenant = TextColumn(tuple, desc, MODEL_TENANT);
	}
	schema = get_namespace_oid(model->schema, true);
	if (OidIsValid(schema) && model->feature_table)
		model->feature_relid = get_relname_relid(model->feature_table, schema);
	if (OidIsValid(schema))
	{
		model->user_relid = get_relname_relid(model->user_table, schema);
		model->item_relid = get_relname_relid(model->item_table, schema);
	}
	if (!OidIsValid(model->user_relid) && desc->natts >= MODEL_OWNER)
		model->owner = TextColumn(tuple, desc, MODEL_OWNER);
	return model;
}

/*
 * The first row of mfrec.model that a scan of that index with one key finds, as the active snapshot sees it, or
 * NULL.
 */
static Model *
ScanModel(const char *index, ScanKey key)
{
	Relation	rel = OpenBookkeeping("model");
	SysScanDesc scan = systable_beginscan(rel, BookkeepingIndex(rel, "model", index), true, GetActiveSnapshot(), 1, key);
	HeapTuple	tuple = systable_getnext(scan);
	Model	   *model = HeapTupleIsValid(tuple) ? ModelFromTuple(tuple, RelationGetDescr(rel)) : NULL;

	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return model;
}

/* The name in the setting mfrec.model, NULL where it is empty: what calls mean that name no model. */
const char *
ModelSetting(void)
{
	return mfrec_model && *mfrec_model ? mfrec_model : NULL;
}

/* The database's default model, as the active snapshot sees it, or NULL. */
Model *
FindDefaultModel(void)
{
	ScanKeyData key;

	ScanKeyInit(&key, MODEL_DEFAULT, BTEqualStrategyNumber, F_BOOLEQ, BoolGetDatum(true));
	return ScanModel("model_default", &key);
}

/*
 * The model that a model argument means, as the active snapshot sees it, or NULL: that name; where it is
 * NULL the setting mfrec.model, else the database's default model.
 */
Model *
FindModel(const char *name)
{
	ScanKeyData key;

	if (name == NULL)
		name = ModelSetting();
	if (name == NULL)
		return FindDefaultModel();
	ScanKeyEntryInitialize(&key, 0, MODEL_NAME, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID,
						   F_TEXTEQ, CStringGetTextDatum(name));
	return ScanModel("model_pkey", &key);
}

/* The names of all models, in the current memory context, by name. */
List *
AllModelNames(void)
{
	Relation	rel = OpenBookkeeping("model");
	SysScanDesc scan = systable_beginscan(rel, BookkeepingIndex(rel, "model", "model_pkey"), true, GetActiveSnapshot(), 0, NULL);
	HeapTuple	tuple;
	List	   *names = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		names = lappend(names, TextColumn(tuple, RelationGetDescr(rel), MODEL_NAME));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return names;
}

/* The names of up to ten models, for hints; NULL where there is none. */
static char *
ModelNames(void)
{
	StringInfoData text;
	List	   *names = AllModelNames();

	initStringInfo(&text);
	for (int i = 0; i < Min(10, list_length(names)); i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "", (char *) list_nth(names, i));
	return names == NIL ? NULL : text.data;
}

/*
 * Whether there may be models that this node does not know of: it is a worker, or runs a part of a query for another
 * node, and the bookkeeping is not everywhere.
 */
static bool
ModelsAreElsewhere(void)
{
	return (IsCitusTask() || !IsCitusCoordinator()) && !SharesBookkeeping();
}

/* What to do there. */
static int
WorkerHint(void)
{
	return errhint("This node is a worker, and models are served on the node that trained them. Call mf_citus() on the coordinator, so that all nodes serve.");
}

/* An error for a name that no model has, with the names there are. */
static void
NoSuchModel(const char *name)
{
	char	   *names = ModelNames();

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" does not exist", name),
			 ModelsAreElsewhere() ? WorkerHint() : names ? errhint("The models are: %s.", names)
			 : errhint("Train one with mf_train('a table of ratings').")));
}

/* FindModel, with an error when there is none, or the snapshot cannot see it any more. */
Model *
OpenModel(const char *name)
{
	Model	   *model = FindModel(name);
	char	   *names;

	if (model)
		return model;
	(void) CheckRowsVisible(ModelRelation());
	if (name == NULL)
		name = ModelSetting();
	if (name)
		NoSuchModel(name);
	names = ModelNames();
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg(names ? "there is no default model" : "there is no model yet"),
			 ModelsAreElsewhere() ? WorkerHint() :
			 names ? errhint("Name one of these with the argument model, or choose it with mf_set_default: %s.", names)
			 : errhint("Train one with mf_train('a table of ratings').")));
	return NULL;				/* keep the compiler quiet */
}

/* An error for a family, in the place of a model. */
void
RefuseFamily(const Model *model)
{
	if (IsFamily(model))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a model, but has one for each tenant", model->name),
				 errdetail("They were trained by mf_train_each."),
				 errhint("Name a tenant's: mf_tenant(%s, ...). The view mf_tenants lists them, and mf_retrain_each trains all.",
						 quote_literal_cstr(model->name))));
}

/* An error for a table of a model that was there when the statement began. */
void
ModelTableHasGone(const Model *model, const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("table \"%s.%s\" of model \"%s\" does not exist", model->schema, table, model->name),
			 errdetail("It was dropped or renamed while this statement ran.")));
}

/*
 * Whether a relation is younger than the active snapshot, by the row of its type, which hardly anything but
 * its creation writes.
 */
static bool
IsYoungerThanSnapshot(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(get_rel_type_id(relid)));
	TransactionId creator;

	if (!HeapTupleIsValid(tuple))
		return false;
	creator = HeapTupleHeaderGetXmin(tuple->t_data);
	ReleaseSysCache(tuple);
	return IsAfterSnapshot(creator);
}

/*
 * An error where the active snapshot is older than the model's tables.  Names lead to the tables of today: where a
 * model was dropped and trained anew since the snapshot was taken, that still sees the old model, whose tables
 * have gone, and nothing of the new ones' rows.
 */
void
CheckTablesVisible(const Model *model)
{
	if (IsYoungerThanSnapshot(model->user_relid))
		ModelTableHasGone(model, model->user_table);
	if (IsYoungerThanSnapshot(model->item_relid))
		ModelTableHasGone(model, model->item_table);
}

/* Locks a relation, so that it stays until the end of the transaction; false where it has gone before. */
bool
LockIfThere(Oid relid)
{
	if (OidIsValid(relid))
		LockRelationOid(relid, AccessShareLock);
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid));
}

/* The same for a table of a model: an error where it has gone. */
static void
LockTable(const Model *model, Oid relid, const char *table)
{
	if (!LockIfThere(relid))
		ModelTableHasGone(model, table);
}

/*
 * To be called before items are read: locks both tables, users first as mf_drop does, for else a session that
 * reads items and goes on to users could wait for one that drops the model, which waits for it.
 */
void
LockModelTables(const Model *model)
{
	LockTable(model, model->user_relid, model->user_table);
	LockTable(model, model->item_relid, model->item_table);
}

/* An error that names the table when one of the model's tables was dropped or renamed. */
void
CheckModelTables(const Model *model)
{
	if (OidIsValid(model->user_relid) && OidIsValid(model->item_relid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("table \"%s.%s\" of model \"%s\" does not exist", model->schema,
					OidIsValid(model->user_relid) ? model->item_table : model->user_table, model->name),
			 errdetail("It was dropped or renamed by hand."),
			 errhint("Rename it back, say what it is called now with mf_relink(%s, users => ..., items => ...), or remove the model with mf_drop(%s) and train it again.",
					 quote_literal_cstr(LockName(model)), quote_literal_cstr(LockName(model)))));
}

/*
 * The table of features of a model that has been trained with attributes, by its name, locked until the end of the
 * transaction; InvalidOid where it has gone.  model->feature_relid may be of another time where the model is cached:
 * nothing is derived from that table, so no invalidation of it is waited for.
 */
Oid
FindFeatureTable(const Model *model)
{
	Oid			schema = get_namespace_oid(model->schema, true);
	Oid			relid = OidIsValid(schema) && model->feature_table ? get_relname_relid(model->feature_table, schema) : InvalidOid;

	return LockIfThere(relid) ? relid : InvalidOid;
}

/* The same; an error where it has gone. */
Oid
ModelFeatureTable(const Model *model)
{
	Oid			relid = FindFeatureTable(model);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s.%s\" of model \"%s\" does not exist", model->schema,
						model->feature_table ? model->feature_table : "", model->name),
				 errdetail("It was dropped or renamed by hand."),
				 errhint("Rename it back, or train the model again with mf_retrain(%s).", quote_literal_cstr(model->name))));
	return relid;
}

/*
 * The row of a version as the active snapshot sees it, copied, and its descriptor; or NULL.  Other functions here
 * are called with a version's number for what is in a column of it.
 */
static HeapTuple
FindVersion(const Model *model, int32 version, TupleDesc *desc)
{
	Relation	rel = OpenBookkeeping("model_version");
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyEntryInitialize(&keys[0], 0, VERSION_MODEL, BTEqualStrategyNumber, TEXTOID,
						   C_COLLATION_OID, F_TEXTEQ, CStringGetTextDatum(model->name));
	ScanKeyInit(&keys[1], VERSION_VERSION, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(version));
	scan = systable_beginscan(rel, BookkeepingIndex(rel, "model_version", "model_version_pkey"), true, GetActiveSnapshot(), 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	else
		(void) CheckRowsVisible(RelationGetRelid(rel));
	*desc = CreateTupleDescCopy(RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tuple;
}

/* The identity of a version's contents; false when there is no such version. */
bool
FindVersionImage(const Model *model, int32 version, pg_uuid_t *image)
{
	TupleDesc	desc;
	HeapTuple	tuple = FindVersion(model, version, &desc);

	if (!HeapTupleIsValid(tuple))
		return false;
	VersionImage(tuple, desc, image);
	return true;
}

/* The users or items of a version; negative when there is no such version. */
int64
VersionRows(const Model *model, int32 version, bool users)
{
	TupleDesc	desc;
	HeapTuple	tuple = FindVersion(model, version, &desc);
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return -1;
	return DatumGetInt64(heap_getattr(tuple, users ? VERSION_USERS : VERSION_ITEMS, desc, &isnull));
}

/*
 * The ratings of a version; negative when there is no such version. updated: whether it was updated since its training.
 */
int64
VersionRatings(const Model *model, int32 version, bool *updated)
{
	TupleDesc	desc;
	HeapTuple	tuple = FindVersion(model, version, &desc);
	bool		isnull;

	*updated = false;
	if (!HeapTupleIsValid(tuple))
		return -1;
	if (desc->natts >= VERSION_UPDATED)
	{
		(void) heap_getattr(tuple, VERSION_UPDATED, desc, &isnull);
		*updated = !isnull;
	}
	return DatumGetInt64(heap_getattr(tuple, VERSION_RATINGS, desc, &isnull));
}

/*
 * The numbers by which users' rows mean a version's items are below: as many as there were at the training, and some
 * more where items have come since.
 */
int64
VersionItemNumbers(const Model *model, int32 version)
{
	Jsonb	   *parameters = VersionParameters(model, version);

	if (parameters == NULL)
		return 0;
	return Min(Max(VersionRows(model, version, false), JsonInteger(parameters, ITEM_NUMBERS, 0)), PG_INT32_MAX);
}

/* The identities of all kept versions of a model, as an array that the caller may free; returns how many. */
int
VersionImages(const char *name, pg_uuid_t **images)
{
	Relation	rel = OpenBookkeeping("model_version");
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int			n = 0;

	*images = palloc(sizeof(pg_uuid_t) * 8);
	ScanKeyEntryInitialize(&key, 0, VERSION_MODEL, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(name));
	scan = systable_beginscan(rel, BookkeepingIndex(rel, "model_version", "model_version_pkey"), true, GetActiveSnapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (n >= 8 && (n & (n - 1)) == 0)
			*images = repalloc(*images, sizeof(pg_uuid_t) * n * 2);
		VersionImage(tuple, RelationGetDescr(rel), &(*images)[n++]);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return n;
}

/* All that the training of a version settled on, or NULL when there is no such version. */
Jsonb *
VersionParameters(const Model *model, int32 version)
{
	TupleDesc	desc;
	HeapTuple	tuple = FindVersion(model, version, &desc);
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	return DatumGetJsonbPCopy(heap_getattr(tuple, VERSION_PARAMETERS, desc, &isnull));
}

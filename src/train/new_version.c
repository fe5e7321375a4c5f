/*
 * new_version.c - a model's next version on its way: planned, stored, switched to.
 *
 * Training and import take the same steps, in the caller's transaction: the new version's rows, the switch to it
 * and the removal of old ones become visible together at commit, or never.
 *
 *     BeginNewVersion     lock and find the model
 *     PlanNewVersion      check all that can be checked before there is a row to store
 *     StoreNewVersion     write rows into the model's tables
 *     SwitchToNewVersion  enter the version, point the model at it, remove the oldest ones
 *
 * A version may also be withheld: it is entered, and the model goes on with the one that serves.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "guc.h"
#include "image/image_publish.h"
#include "model/factor_table.h"
#include "model/model_acl.h"
#include "model/seen_columns.h"
#include "train/new_version.h"
#include "train/table_distribute.h"

/*
 * The model as this transaction sees it; NULL, or with must_exist an error, where there is none.  What a
 * training has committed that we waited for must be visible; where the transaction's snapshot hides it, there
 * is no next version to make: a serialization failure.
 */
static Model *
FindLatestModel(const char *name, bool must_exist)
{
	Model	   *model;
	Model	   *latest;

	LockRelationOid(ModelRelation(), AccessShareLock);
	PushActiveSnapshot(GetLatestSnapshot());
	latest = must_exist ? OpenModel(name) : FindModel(name);
	PopActiveSnapshot();
	UnlockRelationOid(ModelRelation(), AccessShareLock);
	if (!IsolationUsesXactSnapshot())
		return latest;
	PushActiveSnapshot(GetTransactionSnapshot());
	model = FindModel(name);
	PopActiveSnapshot();
	if ((model == NULL) != (latest == NULL) || (model && model->version != latest->version))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent training of model \"%s\"", name),
				 errhint("Run the transaction again.")));
	return model;
}

/* An error for a training or an import by the name of a family, or of one of its models: these are made together. */
static void
RefuseFamilies(const Model *model)
{
	if (model->family == NULL)
		return;
	RefuseFamily(model);
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" is that of a tenant of \"%s\"", model->name, model->family),
			 errhint("Train all of them with mf_train_each, or this one with mf_retrain(%s).", quote_literal_cstr(model->name))));
}

/*
 * Takes the lock of a model of that name, until the end of the transaction, and finds the model; NULL, or with must_exist an
 * error, where there is none.
 */
static Model *
LockLatestModel(const char *name, bool must_exist)
{
	Model	   *model = FindLatestModel(name, must_exist);
	const char *locked = model ? LockName(model) : name;

	LockModel(locked);
	model = FindLatestModel(name, must_exist);
	if (model && strcmp(LockName(model), locked) != 0)
		LockModel(LockName(model));	/* another one of that name has come in between */
	return model;
}

/*
 * Takes the model's lock, until the end of the transaction, and finds the model, which the caller must own
 * where it exists.  must_exist: an error where it does not.
 */
void
BeginNewVersion(NewVersion *v, char *name, bool must_exist)
{
	Model	   *model = LockLatestModel(name, must_exist);

	memset(v, 0, sizeof(NewVersion));
	v->is_new = model == NULL;
	if (v->is_new)
		v->model.name = name;
	else
	{
		if (must_exist)
			RefuseFamily(model);
		else
			RefuseFamilies(model);
		CheckModelOwner(model);
		if (model->family)
			RefuseSharedFamilies(model->family);
		v->model = *model;
	}
}

/* The same for a family, whose models get versions: v->version will be the first of their numbers. */
void
BeginFamily(NewVersion *v, char *name, bool must_exist)
{
	Model	   *model = LockLatestModel(name, must_exist);

	memset(v, 0, sizeof(NewVersion));
	v->is_new = model == NULL;
	if (model && !IsFamily(model))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is one model, not a family of tenants' models", name),
				 errhint("Give the family another name with the argument model, or drop the model with mf_drop.")));
	if (model)
	{
		CheckModelOwner(model);
		v->model = *model;
	}
	RefuseSharedFamilies(name);
	v->model.name = v->model.family = name;
}

/*
 * The schema for new model tables, in which the caller must be able to create tables: that of a relation unless
 * one is named.
 */
static char *
ChooseSchema(const char *name, Oid relid)
{
	Oid			schema;
	AclResult	result;

	if (name)
		schema = get_namespace_oid(name, false);
	else if (isAnyTempNamespace(get_rel_namespace(relid)))
		schema = RangeVarGetCreationNamespace(makeRangeVar(NULL, "mfrec", -1));
	else
		schema = get_rel_namespace(relid);
	result = SchemaAclCheck(schema, ACL_CREATE);
	if (result != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for schema %s", get_namespace_name(schema)),
				 errdetail("Training creates the model's tables there."),
				 errhint("Name a schema in which you may create tables with the argument schema.")));
	return get_namespace_name(schema);
}

/* The schema for the tables of a model that has lost both: where they were unless named, if it is still there. */
static char *
ChooseSchemaAgain(const Model *model, const char *name, Oid relid)
{
	Oid			schema = get_namespace_oid(model->schema, true);

	if (name == NULL && OidIsValid(schema) && SchemaAclCheck(schema, ACL_CREATE) == ACLCHECK_OK)
		return model->schema;
	return ChooseSchema(name, relid);
}

/* The tables of a model go to this schema; an error where a relation has one of their names. */
static void
PlanTables(Model *model, char *schema)
{
	Oid			namespace = get_namespace_oid(schema, false);

	CheckMayCreateTables(model);
	model->schema = schema;
	CheckNameIsFree(namespace, model->user_table, model->name);
	CheckNameIsFree(namespace, model->item_table, model->name);
	if (model->feature_table)
		CheckNameIsFree(namespace, model->feature_table, model->name);
}

/* The longest name that a model's tables end in. */
static const char *
LongestEnding(const NewVersion *v)
{
	return v->has_features ? "_feature_factors" : "_user_factors";
}

/*
 * A version that goes by attributes of items or users has a table of their features, in the schema of the other ones:
 * an error where there is a relation of its name that is not the model's.  Where it has gone, there will be a new one,
 * and older versions are without.
 */
static void
PlanFeatureTable(NewVersion *v)
{
	Model	   *model = &v->model;

	if (!v->has_features || model->feature_table)
		return;
	CheckMayCreateTables(model);
	model->feature_table = psprintf("%s_feature_factors", model->name);
	if (strlen(model->feature_table) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("model name \"%s\" is too long for a table of features", model->name),
				 errdetail("It would be called \"%s\".", model->feature_table),
				 errhint("Train a new model with a shorter name in the argument model.")));
	CheckNameIsFree(get_namespace_oid(model->schema, false), model->feature_table, model->name);
}

/*
 * A model that is not there yet gets names for its tables, and version 1; an error for a name that is empty or too long,
 * or for a family's by which its tenants would not be known from others': see TenantModel().
 */
static void
PlanNewModel(NewVersion *v, const char *schema, Oid relid)
{
	Model	   *model = &v->model;
	char	   *name = model->name;

	if (strlen(name) == 0 || strlen(name) + strlen(LongestEnding(v)) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("model name \"%s\" is empty or too long", name),
				 errdetail("Its tables are called after it; it can have 1 to %d bytes.",
						   NAMEDATALEN - 1 - (int) strlen(LongestEnding(v))),
				 errhint("Name the model with the argument model.")));
	if (model->family && strchr(name, '/'))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("name \"%s\" of a family of models has a slash", name),
				 errdetail("The model of a tenant is called family/tenant, and tenants may have slashes: another family's tenant could have that name."),
				 errhint("Name the family with the argument model.")));
	model->user_table = psprintf("%s_user_factors", name);
	model->item_table = psprintf("%s_item_factors", name);
	PlanTables(model, ChooseSchema(schema, relid));
	PlanFeatureTable(v);
	model->is_default = model->family == NULL;	/* if there is none yet */
	v->version = 1;
}

/* An error where a table that the model has is no longer what its name means. */
static void
CheckTable(const Model *model, Oid relid, const char *table)
{
	Oid			schema = get_namespace_oid(model->schema, true);

	if (OidIsValid(relid) && (!OidIsValid(schema) || get_relname_relid(table, schema) != relid))
		ModelTableHasGone(model, table);
}

/* Locks one of the model's tables, which the current user must own; nothing where there is none. */
static void
HoldTable(const Model *model, Oid relid, const char *table)
{
	if (!OidIsValid(relid))
		return;
	if (!OwnsRelation(relid))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, table);
	LockRelationOid(relid, RowExclusiveLock);
	CheckTable(model, relid, table);
}

/*
 * Locks the tables of a model that gets a version as inserting will lock them, until the end of the
 * transaction.  No session alters them, creates a trigger or drops them between a check and what relies on it;
 * readers, vacuum and other writers do not have to wait.
 */
static void
HoldTables(const Model *model)
{
	HoldTable(model, model->user_relid, model->user_table);
	HoldTable(model, model->item_relid, model->item_table);
	HoldTable(model, model->feature_relid, model->feature_table);
}

/* An error where a table has gone that models of a family share: the versions of all of them are lost. */
static void
CheckFamilyTables(const Model *model)
{
	if (model->family && (!OidIsValid(model->user_relid) || !OidIsValid(model->item_relid)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s.%s\" of family \"%s\" does not exist", model->schema,
						OidIsValid(model->user_relid) ? model->item_table : model->user_table, model->family),
				 errdetail("It was dropped or renamed by hand."),
				 errhint("Rename it back, say what it is called now with mf_relink(%s, users => ..., items => ...), or remove what is left with mf_drop(%s) and train again.",
						 quote_literal_cstr(model->family), quote_literal_cstr(model->family))));
}

/* A model that gets another version: its tables can take it, and stay so, or there will be new ones. */
static void
PlanNextVersion(NewVersion *v, const char *schema, Oid relid)
{
	Model	   *model = &v->model;
	Acting		acting;

	CheckFamilyTables(model);
	v->tables_lost = !OidIsValid(model->user_relid) || !OidIsValid(model->item_relid);
	if (!OidIsValid(model->user_relid) && !OidIsValid(model->item_relid) && !OidIsValid(model->feature_relid))
		PlanTables(model, ChooseSchemaAgain(model, schema, relid));
	else if (schema && strcmp(schema, model->schema) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has its tables in schema \"%s\", not \"%s\"", model->name,
						model->schema, schema),
				 errhint("Drop it with mf_drop first, or train under another name with the argument model.")));
	ActAsModelOwner(model, &acting);
	HoldTables(model);
	if (OidIsValid(model->user_relid))
		CheckFactorTable(model->user_relid, USER_ID, v->user);
	if (OidIsValid(model->item_relid))
		CheckFactorTable(model->item_relid, ITEM_ID, v->item);
	if (OidIsValid(model->item_relid) && v->both_parts)
		CheckRatingColumn(model->item_relid);
	if (OidIsValid(model->feature_relid) && v->has_features)
		CheckFeatureTable(model->feature_relid);
	PlanFeatureTable(v);
	StopActing(&acting);
	v->lacks_spreads = OidIsValid(model->user_relid) && SpreadColumn(model->user_relid) == InvalidAttrNumber;
	v->version = (model->family ? FamilyVersion(model->family) : LatestVersion(model->name)) + 1;
	v->served = model->version;
}

/*
 * Checks all that can be checked before there is a row to store.  New model tables go to the named schema, or
 * where that is NULL to that of the relation relid.  The types of ids must live as long as *v.
 */
void
PlanNewVersion(NewVersion *v, const char *schema, Oid relid, IdType *user, IdType *item)
{
	v->user = user;
	v->item = item;
	if (v->is_new)
		PlanNewModel(v, schema, relid);
	else
		PlanNextVersion(v, schema, relid);
	v->model.version = v->version;
}

/* Takes over the arguments, a JSON object, that mfrec.model.parameters is to keep. */
void
SetNewVersionParameters(NewVersion *v, const char *json)
{
	v->model.parameters = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

/*
 * Alters the tables that the model has, where they must be to take the new version's ids.  That keeps readers
 * out until the end of the transaction, so it comes as late as it can.  What sessions have cached of older
 * versions becomes invalid.
 */
static void
AdaptModelTables(const NewVersion *v)
{
	const Model *model = &v->model;
	bool		altered = false;

	if (OidIsValid(model->user_relid))
		altered = AdaptFactorTable(model->user_relid, USER_ID, v->user);
	if (OidIsValid(model->item_relid))
		altered |= AdaptFactorTable(model->item_relid, ITEM_ID, v->item);
	if (altered && model->family)
		RenewFamilyImages(model->family);
	else if (altered)
		RenewVersionImages(model->name);
}

/* Creates the tables that the model does not have; where all nodes serve they are Citus's. */
static void
CreateModelTables(NewVersion *v)
{
	Model	   *model = &v->model;
	bool		users = !OidIsValid(model->user_relid);
	bool		items = !OidIsValid(model->item_relid);
	bool		features = v->has_features && !OidIsValid(model->feature_relid);

	if (users)
		model->user_relid = CreateFactorTable(model->schema, model->user_table, USER_ID, v->user, false, model->family);
	if (items)
		model->item_relid = CreateFactorTable(model->schema, model->item_table, ITEM_ID, v->item, true, model->family);
	if (features)
		model->feature_relid = CreateFeatureTable(model->schema, model->feature_table);
	if (!SharesBookkeeping())
		return;
	if (users)
		(void) DistributeUsers(model);
	if (items)
		(void) DistributeWhole(model->item_relid);
	if (features)
		(void) DistributeWhole(model->feature_relid);
}

/*
 * Creates the model's tables before there is a version to store, and gives them to Citus, where it has them not: nodes
 * that train together need that of users.
 */
void
CreateTablesOnNodes(NewVersion *v)
{
	Model	   *model = &v->model;
	Acting		acting;

	ActAsModelOwner(model, &acting);
	CreateModelTables(v);
	(void) DistributeUsers(model);
	(void) DistributeWhole(model->item_relid);
	StopActing(&acting);
}

/*
 * Sees to it that the tables take rows as these are, acting as the model's owner: there are none, or they were made by
 * a former version.
 */
static void
PrepareTables(NewVersion *v, const FactorRows *users, const FactorRows *items)
{
	Model	   *model = &v->model;

	AdaptModelTables(v);
	CreateModelTables(v);
	v->stores_seen = users->seen && AddSeenColumns(model);
	if (users->fingerprints)
		AddFingerprintColumns(model);
	v->stores_trends = items->trends && AddTrendColumn(model);
	if (v->lacks_spreads && items->bias)
		AddSpreadColumn(model);
	if (users->priors)
		AddPriorColumn(model, model->user_relid);
	if (items->priors)
		AddPriorColumn(model, model->item_relid);
}

/*
 * Writes the rows of n versions of a family, 1 or more, of which v is any, likewise: numbers are in users and in items,
 * which go in parallel.
 */
void
StoreFamilyVersions(NewVersion *v, const VersionSide *users, const VersionSide *items, int n)
{
	Model	   *model = &v->model;
	Acting		acting;

	CheckTable(model, model->user_relid, model->user_table);
	CheckTable(model, model->item_relid, model->item_table);
	ActAsModelOwner(model, &acting);
	PrepareTables(v, users[0].rows, items[0].rows);
	StoreVersions(model->user_relid, USER_ID, users, n, v->stores_seen);
	StoreVersions(model->item_relid, ITEM_ID, items, n, v->stores_seen);
	StopActing(&acting);
}

/*
 * Writes the new version's rows, into new tables where there are none.  Other sessions could not change the
 * tables since they were checked, but this session itself could, in functions of the source: they are checked
 * again.  features: of items and of users, NULL without.  function: is asked first to store items; NULL: nobody is.
 */
void
StoreNewVersion(NewVersion *v, FactorRows *users, FactorRows *items, const FeatureRows *const features[2],
				StoreItemsFunction function, void *state)
{
	Model	   *model = &v->model;
	Acting		acting;

	users->tenant = items->tenant = model->tenant;

	CheckTable(model, model->user_relid, model->user_table);
	CheckTable(model, model->item_relid, model->item_table);
	CheckTable(model, model->feature_relid, model->feature_table);
	if (!v->is_new)
		CheckModelOwner(model);
	ActAsModelOwner(model, &acting);
	PrepareTables(v, users, items);
	StoreFactors(model->user_relid, USER_ID, v->version, users, v->stores_seen);
	if (function == NULL || !function(state, model->item_relid, items, v->stores_seen))
		StoreFactors(model->item_relid, ITEM_ID, v->version, items, v->stores_seen);
	for (int i = 0; i < 2; i++)
		if (features[i])
			StoreFeatureRows(model->feature_relid, v->version, features[i]);
	StopActing(&acting);
}

/* Deletes the rows of versions of a family that the bookkeeping does not have any more. */
void
DeleteRemovedVersions(const Model *model, const RemovedVersions *removed)
{
	Acting		acting;

	if (removed->n == 0)
		return;
	ActAsModelOwner(model, &acting);
	DeleteVersions(model->user_relid, removed->version, removed->n);
	DeleteVersions(model->item_relid, removed->version, removed->n);
	StopActing(&acting);
}

/*
 * Removes the model's versions that are older than mfrec.keep_versions keeps, but for the one that serves, or has until
 * now; all of them where a table was lost.
 */
static void
RemoveOldVersions(const NewVersion *v)
{
	const Model *model = &v->model;
	int32		oldest = v->version - mfrec_keep_versions + 1;
	int32		except = v->withheld ? v->served : 0;
	Acting		acting;

	if (model->family)
	{
		DeleteRemovedVersions(model, RemoveTenantVersions(model->family, (char *const *) &model->name, 1, mfrec_keep_versions,
														  v->withheld || mfrec_keep_versions > 1));
		return;
	}
	if (mfrec_keep_versions > 1 && v->served > 0 && v->withheld == NULL)
		oldest = Min(oldest, v->served);
	if (v->tables_lost)
		oldest = v->version;
	ForgetVersions(model->name, oldest, except);
	if (oldest <= 1)
		return;
	ActAsModelOwner(model, &acting);
	DeleteVersionsBefore(model->user_relid, oldest, except);
	DeleteVersionsBefore(model->item_relid, oldest, except);
	if (OidIsValid(model->feature_relid))
		DeleteVersionsBefore(model->feature_relid, oldest, except);
	StopActing(&acting);
}

/*
 * The version is stored without serving, for a reason: SwitchToNewVersion() then leaves the model as it is.  Where no
 * other version can serve, it does all the same, and a notice says so.
 */
void
WithholdNewVersion(NewVersion *v, const char *why)
{
	if (!v->is_new && !v->tables_lost)
		v->withheld = why;
	else
		ereport(NOTICE,
				(errmsg("version %d of model \"%s\" serves, as there is no other one", v->version, v->model.name)));
}

/*
 * Enters the version, which gets its number and identity here, points the model at it unless it is withheld, and
 * removes old ones.  log: log_lines lines of mfrec.training_log.
 */
void
SwitchToNewVersion(NewVersion *v, ModelVersion *version, const LogLine *log, int log_lines)
{
	Model	   *model = &v->model;

	version->version = v->version;
	MakeVersionId(&version->image);
	if (v->withheld == NULL)
		SupersedeImages(model->name, NULL);
	InsertVersion(model, version, log, log_lines);
	if (v->withheld)
		WithholdVersion(model, v->version, v->withheld);
	else if (v->is_new)
		InsertModel(model);
	else
		UpdateModel(model);
	if (model->family)
		SetFamilyVersion(model->family, v->version);
	if (!v->is_new)
		RemoveOldVersions(v);
	RecordFeatureTable(model->name, model->feature_table);
	RecordOwner(model->name, GetUserNameFromId(RelationOwner(model->user_relid), false));
}

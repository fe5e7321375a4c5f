/*
 * new_version.c - a model's next version on its way: planned, stored, switched to.
 *
 * Whoever makes versions, by training or from factors that came from elsewhere, takes the same steps
 * in the caller's transaction: the new version's rows, the switch to it and the removal of old ones
 * become visible together at commit, or never.
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

/*
 * The model as this transaction sees it; NULL, or an error, where there is none.  What a training that
 * we waited for has committed must be seen; where the transaction's snapshot hides it, there is no
 * next version to make.
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

/* Takes the model's lock and finds the model, which the caller must own where it exists. */
void
BeginRelease(Release *r, char *name, bool must_exist)
{
	Model	   *model;

	LockModel(name);
	model = FindLatestModel(name, must_exist);
	memset(r, 0, sizeof(Release));
	r->is_new = model == NULL;
	if (r->is_new)
		r->model.name = name;
	else
	{
		CheckModelOwner(model);
		r->model = *model;
	}
}

/* The schema for new model tables, where the caller must be able to create: that of a relation unless named. */
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
ChooseSchemaAnew(const Model *model, const char *name, Oid relid)
{
	Oid			schema = get_namespace_oid(model->schema, true);

	if (name == NULL && OidIsValid(schema) && SchemaAclCheck(schema, ACL_CREATE) == ACLCHECK_OK)
		return model->schema;
	return ChooseSchema(name, relid);
}

/* The tables of a model go to this schema, where nothing may have taken their names. */
static void
PlanTables(Model *model, char *schema)
{
	Oid			namespace = get_namespace_oid(schema, false);

	model->schema = schema;
	CheckTableInTheWay(namespace, model->user_table, model->name);
	CheckTableInTheWay(namespace, model->item_table, model->name);
}

/* A model that is not there yet: names for its tables. */
static void
PlanNewModel(Release *r, const char *schema, Oid relid)
{
	Model	   *model = &r->model;
	char	   *name = model->name;

	if (strlen(name) == 0 || strlen(name) + strlen("_user_factors") >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("model name \"%s\" is empty or too long", name),
				 errdetail("Its tables are called after it; it can have 1 to %d bytes.",
						   NAMEDATALEN - 1 - (int) strlen("_user_factors")),
				 errhint("Name the model with the argument model.")));
	model->user_table = psprintf("%s_user_factors", name);
	model->item_table = psprintf("%s_item_factors", name);
	PlanTables(model, ChooseSchema(schema, relid));
	model->is_default = true;		/* if there is none yet */
	r->version = 1;
}

/* An error where a table that the model had is no longer what its name means. */
static void
CheckTable(const Model *model, Oid relid, const char *table)
{
	Oid			schema = get_namespace_oid(model->schema, true);

	if (OidIsValid(relid) && (!OidIsValid(schema) || get_relname_relid(table, schema) != relid))
		ModelTableHasGone(model, table);
}

/* Locks one of the model's tables, which the current user must own. */
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
 * transaction: nobody alters them, creates a trigger or drops them between a check and what relies on it,
 * and neither readers nor vacuum nor who writes to them have to wait.
 */
static void
HoldTables(const Model *model)
{
	HoldTable(model, model->user_relid, model->user_table);
	HoldTable(model, model->item_relid, model->item_table);
}

/* A model that gets another version: its tables can take it, and stay so, or there will be new ones. */
static void
PlanNextVersion(Release *r, const char *schema, Oid relid)
{
	Model	   *model = &r->model;
	Acting		acting;

	r->is_anew = !OidIsValid(model->user_relid) || !OidIsValid(model->item_relid);
	if (!OidIsValid(model->user_relid) && !OidIsValid(model->item_relid))
		PlanTables(model, ChooseSchemaAnew(model, schema, relid));
	else if (schema && strcmp(schema, model->schema) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has its tables in schema \"%s\", not \"%s\"", model->name,
						model->schema, schema),
				 errhint("Drop it with mf_drop first, or train under another name with the argument model.")));
	ActAsModelOwner(model, &acting);
	HoldTables(model);
	if (OidIsValid(model->user_relid))
		CheckFactorTable(model->user_relid, USER_ID, r->user);
	if (OidIsValid(model->item_relid))
		CheckFactorTable(model->item_relid, ITEM_ID, r->item);
	if (OidIsValid(model->item_relid) && r->both_parts)
		CheckRatingColumn(model->item_relid);
	StopActing(&acting);
	r->version = LatestVersion(model->name) + 1;
	r->served = model->version;
}

/*
 * Checks all that can be checked before there is a row to store.  New model tables go to the named
 * schema, or where that is NULL to the relation's.  The types of ids must live as long as the release.
 */
void
PlanRelease(Release *r, const char *schema, Oid relid, IdType *user, IdType *item)
{
	r->user = user;
	r->item = item;
	if (r->is_new)
		PlanNewModel(r, schema, relid);
	else
		PlanNextVersion(r, schema, relid);
	r->model.version = r->version;
}

/* The arguments that mfrec.model.parameters keeps. */
void
SetReleaseParameters(Release *r, const char *json)
{
	r->model.parameters = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

/*
 * Alters the tables that the model has, where they must be to take the new version.  That keeps readers out
 * until the end of the transaction, so it comes as late as it can.  What sessions have made of older
 * versions is made anew.
 */
static void
AdaptModelTables(const Release *r)
{
	const Model *model = &r->model;
	bool		altered = false;

	if (OidIsValid(model->user_relid))
		altered = AdaptFactorTable(model->user_relid, USER_ID, r->user);
	if (OidIsValid(model->item_relid))
		altered |= AdaptFactorTable(model->item_relid, ITEM_ID, r->item);
	if (altered)
		RenewVersionImages(model->name);
}

/*
 * Writes the new version's rows, into new tables where there are none.  Others could not change the
 * tables since they were checked, but this session itself could, in functions of the source: they are
 * checked again.
 */
void
StoreRelease(Release *r, const FactorRows *users, const FactorRows *items)
{
	Model	   *model = &r->model;
	Acting		acting;

	CheckTable(model, model->user_relid, model->user_table);
	CheckTable(model, model->item_relid, model->item_table);
	if (!r->is_new)
		CheckModelOwner(model);
	ActAsModelOwner(model, &acting);
	AdaptModelTables(r);
	if (!OidIsValid(model->user_relid))
		model->user_relid = CreateFactorTable(model->schema, model->user_table, USER_ID, r->user, false);
	if (!OidIsValid(model->item_relid))
		model->item_relid = CreateFactorTable(model->schema, model->item_table, ITEM_ID, r->item, true);
	r->says_seen = users->seen && AddSeenColumns(model);
	StoreFactors(model->user_relid, USER_ID, r->version, users, r->says_seen);
	StoreFactors(model->item_relid, ITEM_ID, r->version, items, r->says_seen);
	StopActing(&acting);
}

/* A random identity, as gen_random_uuid() makes them. */
static void
MakeImageName(pg_uuid_t *image)
{
	if (!pg_strong_random(image, sizeof(pg_uuid_t)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	image->data[6] = (image->data[6] & 0x0f) | 0x40;
	image->data[8] = (image->data[8] & 0x3f) | 0x80;
}

/*
 * Enters the version, which gets its number and identity here, switches to it and removes what is
 * older than the setting wants kept.
 */
void
SwitchToRelease(Release *r, ModelVersion *version, const LogLine *log, int log_lines)
{
	Model	   *model = &r->model;
	int32		oldest = r->version - mfrec_keep_versions + 1;
	Acting		acting;

	if (mfrec_keep_versions > 1 && r->served > 0)
		oldest = Min(oldest, r->served);
	if (r->is_anew)
		oldest = r->version;
	version->version = r->version;
	MakeImageName(&version->image);
	SupersedeImages(model->name, NULL);
	InsertVersion(model, version, log, log_lines);
	if (r->is_new)
		InsertModel(model);
	else
	{
		UpdateModel(model);
		ForgetVersions(model->name, oldest);
		if (oldest > 1)
		{
			ActAsModelOwner(model, &acting);
			DeleteVersionsBefore(model->user_relid, oldest);
			DeleteVersionsBefore(model->item_relid, oldest);
			StopActing(&acting);
		}
	}
	RecordOwner(model->name, GetUserNameFromId(RelationOwner(model->user_relid), false));
}

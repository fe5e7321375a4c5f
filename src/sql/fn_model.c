/*
 * fn_model.c - SQL functions that manage models: mf_serve, mf_rollback, mf_drop, mf_set_default, mf_refresh,
 * mf_update, mf_relink, mf_forget.
 *
 * They are for a model's owner.  Each takes the lock that a training holds, and then reads the model once more by
 * what is committed by now: what it waited for may have changed or dropped it.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "image/image_file.h"
#include "image/image_publish.h"
#include "model/factor_rows.h"
#include "model/factor_table.h"
#include "model/family_write.h"
#include "model/model_acl.h"
#include "model/model_relink.h"
#include "model/model_write.h"
#include "rows/row_time.h"
#include "serve/renewal.h"
#include "sql/args.h"
#include "sql/srf.h"
#include "update/update.h"

/* The model of an argument, or the family, locked against trainings, which the caller must own. */
static Model *
OwnModelOrFamily(FunctionCallInfo fcinfo, int n, const char *command)
{
	Model	   *model;

	PreventCommandIfReadOnly(command);
	PreventCommandDuringRecovery(command);
	PushBookkeepingSnapshot();
	model = OpenModel(TextArgument(fcinfo, n));
	PopBookkeepingSnapshot();
	CheckModelOwner(model);
	LockModel(LockName(model));
	PushBookkeepingSnapshot();
	model = OpenModel(model->name);
	PopBookkeepingSnapshot();
	CheckModelOwner(model);
	return model;
}

/* The same; an error for a family. */
static Model *
OwnModel(FunctionCallInfo fcinfo, int n, const char *command)
{
	Model	   *model = OwnModelOrFamily(fcinfo, n, command);

	RefuseFamily(model);
	return model;
}

/* Makes a kept version of a model the one that serves; an error, which says `missing`, where it is not there. */
static void
ServeVersion(Model *model, int32 version, const char *missing)
{
	pg_uuid_t	image;

	CheckModelTables(model);
	PushBookkeepingSnapshot();
	if (VersionParameters(model, version) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" has no version %s", model->name, missing),
				 errhint("The view mf_models lists the versions that are kept; mfrec.keep_versions says how many.")));
	SupersedeImages(model->name, FindVersionImage(model, version, &image) ? &image : NULL);
	PopBookkeepingSnapshot();
	model->version = version;
	UpdateModel(model);
	ReleaseVersion(model->name, version);
}

/*
 * mf_serve(model text, version bigint): makes a kept version the one that serves, without version the newest one.
 * Returns the version.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_serve);
Datum
mf_serve(PG_FUNCTION_ARGS)
{
	Model	   *model = OwnModel(fcinfo, 0, "mf_serve()");
	int32		version = PG_ARGISNULL(1) ? LatestVersion(model->name) : Int32Argument(fcinfo, 1, "version");

	ServeVersion(model, version, psprintf("%d", version));
	PG_RETURN_INT32(version);
}

/*
 * mf_rollback(model text, version bigint): makes an older (or again a newer) kept version the one that
 * serves; without version the newest one before the current that has served. Returns the version.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_rollback);
Datum
mf_rollback(PG_FUNCTION_ARGS)
{
	Model	   *model = OwnModel(fcinfo, 0, "mf_rollback()");
	bool		before = PG_ARGISNULL(1);
	int32		version = before ? VersionBefore(model) : Int32Argument(fcinfo, 1, "version");

	ServeVersion(model, version, psprintf(before ? "before %d" : "%d", before ? model->version : version));
	PG_RETURN_INT32(version);
}

/* An error where the argument model, the first one, is null and cannot mean the default model. */
static void
RequireModelName(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s needs the name of a model", get_func_name(fcinfo->flinfo->fn_oid))));
}

/* Has the images of all models of a family go. */
static void
SupersedeFamily(const char *family)
{
	int			n;
	char	  **models = FamilyModels(family, &n);

	for (int i = 0; i < n; i++)
		SupersedeImages(models[i], NULL);
}

/* Removes a tenant's model: its rows and its bookkeeping; the tables are the family's. */
static void
DropTenant(const Model *model)
{
	RemovedVersions *removed;
	Acting		acting;

	CheckModelTables(model);
	SupersedeImages(model->name, NULL);
	removed = RemoveTenantVersions(model->family, (char *const *) &model->name, 1, 0, false);
	ActAsModelOwner(model, &acting);
	if (removed->n > 0)
	{
		DeleteVersions(model->user_relid, removed->version, removed->n);
		DeleteVersions(model->item_relid, removed->version, removed->n);
	}
	StopActing(&acting);
	DeleteModel(model->name);
}

/*
 * mf_drop(model text): removes a model, its tables and its bookkeeping, a family with the models of all tenants; the
 * source stays.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_drop);
Datum
mf_drop(PG_FUNCTION_ARGS)
{
	Model	   *model;
	Acting		acting;

	RequireModelName(fcinfo);
	model = OwnModelOrFamily(fcinfo, 0, "mf_drop()");
	if (model->tenant)
	{
		DropTenant(model);
		PG_RETURN_VOID();
	}
	if (IsFamily(model))
		SupersedeFamily(model->name);
	ActAsModelOwner(model, &acting);
	if (OidIsValid(model->user_relid))
		DropFactorTable(model->user_relid);
	if (OidIsValid(model->item_relid))
		DropFactorTable(model->item_relid);
	if (OidIsValid(model->feature_relid))
		DropFactorTable(model->feature_relid);
	StopActing(&acting);
	SupersedeImages(model->name, NULL);
	if (IsFamily(model))
		DeleteFamily(model->name);
	else
		DeleteModel(model->name);
	PG_RETURN_VOID();
}

/* An error unless the caller owns the current default model, too: calls that name none are its users'. */
static void
CheckDefaultOwner(const char *name, const Model *current)
{
	if (current == NULL || strcmp(current->name, name) == 0 || !OidIsValid(current->user_relid) ||
		OwnsRelation(current->user_relid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("must be owner of default model \"%s\"", current->name),
			 errdetail("All roles' calls that name no model would go to another one."),
			 errhint("For your own calls set mfrec.model, or name the model.")));
}

/* mf_set_default(model text): what a null model argument means from now on, where mfrec.model names none. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_set_default);
Datum
mf_set_default(PG_FUNCTION_ARGS)
{
	Model	   *model;

	RequireModelName(fcinfo);
	model = OwnModel(fcinfo, 0, "mf_set_default()");
	CheckDefaultOwner(model->name, LockDefaultModel());
	SetDefaultModel(model->name);
	PG_RETURN_VOID();
}

/*
 * mf_refresh(model text): brings items and profiles of the version that serves up to date with the relations of
 * attributes, and lets serving read tables anew that were edited by hand: all kept versions get new identities, and the
 * one that serves its image.  Returns its number of items.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_refresh);
Datum
mf_refresh(PG_FUNCTION_ARGS)
{
	Model	   *model = OwnModel(fcinfo, 0, "mf_refresh()");
	int64		added;
	int64		removed;

	CheckModelTables(model);
	RenewItems(model, NULL, &added, &removed);
	RenewProfiles(model, &added, &removed);
	PG_RETURN_INT64(RenewImages(model));
}

/*
 * The argument late in seconds: so late rows may come; null: 5 minutes, as by default.  An error unless it is 0 or
 * more.
 */
static double
LateArgument(FunctionCallInfo fcinfo, int n)
{
	double		seconds = 5 * SECS_PER_MINUTE;

	if (PG_NARGS() > n && !PG_ARGISNULL(n))
		seconds = SecondsOfInterval(PG_GETARG_INTERVAL_P(n));
	if (!(seconds >= 0) || isinf(seconds))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("late must be finite and not negative"),
				 errdetail("Rows are looked for that are older than the newest one known by so much."),
				 errhint("To look for changes in all rows, pass all_rows => true.")));
	return seconds;
}

/*
 * mf_update(model text, all_rows boolean, late interval): brings the version that serves up to date with the rows of
 * its source, and of the relation of attributes, without training.  all_rows: all rows are read, even where indexes
 * find the new ones; null: where they do not.  A row that says what that was.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_update);
Datum
mf_update(PG_FUNCTION_ARGS)
{
	double		late = LateArgument(fcinfo, 2);
	Model	   *model = OwnModel(fcinfo, 0, "mf_update()");
	UpdateResult result;
	Datum		values[10];
	bool		nulls[10] = {false};

	CheckModelTables(model);
	UpdateVersion(model, PG_NARGS() > 1 && !PG_ARGISNULL(1) && PG_GETARG_BOOL(1), late, &result);
	values[0] = CStringGetTextDatum(model->name);
	values[1] = Int32GetDatum(model->version);
	values[2] = Int64GetDatum(result.rows);
	values[3] = Int64GetDatum(result.users_added);
	values[4] = Int64GetDatum(result.users_changed);
	values[5] = Int64GetDatum(result.users_removed);
	values[6] = Int64GetDatum(result.items_added);
	values[7] = Int64GetDatum(result.items_changed);
	values[8] = Int64GetDatum(result.items_removed);
	values[9] = Float8GetDatum(result.seconds);
	return ResultRow(fcinfo, values, nulls);
}

/*
 * mf_relink(model text, source, users, items regclass): says what the model's source or tables are called
 * now, after they were renamed or moved.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_relink);
Datum
mf_relink(PG_FUNCTION_ARGS)
{
	Model	   *model;
	Oid			relid[3];
	bool		tables;

	RequireModelName(fcinfo);
	for (int i = 0; i < 3; i++)
		relid[i] = PG_ARGISNULL(i + 1) ? InvalidOid : PG_GETARG_OID(i + 1);
	if (!OidIsValid(relid[0]) && !OidIsValid(relid[1]) && !OidIsValid(relid[2]))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("mf_relink needs a relation"),
				 errhint("Name what was renamed or moved with the argument source, users or items.")));
	model = OwnModelOrFamily(fcinfo, 0, "mf_relink()");
	if (model->tenant)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" shares its source and its tables with others", model->name),
				 errhint("Run mf_relink(%s, ...).", quote_literal_cstr(model->family))));
	tables = Relink(model, relid[0], relid[1], relid[2]);
	if (IsFamily(model))
	{
		UpdateFamily(model);
		SupersedeFamily(model->name);
		RenewFamilyImages(model->name);
	}
	else if (tables)
		(void) RenewImages(model);
	PG_RETURN_VOID();
}

/* mf_image_bytes(image uuid): the size of a version's image file, 0 where nothing has built one. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_image_bytes);
Datum
mf_image_bytes(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(ImageFileBytes(PG_GETARG_UUID_P(0)));
}

/*
 * mf_forget(user_id "any" or text, model text): erases a user's vector from every kept version;
 * returns how many rows that were. The source is not touched.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_forget);
Datum
mf_forget(PG_FUNCTION_ARGS)
{
	Model	   *model;
	IdType		idtype;
	Acting		acting;
	int64		id;
	int64		erased;
	List	   *versions;

	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	model = OwnModel(fcinfo, 1, "mf_forget()");
	CheckModelTables(model);
	FactorIdType(model->user_relid, USER_ID, &idtype);
	id = IdArgument(fcinfo, 0, &idtype, "user", model->name);
	ActAsModelOwner(model, &acting);
	erased = DeleteFactorRows(model->user_relid, USER_ID, &idtype, id, model->tenant, &versions);
	StopActing(&acting);
	CountForgottenUser(model->name, versions);
	PG_RETURN_INT64(erased);
}

/*
 * model_relink.c - what a model's source and tables are called now.
 *
 * The bookkeeping knows them by name, so that dumps can be restored.  After one was renamed or moved it is told
 * so here, without a training.  The caller has the model's lock, and owns it.
 *
 * Tables that are named must be such as training makes, with rows of the current version, and be in one schema and
 * of one owner, who becomes the model's.  A source must have the columns of the last training, which the model's
 * owner must be able to read.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "model/factor_rows.h"
#include "model/factor_table.h"
#include "model/family_write.h"
#include "model/feature_table.h"
#include "model/model_acl.h"
#include "model/model_relink.h"
#include "model/model_write.h"
#include "pg/spi_query.h"
#include "source/lookup_cost.h"
#include "source/source.h"

/*
 * Locks a table as inserting does, so that it is neither altered nor dropped before the transaction ends; an error
 * unless it is an ordinary table that the caller owns.
 */
static void
HoldTable(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name && !OwnsRelation(relid))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
	if (name)
		LockRelationOid(relid, RowExclusiveLock);
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (get_rel_relkind(relid) != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", name),
				 errhint("Name the tables that mf_train has made, as they are called now.")));
	if (isAnyTempNamespace(get_rel_namespace(relid)))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a temporary table", name),
				 errhint("Other sessions could not read it; copy it to a permanent one.")));
}

/*
 * The table that was not named, held: as it was called, in the schema of the other one.  `argument` is the one of
 * mf_relink that names it.
 */
static Oid
SameName(const Model *model, Oid schema, const char *table, const char *argument)
{
	Oid			relid = get_relname_relid(table, schema);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s.%s\" of model \"%s\" does not exist", get_namespace_name(schema), table, model->name),
				 errdetail("Both tables of a model are in one schema."),
				 errhint("Name it with the argument %s, or move it with ALTER TABLE ... SET SCHEMA.", argument)));
	HoldTable(relid);
	return relid;
}

/* An error unless a table has a column of this type; InvalidOid: of any. */
static void
CheckHasColumn(const Model *model, Oid relid, const char *column, Oid type)
{
	AttrNumber	attnum = get_attnum(relid, column);

	if (attnum != InvalidAttrNumber && (!OidIsValid(type) || get_atttype(relid, attnum) == type))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 OidIsValid(type) ? errmsg("table \"%s\" has no column \"%s\" of type %s", get_rel_name(relid), column, format_type_be(type)) :
			 errmsg("table \"%s\" has no column \"%s\"", get_rel_name(relid), column),
			 errhint("Name the tables of model \"%s\", as they are called now.", model->name)));
}

/* An error unless a table has rows of the current version; of a family, of that of one of its models. */
static void
CheckHasVersion(const Model *model, Oid relid, const char *id_column)
{
	int32		version = model->version;

	if (IsFamily(model))
	{
		CheckHasColumn(model, relid, TENANT, TEXTOID);
		if (AnyTenant(model->name, &version) == NULL)
			return;
	}
	if (!HasVersionRows(relid, id_column, version, false))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no rows of version %d of model \"%s\"", get_rel_name(relid), version, model->name),
				 errdetail("That is the version that serves.")));
}

/* An error unless a table can be one of the model's: as mf_train makes them, with rows of the current version. */
static void
CheckTable(const Model *model, Oid relid, const char *id_column)
{
	IdType		idtype;

	CheckHasColumn(model, relid, id_column, InvalidOid);
	CheckHasColumn(model, relid, "version", INT4OID);
	CheckHasColumn(model, relid, "ratings", INT4OID);
	CheckHasColumn(model, relid, "bias", FLOAT4OID);
	CheckHasColumn(model, relid, "factors", FLOAT4ARRAYOID);
	FactorIdType(relid, id_column, &idtype);
	CheckFactorTable(relid, id_column, &idtype);
	CheckHasVersion(model, relid, id_column);
}

/*
 * The table of features follows the other ones to their schema, under its name.  An error where it has stayed behind,
 * or where the relation of its name is none, for mf_drop would take that for the model's; nothing where there is none.
 */
static void
RelinkFeatures(Model *model)
{
	Oid			schema = get_rel_namespace(model->user_relid);
	Oid			relid = model->feature_table ? get_relname_relid(model->feature_table, schema) : InvalidOid;

	if (OidIsValid(relid))
	{
		HoldTable(relid);
		CheckFeatureTable(relid);
	}
	else if (OidIsValid(model->feature_relid))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s.%s\" of model \"%s\" is in another schema than those of users and items",
						get_namespace_name(get_rel_namespace(model->feature_relid)), model->feature_table, model->name),
				 errhint("Use ALTER TABLE ... SET SCHEMA, or drop it.")));
	model->feature_relid = relid;
}

/*
 * Points the model at tables, which need not be those that it had; InvalidOid for one that is called as before,
 * but perhaps in another schema.
 */
static void
RelinkTables(Model *model, Oid users, Oid items)
{
	Acting		acting;

	if (OidIsValid(users))
		HoldTable(users);
	if (OidIsValid(items))
		HoldTable(items);
	if (!OidIsValid(users))
		users = SameName(model, get_rel_namespace(items), model->user_table, "users");
	if (!OidIsValid(items))
		items = SameName(model, get_rel_namespace(users), model->item_table, "items");
	if (get_rel_namespace(users) != get_rel_namespace(items) || RelationOwner(users) != RelationOwner(items))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tables \"%s\" and \"%s\" are not in one schema, or not of one owner", get_rel_name(users), get_rel_name(items)),
				 errhint("Use ALTER TABLE ... SET SCHEMA, or ALTER TABLE ... OWNER TO.")));
	model->schema = get_namespace_name(get_rel_namespace(users));
	model->user_table = get_rel_name(users);
	model->item_table = get_rel_name(items);
	model->user_relid = users;
	model->item_relid = items;
	ActAsModelOwner(model, &acting);
	CheckTable(model, users, USER_ID);
	CheckTable(model, items, ITEM_ID);
	RelinkFeatures(model);
	StopActing(&acting);
}

/* An error unless the current user may read what training reads: runs its query, for no rows. */
static void
CheckSourceReadable(const Source *source)
{
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, source);
	appendStringInfoString(&sql, " LIMIT 0");
	(void) RunSql(sql.data, 0, NULL, NULL, true);
}

/* Points the model at a relation with the columns of its last training; the caller acts as the model's owner. */
static void
RelinkSource(Model *model, Oid relid)
{
	SourceColumns columns;
	Source		source;
	int32		version;

	SourceColumnsFromJson(&columns, model->parameters);
	if (IsFamily(model))
		columns.tenant = AnyTenant(model->name, &version);	/* whoever it is: rows of users are found alike */
	OpenSource(&source, relid, &columns);
	CheckSourceReadable(&source);
	if (OidIsValid(model->user_relid))
		CheckFactorTable(model->user_relid, USER_ID, &source.user);
	if (OidIsValid(model->item_relid))
		CheckFactorTable(model->item_relid, ITEM_ID, &source.item);
	model->source_schema = source.temporary ? "pg_temp" : source.schema;
	model->source = source.name;
	model->fresh = SourceServesFresh(&source, "call mf_relink again");
}

/*
 * Tells the bookkeeping what has another name now; InvalidOid for what has not.  Returns whether a table of the
 * model is among it: then images of its versions may not be of what is in there.
 */
bool
Relink(Model *model, Oid source, Oid users, Oid items)
{
	bool		tables = OidIsValid(users) || OidIsValid(items);
	Acting		acting;

	if (tables)
		RelinkTables(model, users, items);
	if (OidIsValid(source))
	{
		ActAsModelOwner(model, &acting);
		RelinkSource(model, source);
		StopActing(&acting);
	}
	UpdateModel(model);
	if (tables)
		RecordOwner(model->name, GetUserNameFromId(RelationOwner(model->user_relid), false));
	return tables;
}

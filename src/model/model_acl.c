/*
 * model_acl.c - what the caller may do with a model, acting as its owner, and writing the bookkeeping as who may.
 *
 * Reading a model is reading its tables, and its source where that is looked at: with the caller's
 * privileges and row security, and as with any view, functions of a view among them run with the
 * caller's rights.
 *
 * Making a model's next version, erasing from it or dropping it is different: a superuser does that for
 * others, and model tables may have indexes on expressions and rules, a source may be a view, whose functions
 * would run as that superuser.  So these act as the model's owner, as REFRESH MATERIALIZED VIEW does.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "model/model_acl.h"
#include "pg/snapshot.h"

/* The owner of a relation, which must be there. */
Oid
RelationOwner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * Whether the caller owns what is left of a model whose table of users has gone: the role that owned that, as far
 * as the bookkeeping knows and the name is still a role's, or a member of it; but not where the table of items or of
 * features is there and another role's.
 */
static bool
OwnsRemains(const Model *model)
{
	Oid			owner = model->owner ? get_role_oid(model->owner, true) : InvalidOid;

	return OidIsValid(owner) && has_privs_of_role(GetUserId(), owner) &&
		(!OidIsValid(model->item_relid) || OwnsRelation(model->item_relid)) &&
		(!OidIsValid(model->feature_relid) || OwnsRelation(model->feature_relid));
}

/*
 * An error unless the caller owns the model, that is its table of users.  Where that has gone: a superuser, or who
 * owns the remains.
 */
void
CheckModelOwner(const Model *model)
{
	bool		there = OidIsValid(model->user_relid);

	if (there ? OwnsRelation(model->user_relid) : superuser() || OwnsRemains(model))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("must be owner of model \"%s\"", model->name),
			 there ? errdetail("Its owner is the owner of table \"%s.%s\".", model->schema, model->user_table) :
			 model->owner ? errdetail("Its table of users has gone. It belonged to \"%s\", who can clean up what is left, if no table of it is another's.", model->owner) :
			 errdetail("Its tables have gone; only a superuser can clean up what is left.")));
}

/* An error unless the caller may SELECT from a relation. */
static void
CheckReadable(Oid relid)
{
	AclResult	result = pg_class_aclcheck(relid, GetUserId(), ACL_SELECT);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_TABLE, get_rel_name(relid));
}

/* Whether the caller may read all columns of a relation, as a query that names it would. */
bool
MayReadRelation(Oid relid)
{
	return SchemaAclCheck(get_rel_namespace(relid), ACL_USAGE) == ACLCHECK_OK &&
		(pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		 pg_attribute_aclcheck_all(relid, GetUserId(), ACL_SELECT, ACLMASK_ALL) == ACLCHECK_OK);
}

/* An error unless the caller may read both of the model's tables, as a query that names them would. */
void
CheckModelReadable(const Model *model)
{
	AclResult	result;

	CheckModelTables(model);
	result = SchemaAclCheck(get_rel_namespace(model->user_relid), ACL_USAGE);
	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_SCHEMA, model->schema);
	CheckReadable(model->user_relid);
	CheckReadable(model->item_relid);
}

/*
 * Until StopActing, or the end of the (sub)transaction should there be an error, whatever runs does so
 * with the rights of the model's owner, and cannot leave settings behind.  Nothing changes where the caller is
 * the owner, nor where all tables have gone: see CheckModelOwner.  `acting` keeps what StopActing puts back.
 */
void
ActAsModelOwner(const Model *model, Acting *acting)
{
	Oid			relid = OidIsValid(model->user_relid) ? model->user_relid :
		OidIsValid(model->item_relid) ? model->item_relid : model->feature_relid;
	Oid			owner = OidIsValid(relid) ? RelationOwner(relid) : GetUserId();

	GetUserIdAndSecContext(&acting->user, &acting->context);
	acting->settings = 0;
	if (owner == acting->user)
		return;
	SetUserIdAndSecContext(owner, acting->context | SECURITY_RESTRICTED_OPERATION);
	acting->settings = NewGUCNestLevel();
}

/* Ends what ActAsModelOwner began. */
void
StopActing(const Acting *acting)
{
	if (acting->settings == 0)
		return;
	AtEOXact_GUC(false, acting->settings);
	SetUserIdAndSecContext(acting->user, acting->context);
}

/*
 * Who writes the bookkeeping of a model: its tables' owner, as nobody else has the right.  Citus lets a transaction
 * write to reference tables as one role only, so where the bookkeeping is such the model's owner does, who writes the
 * model's tables, too, or who makes a new one.
 */
static Oid
BookkeepingWriter(Relation rel, const char *name)
{
	Model	   *model;
	Oid			former;

	if (!SharesBookkeeping())
		return rel->rd_rel->relowner;
	model = FindModel(name);
	if (model == NULL)
		return GetUserId();
	if (OidIsValid(model->user_relid))
		return RelationOwner(model->user_relid);
	former = model->owner ? get_role_oid(model->owner, true) : InvalidOid;
	return OidIsValid(former) && has_privs_of_role(GetUserId(), former) ? former : GetUserId();
}

/* An error where that role cannot write the bookkeeping of a model that is Citus's. */
void
CheckMayWrite(const char *name)
{
	Relation	rel = OpenBookkeeping("model");
	Oid			writer = BookkeepingWriter(rel, name);
	const Oid	tables[] = {ModelRelation(), VersionRelation()};
	const AclMode needed = ACL_INSERT | ACL_UPDATE | ACL_DELETE;
	char	   *role = GetUserNameFromId(writer, false);

	for (int i = 0; i < (int) lengthof(tables); i++)
		if (pg_class_aclmask(tables[i], writer, needed, ACLMASK_ALL) != needed)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("role \"%s\" may not write the bookkeeping of models", role),
					 errdetail("Citus lets a transaction write to reference tables as one role only, so who owns a model writes its bookkeeping, too."),
					 errhint("Run GRANT INSERT, UPDATE, DELETE ON mfrec.model, mfrec.model_version, mfrec.training_log TO %s.",
							 quote_identifier(role))));
	table_close(rel, AccessShareLock);
}

/*
 * Runs one bookkeeping statement, which is about that model or family, as who may, and hands the rows that it returns
 * to a function, which may be NULL.  SECURITY_LOCAL_USERID_CHANGE keeps the statement from changing the role; `nulls`
 * is as SPI takes it.
 */
void
OwnerSqlRows(const char *model, const char *sql, int nargs, Oid *types, Datum *values, const char *nulls,
			 OwnerRowFunction function, void *state)
{
	Oid			user;
	int			context;
	Relation	rel = OpenBookkeeping("model");

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(BookkeepingWriter(rel, model), context | SECURITY_LOCAL_USERID_CHANGE);
	SPI_connect();
	if (SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0) < 0)
		elog(ERROR, "could not run: %s", sql);
	for (uint64 i = 0; function && SPI_tuptable && i < SPI_processed; i++)
		function(state, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	SPI_finish();
	SetUserIdAndSecContext(user, context);
	CheckRowsVisibleToWriter(RelationGetRelid(rel));
	CheckRowsVisibleToWriter(VersionRelation());
	table_close(rel, AccessShareLock);
}

/* The first column of a statement's first row. */
typedef struct FirstValue
{
	bool		found;
	Datum		value;
	bool		isnull;
} FirstValue;

/* Takes the first row's; an OwnerRowFunction. */
static void
TakeFirst(void *state, HeapTuple tuple, TupleDesc desc)
{
	FirstValue *first = state;

	if (!first->found)
		first->value = SPI_getbinval(tuple, desc, 1, &first->isnull);
	first->found = true;
}

/*
 * The same of a statement whose first parameter is the model's name; returns the first column of the first row, null
 * where there is none, which must be of a type that is passed by value.
 */
Datum
OwnerSql(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls, bool *isnull)
{
	FirstValue	first = {.isnull = true};

	OwnerSqlRows(TextDatumGetCString(values[0]), sql, nargs, types, values, nulls, TakeFirst, &first);
	*isnull = first.isnull;
	return first.value;
}

/*
 * OwnerSql with a model's name as parameter 1 and a value as parameter 2, of type InvalidOid: there is none.  What
 * the statement returns is not looked at.
 */
void
OwnerSqlForModel(const char *sql, const char *name, Oid type, Datum value)
{
	Oid			types[2] = {TEXTOID, type};
	Datum		values[2] = {CStringGetTextDatum(name), value};
	bool		isnull;

	(void) OwnerSql(sql, OidIsValid(type) ? 2 : 1, types, values, NULL, &isnull);
}

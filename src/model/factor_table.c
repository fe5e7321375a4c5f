/*
 * factor_table.c - the model tables: created, checked, altered.
 *
 * The tables belong to the user, who may add indexes and columns, grant and publish.  Bulk loading
 * goes around the executor, so what only the executor would honour (triggers, constraints,
 * generated columns, row security) is refused with an error instead of being passed over: before a row
 * is read, so that a long training is not for nothing, and again under the lock that stores.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heaptoast.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "compat.h"
#include "ids/id_growth.h"
#include "model/factor_table.h"
#include "model/model_catalog.h"
#include "pg/citus.h"
#include "pg/spi_query.h"

/* An error unless a table of a model that is not there yet can get its name. */
void
CheckNameIsFree(Oid schema, const char *table, const char *model)
{
	if (!OidIsValid(get_relname_relid(table, schema)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("relation \"%s\" already exists", table),
			 errdetail("Model \"%s\" needs that name in schema \"%s\" for one of its tables.", model,
					   get_namespace_name(schema)),
			 errhint("Drop or rename it, or give the model another name with the argument model.")));
}

/* The schema of a collation. */
static Oid
CollationSchema(Oid collation)
{
	HeapTuple	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	Oid			schema;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for collation %u", collation);
	schema = ((Form_pg_collation) GETSTRUCT(tuple))->collnamespace;
	ReleaseSysCache(tuple);
	return schema;
}

/* A type of ids as SQL, with its schema and modifier. */
static char *
IdTypeSql(const IdType *idtype)
{
	return format_type_extended(idtype->type, idtype->typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/* Appends the collation of a column of ids, where the type alone does not give it. */
static void
AppendCollation(StringInfo sql, const IdType *idtype)
{
	if (OidIsValid(idtype->collation) && idtype->collation != DEFAULT_COLLATION_OID)
		appendStringInfo(sql, " COLLATE %s",
						 quote_qualified_identifier(get_namespace_name(CollationSchema(idtype->collation)),
													get_collation_name(idtype->collation)));
}

/*
 * Appends that columns which could be stored elsewhere stay beside the vector as long as the row fits into a page, as
 * an action of ALTER TABLE.  The limit is the same on 32 and 64 bits.
 */
static void
AppendRowTarget(StringInfo sql)
{
	appendStringInfo(sql, ", SET (toast_tuple_target = %d)", (int) TOAST_TUPLE_TARGET_MAIN / 16 * 16);
}

/* Appends how a users' table keeps what they have: uncompressed, for it is compressed already. */
static void
AppendSeenStorage(StringInfo sql)
{
	appendStringInfoString(sql, ", ALTER COLUMN seen SET STORAGE EXTERNAL, ALTER COLUMN seen SET STATISTICS 0");
	AppendRowTarget(sql);
}

/*
 * The same of what attributes make of users or items, which few models have: it is read whole, and does not compress.
 */
static void
AppendPriorStorage(StringInfo sql)
{
	appendStringInfoString(sql, ", ALTER COLUMN prior SET STORAGE EXTERNAL, ALTER COLUMN prior SET STATISTICS 0");
}

/* Says what a model table, or a column of it, holds, for \d+; name: with its schema, quoted. */
void
CommentModelTable(const char *name, const char *column, const char *comment)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "COMMENT ON ");
	if (column)
		appendStringInfo(&sql, "COLUMN %s.%s", name, column);
	else
		appendStringInfo(&sql, "TABLE %s", name);
	appendStringInfo(&sql, " IS %s", quote_literal_cstr(comment));
	(void) RunSql(sql.data, 0, NULL, NULL, false);
}

/* Says so of a side's new table. */
static void
CommentFactorTable(const char *name, const char *id_column, bool items, bool tenants)
{
	if (tenants)
		CommentModelTable(name, TENANT, "whose version it is, for policies of row security: the version alone says it, too");
	CommentModelTable(name, NULL, items ? "vectors of items, by version: written by mfrec" :
					  "vectors of users, by version: written by mfrec");
	CommentModelTable(name, "version", "version of the model");
	CommentModelTable(name, id_column, "as in the source");
	CommentModelTable(name, "ratings", items ? "ratings of the item in the training" :
					  "ratings of the user in the training");
	CommentModelTable(name, "bias",
					  "above or below the mean, in standard deviations of the ratings; 0 with implicit feedback");
	CommentModelTable(name, "factors", items ? "the vector: s, in a model of ratings alone q" :
					  "the vector p; empty where nothing is known but what the user has");
	CommentModelTable(name, "fingerprint",
					  "a hash of the rows that it was made from, by which mf_update knows whether they have changed; null: not known, or none");
	if (!items)
	{
		CommentModelTable(name, "seen", "items that the user had at the training, by their numbers; null: not known");
		CommentModelTable(name, "prior", "to which the vector is drawn by what is known of the user; null: to the mean user");
		CommentModelTable(name, "spread", "by what the user's ratings were divided, and predicted ones less the mean are multiplied; null: 1");
		return;
	}
	CommentModelTable(name, "rating_factors", "the vector of ratings, q, where there are both parts");
	CommentModelTable(name, "number", "by which seen of the table of users means the item");
	CommentModelTable(name, "trend",
					  "what is left of the item's rows, half of one at trend_half_life seconds of age; null: rows have no times, or it has none");
	CommentModelTable(name, "prior",
					  "what its attributes alone make of an item of the ratings; null: nothing, or nobody had rated it, and factors are that");
}

/*
 * Creates a side's table in the named schema, as the current user, and returns its oid.  `items` says which side;
 * `id_column` is USER_ID or ITEM_ID.  tenants: models of a family will share it.
 */
Oid
CreateFactorTable(const char *schema, const char *table, const char *id_column,
				  const IdType *idtype, bool items, bool tenants)
{
	const char *name = quote_qualified_identifier(schema, table);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "CREATE TABLE ");
	appendStringInfo(&sql, "%s (version integer NOT NULL, %s %s", name, id_column, IdTypeSql(idtype));
	AppendCollation(&sql, idtype);
	appendStringInfo(&sql, " NOT NULL, ratings integer NOT NULL, bias real NOT NULL, factors real[] NOT NULL%s%s, "
					 "PRIMARY KEY (version, %s))",
					 items ? ", rating_factors real[], number integer, prior real[], fingerprint bigint, trend real" :
					 ", seen bytea, prior real[], fingerprint bigint, spread real", tenants ? ", " TENANT " text" : "", id_column);
	(void) RunSql(sql.data, 0, NULL, NULL, false);

	/*
	 * Vectors stay in their row, uncompressed: they are read whole and do not compress.  Statistics of them are of
	 * no use to the planner, and cost ANALYZE a third of its time.
	 */
	resetStringInfo(&sql);
	appendStringInfoString(&sql, "ALTER TABLE ");
	appendStringInfo(&sql, "%s ALTER COLUMN factors SET STORAGE PLAIN, "
					 "ALTER COLUMN factors SET STATISTICS 0", name);
	if (items)
	{
		appendStringInfoString(&sql, ", ALTER COLUMN rating_factors SET STORAGE PLAIN, "
							   "ALTER COLUMN rating_factors SET STATISTICS 0");
		AppendRowTarget(&sql);
	}
	else
		AppendSeenStorage(&sql);
	AppendPriorStorage(&sql);
	(void) RunSql(sql.data, 0, NULL, NULL, false);
	CommentFactorTable(name, id_column, items, tenants);
	return get_relname_relid(table, get_namespace_oid(schema, false));
}

/* Drops a model table, as the current user; an error where something depends on it. */
void
DropFactorTable(Oid relid)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "DROP TABLE ");
	appendStringInfoString(&sql, FactorTableSql(relid));
	(void) RunSql(sql.data, 0, NULL, NULL, false);
}

/* The statement that gives a users' table its column of what they have; for running, and for messages. */
char *
AddSeenSql(Oid relid)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "ALTER TABLE %s ADD COLUMN seen bytea", FactorTableSql(relid));
	AppendSeenStorage(&sql);
	return sql.data;
}

/* The statement that gives a model table a column of plain numbers, in SQL its name and type. */
char *
AddNumbersSql(Oid relid, const char *column)
{
	return psprintf("ALTER TABLE %s ADD COLUMN %s", FactorTableSql(relid), column);
}

/* The statement that gives a table its column of what attributes make of its users or items. */
char *
AddPriorSql(Oid relid)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "ALTER TABLE %s ADD COLUMN prior real[]", FactorTableSql(relid));
	AppendPriorStorage(&sql);
	return sql.data;
}

/* An error for a table that bulk loading cannot fill, with what keeps it from that; a whole sentence. */
void
RefuseTable(Relation rel, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot bulk-load model table \"%s\"", RelationGetRelationName(rel)),
			 errdetail("%s", detail),
			 errhint("Training writes around triggers, constraints and row security; remove it, or put it on a view.")));
}

/* Whether a trigger fires in this session, by the rules of ALTER TABLE ... ENABLE TRIGGER. */
static bool
TriggerFires(const Trigger *trigger)
{
	char		passive = SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA ? TRIGGER_FIRES_ON_ORIGIN :
		TRIGGER_FIRES_ON_REPLICA;

	return trigger->tgenabled != TRIGGER_DISABLED && trigger->tgenabled != passive;
}

/* No trigger may wait for what bulk loading does: insert.  Versions are deleted by SQL, whose triggers fire. */
static void
CheckTriggers(Relation rel)
{
	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (!TRIGGER_FOR_INSERT(trigger->tgtype) || !TriggerFires(trigger))
			continue;
		if (OidIsValid(trigger->tgconstraint))
			RefuseTable(rel, psprintf("Its constraint \"%s\" is checked by triggers.",
									  get_constraint_name(trigger->tgconstraint)));
		RefuseTable(rel, psprintf("Its trigger \"%s\" fires on INSERT.", trigger->tgname));
	}
}

/* No check constraint may be enforced, nor bounds of a partition. */
static void
CheckConstraints(Relation rel)
{
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;

	for (int i = 0; constraints && i < constraints->num_check; i++)
		if (CheckIsEnforced(&constraints->check[i]))
			RefuseTable(rel, "It has check constraints.");
	if (rel->rd_rel->relispartition)
		RefuseTable(rel, "It is a partition.");
}

/*
 * Whether a column that the user has added gets its right value when nothing is inserted there: that is null, also
 * by a domain's constraints, which raise an error of their own.
 */
static bool
LivesWithNull(Form_pg_attribute att)
{
	if (att->attnotnull || (att->atthasdef && !IsVirtualColumn(att)))
		return false;
	if (get_typtype(att->atttypid) != TYPTYPE_DOMAIN)
		return true;
	if (get_typdefault(att->atttypid) != NULL)
		return false;
	domain_check((Datum) 0, true, att->atttypid, NULL, NULL);
	return true;
}

/* Columns of ours, `count` of them, must take values; those that the user has added must live with a null. */
static void
CheckColumns(Relation rel, const char *const *own, int count)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		bool		ours = false;

		if (att->attisdropped)
			continue;
		for (int j = 0; j < count; j++)
			ours |= strcmp(NameStr(att->attname), own[j]) == 0;
		if (ours ? att->attgenerated : !LivesWithNull(att))
			RefuseTable(rel, psprintf("Its %scolumn \"%s\" has a default, is generated or not null.",
									  ours ? "" : "added ", NameStr(att->attname)));
	}
}

/*
 * The statement that turns a column of ids into one of another type, for running and for messages; NULL where there
 * is no cast.
 */
char *
AlterIdSql(Oid relid, const char *id_column, const IdType *from, const IdType *to)
{
	StringInfoData sql;
	Oid			function;

	if (find_coercion_pathway(to->base, from->base, COERCION_EXPLICIT, &function) == COERCION_PATH_NONE)
		return NULL;
	initStringInfo(&sql);
	appendStringInfoString(&sql, "ALTER TABLE ");
	appendStringInfo(&sql, "%s ALTER COLUMN %s TYPE %s", FactorTableSql(relid), id_column, IdTypeSql(to));
	AppendCollation(&sql, to);
	if (find_coercion_pathway(to->base, from->base, COERCION_ASSIGNMENT, &function) == COERCION_PATH_NONE)
		appendStringInfo(&sql, " USING %s::%s", id_column, IdTypeSql(to));
	return sql.data;
}

/* A type of ids for messages, with its collation where another one is told from it by that alone. */
static char *
IdTypeName(const IdType *idtype, const IdType *other)
{
	char	   *name = format_type_with_typemod(idtype->type, idtype->typmod);

	if (!OidIsValid(idtype->collation) || idtype->collation == other->collation ||
		strcmp(name, format_type_with_typemod(other->type, other->typmod)) != 0)
		return name;
	return psprintf("%s COLLATE %s", name, quote_identifier(get_collation_name(idtype->collation)));
}

/* An error for a column of ids that cannot take those that there are now, with the statement that would mend it. */
pg_noreturn static void
RefuseIds(Relation rel, const char *id_column, const IdType *stored, const IdType *ids)
{
	char	   *sql = AlterIdSql(RelationGetRelid(rel), id_column, stored, ids);

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of \"%s\" is of type %s, but the ids are now of type %s", id_column,
					RelationGetRelationName(rel), IdTypeName(stored, ids), IdTypeName(ids, stored)),
			 sql ? errhint("Run %s. Or give the new model another name, or drop the old one with mf_drop first.", sql)
			 : errhint("Drop the model with mf_drop first, give the new one another name, or cast the ids in a view.")));
}

/* Whether what depends on a column keeps ALTER TABLE from changing its type; it rebuilds indexes and constraints. */
static bool
BlocksAlter(const ObjectAddress *object)
{
	return object->classId == RewriteRelationId || object->classId == TriggerRelationId ||
		object->classId == PolicyRelationId || object->classId == PublicationRelRelationId ||
		object->classId == ProcedureRelationId || object->classId == AttrDefaultRelationId;
}

/* What depends on a column and keeps ALTER TABLE from changing its type, for a message; NULL where nothing does. */
static char *
FindDependent(Oid relid, AttrNumber attnum)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	char	   *found = NULL;
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(attnum));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 3, keys);
	while (found == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress object;

		ObjectAddressSubSet(object, depend->classid, depend->objid, depend->objsubid);
		if (BlocksAlter(&object))
			found = getObjectDescription(&object, true);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* Nothing may keep the column of ids from being turned into one that takes ids of a type. */
static void
CheckIdsGrow(Relation rel, const char *id_column, const IdType *stored, const IdType *ids)
{
	Oid			relid = RelationGetRelid(rel);
	const CitusTable *citus = FindCitusTable(relid);
	IdType		grown;
	char	   *dependent;

	if (!IdTypeGrows(stored, ids, &grown))
		RefuseIds(rel, id_column, stored, ids);
	if (citus && citus->column == get_attnum(relid, id_column))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of \"%s\" is of type %s, but the ids are now of type %s", id_column,
						RelationGetRelationName(rel), IdTypeName(stored, ids), IdTypeName(ids, stored)),
				 errdetail("Citus distributes the table by that column, and does not alter it."),
				 errhint("Drop the model with mf_drop first, or give the new one another name.")));
	dependent = FindDependent(relid, get_attnum(relid, id_column));
	if (dependent)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of \"%s\" is of type %s, but the ids are now of type %s", id_column,
						RelationGetRelationName(rel), IdTypeName(stored, ids), IdTypeName(ids, stored)),
				 errdetail("Training would alter the column, but cannot because of %s.", dependent),
				 errhint("Drop that, run %s, and create it again.", AlterIdSql(relid, id_column, stored, &grown))));
}

/* The column of ids must take ids of this type: as they are, or once AdaptFactorTable has altered it. */
static void
CheckIdColumnType(Relation rel, const char *id_column, const IdType *idtype, bool grows)
{
	IdType		stored;

	FactorIdType(RelationGetRelid(rel), id_column, &stored);
	if (IdTypeTakes(&stored, idtype))
		return;
	if (!grows)
		RefuseIds(rel, id_column, &stored, idtype);
	CheckIdsGrow(rel, id_column, &stored, idtype);
}

/* An error unless rows can be bulk-loaded into an open table, whose columns of ours are these. */
void
CheckBulkTarget(Relation rel, const char *const *own, int count)
{
	Oid			relid = RelationGetRelid(rel);

	if (!OwnsRelation(relid))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, RelationGetRelationName(rel));
	if (rel->rd_rel->relkind != RELKIND_RELATION)
		RefuseTable(rel, "It is no longer an ordinary table.");
	CheckTriggers(rel);
	CheckConstraints(rel);
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		RefuseTable(rel, "Row security applies to its owner.");
	CheckColumns(rel, own, count);
}

/*
 * The same for a table of users or items, with ids of this type (grows: see above); else where its columns are.
 */
void
CheckFactorTarget(Relation rel, const char *id_column, const IdType *idtype, bool grows, FactorColumns *columns)
{
	const char *own[] = {id_column, "version", "ratings", "bias", "factors", "rating_factors"};

	CheckBulkTarget(rel, own, lengthof(own));
	RequireFactorColumns(RelationGetRelid(rel), id_column, columns);
	CheckIdColumnType(rel, id_column, idtype, grows);
}

/* An error unless the table can take another version with ids of this type; the caller has locked it. */
void
CheckFactorTable(Oid relid, const char *id_column, const IdType *idtype)
{
	Relation	rel = relation_open(relid, NoLock);
	FactorColumns columns;

	CheckFactorTarget(rel, id_column, idtype, true, &columns);
	relation_close(rel, NoLock);
}

/*
 * Alters a table that has been checked, where it must be altered to take another version: the column of ids
 * grows with those of the source.  Returns whether it was; then no other session can read it until the end
 * of the transaction.
 */
bool
AdaptFactorTable(Oid relid, const char *id_column, const IdType *idtype)
{
	IdType		stored;
	IdType		grown;

	FactorIdType(relid, id_column, &stored);
	if (IdTypeTakes(&stored, idtype) || !IdTypeGrows(&stored, idtype, &grown))
		return false;
	(void) RunSql(AlterIdSql(relid, id_column, &stored, &grown), 0, NULL, NULL, false);
	return true;
}

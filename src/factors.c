/*
 * factors.c - the model tables: created, filled in bulk, read back.
 *
 * The tables belong to the user, who may add indexes and columns, grant and publish.  Bulk loading
 * goes around the executor, so what only the executor would honour (triggers, constraints,
 * generated columns, row security) is refused with an error instead of being passed over: before a row
 * is read, so that a long training is not for nothing, and again under the lock that stores.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/heaptoast.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
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
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "citus.h"
#include "compat.h"
#include "factors.h"
#include "idgrowth.h"
#include "query.h"
#include "snapshot.h"

#define BATCH_ROWS 500

/* An error if a relation of that name exists already, which no known model owns. */
void
CheckTableInTheWay(Oid schema, const char *table, const char *model)
{
	if (!OidIsValid(get_relname_relid(table, schema)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("relation \"%s\" stands in the way of model \"%s\"", table, model),
			 errdetail("Schema \"%s\" already has a relation of the name that the model's table would get.",
					   get_namespace_name(schema)),
			 errhint("Drop or rename it, or give the model another name with the argument model.")));
}

/* Runs a utility or DML statement as the current user. */
void
RunSql(const char *sql)
{
	SPI_connect();
	if (SPI_execute(sql, false, 0) < 0)
		elog(ERROR, "could not run: %s", sql);
	SPI_finish();
}

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

/* A type of ids as SQL. */
static char *
IdTypeSql(const IdType *idtype)
{
	return format_type_extended(idtype->type, idtype->typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/* The collation of a column of ids, where the type alone does not give it. */
static void
AppendCollation(StringInfo sql, const IdType *idtype)
{
	if (OidIsValid(idtype->collation) && idtype->collation != DEFAULT_COLLATION_OID)
		appendStringInfo(sql, " COLLATE %s", quote_qualified_identifier(get_namespace_name(CollationSchema(idtype->collation)),
																	  get_collation_name(idtype->collation)));
}

/* How a users' table keeps what they have, as actions of ALTER TABLE. */
static void
AppendSeenStorage(StringInfo sql)
{
	appendStringInfo(sql, ", ALTER COLUMN seen SET STORAGE EXTERNAL, ALTER COLUMN seen SET STATISTICS 0, "
					 "SET (toast_tuple_target = %d)", (int) TOAST_TUPLE_TARGET_MAIN);
}

/* Creates a side's table in the named schema, as the current user, and returns its oid. */
Oid
CreateFactorTable(const char *schema, const char *table, const char *id_column,
				  const IdType *idtype, bool items)
{
	const char *name = quote_qualified_identifier(schema, table);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "CREATE TABLE ");
	appendStringInfo(&sql, "%s (version integer NOT NULL, %s %s", name, id_column, IdTypeSql(idtype));
	AppendCollation(&sql, idtype);
	appendStringInfo(&sql, " NOT NULL, ratings integer NOT NULL, bias real NOT NULL, factors real[] NOT NULL%s, "
					 "PRIMARY KEY (version, %s))",
					 items ? ", rating_factors real[], number integer" : ", seen bytea", id_column);
	RunSql(sql.data);

	/* Vectors stay in their row, uncompressed: they are read whole and do not compress.  So does what users
	 * have where the row fits into a page.  Statistics of them help nobody and cost ANALYZE a third of its
	 * time. */
	resetStringInfo(&sql);
	appendStringInfoString(&sql, "ALTER TABLE ");
	appendStringInfo(&sql, "%s ALTER COLUMN factors SET STORAGE PLAIN, "
					 "ALTER COLUMN factors SET STATISTICS 0", name);
	if (items)
		appendStringInfoString(&sql, ", ALTER COLUMN rating_factors SET STORAGE PLAIN, "
							   "ALTER COLUMN rating_factors SET STATISTICS 0");
	else
		AppendSeenStorage(&sql);
	RunSql(sql.data);
	return get_relname_relid(table, get_namespace_oid(schema, false));
}

/* The name of a model table; an error where it has gone since it was found. */
static const char *
TableName(Oid relid)
{
	const char *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("a model table does not exist any more"),
				 errdetail("It was dropped while this statement ran.")));
	return name;
}

/* The same for use in SQL. */
static const char *
TableSql(Oid relid)
{
	const char *name = TableName(relid);

	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
}

/* The statement that gives a users' table its column of what they have. */
char *
AddSeenSql(Oid relid)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "ALTER TABLE %s ADD COLUMN seen bytea", TableSql(relid));
	AppendSeenStorage(&sql);
	return sql.data;
}

/* The statement that gives an items' table its column of the numbers that users' rows name them by. */
char *
AddNumberSql(Oid relid)
{
	return psprintf("ALTER TABLE %s ADD COLUMN number integer", TableSql(relid));
}

/* The type of the id column of a model table. */
void
FactorIdType(Oid relid, const char *id_column, IdType *idtype)
{
	AttrNumber	attnum = get_attnum(relid, id_column);
	Oid			type;
	int32		typmod;
	Oid			collation;

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("model table \"%s\" has no column \"%s\"", TableName(relid), id_column),
				 errhint("Drop the model with mf_drop and train it again.")));
	get_atttypetypmodcoll(relid, attnum, &type, &typmod, &collation);
	InitIdType(idtype, type, typmod, collation);
}

static void
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

/* No trigger may wait for what bulk loading does: insert. Versions are deleted by SQL, whose triggers fire. */
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

/* No check constraint that is enforced. */
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

/* Whether a column that the user has added gets its right value when nothing is inserted there. */
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

/* Columns of ours must take values, those that the user has added must live with a null. */
static void
CheckColumns(Relation rel, const char *id_column)
{
	TupleDesc	desc = RelationGetDescr(rel);
	static const char *const own[] = {"version", "ratings", "bias", "factors", "rating_factors"};

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		bool		ours = strcmp(NameStr(att->attname), id_column) == 0;

		if (att->attisdropped)
			continue;
		for (int j = 0; j < (int) lengthof(own); j++)
			ours |= strcmp(NameStr(att->attname), own[j]) == 0;
		if (ours ? att->attgenerated : !LivesWithNull(att))
			RefuseTable(rel, psprintf("Its %scolumn \"%s\" has a default, is generated or not null.",
									  ours ? "" : "added ", NameStr(att->attname)));
	}
}

/* The statement that turns a column of ids into one of another type; NULL where there is no cast. */
char *
AlterIdSql(Oid relid, const char *id_column, const IdType *from, const IdType *to)
{
	StringInfoData sql;
	Oid			function;

	if (find_coercion_pathway(to->base, from->base, COERCION_EXPLICIT, &function) == COERCION_PATH_NONE)
		return NULL;
	initStringInfo(&sql);
	appendStringInfoString(&sql, "ALTER TABLE ");
	appendStringInfo(&sql, "%s ALTER COLUMN %s TYPE %s", TableSql(relid), id_column, IdTypeSql(to));
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

/* An error for a column of ids that cannot take those that there are now. */
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

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
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
	IdType		grown;
	char	   *dependent;

	if (!IdTypeGrows(stored, ids, &grown))
		RefuseIds(rel, id_column, stored, ids);
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

/* A column that versions since 0.2.0 have; InvalidAttrNumber where there is none of that name and type. */
static AttrNumber
LaterColumn(Oid relid, const char *column, Oid type)
{
	AttrNumber	attnum = get_attnum(relid, column);

	return attnum != InvalidAttrNumber && get_atttype(relid, attnum) == type ? attnum : InvalidAttrNumber;
}

/* The column of a users' table that says what they have. */
AttrNumber
SeenColumn(Oid relid)
{
	return LaterColumn(relid, "seen", BYTEAOID);
}

/* The column of an items' table with the numbers by which that means them. */
AttrNumber
ItemNumberColumn(Oid relid)
{
	return LaterColumn(relid, "number", INT4OID);
}

/* Where the columns of a model table are; 0 for one that is not there. */
typedef struct FactorColumns
{
	AttrNumber	version;
	AttrNumber	id;
	AttrNumber	ratings;
	AttrNumber	bias;
	AttrNumber	factors;
	AttrNumber	rating_factors;
	IdType		idtype;			/* of the column of ids, which may be wider than the ids */
	AttrNumber	seen;
	AttrNumber	number;
} FactorColumns;

/* An error for a column of a model table that has not kept its type. */
static void
CheckColumnType(const char *column, Oid now, Oid type)
{
	if (now != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of a model table is of type %s, not %s", column, format_type_be(now), format_type_be(type)),
				 errhint("Change it back, or drop the model with mf_drop and train it again.")));
}

/* The same for one that is to be read. */
void
CheckFactorColumn(TupleDesc desc, int column, Oid type)
{
	Form_pg_attribute att = TupleDescAttr(desc, column);

	CheckColumnType(NameStr(att->attname), att->atttypid, type);
}

/* A column that a model table must have. */
static AttrNumber
RequireColumn(Oid relid, const char *column, Oid type)
{
	AttrNumber	attnum = get_attnum(relid, column);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("model table \"%s\" has no column \"%s\" of type %s", get_rel_name(relid), column, format_type_be(type)),
				 errhint("Drop the model with mf_drop and train it again.")));
	CheckColumnType(column, get_atttype(relid, attnum), type);
	return attnum;
}

/* An error unless a table of items has room for a second vector of each, as the joint model needs it. */
void
CheckRatingColumn(Oid relid)
{
	(void) RequireColumn(relid, "rating_factors", FLOAT4ARRAYOID);
}

/* An error where a column is of another type than what is written there. */
static void
FindFactorColumns(Oid relid, const char *id_column, FactorColumns *columns)
{
	columns->version = RequireColumn(relid, "version", INT4OID);
	columns->ratings = RequireColumn(relid, "ratings", INT4OID);
	columns->bias = RequireColumn(relid, "bias", FLOAT4OID);
	columns->factors = RequireColumn(relid, "factors", FLOAT4ARRAYOID);
	columns->rating_factors = get_attnum(relid, "rating_factors");
	if (columns->rating_factors != InvalidAttrNumber)
		CheckRatingColumn(relid);
	FactorIdType(relid, id_column, &columns->idtype);	/* or an error */
	columns->id = get_attnum(relid, id_column);
	columns->seen = SeenColumn(relid);
	columns->number = ItemNumberColumn(relid);
}

/*
 * An error unless rows can be bulk-loaded into an open table, with ids of this type (grows: see above); else
 * where its columns are.
 */
static void
CheckTarget(Relation rel, const char *id_column, const IdType *idtype, bool grows, FactorColumns *columns)
{
	Oid			relid = RelationGetRelid(rel);

	if (!OwnsRelation(relid))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, RelationGetRelationName(rel));
	if (rel->rd_rel->relkind != RELKIND_RELATION)
		RefuseTable(rel, "It is no longer an ordinary table.");
	if (rel->trigdesc && IsCitusTable(relid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot bulk-load model table \"%s\"", RelationGetRelationName(rel)),
				 errdetail("Citus keeps its rows elsewhere."),
				 errhint("Take it back with undistribute_table.")));
	CheckTriggers(rel);
	CheckConstraints(rel);
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		RefuseTable(rel, "Row security applies to its owner.");
	CheckColumns(rel, id_column);
	FindFactorColumns(relid, id_column, columns);
	CheckIdColumnType(rel, id_column, idtype, grows);
}

/* An error unless the table can take another version with ids of this type; the caller has locked it. */
void
CheckFactorTable(Oid relid, const char *id_column, const IdType *idtype)
{
	Relation	rel = relation_open(relid, NoLock);
	FactorColumns columns;

	CheckTarget(rel, id_column, idtype, true, &columns);
	relation_close(rel, NoLock);
}

/*
 * Alters a table that has been checked, where it must be altered to take another version: the column of ids
 * grows with those of the source.  Returns whether it was; then nobody else can read it until the end of
 * the transaction.
 */
bool
AdaptFactorTable(Oid relid, const char *id_column, const IdType *idtype)
{
	IdType		stored;
	IdType		grown;

	FactorIdType(relid, id_column, &stored);
	if (IdTypeTakes(&stored, idtype) || !IdTypeGrows(&stored, idtype, &grown))
		return false;
	RunSql(AlterIdSql(relid, id_column, &stored, &grown));
	return true;
}

/* A real[] of d floats, written straight into its final form. */
static Datum
MakeVector(const float *values, int d)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + sizeof(float) * d;
	ArrayType  *array = palloc(size);

	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = d;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), values, sizeof(float) * d);
	return PointerGetDatum(array);
}

#define SET(column, value) (slot->tts_isnull[(column) - 1] = false, slot->tts_values[(column) - 1] = (value))

/* What says of a row who or what it is of. */
static void
FillKey(TupleTableSlot *slot, const FactorColumns *columns, int32 version, const IdMap *ids, int32 row)
{
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	SET(columns->version, Int32GetDatum(version));
	SET(columns->id, IdToDatum(&columns->idtype, ids->ids[row]));
}

static void
FillSlot(TupleTableSlot *slot, const FactorColumns *columns, int32 version, const FactorRows *rows,
		 int32 row)
{
	Size		at = (Size) row * mf_padded(rows->factors);

	FillKey(slot, columns, version, rows->ids, row);
	SET(columns->ratings, Int32GetDatum(rows->counts[row]));
	SET(columns->bias, Float4GetDatum(rows->bias ? rows->bias[row] : 0));
	SET(columns->factors, MakeVector(rows->vectors + at, rows->factors));
	if (rows->rating_vectors)
		SET(columns->rating_factors, MakeVector(rows->rating_vectors + at, rows->factors));
	if (rows->numbers && columns->number != InvalidAttrNumber)
		SET(columns->number, Int32GetDatum(rows->numbers[row]));
	if (rows->seen && columns->seen != InvalidAttrNumber)
		SET(columns->seen, PointerGetDatum(SeenRow(rows->seen, row)));
	ExecStoreVirtualTuple(slot);
}

/* A row of a user of whom nothing is known but what they have. */
static void
FillUnknown(TupleTableSlot *slot, const FactorColumns *columns, int32 version, const FactorRows *rows, int32 row)
{
	FillKey(slot, columns, version, rows->unknown, row);
	SET(columns->ratings, Int32GetDatum(0));
	SET(columns->bias, Float4GetDatum(0));
	SET(columns->factors, PointerGetDatum(construct_empty_array(FLOAT4OID)));
	SET(columns->seen, PointerGetDatum(SeenRow(rows->seen, (int64) rows->ids->count + row)));
	ExecStoreVirtualTuple(slot);
}

#undef SET

/* A result relation outside of any plan, as COPY sets one up, with all of its indexes open. */
static ResultRelInfo *
OpenResult(EState *estate, Relation rel)
{
	ResultRelInfo *result = makeNode(ResultRelInfo);

	InitResultRelInfo(result, rel, 0, NULL, 0);
	ExecOpenIndices(result, false);
	estate->es_opened_result_relations = lappend(estate->es_opened_result_relations, result);
	return result;
}

/* Where rows go. */
typedef struct Target
{
	Relation	rel;
	EState	   *estate;
	ResultRelInfo *result;
	BulkInsertState bulk;
	CommandId	command;
	FactorColumns columns;
	TupleTableSlot *slots[BATCH_ROWS];
} Target;

/*
 * Opens a table for bulk loading, and looks again whether it can be loaded: before the long phase that has
 * made the rows it could, but what runs in a session, a view's functions too, may have altered it since.
 */
static void
OpenTarget(Target *target, Oid relid, const char *id_column, const FactorRows *rows)
{
	Relation	rel = table_open(relid, RowExclusiveLock);
	FactorColumns *columns = &target->columns;

	CheckTarget(rel, id_column, rows->ids->type, false, columns);
	if (rows->rating_vectors)
		CheckRatingColumn(relid);
	if (columns->rating_factors != InvalidAttrNumber && rows->rating_vectors == NULL &&
		TupleDescAttr(RelationGetDescr(rel), columns->rating_factors - 1)->attnotnull)
		RefuseTable(rel, "Its column \"rating_factors\" is not null, and this version has none.");
	target->rel = rel;
	target->estate = CreateExecutorState();
	target->result = OpenResult(target->estate, rel);
	target->bulk = GetBulkInsertState();
	target->command = GetCurrentCommandId(true);
	for (int i = 0; i < BATCH_ROWS; i++)
		target->slots[i] = table_slot_create(rel, NULL);
}

/* Inserts n rows, at most BATCH_ROWS, from `first` on, and their index entries. */
static void
InsertBatch(Target *target, int32 version, const FactorRows *rows, int32 first, int n)
{
	for (int i = 0; i < n; i++)
		if (first + i < rows->ids->count)
			FillSlot(target->slots[i], &target->columns, version, rows, first + i);
		else
			FillUnknown(target->slots[i], &target->columns, version, rows, first + i - rows->ids->count);
	table_multi_insert(target->rel, target->slots, n, target->command, 0, target->bulk);
	for (int i = 0; i < n && target->result->ri_NumIndices > 0; i++)
	{
		InsertIndexTuples(target->result, target->slots[i], target->estate);
		ResetPerTupleExprContext(target->estate);
	}
}

static void
CloseTarget(Target *target)
{
	for (int i = 0; i < BATCH_ROWS; i++)
		ExecDropSingleTupleTableSlot(target->slots[i]);
	FreeBulkInsertState(target->bulk);
	table_finish_bulk_insert(target->rel, 0);
	ExecCloseIndices(target->result);
	FreeExecutorState(target->estate);
	table_close(target->rel, NoLock);
	CommandCounterIncrement();
}

/*
 * Inserts all rows of one side as the given version; an error where the table cannot take them.  with_seen:
 * the columns with what users have are there, and are filled.
 */
void
StoreFactors(Oid relid, const char *id_column, int32 version, const FactorRows *rows, bool with_seen)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "mfrec store",
												ALLOCSET_DEFAULT_SIZES);
	Target		target;
	int32		count = rows->ids->count;

	OpenTarget(&target, relid, id_column, rows);
	if (!with_seen)
		target.columns.seen = target.columns.number = InvalidAttrNumber;
	else if (rows->unknown)
		count += rows->unknown->count;
	for (int32 row = 0; row < count; row += BATCH_ROWS)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);

		CHECK_FOR_INTERRUPTS();
		InsertBatch(&target, version, rows, row, Min(BATCH_ROWS, count - row));
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	}
	CloseTarget(&target);
	MemoryContextDelete(batch);
}

/* Deletes every row of a version older than the given one. */
void
DeleteVersionsBefore(Oid relid, int32 version)
{
	StringInfoData sql;
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(version)};

	initStringInfo(&sql);
	appendStringInfoString(&sql, "DELETE FROM ");
	appendStringInfo(&sql, "%s WHERE version OPERATOR(pg_catalog.<) $1", TableSql(relid));
	SPI_connect();
	if (SPI_execute_with_args(sql.data, 1, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not run: %s", sql.data);
	CheckRowsAreSeenToWrite(relid);
	SPI_finish();
}

/* The integers in the first column of the rows that a statement has returned, without nulls; lives in a context. */
static List *
ReturnedIntegers(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *list = NIL;

	CheckFactorColumn(SPI_tuptable->tupdesc, 0, INT4OID);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
			list = lappend_int(list, DatumGetInt32(value));
	}
	MemoryContextSwitchTo(old);
	return list;
}

/*
 * Deletes an id's rows of all versions, or raises an error; returns how many there were, and in which
 * versions there was a vector.
 */
int64
DeleteFactorRows(Oid relid, const char *id_column, const IdType *idtype, int64 id, List **versions)
{
	MemoryContext context = CurrentMemoryContext;
	StringInfoData sql;
	Oid			types[1] = {idtype->base};
	Datum		values[1] = {IdToDatum(idtype, id)};
	int64		deleted;

	*versions = NIL;
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot erase rows of model table \"%s\"", get_rel_name(relid)),
				 errdetail("Row security applies to its owner, and may hide some of them."),
				 errhint("Run ALTER TABLE ... NO FORCE ROW LEVEL SECURITY.")));
	if (!IdFits(idtype, id))
		return 0;
	initStringInfo(&sql);
	appendStringInfoString(&sql, "DELETE FROM ");
	appendStringInfo(&sql, "%s WHERE %s %s $1 RETURNING CASE WHEN factors IS NOT NULL THEN version END",
					 TableSql(relid), id_column, IdEqualitySql(idtype));
	SPI_connect();
	if (SPI_execute_with_args(sql.data, 1, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not run: %s", sql.data);
	CheckRowsAreSeenToWrite(relid);
	deleted = SPI_processed;
	*versions = ReturnedIntegers(context);
	SPI_finish();
	return deleted;
}

/* What a scan of a model table reads; columns after the first four are there or not. */
#define READ_COLUMNS "ratings, bias, factors"
#define FIRST_OPTION 4

/* Receives a scan of a model table and hands each row to a function. */
typedef struct FactorReceiver
{
	DestReceiver pub;
	const IdType *idtype;
	StoredRowFunction function;
	void	   *state;
	int			rating_factors; /* columns of the result; 0 where they are not read */
	int			seen;
	int			number;
	int64		rows;
} FactorReceiver;

/*
 * The floats of a real[] without NULLs, and how many; an error for any other array, and for none.
 * may_be_empty: none is a vector, too, as in rows of users of whom nothing is known but what they have.
 */
static const float *
VectorValues(Datum datum, bool isnull, bool may_be_empty, int *count)
{
	ArrayType  *array = isnull ? NULL : DatumGetArrayTypeP(datum);

	if (array == NULL || ARR_NDIM(array) > 1 || (ARR_NDIM(array) == 0 && !may_be_empty) || ARR_HASNULL(array))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a vector of factors must be a one-dimensional real[] without nulls"),
				 errhint("A model table was edited by hand; retrain the model.")));
	*count = ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0];
	return (const float *) ARR_DATA_PTR(array);
}

/* The vector of ratings of an item, which is as long as its other one; NULL where there is none. */
static const float *
RatingValues(const FactorReceiver *receiver, TupleTableSlot *slot, const StoredRow *row)
{
	int			column = receiver->rating_factors;
	const float *vector;
	int			d;

	if (column == 0 || slot->tts_isnull[column])
		return NULL;
	vector = VectorValues(slot->tts_values[column], false, false, &d);
	if (d != row->factors)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("factors and rating_factors of item %s differ in length",
						IdToText(receiver->idtype, row->id)),
				 errhint("A model table was edited by hand; retrain the model.")));
	return vector;
}

static bool
ReceiveFactorRow(TupleTableSlot *slot, DestReceiver *self)
{
	FactorReceiver *receiver = (FactorReceiver *) self;
	StoredRow	row = {.number = -1};

	slot_getallattrs(slot);
	row.id = IdFromColumn(receiver->idtype, slot->tts_values[0]);
	row.count = DatumGetInt32(slot->tts_values[1]);
	row.bias = DatumGetFloat4(slot->tts_values[2]);
	row.vector = VectorValues(slot->tts_values[3], slot->tts_isnull[3], receiver->rating_factors == 0, &row.factors);
	row.rating_vector = RatingValues(receiver, slot, &row);
	if (receiver->seen > 0 && !slot->tts_isnull[receiver->seen])
		row.seen = slot->tts_values[receiver->seen];
	if (receiver->number > 0 && !slot->tts_isnull[receiver->number])
		row.number = DatumGetInt32(slot->tts_values[receiver->number]);
	receiver->function(receiver->state, &row);
	receiver->rows += row.factors > 0;
	return true;
}

static void
StartupFactorReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	const FactorReceiver *receiver = (FactorReceiver *) self;

	(void) operation;
	CheckDeliveredId(typeinfo, 0, ((FactorReceiver *) self)->idtype);
	CheckFactorColumn(typeinfo, 1, INT4OID);
	CheckFactorColumn(typeinfo, 2, FLOAT4OID);
	CheckFactorColumn(typeinfo, 3, FLOAT4ARRAYOID);
	if (receiver->rating_factors > 0)
		CheckFactorColumn(typeinfo, receiver->rating_factors, FLOAT4ARRAYOID);
}

/* Has a query read a column more, where it is there; returns its place in the result, 0 for none. */
static int
ReadColumn(StringInfo sql, int *columns, const char *column, AttrNumber attnum)
{
	if (attnum == InvalidAttrNumber)
		return 0;
	appendStringInfo(sql, ", %s", column);
	return (*columns)++;
}

/*
 * Hands every row of a version to a function, in no particular order, with the current user's
 * privileges and row security; with_seen: what users have is read, too.  Returns how many rows there were
 * that have a vector.
 */
int64
ReadFactors(Oid relid, const char *id_column, int32 version, const IdType *idtype,
			bool with_seen, StoredRowFunction function, void *state)
{
	FactorReceiver receiver = {0};
	StringInfoData sql;
	int			columns = FIRST_OPTION;

	receiver.pub.receiveSlot = ReceiveFactorRow;
	receiver.pub.rStartup = StartupFactorReceiver;
	receiver.idtype = idtype;
	receiver.function = function;
	receiver.state = state;
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	appendStringInfo(&sql, "%s, " READ_COLUMNS, id_column);
	receiver.rating_factors = ReadColumn(&sql, &columns, "rating_factors", get_attnum(relid, "rating_factors"));
	if (with_seen)
		receiver.seen = ReadColumn(&sql, &columns, "seen", SeenColumn(relid));
	receiver.number = ReadColumn(&sql, &columns, "number", ItemNumberColumn(relid));
	appendStringInfo(&sql, " FROM %s WHERE version OPERATOR(pg_catalog.=) $1", TableSql(relid));
	RunQuery(sql.data, INT4OID, Int32GetDatum(version), true, &receiver.pub);
	return receiver.rows;
}

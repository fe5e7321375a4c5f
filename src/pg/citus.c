/*
 * citus.c - tables whose rows Citus keeps elsewhere, and calls that it runs elsewhere.
 *
 * A table that was handed to Citus (distributed, a reference table, or a local one in its metadata) has its
 * rows in shards; what stands under its own name is empty or of the past.  Nothing here needs Citus to be built: its
 * catalogs are read where there are some, found by name, as are their columns, whose order is of no promise.
 *
 * What is read is kept for the session.  Citus invalidates a table in the relcache, on every node, when anything
 * about its shards or where they are changes.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/hash.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/nodes.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "pg/citus.h"

/* How Citus calls the sessions in which workers run parts of a query. */
#define TASK_NAME "citus_internal"

/* How the nodes of plans are called that Citus runs on other nodes. */
#define SCAN_NAME "Citus"

/* The group of nodes that the coordinator is in. */
#define COORDINATOR_GROUP 0

/* The state of a placement that has all rows. */
#define PLACEMENT_ACTIVE 1

/* Backend-local cache of CitusTable, by relid; NULL before its first use. */
static HTAB *tables = NULL;
static uint64 changes = 0;		/* invalidations so far */

/* One of Citus's catalogs; InvalidOid where the database does not have it. */
static Oid
Catalog(const char *name)
{
	return get_relname_relid(name, PG_CATALOG_NAMESPACE);
}

/* Whether the database has the extension, as far as is known. */
static enum
{
	CITUS_UNKNOWN, CITUS_THERE, CITUS_NOT_THERE
}			has_citus = CITUS_UNKNOWN;

/* Syscache callback: some name of a relation means something else now. */
static void
NamesChanged(Datum arg, int cacheid, uint32 hashvalue)
{
	(void) arg;
	(void) cacheid;
	(void) hashvalue;
	has_citus = CITUS_UNKNOWN;
}

/* Whether the database has the extension; each list asks several times. */
bool
HasCitus(void)
{
	static bool registered = false;

	if (!registered)
		CacheRegisterSyscacheCallback(RELNAMENSP, NamesChanged, (Datum) 0);
	registered = true;
	if (has_citus == CITUS_UNKNOWN)
		has_citus = OidIsValid(Catalog("pg_dist_partition")) ? CITUS_THERE : CITUS_NOT_THERE;
	return has_citus == CITUS_THERE;
}

/* Takes one row of a catalog. */
typedef void (*CatalogRowFunction) (void *state, HeapTuple tuple, Relation rel);

/*
 * Hands the rows of a catalog, which may not be there, to a function; column: those with a key there, by an index
 * that begins with it, if it has the name; NULL: all.
 */
static void
ScanCatalog(const char *name, const char *index, const char *column, Oid equal, Datum key, CatalogRowFunction function,
			void *state)
{
	Oid			relid = Catalog(name);
	Relation	rel;
	ScanKeyData keys[1];
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(relid))
		return;
	rel = table_open(relid, AccessShareLock);
	if (column)
		ScanKeyInit(&keys[0], get_attnum(relid, column), BTEqualStrategyNumber, equal, key);
	scan = systable_beginscan(rel, Catalog(index), OidIsValid(Catalog(index)), NULL, column ? 1 : 0, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		function(state, tuple, rel);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* A column of a catalog's row, by its name. */
static Datum
CatalogColumn(HeapTuple tuple, Relation rel, const char *column, bool *isnull)
{
	return heap_getattr(tuple, get_attnum(RelationGetRelid(rel), column), RelationGetDescr(rel), isnull);
}

/* CatalogRowFunction: whether an object that Citus has on all nodes is an extension. */
static void
TakeExtension(void *state, HeapTuple tuple, Relation rel)
{
	bool		isnull;

	if (DatumGetObjectId(CatalogColumn(tuple, rel, "classid", &isnull)) == ExtensionRelationId)
		*(bool *) state = true;
}

/*
 * Whether Citus is there and has an extension of this database on all of its nodes: it has not where the extension was
 * created before Citus was.
 */
bool
CitusHasExtension(const char *name)
{
	bool		found = false;

	if (HasCitus())
		ScanCatalog("pg_dist_object", "", "objid", F_OIDEQ, ObjectIdGetDatum(get_extension_oid(name, true)),
					TakeExtension, &found);
	return found;
}

/* CatalogRowFunction: the group of this node. */
static void
TakeGroup(void *state, HeapTuple tuple, Relation rel)
{
	bool		isnull;

	*(int32 *) state = DatumGetInt32(CatalogColumn(tuple, rel, "groupid", &isnull));
}

/* The group that this node is in: the coordinator's where nothing says otherwise. */
int32
LocalGroup(void)
{
	int32		group = COORDINATOR_GROUP;

	ScanCatalog("pg_dist_local_group", "", NULL, InvalidOid, (Datum) 0, TakeGroup, &group);
	return group;
}

/* CatalogRowFunction: how a table is distributed. */
static void
TakePartition(void *state, HeapTuple tuple, Relation rel)
{
	CitusTable *table = state;
	bool		isnull;
	Datum		key_node = CatalogColumn(tuple, rel, "partkey", &isnull);

	table->is_citus = true;
	table->column = InvalidAttrNumber;

	/* a column as PostgreSQL writes nodes of expressions */
	if (!isnull)
	{
		Var		   *column = castNode(Var, stringToNode(TextDatumGetCString(key_node)));

		table->column = column->varattno;
		table->type = getBaseType(column->vartype);
		table->collation = column->varcollid;
	}
	table->method = DatumGetChar(CatalogColumn(tuple, rel, "partmethod", &isnull));
	table->reference = table->method == CITUS_WHOLE && DatumGetChar(CatalogColumn(tuple, rel, "repmodel", &isnull)) == CITUS_BY_COMMIT;
}

/* CatalogRowFunction: one of a table's shards; of those not distributed by hash the range means nothing here. */
static void
TakeShard(void *state, HeapTuple tuple, Relation rel)
{
	CitusTable *table = state;
	bool		no_min;
	bool		no_max;
	bool		isnull;
	Datum		min = CatalogColumn(tuple, rel, "shardminvalue", &no_min);
	Datum		max = CatalogColumn(tuple, rel, "shardmaxvalue", &no_max);
	CitusShard *shard;

	table->shards = table->shards ? repalloc(table->shards, sizeof(CitusShard) * (table->nshards + 1)) :
		palloc(sizeof(CitusShard));
	shard = &table->shards[table->nshards++];
	memset(shard, 0, sizeof(CitusShard));
	shard->id = DatumGetInt64(CatalogColumn(tuple, rel, "shardid", &isnull));
	if (table->method != CITUS_BY_HASH || no_min || no_max)
		return;
	shard->min = pg_strtoint32(TextDatumGetCString(min));
	shard->max = pg_strtoint32(TextDatumGetCString(max));
}

/* A shard whose placements are looked at. */
typedef struct Placing
{
	CitusShard *shard;
	int32		group;
} Placing;

/* CatalogRowFunction: one of a shard's placements. */
static void
TakePlacement(void *state, HeapTuple tuple, Relation rel)
{
	Placing    *placing = state;
	bool		isnull;
	int32		group = DatumGetInt32(CatalogColumn(tuple, rel, "groupid", &isnull));

	if (group == placing->group &&
		DatumGetInt32(CatalogColumn(tuple, rel, "shardstate", &isnull)) == PLACEMENT_ACTIVE)
		placing->shard->here = true;
}

/* qsort() of shards. */
static int
CompareShards(const void *a, const void *b)
{
	int32		x = ((const CitusShard *) a)->min;
	int32		y = ((const CitusShard *) b)->min;

	return (x > y) - (x < y);
}

/* Reads what Citus knows of a table, whose relid is set, into memory of the current context. */
static void
ReadCitusTable(CitusTable *table)
{
	Datum		relid = ObjectIdGetDatum(table->relid);
	int32		group;

	ScanCatalog("pg_dist_partition", "pg_dist_partition_logical_relid_index", "logicalrelid", F_OIDEQ, relid,
				TakePartition, table);
	if (!table->is_citus)
		return;
	ScanCatalog("pg_dist_shard", "pg_dist_shard_logical_relid_index", "logicalrelid", F_OIDEQ, relid, TakeShard,
				table);
	group = LocalGroup();
	for (int i = 0; i < table->nshards; i++)
	{
		Placing		placing = {&table->shards[i], group};

		ScanCatalog("pg_dist_placement", "pg_dist_placement_shardid_index", "shardid", F_INT8EQ,
					Int64GetDatum(table->shards[i].id), TakePlacement, &placing);
	}
	qsort(table->shards, table->nshards, sizeof(CitusShard), CompareShards);
	if (table->method == CITUS_BY_HASH && table->column != InvalidAttrNumber)
	{
		TypeCacheEntry *entry = lookup_type_cache(table->type, TYPECACHE_HASH_PROC_FINFO);

		table->hash = OidIsValid(entry->hash_proc) ? &entry->hash_proc_finfo : NULL;
	}
}

/* Relcache callback: a relation has changed, or with InvalidOid perhaps all of them.  It only marks. */
static void
CitusTableChanged(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	CitusTable *table;

	(void) arg;
	changes++;
	if (OidIsValid(relid))
	{
		table = hash_search(tables, &relid, HASH_FIND, NULL);
		if (table)
			table->valid = false;
		return;
	}
	hash_seq_init(&status, tables);
	while ((table = hash_seq_search(&status)) != NULL)
		table->valid = false;
}

/* The cache's entry of a table, perhaps a new one. */
static CitusTable *
CacheEntryOf(Oid relid)
{
	HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(CitusTable)};
	CitusTable *table;
	bool		found;

	if (tables == NULL)
	{
		tables = hash_create("mfrec Citus tables", 16, &control, HASH_ELEM | HASH_BLOBS);
		CacheRegisterRelcacheCallback(CitusTableChanged, (Datum) 0);
	}
	table = hash_search(tables, &relid, HASH_ENTER, &found);
	if (!found)
		memset((char *) table + sizeof(Oid), 0, sizeof(CitusTable) - sizeof(Oid));
	return table;
}

/*
 * What Citus knows of a table, valid until the next call; NULL where it does not have it, as without Citus, where that
 * takes a look into the server's cache of names.
 */
const CitusTable *
FindCitusTable(Oid relid)
{
	CitusTable *table;
	CitusTable	read = {.relid = relid};
	MemoryContext old;
	uint64		before;

	if (!HasCitus())
		return NULL;
	table = CacheEntryOf(relid);
	if (table->valid)
		return table->is_citus ? table : NULL;
	before = changes;
	old = MemoryContextSwitchTo(TopMemoryContext);
	ReadCitusTable(&read);
	MemoryContextSwitchTo(old);
	if (table->shards)
		pfree(table->shards);
	*table = read;
	table->valid = changes == before;
	return table->is_citus ? table : NULL;
}

/* Whether Citus keeps the rows of a table. */
bool
IsCitusTable(Oid relid)
{
	return FindCitusTable(relid) != NULL;
}

/* Whether an index that serves all rows, valid and not partial, begins with a column. */
static bool
HasIndexOn(Relation rel, AttrNumber column)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		found = false;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		found |= index->rd_index->indisvalid && index->rd_index->indkey.values[0] == column &&
			RelationGetIndexPredicate(index) == NIL;
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

/*
 * Whether Citus finds rows of one of its tables by the value of a column in one place and through an index,
 * which all shards have that the table has.  The planner's costs say nothing of that.
 */
bool
CitusFindsRows(Oid relid, const char *column)
{
	AttrNumber	attnum = get_attnum(relid, column);
	const CitusTable *table = FindCitusTable(relid);
	Relation	rel;
	bool		found;

	if (table == NULL || (table->column != InvalidAttrNumber && table->column != attnum))
		return false;
	rel = relation_open(relid, AccessShareLock);
	found = HasIndexOn(rel, attnum);
	relation_close(rel, NoLock);
	return found;
}

/* Whether this session is one in which Citus runs a part of a query on a worker. */
bool
IsCitusTask(void)
{
	return application_name && strncmp(application_name, TASK_NAME, strlen(TASK_NAME)) == 0;
}

/* Whether this node is the coordinator, as the only one is that there is without Citus: tables are made there. */
bool
IsCitusCoordinator(void)
{
	return LocalGroup() == COORDINATOR_GROUP;
}

/* Whether a custom scan of that name is Citus's own. */
bool
IsCitusScan(const char *name)
{
	return strncmp(name, SCAN_NAME, strlen(SCAN_NAME)) == 0;
}

/*
 * Until the end of the transaction Citus has one session on each other node, in which all parts of its queries run.  So
 * they see there what the transaction has written to reference tables: it goes through one session, and Citus, which
 * does not know that functions read them, would use others beside it.
 */
void
UseOneSessionPerNode(void)
{
	(void) set_config_option("citus.max_adaptive_executor_pool_size", "1", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/*
 * Lets answers of so many bytes stay in memory until the GUC nesting level that is open ends: Citus takes an answer
 * as a whole before it gives the first row of it, and what is beyond work_mem goes to a file.
 */
void
KeepAnswers(Size bytes)
{
	int			kilobytes = (int) Min(bytes / 1024 + 1, MAX_KILOBYTES);

	if (kilobytes > work_mem)
		(void) set_config_option("work_mem", psprintf("%d", kilobytes), PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
}

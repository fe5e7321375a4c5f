/*
 * placement.c - the relation in which rows of a table lie on this node, where they do.
 *
 * A shard of a table of Citus's is on each of its nodes an ordinary table, called as the table and by the shard's
 * number, with the table's owner, privileges, policies and indexes.  It can be scanned like any other, also in parts of
 * a query that Citus runs, which may not query its tables; and that takes no plan of Citus's.
 *
 * A snapshot that is older than the move of a shard finds in its former placement what it should; a placement that
 * is not the current one is never looked for.  What the transaction itself has written is seen here if Citus has
 * written it in this session, as it does in transactions of several statements unless told not to.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "pg/citus.h"
#include "pg/placement.h"

/*
 * How Citus calls the placement of a shard, or an index of it: the number is appended, and of a name that gets too
 * long a hash stands for the end.
 */
static char *
PlacementName(const char *name, int64 shard)
{
	int			length = strlen(name);
	char	   *suffix = psprintf("_" UINT64_FORMAT, (uint64) shard);
	int			room = NAMEDATALEN - (int) strlen(suffix);

	if (length < room)
		return psprintf("%s%s", name, suffix);
	return psprintf("%.*s_%.8x%s", pg_mbcliplen(name, length, room - 10), name,
					DatumGetUInt32(hash_any((const unsigned char *) name, length)), suffix);
}

/* The relation of a shard on this node, of a table whose names another node has sent; an error where it is not here. */
Oid
NamedShard(const char *schema, const char *table, int64 shard)
{
	char	   *name = PlacementName(table, shard);
	Oid			relid = get_relname_relid(name, get_namespace_oid(schema, false));

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("shard \"%s\" is not on this node", name),
				 errhint("Train again.")));
	return relid;
}

/*
 * Whether what this transaction has written may have gone by another session of this node, whose rows cannot be seen
 * from here.
 */
static bool
WritesElsewhere(void)
{
	const char *local;

	if (!IsTransactionBlock())
		return false;
	local = GetConfigOption("citus.enable_local_execution", true, false);
	return local && strcmp(local, "on") != 0;
}

/* The relation of a shard's placement on this node; InvalidOid where there is none. */
static Oid
FindShard(Oid relid, const CitusShard *shard)
{
	const char *name = get_rel_name(relid);

	if (!shard->here || name == NULL)
		return InvalidOid;
	return get_relname_relid(PlacementName(name, shard->id), get_rel_namespace(relid));
}

/* The same; InvalidOid, too, where it may not show what the transaction has written. */
static Oid
OpenShard(Oid relid, const CitusShard *shard)
{
	return WritesElsewhere() ? InvalidOid : FindShard(relid, shard);
}

/*
 * The relation that has all rows of a table: itself, or its placement on this node, InvalidOid where there is none.  For
 * a table to which only this session writes in its transaction, as LockModel() makes sure of the bookkeeping.
 */
Oid
CopyHere(Oid relid)
{
	const CitusTable *table = FindCitusTable(relid);

	if (table == NULL)
		return relid;
	return table->method == CITUS_WHOLE && table->nshards == 1 ? FindShard(relid, &table->shards[0]) : InvalidOid;
}

/* The same for any table; InvalidOid where only a query of the table finds all rows. */
Oid
PlacementOfAll(Oid relid)
{
	Oid			copy = CopyHere(relid);

	return copy != relid && WritesElsewhere() ? InvalidOid : copy;
}

/*
 * The name, quoted for use in SQL, of the relation that has all rows of one on this node: itself, or its placement; of
 * what only a query of the relation finds its own.  An error where it has gone since it was found, for not all callers
 * hold a lock: a function in a source's view may drop what is read next.
 */
const char *
RowsSql(Oid relid)
{
	Oid			placement = PlacementOfAll(relid);
	Oid			rows = OidIsValid(placement) ? placement : relid;
	const char *name = get_rel_name(rows);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("a relation does not exist any more"),
				 errdetail("It was dropped while this statement ran.")));
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(rows)), name);
}

/* PlacementOfAll() for the rows that have a value in a column, which is of that type, without domains. */
Oid
PlacementOf(Oid relid, const char *column, Oid type, Datum value)
{
	const CitusTable *table = FindCitusTable(relid);
	int32		hash;

	if (table == NULL)
		return relid;
	if (table->method != CITUS_BY_HASH)
		return PlacementOfAll(relid);
	if (table->hash == NULL || table->type != type || table->column != get_attnum(relid, column))
		return InvalidOid;
	hash = DatumGetInt32(FunctionCall1Coll(table->hash, table->collation, value));
	for (int i = 0; i < table->nshards; i++)
		if (hash >= table->shards[i].min && hash <= table->shards[i].max)
			return OpenShard(relid, &table->shards[i]);
	return InvalidOid;
}

/*
 * The next placement that this node has of a table, from shard number *shard on, which begins with 0; InvalidOid
 * after the last one.
 */
Oid
AnyPlacement(Oid relid, int *shard)
{
	const CitusTable *table = FindCitusTable(relid);

	while (table && *shard < table->nshards)
	{
		Oid			placement = OpenShard(relid, &table->shards[(*shard)++]);

		if (OidIsValid(placement))
			return placement;
		table = FindCitusTable(relid);
	}
	return InvalidOid;
}

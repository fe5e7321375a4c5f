/*
 * idmap.c - ids of any hashable type, and the dictionary that numbers them densely.
 *
 * An id travels as one int64 through the whole extension: the integer itself for int2, int4 and
 * int8, a Datum for any other type.  So code that loops over ids has one path, and only hashing,
 * comparing and copying ask what kind it is.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "core/rng.h"
#include "idmap.h"

/* Fills in what is needed to handle ids of a type; a type without hash operator class is an error. */
void
InitIdType(IdType *idtype, Oid type, int32 typmod, Oid collation)
{
	TypeCacheEntry *entry;

	memset(idtype, 0, sizeof(IdType));
	idtype->type = type;
	idtype->base = getBaseType(type);
	idtype->typmod = typmod;
	idtype->collation = collation;
	get_typlenbyvalalign(idtype->base, &idtype->typlen, &idtype->typbyval, &idtype->typalign);
	idtype->is_int = idtype->base == INT2OID || idtype->base == INT4OID || idtype->base == INT8OID;
	if (idtype->is_int)
		return;
	entry = lookup_type_cache(idtype->base, TYPECACHE_HASH_PROC | TYPECACHE_EQ_OPR | TYPECACHE_CMP_PROC);
	if (!OidIsValid(entry->hash_proc) || !OidIsValid(entry->eq_opr))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("values of type %s cannot be user or item ids", format_type_be(type)),
				 errdetail("The type has no hash operator class."),
				 errhint("Cast the column in a view, for example to text.")));
	fmgr_info_cxt(entry->hash_proc, &idtype->hash, CurrentMemoryContext);
	fmgr_info_cxt(get_opcode(entry->eq_opr), &idtype->equal, CurrentMemoryContext);
	if (OidIsValid(entry->cmp_proc))
		fmgr_info_cxt(entry->cmp_proc, &idtype->compare, CurrentMemoryContext);
}

/* The integer in a datum of type int2, int4 or int8; false for any other type. */
static bool
IntegerFromDatum(Datum value, Oid type, int64 *result)
{
	switch (type)
	{
		case INT2OID:
			*result = DatumGetInt16(value);
			return true;
		case INT4OID:
			*result = DatumGetInt32(value);
			return true;
		case INT8OID:
			*result = DatumGetInt64(value);
			return true;
		default:
			return false;
	}
}

/* A literal in the id type's own syntax; bad syntax is that type's own error. */
static Datum
ParseId(const IdType *idtype, char *text)
{
	Oid			input;
	Oid			ioparam;

	getTypeInputInfo(idtype->base, &input, &ioparam);
	return OidInputFunctionCall(input, text, ioparam, idtype->typmod);
}

/*
 * Converts an argument to an id: integers of any width to integer ids, a quoted literal or text to
 * any type, otherwise what is binary coercible.  False when the type does not fit.  The id may
 * point into value.
 */
bool
IdFromDatum(const IdType *idtype, Datum value, Oid value_type, int64 *id)
{
	Oid			base;

	if (idtype->is_int && IntegerFromDatum(value, value_type, id))
		return true;
	base = getBaseType(value_type);
	if (idtype->is_int && IntegerFromDatum(value, base, id))
		return true;
	if (base != idtype->base)
	{
		if (base == UNKNOWNOID)
			value = ParseId(idtype, DatumGetCString(value));
		else if (base == TEXTOID && !IsBinaryCoercible(base, idtype->base))
			value = ParseId(idtype, TextDatumGetCString(value));
		else if (idtype->is_int || !IsBinaryCoercible(base, idtype->base))
			return false;
	}
	if (idtype->is_int)
		return IntegerFromDatum(value, idtype->base, id);
	if (idtype->typlen == -1)
		value = PointerGetDatum(PG_DETOAST_DATUM(value));
	*id = (int64) value;
	return true;
}

/* The id in a datum of the id type itself, as a column delivers it; it may point into value. */
int64
IdFromColumn(const IdType *idtype, Datum value)
{
	switch (idtype->base)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return DatumGetInt64(value);
		default:
			return (int64) (idtype->typlen == -1 ? PointerGetDatum(PG_DETOAST_DATUM(value)) : value);
	}
}

/* The id as a datum of its own column's type. */
Datum
IdToDatum(const IdType *idtype, int64 id)
{
	switch (idtype->base)
	{
		case INT2OID:
			return Int16GetDatum((int16) id);
		case INT4OID:
			return Int32GetDatum((int32) id);
		case INT8OID:
			return Int64GetDatum(id);
		default:
			return (Datum) id;
	}
}

/*
 * An id as a query's parameter, and its type: integers as bigint, so that one that is out of the
 * column's range is found nowhere instead of standing for another.
 */
Datum
IdToParameter(const IdType *idtype, int64 id)
{
	return idtype->is_int ? Int64GetDatum(id) : (Datum) id;
}

Oid
IdParameterType(const IdType *idtype)
{
	return idtype->is_int ? INT8OID : idtype->base;
}

/* Whether the id can be in a column of its type: a larger integer cannot. */
bool
IdFits(const IdType *idtype, int64 id)
{
	return idtype->base == INT4OID ? id == (int32) id : idtype->base == INT2OID ? id == (int16) id : true;
}

/* Whether ids can be returned in a result column of this type: see IdToOutput. */
bool
IdTypeFits(const IdType *idtype, Oid output_type)
{
	Oid			base;

	if (idtype->is_int && output_type == INT8OID)
		return true;
	base = getBaseType(output_type);
	if (base == TEXTOID)
		return true;
	if (idtype->is_int)
		return base == INT2OID || base == INT4OID || base == INT8OID;
	return base == idtype->base || IsBinaryCoercible(idtype->base, base);
}

/* The id as a datum of a result column's type, which IdTypeFits has accepted. */
Datum
IdToOutput(const IdType *idtype, int64 id, Oid output_type)
{
	Oid			base;

	if (idtype->is_int && output_type == INT8OID)
		return Int64GetDatum(id);
	base = getBaseType(output_type);
	if (base == TEXTOID && !IsBinaryCoercible(idtype->base, TEXTOID))
		return CStringGetTextDatum(IdToText(idtype, id));
	if (!idtype->is_int)
		return (Datum) id;
	if (base == INT8OID)
		return Int64GetDatum(id);
	if (base == INT4OID)
		return DirectFunctionCall1(int84, Int64GetDatum(id));
	return DirectFunctionCall1(int82, Int64GetDatum(id));
}

/* The id as text, for messages. */
char *
IdToText(const IdType *idtype, int64 id)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(IdParameterType(idtype), &output, &varlena);
	return OidOutputFunctionCall(output, IdToParameter(idtype, id));
}

/* Hash of an id: a finalizer for integers, the type's own hash function for the rest. */
uint32
HashId(const IdType *idtype, int64 id)
{
	if (idtype->is_int)
		return (uint32) mf_mix64((uint64) id);
	return DatumGetUInt32(FunctionCall1Coll((FmgrInfo *) &idtype->hash, idtype->collation, (Datum) id));
}

/* Whether two ids are the same one, by the type's equality. */
bool
EqualIds(const IdType *idtype, int64 a, int64 b)
{
	if (idtype->is_int)
		return a == b;
	return DatumGetBool(FunctionCall2Coll((FmgrInfo *) &idtype->equal, idtype->collation,
										  (Datum) a, (Datum) b));
}

/* The operator as SQL that no search_path can turn into another one. */
static char *
QualifiedOperator(Oid operator)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *sql;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	sql = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
				   NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return sql;
}

/* The type's equality as an operator in SQL. */
char *
IdEqualitySql(const IdType *idtype)
{
	return QualifiedOperator(lookup_type_cache(idtype->base, TYPECACHE_EQ_OPR)->eq_opr);
}

/* An empty dictionary in a memory context of its own, a child of the current one. */
IdMap *
CreateIdMap(IdType *type)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec id map",
												  ALLOCSET_DEFAULT_SIZES);
	IdMap	   *map = MemoryContextAllocZero(context, sizeof(IdMap));

	map->type = type;
	map->context = context;
	map->capacity = 1024;
	map->mask = 2 * map->capacity - 1;
	map->ids = MemoryContextAlloc(context, sizeof(int64) * map->capacity);
	map->slots = MemoryContextAlloc(context, sizeof(int32) * ((Size) map->mask + 1));
	memset(map->slots, -1, sizeof(int32) * ((Size) map->mask + 1));
	return map;
}

/* The slot that holds the id, or the empty one where it belongs. */
static inline uint32
FindSlot(const IdMap *map, int64 id, uint32 hash)
{
	uint32		slot = hash & map->mask;

	while (map->slots[slot] >= 0 && !EqualIds(map->type, IdAt(map, map->slots[slot]), id))
		slot = (slot + 1) & map->mask;
	return slot;
}

/* Enters every id into an emptied table: after growing and after sorting, when no two are equal. */
static void
FillSlots(IdMap *map)
{
	memset(map->slots, -1, sizeof(int32) * ((Size) map->mask + 1));
	for (int32 i = 0; i < map->count; i++)
	{
		uint32		slot = HashId(map->type, map->ids[i]) & map->mask;

		while (map->slots[slot] >= 0)
			slot = (slot + 1) & map->mask;
		map->slots[slot] = i;
	}
}

/* Doubles the dictionary; more than 2^30 ids of one side are an error. */
static void
GrowIdMap(IdMap *map)
{
	if (map->capacity >= (1 << 29))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many distinct ids"),
				 errdetail("A model can have at most %d users and as many items.", 1 << 29)));
	map->capacity *= 2;
	map->mask = 2 * (uint32) map->capacity - 1;
	map->ids = repalloc_huge(map->ids, sizeof(int64) * map->capacity);
	pfree(map->slots);
	map->slots = MemoryContextAllocHuge(map->context, sizeof(int32) * ((Size) map->mask + 1));
	FillSlots(map);
}

/* The id as the dictionary keeps it: other types than integers are copied. */
static int64
KeepId(IdMap *map, int64 id)
{
	MemoryContext old;
	Datum		copy;

	if (map->type->is_int || map->type->typbyval)
		return id;
	old = MemoryContextSwitchTo(map->context);
	copy = datumCopy((Datum) id, false, map->type->typlen);
	map->value_bytes += datumGetSize(copy, false, map->type->typlen);
	MemoryContextSwitchTo(old);
	return (int64) copy;
}

static int32
AddHashedId(IdMap *map, int64 id, uint32 hash)
{
	uint32		slot = FindSlot(map, id, hash);

	if (map->slots[slot] < 0)
	{
		if (map->count == map->capacity)
		{
			GrowIdMap(map);
			slot = FindSlot(map, id, hash);
		}
		map->ids[map->count] = KeepId(map, id);
		map->slots[slot] = map->count++;
	}
	return map->slots[slot];
}

/* The id's number, a new one at its first appearance. */
int32
AddId(IdMap *map, int64 id)
{
	return AddHashedId(map, id, HashId(map->type, id));
}

/* Numbers of n ids (at most 1024) at once: the tables' cache misses overlap. */
void
AddIds(IdMap *map, const int64 *ids, int n, int32 *indexes)
{
	uint32		hashes[1024];

	Assert(n <= 1024);
	for (int i = 0; i < n; i++)
	{
		hashes[i] = HashId(map->type, ids[i]);
		__builtin_prefetch(&map->slots[hashes[i] & map->mask]);
	}
	for (int i = 0; i < n; i++)
		indexes[i] = AddHashedId(map, ids[i], hashes[i]);
}

/* The id's number, or -1. */
int32
FindId(const IdMap *map, int64 id)
{
	return map->slots[FindSlot(map, id, HashId(map->type, id))];
}

/* The number of an integer id in a dictionary sorted by id, from a place that is not behind it. */
static int32
GallopToId(const IdMap *map, int64 id, int32 from)
{
	int64		low = from;
	int64		step = 1;
	int64		high;

	while (low + step < map->count && map->ids[low + step] < id)
	{
		low += step;
		step *= 2;
	}
	high = Min(low + step, map->count - 1);
	while (low < high)
	{
		int64		middle = (low + high) / 2;

		if (map->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return (int32) low;
}

/*
 * Numbers of integer ids that mostly ascend, in a dictionary sorted by id: each is sought from its
 * predecessor on, where it is at once when no id lies between.
 */
static void
FindAscending(const IdMap *map, const int64 *ids, int n, int32 *numbers)
{
	int32		at = 0;

	for (int i = 0; i < n; i++)
	{
		uint64		ahead = (uint64) ids[i] - (uint64) map->ids[at];

		if (map->ids[at] > ids[i])
			at = GallopToId(map, ids[i], 0);
		else if (ahead < (uint64) (map->count - at) && map->ids[at + ahead] == ids[i])
			at += (int32) ahead;
		else
			at = GallopToId(map, ids[i], at);
		numbers[i] = map->ids[at] == ids[i] ? at : -1;
	}
}

/* Whether most ids are larger than the one before. */
static bool
MostlyAscend(const int64 *ids, int n)
{
	int			ascents = 0;

	for (int i = 1; i < n; i++)
		ascents += ids[i] > ids[i - 1];
	return ascents >= n - 1 - n / 16;
}

/*
 * The numbers of n ids in a dictionary sorted by id, as FindId gives them one by one: integers in
 * ascending order without hashing, others with the cache misses of a batch overlapping.
 */
void
FindIds(const IdMap *map, const int64 *ids, int n, int32 *numbers)
{
	uint32		slot[256];

	if (map->type->is_int && map->count > 0 && n > 1 && MostlyAscend(ids, n))
	{
		FindAscending(map, ids, n, numbers);
		return;
	}
	for (int from = 0; from < n; from += lengthof(slot))
	{
		int			batch = Min(n - from, lengthof(slot));

		for (int i = 0; i < batch; i++)
		{
			slot[i] = HashId(map->type, ids[from + i]) & map->mask;
			__builtin_prefetch(&map->slots[slot[i]]);
		}
		for (int i = 0; i < batch; i++)
			if (map->slots[slot[i]] >= 0)
				__builtin_prefetch(&map->ids[map->slots[slot[i]]]);
		for (int i = 0; i < batch; i++)
		{
			uint32		at = slot[i];

			while (map->slots[at] >= 0 && !EqualIds(map->type, IdAt(map, map->slots[at]), ids[from + i]))
				at = (at + 1) & map->mask;
			numbers[from + i] = map->slots[at];
		}
	}
}

typedef struct SortEntry
{
	int64		id;
	int32		index;
} SortEntry;

static int
CompareIntegerEntries(const void *a, const void *b)
{
	int64		x = ((const SortEntry *) a)->id;
	int64		y = ((const SortEntry *) b)->id;

	return (x > y) - (x < y);
}

/* By the type's order, or as text where it has none: any order serves that does not depend on the
 * order of rows. */
static int
CompareEntries(const void *a, const void *b, void *arg)
{
	const IdType *type = arg;
	int64		x = ((const SortEntry *) a)->id;
	int64		y = ((const SortEntry *) b)->id;

	if (OidIsValid(type->compare.fn_oid))
		return DatumGetInt32(FunctionCall2Coll((FmgrInfo *) &type->compare, type->collation,
											   (Datum) x, (Datum) y));
	return strcmp(IdToText(type, x), IdToText(type, y));
}

/*
 * Renumbers the ids in their type's order, so that nothing depends on the order in which rows were
 * read.  Returns the new number of each old one (count entries), or NULL where nothing changed.
 */
int32 *
SortIdMap(IdMap *map)
{
	SortEntry  *entries;
	int32	   *rank;
	bool		changed = false;

	entries = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(SortEntry) * Max(map->count, 1));
	for (int32 i = 0; i < map->count; i++)
	{
		entries[i].id = map->ids[i];
		entries[i].index = i;
	}
	if (map->type->is_int)
		qsort(entries, map->count, sizeof(SortEntry), CompareIntegerEntries);
	else
	{
		MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec id sort",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(scratch);

		qsort_arg(entries, map->count, sizeof(SortEntry), CompareEntries, map->type);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(scratch);
	}
	rank = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int32) * Max(map->count, 1));
	for (int32 i = 0; i < map->count; i++)
	{
		changed |= entries[i].index != i;
		map->ids[i] = entries[i].id;
		rank[entries[i].index] = i;
	}
	pfree(entries);
	if (!changed)
	{
		pfree(rank);
		return NULL;
	}
	FillSlots(map);
	return rank;
}

/* Bytes that the dictionary occupies. */
Size
IdMapBytes(const IdMap *map)
{
	return sizeof(int64) * map->capacity + sizeof(int32) * ((Size) map->mask + 1) + map->value_bytes;
}

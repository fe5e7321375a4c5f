/*
 * id_map.c - the dictionary that numbers ids densely.
 *
 * Everything behind it works with numbers 0 .. count - 1, int32 each, as rows of a matrix are numbered; ids come
 * back only with an answer.  A hash table with linear probing finds an id; there are no deletions.  Two things
 * make it fast where most of its time goes, in reading all rows of a source: a batch's hashes are computed before
 * the first slot is looked at, so that its cache misses overlap, and integers that lie close together are looked
 * up in an array.
 *
 * Numbers follow the order of rows until SortIdMap() gives them the order of ids.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "compat.h"
#include "ids/id_map.h"

#define BATCH_IDS 1024			/* most that AddIds() takes at once */

/*
 * An empty dictionary of ids of a type, which must live as long, in a memory context of its own, a child of the
 * current one.  Freed by deleting that context.
 */
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

/* The slot that holds the id, or the empty one where it belongs: there is always one, the table being half empty. */
static inline uint32
FindSlot(const IdMap *map, int64 id, uint32 hash)
{
	uint32		slot = hash & map->mask;

	while (map->slots[slot] >= 0 && !EqualIds(map->type, IdAt(map, map->slots[slot]), id))
		slot = (slot + 1) & map->mask;
	return slot;
}

/* Enters every id into an emptied table: after growing and after sorting, when no two are equal. */
void
FillSlots(IdMap *map)
{
	memset(map->slots, -1, sizeof(int32) * ((Size) map->mask + 1));
	for (int32 i = 0; i < map->count; i++)
	{
		uint32		slot = HashId(map->type, IdAt(map, i)) & map->mask;

		while (map->slots[slot] >= 0)
			slot = (slot + 1) & map->mask;
		map->slots[slot] = i;
	}
}

/* Doubles the dictionary; more than 2^29 ids of one side are an error. */
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

/* The number of an id whose hash is known, a new one at its first appearance. */
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

/* Numbers of n ids (at most BATCH_IDS) by the hash table, where a batch's cache misses overlap. */
static void
AddHashedIds(IdMap *map, const int64 *ids, int n, int32 *indexes)
{
	uint32		hashes[BATCH_IDS];

	for (int i = 0; i < n; i++)
	{
		hashes[i] = HashId(map->type, ids[i]);
		__builtin_prefetch(&map->slots[hashes[i] & map->mask]);
	}
	for (int i = 0; i < n; i++)
		indexes[i] = AddHashedId(map, ids[i], hashes[i]);
}

/*
 * Makes near[] reach to an integer, at least doubling it, so that the copying is linear in all.  False where that is
 * too far off: the array may have four entries an id, and a million in any case.
 */
static bool
ReachNear(IdMap *map, int64 id)
{
	uint64		most = Max(1 << 20, 4 * (uint64) map->count);
	int64		first = map->near_count > 0 ? Min(map->near_first, id) : id;
	uint64		last = (uint64) Max(map->near_first + (int64) map->near_count - 1, id);
	uint64		count = map->near_count > 0 ? last - (uint64) first : 0;
	int32	   *near;

	if (count >= most || first < PG_INT64_MIN / 2 || (int64) last > PG_INT64_MAX / 2)
		return false;
	count = Min(Max(count + 1, Max(1024, 2 * map->near_count)), most);
	if (first < map->near_first && map->near_count > 0)
		first = (int64) (last + 1 - count);
	near = MemoryContextAllocHuge(map->context, sizeof(int32) * count);
	memset(near, -1, sizeof(int32) * count);
	if (map->near_count > 0)
	{
		memcpy(near + (map->near_first - first), map->near, sizeof(int32) * map->near_count);
		pfree(map->near);
	}
	map->near = near;
	map->near_first = first;
	map->near_count = count;
	return true;
}

/* The place of an integer in near[], or one behind its end. */
static inline uint64
NearPlace(const IdMap *map, int64 id)
{
	return Min((uint64) id - (uint64) map->near_first, map->near_count);
}

/*
 * Numbers of n integers (at most BATCH_IDS): the few that are not near are left to the hash table.  far[] and place[]
 * have these few and where their answers go.
 */
static void
AddIntegers(IdMap *map, const int64 *ids, int n, int32 *indexes)
{
	int64		far[BATCH_IDS] = {0};
	int32		number[BATCH_IDS];
	int			place[BATCH_IDS];
	int			nfar = 0;

	for (int i = 0; i < n; i++)
	{
		uint64		at = NearPlace(map, ids[i]);

		indexes[i] = at < map->near_count ? map->near[at] : -1;
		far[nfar] = ids[i];
		place[nfar] = i;
		nfar += indexes[i] < 0;
	}
	AddHashedIds(map, far, nfar, number);
	for (int i = 0; i < nfar; i++)
	{
		indexes[place[i]] = number[i];
		if (NearPlace(map, far[i]) < map->near_count || ReachNear(map, far[i]))
			map->near[NearPlace(map, far[i])] = number[i];
	}
}

/* Numbers of n ids (at most BATCH_IDS) at once, as AddId() would give them one after the other. */
void
AddIds(IdMap *map, const int64 *ids, int n, int32 *indexes)
{
	Assert(n <= BATCH_IDS);
	if (map->type->is_int)
		AddIntegers(map, ids, n, indexes);
	else
		AddHashedIds(map, ids, n, indexes);
}

/* The id's number, or -1. */
int32
FindId(const IdMap *map, int64 id)
{
	return map->slots[FindSlot(map, id, HashId(map->type, id))];
}

/*
 * The number of an integer id in a dictionary sorted by id, else of the next larger one or the last, from a place that
 * is not behind it.  Steps double until they pass it, then halve: 2 log2 of the distance.
 */
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

/* Ids that are compared at once where both sides may have the same. */
#define RUN 4

/* Whether both sides go on with the same RUN ids. */
static inline bool
SameRun(const int64 *a, const int64 *b)
{
	int64		differ = 0;

	for (int i = 0; i < RUN; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

/*
 * Numbers of integer ids that mostly ascend, in a dictionary sorted by id: each is sought from its predecessor on, where
 * it is at once when no id lies between.  Candidates are often nearly all items, so runs that both have are taken without
 * a step for each id, which would wait for the one before.
 */
static void
FindAscending(const IdMap *map, const int64 *ids, int n, int32 *numbers)
{
	int32		at = 0;

	for (int i = 0; i < n;)
	{
		uint64		ahead;

		if (n - i >= RUN && map->count - at > RUN && SameRun(map->ids + at + 1, ids + i))
		{
			for (int j = 0; j < RUN; j++)
				numbers[i++] = ++at;
			continue;
		}
		ahead = (uint64) ids[i] - (uint64) map->ids[at];
		if (map->ids[at] > ids[i])
			at = GallopToId(map, ids[i], 0);
		else if (ahead < (uint64) (map->count - at) && map->ids[at + ahead] == ids[i])
			at += (int32) ahead;
		else
			at = GallopToId(map, ids[i], at);
		numbers[i] = map->ids[at] == ids[i] ? at : -1;
		i++;
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

/* The numbers of n ids, as FindId gives them one by one, with the cache misses of a batch overlapping. */
void
FindHashedIds(const IdMap *map, const int64 *ids, int n, int32 *numbers)
{
	uint32		slot[256];

	for (int from = 0; from < n; from += lengthof(slot))
	{
		int			batch = Min(n - from, (int) lengthof(slot));

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

/* The same in a dictionary sorted by id: integers in ascending order without hashing. */
void
FindIds(const IdMap *map, const int64 *ids, int n, int32 *numbers)
{
	if (map->type->is_int && map->count > 0 && n > 1 && MostlyAscend(ids, n))
		FindAscending(map, ids, n, numbers);
	else
		FindHashedIds(map, ids, n, numbers);
}

/* An id and the number that it had. */
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

	CHECK_FOR_INTERRUPTS();
	return (x > y) - (x < y);
}

/*
 * The order of two ids: negative, 0, positive.  By the type's order, or as text where it has none: any order serves
 * that does not depend on the order of rows.
 */
int
CompareIds(const IdType *type, int64 x, int64 y)
{
	if (type->is_int)
		return (x > y) - (x < y);
	if (OidIsValid(type->compare.fn_oid))
		return DatumGetInt32(FunctionCall2Coll((FmgrInfo *) &type->compare, type->collation,
											   (Datum) x, (Datum) y));
	return strcmp(IdToText(type, x), IdToText(type, y));
}

static int
CompareEntries(const void *a, const void *b, void *arg)
{
	CHECK_FOR_INTERRUPTS();
	return CompareIds(arg, ((const SortEntry *) a)->id, ((const SortEntry *) b)->id);
}

/* Sorts n entries by their ids. */
static void
SortEntries(SortEntry *entries, int32 n, IdType *type)
{
	MemoryContext scratch;
	MemoryContext old;

	if (type->is_int)
	{
		qsort(entries, n, sizeof(SortEntry), CompareIntegerEntries);
		return;
	}
	/* what comparisons leave behind, as of detoasted values */
	scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec id sort", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(scratch);
	qsort_arg(entries, n, sizeof(SortEntry), CompareEntries, type);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* By key; equal ones by their ids. */
static int
CompareKeys(const void *a, const void *b, void *arg)
{
	const SortEntry *x = a;
	const SortEntry *y = b;
	const IdMap *map = arg;

	CHECK_FOR_INTERRUPTS();
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->index == y->index ? 0 : CompareIds(map->type, IdAt(map, x->index), IdAt(map, y->index));
}

/* The numbers of n sorted entries, which are freed; in the current memory context. */
static int32 *
TakeOrder(SortEntry *entries, int32 n)
{
	int32	   *order = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int32) * Max(n, 1));

	for (int32 i = 0; i < n; i++)
		order[i] = entries[i].index;
	pfree(entries);
	return order;
}

/*
 * The numbers of all ids in an order that does not depend on that in which they came, for sums of floats: of integers
 * by what they are, of others by their hashes, which are faster to compare.  In the current memory context.
 */
int32 *
SettledOrder(const IdMap *map)
{
	SortEntry  *entries = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(SortEntry) * Max(map->count, 1));

	for (int32 i = 0; i < map->count; i++)
		entries[i] = (SortEntry) {map->type->is_int ? IdAt(map, i) : (int64) HashId(map->type, IdAt(map, i)), i};
	if (map->type->is_int)
		qsort(entries, map->count, sizeof(SortEntry), CompareIntegerEntries);
	else
		qsort_arg(entries, map->count, sizeof(SortEntry), CompareKeys, unconstify(IdMap *, map));
	return TakeOrder(entries, map->count);
}

/* The numbers of all ids in the order that SortIdMap() would give them; they keep them. */
int32 *
IdOrder(const IdMap *map)
{
	SortEntry  *entries = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(SortEntry) * Max(map->count, 1));

	for (int32 i = 0; i < map->count; i++)
		entries[i] = (SortEntry) {IdAt(map, i), i};
	SortEntries(entries, map->count, map->type);
	return TakeOrder(entries, map->count);
}

/* Forgets near[], whose numbers are about to change. */
static void
DropNear(IdMap *map)
{
	if (map->near_count > 0)
		pfree(map->near);
	map->near_count = 0;
}

/*
 * Renumbers the ids from number `first` on in their type's order, so that nothing depends on the order in which rows
 * were read.  Returns the new number of each old one (count entries), or NULL where nothing changed.
 *
 * FindIds() wants ids that are sorted from number 0 on: where others come before, FindId() finds them.
 */
int32 *
SortIdsFrom(IdMap *map, int32 first)
{
	int32		n = map->count - first;
	SortEntry  *entries = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(SortEntry) * Max(n, 1));
	int32	   *rank = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int32) * Max(map->count, 1));
	bool		changed = false;

	for (int32 i = 0; i < n; i++)
		entries[i] = (SortEntry) {map->ids[first + i], first + i};
	SortEntries(entries, n, map->type);
	for (int32 i = 0; i < first; i++)
		rank[i] = i;
	for (int32 i = 0; i < n; i++)
	{
		changed |= entries[i].index != first + i;
		map->ids[first + i] = entries[i].id;
		rank[entries[i].index] = first + i;
	}
	pfree(entries);
	DropNear(map);
	if (!changed)
	{
		pfree(rank);
		return NULL;
	}
	FillSlots(map);
	return rank;
}

/* Renumbers all ids so. */
int32 *
SortIdMap(IdMap *map)
{
	return SortIdsFrom(map, 0);
}

/*
 * Brings an array of n rows of `width` 4-byte values into the order of sorted ids: row i becomes row rank[i] of the
 * result, and the array stays as it is.  rank NULL: they are in order already, and so is the array.  NULL remains NULL.
 */
void *
ReorderRows(const void *values, const int32 *rank, int64 n, int64 width)
{
	Size		bytes = width * 4;
	char	   *ordered;

	if (rank == NULL || values == NULL)
		return unconstify(void *, values);
	ordered = MemoryContextAllocHuge(CurrentMemoryContext, Max(n, 1) * bytes);
	for (int64 i = 0; i < n; i++)
		memcpy(ordered + rank[i] * bytes, (const char *) values + i * bytes, bytes);
	return ordered;
}

/* Bytes that the dictionary occupies, copied values included. */
Size
IdMapBytes(const IdMap *map)
{
	return sizeof(int64) * map->capacity + sizeof(int32) * ((Size) map->mask + 1 + map->near_count) +
		map->value_bytes;
}

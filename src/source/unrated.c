/*
 * unrated.c - rows that say that a user has an item, and of which training makes nothing else.
 *
 * Their value is null, or it is an implicit one of 0.  They are no ratings: a model learns nothing from them
 * of their user or item, and neither gets into it by them.  But what a user has is not to be recommended.
 * Whether their ids are in the model is known when all rows have been read, so until then they have
 * dictionaries of their own.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/alloc.h"
#include "source/coo_store.h"
#include "source/unrated.h"

/* Nothing so far; limit: pairs that stay in memory, beyond which they spill. */
Unrated *
CreateUnrated(IdType *user, IdType *item, int64 limit)
{
	Unrated    *unrated = palloc0(sizeof(Unrated));

	unrated->users = CreateIdMap(user);
	unrated->items = CreateIdMap(item);
	InitTriplets(&unrated->pairs, false, false, limit, BLOCK_TRIPLETS);
	return unrated;
}

/* Numbers the ids of the batch, straight into the pairs' arrays, and empties it. */
static void
FlushUnrated(Unrated *unrated)
{
	Triplets   *pairs = &unrated->pairs;

	if (unrated->batch == 0)
		return;
	ReserveTriplets(pairs, unrated->batch);
	AddIds(unrated->users, unrated->user, unrated->batch, pairs->user + pairs->held);
	AddIds(unrated->items, unrated->item, unrated->batch, pairs->item + pairs->held);
	pairs->held += unrated->batch;
	pairs->count += unrated->batch;
	unrated->batch = 0;
}

/* Adds a row to the batch; ids that are no integers are copied at once, while their row is there. */
void
AddUnrated(Unrated *unrated, int64 user, int64 item)
{
	unrated->user[unrated->batch] = user;
	unrated->item[unrated->batch++] = item;
	if (unrated->batch == UNRATED_BATCH || !unrated->users->type->is_int || !unrated->items->type->is_int)
		FlushUnrated(unrated);
}

/* Nothing more will be added. */
void
EndUnrated(Unrated *unrated)
{
	FlushUnrated(unrated);
	EndTriplets(&unrated->pairs);
}

/* Bytes that the dictionaries occupy. */
Size
UnratedBytes(const Unrated *unrated)
{
	return IdMapBytes(unrated->users) + IdMapBytes(unrated->items);
}

/* The number of each id of a dictionary in another one, -1 where it is not in it; the caller frees the array. */
static int32 *
FindAll(const IdMap *ids, const IdMap *in)
{
	int32	   *numbers = HugeArray(ids->count, sizeof(int32));

	FindHashedIds(in, ids->ids, ids->count, numbers);
	return numbers;
}

/*
 * Adds the rows whose items are in a dictionary to `pairs`, by the numbers of that and of the users'.  Users who
 * are not in theirs get numbers behind it: returns who they are, or NULL where there are none.
 */
IdMap *
NumberUnrated(Unrated *unrated, const IdMap *users, const IdMap *items, Triplets *pairs)
{
	int32	   *user = FindAll(unrated->users, users);
	int32	   *item = FindAll(unrated->items, items);
	IdMap	   *unknown = CreateIdMap(unrated->users->type);
	Triplets   *from = &unrated->pairs;

	while (ReadTriplets(from))
		for (int64 i = 0; i < from->held; i++)
		{
			int32	   *number = &user[from->user[i]];

			if (item[from->item[i]] < 0)
				continue;
			if (*number < 0)
				*number = users->count + AddId(unknown, IdAt(unrated->users, from->user[i]));
			AddTriplet(pairs, *number, item[from->item[i]], 1, 1);
		}
	pfree(user);
	pfree(item);
	if (unknown->count > 0)
		return unknown;
	MemoryContextDelete(unknown->context);
	return NULL;
}

/* Frees all of it, and closes the file. */
void
FreeUnrated(Unrated *unrated)
{
	MemoryContextDelete(unrated->users->context);
	MemoryContextDelete(unrated->items->context);
	FreeTriplets(&unrated->pairs);
	pfree(unrated);
}

/*
 * fingerprints.c - which rows users and items have: sums of hashes of them, while rows are read.
 */
#include "postgres.h"

#include "pg/alloc.h"
#include "read/fingerprints.h"

/* An array of sums with room for `count`; what is new is 0. */
static int64 *
GrowSums(int64 *sums, int64 *room, int64 count)
{
	int64		before = *room;

	if (count <= before)
		return sums;
	*room = Max(count, 2 * before);
	sums = repalloc_huge(sums, sizeof(int64) * *room);
	memset(sums + before, 0, sizeof(int64) * (*room - before));
	return sums;
}

/* No sums yet, in the current memory context. */
Fingerprints *
CreateFingerprints(void)
{
	Fingerprints *prints = palloc0(sizeof(Fingerprints));

	prints->nusers = prints->nitems = BATCH_ROWS;
	prints->user = HugeZeroArray(prints->nusers, sizeof(int64));
	prints->item = HugeZeroArray(prints->nitems, sizeof(int64));
	return prints;
}

/*
 * Adds the rows of a batch to the sums of their users and items, whose numbers are given, of so many by now: an array of
 * one number a row each.
 */
void
AddFingerprints(Fingerprints *prints, int64 nusers, int64 nitems, const RowBatch *batch, const int32 *users, const int32 *items)
{
	uint64	   *user;
	uint64	   *item;

	prints->user = GrowSums(prints->user, &prints->nusers, nusers);
	prints->item = GrowSums(prints->item, &prints->nitems, nitems);
	user = (uint64 *) prints->user;
	item = (uint64 *) prints->item;
	for (int i = 0; i < batch->ratings; i++)
	{
		user[users[i]] += batch->hash[i];
		item[items[i]] += batch->hash[i];
	}
}

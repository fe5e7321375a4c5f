/*
 * item_growth.c - items with so many ratings that a few more do not show: their vectors stay, and their counts move on.
 *
 * Most new rows are of popular items, whose vectors thousands of ratings hold; to solve them anew for each row would
 * take as long as a half-sweep over nearly all of the source.  So an item of MANY_RATINGS and more is solved when the
 * number of its ratings has passed a power of 1 + STEP since it is counted: whatever few rows an update brings, that
 * comes about once for each part STEP by which the item grows or shrinks, and nothing has to be remembered for it.
 *
 * What changes in place does not count here.  So all items are solved where many users have other rows.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "pg/alloc.h"
#include "pg/memory_limit.h"
#include "update/update_state.h"

#define MANY_RATINGS 200
#define STEP 0.02

/* The part of users up to which changes are few. */
#define FEW_USERS 0.25

/* So often at most rows are looked through to count them. */
#define MOST_PASSES 4

/* The number of powers of 1 + STEP that a number of ratings has passed. */
static int64
Powers(int64 count)
{
	return (int64) floor(log((double) count) / log1p(STEP));
}

/* Whether an item that has so many ratings, and had so many before, need not be solved. */
bool
ItemStays(int64 before, int64 now)
{
	return before >= MANY_RATINGS && now >= MANY_RATINGS && Powers(before) == Powers(now);
}

/* What rows say before duplicates are told apart. */
typedef struct RowCounts
{
	int64	   *of_item;		/* by number: rows without dislikes, duplicates too */
	Selection	unsure;			/* users who may have duplicates: with other rows now, or more of them than ratings */
} RowCounts;

/* Counts rows by user and by item. */
static void
CountRows(Update *u, RowCounts *counts)
{
	const Side *users = &u->users;
	int64		n = users->ids->count;
	int32	   *of_user = HugeZeroArray(n, sizeof(int32));
	Triplets   *rows = &u->rows;

	counts->of_item = HugeZeroArray(u->items.ids->count, sizeof(int64));
	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
		{
			of_user[rows->user[i]]++;
			counts->of_item[rows->item[i]] += IsLike(rows, i);
		}
	EndTriplets(rows);
	counts->unsure = (Selection) {0, HugeArray(n, sizeof(int32)), HugeArray(n, sizeof(int32))};
	for (int64 i = 0; i < n; i++)
	{
		bool		sure = users->change[i] == CHANGE_NONE && of_user[i] == users->counts[i];

		counts->unsure.place[i] = sure ? -1 : (int32) counts->unsure.count;
		if (!sure)
			counts->unsure.number[counts->unsure.count++] = (int32) i;
	}
	pfree(of_user);
}

/*
 * For items first .. first + n - 1 of a selection: distinct[], by place, is how many users have each by a row that is
 * no dislike.  Of users who may have duplicates there is a bit for each pair, 0 before.
 */
static void
CountDistinct(Update *u, const Selection *unsure, const Selection *items, int64 first, int64 n, uint64 *bits, int32 *distinct)
{
	int64		words = (unsure->count + 63) / 64;
	Triplets   *rows = &u->rows;

	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
		{
			int64		place = items->place[rows->item[i]] - first;
			int32		user = unsure->place[rows->user[i]];
			uint64		bit;
			uint64	   *word;

			if (i % BLOCK_TRIPLETS == 0)
				CHECK_FOR_INTERRUPTS();
			if (place < 0 || place >= n || !IsLike(rows, i))
				continue;
			if (user < 0)
			{
				distinct[first + place]++;
				continue;
			}
			bit = UINT64CONST(1) << user % 64;
			word = &bits[place * words + user / 64];
			distinct[first + place] += (*word & bit) == 0;
			*word |= bit;
		}
	EndTriplets(rows);
}

/* How many items can be counted in one pass over the rows. */
static int64
ItemsPerPass(const Selection *unsure)
{
	return Max(MaintenanceMemory() / Max(unsure->count / 8, 8), 1);
}

/*
 * Takes the numbers of ratings of items that are to stay; has those solved after all that have too many more or fewer.
 */
static void
CountItems(Update *u, const Selection *unsure, const Selection *items)
{
	int64		most = Min(ItemsPerPass(unsure), items->count);
	int64		bytes = (unsure->count + 63) / 64 * most * sizeof(uint64);
	uint64	   *bits = HugeArray(bytes, 1);
	int32	   *distinct = HugeZeroArray(items->count, sizeof(int32));

	for (int64 first = 0; first < items->count; first += most)
	{
		memset(bits, 0, bytes);
		CountDistinct(u, unsure, items, first, Min(most, items->count - first), bits, distinct);
	}
	for (int64 i = 0; i < items->count; i++)
	{
		int32		number = items->number[i];

		if (ItemStays(u->items.counts[number], distinct[i]))
			u->items.counts[number] = distinct[i];
		else
			u->items.change[number] = CHANGE_SOLVED;
	}
	pfree(bits);
}

/* How many users have other rows than the version knows. */
static int64
CountChangedUsers(const Side *users)
{
	int64		count = 0;

	for (int64 i = 0; i < users->ids->count; i++)
		count += users->change[i] != CHANGE_NONE;
	return count;
}

/* Whether so many users with other rows are few enough for items to stay. */
bool
FewUsersChanged(const Update *u, int64 changed)
{
	return changed <= FEW_USERS * u->users.ids->count;
}

/* Has items stay of which ReadRecentRows() has found so. */
static void
KeepCountedItems(Update *u)
{
	for (int64 i = 0; i < u->items.ids->count; i++)
		if (u->counted[i] > 0)
		{
			u->items.change[i] = CHANGE_COUNTED;
			u->items.counts[i] = u->counted[i];
		}
}

/* Whether an item has changed, and may keep its vector. */
static bool
MayStay(const Side *items, int64 i)
{
	return items->change[i] == CHANGE_SOLVED && items->fingerprints[i] != 0 && items->counts[i] >= MANY_RATINGS;
}

/* Whether there is one. */
static bool
SomeMayStay(const Side *items)
{
	for (int64 i = 0; i < items->ids->count; i++)
		if (MayStay(items, i))
			return true;
	return false;
}

/* Finds items that keep their vectors by counting their rows. */
static void
CountStaying(Update *u)
{
	Side	   *items = &u->items;
	Selection	counted;
	RowCounts	rows;

	CountRows(u, &rows);
	for (int64 i = 0; i < items->ids->count; i++)
		if (MayStay(items, i) && ItemStays(items->counts[i], rows.of_item[i]))
			items->change[i] = CHANGE_COUNTED;
	Select(items, CHANGE_BIT(CHANGE_COUNTED), &counted);
	if (counted.count > MOST_PASSES * ItemsPerPass(&rows.unsure))
		for (int64 i = 0; i < counted.count; i++)
			items->change[counted.number[i]] = CHANGE_SOLVED;
	else if (counted.count > 0)
		CountItems(u, &rows.unsure, &counted);
}

/*
 * Finds items that have changed, but keep their vectors: CHANGE_COUNTED, with the numbers of ratings that they have
 * now.
 */
void
FindCountedItems(Update *u)
{
	if (!FewUsersChanged(u, CountChangedUsers(&u->users)))
		return;
	if (SomeMayStay(&u->items))
		CountStaying(u);
	if (u->by_time)
		KeepCountedItems(u);
	else
		NarrowRows(u);
}

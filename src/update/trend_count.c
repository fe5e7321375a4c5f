/*
 * trend_count.c - what is left of the rows of items that have changed, by their age.
 *
 * Faded counts stay in the units of the training: a row of its newest one's time counts 1, and one that came a
 * half-life later counts 2.  So they can be compared with those of all items that have not changed, whose rows nobody
 * looks at; the longer after the training, the less exactly, as what is old and what was new then are forgotten alike.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "model/factor_columns.h"
#include "pg/alloc.h"
#include "rows/row_weight.h"
#include "update/update_state.h"

/* How rows count here: from the time of the newest one that has been read, in the units of the training. */
Trending
TrendingOf(const Update *u)
{
	return (Trending) {u->objective.trend_half_life, u->read->fading.newest, u->objective.newest};
}

/* Whether all rows of an item have been read, and not only those that it has more. */
static bool
AreAllRead(const Update *u, int32 item)
{
	return u->items.change[item] != CHANGE_COUNTED || u->counted == NULL || u->counted[item] == 0;
}

/* left: by number, what is left of the rows of changed items. */
static void
AddRows(Update *u, FadeSum *left)
{
	Trending	trending = TrendingOf(u);
	const Selection *changed = &u->changed_items;
	Triplets   *rows = &u->rows;

	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
		{
			if (i % BLOCK_TRIPLETS == 0)
				CHECK_FOR_INTERRUPTS();
			if (changed->place[rows->item[i]] >= 0 && IsLike(rows, i))
				AddFade(&left[rows->item[i]], TrendOfTime(trending, rows->time[i]));
		}
	EndTriplets(rows);
}

/* Whether the version keeps faded counts of items; else their array becomes NULL. */
bool
HasTrends(const Update *u)
{
	return u->objective.trend_half_life > 0 && u->source.time_column && TrendColumn(u->items.relid) != InvalidAttrNumber;
}

/*
 * u->items.trends, of a version that has them: counts the rows of items that have changed, which SolveChanges() has
 * selected.
 */
void
CountTrends(Update *u)
{
	double		unit;
	FadeSum    *left;

	if (u->items.trends == NULL)
		return;
	unit = TrendGrowth(TrendingOf(u), u->read->fading.newest);
	left = HugeZeroArray(u->items.ids->count, sizeof(FadeSum));
	AddRows(u, left);
	for (int64 i = 0; i < u->changed_items.count; i++)
	{
		int32		number = u->changed_items.number[i];

		if (AreAllRead(u, number))
			u->items.trends[number] = (float) (FadeTotal(left[number]) * unit);
		else
			u->items.trends[number] += (float) (FadeTotal(u->more_left[number]) * unit);
	}
	pfree(left);
}

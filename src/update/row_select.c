/*
 * row_select.c - the rows of users and items that have changed, as cells.
 *
 * The source was read once, into triplets in memory or in a temporary file.  Few of them are of anybody whose rows have
 * changed: these are picked out, and sorted and merged as in a training.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "pg/alloc.h"
#include "pg/memory_limit.h"
#include "rows/row_weight.h"
#include "source/ratings_sort.h"
#include "source/unrated.h"
#include "update/update_state.h"

/* The part of all rows up to which a copy of those that are wanted pays. */
#define MOST_KEPT 0.25

/* Copies a triplet, by other numbers; its time too where the copies have one. */
static inline void
CopyTriplet(const Triplets *rows, int64 i, int32 user, int32 item, Triplets *picked)
{
	int64		at;

	ReserveTriplets(picked, 1);
	at = picked->held++;
	picked->count++;
	picked->user[at] = user;
	picked->item[at] = item;
	if (picked->has_value)
		picked->value[at] = rows->value ? rows->value[i] : 1;
	if (picked->has_weight)
		picked->weight[at] = rows->weight ? rows->weight[i] : 1;
	if (picked->has_time)
		picked->time[at] = rows->time[i];
}

/*
 * By number, whether rows of a user or an item are looked at again: of those who have changed, but not for items that
 * stay.
 */
static bool *
MarkWanted(const Side *side, bool with_counted)
{
	bool	   *wanted = HugeArray(side->ids->count, sizeof(bool));

	for (int64 i = 0; i < side->ids->count; i++)
		wanted[i] = side->change[i] != CHANGE_NONE && (with_counted || side->change[i] != CHANGE_COUNTED);
	return wanted;
}

/* Copies the rows of wanted users and of wanted items to `kept`; false where these are too many for it to pay. */
static bool
KeepRows(Triplets *rows, const bool *user, const bool *item, Triplets *kept)
{
	bool		few = true;

	while (few && ReadTriplets(rows))
		for (int64 i = 0; i < rows->held && few; i++)
		{
			if (i % BLOCK_TRIPLETS == 0)
			{
				CHECK_FOR_INTERRUPTS();
				few = kept->count <= MOST_KEPT * rows->count;
			}
			if (user[rows->user[i]] || item[rows->item[i]])
				CopyTriplet(rows, i, rows->user[i], rows->item[i], kept);
		}
	EndTriplets(rows);
	EndTriplets(kept);
	return few;
}

/*
 * Once it is known what has changed: lets go of rows that no step looks at any more, as ReadRecentRows() does not read
 * them, so that the next passes are over few.  Where rows have times, items that stay need theirs for trends.
 */
void
NarrowRows(Update *u)
{
	Triplets   *rows = &u->rows;
	bool	   *user = MarkWanted(&u->users, true);
	bool	   *item = MarkWanted(&u->items, rows->has_time);
	Triplets	kept;

	InitTriplets(&kept, rows->has_value, rows->has_weight, rows->limit, BLOCK_TRIPLETS);
	kept.has_time = rows->has_time;
	if (KeepRows(rows, user, item, &kept))
	{
		FreeTriplets(rows);
		*rows = kept;
	}
	else
		FreeTriplets(&kept);
	pfree(user);
	pfree(item);
}

/* Copies the triplets of selected users and items, by their places. */
static void
PickRows(Triplets *rows, const Selection *users, const Selection *items, Triplets *picked)
{
	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
		{
			int32		user = users->place[rows->user[i]];
			int32		item = items->place[rows->item[i]];

			if (i % BLOCK_TRIPLETS == 0)
				CHECK_FOR_INTERRUPTS();
			if (user >= 0 && item >= 0)
				CopyTriplet(rows, i, user, item, picked);
		}
	EndTriplets(rows);
	EndTriplets(picked);
}

/* So many rows without cells. */
static void
MakeEmptyCells(Cells *cells, int64 nrows, bool explicit)
{
	memset(cells, 0, sizeof(Cells));
	cells->nrows = nrows;
	cells->start = cells->matrix.start = HugeZeroArray(nrows + 1, sizeof(int64));
	cells->matrix.nrows = nrows;
	cells->matrix.column = HugeArray(0, sizeof(int32));
	cells->matrix.rating = explicit ? HugeArray(0, sizeof(float)) : NULL;
}

/* Sorts triplets of so many users and items, which it frees; they fade where *sorted says so. */
static void
SortPicked(const Update *u, Triplets *picked, int64 nusers, int64 nitems, bool by_item, Ratings *sorted)
{
	bool		explicit = u->source.feedback == FEEDBACK_EXPLICIT;
	Sorting		sorting = {.source = &u->source,.ratings = sorted,.triplets = picked,.numbered = true,.nusers = nusers,
		.nitems = nitems,.duplicates = MergingRule(explicit, RowsFade(sorted->fading)),
		.has_weight = picked->has_weight,.cancels = !explicit && picked->has_weight,.by_item = by_item,.budget = MaintenanceMemory(),.parallel = &u->parallel};

	if (picked->count == 0)
	{
		MakeEmptyCells(by_item ? &sorted->by_item : &sorted->by_user, by_item ? nitems : nusers, explicit);
		return;
	}
	SortRatings(&sorting);
	FreeTriplets(&sorted->held_out);
}

/* How the version's training made weights of numbers: those that have faded are logarithms already. */
static RowWeight
TrainedWeight(const MfObjective *objective)
{
	if (mf_is_explicit(objective))
		return LinearWeight(objective->weight_scale);
	return objective->half_life > 0 ? LinearWeight(objective->value_scale) : LogWeight(objective->value_scale);
}

/*
 * The cells of selected users and items, by their places, on the scale that the version was
 * trained on: users x items, or items x users.  They fade as the version's did, by the age before the newest row that
 * it was trained on.  Weights of implicit feedback are always there, for a training without them may have had
 * duplicates. *cancelled, unless NULL: pairs, by place, whose values have added up to 0, which says no more than that
 * the user has the item.
 */
Cells *
SelectCells(Update *u, const Selection *users, const Selection *items, bool by_item, Triplets *cancelled)
{
	const MfObjective *objective = &u->objective;
	bool		explicit = u->source.feedback == FEEDBACK_EXPLICIT;
	bool		fades = objective->half_life > 0;
	Triplets   *rows = &u->rows;
	Ratings    *sorted = palloc0(sizeof(Ratings));
	Cells	   *cells = by_item ? &sorted->by_item : &sorted->by_user;
	Triplets	picked;

	sorted->is_explicit = explicit;
	sorted->fading = (Fading) {objective->half_life, objective->newest};
	InitTriplets(&picked, explicit || fades, !explicit || rows->has_weight || fades, 0, BLOCK_TRIPLETS);
	picked.has_time = fades;
	picked.limit = Max(BLOCK_TRIPLETS, MaintenanceMemory() / BytesPerRating(&picked, picked.has_weight));
	PickRows(rows, users, items, &picked);
	SortPicked(u, &picked, users->count, items->count, by_item, sorted);
	if (by_item && sorted->by_user.nrows > 0)
		FreeCells(&sorted->by_user);
	if (cancelled)
		*cancelled = sorted->cancelled;
	else
		FreeTriplets(&sorted->cancelled);
	if (explicit)
		StandardizeCells(cells, objective->mean, objective->deviation);
	if (CellsHaveWeights(cells))
		WeightCells(cells, TrainedWeight(objective));
	return cells;
}

/* Numbers rows that are no ratings as the others, once. */
static void
NumberOthers(Update *u)
{
	if (u->others.complete)
		return;
	InitTriplets(&u->others, false, false, BLOCK_TRIPLETS, BLOCK_TRIPLETS);
	(void) NumberUnrated(u->read->unrated, u->users.ids, u->items.ids, &u->others);
	EndTriplets(&u->others);
}

/* Marks the items that selected users have by one sequence of rows. */
static void
MarkItems(const Update *u, Triplets *rows, const Selection *users, bool *marked)
{
	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
			if (rows->user[i] < u->users.ids->count && users->place[rows->user[i]] >= 0)
				marked[rows->item[i]] = true;
	EndTriplets(rows);
}

/* *items: those that selected users have, by rows of any kind. */
void
SelectItemsOf(Update *u, const Selection *users, Selection *items)
{
	bool	   *marked = HugeZeroArray(u->items.ids->count, sizeof(bool));

	NumberOthers(u);
	MarkItems(u, &u->rows, users, marked);
	MarkItems(u, &u->others, users, marked);
	SelectMarked(&u->items, marked, items);
	pfree(marked);
}

/* *users: those who have ratings of selected items. */
void
SelectUsersOf(Update *u, const Selection *items, Selection *users)
{
	bool	   *marked = HugeZeroArray(u->users.ids->count, sizeof(bool));
	Triplets   *rows = &u->rows;

	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
			if (items->place[rows->item[i]] >= 0)
				marked[rows->user[i]] = true;
	EndTriplets(rows);
	SelectMarked(&u->users, marked, users);
	pfree(marked);
}

/*
 * What changed users have besides their ratings, as u->cells has these: rows that are no ratings, if only together;
 * NULL: nothing.
 */
Cells *
SelectOthers(Update *u)
{
	Ratings    *sorted = palloc0(sizeof(Ratings));
	const Selection *users = &u->changed_users;
	const Selection *items = &u->their_items;
	Triplets   *others = &u->others;
	Triplets	picked;

	InitTriplets(&picked, false, false, BLOCK_TRIPLETS, BLOCK_TRIPLETS);
	while (ReadTriplets(others))
		for (int64 i = 0; i < others->held; i++)
			if (others->user[i] < u->users.ids->count && users->place[others->user[i]] >= 0)
				AddTriplet(&picked, users->place[others->user[i]], items->place[others->item[i]], 1, 1);
	EndTriplets(others);
	while (ReadTriplets(&u->cancelled))
		for (int64 i = 0; i < u->cancelled.held; i++)
			AddTriplet(&picked, u->cancelled.user[i], u->cancelled.item[i], 1, 1);
	FreeTriplets(&u->cancelled);
	EndTriplets(&picked);
	if (picked.count == 0)
		return NULL;
	SortPicked(u, &picked, users->count, items->count, false, sorted);
	return &sorted->by_user;
}

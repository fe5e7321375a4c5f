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

/* Copies the triplets of selected users and items, by their places. */
static void
PickRows(Update *u, const Selection *users, const Selection *items, Triplets *picked)
{
	Triplets   *rows = &u->rows;

	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
		{
			int32		user = users->place[rows->user[i]];
			int32		item = items->place[rows->item[i]];

			if (i % BLOCK_TRIPLETS == 0)
				CHECK_FOR_INTERRUPTS();
			if (user >= 0 && item >= 0)
				AddTriplet(picked, user, item, rows->value ? rows->value[i] : 1, rows->weight ? rows->weight[i] : 1);
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

/* Sorts triplets of so many users and items, which it frees. */
static void
SortPicked(const Update *u, Triplets *picked, int64 nusers, int64 nitems, bool by_item, Ratings *sorted)
{
	bool		explicit = u->source.feedback == FEEDBACK_EXPLICIT;
	Sorting		sorting = {.source = &u->source,.ratings = sorted,.triplets = picked,.numbered = true,.nusers = nusers,
		.nitems = nitems,.duplicates = explicit ? MF_DUPLICATES_MEAN : MF_DUPLICATES_SUM,
		.has_weight = picked->has_weight,.by_item = by_item,.budget = MaintenanceMemory(),.parallel = &u->parallel};

	if (picked->count == 0)
	{
		MakeEmptyCells(by_item ? &sorted->by_item : &sorted->by_user, by_item ? nitems : nusers, explicit);
		return;
	}
	SortRatings(&sorting);
	FreeTriplets(&sorted->held_out);
}

/*
 * The cells of selected users and items, by their places, on the scale that the version was
 * trained on: users x items, or items x users.  Weights of implicit feedback are always there, for a training without them
 * may have had duplicates.
 */
Cells *
SelectCells(Update *u, const Selection *users, const Selection *items, bool by_item)
{
	const MfObjective *objective = &u->objective;
	bool		explicit = u->source.feedback == FEEDBACK_EXPLICIT;
	Ratings    *sorted = palloc0(sizeof(Ratings));
	Cells	   *cells = by_item ? &sorted->by_item : &sorted->by_user;
	Triplets	picked;

	InitTriplets(&picked, explicit, !explicit || u->source.weight_column, 0, BLOCK_TRIPLETS);
	picked.limit = Max(BLOCK_TRIPLETS, MaintenanceMemory() / BytesPerRating(&picked, picked.has_weight));
	PickRows(u, users, items, &picked);
	SortPicked(u, &picked, users->count, items->count, by_item, sorted);
	if (by_item && sorted->by_user.nrows > 0)
		FreeCells(&sorted->by_user);
	if (explicit)
		StandardizeCells(cells, objective->mean, objective->deviation);
	if (CellsHaveWeights(cells))
		WeightCells(cells, explicit ? LinearWeight(objective->weight_scale) : LogWeight(objective->value_scale));
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

/* What changed users have besides their ratings, as u->cells has these: rows that are no ratings; NULL: nothing. */
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
	EndTriplets(&picked);
	if (picked.count == 0)
		return NULL;
	SortPicked(u, &picked, users->count, items->count, false, sorted);
	return &sorted->by_user;
}

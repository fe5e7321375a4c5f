/*
 * others_sort.c - what users have besides their ratings, sorted by user.
 *
 * Lists leave out all that a user has, and training learns of ratings alone; so the two part here.
 */
#include "postgres.h"

#include "compat.h"
#include "pg/memory_limit.h"
#include "source/others_sort.h"
#include "source/ratings_sort.h"

/* Adds the users and items of a sequence to another one. */
static void
AddPairs(Triplets *from, Triplets *pairs)
{
	while (from->count > 0 && ReadTriplets(from))
		for (int64 i = 0; i < from->held; i++)
			AddTriplet(pairs, from->user[i], from->item[i], 1, 1);
	if (from->count > 0)
		EndTriplets(from);
}

/*
 * Sorts what users have besides the ratings of LoadRatings() by user into ratings->others: the rows that are no
 * ratings, if only by adding up to 0, and the rows held out for validation, which training does not learn of but lists
 * must leave out as well.  Of items that are in ratings->items by now: some without ratings may have been appended.
 * Takes memory in proportion, and temporary files beyond; frees ratings->unrated.
 */
void
SortOthers(const Source *source, Ratings *ratings, const MfParallel *parallel)
{
	Ratings    *others = palloc0(sizeof(Ratings));
	int64		budget = MaintenanceMemory() / OTHERS_SHARE;
	Triplets	pairs;
	Sorting		sorting = {.source = source,.ratings = others,.triplets = &pairs,.numbered = true,
	.nitems = ratings->items->count,.duplicates = MF_DUPLICATES_MEAN,.budget = budget,.parallel = parallel};

	InitTriplets(&pairs, false, false, 0, BLOCK_TRIPLETS);
	pairs.limit = Max(BLOCK_TRIPLETS, budget / BytesPerRating(&pairs, false));
	ratings->unknown = NumberUnrated(ratings->unrated, ratings->users, ratings->items, &pairs);
	FreeUnrated(ratings->unrated);
	ratings->unrated = NULL;
	AddPairs(&ratings->held_out, &pairs);
	AddPairs(&ratings->cancelled, &pairs);
	EndTriplets(&pairs);
	sorting.nusers = ratings->users->count + (ratings->unknown ? ratings->unknown->count : 0);
	if (pairs.count == 0)
		return;
	SortRatings(&sorting);
	ratings->others = &others->by_user;
}

/*
 * ratings_sort.h - from triplets to rows by user and by item.
 */
#ifndef MFREC_RATINGS_SORT_H
#define MFREC_RATINGS_SORT_H

#include "source/ratings.h"
#include "source/source.h"
#include "source/time_split.h"

/* What sorting into rows needs to know: filled in by who reads, but for the ranks. */
typedef struct Sorting
{
	const Source *source;
	Ratings    *ratings;		/* takes the cells; has the dictionaries */
	Triplets   *triplets;		/* what was read, which sorting frees */
	IdMap	   *all_items;		/* their numbers become final, of the read ones, which are among them; NULL: items are
								 * those read, and ranked here */
	bool		keeps_weights;	/* even where they are all 1: who knows of others decides */
	bool		numbered;		/* numbers are final, and nusers and nitems given; else ids are ranked here */
	int64		nusers;
	int64		nitems;
	const int32 *user_rank;		/* from numbers in the order of reading to ranks of ids; NULL: the same */
	const int32 *item_rank;
	const int64 *user_place;	/* of users by rank, where some of all are sorted here: their ranks among all, by which
								 * rows are held out; NULL: these are all */
	bool		marks;			/* triplets' values say whether rows are relevant: held out ones have 1 or 0 for it */
	bool		cancels;		/* values that add up to 0 are no ratings: see ratings->cancelled */
	Holdout		holdout;
	uint64	   *user_bits;		/* of a holdout by ids: these, by rank */
	uint64	   *item_bits;
	const TimeRange *all_range; /* of a holdout by time, where some of all rows are sorted here; NULL: it is found here */
	TimeRange	range;			/* likewise */
	MfDuplicates duplicates;
	bool		has_weight;		/* of the cells: implicit duplicates add up to weights */
	bool		by_item;		/* cells by item are wanted, too */
	int64		budget;			/* bytes of memory */
	const MfParallel *parallel;
} Sorting;

extern MfDuplicates MergingRule(bool explicit, bool fades);
extern int64 BytesPerRating(const Triplets *triplets, bool has_weight);
extern void SortRatings(Sorting *s);

#endif

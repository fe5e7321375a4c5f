/*
 * ratings_sort.h - from triplets to rows by user and by item.
 */
#ifndef MFREC_RATINGS_SORT_H
#define MFREC_RATINGS_SORT_H

#include "source/ratings.h"
#include "source/source.h"

#define BLOCK_TRIPLETS (INT64CONST(1) << 16)	/* in a block of a temporary file */

/* What sorting into rows needs to know. */
typedef struct Sorting
{
	const Source *source;
	Ratings    *ratings;
	Triplets   *triplets;
	bool		numbered;		/* numbers are as they shall be, not provisional; then who sorts says */
	int64		nusers;			/* how many there are */
	int64		nitems;
	const int32 *user_rank;		/* from provisional numbers to ranks of ids; NULL: the same */
	const int32 *item_rank;
	Holdout		holdout;
	MfDuplicates duplicates;
	bool		has_weight;		/* of the cells: implicit duplicates add up to weights */
	bool		by_item;		/* rows by item are wanted, too */
	int64		budget;
	const MfParallel *parallel;
} Sorting;

extern int64 BytesPerRating(const Triplets *triplets, bool has_weight);
extern void SortRatings(Sorting *s);

#endif

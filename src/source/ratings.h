/*
 * ratings.h - the rows of a source as a sparse matrix in two orientations, and what was found in passing.
 */
#ifndef MFREC_RATINGS_H
#define MFREC_RATINGS_H

#include "ids/id_map.h"
#include "source/coo_store.h"
#include "source/csr_store.h"
#include "source/unrated.h"

/*
 * Which rows are kept from training, by a hash of seed, user and item in 0 .. 1: those from `from` to
 * `from` + fraction.  Of one seed, rows are disjoint where these ranges are.
 */
typedef struct Holdout
{
	double		fraction;		/* 0: none */
	double		from;
	uint64		seed;
} Holdout;

/* Rows of the source as they are read, numbered densely, and what was found in passing. */
typedef struct Ratings
{
	IdMap	   *users;
	IdMap	   *items;
	int64		rows;			/* triplets kept */
	int64		null_rows;		/* skipped: user, item or value is null */
	int64		zero_rows;		/* skipped: an implicit value of zero is no observation */
	int64		memory;			/* bytes that sorting took, at most, */
	int64		temporary;		/* and of temporary files */
	int64		merged;			/* duplicates of a (user, item) pair */
	bool		has_ratings;	/* explicit feedback */
	int			distinct;		/* values of the rows of explicit feedback: 0, 1, 2, or 3 and more */
	float		value[2];		/* the first two of them */
	double		min;			/* of explicit ratings */
	double		max;
	double		mean;
	double		deviation;
	double		value_scale;	/* of implicit values, see LogWeight(); 0: all are 1 */
	double		weight_scale;	/* of explicit ratings' weights, see LinearWeight(): their mean */
	Cells		by_user;		/* ratings standardized, implicit values transformed */
	Cells		by_item;
	Triplets	held_out;		/* rows kept from training for validation, as they were read */
	Unrated    *unrated;		/* while rows are read: those that are no ratings; NULL: they are not wanted */
	Cells	   *others;			/* by user, what they have besides their ratings; NULL: nothing, or not wanted */
	IdMap	   *unknown;		/* users behind the last one in others; NULL: none */
} Ratings;

extern void StandardizeRatings(Ratings *ratings, const char *source);
extern void SettleWeights(Ratings *ratings);
extern void ReportSkippedRows(const Ratings *ratings);
extern void FreeRatings(Ratings *ratings);

#endif

/*
 * ratings.h - from a relation to the two orientations of a sparse matrix.
 */
#ifndef MFREC_RATINGS_H
#define MFREC_RATINGS_H

#include "core/csr.h"
#include "idmap.h"
#include "source.h"

/* Rows of the source as they are read, numbered densely, and what was found in passing. */
typedef struct Ratings
{
	IdMap	   *users;
	IdMap	   *items;
	int64		rows;			/* triplets kept */
	int64		null_rows;		/* skipped: user, item or value is null */
	int64		zero_rows;		/* skipped: an implicit value of zero is no observation */
	int64		merged;			/* duplicates of a (user, item) pair */
	double		min;			/* of explicit ratings */
	double		max;
	double		mean;
	double		deviation;
	MfMatrix	by_user;		/* ratings standardized by Standardize() */
	MfMatrix	by_item;
	int64		held_out;		/* rows kept from training for validation, in the arrays below */
	int32	   *held_user;
	int32	   *held_item;
	float	   *held_rating;
} Ratings;

extern Ratings *LoadRatings(const Source *source, double validation, uint64 seed,
							const MfParallel *parallel);

#endif

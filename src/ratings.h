/*
 * ratings.h - from a relation to the two orientations of a sparse matrix.
 */
#ifndef MFREC_RATINGS_H
#define MFREC_RATINGS_H

#include "core/csr.h"
#include "idmap.h"
#include "options.h"

/* A source of ratings: the relation, and which of its columns mean what. */
typedef struct Source
{
	Oid			relid;
	char	   *schema;
	char	   *name;
	bool		temporary;
	Feedback	feedback;		/* decided: explicit or implicit */
	char	   *user_column;
	char	   *item_column;
	char	   *value_column;	/* rating, or implicit strength; NULL: none */
	char	   *weight_column;	/* NULL: none */
	IdType		user;
	IdType		item;
	Oid			value_type;
	Oid			weight_type;
} Source;

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

/* Whether a row of the source is an observation, and if not why. */
typedef enum RatingCheck
{
	RATING_OK,
	RATING_NULL,				/* a null user, item or number: skipped */
	RATING_ZERO,				/* an implicit value or a weight of zero: skipped */
	RATING_BAD_VALUE,			/* not finite, or negative where that has no meaning */
	RATING_BAD_WEIGHT
} RatingCheck;

extern void OpenSource(Source *source, Oid relid, const TrainOptions *options);
extern bool SourceLookupIsCheap(const Source *source);
extern char *SourceLookupSql(const Source *source);
extern char *SourceReverseLookupSql(const Source *source);
extern RatingCheck RatingFromRow(const Source *source, const Datum *values, const bool *nulls, int natts,
								 float *rating, float *weight);
extern Ratings *LoadRatings(const Source *source, double validation, uint64 seed,
							const MfParallel *parallel);

#endif

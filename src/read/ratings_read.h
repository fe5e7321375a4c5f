/*
 * ratings_read.h - from a relation to a sparse matrix in both orientations.
 */
#ifndef MFREC_RATINGS_READ_H
#define MFREC_RATINGS_READ_H

#include "source/ratings.h"
#include "source/source.h"
#include "source/time_split.h"

/* A query of some rows of a source, and its parameters. */
typedef struct RowQuery
{
	const char *sql;
	int			nargs;
	Oid			type[2];
	Datum		value[2];
} RowQuery;

/* Rows on their way into ratings, as the caller brings them. */
typedef struct RatingStream RatingStream;

struct WantedRows;

extern Ratings *LoadRatings(const Source *source, double half_life, Holdout holdout, bool with_others,
							const MfParallel *parallel);
extern RatingStream *OpenRatingStream(const Source *source, double half_life, int64 before);
extern bool AddStreamRow(RatingStream *stream, const Datum *values, const bool *nulls, int natts);
extern Ratings *CloseRatingStream(RatingStream *stream);
extern bool RatingStreamSpilled(const RatingStream *stream);
extern Ratings *SettleRatingStream(RatingStream *stream, const MfParallel *parallel);
extern RatingStream *OpenPartStream(const Source *source, double half_life, const MfParallel *parallel);
extern void AddPartRow(RatingStream *stream, const Datum *values, const bool *nulls, int natts);
extern int64 AddPartQuery(RatingStream *stream, char *sql, const MfParallel *parallel);
extern void CountPartTimes(RatingStream *stream, uint64 prefix, int shift, int64 *count);
extern void SortPart(RatingStream *stream, IdMap *items, Holdout holdout, const TimeRange *range, const int64 *user_place);
extern Ratings *ReadRows(const Source *source, RowQuery *query, IdMap *users, IdMap *items, int64 budget,
						 const MfParallel *parallel, Triplets *rows);
extern Ratings *ReadWantedRows(const Source *source, const struct WantedRows *wanted, IdMap *users, IdMap *items, int64 budget,
							   const MfParallel *parallel, Triplets *rows);
extern Ratings *ReadRatings(const Source *source, int64 budget, const MfParallel *parallel);

#endif

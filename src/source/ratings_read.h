/*
 * ratings_read.h - from a relation to the two orientations of a sparse matrix.
 */
#ifndef MFREC_RATINGS_READ_H
#define MFREC_RATINGS_READ_H

#include "source/ratings.h"
#include "source/source.h"

extern Ratings *LoadRatings(const Source *source, Holdout holdout, bool with_others,
							const MfParallel *parallel);
extern Ratings *ReadRatings(const Source *source, int64 budget, const MfParallel *parallel);
extern Ratings *ReadPairs(const Source *source, IdMap *users, IdMap *items, IdMap *unknown, const MfParallel *parallel);

#endif

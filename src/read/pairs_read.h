/*
 * pairs_read.h - from a relation to who has what, by numbers that a version has already given.
 */
#ifndef MFREC_PAIRS_READ_H
#define MFREC_PAIRS_READ_H

#include "source/ratings.h"
#include "source/source.h"

extern Ratings *ReadPairs(const Source *source, IdMap *users, IdMap *items, IdMap *unknown, const MfParallel *parallel);

#endif

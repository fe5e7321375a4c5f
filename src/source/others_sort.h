/*
 * others_sort.h - what users have besides their ratings, sorted by user.
 */
#ifndef MFREC_OTHERS_SORT_H
#define MFREC_OTHERS_SORT_H

#include "source/ratings.h"
#include "source/source.h"

/* Rows that are no ratings take up to this part of the memory that ratings may take. */
#define OTHERS_SHARE 8

extern void SortOthers(const Source *source, Ratings *ratings, const MfParallel *parallel);

#endif

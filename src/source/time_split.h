/*
 * time_split.h - the newest rows of a source, told from the others by their time.
 */
#ifndef MFREC_TIME_SPLIT_H
#define MFREC_TIME_SPLIT_H

#include "source/coo_store.h"

/* Between newer rows and older ones. */
typedef struct TimeCut
{
	double		time;			/* rows of a later time are newer, */
	double		share;			/* and so is this share of the rows of this time */
} TimeCut;

extern TimeCut FindTimeCut(Triplets *triplets, int64 newer);

/* Whether a row is on the newer side; place: a number in 0 .. 1 that decides where times are the same. */
static inline bool
IsNewer(TimeCut cut, double time, double place)
{
	return time > cut.time || (time == cut.time && place < cut.share);
}

#endif

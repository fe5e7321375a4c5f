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

/* The rows that a holdout by time takes: those between two cuts. */
typedef struct TimeRange
{
	TimeCut		newest;			/* what is newer is passed over, */
	TimeCut		held_out;		/* and of the rest what is newer than this is held out */
} TimeRange;

/* Digits of times have so many bits, and a count of each of their values. */
#define TIME_DIGIT_BITS 16
#define TIME_DIGITS (1 << TIME_DIGIT_BITS)

/* Sets count[TIME_DIGITS], of rows wherever they are; see CountTimeDigits(). */
typedef void (*TimeCounter) (void *state, uint64 prefix, int shift, int64 *count);

extern void CountTimeDigits(void *triplets, uint64 prefix, int shift, int64 *count);
extern TimeRange FindTimeRange(TimeCounter counter, void *state, int64 rows, double from, double fraction);

/* Whether a row is on the newer side; place: a number in 0 .. 1 that decides where times are the same. */
static inline bool
IsNewer(TimeCut cut, double time, double place)
{
	return time > cut.time || (time == cut.time && place < cut.share);
}

#endif

/*
 * coo_store.h - (user, item, value, weight, time) in the order in which they come, in memory or spilled.
 */
#ifndef MFREC_COO_STORE_H
#define MFREC_COO_STORE_H

#include "storage/buffile.h"

#define BLOCK_TRIPLETS (INT64CONST(1) << 16)	/* in a block of a temporary file */

/*
 * A sparse matrix in coordinate format (COO): a sequence of triplets that is written once, then read from its
 * start any number of times.  Up to `limit` of them stay in memory; then all go to a temporary file, in blocks
 * of at most block_size.
 *
 * The arrays user, item, value, weight and time hold the `held` triplets that are in memory: all of them, or the end
 * of a sequence that is being written, or the block that ReadTriplets() has brought.
 */
typedef struct Triplets
{
	MemoryContext context;		/* of arrays and file: the current one of InitTriplets() */
	bool		has_value;
	bool		has_weight;
	bool		has_time;		/* false of a new sequence; to be set before its first triplet */
	int64		limit;			/* triplets in memory before any are spilled */
	int64		block_size;		/* triplets in a block of the file; the last one may have fewer */
	int64		count;			/* of the whole sequence */
	int64		held;			/* in the arrays */
	int64		capacity;		/* of the arrays */
	int32	   *user;
	int32	   *item;
	float	   *value;			/* NULL without values */
	float	   *weight;			/* NULL without weights */
	double	   *time;			/* NULL without times */
	BufFile    *file;			/* NULL: all in memory */
	bool		complete;		/* EndTriplets() has been called */
	int64		left;			/* yet to be read by ReadTriplets() */
} Triplets;

extern void InitTriplets(Triplets *triplets, bool has_value, bool has_weight, int64 limit, int64 block_size);
extern int64 TripletBytes(const Triplets *triplets);
extern void ReserveTriplets(Triplets *triplets, int64 n);
extern void EndTriplets(Triplets *triplets);
extern bool ReadTriplets(Triplets *triplets);
extern void LoadTriplets(Triplets *triplets);
extern void FreeTriplets(Triplets *triplets);

/* Whether triplet i of those in memory is no dislike: its weight is not below 0. */
static inline bool
IsLike(const Triplets *triplets, int64 i)
{
	return triplets->weight == NULL || triplets->weight[i] >= 0;
}

/*
 * Appends a triplet; value and weight are dropped where the sequence has none, and it must have no times.  Spills when
 * memory is used up.
 */
static inline void
AddTriplet(Triplets *triplets, int32 user, int32 item, float value, float weight)
{
	int64		at = triplets->held;

	if (at == triplets->capacity)
	{
		ReserveTriplets(triplets, 1);
		at = triplets->held;
	}
	triplets->held++;
	triplets->count++;
	triplets->user[at] = user;
	triplets->item[at] = item;
	if (triplets->has_value)
		triplets->value[at] = value;
	if (triplets->has_weight)
		triplets->weight[at] = weight;
}

#endif

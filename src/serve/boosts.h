/*
 * boosts.h - numbers that a call adds to items' scores before their list is made.
 */
#ifndef MFREC_BOOSTS_H
#define MFREC_BOOSTS_H

#include "utils/array.h"

#include "core/base/heap.h"
#include "image/image_cache.h"

/* What is added to scores, of items that something other than 0 is added to; of others nothing is kept. */
typedef struct Boosts
{
	int32		n;
	int32	   *item;			/* n: numbers in the image, ascending */
	double	   *value;			/* n: finite */
	IdMap	   *unknown;		/* items that the image does not know, for those that are new; NULL: none are kept */
	double	   *unknown_value;	/* of each of them */
} Boosts;

extern Boosts *BoostsByArray(const Image *image, ArrayType *candidates, ArrayType *values);
extern Boosts *BoostsByTable(const Image *image, Oid relid, const char *id_column, const char *column);
extern double BoostOfUnknown(const Boosts *boosts, int64 id);
extern void MarkBoosted(const Boosts *boosts, const int32 *items, int64 n, bool mark, bool *marks);
extern double BoostUnit(const Image *image, double user_spread);
extern void RankBoosted(const Boosts *boosts, const bool *out, const Image *image, const float *query, double unit,
						const int32 *item, int count, MfHeap *heap);
extern int	ListRanked(const MfHeap *heap, int32 *item, float *score);

#endif

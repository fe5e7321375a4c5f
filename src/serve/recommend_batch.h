/*
 * recommend_batch.h - the lists of many users at a time, from their stored vectors, by threads.
 */
#ifndef MFREC_RECOMMEND_BATCH_H
#define MFREC_RECOMMEND_BATCH_H

#include "core/topk/topk.h"
#include "image/image_cache.h"
#include "serve/boosts.h"

/*
 * Room for lists, and what making them needs.  List q has batch.count[q] items, at most k, best first, in batch.item
 * from element q * batch.k on, and scores likewise.
 */
typedef struct Lists
{
	const Image *image;
	const MfParallel *parallel;
	int64		capacity;		/* users whose lists there is room for */
	int			k;
	double		diversity;		/* 0: lists are the best items by score */
	const Boosts *boosts;		/* of items that batch.filter excludes; NULL: none */
	const float *spread;		/* of the users whose lists are made, with boosts: see UserState */
	int32		ngroups;		/* numbers of groups, with 0, to count once boosts are there; 0: none */
	MfTopkBatch batch;
	MfSq8		sq8;
	void	   *space;
	char	   *finish_space;	/* of each worker, for what is done to lists once they are made */
	Size		finish_bytes;
} Lists;

extern int64 Sq8Bytes(const Image *image, int64 users);
extern void InitLists(Lists *lists, const Image *image, const MfFilter *filter, int k, double diversity,
					  const Boosts *boosts, int64 capacity, bool sq8, const MfParallel *parallel);
extern void MakeLists(Lists *lists, int64 n, const float *vectors, const int64 *seen_start, const int32 *seen);

#endif

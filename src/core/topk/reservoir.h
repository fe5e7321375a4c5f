/*
 * reservoir.h - the best k of a stream of scored items, where a score may be known to within an error only.
 */
#ifndef MF_RESERVOIR_H
#define MF_RESERVOIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An item that may be among the best: its score is within error of `score`; error 0: it is `score`. */
typedef struct MfPoolEntry
{
	double		score;
	float		error;
	int32_t		position;
} MfPoolEntry;

typedef struct MfPool
{
	MfPoolEntry *entry;
	const int32_t *item;		/* by position: breaks ties */
	int			k;
	int			count;			/* entries there are */
	int			limit;			/* time to shrink */
	double		floor;			/* k items score at least this; -INFINITY before there are k */
} MfPool;

/* A pool takes a panel more than its limit before somebody must look. */
#define MF_POOL_MARGIN 16

extern int	mf_pool_limit(int k);
extern void mf_pool_start(MfPool *pool, MfPoolEntry *entry, const int32_t *item, int k);
extern bool mf_pool_shrink(MfPool *pool);
extern void mf_pool_cut(MfPool *pool);
extern void mf_pool_sort(MfPool *pool);

/* Adds an item whose score is within error of score; there must be room. */
static inline void
mf_pool_add(MfPool *pool, double score, float error, int32_t position)
{
	MfPoolEntry *entry = &pool->entry[pool->count++];

	entry->score = score;
	entry->error = error;
	entry->position = position;
}

#endif

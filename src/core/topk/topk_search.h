/*
 * topk_search.h - a search for the best items at work: what topk.c and its helpers share.
 *
 * topk_filter.c says which items count, topk_scan.c looks at them, by topk_quantized.c where there are
 * codes, topk.c begins and ends.
 */
#ifndef MF_TOPK_SEARCH_H
#define MF_TOPK_SEARCH_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/kernels/score.h"
#include "core/topk/reservoir.h"
#include "core/topk/index.h"
#include "core/topk/sq4.h"
#include "core/topk/sq8.h"
#include "core/topk/topk.h"

/* Items that codes put off before somebody must look again. */
#define MF_DEFERRED 4096

/* Positions that wait for their rows to be fetched. */
#define MF_PENDING 48

/* Up to so many candidates are looked up one by one, more become a bitmap. */
#define MF_FEW_CANDIDATES 256

/* An item that codes could not rule out, nor make likely. */
typedef struct MfDeferred
{
	float		most;			/* what it can score at most */
	int32_t		position;
} MfDeferred;

/* How many of a group are in the result so far: a slot of an open-addressing table. */
typedef struct MfGroupSlot
{
	int32_t		group;			/* 0: free */
	int32_t		count;
	double		worst;			/* the lowest score of those */
} MfGroupSlot;

/* One search. */
typedef struct MfSearch
{
	const MfIndex *index;
	const MfScore *kernels;
	const MfFilter *filter;
	bool		cosine;			/* the score is p.v / (|p| |v|) */
	float	   *query;			/* ld floats: p; of length 1 for cosines */
	double	   *exact;			/* d doubles: p */
	double		exact_norm;		/* |p|, as a naive scan computes it */
	double		norm;			/* not below the norm of query, above 0 */
	double		error;			/* of a float score, per unit of norm of the item */
	bool		sq4;			/* 4-bit codes can be used */
	MfSqQuery	sq4_query;
	MfSqBounds	sq4_bounds;		/* what is the same for all blocks */
	const MfSq8 *sq8;			/* 8-bit codes that can be used, of the first blocks or of all; or NULL */
	MfSqQuery	sq8_query;
	const uint64_t *mask;		/* by position: the candidates; NULL: all */
	const uint64_t *seen;		/* by item: the seen ones; or NULL */
	const int32_t *seen_slot;	/* or a hash table of them, each plus 1, 0 where empty; or NULL */
	int			seen_shift;		/* of a hash, to a slot */
	uint32_t	seen_slots;		/* a power of two */
	MfGroupSlot *slot;
	uint32_t	nslots;			/* a power of two */
	MfReservoir reservoir;
	MfDeferred *deferred;			/* MF_DEFERRED items that were put off */
	int			ndeferred;
	int64_t		first;			/* the block that the search began with */
	uint64_t	begun;			/* its packs that were searched then */
	int			npending;
	int			prefetch;		/* bytes of a row to be fetched ahead */
	int32_t		pending[MF_PENDING + MF_PACK]; /* positions to be scored together */
	MfTopkStats stats;
} MfSearch;

/* Words of a bitmap of whole blocks of items. */
static inline size_t
mf_bitmap_words(const MfIndex *index)
{
	return (size_t) index->nblocks * (MF_BLOCK / 64);
}

/* A float that is below x by enough for MF_SCORE_ROUNDING of itself and its own rounding. */
static inline float
mf_float_below(double x)
{
	return (float) (x - fabs(x) * 0x1.0p-21 - 0x1.0p-148);
}

/* The positions of a pack that hold candidates. */
static inline uint32_t
mf_search_pack_mask(const MfSearch *search, int64_t pack)
{
	int64_t		left = search->index->nitems - pack * MF_PACK;
	uint32_t	mask = left >= MF_PACK ? 0xffff : (UINT32_C(1) << left) - 1;

	if (search->mask != NULL)
		mask &= search->mask[pack / 4] >> (pack % 4 * 16) & 0xffff;
	return mask;
}

extern bool mf_search_admits(const MfSearch *search, int32_t item);
extern bool mf_search_take(MfSearch *search, int32_t group, double score);
extern bool mf_search_crowds_out(const MfSearch *search, int32_t item, double most);
extern void mf_search_cut_groups(MfSearch *search);
extern int	mf_search_find_candidates(const MfSearch *search, int32_t *position);
extern void mf_search_mark_candidates(MfSearch *search, uint64_t *mask);
extern void mf_search_mark_allowed(MfSearch *search, uint64_t *mask);
extern void mf_search_mark_seen(MfSearch *search, uint64_t *space);

extern void mf_search_score_reservoir(MfSearch *search);
extern void mf_search_position(MfSearch *search, int32_t position);
extern void mf_search_first(MfSearch *search);
extern bool mf_search_next(MfSearch *search, int64_t block);
extern bool mf_search_next_packs(MfSearch *search, int64_t block, uint64_t *live);
extern void mf_search_catch_up(MfSearch *search);
extern void mf_search_last(MfSearch *search);

extern void mf_search_sq4(MfSearch *search, int64_t block, uint64_t live);
extern void mf_search_sq8(MfSearch *search, int64_t block, uint64_t live);
extern void mf_search_together(MfSearch *search, const uint64_t *live, int n, int64_t block,
							   MfSq8Tile *tile);
extern void mf_search_review(MfSearch *search, bool score);

#endif

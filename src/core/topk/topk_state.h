/*
 * topk_state.h - a search for the best items at work: its state, and the steps that it is made of.
 *
 * Each file calls those before it only:
 *
 *	  topk_filter.c		which items count: bitmaps, lists, groups
 *	  topk_score.c		scores of items, in float and in double, and the reservoir that they go into
 *	  topk_quantized.c	what codes say of the items of a block
 *	  topk_scan.c		what norms say of blocks and packs, and the way through them
 *	  topk_search.c		how a search begins and ends
 *	  topk.c, topk_batch.c	searches for one query, and for many
 */
#ifndef MF_TOPK_STATE_H
#define MF_TOPK_STATE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/rounding.h"
#include "core/kernels/score.h"
#include "core/topk/index.h"
#include "core/topk/reservoir.h"
#include "core/topk/sq4.h"
#include "core/topk/sq8.h"
#include "core/topk/topk_query.h"

/* Items that codes put off before they are looked at again. */
#define MF_DEFERRED 4096

/* Positions that wait for their rows to be fetched. */
#define MF_PENDING 48

/* Up to so many candidates are looked up one by one, more become a bitmap. */
#define MF_FEW_CANDIDATES 256

/* Scores and products of norms beyond this are not trusted to floats. */
#define MF_FLOAT_RANGE 1e37

/* An item that codes could not rule out, nor make likely. */
typedef struct MfDeferred
{
	float		upper;			/* it scores at most this */
	int32_t		position;
} MfDeferred;

/* How many of a group are in the result so far: a slot of an open-addressing table. */
typedef struct MfGroupSlot
{
	int32_t		group;			/* 0: free */
	int32_t		count;
	double		worst;			/* the lowest score of those */
} MfGroupSlot;

/* The sections of a search's workspace. */
typedef struct MfSearchSpace
{
	float	   *query;			/* ld: p; of length 1 for cosines */
	double	   *exact;			/* d: p */
	float	   *coordinate;		/* sq4.dims, and the codes: */
	int8_t	   *sq4_code;
	int8_t	   *sq8_code;		/* ld */
	MfDeferred *deferred;		/* MF_DEFERRED */
	MfReservoirEntry *entry;
	MfGroupSlot *slot;			/* nslots */
	uint32_t	nslots;			/* a power of two */
	float	   *row;			/* MF_PACK x ld; of an index whose vectors are not in it */
	int32_t    *position;		/* MF_FEW_CANDIDATES */
	uint64_t   *mask;			/* a bitmap by position */
	uint64_t   *seen;			/* a bitmap by item, or a hash table of items */
} MfSearchSpace;

/* One search. */
typedef struct MfSearch
{
	const MfIndex *index;
	const MfScore *kernels;
	const MfFilter *filter;
	MfSearchSpace space;
	bool		cosine;			/* the score is p.v / (|p| |v|) */
	double		exact_norm;		/* |p|, as a naive scan computes it */
	double		norm;			/* not below the norm of space.query, above 0 */
	double		half[2];		/* nor below those of its halves, of an index that has such; not of cosines */
	double		error;			/* of a float score, per unit of norm of the item */
	/* what codes there are */
	bool		sq4_asked;		/* it is known whether */
	bool		sq4;			/* 4-bit codes can be used: see mf_search_use_sq4() */
	MfSqQuery	sq4_query;
	MfSqBounds	sq4_bounds;		/* with what is the same for all blocks */
	const MfSq8 *sq8;			/* 8-bit codes that can be used, of the first blocks or of all; or NULL */
	MfSqQuery	sq8_query;
	MfSqBounds	sq8_bounds;
	/* what the filter says */
	const uint64_t *mask;		/* by position: the candidates; NULL: all */
	const uint64_t *seen;		/* by item: the seen ones; or NULL */
	const int32_t *seen_slot;	/* or a hash table of them, each plus 1, 0 where empty; or NULL */
	int			seen_shift;		/* of a hash, to a slot */
	uint32_t	seen_slots;		/* a power of two */
	/* how far it is */
	MfReservoir reservoir;
	int			ndeferred;
	int64_t		first;			/* the block that the search began with */
	uint64_t	begun;			/* its packs that were searched then */
	int			npending;
	int32_t		pending[MF_PENDING + MF_PACK];	/* positions to be scored together */
	int			prefetch;		/* bytes of a row to be fetched ahead */
	MfTopkStats stats;
} MfSearch;

/* Words of a bitmap of whole blocks of items. */
static inline size_t
mf_bitmap_words(const MfIndex *index)
{
	return (size_t) index->nblocks * (MF_BLOCK / 64);
}

/* The bits of a pack's positions that hold candidates. */
static inline uint32_t
mf_search_pack_mask(const MfSearch *search, int64_t pack)
{
	const uint64_t *mask = search->mask != NULL ? search->mask : search->index->live;

	return mask[pack / 4] >> (pack % 4 * MF_PACK) & 0xffff;
}

/* How many bits of a pack's mask are set: mostly all of them. */
static inline int
mf_count_bits(uint32_t mask)
{
	return mask == 0xffff ? MF_PACK : __builtin_popcount(mask);
}

/* topk_filter.c */
extern bool mf_search_admits(const MfSearch *search, int32_t item);
extern bool mf_search_group_take(MfSearch *search, int32_t group, double score);
extern bool mf_search_group_excludes(const MfSearch *search, int32_t item, double upper);
extern int	mf_search_find_candidates(const MfSearch *search, int32_t *position);
extern void mf_search_mark_candidates(MfSearch *search);
extern void mf_search_mark_allowed(MfSearch *search);
extern void mf_search_mark_seen(MfSearch *search);

/* topk_score.c */
extern void mf_search_cut(MfSearch *search);
extern void mf_search_cut_groups(MfSearch *search);
extern void mf_search_score_pack(MfSearch *search, int64_t pack, uint32_t mask);
extern void mf_search_enqueue(MfSearch *search, int32_t position);
extern void mf_search_catch_up(MfSearch *search);
extern void mf_search_flush(MfSearch *search);

/* topk_quantized.c */
extern void mf_search_use_sq8(MfSearch *search, const MfSq8 *sq8);
extern bool mf_search_use_sq4(MfSearch *search);
extern void mf_search_sq4(MfSearch *search, int64_t block, uint64_t live);
extern void mf_search_sq8(MfSearch *search, int64_t block, uint64_t live);
extern void mf_search_together(MfSearch *search, const uint64_t *live, int n, int64_t block, MfSq8Tile *tile);
extern void mf_search_review_deferred(MfSearch *search, bool score);

/* topk_scan.c */
extern void mf_search_first(MfSearch *search);
extern bool mf_search_next(MfSearch *search, int64_t block);
extern bool mf_search_next_packs(MfSearch *search, int64_t block, uint64_t *live);
extern void mf_search_last(MfSearch *search);

#endif

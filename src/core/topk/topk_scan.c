/*
 * topk_scan.c - the way of a search through the blocks: what norms and offsets say of blocks and packs; topk.c says
 * why the result is exact.
 */
#include "core/topk/topk_state.h"

#include <math.h>

/* The packs, by bits, of the first block that set a threshold before the codes of others are looked at. */
#define FIRST_PACKS 0xf

/*
 * The most that an item scores whose norm is at most `norm`, whose halves' norms are at most half[][at] (NULL: it has
 * none), and whose offset is at most offset[at] (NULL: 0).
 */
static inline double
upper_bound(const MfSearch *search, float norm, const float *const *half, const float *offset, int64_t at)
{
	double		bound = search->norm * norm;
	double		halves = half[0] == NULL ? INFINITY : search->half[0] * half[0][at] + search->half[1] * half[1][at];

	if (search->cosine)
		return INFINITY;
	return (halves < bound ? halves : bound) + (offset == NULL ? 0 : offset[at]);
}

/* No item of the pack scores more. */
static inline double
pack_bound(const MfSearch *search, int64_t pack)
{
	return upper_bound(search, search->index->pack_norm[pack], search->index->pack_half, search->index->pack_offset, pack);
}

/* No item of the block scores more. */
static inline double
block_bound(const MfSearch *search, int64_t block)
{
	return upper_bound(search, search->index->block_norm[block], search->index->block_half, search->index->block_offset,
					   block);
}

/* No item of the block or a later one scores more. */
static inline double
tail_bound(const MfSearch *search, int64_t block)
{
	return upper_bound(search, search->index->block_norm[block], search->index->block_half, search->index->tail_offset,
					   block);
}

/* Scores the items of a pack that are in mask, at once or with others later. */
static void
scan_pack(MfSearch *search, int64_t pack, uint32_t mask)
{
	if (mf_count_bits(mask) >= MF_PACK / 2)
		mf_search_score_pack(search, pack, mask);
	else
		for (; mask != 0; mask &= mask - 1)
			mf_search_enqueue(search, (int32_t) (pack * MF_PACK + __builtin_ctz(mask)));
}

/* The packs of a block that hold candidates. */
static uint64_t
block_mask(const MfSearch *search, int64_t block)
{
	const uint64_t *word;
	int64_t		left = search->index->npacks - block * MF_BLOCK_PACKS;
	uint64_t	packs = left >= MF_BLOCK_PACKS ? UINT64_MAX : (UINT64_C(1) << left) - 1;
	uint64_t	masked = 0;

	if (search->mask == NULL)
		return packs;
	word = search->mask + block * (MF_BLOCK / 64);
	for (int w = 0; w < MF_BLOCK / 64; w++)
		for (int p = 0; word[w] != 0 && p < 4; p++)
			masked |= (uint64_t) ((word[w] >> (16 * p) & 0xffff) != 0) << (4 * w + p);
	return masked;
}

/* Looks at the packs `live` of a block that may hold one of the best, by their vectors. */
static void
scan_packs(MfSearch *search, int64_t block, uint64_t live)
{
	for (; live != 0; live &= live - 1)
	{
		int64_t		pack = block * MF_BLOCK_PACKS + __builtin_ctzll(live);

		if (pack_bound(search, pack) >= search->reservoir.threshold)
			scan_pack(search, pack, mf_search_pack_mask(search, pack));
	}
}

/* The block with the largest bound: where a search had better begin. */
static int64_t
best_block(const MfSearch *search)
{
	int64_t		best = 0;
	double		bound = -INFINITY;

	if (search->cosine || search->index->block_offset == NULL)
		return 0;
	for (int64_t turn = 0; turn < search->index->nblocks; turn++)
	{
		int64_t		block = mf_index_visited(search->index, turn);

		if (!(tail_bound(search, block) > bound))
			break;
		if (block_bound(search, block) > bound)
		{
			bound = block_bound(search, block);
			best = block;
		}
	}
	return best;
}

/* A block has 8-bit codes that can be used. */
static inline bool
has_sq8(const MfSearch *search, int64_t block)
{
	return search->sq8 != NULL && block < search->sq8->nblocks;
}

/* Codes can say of a block's items whether they are worth a look. */
static inline bool
has_codes(MfSearch *search, int64_t block)
{
	return has_sq8(search, block) || mf_search_use_sq4(search);
}

/*
 * Begins with the most promising block: with a few of its packs where it has codes that are as good as vectors, or
 * is no more promising than others.  Of those who have most of what is in these it takes more, until there is a
 * threshold to hold codes against.
 */
void
mf_search_first(MfSearch *search)
{
	bool		few = search->sq8 != NULL || search->index->directions;
	uint64_t	packs;

	search->first = best_block(search);
	search->begun = few && has_codes(search, search->first) ? FIRST_PACKS : UINT64_MAX;
	if (search->index->nblocks == 0)
		return;
	packs = block_mask(search, search->first);
	scan_packs(search, search->first, packs & search->begun);
	while (search->reservoir.threshold == -INFINITY && search->begun != UINT64_MAX)
	{
		scan_packs(search, search->first, packs & ~search->begun & (search->begun << 1));
		search->begun |= search->begun << 1;
	}
}

/*
 * Goes on with a block, if it may hold one of the best; false when no later one can.  Packs that are to
 * be looked at by their codes are left to the caller: the bits of *live.
 */
bool
mf_search_next_packs(MfSearch *search, int64_t block, uint64_t *live)
{
	uint64_t	packs;

	*live = 0;
	if (tail_bound(search, block) < search->reservoir.threshold)
		return false;
	if (block_bound(search, block) < search->reservoir.threshold)
		return true;
	packs = block_mask(search, block) & ~(block == search->first ? search->begun : 0);
	if (has_codes(search, block) && fabs(search->reservoir.threshold) < MF_FLOAT_RANGE)
		*live = packs;
	else
		scan_packs(search, block, packs);
	return true;
}

/* Goes on with a block, if it may hold one of the best; false when no later one can. */
bool
mf_search_next(MfSearch *search, int64_t block)
{
	uint64_t	live;

	if (!mf_search_next_packs(search, block, &live))
		return false;
	if (live != 0 && has_sq8(search, block))
		mf_search_sq8(search, block, live);
	else if (live != 0)
		mf_search_sq4(search, block, live);
	return true;
}

/* Ends with all that was put off. */
void
mf_search_last(MfSearch *search)
{
	mf_search_flush(search);
	mf_search_review_deferred(search, true);
	mf_search_flush(search);
}

/*
 * topk.c - the best items for a vector, exactly.
 *
 * Given p, the score of item i is s_i = p.v_i + o_i, computed in double, coordinate after coordinate:
 * what a naive scan computes.  The result is the first k items by (score descending, number
 * ascending) that the filter lets in.  It is found without computing most of the scores:
 *
 * 1. The floor.  As soon as k items are known to score at least t, an item that is known to score
 *	  less than t cannot be in the result.  It would be behind those k, whatever the rest holds.  The
 *	  pool of candidates keeps the largest such t, its floor, which only rises.
 * 2. Panels.  p.v <= |p| |v| (Cauchy-Schwarz), so no item of a panel scores more than |p| times the
 *	  panel's largest norm plus its largest offset.  Panels and blocks whose bound is below the floor
 *	  are passed over, and a search ends where no later block can reach it: norms descend.
 * 3. Floats.  An item that is looked at is scored in float, which is off by at most e (scan.h).  It
 *	  goes into the pool when float score + e reaches the floor, and an item of the pool counts
 *	  towards the floor with float score - e.
 * 4. Doubles.  What is left in the pool at the end, or when it overflows, is scored in double; those
 *	  scores alone decide who is in and in which order.
 *
 * Bounds are rounded upwards: norms are stored a little larger than they are, which also covers the
 * rounding of the double score itself (relative 2^-53 d against 2^-22).  Where |p| |v| is so large that
 * floats could overflow, e is infinite, and the double score decides.
 *
 * At most n per group: the best k by that rule, taken greedily, are the best k of those that are among
 * the n best of their group.  More items only push that k-th score up, so floors work as before.
 */
#include "topk.h"

#include <math.h>
#include <string.h>

#include "codes.h"
#include "list.h"
#include "pool.h"
#include "scan.h"

/* Up to so many candidates are looked up one by one, more become a bitmap. */
#define FEW_CANDIDATES 256

/* A share of allowed items below one in so many is few. */
#define FEW_ALLOWED 8

/* More seen items than this become a bitmap. */
#define FEW_SEEN 1024

/* Products of norms beyond this are not trusted to floats. */
#define FLOAT_RANGE 1e37

/* Vectors shorter than this are not normalised in float. */
#define LEAST_NORM 1e-30f

/* Positions that wait for their rows to be fetched. */
#define PENDING 48

/* Items that codes put off before somebody must look again. */
#define LATER 4096

/* An item is scored at once when codes need to have missed only this share of what they can miss. */
#define LIKELY 0.25f

/* How many of a group are in the result so far: a slot of an open-addressing table. */
typedef struct GroupSlot
{
	int32_t		group;			/* 0: free */
	int32_t		count;
	double		worst;			/* the lowest score of those */
} GroupSlot;

/* An item that codes could not rule out, nor make likely. */
typedef struct Later
{
	float		most;			/* what it can score at most */
	int32_t		position;
} Later;

/* One search. */
typedef struct Search
{
	const MfIndex *index;
	const MfScan *scan;
	const MfFilter *filter;
	bool		cosine;			/* the score is p.v / (|p| |v|) */
	float	   *query;			/* ld floats: p; of length 1 for cosines */
	double	   *exact;			/* d doubles: p */
	double		exact_norm;		/* |p|, as a naive scan computes it */
	double		norm;			/* not below the norm of query, above 0 */
	double		error;			/* of a float score, per unit of norm of the item */
	bool		coded;			/* codes can be used */
	MfCodeQuery code;
	MfCodeBounds bounds;		/* what is the same for all blocks */
	const uint64_t *mask;		/* by position: the candidates; NULL: all */
	const uint64_t *seen;		/* by item: the seen ones when there are many; or NULL */
	GroupSlot  *slot;
	uint32_t	nslots;			/* a power of two */
	MfPool		pool;
	Later	   *later;			/* LATER items that were put off */
	int			nlater;
	int64_t		first;			/* the block that was searched before all others */
	int			npending;
	int			prefetch;		/* bytes of a row to be fetched ahead */
	int32_t		pending[PENDING + MF_PANEL];	/* positions to be scored together */
	MfTopkStats stats;
} Search;

/* Where the parts of a search's workspace are. */
typedef struct Workspace
{
	float	   *query;
	double	   *exact;
	float	   *coordinate;
	int8_t	   *code;
	Later	   *later;
	MfPoolEntry *entry;
	GroupSlot  *slot;
	uint32_t	nslots;
	int32_t    *position;		/* FEW_CANDIDATES */
	uint64_t   *mask;			/* by position */
	uint64_t   *seen;			/* by item */
	size_t		size;
} Workspace;

/* The next size bytes of a workspace, or NULL while there is none. */
static void *
take_space(void *space, size_t *used, size_t size)
{
	char	   *place = space == NULL ? NULL : (char *) space + *used;

	*used += (size + 63) & ~(size_t) 63;
	return place;
}

/* Words of a bitmap of whole blocks of items. */
static size_t
bitmap_words(const MfIndex *index)
{
	return (size_t) index->nblocks * (MF_BLOCK / 64);
}

/* Divides a workspace for the best k; space may be NULL to learn the size alone. */
static Workspace
divide_space(const MfIndex *index, int k, void *space)
{
	Workspace	work;
	size_t		used = 0;
	size_t		entries = (size_t) mf_pool_limit(k) + MF_POOL_MARGIN;

	work.nslots = 16;
	while (work.nslots < 2 * entries)
		work.nslots *= 2;
	work.query = take_space(space, &used, index->ld * sizeof(float));
	work.exact = take_space(space, &used, index->ld * sizeof(double));
	work.coordinate = take_space(space, &used, index->coded * sizeof(float));
	work.code = take_space(space, &used, index->coded);
	work.later = take_space(space, &used, index->coded > 0 ? LATER * sizeof(Later) : 0);
	work.entry = take_space(space, &used, entries * sizeof(MfPoolEntry));
	work.slot = take_space(space, &used, work.nslots * sizeof(GroupSlot));
	work.position = take_space(space, &used, FEW_CANDIDATES * sizeof(int32_t));
	work.mask = take_space(space, &used, bitmap_words(index) * sizeof(uint64_t));
	work.seen = take_space(space, &used, bitmap_words(index) * sizeof(uint64_t));
	work.size = used;
	return work;
}

/* At most as many as there are items. */
static int
useful_k(const MfIndex *index, int k)
{
	return k < index->nitems ? k : (int) index->nitems;
}

/* Bytes of 64-byte aligned scratch space that a search for the best k needs.  Most of it is touched
 * only where filters are long. */
size_t
mf_topk_workspace(const MfIndex *index, int k)
{
	return divide_space(index, useful_k(index, k), NULL).size;
}

/*
 * Makes the scores of four entries exact.  Coordinate after coordinate, as a naive scan adds them up,
 * is a chain of additions that wait for each other; four of them fill the time.
 */
static void
score_four(Search *search, MfPoolEntry *const *entry)
{
	const MfIndex *index = search->index;
	const double *exact = search->exact;
	const float *vector[4];
	double		sum[4] = {0};
	double		squares[4] = {0};

	for (int i = 0; i < 4; i++)
		vector[i] = index->vector + (size_t) entry[i]->position * index->ld;
	for (int j = 0; j < index->factors; j++)
	{
		sum[0] += exact[j] * vector[0][j];
		sum[1] += exact[j] * vector[1][j];
		sum[2] += exact[j] * vector[2][j];
		sum[3] += exact[j] * vector[3][j];
	}
	for (int i = 0; search->cosine && i < 4; i++)
		for (int j = 0; j < index->factors; j++)
			squares[i] += (double) vector[i][j] * vector[i][j];
	for (int i = 0; i < 4; i++)
	{
		entry[i]->error = 0;
		entry[i]->score = sum[i];
		if (search->cosine)
			entry[i]->score = squares[i] == 0 || search->exact_norm == 0 ? 0 :
				sum[i] / (search->exact_norm * sqrt(squares[i]));
		else if (index->offset != NULL)
			entry[i]->score = sum[i] + index->offset[entry[i]->position];
	}
}

/* Makes the scores of all entries exact. */
static void
score_pool(Search *search)
{
	MfPoolEntry *four[4];
	int			n = 0;

	for (int i = 0; i < search->pool.count; i++)
	{
		if (search->pool.entry[i].error == 0)
			continue;
		four[n++] = &search->pool.entry[i];
		search->stats.rescored++;
		if (n < 4)
			continue;
		score_four(search, four);
		n = 0;
	}
	if (n == 0)
		return;
	for (int i = n; i < 4; i++)
		four[i] = four[0];
	score_four(search, four);
}

/* The slot of a group, 1 or more; a free one where it has none. */
static GroupSlot *
find_group(const Search *search, int32_t group)
{
	uint32_t	at = (uint32_t) group * UINT32_C(2654435769);

	for (at = (at ^ at >> 16) & (search->nslots - 1);; at = (at + 1) & (search->nslots - 1))
		if (search->slot[at].group == group || search->slot[at].group == 0)
			return &search->slot[at];
}

/* Whether one more of the group, with this score or less, may be kept; counts it if so. */
static bool
take_from_group(Search *search, int32_t group, double score)
{
	GroupSlot  *slot;

	if (group <= 0)
		return true;
	slot = find_group(search, group);
	if (slot->count >= search->filter->per_group)
		return false;
	slot->group = group;
	slot->worst = score;
	slot->count++;
	return true;
}

/* Whether the group of an item that scores at most this had enough better ones already. */
static bool
is_crowded_out(const Search *search, int32_t item, double most)
{
	int32_t		group = search->filter->group[item];
	const GroupSlot *slot;

	if (group <= 0)
		return false;
	slot = find_group(search, group);
	return slot->count >= search->filter->per_group && most < slot->worst;
}

/* Keeps the first k by rank with at most so many of each group; the entries end up sorted. */
static void
cut_groups(Search *search)
{
	MfPool	   *pool = &search->pool;
	int			kept = 0;

	score_pool(search);
	mf_pool_sort(pool);
	memset(search->slot, 0, search->nslots * sizeof(GroupSlot));
	for (int i = 0; i < pool->count && kept < pool->k; i++)
	{
		int32_t		item = search->index->item[pool->entry[i].position];

		if (take_from_group(search, search->filter->group[item], pool->entry[i].score))
			pool->entry[kept++] = pool->entry[i];
	}
	pool->count = kept;
	mf_pool_cut(pool);
}

/* Makes room in the pool and raises its floor, when that is due. */
static void
tend_pool(Search *search)
{
	MfPool	   *pool = &search->pool;

	if (search->filter->group != NULL)
	{
		if (pool->count >= pool->limit)
			cut_groups(search);
		return;
	}
	if (pool->count < pool->limit && (pool->floor > -INFINITY || pool->count < pool->k))
		return;
	if (!mf_pool_shrink(pool))
	{
		score_pool(search);
		mf_pool_cut(pool);
	}
}

/* Whether the bit of an item is set. */
static inline bool
has_bit(const uint64_t *bitmap, int32_t i)
{
	return bitmap[i / 64] >> (i % 64) & 1;
}

/* Whether the filter lets an item in, candidates apart. */
static bool
is_admitted(const Search *search, int32_t item)
{
	const MfFilter *filter = search->filter;

	if (filter->allowed != NULL && !has_bit(filter->allowed, item))
		return false;
	if (filter->excluded != NULL && has_bit(filter->excluded, item))
		return false;
	if (search->seen != NULL)
		return !has_bit(search->seen, item);
	return !mf_list_has(filter->seen, filter->nseen, item);
}

/* A float that is below x by enough for MF_SCAN_ROUNDING of itself and its own rounding. */
static float
float_below(double x)
{
	return (float) (x - fabs(x) * 0x1.0p-21 - 0x1.0p-148);
}

/* A float that is above x >= 0. */
static float
float_above(double x)
{
	return (float) (x * (1 + 0x1.0p-21) + 0x1.0p-148);
}

/* How many bits of a panel's mask are set: mostly all of them. */
static inline int
count_bits(uint32_t mask)
{
	return mask == 0xffff ? MF_PANEL : __builtin_popcount(mask);
}

/* Sixteen items to be scored. */
typedef struct Sixteen
{
	const int32_t *position;
	const float *norm;			/* of each */
	const float *offset;		/* of each; or NULL */
	uint32_t	wanted;			/* bits of those that count */
	float		most;			/* no norm of them is larger */
	float		least;			/* nor smaller; matters for cosines */
} Sixteen;

/* Scores sixteen items and puts those into the pool that may be among the best. */
static void
score_sixteen(Search *search, const Sixteen *sixteen)
{
	const MfIndex *index = search->index;
	bool		cosine = search->cosine;
	uint32_t	wanted = sixteen->wanted;
	float		score[MF_PANEL];
	double		error = search->error * (cosine ? 1.0 : sixteen->most) + index->ld * 0x1.0p-149;
	bool		trusted = cosine ? sixteen->least > LEAST_NORM && sixteen->most < 1 / LEAST_NORM :
		search->norm * sixteen->most < FLOAT_RANGE;

	if (cosine)
		error += index->ld * 0x1.0p-149 / LEAST_NORM;
	search->stats.scored += count_bits(wanted);
	if (trusted)
		wanted &= search->scan->score_rows(search->query, index->ld, index->vector, sixteen->position,
										   cosine ? sixteen->norm : NULL, cosine ? NULL : sixteen->offset,
										   float_below(search->pool.floor - error), score);
	for (; wanted != 0; wanted &= wanted - 1)
	{
		int			i = __builtin_ctz(wanted);
		int32_t		position = sixteen->position[i];
		int32_t		item = index->item[position];
		double		about = trusted ? score[i] : 0;
		float		off = INFINITY;

		if (trusted)
			off = (float) ((error + fabs(about) * MF_SCAN_ROUNDING) * 1.0001);
		if (!is_admitted(search, item))
			continue;
		if (search->filter->group != NULL && is_crowded_out(search, item, about + off))
			continue;
		mf_pool_add(&search->pool, about, off, position);
	}
	tend_pool(search);
}

/* Scores sixteen of the pending positions, or what there is. */
static void
score_pending(Search *search)
{
	const MfIndex *index = search->index;
	int			n = search->npending < MF_PANEL ? search->npending : MF_PANEL;
	int32_t    *position = search->pending + search->npending - n;
	float		norm[MF_PANEL];
	float		offset[MF_PANEL];
	Sixteen		sixteen = {position, norm, NULL, (uint32_t) ((UINT64_C(1) << n) - 1), 0, INFINITY};

	for (int i = n; i < MF_PANEL; i++)
		position[i] = position[0];
	for (int i = 0; i < MF_PANEL; i++)
	{
		norm[i] = index->norm[position[i]];
		sixteen.most = norm[i] > sixteen.most ? norm[i] : sixteen.most;
		sixteen.least = norm[i] < sixteen.least ? norm[i] : sixteen.least;
	}
	if (index->offset != NULL)
	{
		for (int i = 0; i < MF_PANEL; i++)
			offset[i] = index->offset[position[i]];
		sixteen.offset = offset;
	}
	/* stored norms are to the nearest */
	sixteen.most *= 1 + 0x1.0p-20f;
	score_sixteen(search, &sixteen);
	search->npending -= n;
}

/* Scores all that is pending. */
static void
flush_pending(Search *search)
{
	while (search->npending > 0)
		score_pending(search);
}

/* Notes a position to be scored, and fetches its row. */
static inline void
add_pending(Search *search, int32_t position)
{
	const char *row = (const char *) (search->index->vector + (size_t) position * search->index->ld);

	for (int line = 0; line < search->prefetch; line += 64)
		__builtin_prefetch(row + line);
	search->pending[search->npending++] = position;
	if (search->npending == PENDING)
		score_pending(search);
}

/* No item of the panel scores more. */
static inline double
panel_bound(const Search *search, int64_t panel)
{
	const MfIndex *index = search->index;

	if (search->cosine)
		return INFINITY;
	return search->norm * index->panel_norm[panel] +
		(index->panel_offset == NULL ? 0 : index->panel_offset[panel]);
}

/* No item of the block scores more. */
static inline double
block_bound(const Search *search, int64_t block)
{
	const MfIndex *index = search->index;

	if (search->cosine)
		return INFINITY;
	return search->norm * index->block_norm[block] +
		(index->block_offset == NULL ? 0 : index->block_offset[block]);
}

/* The positions of a panel that hold candidates. */
static uint32_t
panel_mask(const Search *search, int64_t panel)
{
	int64_t		left = search->index->nitems - panel * MF_PANEL;
	uint32_t	mask = left >= MF_PANEL ? 0xffff : (UINT32_C(1) << left) - 1;

	if (search->mask != NULL)
		mask &= search->mask[panel / 4] >> (panel % 4 * 16) & 0xffff;
	return mask;
}

/* Scores the items of a panel that are in mask. */
static void
search_panel(Search *search, int64_t panel, uint32_t mask)
{
	const MfIndex *index = search->index;
	int32_t		first = (int32_t) (panel * MF_PANEL);
	int32_t		position[MF_PANEL];
	Sixteen		sixteen = {position, index->norm + first, NULL, mask, index->panel_norm[panel], INFINITY};

	for (int i = 0; i < MF_PANEL; i++)
	{
		position[i] = first + i;
		if (search->cosine)
			sixteen.least = sixteen.norm[i] < sixteen.least ? sixteen.norm[i] : sixteen.least;
	}
	if (index->offset != NULL)
		sixteen.offset = index->offset + first;
	score_sixteen(search, &sixteen);
}

/* Scores the items of a panel that are in mask, at once or with others later. */
static void
visit_panel(Search *search, int64_t panel, uint32_t mask)
{
	if (count_bits(mask) >= MF_PANEL / 2)
		search_panel(search, panel, mask);
	else
		for (; mask != 0; mask &= mask - 1)
			add_pending(search, (int32_t) (panel * MF_PANEL + __builtin_ctz(mask)));
}

/* Looks again at what was put off: drops what the floor has outrun, or scores it all. */
static void
review_later(Search *search, bool score)
{
	int			kept = 0;

	for (int i = 0; i < search->nlater; i++)
	{
		Later		later = search->later[i];

		if (later.most < search->pool.floor)
			continue;
		if (score)
			add_pending(search, later.position);
		else
			search->later[kept++] = later;
	}
	search->nlater = kept;
	if (kept > LATER / 2)
		review_later(search, true);
}

/* Puts an item off that scores at most this. */
static inline void
add_later(Search *search, float most, int32_t position)
{
	Later	   *later = &search->later[search->nlater++];

	later->most = most;
	later->position = position;
	if (search->nlater == LATER)
		review_later(search, false);
}

/*
 * Goes through a panel's items whose codes have passed.  Those that are likely to be good are scored
 * now, and push the floor up.  The others can mostly be dropped at the end, without a look at their
 * vectors: codes miss much less than the bound of it says.
 */
static void
judge_panel(Search *search, int64_t panel, uint32_t passed)
{
	const MfIndex *index = search->index;
	const MfCodeQuery *code = &search->code;
	float		scale = code->unit * index->panel_step[panel];
	float		missed = code->per_error * index->panel_error[panel] +
		code->per_length * index->panel_length[panel] + code->per_rest * index->panel_rest[panel] +
		code->per_skew * index->panel_norm[panel];
	int32_t		sum[MF_PANEL];

	search->scan->sum_codes(index->code + (size_t) panel * index->coded * 8, index->coded, code->code, sum);
	for (; passed != 0; passed &= passed - 1)
	{
		int			i = __builtin_ctz(passed);
		int32_t		position = (int32_t) (panel * MF_PANEL + i);
		float		about = scale * ((float) sum[i] - code->shift);
		float		most = about + missed + 2 * scale;

		if (search->cosine)
		{
			most /= most > 0 ? index->panel_least[panel] : index->panel_norm[panel];
			about /= index->norm[position];
		}
		else if (index->offset != NULL)
		{
			most += index->offset[position];
			about += index->offset[position];
		}
		/* two steps are for rounding, as in the thresholds */
		most += fabsf(most) * 0x1.0p-18f + missed * 0x1.0p-18f;
		if (about + LIKELY * missed >= search->pool.floor)
			add_pending(search, position);
		else if (!(most < search->pool.floor))
			add_later(search, most, position);
	}
}

/* The panels of a block that hold candidates. */
static uint64_t
block_mask(const Search *search, int64_t block)
{
	const uint64_t *word = search->mask + block * (MF_BLOCK / 64);
	int64_t		left = search->index->npanels - block * MF_BLOCK_PANELS;
	uint64_t	panels = left >= MF_BLOCK_PANELS ? UINT64_MAX : (UINT64_C(1) << left) - 1;
	uint64_t	masked = 0;

	if (search->mask == NULL)
		return panels;
	for (int w = 0; w < MF_BLOCK / 64; w++)
		for (int p = 0; word[w] != 0 && p < 4; p++)
			masked |= (uint64_t) ((word[w] >> (16 * p) & 0xffff) != 0) << (4 * w + p);
	return masked;
}

/* Looks at a block's codes, and at the items that these cannot rule out. */
static void
search_codes(Search *search, int64_t block, uint64_t live)
{
	const MfIndex *index = search->index;
	int64_t		first = block * MF_BLOCK_PANELS;
	MfCodeBounds *bounds = &search->bounds;
	int32_t		threshold[MF_BLOCK_PANELS];
	uint16_t	passed[MF_BLOCK_PANELS];

	bounds->norm = index->panel_norm + first;
	bounds->offset = search->cosine || index->panel_offset == NULL ? NULL : index->panel_offset + first;
	bounds->least = search->cosine ? index->panel_least + first : NULL;
	bounds->step = index->panel_step + first;
	bounds->error = index->panel_error + first;
	bounds->length = index->panel_length + first;
	bounds->rest = index->panel_rest + first;
	bounds->floor = float_below(search->pool.floor);
	live &= search->scan->bound_codes(bounds, threshold);
	search->stats.coded += live == UINT64_MAX ? MF_BLOCK : MF_PANEL * __builtin_popcountll(live);
	live = search->scan->scan_codes(index->code + (size_t) first * index->coded * 8, index->coded,
									search->code.code, live, threshold, passed);
	for (; live != 0; live &= live - 1)
	{
		int64_t		panel = first + __builtin_ctzll(live);

		judge_panel(search, panel, passed[panel - first] & panel_mask(search, panel));
	}
	/* what waits would let the floor rise */
	while (search->npending >= MF_PANEL)
		score_pending(search);
}

/* Looks at all panels of a block that may hold one of the best. */
static void
search_block(Search *search, int64_t block)
{
	uint64_t	live = block_mask(search, block);

	if (live == 0)
		return;
	if (search->coded && fabs(search->pool.floor) < FLOAT_RANGE)
	{
		search_codes(search, block, live);
		return;
	}
	for (; live != 0; live &= live - 1)
	{
		int64_t		panel = block * MF_BLOCK_PANELS + __builtin_ctzll(live);

		if (panel_bound(search, panel) >= search->pool.floor)
			visit_panel(search, panel, panel_mask(search, panel));
	}
}

/* No item of the block or a later one scores more. */
static inline double
tail_bound(const Search *search, int64_t block)
{
	const MfIndex *index = search->index;

	if (search->cosine)
		return INFINITY;
	return search->norm * index->block_norm[block] +
		(index->tail_offset == NULL ? 0 : index->tail_offset[block]);
}

/* The block with the largest bound: where a search had better begin. */
static int64_t
best_block(const Search *search)
{
	int64_t		best = 0;
	double		bound = -INFINITY;

	if (search->cosine || search->index->block_offset == NULL)
		return 0;
	for (int64_t block = 0; block < search->index->nblocks && tail_bound(search, block) > bound; block++)
		if (block_bound(search, block) > bound)
		{
			bound = block_bound(search, block);
			best = block;
		}
	return best;
}

/*
 * A query of length 0 without offsets: every score is 0, so the result is the first k items by number.
 * Returns whether this is such a search, which is over then.
 */
static bool
search_zero(Search *search)
{
	const MfIndex *index = search->index;
	const MfFilter *filter = search->filter;
	MfPool	   *pool = &search->pool;

	if (search->exact_norm > 0 || filter->candidates != NULL ||
		(index->offset != NULL && !search->cosine))
		return false;
	for (int32_t item = 0; item < index->nitems && pool->count < pool->k; item++)
		if (is_admitted(search, item) &&
			(filter->group == NULL || take_from_group(search, filter->group[item], 0)))
			mf_pool_add(pool, 0, 0, index->position[item]);
	return true;
}

/* Begins with the most promising block. */
static void
search_first(Search *search)
{
	search->first = best_block(search);
	if (search->index->nblocks > 0)
		search_block(search, search->first);
}

/* Goes on with a block, if it may hold one of the best; false when no later one can. */
static bool
search_next(Search *search, int64_t block)
{
	if (tail_bound(search, block) < search->pool.floor)
		return false;
	if (block != search->first && block_bound(search, block) >= search->pool.floor)
		search_block(search, block);
	return true;
}

/* Ends with all that was put off. */
static void
search_last(Search *search)
{
	flush_pending(search);
	review_later(search, true);
	flush_pending(search);
}

/* The positions of a few candidates, ascending, each once; returns how many. */
static int
find_candidates(const Search *search, int32_t *position)
{
	const MfFilter *filter = search->filter;
	int			n = 0;

	for (int64_t c = 0; c < filter->ncandidates; c++)
	{
		int32_t		item = filter->candidates[c];
		int32_t		place;
		int			at = n;

		if (item < 0)
			continue;
		place = search->index->position[item];
		while (at > 0 && position[at - 1] > place)
			at--;
		if (at > 0 && position[at - 1] == place)
			continue;
		memmove(position + at + 1, position + at, (n - at) * sizeof(*position));
		position[at] = place;
		n++;
	}
	return n;
}

/* Looks at a few candidates, one by one. */
static void
search_candidates(Search *search, int32_t *position)
{
	int			n = find_candidates(search, position);

	for (int i = 0; i < n; i++)
		add_pending(search, position[i]);
	flush_pending(search);
}

/* Marks the candidates' positions in a bitmap. */
static void
mark_candidates(Search *search, uint64_t *mask)
{
	const MfFilter *filter = search->filter;

	memset(mask, 0, bitmap_words(search->index) * sizeof(*mask));
	for (int64_t c = 0; c < filter->ncandidates; c++)
	{
		int32_t		item = filter->candidates[c];

		if (item >= 0)
		{
			int32_t		position = search->index->position[item];

			mask[position / 64] |= UINT64_C(1) << (position % 64);
		}
	}
	search->mask = mask;
}

/*
 * Marks the positions of allowed items in a bitmap, if they are few.  Otherwise the best items are
 * likely to be allowed, and it is enough to ask when one turns up.
 */
static void
mark_allowed(Search *search, uint64_t *mask)
{
	const MfIndex *index = search->index;
	const uint64_t *allowed = search->filter->allowed;
	int64_t		words = (index->nitems + 63) / 64;
	int64_t		most = index->nitems / FEW_ALLOWED;
	int64_t		count = 0;

	for (int64_t w = 0; w < words && count <= most; w++)
		count += allowed[w] == 0 ? 0 : __builtin_popcountll(allowed[w]);
	if (count > most)
		return;
	memset(mask, 0, bitmap_words(index) * sizeof(*mask));
	for (int64_t w = 0; w < words; w++)
		for (uint64_t bits = allowed[w]; bits != 0; bits &= bits - 1)
		{
			int64_t		item = w * 64 + __builtin_ctzll(bits);

			if (item < index->nitems)
				mask[index->position[item] / 64] |= UINT64_C(1) << (index->position[item] % 64);
		}
	search->mask = mask;
}

/* Marks many seen items in a bitmap. */
static void
mark_seen(Search *search, uint64_t *seen)
{
	const MfFilter *filter = search->filter;

	memset(seen, 0, bitmap_words(search->index) * sizeof(*seen));
	for (int64_t i = 0; i < filter->nseen; i++)
		seen[filter->seen[i] / 64] |= UINT64_C(1) << (filter->seen[i] % 64);
	search->seen = seen;
}

/* Takes the query in: its copies, its norm and the errors that follow from it. */
static void
take_query(Search *search, const Workspace *work, const float *query)
{
	const MfIndex *index = search->index;
	double		squares = 0;
	double		unit = 1;

	search->query = work->query;
	search->exact = work->exact;
	memset(search->query, 0, index->ld * sizeof(float));
	for (int j = 0; j < index->factors; j++)
	{
		search->exact[j] = query[j];
		squares += search->exact[j] * search->exact[j];
	}
	search->exact_norm = sqrt(squares);
	if (search->cosine && squares > 0)
		unit = 1 / search->exact_norm;
	for (int j = 0; j < index->factors; j++)
		search->query[j] = (float) (search->exact[j] * unit);
	search->norm = search->exact_norm * unit * (1 + 1e-6) + 1e-300;
	/* normalising rounds each coordinate once more */
	search->error = (mf_scan_error(index->ld) + 0x1.0p-23) * search->norm;
	search->code.code = work->code;
	search->code.coordinate = work->coordinate;
	search->coded = index->coded > 0 && mf_codes_query(&search->code, index, search->query, search->norm);
	search->bounds.per_norm = search->cosine ? INFINITY : float_above(search->norm);
	search->bounds.per_error = search->code.per_error;
	search->bounds.per_length = search->code.per_length;
	search->bounds.per_rest = search->code.per_rest;
	search->bounds.per_skew = search->code.per_skew;
	search->bounds.unit = search->code.unit;
	search->bounds.shift = search->code.shift;
}

/* Makes a search for the best k, k <= nitems, with no item looked at yet. */
static void
start_search(Search *search, const MfIndex *index, const float *query, int k, const MfFilter *filter,
			 const Workspace *work, bool cosine)
{
	memset(search, 0, sizeof(*search));
	search->index = index;
	search->scan = mf_scan();
	search->filter = filter;
	search->cosine = cosine;
	search->later = work->later;
	search->slot = work->slot;
	search->nslots = work->nslots;
	if (filter->group != NULL)
		memset(work->slot, 0, work->nslots * sizeof(GroupSlot));
	search->prefetch = (int) (index->ld * sizeof(float) < 512 ? index->ld * sizeof(float) : 512);
	take_query(search, work, query);
	mf_pool_start(&search->pool, work->entry, index->item, k);
	if (filter->nseen > FEW_SEEN)
		mark_seen(search, work->seen);
}

/* Writes the result of a search; returns how many items it has. */
static int
finish_search(Search *search, int32_t *item, float *score, MfTopkStats *stats)
{
	MfPool	   *pool = &search->pool;

	if (search->filter->group != NULL)
		cut_groups(search);
	else
	{
		mf_pool_shrink(pool);
		score_pool(search);
		mf_pool_cut(pool);
		mf_pool_sort(pool);
	}
	for (int i = 0; i < pool->count; i++)
	{
		item[i] = search->index->item[pool->entry[i].position];
		score[i] = (float) pool->entry[i].score;
	}
	if (stats != NULL)
	{
		stats->coded += search->stats.coded;
		stats->scored += search->stats.scored;
		stats->rescored += search->stats.rescored;
	}
	return pool->count;
}

/* A whole search by score or by cosine; see mf_topk_search(). */
static int
run_search(const MfIndex *index, const float *query, int k, const MfFilter *filter, void *workspace,
		   bool cosine, int32_t *item, float *score, MfTopkStats *stats)
{
	static const MfFilter everything = {0};
	Workspace	work;
	Search		search;

	k = useful_k(index, k);
	if (k <= 0)
		return 0;
	if (filter == NULL)
		filter = &everything;
	work = divide_space(index, k, workspace);
	start_search(&search, index, query, k, filter, &work, cosine);
	if (filter->candidates != NULL && filter->ncandidates <= FEW_CANDIDATES)
		search_candidates(&search, work.position);
	else if (!search_zero(&search))
	{
		if (filter->candidates != NULL)
			mark_candidates(&search, work.mask);
		else if (filter->allowed != NULL)
			mark_allowed(&search, work.mask);
		search_first(&search);
		for (int64_t block = 0; block < index->nblocks && search_next(&search, block); block++)
			;
		search_last(&search);
	}
	return finish_search(&search, item, score, stats);
}

/*
 * The best k items for a query of d finite floats, among those that the filter (NULL: all) lets in:
 * item[] and score[] have room for k, best first, ties by smaller item.  Returns how many there are.
 * The workspace has mf_topk_workspace(index, k) bytes, 64-byte aligned.  stats may be NULL.
 */
int
mf_topk_search(const MfIndex *index, const float *query, int k, const MfFilter *filter,
			   void *workspace, int32_t *item, float *score, MfTopkStats *stats)
{
	return run_search(index, query, k, filter, workspace, false, item, score, stats);
}

/*
 * The same by cosine, without offsets: (query . v) / (|query| |v|), 0 for a vector of length 0.  The
 * item that the query belongs to is left out by the filter.
 */
int
mf_topk_similar(const MfIndex *index, const float *query, int k, const MfFilter *filter,
				void *workspace, int32_t *item, float *similarity, MfTopkStats *stats)
{
	return run_search(index, query, k, filter, workspace, true, item, similarity, stats);
}

/* Queries that go through an index together, so that codes are fetched from memory once for all. */
#define BATCH_QUERIES 8

/* A batch at work. */
typedef struct BatchState
{
	const MfIndex *index;
	const MfBatch *batch;
	char	   *workspace;		/* BATCH_QUERIES of `size` bytes per worker */
	size_t		size;
} BatchState;

/* Bytes of 64-byte aligned scratch space that mf_topk_batch() needs. */
size_t
mf_topk_batch_workspace(const MfIndex *index, int k, const MfParallel *parallel)
{
	return mf_topk_workspace(index, k) * BATCH_QUERIES * mf_workers(parallel);
}

/* What query q of a batch lets in. */
static MfFilter
batch_filter(const MfBatch *batch, int64_t q)
{
	MfFilter	filter = {0};

	if (batch->filter != NULL)
		filter = *batch->filter;
	filter.seen = NULL;
	filter.nseen = 0;
	if (batch->seen_start != NULL)
	{
		filter.seen = batch->seen + batch->seen_start[q];
		filter.nseen = batch->seen_start[q + 1] - batch->seen_start[q];
	}
	return filter;
}

/* Searches for n queries of a batch, one after the other: each looks at little of the index. */
static void
search_each(const BatchState *state, int64_t first, int n, char *workspace)
{
	const MfBatch *batch = state->batch;

	for (int64_t q = first; q < first + n; q++)
	{
		MfFilter	filter = batch_filter(batch, q);

		batch->count[q] = mf_topk_search(state->index, batch->query + q * state->index->ld, batch->k, &filter,
										 workspace, batch->item + q * batch->k, batch->score + q * batch->k,
										 NULL);
	}
}

/* Searches for n queries of a batch block by block of the index. */
static void
search_together(const BatchState *state, int64_t first, int n, char *workspace)
{
	const MfIndex *index = state->index;
	const MfBatch *batch = state->batch;
	int			k = useful_k(index, batch->k);
	Search		search[BATCH_QUERIES];
	MfFilter	filter[BATCH_QUERIES];
	bool		more[BATCH_QUERIES];

	for (int i = 0; i < n; i++)
	{
		Workspace	work = divide_space(index, k, workspace + i * state->size);

		filter[i] = batch_filter(batch, first + i);
		start_search(&search[i], index, batch->query + (first + i) * index->ld, k, &filter[i], &work, false);
		more[i] = !search_zero(&search[i]);
		if (more[i])
			search_first(&search[i]);
	}
	for (int64_t block = 0; block < index->nblocks; block++)
		for (int i = 0; i < n; i++)
			more[i] = more[i] && search_next(&search[i], block);
	for (int i = 0; i < n; i++)
	{
		int64_t		q = first + i;

		search_last(&search[i]);
		batch->count[q] = finish_search(&search[i], batch->item + q * batch->k, batch->score + q * batch->k,
										NULL);
	}
}

/* BATCH_QUERIES queries of a batch. */
static void
run_batch(void *argument, int64_t part, int worker)
{
	const BatchState *state = argument;
	const MfBatch *batch = state->batch;
	int64_t		first = part * BATCH_QUERIES;
	int64_t		left = batch->nqueries - first;
	int			n = left < BATCH_QUERIES ? (int) left : BATCH_QUERIES;
	char	   *workspace = state->workspace + worker * BATCH_QUERIES * state->size;

	if (state->index->coded > 0 && batch->k > 0 &&
		(batch->filter == NULL || batch->filter->candidates == NULL))
		search_together(state, first, n, workspace);
	else
		search_each(state, first, n, workspace);
}

/*
 * Searches for all queries of a batch, as mf_topk_search() does for one.  The workspace has
 * mf_topk_batch_workspace() bytes.  Returns false when it was cancelled.
 */
bool
mf_topk_batch(const MfIndex *index, const MfBatch *batch, void *workspace, const MfParallel *parallel)
{
	BatchState	state = {index, batch, workspace, mf_topk_workspace(index, batch->k)};
	int64_t		parts = (batch->nqueries + BATCH_QUERIES - 1) / BATCH_QUERIES;

	return mf_parallel_blocks(parallel, parts, run_batch, &state);
}

/* The scores of chosen items, 0 <= item < nitems, as a search computes them. */
void
mf_topk_score(const MfIndex *index, const float *query, const int32_t *item, int64_t nitems, float *score)
{
	for (int64_t i = 0; i < nitems; i++)
	{
		int32_t		position = index->position[item[i]];
		const float *vector = index->vector + (size_t) position * index->ld;
		double		sum = 0;

		for (int j = 0; j < index->factors; j++)
			sum += (double) query[j] * vector[j];
		score[i] = (float) (index->offset == NULL ? sum : sum + index->offset[position]);
	}
}

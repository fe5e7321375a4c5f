/*
 * topk_quantized.c - what codes say of the items of a block, for one search or for several at once; sq4.c and sq8.c
 * say what they bound, topk.c why the result is exact.
 */
#include "core/topk/topk_state.h"

#include <math.h>

/* An item is scored at once when codes need to have missed only this share of what they can miss. */
#define LIKELY 0.25f

/* So many searches together are worth a kernel for MF_SQ8_TILE. */
#define ENOUGH_SEARCHES 3

/* Puts what a query says of all blocks into bounds. */
static void
bound_query(const MfSearch *search, const MfSqQuery *query, MfSqBounds *bounds)
{
	bounds->per_norm = search->cosine ? INFINITY : mf_float_above(search->norm);
	for (int h = 0; h < 2; h++)
		bounds->per_half[h] = mf_float_above(search->half[h]);
	bounds->per_error = query->per_error;
	bounds->per_length = query->per_length;
	bounds->per_rest = query->per_rest;
	bounds->per_skew = query->per_skew;
	bounds->unit = query->unit;
	bounds->shift = query->shift;
}

/* Has a search go by these 8-bit codes where they say something: not of cosines, nor to a query out of range. */
void
mf_search_use_sq8(MfSearch *search, const MfSq8 *sq8)
{
	search->sq8_query.code = search->space.sq8_code;
	if (search->cosine ||
		!mf_sq8_query(&search->sq8_query, search->space.query, search->index->ld, search->norm))
		return;
	bound_query(search, &search->sq8_query, &search->sq8_bounds);
	search->sq8 = sq8;
}

/*
 * Whether a search can go by 4-bit codes.  The query is expressed in their terms when that is asked first: most searches
 * where norms prune end before.
 */
bool
mf_search_use_sq4(MfSearch *search)
{
	const MfIndex *index = search->index;
	MfSqQuery  *query = &search->sq4_query;

	if (search->sq4_asked)
		return search->sq4;
	search->sq4_asked = true;
	query->code = search->space.sq4_code;
	query->coordinate = search->space.coordinate;
	search->sq4 = index->sq4.dims > 0 && mf_sq4_query(query, index, search->space.query, search->norm);
	if (search->sq4)
		bound_query(search, query, &search->sq4_bounds);
	return search->sq4;
}

/*
 * Looks again at what was put off: drops what the threshold has passed; has the rest scored, or keeps it, if it is
 * not too much.
 */
void
mf_search_review_deferred(MfSearch *search, bool score)
{
	MfDeferred *deferred = search->space.deferred;
	int			kept = 0;

	for (int i = 0; i < search->ndeferred; i++)
	{
		MfDeferred	item = deferred[i];

		if (item.upper < search->reservoir.threshold)
			continue;
		if (score)
			mf_search_enqueue(search, item.position);
		else
			deferred[kept++] = item;
	}
	search->ndeferred = kept;
	if (kept > MF_DEFERRED / 2)
		mf_search_review_deferred(search, true);
}

/* Puts an item off that scores at most `upper`. */
static inline void
defer(MfSearch *search, float upper, int32_t position)
{
	MfDeferred *deferred = &search->space.deferred[search->ndeferred++];

	deferred->upper = upper;
	deferred->position = position;
	if (search->ndeferred == MF_DEFERRED)
		mf_search_review_deferred(search, false);
}

/* What 4-bit codes may have missed of a pack's scores: see MfSqBounds. */
static inline float
missed_by_sq4(const MfSearch *search, int64_t pack)
{
	const MfIndex *index = search->index;
	const MfSqQuery *query = &search->sq4_query;

	return query->per_error * index->sq4.error[pack] + query->per_length * index->sq4.length[pack] +
		query->per_rest * index->sq4.rest[pack] + query->per_skew * index->pack_norm[pack];
}

/*
 * Goes through a pack's items whose 4-bit codes have passed.  Those that are likely to be good are scored now, and
 * raise the threshold.  The others can mostly be dropped at the end, without a look at their vectors: codes miss
 * much less than the bound of it says.
 */
static void
judge_pack(MfSearch *search, int64_t pack, uint32_t passed)
{
	const MfIndex *index = search->index;
	const MfSq4 *sq4 = &index->sq4;
	float		scale = search->sq4_query.unit * sq4->step[pack];
	float		missed = missed_by_sq4(search, pack);
	int32_t		sum[MF_PACK];

	search->kernels->sq4_sums(sq4->code + (size_t) pack * sq4->dims * 8, sq4->dims, search->sq4_query.code, sum);
	for (; passed != 0; passed &= passed - 1)
	{
		int			i = __builtin_ctz(passed);
		int32_t		position = (int32_t) (pack * MF_PACK + i);
		float		score = scale * ((float) sum[i] - search->sq4_query.shift);
		float		upper = score + missed + 2 * scale;

		if (search->cosine && !index->directions)
		{
			upper /= upper > 0 ? sq4->least_norm[pack] : index->pack_norm[pack];
			score /= index->norm[position];
		}
		else if (index->offset != NULL)
		{
			upper += index->offset[position];
			score += index->offset[position];
		}
		/* two steps are for rounding, as in sq_bound() */
		upper += fabsf(upper) * 0x1.0p-18f + missed * 0x1.0p-18f;
		if (score + LIKELY * missed >= search->reservoir.threshold)
			mf_search_enqueue(search, position);
		else if (!(upper < search->reservoir.threshold))
			defer(search, upper, position);
	}
}

/* Points bounds at a block's packs, with the threshold that there is by now; arrays of codes are left to the caller. */
static void
bound_block(const MfSearch *search, int64_t block, MfSqBounds *bounds)
{
	const MfIndex *index = search->index;
	int64_t		first = block * MF_BLOCK_PACKS;

	bounds->norm = index->pack_norm + first;
	for (int h = 0; h < 2; h++)
		bounds->half[h] = search->cosine || !mf_index_has_halves(index) ? NULL : index->pack_half[h] + first;
	bounds->offset = search->cosine || index->pack_offset == NULL ? NULL : index->pack_offset + first;
	bounds->least_norm = search->cosine && !index->directions ? index->sq4.least_norm + first : NULL;
	bounds->threshold = mf_float_below(search->reservoir.threshold);
}

/*
 * The packs among `live` of a block that norms do not rule out; least_sum (MF_BLOCK_PACKS) becomes what sums of
 * products of codes must reach there.  Counts their items as looked at.
 */
static uint64_t
bound_live(MfSearch *search, const MfSqBounds *bounds, uint64_t live, int32_t *least_sum)
{
	live &= search->kernels->sq_bound(bounds, least_sum);
	search->stats.coded += live == UINT64_MAX ? MF_BLOCK : MF_PACK * __builtin_popcountll(live);
	return live;
}

/* Looks at the 4-bit codes of a block's packs, those among `live`, and at the items that they cannot rule out. */
void
mf_search_sq4(MfSearch *search, int64_t block, uint64_t live)
{
	const MfSq4 *sq4 = &search->index->sq4;
	int64_t		first = block * MF_BLOCK_PACKS;
	MfSqBounds *bounds = &search->sq4_bounds;
	int32_t		least_sum[MF_BLOCK_PACKS];
	uint16_t	passed[MF_BLOCK_PACKS];

	bound_block(search, block, bounds);
	bounds->step = sq4->step + first;
	bounds->error = sq4->error + first;
	bounds->length = sq4->length + first;
	bounds->rest = sq4->rest + first;
	live = bound_live(search, bounds, live, least_sum);
	live = search->kernels->sq4_scan(sq4->code + (size_t) first * sq4->dims * 8, sq4->dims, search->sq4_query.code,
									 live, least_sum, passed);
	for (; live != 0; live &= live - 1)
	{
		int64_t		pack = first + __builtin_ctzll(live);

		judge_pack(search, pack, passed[pack - first] & mf_search_pack_mask(search, pack));
	}
	/* what waits would raise the threshold */
	mf_search_catch_up(search);
}

/* As bound_live(), by the 8-bit codes of a block. */
static uint64_t
bound_sq8(MfSearch *search, int64_t block, uint64_t live, int32_t *least_sum)
{
	const MfSq8 *sq8 = search->sq8;
	int64_t		first = block * MF_BLOCK_PACKS;
	MfSqBounds *bounds = &search->sq8_bounds;

	bound_block(search, block, bounds);
	bounds->step = sq8->step + first;
	bounds->error = sq8->error + first;
	bounds->length = sq8->length + first;
	bounds->rest = sq8->zero;
	return bound_live(search, bounds, live, least_sum);
}

/* Has the items of a block scored whose 8-bit codes have passed: those that say so are few, and mostly good. */
static void
take_passed(MfSearch *search, int64_t block, uint64_t found, const uint16_t *passed)
{
	for (; found != 0; found &= found - 1)
	{
		int			p = __builtin_ctzll(found);
		int64_t		pack = block * MF_BLOCK_PACKS + p;
		uint32_t	items = passed[p] & mf_search_pack_mask(search, pack);

		for (; items != 0; items &= items - 1)
			mf_search_enqueue(search, (int32_t) (pack * MF_PACK + __builtin_ctz(items)));
	}
	mf_search_catch_up(search);
}

/* Looks at the 8-bit codes of a block's packs, those among `live`, and at the items that they cannot rule out. */
void
mf_search_sq8(MfSearch *search, int64_t block, uint64_t live)
{
	int			ld = search->index->ld;
	const uint8_t *code = search->sq8->code + (size_t) block * MF_BLOCK * ld;
	int32_t		least_sum[MF_BLOCK_PACKS];
	uint16_t	passed[MF_BLOCK_PACKS];

	live = bound_sq8(search, block, live, least_sum);
	live = search->kernels->sq8_scan(code, ld, search->sq8_query.code, live, least_sum, passed);
	take_passed(search, block, live, passed);
}

/* Takes up to MF_SQ8_TILE searches through a block by its 8-bit codes, each through its packs live[]. */
static void
search_tile(MfSearch *const *search, const uint64_t *live, int n, int64_t block, MfSq8Tile *tile)
{
	const MfIndex *index = search[0]->index;
	int64_t		first = block * MF_BLOCK_PACKS;

	tile->nqueries = n;
	for (int i = 0; i < n; i++)
	{
		tile->query[i] = search[i]->sq8_query.code;
		tile->live[i] = bound_sq8(search[i], block, live[i], tile->least_sum[i]);
	}
	search[0]->kernels->sq8_scan_tile(search[0]->sq8->code + (size_t) first * index->ld * MF_PACK, index->ld, tile);
	for (int i = 0; i < n; i++)
		take_passed(search[i], block, tile->found[i], tile->passed[i]);
}

/*
 * Looks at a block's codes for n searches, at the packs live[i] for search i: by 8-bit codes so many at a time where
 * there are enough, else each by its 4-bit codes.
 */
void
mf_search_together(MfSearch *search, const uint64_t *live, int n, int64_t block, MfSq8Tile *tile)
{
	MfSearch   *member[MF_SQ8_TILE];
	uint64_t	packs[MF_SQ8_TILE];
	int			count = 0;

	for (int i = 0; i < n; i++)
	{
		if (live[i] != 0 && search[i].sq8 == NULL)
			mf_search_sq4(&search[i], block, live[i]);
		else if (live[i] != 0)
		{
			member[count] = &search[i];
			packs[count++] = live[i];
		}
		if (count == MF_SQ8_TILE || (i == n - 1 && count >= ENOUGH_SEARCHES))
		{
			search_tile(member, packs, count, block, tile);
			count = 0;
		}
	}
	for (int i = 0; i < count; i++)
	{
		if (mf_search_use_sq4(member[i]))
			mf_search_sq4(member[i], block, packs[i]);
		else
			mf_search_sq8(member[i], block, packs[i]);
	}
}

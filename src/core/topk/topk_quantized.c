/*
 * topk_quantized.c - looks at blocks of items by their codes, for one search or for several at once;
 * sq4.c and sq8.c say what they bound, topk.c why that is exact.
 */
#include "core/topk/topk_search.h"

#include <math.h>

/* An item is scored at once when codes need to have missed only this share of what they can miss. */
#define LIKELY 0.25f

/* So many searches together are worth a kernel for MF_TILE. */
#define ENOUGH_SEARCHES 3

/* Looks again at what was put off: drops what the floor has outrun, or scores it all. */
void
mf_search_review(MfSearch *search, bool score)
{
	int			kept = 0;

	for (int i = 0; i < search->nlater; i++)
	{
		MfLater		later = search->later[i];

		if (later.most < search->pool.floor)
			continue;
		if (score)
			mf_search_position(search, later.position);
		else
			search->later[kept++] = later;
	}
	search->nlater = kept;
	if (kept > MF_LATER / 2)
		mf_search_review(search, true);
}

/* Puts an item off that scores at most this. */
static inline void
add_later(MfSearch *search, float most, int32_t position)
{
	MfLater	   *later = &search->later[search->nlater++];

	later->most = most;
	later->position = position;
	if (search->nlater == MF_LATER)
		mf_search_review(search, false);
}

/*
 * Goes through a panel's items whose codes have passed.  Those that are likely to be good are scored
 * now, and push the floor up.  The others can mostly be dropped at the end, without a look at their
 * vectors: codes miss much less than the bound of it says.
 */
static void
judge_panel(MfSearch *search, int64_t panel, uint32_t passed)
{
	const MfIndex *index = search->index;
	const MfCodeQuery *code = &search->code;
	float		scale = code->unit * index->panel_step[panel];
	float		missed = code->per_error * index->panel_error[panel] +
		code->per_length * index->panel_length[panel] + code->per_rest * index->panel_rest[panel] +
		code->per_skew * index->panel_norm[panel];
	int32_t		sum[MF_PANEL];

	search->kernels->sum_codes(index->code + (size_t) panel * index->coded * 8, index->coded, code->code, sum);
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
			mf_search_position(search, position);
		else if (!(most < search->pool.floor))
			add_later(search, most, position);
	}
}

/* Points bounds at a block's panels: what norms, offsets and the floor say, whatever the codes. */
static void
bound_block(const MfSearch *search, int64_t block, MfCodeBounds *bounds)
{
	const MfIndex *index = search->index;
	int64_t		first = block * MF_BLOCK_PANELS;

	bounds->norm = index->panel_norm + first;
	bounds->offset = search->cosine || index->panel_offset == NULL ? NULL : index->panel_offset + first;
	bounds->least = search->cosine ? index->panel_least + first : NULL;
	bounds->floor = mf_float_below(search->pool.floor);
}

/* Counts the items in these panels of a block as looked at by their codes. */
static void
count_coded(MfSearch *search, uint64_t live)
{
	search->stats.coded += live == UINT64_MAX ? MF_BLOCK : MF_PANEL * __builtin_popcountll(live);
}

/* Looks at the codes of a block's panels, those among `live`, and at the items that they cannot rule out. */
void
mf_search_codes(MfSearch *search, int64_t block, uint64_t live)
{
	const MfIndex *index = search->index;
	int64_t		first = block * MF_BLOCK_PANELS;
	MfCodeBounds *bounds = &search->bounds;
	int32_t		threshold[MF_BLOCK_PANELS];
	uint16_t	passed[MF_BLOCK_PANELS];

	bound_block(search, block, bounds);
	bounds->step = index->panel_step + first;
	bounds->error = index->panel_error + first;
	bounds->length = index->panel_length + first;
	bounds->rest = index->panel_rest + first;
	live &= search->kernels->bound_codes(bounds, threshold);
	count_coded(search, live);
	live = search->kernels->scan_codes(index->code + (size_t) first * index->coded * 8, index->coded,
									search->code.code, live, threshold, passed);
	for (; live != 0; live &= live - 1)
	{
		int64_t		panel = first + __builtin_ctzll(live);

		judge_panel(search, panel, passed[panel - first] & mf_search_panel_mask(search, panel));
	}
	/* what waits would let the floor rise */
	mf_search_catch_up(search);
}

/* The panels among `live` that a search has to look at by their fine codes, and its thresholds. */
static uint64_t
bound_fine(MfSearch *search, int64_t block, uint64_t live, int32_t *threshold)
{
	const MfFine *fine = search->fine;
	const MfCodeQuery *query = &search->fine_code;
	int64_t		first = block * MF_BLOCK_PANELS;
	MfCodeBounds bounds;

	bound_block(search, block, &bounds);
	bounds.step = fine->step + first;
	bounds.error = fine->error + first;
	bounds.length = fine->length + first;
	bounds.rest = fine->zero;
	bounds.per_norm = search->bounds.per_norm;
	bounds.per_error = query->per_error;
	bounds.per_length = query->per_length;
	bounds.per_rest = query->per_rest;
	bounds.per_skew = query->per_skew;
	bounds.unit = query->unit;
	bounds.shift = query->shift;
	live &= search->kernels->bound_codes(&bounds, threshold);
	count_coded(search, live);
	return live;
}

/* Scores the items of a block whose fine codes have passed, in panels `found`. */
static void
take_passed(MfSearch *search, int64_t block, uint64_t found, const uint16_t *passed)
{
	for (; found != 0; found &= found - 1)
	{
		int			p = __builtin_ctzll(found);
		int64_t		panel = block * MF_BLOCK_PANELS + p;
		uint32_t	items = passed[p] & mf_search_panel_mask(search, panel);

		for (; items != 0; items &= items - 1)
			mf_search_position(search, (int32_t) (panel * MF_PANEL + __builtin_ctz(items)));
	}
	mf_search_catch_up(search);
}

/* Looks at the fine codes of a block's panels, those among `live`, and at the items that they cannot rule out. */
void
mf_search_fine(MfSearch *search, int64_t block, uint64_t live)
{
	int			ld = search->index->ld;
	const uint8_t *code = search->fine->code + (size_t) block * MF_BLOCK * ld;
	int32_t		threshold[MF_BLOCK_PANELS];
	uint16_t	passed[MF_BLOCK_PANELS];

	live = bound_fine(search, block, live, threshold);
	live = search->kernels->scan_fine(code, ld, search->fine_code.code, live, threshold, passed);
	take_passed(search, block, live, passed);
}

/* Takes up to MF_TILE searches through a block by its fine codes, each through its panels live[]. */
static void
search_tile(MfSearch *const *search, const uint64_t *live, int n, int64_t block, MfCodeTile *tile)
{
	const MfIndex *index = search[0]->index;
	int64_t		first = block * MF_BLOCK_PANELS;

	tile->nqueries = n;
	for (int i = 0; i < n; i++)
	{
		tile->query[i] = search[i]->fine_code.code;
		tile->live[i] = bound_fine(search[i], block, live[i], tile->threshold[i]);
	}
	search[0]->kernels->scan_tile(search[0]->fine->code + (size_t) first * index->ld * MF_PANEL, index->ld, tile);
	for (int i = 0; i < n; i++)
		take_passed(search[i], block, tile->found[i], tile->passed[i]);
}

/* Looks at a block's codes for n searches, at the panels live[i] for search i. */
void
mf_search_together(MfSearch *search, const uint64_t *live, int n, int64_t block, MfCodeTile *tile)
{
	MfSearch   *member[MF_TILE];
	uint64_t	panels[MF_TILE];
	int			count = 0;

	for (int i = 0; i < n; i++)
	{
		if (live[i] != 0 && search[i].fine == NULL)
			mf_search_codes(&search[i], block, live[i]);
		else if (live[i] != 0)
		{
			member[count] = &search[i];
			panels[count++] = live[i];
		}
		if (count == MF_TILE || (i == n - 1 && count >= ENOUGH_SEARCHES))
		{
			search_tile(member, panels, count, block, tile);
			count = 0;
		}
	}
	for (int i = 0; i < count; i++)
		mf_search_codes(member[i], block, panels[i]);
}

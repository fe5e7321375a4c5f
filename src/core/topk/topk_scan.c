/*
 * topk_scan.c - looks at items: blocks, packs, floats and doubles; topk.c says why that is exact.
 */
#include "core/topk/topk_search.h"

#include <math.h>
#include <string.h>

/* Products of norms beyond this are not trusted to floats. */
#define FLOAT_RANGE 1e37

/* The packs, by bits, of the first block that set a threshold before the codes of others are looked at. */
#define FIRST_PACKS 0xf

/* Vectors shorter than this are not normalised in float. */
#define LEAST_NORM 1e-30f

/*
 * Makes the scores of four entries exact.  Coordinate after coordinate, as a naive scan adds them up,
 * is a chain of additions that wait for each other; four of them fill the time.
 */
static void
score_four(MfSearch *search, MfReservoirEntry *const *entry)
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
void
mf_search_score_reservoir(MfSearch *search)
{
	MfReservoirEntry *four[4];
	int			n = 0;

	for (int i = 0; i < search->reservoir.count; i++)
	{
		if (search->reservoir.entry[i].error == 0)
			continue;
		four[n++] = &search->reservoir.entry[i];
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

/* Makes room in the reservoir and raises its threshold, when that is due. */
static void
tend_reservoir(MfSearch *search)
{
	MfReservoir *reservoir = &search->reservoir;

	if (search->filter->group != NULL)
	{
		if (reservoir->count >= reservoir->limit)
			mf_search_cut_groups(search);
		return;
	}
	if (reservoir->count < reservoir->limit && (reservoir->threshold > -INFINITY || reservoir->count < reservoir->k))
		return;
	if (!mf_reservoir_shrink(reservoir))
	{
		mf_search_score_reservoir(search);
		mf_reservoir_cut(reservoir);
	}
}

/* How many bits of a pack's mask are set: mostly all of them. */
static inline int
count_bits(uint32_t mask)
{
	return mask == 0xffff ? MF_PACK : __builtin_popcount(mask);
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

/* Scores sixteen items and puts those into the reservoir that may be among the best. */
static void
score_sixteen(MfSearch *search, const Sixteen *sixteen)
{
	const MfIndex *index = search->index;
	bool		cosine = search->cosine;
	uint32_t	wanted = sixteen->wanted;
	float		score[MF_PACK];
	double		error = search->error * (cosine ? 1.0 : sixteen->most) + index->ld * 0x1.0p-149;
	bool		trusted = cosine ? sixteen->least > LEAST_NORM && sixteen->most < 1 / LEAST_NORM :
		search->norm * sixteen->most < FLOAT_RANGE;

	if (cosine)
		error += index->ld * 0x1.0p-149 / LEAST_NORM;
	search->stats.scored += count_bits(wanted);
	if (trusted)
		wanted &= search->kernels->score_rows(search->query, index->ld, index->vector, sixteen->position,
										   cosine ? sixteen->norm : NULL, cosine ? NULL : sixteen->offset,
										   mf_float_below(search->reservoir.threshold - error), score);
	for (; wanted != 0; wanted &= wanted - 1)
	{
		int			i = __builtin_ctz(wanted);
		int32_t		position = sixteen->position[i];
		int32_t		item = index->item[position];
		double		about = trusted ? score[i] : 0;
		float		off = INFINITY;

		if (trusted)
			off = (float) ((error + fabs(about) * MF_SCORE_ROUNDING) * 1.0001);
		if (!mf_search_admits(search, item))
			continue;
		if (search->filter->group != NULL && mf_search_crowds_out(search, item, about + off))
			continue;
		mf_reservoir_add(&search->reservoir, about, off, position);
	}
	tend_reservoir(search);
}

/* Scores sixteen of the pending positions, or what there is. */
static void
score_pending(MfSearch *search)
{
	const MfIndex *index = search->index;
	int			n = search->npending < MF_PACK ? search->npending : MF_PACK;
	int32_t    *position = search->pending + search->npending - n;
	float		norm[MF_PACK];
	float		offset[MF_PACK];
	Sixteen		sixteen = {position, norm, NULL, (uint32_t) ((UINT64_C(1) << n) - 1), 0, INFINITY};

	for (int i = n; i < MF_PACK; i++)
		position[i] = position[0];
	for (int i = 0; i < MF_PACK; i++)
	{
		norm[i] = index->norm[position[i]];
		sixteen.most = norm[i] > sixteen.most ? norm[i] : sixteen.most;
		sixteen.least = norm[i] < sixteen.least ? norm[i] : sixteen.least;
	}
	if (index->offset != NULL)
	{
		for (int i = 0; i < MF_PACK; i++)
			offset[i] = index->offset[position[i]];
		sixteen.offset = offset;
	}
	/* stored norms are to the nearest */
	sixteen.most *= 1 + 0x1.0p-20f;
	score_sixteen(search, &sixteen);
	search->npending -= n;
}

/* Scores what is pending, if only so many are left that they do not fill a pack: by the next time. */
void
mf_search_catch_up(MfSearch *search)
{
	while (search->npending >= MF_PACK)
		score_pending(search);
}

/* Scores all that is pending. */
static void
flush_pending(MfSearch *search)
{
	while (search->npending > 0)
		score_pending(search);
}

/* Notes a position to be scored, and fetches its row. */
void
mf_search_position(MfSearch *search, int32_t position)
{
	const char *row = (const char *) (search->index->vector + (size_t) position * search->index->ld);

	for (int line = 0; line < search->prefetch; line += 64)
		__builtin_prefetch(row + line);
	search->pending[search->npending++] = position;
	if (search->npending == MF_PENDING)
		score_pending(search);
}

/* No item of the pack scores more. */
static inline double
pack_bound(const MfSearch *search, int64_t pack)
{
	const MfIndex *index = search->index;

	if (search->cosine)
		return INFINITY;
	return search->norm * index->pack_norm[pack] +
		(index->pack_offset == NULL ? 0 : index->pack_offset[pack]);
}

/* No item of the block scores more. */
static inline double
block_bound(const MfSearch *search, int64_t block)
{
	const MfIndex *index = search->index;

	if (search->cosine)
		return INFINITY;
	return search->norm * index->block_norm[block] +
		(index->block_offset == NULL ? 0 : index->block_offset[block]);
}

/* Scores the items of a pack that are in mask. */
static void
search_pack(MfSearch *search, int64_t pack, uint32_t mask)
{
	const MfIndex *index = search->index;
	int32_t		first = (int32_t) (pack * MF_PACK);
	int32_t		position[MF_PACK];
	Sixteen		sixteen = {position, index->norm + first, NULL, mask, index->pack_norm[pack], INFINITY};

	for (int i = 0; i < MF_PACK; i++)
	{
		position[i] = first + i;
		if (search->cosine)
			sixteen.least = sixteen.norm[i] < sixteen.least ? sixteen.norm[i] : sixteen.least;
	}
	if (index->offset != NULL)
		sixteen.offset = index->offset + first;
	score_sixteen(search, &sixteen);
}

/* Scores the items of a pack that are in mask, at once or with others later. */
static void
visit_pack(MfSearch *search, int64_t pack, uint32_t mask)
{
	if (count_bits(mask) >= MF_PACK / 2)
		search_pack(search, pack, mask);
	else
		for (; mask != 0; mask &= mask - 1)
			mf_search_position(search, (int32_t) (pack * MF_PACK + __builtin_ctz(mask)));
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
search_packs(MfSearch *search, int64_t block, uint64_t live)
{
	for (; live != 0; live &= live - 1)
	{
		int64_t		pack = block * MF_BLOCK_PACKS + __builtin_ctzll(live);

		if (pack_bound(search, pack) >= search->reservoir.threshold)
			visit_pack(search, pack, mf_search_pack_mask(search, pack));
	}
}

/* No item of the block or a later one scores more. */
static inline double
tail_bound(const MfSearch *search, int64_t block)
{
	const MfIndex *index = search->index;

	if (search->cosine)
		return INFINITY;
	return search->norm * index->block_norm[block] +
		(index->tail_offset == NULL ? 0 : index->tail_offset[block]);
}

/* The block with the largest bound: where a search had better begin. */
static int64_t
best_block(const MfSearch *search)
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

/* Codes can say of a block's items whether they are worth a look. */
static inline bool
has_codes(const MfSearch *search, int64_t block)
{
	return search->sq4 || (search->sq8 != NULL && block < search->sq8->nblocks);
}

/* Begins with the most promising block, where it has codes with a few of its packs. */
void
mf_search_first(MfSearch *search)
{
	search->first = best_block(search);
	search->begun = search->sq8 != NULL && has_codes(search, search->first) ? FIRST_PACKS : UINT64_MAX;
	if (search->index->nblocks > 0)
		search_packs(search, search->first, block_mask(search, search->first) & search->begun);
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
	if (has_codes(search, block) && fabs(search->reservoir.threshold) < FLOAT_RANGE)
		*live = packs;
	else
		search_packs(search, block, packs);
	return true;
}

/* Goes on with a block, if it may hold one of the best; false when no later one can. */
bool
mf_search_next(MfSearch *search, int64_t block)
{
	uint64_t	live;

	if (!mf_search_next_packs(search, block, &live))
		return false;
	if (live != 0 && search->sq4)
		mf_search_sq4(search, block, live);
	else if (live != 0)
		mf_search_sq8(search, block, live);
	return true;
}

/* Ends with all that was put off. */
void
mf_search_last(MfSearch *search)
{
	flush_pending(search);
	mf_search_review(search, true);
	flush_pending(search);
}

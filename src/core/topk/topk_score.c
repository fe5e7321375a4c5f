/*
 * topk_score.c - scores of items, in float and in double, and the reservoir that they go into; topk.c says why the
 * result is exact.
 *
 * Single items wait in a queue until there is a pack of them: by then their rows have been fetched.
 */
#include "core/topk/topk_state.h"

#include <string.h>

/* Vectors shorter than this, or longer than one over it, are not normalised in float. */
#define LEAST_NORM 1e-30f

/*
 * Makes the scores of four entries exact.  Coordinate after coordinate, as a naive scan adds them up,
 * is a chain of additions that wait for each other; four of them fill the time.
 */
static void
score_four(MfSearch *search, MfReservoirEntry *const *entry)
{
	const MfIndex *index = search->index;
	const double *exact = search->space.exact;
	const float *vector[4];
	double		sum[4] = {0};
	double		squares[4] = {0};

	for (int i = 0; i < 4; i++)
		vector[i] = mf_index_row(index, entry[i]->position, search->space.row + i * index->ld);
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
score_reservoir(MfSearch *search)
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

/* Keeps the first k by rank, with exact scores. */
void
mf_search_cut(MfSearch *search)
{
	score_reservoir(search);
	mf_reservoir_cut(&search->reservoir);
}

/* Keeps the first k by rank with at most so many of each group; the entries end up sorted, with exact scores. */
void
mf_search_cut_groups(MfSearch *search)
{
	MfReservoir *reservoir = &search->reservoir;
	int			kept = 0;

	score_reservoir(search);
	mf_reservoir_sort(reservoir);
	memset(search->space.slot, 0, search->space.nslots * sizeof(MfGroupSlot));
	for (int i = 0; i < reservoir->count && kept < reservoir->k; i++)
	{
		int32_t		item = search->index->item[reservoir->entry[i].position];

		if (mf_search_group_take(search, search->filter->group[item], reservoir->entry[i].score))
			reservoir->entry[kept++] = reservoir->entry[i];
	}
	reservoir->count = kept;
	mf_reservoir_cut(reservoir);
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
	if (reservoir->count < reservoir->limit &&
		(reservoir->threshold > -INFINITY || reservoir->count < reservoir->k))
		return;
	if (!mf_reservoir_shrink(reservoir))
		mf_search_cut(search);
}

/* MF_PACK items to be scored: positions next to each other, or from the queue. */
typedef struct Pack
{
	const int32_t *position;
	const float *norm;			/* of each */
	const float *offset;		/* of each; or NULL */
	uint32_t	wanted;			/* bits of those that count */
	float		most;			/* no norm of them is larger */
	float		least;			/* nor smaller; matters for cosines */
} Pack;

/*
 * Whether float scores of a pack are to be trusted; if so, *error is what they are off by at most, but for
 * MF_SCORE_ROUNDING of a score.
 */
static bool
float_error(const MfSearch *search, const Pack *pack, double *error)
{
	double		underflow = search->index->ld * 0x1.0p-149;

	if (search->cosine)
	{
		*error = search->error + underflow + underflow / LEAST_NORM;
		return pack->least > LEAST_NORM && pack->most < 1 / LEAST_NORM;
	}
	*error = search->error * pack->most + underflow;
	return search->norm * pack->most < MF_FLOAT_RANGE;
}

/*
 * Adds an item, whose score is within `error`, to the reservoir, if the filter lets it in and its group has room.
 */
static inline void
offer(MfSearch *search, int32_t position, double score, float error)
{
	int32_t		item = search->index->item[position];

	if (!mf_search_admits(search, item))
		return;
	if (search->filter->group != NULL && mf_search_group_excludes(search, item, score + error))
		return;
	mf_reservoir_add(&search->reservoir, score, error, position);
}

/* Scores a pack in float, by cosine or with offsets; returns the bits of scores that are at least threshold. */
static uint32_t
score_rows(const MfSearch *search, const Pack *pack, double threshold, float *score)
{
	static const int32_t in_order[MF_PACK] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	const MfIndex *index = search->index;
	const float *base = index->vector;
	const int32_t *position = pack->position;
	const float *norm = search->cosine ? pack->norm : NULL;
	const float *offset = search->cosine ? NULL : pack->offset;

	if (index->rows.row != NULL)
	{
		for (int i = 0; i < MF_PACK; i++)
		{
			float	   *space = search->space.row + i * index->ld;
			const float *row = mf_index_row(index, position[i], space);

			if (row != space)
				memcpy(space, row, index->ld * sizeof(float));
		}
		base = search->space.row;
		position = in_order;
	}
	if (base == NULL)
		return search->kernels->score_narrow(search->space.query, index->ld, &index->narrow, position, norm, offset,
											 mf_float_below(threshold), score);
	return search->kernels->score_rows(search->space.query, index->ld, base, position, norm, offset,
									   mf_float_below(threshold), score);
}

/* Scores a pack of items in float and puts those into the reservoir that may be among the best. */
static void
score_pack(MfSearch *search, const Pack *pack)
{
	uint32_t	wanted = pack->wanted;
	float		score[MF_PACK];
	double		error;
	bool		trusted = float_error(search, pack, &error);

	search->stats.scored += mf_count_bits(wanted);
	if (trusted)
		wanted &= score_rows(search, pack, search->reservoir.threshold - error, score);
	for (; wanted != 0; wanted &= wanted - 1)
	{
		int			i = __builtin_ctz(wanted);

		if (trusted)
			offer(search, pack->position[i], score[i],
				  (float) ((error + fabs((double) score[i]) * MF_SCORE_ROUNDING) * 1.0001));
		else
			offer(search, pack->position[i], 0, INFINITY);
	}
	tend_reservoir(search);
}

/* Scores the items of a pack that are in mask. */
void
mf_search_score_pack(MfSearch *search, int64_t number, uint32_t mask)
{
	const MfIndex *index = search->index;
	int32_t		first = (int32_t) (number * MF_PACK);
	int32_t		position[MF_PACK];
	Pack		pack = {position, index->norm + first, NULL, mask, index->pack_norm[number], INFINITY};

	for (int i = 0; i < MF_PACK; i++)
	{
		position[i] = first + i;
		if (!search->cosine)
			continue;
		pack.least = pack.norm[i] < pack.least ? pack.norm[i] : pack.least;
		pack.most = pack.norm[i] > pack.most ? pack.norm[i] : pack.most;
	}
	if (index->offset != NULL)
		pack.offset = index->offset + first;
	score_pack(search, &pack);
}

/* Scores a pack of the pending positions, or what there is. */
static void
score_pending(MfSearch *search)
{
	const MfIndex *index = search->index;
	int			n = search->npending < MF_PACK ? search->npending : MF_PACK;
	int32_t    *position = search->pending + search->npending - n;
	float		norm[MF_PACK];
	float		offset[MF_PACK];
	Pack		pack = {position, norm, NULL, (uint32_t) ((UINT64_C(1) << n) - 1), 0, INFINITY};

	for (int i = n; i < MF_PACK; i++)
		position[i] = position[0];
	for (int i = 0; i < MF_PACK; i++)
	{
		norm[i] = index->norm[position[i]];
		pack.most = norm[i] > pack.most ? norm[i] : pack.most;
		pack.least = norm[i] < pack.least ? norm[i] : pack.least;
	}
	if (index->offset != NULL)
	{
		for (int i = 0; i < MF_PACK; i++)
			offset[i] = index->offset[position[i]];
		pack.offset = offset;
	}
	/* stored norms are to the nearest */
	pack.most *= 1 + 0x1.0p-20f;
	score_pack(search, &pack);
	search->npending -= n;
}

/* Has the first `bytes` bytes of a row fetched. */
static inline void
fetch_row(const char *row, int bytes)
{
	for (int line = 0; line < bytes; line += 64)
		__builtin_prefetch(row + line);
}

/* Puts a position into the queue of those to be scored, and fetches its row. */
void
mf_search_enqueue(MfSearch *search, int32_t position)
{
	const MfIndex *index = search->index;

	/* of another index's rows this fetches nothing that is wrong, at most in vain */
	if (index->vector != NULL)
		fetch_row((const char *) (index->vector + (size_t) position * index->ld), search->prefetch);
	for (int p = 0; p < mf_index_narrow_parts(index); p++)
		fetch_row((const char *) (index->narrow.number[p] + (size_t) position * index->narrow.stride[p]),
				  index->narrow.stride[p] * (int) sizeof(int16_t));
	search->pending[search->npending++] = position;
	if (search->npending == MF_PENDING)
		score_pending(search);
}

/* Scores what is pending, as far as it fills packs: the rest may wait for more. */
void
mf_search_catch_up(MfSearch *search)
{
	while (search->npending >= MF_PACK)
		score_pending(search);
}

/* Scores all that is pending. */
void
mf_search_flush(MfSearch *search)
{
	while (search->npending > 0)
		score_pending(search);
}

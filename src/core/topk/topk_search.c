/*
 * topk_search.c - how a search begins and ends: its workspace, its query and its result.
 */
#include "core/topk/topk_search.h"

#include <string.h>

#include "core/base/rng.h"
#include "core/linalg/dot.h"

/* At most as many as there are items. */
int
mf_search_k(const MfIndex *index, int k)
{
	return k < index->nitems ? k : (int) index->nitems;
}

/* Divides a workspace for the best k <= nitems.  Most of it is touched only where filters are long. */
void
mf_search_lay_out(MfSearchSpace *space, MfArena *arena, const MfIndex *index, int k)
{
	size_t		entries = (size_t) mf_reservoir_limit(k) + MF_RESERVOIR_MARGIN;
	bool		has_codes = index->sq4.dims > 0 || index->sq8.nblocks > 0;

	space->nslots = 16;
	while (space->nslots < 2 * entries)
		space->nslots *= 2;
	space->query = mf_arena_floats(arena, index->ld);
	space->exact = mf_arena_take(arena, index->ld * sizeof(double));
	space->coordinate = mf_arena_floats(arena, index->sq4.dims);
	space->sq4_code = mf_arena_take(arena, index->sq4.dims);
	space->sq8_code = mf_arena_take(arena, has_codes ? index->ld : 0);
	space->deferred = mf_arena_take(arena, index->sq4.dims > 0 ? MF_DEFERRED * sizeof(MfDeferred) : 0);
	space->entry = mf_arena_take(arena, entries * sizeof(MfReservoirEntry));
	space->slot = mf_arena_take(arena, space->nslots * sizeof(MfGroupSlot));
	space->row = mf_arena_floats(arena, mf_index_has_rows(index) ? 0 : (size_t) (MF_PACK * index->ld));
	space->position = mf_arena_take(arena, MF_FEW_CANDIDATES * sizeof(int32_t));
	space->mask = mf_arena_take(arena, mf_bitmap_words(index) * sizeof(uint64_t));
	space->seen = mf_arena_take(arena, mf_bitmap_words(index) * sizeof(uint64_t));
}

/* A little more than the norm of n numbers of a query, above 0. */
static double
norm_above(const float *query, int n)
{
	return sqrt(mf_dot(query, query, n)) * (1 + 1e-6) + 1e-300;
}

/* Takes the query (d floats) in: its copies, its norm and the errors that follow from it. */
static void
take_query(MfSearch *search, const float *query)
{
	const MfIndex *index = search->index;
	MfSearchSpace *space = &search->space;
	double		squares = 0;
	double		unit = 1;

	memset(space->query, 0, index->ld * sizeof(float));
	for (int j = 0; j < index->factors; j++)
	{
		space->exact[j] = query[j];
		squares += space->exact[j] * space->exact[j];
	}
	search->exact_norm = sqrt(squares);
	if (search->cosine && squares > 0)
		unit = 1 / search->exact_norm;
	for (int j = 0; j < index->factors; j++)
		space->query[j] = (float) (space->exact[j] * unit);
	search->norm = search->exact_norm * unit * (1 + 1e-6) + 1e-300;
	if (mf_index_has_halves(index) && !search->cosine)
	{
		search->half[0] = norm_above(query, index->shared);
		search->half[1] = norm_above(query + index->shared, index->factors - index->shared);
	}
	/* normalising rounds each coordinate once more */
	search->error = (mf_score_error(index->ld) + 0x1.0p-23) * search->norm;
	if (index->sq8.nblocks > 0)
		mf_search_use_sq8(search, &index->sq8);
}

/*
 * The lot of a query (d), by its bits: the same query has the same one, and another query another.  A sum, so that no
 * coordinate waits for those before it.
 */
static uint64_t
lot_of(const float *query, int d)
{
	uint64_t	lot = 0;

	for (int j = 0; j < d; j++)
	{
		uint32_t	bits;

		memcpy(&bits, query + j, sizeof(bits));
		lot += mf_mix64((uint64_t) (j + 1) << 32 | bits);
	}
	return lot;
}

/*
 * Makes a search for the best k, 1 <= k <= nitems, with no item looked at yet; what it is given must stay.  The
 * workspace has been laid out for this k.
 */
void
mf_search_start(MfSearch *search, const MfIndex *index, const float *query, int k, const MfFilter *filter,
				const MfSearchSpace *space, bool cosine)
{
	memset(search, 0, sizeof(*search));
	search->index = index;
	search->kernels = mf_score();
	search->filter = filter;
	search->space = *space;
	search->cosine = cosine;
	if (filter->group != NULL)
		memset(space->slot, 0, space->nslots * sizeof(MfGroupSlot));
	search->prefetch = (int) (index->ld * sizeof(float) < 512 ? index->ld * sizeof(float) : 512);
	take_query(search, query);
	mf_reservoir_start(&search->reservoir, space->entry, index->item, lot_of(query, index->factors), k);
	if (filter->nseen > 0)
		mf_search_mark_seen(search);
}

/* Writes the result of a search, best first, and adds what it did to stats (or NULL); returns how many items it has. */
int
mf_search_finish(MfSearch *search, int32_t *item, float *score, MfTopkStats *stats)
{
	MfReservoir *reservoir = &search->reservoir;

	if (search->filter->group != NULL)
		mf_search_cut_groups(search);
	else
	{
		mf_reservoir_shrink(reservoir);
		mf_search_cut(search);
		mf_reservoir_sort(reservoir);
	}
	for (int i = 0; i < reservoir->count; i++)
	{
		item[i] = search->index->item[reservoir->entry[i].position];
		score[i] = (float) reservoir->entry[i].score;
	}
	if (stats != NULL)
	{
		stats->coded += search->stats.coded;
		stats->scored += search->stats.scored;
		stats->rescored += search->stats.rescored;
	}
	return reservoir->count;
}

/*
 * topk.c - the best items for a vector, exactly.
 *
 * Given p, the score of item i is s_i = p.v_i + o_i, computed in double, coordinate after coordinate:
 * what a naive scan computes.  The result is the first k items by (score descending, number
 * ascending) that the filter lets in.  It is found without computing most of the scores:
 *
 * 1. The threshold.  As soon as k items are known to score at least t, an item that is known to score
 *	  less than t cannot be in the result.  It would be behind those k, whatever the rest holds.  The
 *	  reservoir of candidates keeps the largest such t, its threshold, which only rises.
 * 2. Packs.  p.v <= |p| |v| (Cauchy-Schwarz), so no item of a pack scores more than |p| times the
 *	  pack's largest norm plus its largest offset.  Packs and blocks whose bound is below the threshold
 *	  are passed over, and a search ends where no later block can reach it: norms descend.
 * 3. Floats.  An item that is looked at is scored in float, which is off by at most e (score.h).  It
 *	  goes into the reservoir when float score + e reaches the threshold, and an item of the reservoir counts
 *	  towards the threshold with float score - e.
 * 4. Doubles.  What is left in the reservoir at the end, or when it overflows, is scored in double; those
 *	  scores alone decide who is in and in which order.
 *
 * Bounds are rounded upwards: norms are stored a little larger than they are, which also covers the
 * rounding of the double score itself (relative 2^-53 d against 2^-22).  Where |p| |v| is so large that
 * floats could overflow, e is infinite, and the double score decides.
 *
 * At most n per group: the best k by that rule, taken greedily, are the best k of those that are among
 * the n best of their group.  More items only push that k-th score up, so floors work as before.
 */
#include "core/topk/topk.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/rounding.h"
#include "core/kernels/score.h"
#include "core/topk/reservoir.h"
#include "core/topk/sq4.h"
#include "core/topk/topk_search.h"

/* Where the parts of a search's workspace are. */
typedef struct Workspace
{
	float	   *query;
	double	   *exact;
	float	   *coordinate;
	int8_t	   *code;
	int8_t	   *sq8;
	MfDeferred *deferred;
	MfReservoirEntry *entry;
	MfGroupSlot *slot;
	uint32_t	nslots;
	int32_t    *position;		/* MF_FEW_CANDIDATES */
	uint64_t   *mask;			/* by position */
	uint64_t   *seen;			/* a bitmap by item, or a hash table of items */
	size_t		size;
} Workspace;

/* Divides a workspace for the best k; space may be NULL to learn the size alone. */
static Workspace
divide_space(const MfIndex *index, int k, void *space)
{
	Workspace	work;
	size_t		used = 0;
	size_t		entries = (size_t) mf_reservoir_limit(k) + MF_RESERVOIR_MARGIN;

	work.nslots = 16;
	while (work.nslots < 2 * entries)
		work.nslots *= 2;
	work.query = mf_take_space(space, &used, index->ld * sizeof(float));
	work.exact = mf_take_space(space, &used, index->ld * sizeof(double));
	work.coordinate = mf_take_space(space, &used, index->sq4.dims * sizeof(float));
	work.code = mf_take_space(space, &used, index->sq4.dims);
	work.sq8 = mf_take_space(space, &used, index->sq4.dims > 0 || index->sq8.nblocks > 0 ? index->ld : 0);
	work.deferred = mf_take_space(space, &used, index->sq4.dims > 0 ? MF_DEFERRED * sizeof(MfDeferred) : 0);
	work.entry = mf_take_space(space, &used, entries * sizeof(MfReservoirEntry));
	work.slot = mf_take_space(space, &used, work.nslots * sizeof(MfGroupSlot));
	work.position = mf_take_space(space, &used, MF_FEW_CANDIDATES * sizeof(int32_t));
	work.mask = mf_take_space(space, &used, mf_bitmap_words(index) * sizeof(uint64_t));
	work.seen = mf_take_space(space, &used, mf_bitmap_words(index) * sizeof(uint64_t));
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
 * A query of length 0 without offsets: every score is 0, so the result is the first k items by number.
 * Returns whether this is such a search, which is over then.
 */
static bool
search_zero(MfSearch *search)
{
	const MfIndex *index = search->index;
	const MfFilter *filter = search->filter;
	MfReservoir *reservoir = &search->reservoir;

	if (search->exact_norm > 0 || filter->candidates != NULL ||
		(index->offset != NULL && !search->cosine))
		return false;
	for (int32_t item = 0; item < index->nitems && reservoir->count < reservoir->k; item++)
		if (mf_search_admits(search, item) &&
			(filter->group == NULL || mf_search_take(search, filter->group[item], 0)))
			mf_reservoir_add(reservoir, 0, 0, index->position[item]);
	return true;
}

/* Looks at a few candidates, one by one. */
static void
search_candidates(MfSearch *search, int32_t *position)
{
	int			n = mf_search_find_candidates(search, position);

	for (int i = 0; i < n; i++)
		mf_search_position(search, position[i]);
	mf_search_last(search);
}

/* Takes the query in: its copies, its norm and the errors that follow from it. */
static void
take_query(MfSearch *search, const Workspace *work, const float *query)
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
	search->error = (mf_score_error(index->ld) + 0x1.0p-23) * search->norm;
	search->sq4_query.code = work->code;
	search->sq4_query.coordinate = work->coordinate;
	search->sq4 = index->sq4.dims > 0 && mf_sq4_query(&search->sq4_query, index, search->query, search->norm);
	search->sq8_query.code = work->sq8;
	if (index->sq8.nblocks > 0 && !search->cosine && mf_sq8_query(&search->sq8_query, search->query, index->ld, search->norm))
		search->sq8 = &index->sq8;
	search->sq4_bounds.per_norm = search->cosine ? INFINITY : mf_float_above(search->norm);
	search->sq4_bounds.per_error = search->sq4_query.per_error;
	search->sq4_bounds.per_length = search->sq4_query.per_length;
	search->sq4_bounds.per_rest = search->sq4_query.per_rest;
	search->sq4_bounds.per_skew = search->sq4_query.per_skew;
	search->sq4_bounds.unit = search->sq4_query.unit;
	search->sq4_bounds.shift = search->sq4_query.shift;
}

/* Makes a search for the best k, k <= nitems, with no item looked at yet. */
static void
start_search(MfSearch *search, const MfIndex *index, const float *query, int k, const MfFilter *filter,
			 const Workspace *work, bool cosine)
{
	memset(search, 0, sizeof(*search));
	search->index = index;
	search->kernels = mf_score();
	search->filter = filter;
	search->cosine = cosine;
	search->deferred = work->deferred;
	search->slot = work->slot;
	search->nslots = work->nslots;
	if (filter->group != NULL)
		memset(work->slot, 0, work->nslots * sizeof(MfGroupSlot));
	search->prefetch = (int) (index->ld * sizeof(float) < 512 ? index->ld * sizeof(float) : 512);
	take_query(search, work, query);
	mf_reservoir_start(&search->reservoir, work->entry, index->item, k);
	if (filter->nseen > 0)
		mf_search_mark_seen(search, work->seen);
}

/* Writes the result of a search; returns how many items it has. */
static int
finish_search(MfSearch *search, int32_t *item, float *score, MfTopkStats *stats)
{
	MfReservoir *reservoir = &search->reservoir;

	if (search->filter->group != NULL)
		mf_search_cut_groups(search);
	else
	{
		mf_reservoir_shrink(reservoir);
		mf_search_score_reservoir(search);
		mf_reservoir_cut(reservoir);
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

/* A whole search by score or by cosine; see mf_topk_search(). */
static int
run_search(const MfIndex *index, const float *query, int k, const MfFilter *filter, void *workspace,
		   bool cosine, int32_t *item, float *score, MfTopkStats *stats)
{
	static const MfFilter everything = {0};
	Workspace	work;
	MfSearch	search;

	k = useful_k(index, k);
	if (k <= 0)
		return 0;
	if (filter == NULL)
		filter = &everything;
	work = divide_space(index, k, workspace);
	start_search(&search, index, query, k, filter, &work, cosine);
	if (filter->candidates != NULL && filter->ncandidates <= MF_FEW_CANDIDATES)
		search_candidates(&search, work.position);
	else if (!search_zero(&search))
	{
		if (filter->candidates != NULL)
			mf_search_mark_candidates(&search, work.mask);
		else if (filter->allowed != NULL)
			mf_search_mark_allowed(&search, work.mask);
		mf_search_first(&search);
		for (int64_t block = 0; block < index->nblocks && mf_search_next(&search, block); block++)
			;
		mf_search_last(&search);
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
#define BATCH_QUERIES (4 * MF_SQ8_TILE)

/* A batch at work. */
typedef struct BatchState
{
	const MfIndex *index;
	const MfTopkBatch *batch;
	const MfParallel *parallel;
	char	   *workspace;		/* worker_size bytes a worker: BATCH_QUERIES of `size`, and a tile */
	size_t		size;
	size_t		worker_size;
} BatchState;

/* Bytes of scratch space that a worker on a batch needs. */
static size_t
batch_worker_size(const MfIndex *index, int k)
{
	size_t		used = 0;

	mf_take_space(NULL, &used, BATCH_QUERIES * mf_topk_workspace(index, k));
	mf_take_space(NULL, &used, sizeof(MfSq8Tile));
	return used;
}

/* Bytes of 64-byte aligned scratch space that mf_topk_batch() needs. */
size_t
mf_topk_batch_workspace(const MfIndex *index, int k, const MfParallel *parallel)
{
	return batch_worker_size(index, k) * mf_workers(parallel);
}

/* What query q of a batch lets in. */
static MfFilter
batch_filter(const MfTopkBatch *batch, int64_t q)
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
	const MfTopkBatch *batch = state->batch;

	for (int64_t q = first; q < first + n; q++)
	{
		MfFilter	filter = batch_filter(batch, q);

		batch->count[q] = mf_topk_search(state->index, batch->query + q * state->index->ld, batch->k, &filter,
										 workspace, batch->item + q * batch->k, batch->score + q * batch->k,
										 NULL);
	}
}

/* Searches for n queries of a batch block by block of the index; leaves early when it is cancelled. */
static void
search_together(const BatchState *state, int64_t first, int n, char *workspace)
{
	const MfIndex *index = state->index;
	const MfTopkBatch *batch = state->batch;
	int			k = useful_k(index, batch->k);
	MfSearch	search[BATCH_QUERIES];
	MfFilter	filter[BATCH_QUERIES];
	bool		more[BATCH_QUERIES];
	uint64_t	live[BATCH_QUERIES];
	MfSq8Tile  *tile = (MfSq8Tile *) (void *) (workspace + BATCH_QUERIES * state->size);

	for (int i = 0; i < n; i++)
	{
		Workspace	work = divide_space(index, k, workspace + i * state->size);

		filter[i] = batch_filter(batch, first + i);
		start_search(&search[i], index, batch->query + (first + i) * index->ld, k, &filter[i], &work, false);
		if (batch->sq8 != NULL && mf_sq8_query(&search[i].sq8_query, search[i].query, index->ld, search[i].norm))
			search[i].sq8 = batch->sq8;
		more[i] = !search_zero(&search[i]);
		if (more[i])
			mf_search_first(&search[i]);
	}
	for (int64_t block = 0; block < index->nblocks && !mf_cancelled(state->parallel); block++)
	{
		for (int i = 0; i < n; i++)
		{
			live[i] = 0;
			more[i] = more[i] && mf_search_next_packs(&search[i], block, &live[i]);
		}
		mf_search_together(search, live, n, block, tile);
	}
	for (int i = 0; i < n; i++)
	{
		int64_t		q = first + i;

		mf_search_last(&search[i]);
		batch->count[q] = finish_search(&search[i], batch->item + q * batch->k, batch->score + q * batch->k,
										NULL);
	}
}

/* BATCH_QUERIES queries of a batch. */
static void
run_batch(void *argument, int64_t part, int worker)
{
	const BatchState *state = argument;
	const MfTopkBatch *batch = state->batch;
	int64_t		first = part * BATCH_QUERIES;
	int64_t		left = batch->nqueries - first;
	int			n = left < BATCH_QUERIES ? (int) left : BATCH_QUERIES;
	char	   *workspace = state->workspace + worker * state->worker_size;

	if (state->index->sq4.dims > 0 && batch->k > 0 &&
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
mf_topk_batch(const MfIndex *index, const MfTopkBatch *batch, void *workspace, const MfParallel *parallel)
{
	BatchState	state = {index, batch, parallel, workspace, mf_topk_workspace(index, batch->k),
	batch_worker_size(index, batch->k)};
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

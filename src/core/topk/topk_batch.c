/*
 * topk_batch.c - searches for many vectors at once.
 *
 * Where norms are flat, every search looks at all codes, so some of them go through the index together and share
 * each block's codes while they are in the cache.  Where norms prune, each looks at little, one after the other.
 */
#include "core/topk/topk.h"
#include "core/topk/topk_search.h"

/* Queries that go through an index together. */
#define BATCH_QUERIES (4 * MF_SQ8_TILE)

/* A worker's workspace. */
typedef struct WorkerSpace
{
	MfSearchSpace search[BATCH_QUERIES];
	MfSq8Tile  *tile;
} WorkerSpace;

/* A batch at work. */
typedef struct BatchSearch
{
	const MfIndex *index;
	const MfTopkBatch *batch;
	const MfScore *kernels;		/* of searches together */
	const MfParallel *parallel;
	char	   *workspace;		/* worker_size bytes a worker */
	size_t		worker_size;
} BatchSearch;

/* Divides a worker's workspace, of searches for the best k. */
static void
lay_out_worker(WorkerSpace *space, MfArena *arena, const MfIndex *index, int k)
{
	for (int i = 0; i < BATCH_QUERIES; i++)
		mf_search_lay_out(&space->search[i], arena, index, mf_search_k(index, k));
	space->tile = mf_arena_take(arena, sizeof(MfSq8Tile));
}

/* Bytes of a worker's workspace. */
static size_t
worker_size(const MfIndex *index, int k)
{
	MfArena		arena = {NULL, 0};
	WorkerSpace space;

	lay_out_worker(&space, &arena, index, k);
	return arena.used;
}

/* Bytes of 64-byte aligned workspace that mf_topk_batch() needs. */
size_t
mf_topk_batch_workspace(const MfIndex *index, int k, const MfParallel *parallel)
{
	return worker_size(index, k) * mf_workers(parallel);
}

/* What query q of a batch lets in. */
static MfFilter
query_filter(const MfTopkBatch *batch, int64_t q)
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
search_each(const BatchSearch *state, int64_t first, int n, char *workspace)
{
	const MfTopkBatch *batch = state->batch;

	for (int64_t q = first; q < first + n; q++)
	{
		MfFilter	filter = query_filter(batch, q);

		batch->count[q] = mf_topk_search(state->index, batch->query + q * state->index->ld, batch->k, &filter,
										 workspace, batch->item + q * batch->k, batch->score + q * batch->k,
										 NULL);
	}
}

/* Starts the search of query q. */
static void
start_query(const BatchSearch *state, int64_t q, MfSearch *search, const MfFilter *filter, const MfSearchSpace *space)
{
	const MfIndex *index = state->index;
	const MfTopkBatch *batch = state->batch;

	mf_search_start(search, index, batch->query + q * index->ld, mf_search_k(index, batch->k), filter, space, false);
	search->kernels = state->kernels;
	if (batch->sq8 != NULL)
		mf_search_use_sq8(search, batch->sq8);
	mf_search_first(search);
}

/* Searches for n queries of a batch block by block of the index; leaves early when it is cancelled. */
static void
search_together(const BatchSearch *state, int64_t first, int n, char *workspace)
{
	const MfIndex *index = state->index;
	const MfTopkBatch *batch = state->batch;
	MfArena		arena = {workspace, 0};
	WorkerSpace space;
	MfSearch	search[BATCH_QUERIES];
	MfFilter	filter[BATCH_QUERIES];
	bool		more[BATCH_QUERIES];
	uint64_t	live[BATCH_QUERIES];

	lay_out_worker(&space, &arena, index, batch->k);
	for (int i = 0; i < n; i++)
	{
		filter[i] = query_filter(batch, first + i);
		start_query(state, first + i, &search[i], &filter[i], &space.search[i]);
		more[i] = true;
	}
	for (int64_t turn = 0; turn < index->nblocks && !mf_cancelled(state->parallel); turn++)
	{
		int64_t		block = mf_index_visited(index, turn);

		for (int i = 0; i < n; i++)
		{
			live[i] = 0;
			more[i] = more[i] && mf_search_next_packs(&search[i], block, &live[i]);
		}
		mf_search_together(search, live, n, block, space.tile);
	}
	for (int i = 0; i < n; i++)
	{
		int64_t		q = first + i;

		mf_search_last(&search[i]);
		batch->count[q] = mf_search_finish(&search[i], batch->item + q * batch->k, batch->score + q * batch->k,
										   NULL);
	}
}

/* Whether searches of a batch go through the index together. */
static bool
goes_together(const MfIndex *index, const MfTopkBatch *batch)
{
	return mf_index_is_flat(index) && batch->k > 0 && (batch->filter == NULL || batch->filter->candidates == NULL);
}

/* Task: BATCH_QUERIES queries of a batch. */
static void
run_part(void *argument, int64_t part, int worker)
{
	const BatchSearch *state = argument;
	const MfTopkBatch *batch = state->batch;
	int64_t		first = part * BATCH_QUERIES;
	int64_t		left = batch->nqueries - first;
	int			n = left < BATCH_QUERIES ? (int) left : BATCH_QUERIES;
	char	   *workspace = state->workspace + worker * state->worker_size;

	if (goes_together(state->index, batch))
		search_together(state, first, n, workspace);
	else
		search_each(state, first, n, workspace);
}

/*
 * Searches for all queries of a batch, as mf_topk_search() does for one.  The workspace has
 * mf_topk_batch_workspace() bytes, 64-byte aligned.  Returns false when it was cancelled.
 */
bool
mf_topk_batch(const MfIndex *index, const MfTopkBatch *batch, void *workspace, const MfParallel *parallel)
{
	BatchSearch state = {index, batch, mf_score(), parallel, workspace, worker_size(index, batch->k)};
	int64_t		parts = (batch->nqueries + BATCH_QUERIES - 1) / BATCH_QUERIES;

	if (goes_together(index, batch) && batch->sq8 != NULL)
		state.kernels = mf_score_batch();
	return mf_parallel_for(parallel, parts, run_part, &state);
}

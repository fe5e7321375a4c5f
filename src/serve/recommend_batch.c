/*
 * recommend_batch.c - the lists of many users at a time, from their stored vectors, by threads.
 *
 * The search is that of a single user; where it has to look at all items, as the image's index knows,
 * users go through them together (core/topk/sq8.c).
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "core/base/arena.h"
#include "core/topk/diversify.h"
#include "core/topk/sq8.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "serve/recommend_batch.h"
#include "serve/recommender.h"

/* With fewer users than this, 8-bit codes take longer to make than they save. */
#define ENOUGH_USERS 256

/* Bytes that would make the lists of so many users faster; 0 where nothing would. */
int64
Sq8Bytes(const Image *image, int64 users)
{
	return mf_index_is_flat(&image->index) && users >= ENOUGH_USERS ? mf_sq8_size(&image->index) : 0;
}

/* What a thread needs to finish a list: first boosts are added, then items are chosen. */
typedef struct FinishSpace
{
	bool	   *out;			/* boosts->n */
	MfScored   *entry;			/* most_ranked */
	const float **vector;		/* batch.k */
	float	   *row;			/* batch.k x ld: these, where the index does not have them as floats */
	void	   *diversify;
	int32	   *taken;			/* by group, how many a list has: 0 between lists; NULL: groups do not matter here */
	int			most_ranked;
} FinishSpace;

/*
 * How many groups there are to be counted once boosts are there, 0 where none are.  The search has counted them among
 * items without a boost, which is enough where there are no others.
 */
static int32
GroupsOfBoosted(const Lists *lists)
{
	const MfFilter *filter = lists->batch.filter;
	int32		most = 0;

	if (lists->boosts == NULL || filter == NULL || filter->group == NULL)
		return 0;
	for (int64 i = 0; i < lists->image->nitems; i++)
		most = Max(most, filter->group[i]);
	return most + 1;
}

/*
 * Lays out what a thread needs, at the beginning of an arena.  Its size depends on the lists alone, so that each
 * worker's part begins a multiple of it behind the first one.
 */
static void
LayOutFinish(FinishSpace *space, MfArena *arena, const Lists *lists)
{
	int			n = lists->batch.k;
	int64		boosted = lists->boosts ? lists->boosts->n : 0;
	bool		caps = lists->ngroups > 0;

	space->out = mf_arena_take(arena, sizeof(bool) * boosted);
	space->most_ranked = (int) (caps ? Min(n + boosted, lists->image->nitems) : n);
	space->entry = mf_arena_take(arena, sizeof(MfScored) * space->most_ranked);
	space->vector = mf_arena_take(arena, sizeof(float *) * n);
	space->row = mf_arena_floats(arena, lists->diversity > 0 && !mf_index_has_rows(&lists->image->index) ?
								 (Size) n * lists->image->index.ld : 0);
	space->diversify = mf_arena_take(arena, mf_diversify_workspace(n));
	space->taken = caps ? mf_arena_take(arena, sizeof(int32) * lists->ngroups) : NULL;
}

/*
 * Room for lists of at most k items of that diversity for `capacity` users at a time, in the current memory context:
 * filter (NULL: none yet) is all of theirs, boosts (NULL: none) are of items that it excludes; sq8: with Sq8Bytes.
 */
void
InitLists(Lists *lists, const Image *image, const MfFilter *filter, int k, double diversity, const Boosts *boosts,
		  int64 capacity, bool sq8, const MfParallel *parallel)
{
	MfTopkBatch *batch = &lists->batch;
	MfArena		arena = {NULL, 0};
	FinishSpace space;

	memset(lists, 0, sizeof(Lists));
	lists->image = image;
	lists->parallel = parallel;
	lists->capacity = Max(capacity, 1);
	lists->k = (int) Min(k, image->nitems);
	lists->diversity = diversity;
	lists->boosts = boosts;
	batch->filter = filter;
	lists->ngroups = GroupsOfBoosted(lists);
	batch->k = (int) Min(PoolLength(diversity, k), image->nitems);
	batch->item = HugeArray(lists->capacity * batch->k, sizeof(int32));
	batch->score = HugeArray(lists->capacity * batch->k, sizeof(float));
	batch->count = HugeArray(lists->capacity, sizeof(int32));
	lists->space = AlignedArray(mf_topk_batch_workspace(&image->index, batch->k, parallel), 1);
	LayOutFinish(&space, &arena, lists);
	lists->finish_bytes = arena.used;
	if (diversity > 0 || boosts)
	{
		lists->finish_space = AlignedArray(arena.used * mf_workers(parallel), 1);
		memset(lists->finish_space, 0, arena.used * mf_workers(parallel));
	}
	if (!sq8)
		return;
	if (!mf_sq8_build(&lists->sq8, AlignedArray(mf_sq8_size(&image->index), 1), &image->index, parallel))
		CheckCore(MF_CANCELLED);
	batch->sq8 = &lists->sq8;
}

/*
 * Keeps the first k of a ranking with at most so many of each group; taken: 0 of each, before and after.
 *
 * The ranking has all boosted items, but only the first k others of which no group has too many among themselves.  That
 * is enough: each of those that falls out here makes place for a boosted item of its group that is ahead of it, so none
 * behind the first k could come in.
 */
static void
CapRanked(MfHeap *heap, const MfFilter *filter, int k, int32 *taken)
{
	int			n = 0;

	for (int i = 0; i < heap->count && n < k; i++)
	{
		int32		group = filter->group[heap->entry[i].number];

		if (group <= 0 || taken[group] < filter->per_group)
		{
			taken[group]++;
			heap->entry[n++] = heap->entry[i];
		}
	}
	heap->count = n;
	for (int i = 0; i < n; i++)
		taken[filter->group[heap->entry[i].number]] = 0;
}

/* Adds boosts to list q.  The search has left boosted items out; what a user has is kept out here. */
static void
BoostList(const Lists *lists, int64 q, const FinishSpace *space)
{
	const MfTopkBatch *batch = &lists->batch;
	const Boosts *boosts = lists->boosts;
	int32	   *item = batch->item + q * batch->k;
	MfHeap		heap;

	memset(space->out, false, boosts->n);
	if (batch->seen_start)
		MarkBoosted(boosts, batch->seen + batch->seen_start[q], batch->seen_start[q + 1] - batch->seen_start[q], true,
					space->out);
	mf_heap_start(&heap, space->entry, space->most_ranked);
	RankBoosted(boosts, space->out, lists->image, batch->query + q * lists->image->index.ld,
				BoostUnit(lists->image, lists->spread[q]), item, batch->count[q], &heap);
	if (space->taken)
		CapRanked(&heap, batch->filter, batch->k, space->taken);
	batch->count[q] = ListRanked(&heap, item, batch->score + q * batch->k);
}

/* Adds boosts to list q, and chooses its items; for a thread. */
static void
FinishList(void *state, int64 q, int worker)
{
	Lists	   *lists = state;
	MfTopkBatch *batch = &lists->batch;
	const MfIndex *index = &lists->image->index;
	MfArena		arena = {lists->finish_space + worker * lists->finish_bytes, 0};
	int32	   *item = batch->item + q * batch->k;
	FinishSpace space;
	MfPool		pool;

	LayOutFinish(&space, &arena, lists);
	if (lists->boosts && batch->k > 0)
		BoostList(lists, q, &space);
	pool = (MfPool) {batch->count[q], index->ld, space.vector, item, batch->score + q * batch->k};
	for (int i = 0; lists->diversity > 0 && i < pool.n; i++)
		space.vector[i] = mf_index_vector(index, item[i], space.row + (Size) i * index->ld);
	if (lists->diversity > 0)
		mf_diversify(&pool, lists->diversity, lists->k, space.diversify);
	batch->count[q] = Min(batch->count[q], lists->k);
}

/*
 * Makes the lists of n users, at most as many as there is room for: their vectors, ld floats each, 64-byte
 * aligned; user q's leaves out seen[seen_start[q]] .. seen[seen_start[q + 1] - 1], in any order.
 */
void
MakeLists(Lists *lists, int64 n, const float *vectors, const int64 *seen_start, const int32 *seen)
{
	MfTopkBatch *batch = &lists->batch;

	batch->nqueries = n;
	batch->query = vectors;
	batch->seen_start = seen_start;
	batch->seen = seen;
	if (!mf_topk_batch(&lists->image->index, batch, lists->space, lists->parallel))
		CheckCore(MF_CANCELLED);
	if (lists->finish_space && !mf_parallel_for(lists->parallel, n, FinishList, lists))
		CheckCore(MF_CANCELLED);
}

/*
 * auc.c - how well scores of all items tell a user's relevant items from the others, for many users.
 *
 * The area under the ROC curve is the share of pairs (relevant, other) that the scores order rightly,
 * ties counting half (Rendle et al. 2009; test_auc.c has the definition).  It needs the score of
 * every item, so users share the passes over the items, sixteen at a time, and nothing of the size of
 * the catalogue is kept: each score is compared with those of the user's relevant items, counted, and
 * forgotten.  What seen and relevant items have added to the counts is taken off again.
 */
#include "core/metrics/auc.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/kernels/ranks.h"
#include "core/topk/topk.h"

/* All queries at work. */
typedef struct AucState
{
	const MfIndex *index;
	const MfRanks *kernels;
	const int32_t *position; /* nitems: places of the items in the index; NULL: all of them */
	int64_t		nitems;
	MfAucQuery *query;
	int64_t		nqueries;
	char	   *workspace;		/* one of `size` bytes per worker */
	size_t		size;
	const MfParallel *parallel;
} AucState;

/* A worker's part of the workspace. */
typedef struct WorkerSpace
{
	double	   *side;			/* d x MF_RANKS_USERS: queries side by side */
	float	   *score;			/* MF_RANKS_USERS x MF_RANKS_ITEMS */
	float	   *vector;			/* MF_RANKS_ITEMS x mf_padded(d): items that do not stand together in the index */
	float	   *offset;			/* MF_RANKS_ITEMS */
} WorkerSpace;

static WorkerSpace
lay_out(MfArena *arena, int d)
{
	WorkerSpace space;

	space.side = mf_arena_take(arena, sizeof(double) * MF_RANKS_USERS * d);
	space.score = mf_arena_floats(arena, MF_RANKS_USERS * MF_RANKS_ITEMS);
	space.vector = mf_arena_floats(arena, (size_t) MF_RANKS_ITEMS * (size_t) mf_padded(d));
	space.offset = mf_arena_floats(arena, MF_RANKS_ITEMS);
	return space;
}

/* Bytes of a worker's part of the workspace. */
static size_t
worker_size(int d)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, d);
	return arena.used;
}

/* Bytes of 64-byte aligned workspace that mf_auc() needs. */
size_t
mf_auc_workspace(int factors, const MfParallel *parallel)
{
	return worker_size(factors) * mf_workers(parallel);
}

/* Twice the pairs that a scored item is on the right side of, ties once. */
static int64_t
pairs_of(const MfAucQuery *query, float score)
{
	int64_t		pairs = 0;

	for (int64_t r = 0; r < query->nrelevant; r++)
		pairs += (score < query->score[r]) + (score <= query->score[r]);
	return pairs;
}

/* Twice the pairs of a user's relevant items with other relevant and seen items, ties once. */
static int64_t
pairs_to_leave_out(const MfIndex *index, const MfAucQuery *query)
{
	int64_t		pairs = 0;
	float		score;

	for (int64_t r = 0; r < query->nrelevant; r++)
		pairs += pairs_of(query, query->score[r]);
	for (int64_t s = 0; s < query->nseen; s++)
	{
		mf_topk_score(index, query->query, &query->seen[s], 1, &score);
		pairs += pairs_of(query, score);
	}
	return pairs;
}

/* Puts the vectors of n users (or fewer than MF_RANKS_USERS) side by side, and scores their relevant items. */
static void
take_users(const MfIndex *index, MfAucQuery *query, int n, double *side)
{
	int			d = index->factors;

	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): null only where sizes are asked for */
	memset(side, 0, sizeof(double) * MF_RANKS_USERS * d);
	for (int u = 0; u < n; u++)
	{
		for (int j = 0; j < d; j++)
			side[j * MF_RANKS_USERS + u] = query[u].query[j];
		mf_topk_score(index, query[u].query, query[u].relevant, query[u].nrelevant, query[u].score);
	}
}

/* Copies vectors and offsets of m items, from the i-th of those at work on, one behind the other to the workspace. */
static void
gather_items(const AucState *state, int64_t i, int m, const WorkerSpace *space)
{
	const MfIndex *index = state->index;

	for (int j = 0; j < m; j++)
	{
		int32_t		position = state->position != NULL ? state->position[i + j] : (int32_t) (i + j);

		float	   *row = space->vector + (size_t) j * index->ld;
		const float *vector = mf_index_row(index, position, row);

		if (vector != row)
			memcpy(row, vector, sizeof(float) * index->ld);
		space->offset[j] = index->offset ? index->offset[position] : 0;
	}
}

/* Scores m items, from the i-th of those at work on, for the users side by side in the workspace. */
static void
score_items(const AucState *state, int64_t i, int m, const WorkerSpace *space)
{
	const MfIndex *index = state->index;
	const float *vector = space->vector;
	const float *offset = index->offset ? index->offset + i : NULL;

	if (state->position == NULL && index->vector != NULL)
		vector = index->vector + (size_t) i * index->ld;
	else
	{
		gather_items(state, i, m, space);
		offset = index->offset ? space->offset : NULL;
	}
	state->kernels->score(space->side, vector, offset, index->factors, index->ld, m, space->score);
}

/* Task: MF_RANKS_USERS users, in a pass over the items. */
static void
run_group(void *argument, int64_t group, int worker)
{
	AucState   *state = argument;
	const MfIndex *index = state->index;
	int64_t		first = group * MF_RANKS_USERS;
	int			n = (int) (state->nqueries - first < MF_RANKS_USERS ? state->nqueries - first : MF_RANKS_USERS);
	MfAucQuery *query = state->query + first;
	MfArena		arena = {state->workspace + worker * state->size, 0};
	WorkerSpace space = lay_out(&arena, index->factors);
	int64_t		pairs[MF_RANKS_USERS] = {0};

	take_users(index, query, n, space.side);
	for (int64_t i = 0; i < state->nitems && !mf_cancelled(state->parallel); i += MF_RANKS_ITEMS)
	{
		int			m = (int) (state->nitems - i < MF_RANKS_ITEMS ? state->nitems - i : MF_RANKS_ITEMS);

		score_items(state, i, m, &space);
		for (int u = 0; u < n; u++)
			for (int64_t r = 0; r < query[u].nrelevant; r++)
				pairs[u] += state->kernels->below(space.score + u * MF_RANKS_ITEMS, m, query[u].score[r]);
	}
	for (int u = 0; u < n; u++)
	{
		int64_t		others = state->nitems - query[u].nseen - query[u].nrelevant;

		query[u].auc = (double) (pairs[u] - pairs_to_leave_out(index, &query[u])) /
			(2.0 * (double) query[u].nrelevant * (double) others);
	}
}

/*
 * Answers nqueries queries against the items at some positions of the index, ascending, or all (part NULL), of which
 * seen and relevant ones are; the workspace has mf_auc_workspace() bytes, 64-byte aligned.  Returns false when it was
 * cancelled.
 */
bool
mf_auc(const MfIndex *index, const MfAucPart *part, MfAucQuery *query, int64_t nqueries, void *workspace,
	   const MfParallel *parallel)
{
	AucState	state = {index, mf_ranks(), part ? part->position : NULL, part ? part->nitems : index->nitems,
	query, nqueries, workspace, worker_size(index->factors), parallel};

	return mf_parallel_for(parallel, (nqueries + MF_RANKS_USERS - 1) / MF_RANKS_USERS, run_group, &state);
}

/* Fills in fewer[] and equal[]; popular[]: the nitems items by decreasing count. */
void
mf_auc_rank_counts(MfPopularity *popularity, const int32_t *popular)
{
	int64_t		n = popularity->nitems;

	for (int64_t from = 0, to; from < n; from = to)
	{
		to = from + 1;
		while (to < n && popularity->count[popular[to]] == popularity->count[popular[from]])
			to++;
		for (int64_t i = from; i < to; i++)
		{
			popularity->equal[popular[i]] = (int32_t) (to - from);
			popularity->fewer[popular[i]] = (int32_t) (n - to);
		}
	}
}

/* The same for one user where every item's score is its count. */
double
mf_auc_of_counts(const MfPopularity *popularity, const int32_t *seen, int64_t nseen,
				 const int32_t *relevant, int64_t nrelevant)
{
	const int32_t *count = popularity->count;
	int64_t		others = popularity->nitems - nseen - nrelevant;
	int64_t		pairs = 0;

	for (int64_t r = 0; r < nrelevant; r++)
	{
		int32_t		mine = count[relevant[r]];

		pairs += 2 * (int64_t) popularity->fewer[relevant[r]] + popularity->equal[relevant[r]];
		for (int64_t s = 0; s < nseen; s++)
			pairs -= (count[seen[s]] < mine) + (count[seen[s]] <= mine);
		for (int64_t s = 0; s < nrelevant; s++)
			pairs -= (count[relevant[s]] < mine) + (count[relevant[s]] <= mine);
	}
	return (double) pairs / (2.0 * (double) nrelevant * (double) others);
}

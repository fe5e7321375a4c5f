/*
 * evaluate_block.c - the users of an evaluation, so many at a time.
 *
 * A block takes its cells out of both relations, which are streamed past it, and is then worked on by
 * threads: predicted ratings, lists in batches, the order of all items.  Everything of a block lives in
 * the memory context in which it was started.
 *
 * Each user is tallied by themselves; sums over users are made in their order, by the caller, and counts of
 * items by integers.  So no result depends on the number of threads, nor on where blocks are cut.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/base/sorted_list.h"
#include "eval/evaluate_block.h"
#include "pg/alloc.h"
#include "pg/core_call.h"

/* How many training rows a user of the test relation has; 0 where they have none. */
static int64
SeenCells(const Evaluation *e, int32 user)
{
	int32		row = e->train_user[user];

	return row >= 0 ? e->train->by_user.start[row + 1] - e->train->by_user.start[row] : 0;
}

/* How many test rows they have. */
static int64
TestCells(const Evaluation *e, int32 user)
{
	return e->test->by_user.start[user + 1] - e->test->by_user.start[user];
}

/*
 * Bytes that a user takes in a block, with all that is gathered of them: what they were trained on and their
 * test rows stand there twice, the second time behind those of other ranked users.
 */
static int64
UserBytes(const Evaluation *e, int32 user)
{
	return sizeof(UserTally) + sizeof(MfAucQuery) + 8 * sizeof(int64) + e->r.image->index.ld * sizeof(float) +
		SeenCells(e, user) * 2 * sizeof(int32) + TestCells(e, user) * (sizeof(TestCell) + 2 * sizeof(int32));
}

/*
 * Cuts off the next block, in the current memory context: from user `first` of the test relation on, as many as
 * there is memory for, one at least.  Its cells have their places, but are not collected yet.
 */
void
StartBlock(Evaluation *e, int32 first)
{
	Block	   *b = &e->block;
	int64		bytes = UserBytes(e, first);
	int64		seen = 0;
	int64		cells = 0;
	int32		end = first + 1;

	while (end < e->test->users->count && bytes + UserBytes(e, end) <= e->block_bytes)
		bytes += UserBytes(e, end++);
	memset(b, 0, sizeof(Block));
	b->first = first;
	b->n = end - first;
	b->residual = HugeZeroArray(b->n, sizeof(double));
	b->seen_start = HugeZeroArray(b->n, sizeof(int64));
	b->seen_count = HugeZeroArray(b->n, sizeof(int64));
	b->cell_start = HugeZeroArray(b->n, sizeof(int64));
	b->cell_count = HugeZeroArray(b->n, sizeof(int64));
	b->tally = HugeZeroArray(b->n, sizeof(UserTally));
	for (int u = 0; u < b->n; u++)
	{
		b->seen_start[u] = seen;
		b->cell_start[u] = cells;
		seen += SeenCells(e, first + u);
		cells += TestCells(e, first + u);
		if (e->train_user[first + u] >= 0)
			e->slot[e->train_user[first + u]] = u;
	}
	b->seen = HugeZeroArray(seen, sizeof(int32));
	b->cell = HugeZeroArray(cells, sizeof(TestCell));
}

/* Forgets which training users are in the block; its memory goes with the context. */
void
EndBlock(Evaluation *e)
{
	for (int u = 0; u < e->block.n; u++)
		if (e->train_user[e->block.first + u] >= 0)
			e->slot[e->train_user[e->block.first + u]] = -1;
}

/* Ascending; for qsort. */
static int
CompareInt32(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return (x > y) - (x < y);
}

/*
 * By item; for qsort.  Rows come by the relation's order of ids, which is not that of numbers in the image where
 * their collations or types differ.
 */
static int
CompareCells(const void *a, const void *b)
{
	return CompareInt32(&((const TestCell *) a)->item, &((const TestCell *) b)->item);
}

/*
 * Takes from the training rows what the block's users have, sorted by item, and by how much they rate above mean and
 * item biases in all.  All rows pass by for each block, in their order, in memory or from temporary files: so
 * blocks are as large as can be, and one of them is the rule.
 */
static void
CollectSeen(Evaluation *e)
{
	Block	   *b = &e->block;
	MfRows		rows;

	RewindCells(&e->train->by_user);
	while (NextCells(&e->train->by_user, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
		{
			int			u = e->slot[rows.first + r];
			int32	   *seen = u >= 0 ? b->seen + b->seen_start[u] : NULL;

			for (int64 c = rows.start[r]; u >= 0 && c < rows.start[r + 1]; c++)
			{
				int32		item = e->train_item[rows.column[c]];

				if (item < 0)
					continue;
				seen[b->seen_count[u]++] = item;
				if (e->with_ratings)
					b->residual[u] += rows.rating[c] - e->baseline.mean - e->baseline.item_bias[item];
			}
			if (u >= 0)
				qsort(seen, b->seen_count[u], sizeof(int32), CompareInt32);
		}
}

/*
 * Takes a test row of user u of the block in, or counts why it is left out; what the user was trained on must be
 * there.  Values are compared in single precision, as ratings are stored: 4.1 reaches a threshold of 4.1.
 */
static void
TakeTestCell(Evaluation *e, int u, int32 item, float value)
{
	Block	   *b = &e->block;
	RowCounts  *rows = &b->tally[u].rows;
	double		from = e->relevant_from;

	if (!e->known[b->first + u])
		rows->unknown_user++;
	else if (item < 0)
		rows->unknown_item++;
	else if (mf_list_has(b->seen + b->seen_start[u], b->seen_count[u], item))
		rows->trained++;
	else
	{
		bool		relevant = isnan(from) || value >= (float) from;

		b->cell[b->cell_start[u] + b->cell_count[u]++] = (TestCell) {item, value, relevant};
		rows->counted++;
		rows->relevant += relevant;
		e->largest = Max(e->largest, value);
	}
}

/* Takes the test rows of the block's users, sorted by item; a row without a value counts as 1. */
static void
CollectTest(Evaluation *e)
{
	Block	   *b = &e->block;
	MfRows		rows;

	RewindCells(&e->test->by_user);
	while (NextCells(&e->test->by_user, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
		{
			int64		u = rows.first + r - b->first;

			if (u < 0 || u >= b->n)
				continue;
			for (int64 c = rows.start[r]; c < rows.start[r + 1]; c++)
				TakeTestCell(e, (int) u, e->test_item[rows.column[c]],
							 rows.rating ? rows.rating[c] : rows.weight ? rows.weight[c] : 1);
			qsort(b->cell + b->cell_start[u], b->cell_count[u], sizeof(TestCell), CompareCells);
		}
}

/*
 * Collects the cells of the block's users.  In a memory context that outlives the block, as reading from
 * temporary files keeps buffers from one block to the next.
 */
void
CollectBlock(Evaluation *e)
{
	CollectSeen(e);
	CollectTest(e);
}

/*
 * Adds up errors of predicted ratings of user u of the block, and of the baseline's; for a thread, which has a
 * user alone.
 */
static void
JudgeRatings(void *state, int64 u, int worker)
{
	Evaluation *e = state;
	Block	   *b = &e->block;
	UserTally  *tally = &b->tally[u];
	UserState	user = {.reason = REASON_MODEL, .vector = e->vector + (b->first + u) * e->r.image->index.ld,
	.bias = e->bias[b->first + u]};
	double		user_bias = BaselineUserBias(b->residual[u], b->seen_count[u]);

	(void) worker;
	for (int64 c = b->cell_start[u]; c < b->cell_start[u] + b->cell_count[u]; c++)
	{
		const TestCell *cell = &b->cell[c];

		mf_error_add(&tally->errors, PredictRating(&e->r, &user, cell->item), cell->value);
		mf_error_add(&tally->baseline_errors, BaselineRating(&e->baseline, user_bias, cell->item), cell->value);
	}
}

/* Counts the block's users with relevant rows, and allocates what their lists are made and judged by. */
static void
AllocateRanked(Evaluation *e)
{
	Block	   *b = &e->block;
	int64		nrelevant = 0;
	int64		nseen = 0;

	for (int u = 0; u < b->n; u++)
		if (b->tally[u].rows.relevant > 0)
		{
			b->nranked++;
			nrelevant += b->tally[u].rows.relevant;
			nseen += b->seen_count[u];
		}
	b->ranked = HugeZeroArray(b->nranked, sizeof(int32));
	b->vector = AlignedZeroArray((int64) b->nranked * e->r.image->index.ld, sizeof(float));
	b->relevant_start = HugeZeroArray(b->nranked + 1, sizeof(int64));
	b->relevant = HugeZeroArray(nrelevant, sizeof(int32));
	b->ranked_start = HugeZeroArray(b->nranked + 1, sizeof(int64));
	b->ranked_seen = HugeZeroArray(nseen, sizeof(int32));
}

/* Gathers that: for user u of the block, the q-th ranked one, vector, seen items and relevant ones. */
static void
GatherUser(Evaluation *e, int u, int q)
{
	Block	   *b = &e->block;
	int			ld = e->r.image->index.ld;

	b->ranked[q] = u;
	memcpy(b->vector + (Size) q * ld, e->vector + (Size) (b->first + u) * ld, sizeof(float) * ld);
	memcpy(b->ranked_seen + b->ranked_start[q], b->seen + b->seen_start[u], sizeof(int32) * b->seen_count[u]);
	b->ranked_start[q + 1] = b->ranked_start[q] + b->seen_count[u];
	b->relevant_start[q + 1] = b->relevant_start[q];
	for (int64 c = b->cell_start[u]; c < b->cell_start[u] + b->cell_count[u]; c++)
		if (b->cell[c].relevant)
			b->relevant[b->relevant_start[q + 1]++] = b->cell[c].item;
}

/* The same for all users with relevant rows, which then stand one behind the other, as searches take them. */
static void
GatherRanked(Evaluation *e)
{
	Block	   *b = &e->block;

	AllocateRanked(e);
	for (int u = 0, q = 0; u < b->n; u++)
		if (b->tally[u].rows.relevant > 0)
			GatherUser(e, u, q++);
}

/*
 * Tallies the two lists of ranked user list_first + q, which is list q of the batch; for a thread.  The
 * baseline's list is made here.  The area under the curve of the model's scores comes later, that of popularity
 * needs no scores.
 */
static void
JudgeUser(void *state, int64 q, int worker)
{
	Evaluation *e = state;
	Block	   *b = &e->block;
	const MfTopkBatch *batch = &e->lists.batch;
	int64		user = b->list_first + q;
	UserTally  *tally = &b->tally[b->ranked[user]];
	const int32 *seen = b->ranked_seen + b->ranked_start[user];
	int64		nseen = b->ranked_start[user + 1] - b->ranked_start[user];
	const int32 *relevant = b->relevant + b->relevant_start[user];
	int64		nrelevant = b->relevant_start[user + 1] - b->relevant_start[user];
	const int32 *list = batch->item + q * batch->k;
	int32	   *popular = b->popular + q * batch->k;

	(void) worker;
	mf_list_tally(&tally->list, list, batch->count[q], e->k, relevant, nrelevant);
	tally->list.information = mf_list_information(list, batch->count[q], e->counts, (double) e->model_users);
	b->popular_count[q] = PopularList(&e->baseline, seen, nseen, batch->k, popular);
	mf_list_tally(&tally->popular, popular, b->popular_count[q], e->k, relevant, nrelevant);
	tally->popular.information = mf_list_information(popular, b->popular_count[q], e->counts, (double) e->model_users);
	tally->popular.auc = mf_auc_of_counts(&e->baseline.popularity, seen, nseen, relevant, nrelevant);
}

/*
 * Makes the ranked users' lists and tallies them, as many at a time as there is room for.  How often items appear is
 * counted outside of threads: users share these counts.
 */
static void
JudgeLists(Evaluation *e)
{
	Block	   *b = &e->block;
	MfTopkBatch *batch = &e->lists.batch;
	int64		capacity = Min(e->lists.capacity, b->nranked);

	b->popular = HugeZeroArray(capacity * batch->k, sizeof(int32));
	b->popular_count = HugeZeroArray(capacity, sizeof(int32));
	for (b->list_first = 0; b->list_first < b->nranked; b->list_first += capacity)
	{
		int64		n = Min(capacity, b->nranked - b->list_first);

		MakeLists(&e->lists, n, b->vector + (Size) b->list_first * e->r.image->index.ld,
				  b->ranked_start + b->list_first, b->ranked_seen);
		if (!mf_parallel_for(&e->parallel, n, JudgeUser, e))
			CheckCore(MF_CANCELLED);
		for (int64 q = 0; q < n; q++)
		{
			mf_exposure_add(&e->total.model.exposure, batch->item + q * batch->k, batch->count[q]);
			mf_exposure_add(&e->total.baseline.exposure, b->popular + q * batch->k, b->popular_count[q]);
		}
	}
}

/*
 * The ranked users' areas under the curve: how many pairs of a relevant and another item, without those of the
 * training, their scores of all items order rightly.
 */
static void
JudgeOrder(Evaluation *e)
{
	Block	   *b = &e->block;
	MfAucQuery *query = HugeZeroArray(b->nranked, sizeof(MfAucQuery));
	float	   *score = HugeZeroArray(b->relevant_start[b->nranked], sizeof(float));
	int			ld = e->r.image->index.ld;

	for (int q = 0; q < b->nranked; q++)
	{
		query[q].query = b->vector + (Size) q * ld;
		query[q].seen = b->ranked_seen + b->ranked_start[q];
		query[q].nseen = b->ranked_start[q + 1] - b->ranked_start[q];
		query[q].relevant = b->relevant + b->relevant_start[q];
		query[q].nrelevant = b->relevant_start[q + 1] - b->relevant_start[q];
		query[q].score = score + b->relevant_start[q];
	}
	if (!mf_auc(&e->r.image->index, query, b->nranked,
				AlignedZeroArray(mf_auc_workspace(e->r.image->index.factors, &e->parallel), 1), &e->parallel))
		CheckCore(MF_CANCELLED);
	for (int q = 0; q < b->nranked; q++)
		b->tally[b->ranked[q]].list.auc = query[q].auc;
}

/* Tallies the block's users: predicted ratings, lists, and the order of all items. */
void
JudgeBlock(Evaluation *e)
{
	if (e->with_ratings && !mf_parallel_for(&e->parallel, e->block.n, JudgeRatings, e))
		CheckCore(MF_CANCELLED);
	GatherRanked(e);
	if (e->block.nranked == 0)
		return;
	JudgeLists(e);
	JudgeOrder(e);
}

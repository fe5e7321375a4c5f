/*
 * evaluate_block.c - the users of an evaluation, so many at a time.
 *
 * A block takes its cells out of both relations, which are streamed past it, and is then worked on by
 * threads: predicted ratings, lists in batches, the order of all items.  Everything of a block lives in
 * the memory context in which it was started.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/base/sorted_list.h"
#include "eval/evaluate_block.h"
#include "pg/alloc.h"
#include "pg/core_call.h"

/* Cells of a user of the test relation among the training rows. */
static int64
SeenCells(const Evaluation *e, int32 user)
{
	int32		row = e->train_user[user];

	return row >= 0 ? e->train->by_user.start[row + 1] - e->train->by_user.start[row] : 0;
}

static int64
TestCells(const Evaluation *e, int32 user)
{
	return e->test->by_user.start[user + 1] - e->test->by_user.start[user];
}

/* Bytes that a user takes in a block. */
static int64
UserBytes(const Evaluation *e, int32 user)
{
	return sizeof(UserFigures) + sizeof(MfAucQuery) + 8 * sizeof(int64) + e->r.image->index.ld * sizeof(float) +
		SeenCells(e, user) * 2 * sizeof(int32) + TestCells(e, user) * (sizeof(TestCell) + 2 * sizeof(int32));
}

/* Cuts the next block off, in the current memory context. */
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
	b->figures = HugeZeroArray(b->n, sizeof(UserFigures));
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

/* Forgets whose slots the block had; its memory is the context's. */
void
EndBlock(Evaluation *e)
{
	for (int u = 0; u < e->block.n; u++)
		if (e->train_user[e->block.first + u] >= 0)
			e->slot[e->train_user[e->block.first + u]] = -1;
}

static int
CompareInt32(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return (x > y) - (x < y);
}

/* By item: the order of numbers differs from that of the relation where their collations do. */
static int
CompareCells(const void *a, const void *b)
{
	return CompareInt32(&((const TestCell *) a)->item, &((const TestCell *) b)->item);
}

/* What the block's users were trained on, and how they rate. */
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
					b->residual[u] += rows.rating[c] - e->mean - e->item_bias[item];
			}
			if (u >= 0)
				qsort(seen, b->seen_count[u], sizeof(int32), CompareInt32);
		}
}

/* Takes one test row of a user of the block in, or counts it as left out. */
static void
TakeTestCell(Evaluation *e, int u, int32 item, float value)
{
	Block	   *b = &e->block;
	RowCounts  *rows = &b->figures[u].rows;
	double		from = e->request->relevant_from;

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

/* The test rows of the block's users. */
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

/* Collects the cells of the block's users; in a memory context that outlives the block. */
void
CollectBlock(Evaluation *e)
{
	CollectSeen(e);
	CollectTest(e);
}

/* Errors of one user's predicted ratings, and of the baseline's; for a thread. */
static void
JudgeRatings(void *state, int64 u, int worker)
{
	Evaluation *e = state;
	Block	   *b = &e->block;
	const MfObjective *objective = &e->r.image->objective;
	UserState	user = {.reason = REASON_MODEL, .vector = e->vector + (b->first + u) * e->r.image->index.ld,
	.bias = e->bias[b->first + u]};
	double		bias = b->residual[u] / (b->seen_count[u] + BIAS_DAMPING);

	(void) worker;
	for (int64 c = b->cell_start[u]; c < b->cell_start[u] + b->cell_count[u]; c++)
	{
		double		baseline = e->mean + bias + e->item_bias[b->cell[c].item];

		baseline = Min(Max(baseline, objective->min), objective->max);
		mf_metrics_rating(&b->figures[u].rating, PredictRating(&e->r, &user, b->cell[c].item), b->cell[c].value);
		mf_metrics_rating(&b->figures[u].rating_baseline, baseline, b->cell[c].value);
	}
}

/* Gathers what lists are made and judged by of the users with relevant rows. */
static void
GatherRanked(Evaluation *e)
{
	Block	   *b = &e->block;
	int			ld = e->r.image->index.ld;
	int64		nrelevant = 0;
	int64		nseen = 0;

	for (int u = 0; u < b->n; u++)
		if (b->figures[u].rows.relevant > 0)
		{
			b->figures[u].ranked = 1;
			b->nranked++;
			nrelevant += b->figures[u].rows.relevant;
			nseen += b->seen_count[u];
		}
	b->ranked = HugeZeroArray(b->nranked, sizeof(int32));
	b->vector = AlignedZeroArray((int64) b->nranked * ld, sizeof(float));
	b->relevant_start = HugeZeroArray(b->nranked + 1, sizeof(int64));
	b->relevant = HugeZeroArray(nrelevant, sizeof(int32));
	b->ranked_start = HugeZeroArray(b->nranked + 1, sizeof(int64));
	b->ranked_seen = HugeZeroArray(nseen, sizeof(int32));
	for (int u = 0, q = 0; u < b->n; u++)
	{
		if (!b->figures[u].ranked)
			continue;
		b->ranked[q] = u;
		memcpy(b->vector + (Size) q * ld, e->vector + (Size) (b->first + u) * ld, sizeof(float) * ld);
		memcpy(b->ranked_seen + b->ranked_start[q], b->seen + b->seen_start[u], sizeof(int32) * b->seen_count[u]);
		b->ranked_start[q + 1] = b->ranked_start[q] + b->seen_count[u];
		b->relevant_start[q + 1] = b->relevant_start[q];
		for (int64 c = b->cell_start[u]; c < b->cell_start[u] + b->cell_count[u]; c++)
			if (b->cell[c].relevant)
				b->relevant[b->relevant_start[q + 1]++] = b->cell[c].item;
		q++;
	}
}

/* The most popular items that a user has not seen; returns how many. */
static int
PopularList(const Image *image, const int32 *seen, int64 nseen, int k, int32 *list)
{
	int			n = 0;

	for (int64 i = 0; i < image->nitems && n < k; i++)
		if (!mf_list_has(seen, nseen, image->popular[i]))
			list[n++] = image->popular[i];
	return n;
}

/* The figures of a ranked user's two lists; for a thread. */
static void
JudgeUser(void *state, int64 q, int worker)
{
	Evaluation *e = state;
	Block	   *b = &e->block;
	const MfBatch *batch = &e->lists.batch;
	int64		user = b->list_first + q;
	UserFigures *figures = &b->figures[b->ranked[user]];
	const int32 *seen = b->ranked_seen + b->ranked_start[user];
	int64		nseen = b->ranked_start[user + 1] - b->ranked_start[user];
	const int32 *relevant = b->relevant + b->relevant_start[user];
	int64		nrelevant = b->relevant_start[user + 1] - b->relevant_start[user];
	const int32 *list = batch->item + q * batch->k;
	int32	   *popular = b->popular + q * batch->k;

	(void) worker;
	figures->list.rank = mf_metrics_rank(list, batch->count[q], e->request->k, relevant, nrelevant);
	figures->list.novelty = mf_metrics_novelty(list, batch->count[q], e->counts, (double) e->model_users);
	b->popular_count[q] = PopularList(e->r.image, seen, nseen, batch->k, popular);
	figures->popular.rank = mf_metrics_rank(popular, b->popular_count[q], e->request->k, relevant, nrelevant);
	figures->popular.novelty = mf_metrics_novelty(popular, b->popular_count[q], e->counts, (double) e->model_users);
	figures->popular.auc = mf_auc_of_counts(&e->popularity, seen, nseen, relevant, nrelevant);
}

/* Makes the ranked users' lists and judges them, so many at a time. */
static void
JudgeLists(Evaluation *e)
{
	Block	   *b = &e->block;
	MfBatch    *batch = &e->lists.batch;
	int64		room = Min(e->lists.room, b->nranked);

	b->popular = HugeZeroArray(room * batch->k, sizeof(int32));
	b->popular_count = HugeZeroArray(room, sizeof(int32));
	for (b->list_first = 0; b->list_first < b->nranked; b->list_first += room)
	{
		int64		n = Min(room, b->nranked - b->list_first);

		MakeLists(&e->lists, n, b->vector + (Size) b->list_first * e->r.image->index.ld,
				  b->ranked_start + b->list_first, b->ranked_seen);
		if (!mf_parallel_blocks(&e->parallel, n, JudgeUser, e))
			CheckCore(MF_CANCELLED);
		for (int64 q = 0; q < n; q++)
		{
			e->total.list.covered += mf_metrics_cover(e->covered, batch->item + q * batch->k, batch->count[q]);
			e->total.popular.covered += mf_metrics_cover(e->popular_covered, b->popular + q * batch->k,
														 b->popular_count[q]);
		}
	}
}

/* The ranked users' areas under the curve. */
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
		b->figures[b->ranked[q]].list.auc = query[q].auc;
}

/* Works out the figures of the block's users. */
void
JudgeBlock(Evaluation *e)
{
	if (e->with_ratings && !mf_parallel_blocks(&e->parallel, e->block.n, JudgeRatings, e))
		CheckCore(MF_CANCELLED);
	GatherRanked(e);
	if (e->block.nranked == 0)
		return;
	JudgeLists(e);
	JudgeOrder(e);
}

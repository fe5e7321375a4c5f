/*
 * evaluate_block.c - the users of an evaluation, so many at a time.
 *
 * A block takes its cells out of both relations, which are streamed past it, and is then worked on by
 * threads: predicted ratings here, lists and the order of all items in evaluate_lists.c.  Everything of a
 * block lives in the memory context in which it was started.
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
	return e->nparts * sizeof(UserTally) + sizeof(MfAucQuery) + 8 * sizeof(int64) + e->r.image->index.ld * sizeof(float) +
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
	for (int p = 0; p < e->nparts; p++)
		b->tally[p] = HugeZeroArray(b->n, sizeof(UserTally));
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

/* Counts a test row of a user in. */
static void
CountRow(RowCounts *rows, bool relevant)
{
	rows->counted++;
	rows->relevant += relevant;
}

/*
 * Takes a test row of user u of the block in, or counts why it is left out; what the user was trained on must be
 * there.  Values are compared in single precision, as ratings are stored: 4.1 reaches a threshold of 4.1.  Implicit
 * ones below
 * 0 are dislikes, which are never relevant.
 */
static void
TakeTestCell(Evaluation *e, int u, int32 item, float value)
{
	Block	   *b = &e->block;
	RowCounts  *rows = &b->tally[PART_ALL][u].rows;
	double		from = e->relevant_from;
	bool		dislike = e->test_source.feedback == FEEDBACK_IMPLICIT && value < 0;
	bool		relevant = !dislike && (isnan(from) || value >= (float) from);

	if (!e->known[b->first + u])
		rows->unknown_user++;
	else if (item < 0)
	{
		rows->unknown_item++;
		rows->unknown_relevant += relevant;
	}
	else if (mf_list_has(b->seen + b->seen_start[u], b->seen_count[u], item))
		rows->trained++;
	else
	{
		b->cell[b->cell_start[u] + b->cell_count[u]++] = (TestCell) {item, value, relevant};
		CountRow(rows, relevant);
		if (e->nparts > 1)
			CountRow(&b->tally[PartOfItem(e->r.image, item)][u].rows, relevant);
		e->largest = Max(e->largest, value);
	}
}

/* Whether values of a test cell have added up to 0, which says nothing. */
static bool
IsCancelled(const Evaluation *e, const MfRows *rows, int64 c)
{
	return rows->rating == NULL && rows->weight && rows->weight[c] == 0 && !e->test_source.keeps_zeros;
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
				if (!IsCancelled(e, &rows, c))
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
 * Adds an item's errors to those of its part.  Nothing is known of a cold item without its attributes, so there the
 * baseline is the mean rating alone.
 */
static void
AddPartErrors(const Evaluation *e, int64 u, const TestCell *cell, double predicted, double baseline)
{
	ItemPartId	part = PartOfItem(e->r.image, cell->item);
	UserTally  *tally = &e->block.tally[part][u];

	mf_error_add(&tally->errors, predicted, cell->value);
	mf_error_add(&tally->baseline_errors, part == PART_COLD ? e->baseline.mean : baseline, cell->value);
}

/*
 * Adds up errors of predicted ratings of user u of the block, and of the baseline's; for a thread, which has a
 * user alone.
 */
static void
JudgeUserRatings(void *state, int64 u, int worker)
{
	Evaluation *e = state;
	Block	   *b = &e->block;
	UserTally  *tally = &b->tally[PART_ALL][u];
	UserState	user = {.reason = REASON_MODEL, .vector = e->vector + (b->first + u) * e->r.image->index.ld,
	.bias = e->bias[b->first + u],.spread = e->spread[b->first + u]};
	double		user_bias = BaselineUserBias(b->residual[u], b->seen_count[u]);

	(void) worker;
	for (int64 c = b->cell_start[u]; c < b->cell_start[u] + b->cell_count[u]; c++)
	{
		const TestCell *cell = &b->cell[c];

		double		predicted = PredictRating(&e->r, &user, cell->item);
		double		baseline = BaselineRating(&e->baseline, user_bias, cell->item);

		mf_error_add(&tally->errors, predicted, cell->value);
		mf_error_add(&tally->baseline_errors, baseline, cell->value);
		if (e->nparts > 1)
			AddPartErrors(e, u, cell, predicted, baseline);
	}
}

/* Compares the predicted ratings of the block's users with their test rows, where these have ratings. */
void
JudgeRatings(Evaluation *e)
{
	if (e->with_ratings && !mf_parallel_for(&e->parallel, e->block.n, JudgeUserRatings, e))
		CheckCore(MF_CANCELLED);
}

/*
 * user_sample.c - some users of a training, or items, with their vectors and what they have.
 *
 * They are drawn by their numbers, which are those of sorted ids: the same wherever the rows of users are.
 */
#include "postgres.h"

#include "core/base/rng.h"
#include "pg/alloc.h"
#include "train/user_sample.h"

/* Users with ratings, here or on other nodes. */
int64
TrainedUsers(const Training *t)
{
	return t->driver ? UsersOfNodes(t->driver) : t->problem.nusers;
}

/* Draws about `count` of nusers users, or takes all where there are fewer. */
static void
ChooseUsers(const Training *t, int64 nusers, int64 count, uint64 stream, UserSample *sample)
{
	double		share = (double) count / nusers;

	sample->user = HugeArray(nusers, sizeof(int64));
	for (int64 u = 0; u < nusers; u++)
		if (mf_random_uniform((uint64) t->options.seed + stream, u) < share)
			sample->user[sample->count++] = u;
}

/* Copies their vectors from `from` (nusers x ld). */
static void
CopySampledVectors(const Training *t, const float *from, UserSample *sample)
{
	int64		ld = mf_padded(t->problem.factors);

	sample->vector = AlignedArray(sample->count * ld, sizeof(float));
	for (int64 s = 0; s < sample->count; s++)
		memcpy(sample->vector + s * ld, from + sample->user[s] * ld, sizeof(float) * ld);
}

/* Copies the columns of cells begin .. end - 1 but dislikes; returns how many. */
static int64
CopyLikes(const MfRows *rows, int64 begin, int64 end, int32 *column)
{
	int64		n = 0;

	for (int64 c = begin; c < end; c++)
		if (rows->weight == NULL || rows->weight[c] > 0)
			column[n++] = rows->column[c];
	return n;
}

/* Copies the items of the users, which may come from temporary files, without dislikes. */
static void
CopySampledItems(Cells *cells, bool dislikes, UserSample *sample)
{
	int64	   *start = HugeArray(sample->count + 1, sizeof(int64));
	int32	   *column;
	MfRows		rows;
	int64		s = 0;
	int64		n = 0;

	start[0] = 0;
	for (int64 k = 0; k < sample->count; k++)
		start[k + 1] = start[k] + cells->start[sample->user[k] + 1] - cells->start[sample->user[k]];
	column = HugeArray(start[sample->count], sizeof(int32));
	if (dislikes)
		RewindCells(cells);
	else
		RewindColumns(cells);
	while (s < sample->count && NextCells(cells, &rows))
	{
		if (!dislikes)
			rows.weight = NULL;
		for (; s < sample->count && sample->user[s] < rows.first + rows.nrows; s++)
		{
			int64		r = sample->user[s] - rows.first;

			start[s] = n;
			n += CopyLikes(&rows, rows.start[r], rows.start[r + 1], column + n);
		}
	}
	start[sample->count] = n;
	sample->items = (MfRows) {0, sample->count, start, column, NULL, NULL};
}

/* The items of the users, who are on other nodes, without dislikes. */
static void
TakeSampledItems(UserSample *sample)
{
	const MfRows *cells = &sample->there.cells;
	int64	   *start = HugeArray(sample->count + 1, sizeof(int64));
	int32	   *column = HugeArray(cells->start[sample->count], sizeof(int32));
	int64		n = 0;

	for (int64 s = 0; s < sample->count; s++)
	{
		start[s] = n;
		n += CopyLikes(cells, cells->start[s], cells->start[s + 1], column + n);
	}
	start[sample->count] = n;
	sample->items = (MfRows) {0, sample->count, start, column, NULL, NULL};
}

/*
 * Draws about `count` users of the training, by its seed and the stream of random numbers, and copies what they have;
 * all of it in the current memory context.
 */
void
DrawUsers(Training *t, int64 count, uint64 stream, UserSample *sample)
{
	memset(sample, 0, sizeof(UserSample));
	ChooseUsers(t, TrainedUsers(t), count, stream, sample);
	if (t->driver)
	{
		ReadUsers(t->driver, &t->problem, sample->user, sample->count, true, &sample->there);
		sample->vector = sample->there.vector;
		TakeSampledItems(sample);
		return;
	}
	CopySampledVectors(t, t->factors.user, sample);
	CopySampledItems(&t->ratings->by_user, t->ratings->dislikes > 0, sample);
}

/* The same with the sides exchanged: items, and the users that have them. */
void
DrawItems(Training *t, int64 count, uint64 stream, UserSample *sample)
{
	memset(sample, 0, sizeof(UserSample));
	ChooseUsers(t, t->problem.nitems, count, stream, sample);
	CopySampledVectors(t, t->factors.interest, sample);
	CopySampledItems(&t->ratings->by_item, t->ratings->dislikes > 0, sample);
}

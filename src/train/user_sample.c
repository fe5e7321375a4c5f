/*
 * user_sample.c - some users of a training, with their vectors and items.
 */
#include "postgres.h"

#include "core/base/rng.h"
#include "pg/alloc.h"
#include "train/user_sample.h"

/* Draws about `count` users, or takes all where there are fewer, and copies their vectors. */
static void
ChooseUsers(const Training *t, int64 count, uint64 stream, UserSample *sample)
{
	int64		ld = mf_padded(t->problem.factors);
	int64		nusers = t->problem.nusers;
	double		share = (double) count / nusers;

	sample->user = HugeArray(nusers, sizeof(int64));
	for (int64 u = 0; u < nusers; u++)
		if (mf_random_uniform((uint64) t->options.seed + stream, u) < share)
			sample->user[sample->count++] = u;
	sample->vector = AlignedArray(sample->count * ld, sizeof(float));
	for (int64 s = 0; s < sample->count; s++)
		memcpy(sample->vector + s * ld, t->factors.user + sample->user[s] * ld, sizeof(float) * ld);
}

/* Copies the items of the users, which may come from temporary files. */
static void
CopyItems(Cells *cells, UserSample *sample)
{
	int64	   *start = HugeArray(sample->count + 1, sizeof(int64));
	int32	   *column;
	MfRows		rows;
	int64		s = 0;

	start[0] = 0;
	for (int64 k = 0; k < sample->count; k++)
		start[k + 1] = start[k] + cells->start[sample->user[k] + 1] - cells->start[sample->user[k]];
	column = HugeArray(start[sample->count], sizeof(int32));
	RewindColumns(cells);
	while (s < sample->count && NextCells(cells, &rows))
		for (; s < sample->count && sample->user[s] < rows.first + rows.nrows; s++)
			memcpy(column + start[s], rows.column + rows.start[sample->user[s] - rows.first],
				   sizeof(int32) * (start[s + 1] - start[s]));
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
	ChooseUsers(t, count, stream, sample);
	CopyItems(&t->ratings->by_user, sample);
}

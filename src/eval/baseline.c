/*
 * baseline.c - what is reached without a model: the most popular items, and biases alone.
 *
 * A metric says little by itself; beside it stands what the two simplest recommenders reach on the same rows.
 * Lists: the items with the most ratings that the user has not had.  Ratings: mean + user bias + item bias, by
 * damped least squares (Koren 2008, section 2.1), in a few alternating passes over the training rows.
 */
#include "postgres.h"

#include "core/base/sorted_list.h"
#include "eval/baseline.h"
#include "pg/alloc.h"

/* Biases shrink as if so many more ratings were just average. */
#define BIAS_DAMPING 3.0

/* How often biases of users and items are solved from each other. */
#define BIAS_SWEEPS 5

/* Prepares the baseline of lists of the nitems items with the most ratings, in the current memory context. */
void
InitPopularity(MfPopularity *popularity, const Image *image, int64 nitems)
{
	popularity->nitems = nitems;
	popularity->count = image->counts;
	popularity->fewer = HugeZeroArray(image->nitems, sizeof(int32));
	popularity->equal = HugeZeroArray(image->nitems, sizeof(int32));
	mf_auc_rank_counts(popularity, image->popular);
}

/* The mean of all ratings; that of the model's training where there are none. */
static double
MeanRating(const Image *image, Ratings *train)
{
	double		total = 0;
	MfRows		rows;

	RewindCells(&train->by_user);
	while (NextCells(&train->by_user, &rows))
		for (int64 c = rows.start[0]; c < rows.start[rows.nrows]; c++)
			total += rows.rating[c];
	return train->rows > 0 ? total / train->rows : image->objective.mean;
}

/*
 * One pass over the training rows: biases of users from those of the items, and these from them.  item_bias, sum and
 * count have an element for each item of the training rows.
 */
static void
SweepBiases(double mean, Ratings *train, double *item_bias, double *sum, int64 *count)
{
	MfRows		rows;

	memset(sum, 0, sizeof(double) * train->items->count);
	memset(count, 0, sizeof(int64) * train->items->count);
	RewindCells(&train->by_user);
	while (NextCells(&train->by_user, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
		{
			double		residual = 0;
			double		bias;

			for (int64 c = rows.start[r]; c < rows.start[r + 1]; c++)
				residual += rows.rating[c] - mean - item_bias[rows.column[c]];
			bias = BaselineUserBias(residual, rows.start[r + 1] - rows.start[r]);
			for (int64 c = rows.start[r]; c < rows.start[r + 1]; c++)
			{
				sum[rows.column[c]] += rows.rating[c] - mean - bias;
				count[rows.column[c]]++;
			}
		}
	for (int32 i = 0; i < train->items->count; i++)
		item_bias[i] = sum[i] / (count[i] + BIAS_DAMPING);
}

/*
 * Prepares the baseline of ratings of an image's items, in the current memory context.  train_item has the number in
 * the image of each item of the training rows, negative where the model does not know it.
 */
void
SolveBiases(Baseline *baseline, const Image *image, Ratings *train, const int32 *train_item)
{
	int32		nitems = train->items->count;
	double	   *item_bias = HugeZeroArray(nitems, sizeof(double));
	double	   *sum = HugeZeroArray(nitems, sizeof(double));
	int64	   *count = HugeZeroArray(nitems, sizeof(int64));

	baseline->image = image;
	baseline->mean = MeanRating(image, train);
	for (int s = 0; s < BIAS_SWEEPS; s++)
		SweepBiases(baseline->mean, train, item_bias, sum, count);
	baseline->item_bias = HugeZeroArray(image->nitems, sizeof(double));
	for (int32 i = 0; i < nitems; i++)
		if (train_item[i] >= 0)
			baseline->item_bias[train_item[i]] = item_bias[i];
	pfree(item_bias);
	pfree(sum);
	pfree(count);
}

/* A user's bias: of `count` ratings, by the sum of what mean and item biases leave of them. */
double
BaselineUserBias(double residual, int64 count)
{
	return residual / (count + BIAS_DAMPING);
}

/* The rating that the baseline predicts, within the ratings' range. */
double
BaselineRating(const Baseline *baseline, double user_bias, int32 item)
{
	const MfObjective *objective = &baseline->image->objective;

	return Min(Max(baseline->mean + user_bias + baseline->item_bias[item], objective->min), objective->max);
}

/*
 * The k most popular of the nitems most popular items, without a user's, which are given in ascending order; returns
 * how many there are.
 */
int
PopularList(const Image *image, int64 nitems, const int32 *seen, int64 nseen, int k, int32 *list)
{
	int			n = 0;

	for (int64 i = 0; i < nitems && n < k; i++)
		if (!mf_list_has(seen, nseen, image->popular[i]))
			list[n++] = image->popular[i];
	return n;
}

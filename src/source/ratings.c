/*
 * ratings.c - ratings that have been read and sorted: put on the scale that training works on, and freed.
 *
 * Explicit ratings are standardized, so that regularization means the same for stars and for percents; weights
 * are divided by their mean, so that it means the same with and without them.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "pg/memory_limit.h"
#include "source/ratings.h"

/* Of ratings that fade, in units of their range: with less, what few old ones say would be out of all proportion. */
#define LEAST_DEVIATION 1e-3

/* While ids are being read: an error where the dictionaries so far, with so many bytes of others, exceed the limit. */
void
CheckDictionaries(const IdMap *users, const IdMap *items, int64 others)
{
	int64		needed = IdMapBytes(users) + IdMapBytes(items) + others;

	if (needed > MemoryLimit())
		TrainingExceedsMemory(needed, psprintf("The dictionaries of %d users and %d items, so far, must be in memory.",
							 users->count, items->count));
}

/* Notices of the rows that were passed over, and of those that say what is not wanted, where there are any. */
void
ReportSkippedRows(const Ratings *ratings)
{
	if (ratings->null_rows > 0)
		ereport(NOTICE,
				(errmsg_plural("skipped %lld row with a null user, item or value",
							   "skipped %lld rows with a null user, item or value",
							   ratings->null_rows, (long long) ratings->null_rows)));
	if (ratings->null_times > 0)
		ereport(NOTICE,
				(errmsg_plural("skipped %lld row whose time is null",
							   "skipped %lld rows whose time is null",
							   ratings->null_times, (long long) ratings->null_times),
				 errdetail("Without a time a row has no age."),
				 errhint("If such rows are to count, give them a time in a view.")));
	if (ratings->negative_rows > 0)
		ereport(NOTICE,
				(errmsg_plural("%lld row has a negative value: taken as a dislike",
							   "%lld rows have negative values: taken as dislikes",
							   ratings->negative_rows, (long long) ratings->negative_rows),
				 errhint("If they say something else, leave them out with a view.")));
	if (ratings->zero_rows > 0)
		ereport(NOTICE,
				(errmsg_plural("skipped %lld row whose value or weight is zero",
							   "skipped %lld rows whose value or weight is zero",
							   ratings->zero_rows, (long long) ratings->zero_rows)));
}

/*
 * Mean, deviation and range of explicit ratings, weighted or not, in one pass in the order of the cells, so that they
 * are the same in memory and spilled.  The first rating is subtracted from all: then squares do not cancel.
 */
static void
SumRatings(Ratings *ratings, bool weighted)
{
	double		sum = 0;
	double		squares = 0;
	double		weights = 0;
	double		shift = NAN;
	MfRows		rows;

	ratings->min = INFINITY;
	ratings->max = -INFINITY;
	RewindCells(&ratings->by_user);
	while (NextCells(&ratings->by_user, &rows))
		for (int64 c = rows.start[0]; c < rows.start[rows.nrows]; c++)
		{
			double		weight = weighted && rows.weight ? rows.weight[c] : 1;
			double		off;

			if (isnan(shift))
				shift = rows.rating[c];
			off = rows.rating[c] - shift;
			sum += weight * off;
			squares += weight * off * off;
			weights += weight;
			ratings->min = Min(ratings->min, rows.rating[c]);
			ratings->max = Max(ratings->max, rows.rating[c]);
		}
	ratings->mean = shift + sum / weights;
	ratings->deviation = sqrt(squares / weights - (sum / weights) * (sum / weights));
}

/*
 * The same as training weighs ratings, or, where next to nothing is left but of rows that say the same, as if none had
 * faded.  An error where all ratings are the same, because a model of them has nothing to learn.
 */
static void
Summarize(Ratings *ratings, const char *source)
{
	SumRatings(ratings, true);
	if (RowsFade(ratings->fading) && !(ratings->deviation > LEAST_DEVIATION * (ratings->max - ratings->min)))
		SumRatings(ratings, false);
	if (ratings->min == ratings->max || !(ratings->deviation > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("all ratings of relation \"%s\" are %g", source, ratings->min),
				 errdetail("A rating model has nothing to learn from a single distinct rating."),
				 errhint("If the rows say that a user took an item, use feedback => 'implicit'.")));
}

/*
 * Standardizes explicit ratings to mean 0 and deviation 1 in both orientations; an error where all are the
 * same.  source: the relation's name.
 */
void
StandardizeRatings(Ratings *ratings, const char *source)
{
	Summarize(ratings, source);
	StandardizeCells(&ratings->by_user, ratings->mean, ratings->deviation);
	StandardizeCells(&ratings->by_item, ratings->mean, ratings->deviation);
}

/* What weights come to: given ones of explicit ratings, or values of implicit feedback. */
typedef struct WeightSums
{
	int64		dislikes;		/* cells of weights below 0 */
	double		weights;		/* sum over the others */
	double		values;			/* the same of log(1 + weight) */
	float		min;			/* of all, without their sign */
	float		max;
} WeightSums;

/* Sums over all cells, by user; false where they have no weights. */
static bool
SumWeights(Ratings *ratings, WeightSums *sums)
{
	MfRows		rows;

	*sums = (WeightSums) {.min = INFINITY,.max = -INFINITY};
	RewindCells(&ratings->by_user);
	while (NextCells(&ratings->by_user, &rows))
	{
		if (rows.weight == NULL)
			return false;
		for (int64 r = 0; r < rows.nrows; r++)
		{
			CHECK_FOR_INTERRUPTS();
			for (int64 c = rows.start[r]; c < rows.start[r + 1]; c++)
			{
				float		weight = fabsf(rows.weight[c]);

				if (rows.weight[c] < 0)
					sums->dislikes++;
				else
				{
					sums->weights += weight;
					sums->values += log1p(weight);
				}
				sums->min = Min(sums->min, weight);
				sums->max = Max(sums->max, weight);
			}
		}
	}
	return true;
}

/* What is left of rows, on average: 1 where they do not fade. */
double
MeanFade(const Ratings *ratings)
{
	return ratings->faded > 0 ? FadeTotal(ratings->left) / ratings->faded : 1;
}

/*
 * Scales weights to a mean of 1, but for dislikes, in both orientations.  Equal ones are as good as none, to the bit,
 * so where there are no dislikes there are none then, and the solver has less to do.
 */
void
SettleWeights(Ratings *ratings)
{
	Cells	   *sides[] = {&ratings->by_user, &ratings->by_item};
	bool		linear = ratings->is_explicit || RowsFade(ratings->fading);	/* what has faded is a logarithm already */
	WeightSums	sums;
	bool		equal;
	int64		likes;
	double		scale;

	ratings->weight_scale = 1;
	if (!SumWeights(ratings, &sums))
		return;
	ratings->dislikes = sums.dislikes;
	likes = ratings->rows - sums.dislikes;
	if (likes == 0)
		return;
	equal = sums.min == sums.max;
	if (linear)
		scale = equal ? sums.min : sums.weights / likes;
	else
		scale = equal ? log1p(sums.min) : sums.values / likes;
	*(ratings->is_explicit ? &ratings->weight_scale : &ratings->value_scale) = scale;
	for (int s = 0; s < 2; s++)
	{
		if (equal && sums.dislikes == 0)
			DropWeights(sides[s]);
		else
			WeightCells(sides[s], linear ? LinearWeight(scale) : LogWeight(scale));
	}
}

/* Frees the cells and closes their files.  The dictionaries stay, as they do in memory contexts of their own. */
void
FreeRatings(Ratings *ratings)
{
	FreeCells(&ratings->by_user);
	FreeCells(&ratings->by_item);
	FreeTriplets(&ratings->held_out);
	FreeTriplets(&ratings->cancelled);
	if (ratings->others)
		FreeCells(ratings->others);
}

/*
 * ratings.c - ratings that have been read and sorted: put on the scale that training works on, and freed.
 *
 * Explicit ratings are standardized, so that regularization means the same for stars and for percents, and then brought
 * to one spread of each user (core/base/spread.c); weights are divided by their mean, so that it means the same with and
 * without them.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "core/base/spread.h"
#include "pg/alloc.h"
#include "pg/memory_limit.h"
#include "source/ratings.h"
#include "source/source.h"

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

/* Notices where kinds of events have no weight, and of weights that no row has: a name may be misspelt. */
void
ReportEvents(const Source *source, const Ratings *ratings)
{
	if (ratings->other_events > 0)
		ereport(NOTICE,
				(errmsg_plural("skipped %lld row of a kind that event_weights does not have",
							   "skipped %lld rows of kinds that event_weights does not have",
							   ratings->other_events, (long long) ratings->other_events)));
	for (int i = 0; ratings->event_rows && i < source->events.weights->count; i++)
		if (ratings->event_rows[i] == 0)
			ereport(NOTICE,
					(errmsg("no row of relation \"%s\" is of the kind \"%s\"", source->name, source->events.weights->name[i]),
					 errhint("Check the keys of event_weights.")));
}

/*
 * What explicit ratings come to, weighted or not, in one pass in the order of the cells, so that it is the same in
 * memory and spilled.
 */
void
SumRatings(Ratings *ratings, bool weighted, RatingSums *sums)
{
	MfRows		rows;

	*sums = (RatingSums) {.shift = NAN,.min = INFINITY,.max = -INFINITY};
	RewindCells(&ratings->by_user);
	while (NextCells(&ratings->by_user, &rows))
	{
		for (int64 r = 0; r < rows.nrows; r++)
		{
			int64		n = rows.start[r + 1] - rows.start[r];

			sums->within += mf_squares_around_mean(rows.rating + rows.start[r], n);
			sums->free += Max(n - 1, 0);
		}
		for (int64 c = rows.start[0]; c < rows.start[rows.nrows]; c++)
		{
			double		weight = weighted && rows.weight ? rows.weight[c] : 1;
			double		off;

			if (isnan(sums->shift))
				sums->shift = rows.rating[c];
			off = rows.rating[c] - sums->shift;
			sums->sum += weight * off;
			sums->squares += weight * off * off;
			sums->weights += weight;
			sums->min = Min(sums->min, rows.rating[c]);
			sums->max = Max(sums->max, rows.rating[c]);
		}
	}
}

/* Adds what other ratings come to. */
void
AddRatingSums(RatingSums *to, const RatingSums *from)
{
	double		off = from->shift - to->shift;

	if (isnan(from->shift))
		return;
	if (isnan(to->shift))
	{
		*to = *from;
		return;
	}
	to->sum += from->sum + off * from->weights;
	to->squares += from->squares + 2 * off * from->sum + off * off * from->weights;
	to->weights += from->weights;
	to->within += from->within;
	to->free += from->free;
	to->min = Min(to->min, from->min);
	to->max = Max(to->max, from->max);
}

/*
 * Mean, deviation and range by sums.  As these count from the least rating, nothing depends on which one came first:
 * where all sums are exact, as those of stars are, the bits are the same for rows of one node and of several.
 */
static void
TakeRatingSums(Ratings *ratings, const RatingSums *sums)
{
	RatingSums	least = {.shift = sums->min,.min = sums->min,.max = sums->max};
	double		off;

	AddRatingSums(&least, sums);
	off = least.sum / least.weights;
	ratings->min = least.min;
	ratings->max = least.max;
	ratings->mean = least.shift + off;
	ratings->deviation = sqrt(least.squares / least.weights - off * off);
	/* a float, so that it does not depend on the order in which users were added up */
	ratings->user_variance = least.free > 0 ? (float) (least.within / least.free / (ratings->deviation * ratings->deviation)) : 0;
}

/* Whether rows fade and next to nothing is left but of rows that say the same. */
static bool
LeavesNothing(const Ratings *ratings)
{
	return RowsFade(ratings->fading) && !(ratings->deviation > LEAST_DEVIATION * (ratings->max - ratings->min));
}

/*
 * Mean, deviation and range of explicit ratings as training weighs them, or, where next to nothing is left but of rows
 * that say the same, as if none had faded (plain; NULL: they have not); and by what users' ratings are brought to one
 * spread.  An error where all ratings are the same, because a model of them has nothing to learn.
 */
void
SummarizeRatings(Ratings *ratings, const RatingSums *weighted, const RatingSums *plain, const Source *source)
{
	TakeRatingSums(ratings, weighted);
	if (plain && LeavesNothing(ratings))
		TakeRatingSums(ratings, plain);
	if (ratings->min == ratings->max || !(ratings->deviation > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("all ratings of relation \"%s\" are %g", source->name, ratings->min),
				 errdetail("A rating model has nothing to learn from a single distinct rating."),
				 errhint("If the rows say that a user took an item, use feedback => 'implicit'.")));
	if (source->keeps_spreads)
		ratings->user_variance = 0;
}

/*
 * Brings ratings to mean 0 and deviation 1 in both orientations, and users' to one spread, by the numbers that ratings has.
 */
void
RescaleRatings(Ratings *ratings)
{
	StandardizeCells(&ratings->by_user, ratings->mean, ratings->deviation);
	StandardizeCells(&ratings->by_item, ratings->mean, ratings->deviation);
	if (!(ratings->user_variance > 0))
		return;
	ratings->spread = UserSpreads(&ratings->by_user, ratings->user_variance);
	SpreadCells(&ratings->by_user, ratings->spread, true);
	SpreadCells(&ratings->by_item, ratings->spread, false);
}

/*
 * Standardizes explicit ratings to mean 0 and deviation 1 in both orientations, and brings users' to one spread; an error
 * where all are the same.
 */
void
StandardizeRatings(Ratings *ratings, const Source *source)
{
	RatingSums	weighted;
	RatingSums	plain;

	SumRatings(ratings, true, &weighted);
	if (RowsFade(ratings->fading))
		SumRatings(ratings, false, &plain);
	SummarizeRatings(ratings, &weighted, RowsFade(ratings->fading) ? &plain : NULL, source);
	RescaleRatings(ratings);
}

/* Sums over all cells, by user. */
void
SumWeights(Ratings *ratings, WeightSums *sums)
{
	MfRows		rows;

	*sums = (WeightSums) {.min = INFINITY,.max = -INFINITY};
	RewindCells(&ratings->by_user);
	while (NextCells(&ratings->by_user, &rows))
	{
		if (rows.weight == NULL)
		{
			sums->likes += rows.start[rows.nrows] - rows.start[0];
			continue;
		}
		sums->present = true;
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
					sums->likes++;
					sums->weights += weight;
					sums->values += log1p(weight);
				}
				sums->min = Min(sums->min, weight);
				sums->max = Max(sums->max, weight);
			}
		}
	}
}

/* Adds what other weights come to. */
void
AddWeightSums(WeightSums *to, const WeightSums *from)
{
	to->present |= from->present;
	to->likes += from->likes;
	to->dislikes += from->dislikes;
	to->weights += from->weights;
	to->values += from->values;
	to->min = Min(to->min, from->min);
	to->max = Max(to->max, from->max);
}

/* What is left of rows, on average: 1 where they do not fade. */
double
MeanFade(const Ratings *ratings)
{
	return ratings->faded > 0 ? FadeTotal(ratings->left) / ratings->faded : 1;
}

/* In seconds: at which age a row counts half in items' trends, unless rows fade sooner. */
#define TREND_HALF_LIFE (2.0 * 24 * 60 * 60)

/*
 * At which age a row counts half in items' trends, of rows with times that fade with this half-life, or do not (0); in
 * seconds.  Taste moves more slowly than what is new, so a long half-life of rows is none of trends.
 */
double
TrendHalfLife(double half_life)
{
	return half_life > 0 ? fmin(half_life, TREND_HALF_LIFE) : TREND_HALF_LIFE;
}

/*
 * What is left of rows in items' trends, for each rating that is none of dislike, on average; 0 where items have no trends.
 * Of ratings that have been sorted by item, anywhere.
 */
double
MeanTrend(const Ratings *ratings)
{
	FadeSum		sum = {0, 0};
	int64		ratings_of_likes = ratings->rows - ratings->dislikes;

	for (int64 i = 0; ratings->trends && i < ratings->by_item.nrows; i++)
		AddFadeSum(&sum, ratings->trends[i]);
	return ratings_of_likes > 0 ? FadeTotal(sum) / ratings_of_likes : 0;
}

/* Items' faded counts, nitems, 0 of those without ratings; NULL where there are none. */
float *
ItemTrends(const Ratings *ratings, int64 nitems)
{
	float	   *trends;

	if (ratings->trends == NULL)
		return NULL;
	trends = HugeZeroArray(nitems, sizeof(float));
	for (int64 i = 0; i < ratings->by_item.nrows; i++)
		trends[i] = (float) FadeTotal(ratings->trends[i]);
	return trends;
}

/* Whether weights are linear: what has faded is a logarithm already. */
static bool
WeightsAreLinear(const Ratings *ratings)
{
	return ratings->is_explicit || RowsFade(ratings->fading);
}

/* Chooses what weights are divided by to have a mean of 1, but for dislikes; they keep theirs where all are. */
void
ChooseScales(Ratings *ratings, const WeightSums *sums)
{
	bool		equal = sums->min == sums->max;
	double		scale;

	ratings->weight_scale = 1;
	if (!sums->present)
		return;
	ratings->dislikes = sums->dislikes;
	if (sums->likes == 0)
		return;
	if (WeightsAreLinear(ratings))
		scale = equal ? sums->min : sums->weights / sums->likes;
	else
		scale = equal ? log1p(sums->min) : sums->values / sums->likes;
	*(ratings->is_explicit ? &ratings->weight_scale : &ratings->value_scale) = scale;
}

/*
 * Scales weights by what was chosen, in both orientations.  Equal ones are as good as none, to the bit, so where there
 * are no dislikes there are none then, and the solver has less to do.
 */
void
RescaleWeights(Ratings *ratings, const WeightSums *sums)
{
	Cells	   *sides[] = {&ratings->by_user, &ratings->by_item};
	double		scale = ratings->is_explicit ? ratings->weight_scale : ratings->value_scale;

	for (int s = 0; s < 2 && sums->present && sums->likes > 0; s++)
	{
		if (sums->min == sums->max && sums->dislikes == 0)
			DropWeights(sides[s]);
		else
			WeightCells(sides[s], WeightsAreLinear(ratings) ? LinearWeight(scale) : LogWeight(scale));
	}
}

/* Both, by the weights of all cells. */
void
SettleWeights(Ratings *ratings)
{
	WeightSums	sums;

	SumWeights(ratings, &sums);
	ChooseScales(ratings, &sums);
	RescaleWeights(ratings, &sums);
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

/* An error where users like nothing: a model learns by that what they may like besides. */
void
CheckLikes(const Ratings *ratings, const char *name)
{
	if (ratings->dislikes > 0 && ratings->dislikes == ratings->rows)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has nothing but dislikes to train on", name),
				 errdetail("All values are negative: they say what users do not want."),
				 errhint("Train on rows with positive values too.")));
}

/*
 * validation.c - how good the factors are on rows that training has not seen, and the best so far.
 *
 * A rating model is measured by the root mean squared error of its predictions, a model with an
 * interest part by its lists: NDCG@10 over a sample of the users with rows held out, over the full
 * catalogue less what those users were trained on.  (Metrics over a sample of the items rank models
 * otherwise than these do: Krichene and Rendle 2020.)
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "core/base/padding.h"
#include "core/base/sorted_list.h"
#include "core/metrics/paired_test.h"
#include "core/predict/predict.h"
#include "core/topk/index.h"
#include "core/topk/topk.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "validate/validation.h"
#include "validate/validation_sample.h"

/* Length of the lists that are measured. */
#define LIST_LENGTH 10

/* Draws of signs by which it is judged whether chance explains a difference. */
#define SIGN_FLIPS 4000

/* The first iterations are still finding their way: how well they happen to do does not count. */
#define SETTLING_ITERATIONS 3

struct Validation
{
	Ratings    *ratings;		/* NULL: they are elsewhere */
	ValidationRows rows;		/* then */
	const MfProblem *problem;
	const MfObjective *objective;
	const MfParallel *parallel;
	MfMetricId	metric;
	ValidationSample sample;	/* users whose lists are measured; empty for a metric of ratings */
	const int32 *counts;		/* problem->nitems, like the next: ratings of items; NULL: lists do not go by these */
	const float *trends;		/* and what is left of them */
	double	   *group;			/* METRIC_GROUPS sums of a metric or of squared errors; NULL: not wanted */

	/* the best iteration so far */
	double		best;			/* its metric */
	int			best_iteration; /* 0: none */
	MfFactors	kept;			/* copies of its items' factors; no users, who follow from them */
	float	   *kept_mean;		/* and of its mean user */
};

/*
 * Measures something else than ndcg of lists, or rmse of a rating model: of lists by the rows that are rated at
 * least relevant_from (NaN: all), over about sample_users users.  An error where no row held out is relevant.
 */
void
SetMetric(Validation *v, MfMetricId metric, double relevant_from, int64 sample_users)
{
	v->metric = metric;
	memset(&v->sample, 0, sizeof(ValidationSample));
	if (mf_metric[metric].of_errors)
		return;
	if (v->ratings == NULL)
	{
		Assert(isnan(relevant_from));
		v->rows.draw(v->rows.state, sample_users, &v->sample);
		return;
	}
	DrawSample(&v->sample, v->ratings, relevant_from, sample_users);
	if (v->sample.nusers == 0 && !isnan(relevant_from))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("no row that is held out is relevant"),
				 errhint("Lower the argument relevant_from, or raise validation.")));
}

/*
 * Prepares to measure, in the current memory context, by rmse what predicts ratings alone, else by ndcg.  Keeps
 * pointers to all arguments.
 */
Validation *
CreateValidation(Ratings *ratings, const MfProblem *problem, const MfObjective *objective,
				 const MfParallel *parallel)
{
	Validation *v = palloc0(sizeof(Validation));

	v->ratings = ratings;
	v->problem = problem;
	v->objective = objective;
	v->parallel = parallel;
	SetMetric(v, mf_ratings_alone(objective) ? MF_METRIC_RMSE : MF_METRIC_NDCG, NAN, SAMPLE_USERS);
	return v;
}

/* The same of rows held out elsewhere. */
Validation *
CreateValidationOf(const ValidationRows *rows, const MfProblem *problem, const MfObjective *objective,
				   const MfParallel *parallel)
{
	Validation *v = palloc0(sizeof(Validation));

	v->rows = *rows;
	v->problem = problem;
	v->objective = objective;
	v->parallel = parallel;
	SetMetric(v, mf_ratings_alone(objective) ? MF_METRIC_RMSE : MF_METRIC_NDCG, NAN, SAMPLE_USERS);
	return v;
}

/*
 * Has lists go by items' faded counts, as those will that are served; trends NULL: they have none.  Both arrays, of the
 * problem's items, belong to the caller.
 */
void
SetItemCounts(Validation *validation, const int32 *counts, const float *trends)
{
	validation->counts = trends ? counts : NULL;
	validation->trends = trends;
}

/* Whether a smaller value of what Validate() measures is better. */
bool
LowerIsBetter(const Validation *validation)
{
	return mf_metric[validation->metric].of_errors != NULL;
}

/* What Validate() measures, for messages; may be palloc'd. */
const char *
ValidationMetric(const Validation *validation)
{
	const MfMetric *metric = &mf_metric[validation->metric];

	return metric->of_errors ? metric->name : psprintf("%s@%d", metric->name, LIST_LENGTH);
}

/*
 * Has every Validate() that follows add its users' metrics, of rmse their squared errors, to METRIC_GROUPS
 * sums: a user's number by that modulus says where.
 */
void
CollectMetric(Validation *validation, double *group)
{
	validation->group = group;
}

/*
 * How likely chance alone makes one of two better by as much as it is: difference, METRIC_GROUPS sums of the two,
 * positive where it is.  See core/metrics/paired_test.c.
 */
double
ChanceOfGroups(const double *difference, uint64 seed)
{
	double	   *differences = palloc(sizeof(double) * METRIC_GROUPS);
	double		chance;
	int			n = 0;

	for (int g = 0; g < METRIC_GROUPS; g++)
		if (difference[g] != 0)
			differences[n++] = difference[g];
	chance = mf_sign_flip(differences, n, SIGN_FLIPS, seed);
	pfree(differences);
	return chance;
}

/* Predictions for held-out rows on the way to their error. */
typedef struct ErrorSum
{
	const MfObjective *objective;
	const MfFactors *factors;
	MfErrorSums sum;
	const int64 *user_place;
	double	   *group;
} ErrorSum;

/* Adds the squared error of the prediction for a held-out row. */
static void
AddError(void *state, int32 user, int32 item, float rating)
{
	ErrorSum   *error = state;
	double		predicted = mf_predicted_rating(error->objective, error->factors, user, item);

	mf_error_add(&error->sum, predicted, rating);
	if (error->group)
		error->group[(error->user_place ? error->user_place[user] : user) % METRIC_GROUPS] += (predicted - rating) * (predicted - rating);
}

/*
 * *sums: errors of the predicted ratings on the rows held out; squared ones by user are added to group, or NULL.
 * user_place: users' numbers among all, where these are some of them; NULL: they are all.
 */
void
HeldOutErrors(Ratings *ratings, const MfObjective *objective, const MfFactors *factors, const int64 *user_place,
			  double *group, MfErrorSums *sums)
{
	ErrorSum	error = {.objective = objective,.factors = factors,.user_place = user_place,.group = group};

	ForEachHeldOut(ratings, AddError, &error);
	*sums = error.sum;
}

/* Root mean squared error of the predicted ratings on the rows held out; NaN where none are predicted. */
double
HeldOutError(Validation *v, const MfFactors *factors)
{
	MfErrorSums sums;

	if (factors->rating == NULL)
		return NAN;
	if (v->ratings)
		HeldOutErrors(v->ratings, v->objective, factors, NULL, v->group, &sums);
	else
		v->rows.errors(v->rows.state, v->group, &sums);
	return mf_metric[MF_METRIC_RMSE].of_errors(&sums);
}

/* The items' index as serving would build it from these factors, in the current memory context. */
static void
BuildIndex(const Validation *v, const MfFactors *factors, MfIndex *index)
{
	int64		nitems = v->problem->nitems;
	int			d = v->problem->factors;
	float	   *vectors = HugeArray(nitems * mf_padded(d), sizeof(float));
	float	   *offsets = HugeArray(nitems, sizeof(float));
	MfItems		items = {.nitems = nitems, .factors = d, .vector = vectors, .offset = offsets};
	Size		size = mf_index_size(&items);
	char	   *memory = AlignedArray(size, 1);

	mf_list_vectors(v->objective, factors, v->counts, v->trends, nitems, vectors, offsets);
	size = mf_index_build(memory, HugeArray(mf_index_workspace(nitems, d, v->parallel), 1), &items,
						  MF_QUANTIZE_NEVER, v->parallel);
	CheckCore(size == 0 ? MF_CANCELLED : MF_OK);
	if (!mf_index_open(index, memory, size))
		elog(ERROR, "could not open an index just built");
}

/* The mean of the metric over the lists of the sample's users, who are the queries of the batch. */
static double
RateLists(Validation *v, const MfTopkBatch *batch)
{
	const ValidationSample *sample = &v->sample;
	double		sum = 0;

	for (int s = 0; s < sample->nusers; s++)
	{
		MfListTally tally;
		double		value;

		mf_list_tally(&tally, batch->item + (int64) s * LIST_LENGTH, batch->count[s], LIST_LENGTH,
					  sample->relevant + sample->start[s], sample->start[s + 1] - sample->start[s]);
		value = mf_metric[v->metric].of_list(&tally);
		sum += value;
		if (v->group)
			v->group[sample->user[s] % METRIC_GROUPS] += value;
	}
	return sum / Max(sample->nusers, 1);
}

/* The mean of the metric over the lists that these factors make for the sample's users. */
static double
ListQuality(Validation *v, const MfFactors *factors)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec validation",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	int			ld = mf_padded(v->problem->factors);
	MfIndex		index;
	MfTopkBatch batch = {.nqueries = v->sample.nusers, .k = LIST_LENGTH};
	float	   *query = AlignedArray((int64) v->sample.nusers * ld, sizeof(float));
	double		quality;

	BuildIndex(v, factors, &index);
	batch.item = HugeArray((int64) v->sample.nusers * LIST_LENGTH, sizeof(int32));
	batch.score = HugeArray((int64) v->sample.nusers * LIST_LENGTH, sizeof(float));
	batch.count = HugeArray(v->sample.nusers, sizeof(int32));
	if (v->ratings == NULL)
		v->rows.vectors(v->rows.state, v->problem, &v->sample, query);
	for (int s = 0; s < v->sample.nusers && v->ratings; s++)
		memcpy(query + (int64) s * ld, factors->user + (int64) v->sample.user[s] * ld, sizeof(float) * ld);
	batch.query = query;
	batch.seen_start = v->sample.seen_start;
	batch.seen = v->sample.seen;
	if (!mf_topk_batch(&index, &batch, HugeArray(mf_topk_batch_workspace(&index, LIST_LENGTH, v->parallel), 1),
					   v->parallel))
		CheckCore(MF_CANCELLED);
	quality = RateLists(v, &batch);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return quality;
}

/* The metric for these factors, see ValidationMetric(); users' must follow from items'. */
double
Validate(Validation *validation, const MfFactors *factors)
{
	return LowerIsBetter(validation) ? HeldOutError(validation, factors) : ListQuality(validation, factors);
}

/* Items in the order of how many ratings they have, most first; among equal ones in that of their numbers. */
static int32 *
ByPopularity(const int32 *counts, int64 nitems)
{
	int64		most = 0;
	int64	   *start;
	int32	   *order = HugeArray(nitems, sizeof(int32));

	for (int64 i = 0; i < nitems; i++)
		most = Max(most, counts[i]);
	start = HugeZeroArray(most + 2, sizeof(int64));
	for (int64 i = 0; i < nitems; i++)
		start[most - counts[i] + 1]++;
	for (int64 c = 0; c <= most; c++)
		start[c + 1] += start[c];
	for (int64 i = 0; i < nitems; i++)
		order[start[most - counts[i]]++] = (int32) i;
	pfree(start);
	return order;
}

/*
 * The metric of lists for those of the most popular items, which need no model: for everybody the same but for what
 * they have.  item_counts: ratings that items have.
 */
double
ValidatePopular(Validation *v, const int32 *item_counts)
{
	const ValidationSample *sample = &v->sample;
	int64		nitems = v->problem->nitems;
	int32	   *order = ByPopularity(item_counts, nitems);
	MfTopkBatch batch = {.item = HugeArray((int64) sample->nusers * LIST_LENGTH, sizeof(int32)),
	.count = HugeZeroArray(sample->nusers, sizeof(int32))};
	double		quality;

	for (int s = 0; s < sample->nusers; s++)
	{
		const int32 *seen = sample->seen + sample->seen_start[s];
		int64		nseen = sample->seen_start[s + 1] - sample->seen_start[s];
		int32	   *list = batch.item + (int64) s * LIST_LENGTH;

		for (int64 i = 0; i < nitems && batch.count[s] < LIST_LENGTH; i++)
			if (!mf_list_has(seen, nseen, order[i]))
				list[batch.count[s]++] = order[i];
	}
	quality = RateLists(v, &batch);
	pfree(batch.item);
	pfree(batch.count);
	pfree(order);
	return quality;
}

/* The users whose lists are measured; of ratings, all with rows held out, whom nobody has counted: -1. */
int64
ValidationUsers(const Validation *validation)
{
	return LowerIsBetter(validation) ? -1 : validation->sample.nusers;
}

/* Makes room for the best iteration: for what items have in these factors, and the mean user. */
static void
AllocateKept(Validation *v, const MfFactors *factors)
{
	int64		vectors = v->problem->nitems * mf_padded(v->problem->factors);

	v->kept.rating = factors->rating ? AlignedArray(vectors, sizeof(float)) : NULL;
	v->kept.interest = factors->interest ? AlignedArray(vectors, sizeof(float)) : NULL;
	v->kept.item_bias = factors->rating ? AlignedArray(v->problem->nitems, sizeof(float)) : NULL;
	v->kept_mean = AlignedArray(v->problem->factors, sizeof(float));
}

/* Copies what items have in some factors, of which both have the same. */
static void
CopyItems(const Validation *v, MfFactors *to, const MfFactors *from)
{
	Size		vectors = sizeof(float) * v->problem->nitems * mf_padded(v->problem->factors);

	if (from->rating)
	{
		memcpy(to->rating, from->rating, vectors);
		memcpy(to->item_bias, from->item_bias, sizeof(float) * v->problem->nitems);
	}
	if (from->interest)
		memcpy(to->interest, from->interest, vectors);
}

/*
 * Keeps a copy of the items' factors and the mean user if their metric is the best so far; users' factors
 * follow from them.  False when the last three iterations brought no better one.
 */
bool
KeepBest(Validation *v, double value, const MfFactors *factors, const float *mean_user, int iteration)
{
	bool		better = v->best_iteration < SETTLING_ITERATIONS ||
		(LowerIsBetter(v) ? value < v->best : value > v->best);

	if (better)
	{
		if (v->best_iteration == 0)
			AllocateKept(v, factors);
		CopyItems(v, &v->kept, factors);
		memcpy(v->kept_mean, mean_user, sizeof(float) * v->problem->factors);
		v->best = value;
		v->best_iteration = iteration;
	}
	return iteration - v->best_iteration < 3;
}

/* Copies the best iteration's items and mean user back; returns its number, from 1. */
int
RestoreBest(const Validation *v, MfFactors *factors, float *mean_user)
{
	CopyItems(v, factors, &v->kept);
	memcpy(mean_user, v->kept_mean, sizeof(float) * v->problem->factors);
	return v->best_iteration;
}

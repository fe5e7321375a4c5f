/*
 * validation.c - how good the factors are on rows that training has not seen, and the best so far.
 *
 * A rating model is measured by the root mean squared error of its predictions, a model with an
 * interest part by its lists: NDCG@10 over a sample of the users with rows held out, over the full
 * catalogue less what those users were trained on.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "core/als/predict.h"
#include "core/base/padding.h"
#include "core/topk/index.h"
#include "core/topk/topk.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "train/validation.h"

#define LIST_LENGTH 10

/* The first iterations are still finding their way: what they happen to score does not count. */
#define SETTLING_ITERATIONS 3

struct Validation
{
	Ratings    *ratings;
	const MfProblem *problem;
	const MfObjective *objective;
	const MfParallel *parallel;
	MfMetricId	metric;
	double		relevant_from;	/* NaN: every row held out is relevant */
	int64		sample_users;	/* whose lists are measured, about, at most */
	double	   *group;			/* METRIC_GROUPS sums of a metric or of squared errors; NULL: not wanted */
	/* the sample: user sample[s] has the held-out items relevant[start[s] .. start[s + 1] - 1] */
	int			nsample;
	int32	   *sample;
	int64	   *start;
	int32	   *relevant;
	int64	   *seen_start;		/* and was trained on seen[seen_start[s] .. seen_start[s + 1] - 1] */
	int32	   *seen;
	/* the best iteration so far */
	double		best;
	int			best_iteration;
	MfFactors	kept;
	float	   *kept_mean;
};

/* What the sample's users were trained on, which their lists leave out. */
static void
CollectSeen(Validation *v)
{
	Cells	   *cells = &v->ratings->by_user;
	MfRows		rows;
	int			s = 0;

	v->seen_start = HugeArray(v->nsample + 1, sizeof(int64));
	v->seen_start[0] = 0;
	for (int i = 0; i < v->nsample; i++)
		v->seen_start[i + 1] = v->seen_start[i] + cells->start[v->sample[i] + 1] - cells->start[v->sample[i]];
	v->seen = HugeArray(v->seen_start[v->nsample], sizeof(int32));
	RewindCells(cells);
	while (NextCells(cells, &rows))
		for (; s < v->nsample && v->sample[s] < rows.first + rows.nrows; s++)
			memcpy(v->seen + v->seen_start[s], rows.column + rows.start[v->sample[s] - rows.first],
				   sizeof(int32) * (v->seen_start[s + 1] - v->seen_start[s]));
}

/* Calls a function for every held-out row, with its rating or implicit value. */
static void
ForEachHeldOut(const Validation *v, void (*function) (void *state, int32 user, int32 item, float rating),
			   void *state)
{
	Triplets   *held = &v->ratings->held_out;
	const float *value;

	while (ReadTriplets(held))
	{
		value = held->value ? held->value : held->weight;
		for (int64 i = 0; i < held->held; i++)
			function(state, held->user[i], held->item[i], value ? value[i] : 1);
	}
	EndTriplets(held);
}

/* A row held out: an item and its rating, or implicit value. */
typedef struct HeldOutItem
{
	int32		item;
	float		value;
} HeldOutItem;

/* Held-out rows by user, and where each sampled user's items go. */
typedef struct Sampling
{
	Validation *validation;
	int32	   *count;			/* of all users */
	bool	   *wanted;			/* users with a row that is relevant by itself */
	int32	   *slot;			/* a sampled user's number in the sample, else -1 */
	int64		users;			/* wanted ones */
	HeldOutItem *item;			/* of the sample, as validation->start says */
} Sampling;

static inline bool
IsRelevant(const Validation *v, double value)
{
	return isnan(v->relevant_from) || value >= v->relevant_from;
}

static void
CountHeldOut(void *state, int32 user, int32 item, float rating)
{
	Sampling   *sampling = state;

	(void) item;
	sampling->count[user]++;
	if (sampling->wanted[user] || !IsRelevant(sampling->validation, rating))
		return;
	sampling->wanted[user] = true;
	sampling->users++;
}

static void
TakeHeldOut(void *state, int32 user, int32 item, float rating)
{
	Sampling   *sampling = state;
	int32		slot = sampling->slot[user];

	if (slot >= 0)
		sampling->item[sampling->validation->start[slot] + sampling->count[user]++] = (HeldOutItem) {item, rating};
}

static int
CompareItems(const void *a, const void *b)
{
	int32		x = ((const HeldOutItem *) a)->item;
	int32		y = ((const HeldOutItem *) b)->item;

	return (x > y) - (x < y);
}

/*
 * The relevant ones of a user's n rows, by item, once each; returns how many.  Several rows of an item
 * count as one with the mean of their ratings, or the sum of their implicit values, as in training.
 */
static int64
TakeRelevant(const Validation *v, HeldOutItem *item, int64 n, int32 *relevant)
{
	bool		mean = v->ratings->is_explicit;
	int64		found = 0;
	int64		end;

	qsort(item, n, sizeof(HeldOutItem), CompareItems);
	for (int64 i = 0; i < n; i = end)
	{
		double		sum = 0;

		for (end = i; end < n && item[end].item == item[i].item; end++)
			sum += item[end].value;
		if (IsRelevant(v, mean ? sum / (end - i) : sum))
			relevant[found++] = item[i].item;
	}
	return found;
}

/* The relevant items of the sampled users; who has none leaves the sample. */
static void
KeepRelevant(Validation *v, HeldOutItem *item)
{
	int32		kept = 0;
	int64		to = 0;
	int64		from = 0;

	v->relevant = HugeArray(v->start[v->nsample], sizeof(int32));
	for (int s = 0; s < v->nsample; s++)
	{
		int64		end = v->start[s + 1];
		int64		found = TakeRelevant(v, item + from, end - from, v->relevant + to);

		from = end;
		if (found == 0)
			continue;
		to += found;
		v->sample[kept++] = v->sample[s];
		v->start[kept] = to;
	}
	v->nsample = kept;
}

/* Chooses an evenly spaced sample of the users that have relevant rows, and room for their rows. */
static void
ChooseUsers(Validation *v, Sampling *sampling)
{
	int32		nusers = v->ratings->users->count;
	int64		step = Max(1, sampling->users / v->sample_users);
	int64		met = 0;

	v->sample = HugeArray(sampling->users / step + 1, sizeof(int32));
	v->start = HugeArray(sampling->users / step + 2, sizeof(int64));
	v->start[0] = 0;
	for (int32 u = 0; u < nusers; u++)
	{
		sampling->slot[u] = -1;
		if (!sampling->wanted[u] || met++ % step != 0)
			continue;
		sampling->slot[u] = v->nsample;
		v->sample[v->nsample++] = u;
		v->start[v->nsample] = v->start[v->nsample - 1] + sampling->count[u];
		sampling->count[u] = 0;
	}
	sampling->item = HugeArray(v->start[v->nsample], sizeof(HeldOutItem));
}

/* The relevant held-out items of a sample of users. */
static void
DrawSample(Validation *v)
{
	int32		nusers = v->ratings->users->count;
	Sampling	sampling = {.validation = v};

	sampling.count = HugeZeroArray(nusers, sizeof(int32));
	sampling.wanted = HugeZeroArray(nusers, sizeof(bool));
	sampling.slot = HugeArray(nusers, sizeof(int32));
	ForEachHeldOut(v, CountHeldOut, &sampling);
	ChooseUsers(v, &sampling);
	ForEachHeldOut(v, TakeHeldOut, &sampling);
	KeepRelevant(v, sampling.item);
	CollectSeen(v);
	pfree(sampling.count);
	pfree(sampling.wanted);
	pfree(sampling.slot);
	pfree(sampling.item);
}

static float *
RoomLike(const float *source, int64 count)
{
	if (source == NULL)
		return NULL;
	return (float *) TYPEALIGN(64, HugeArray(count + 16, sizeof(float)));
}

/*
 * Measures something else than ndcg of lists, or rmse of a rating model: of lists by the rows that are
 * rated at least relevant_from (NaN: all), over about so many users.
 */
void
SetMetric(Validation *v, MfMetricId metric, double relevant_from, int64 sample_users)
{
	v->metric = metric;
	v->relevant_from = relevant_from;
	v->sample_users = sample_users;
	v->nsample = 0;
	if (mf_metric[metric].of_errors)
		return;
	DrawSample(v);
	if (v->nsample == 0 && !isnan(relevant_from))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("no row that is held out is relevant"),
				 errhint("Lower the argument relevant_from, or raise validation.")));
}

/* Prepares the metric; keeps pointers to all arguments. */
Validation *
CreateValidation(Ratings *ratings, const MfProblem *problem, const MfObjective *objective,
				 const MfParallel *parallel)
{
	Validation *v = palloc0(sizeof(Validation));

	v->ratings = ratings;
	v->problem = problem;
	v->objective = objective;
	v->parallel = parallel;
	SetMetric(v, problem->has_interest ? MF_METRIC_NDCG : MF_METRIC_RMSE, NAN, SAMPLE_USERS);
	return v;
}

/* Whether a smaller value of what Validate measures is better. */
bool
LowerIsBetter(const Validation *validation)
{
	return mf_metric[validation->metric].of_errors != NULL;
}

/* What Validate measures, for messages. */
const char *
ValidationMetric(const Validation *validation)
{
	const MfMetric *metric = &mf_metric[validation->metric];

	return metric->of_errors ? metric->name : psprintf("%s@%d", metric->name, LIST_LENGTH);
}

/*
 * Has every Validate that follows add its users' metrics, of rmse their squared errors, to METRIC_GROUPS
 * sums: a user's number by that modulus says where.
 */
void
CollectMetric(Validation *validation, double *group)
{
	validation->group = group;
}

/* Predictions for held-out rows on the way to their error. */
typedef struct ErrorSum
{
	const MfObjective *objective;
	const MfFactors *factors;
	MfErrorSums sum;
	double	   *group;
} ErrorSum;

static void
AddError(void *state, int32 user, int32 item, float rating)
{
	ErrorSum   *error = state;
	double		predicted = mf_predicted_rating(error->objective, error->factors, user, item);

	mf_error_add(&error->sum, predicted, rating);
	if (error->group)
		error->group[user % METRIC_GROUPS] += (predicted - rating) * (predicted - rating);
}

/* Root mean squared error of the predicted ratings on the rows held out; NaN without a rating part. */
double
HeldOutError(Validation *v, const MfFactors *factors)
{
	ErrorSum	error = {.objective = v->objective, .factors = factors, .group = v->group};

	if (!v->problem->has_rating)
		return NAN;
	ForEachHeldOut(v, AddError, &error);
	return mf_metric[MF_METRIC_RMSE].of_errors(&error.sum);
}

/* The items' index as serving would build it from these factors. */
static void
BuildIndex(const Validation *v, const MfFactors *factors, MfIndex *index)
{
	int64		nitems = v->problem->nitems;
	int			d = v->problem->factors;
	Size		size = mf_index_size(nitems, d);
	char	   *space = (char *) TYPEALIGN(64, HugeArray(size + 64, 1));
	float	   *vectors = HugeArray(nitems * mf_padded(d), sizeof(float));
	float	   *offsets = HugeArray(nitems, sizeof(float));
	MfItems		items = {.nitems = nitems, .factors = d, .vector = vectors, .offset = offsets};

	mf_list_vectors(v->objective, factors, nitems, vectors, offsets);
	size = mf_index_build(space, HugeArray(mf_index_workspace(nitems, d, v->parallel), 1), &items,
						  MF_QUANTIZE_NEVER, v->parallel);
	CheckCore(size == 0 ? MF_CANCELLED : MF_OK);
	if (!mf_index_open(index, space, size))
		elog(ERROR, "could not open an index just built");
}

/* The mean of the metric over the sample's lists. */
static double
RateLists(Validation *v, const MfTopkBatch *batch)
{
	double		sum = 0;

	for (int s = 0; s < v->nsample; s++)
	{
		MfListTally tally;
		double		value;

		mf_list_tally(&tally, batch->item + (int64) s * LIST_LENGTH, batch->count[s], LIST_LENGTH,
					  v->relevant + v->start[s], v->start[s + 1] - v->start[s]);
		value = mf_metric[v->metric].of_list(&tally);
		sum += value;
		if (v->group)
			v->group[v->sample[s] % METRIC_GROUPS] += value;
	}
	return sum / Max(v->nsample, 1);
}

/* The quality of the sample's lists. */
static double
ListQuality(Validation *v, const MfFactors *factors)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec validation",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	int			ld = mf_padded(v->problem->factors);
	MfIndex		index;
	MfTopkBatch batch = {.nqueries = v->nsample, .k = LIST_LENGTH};
	float	   *query = (float *) TYPEALIGN(64, HugeArray((int64) v->nsample * ld + 16, sizeof(float)));
	double		quality;

	BuildIndex(v, factors, &index);
	batch.item = HugeArray((int64) v->nsample * LIST_LENGTH, sizeof(int32));
	batch.score = HugeArray((int64) v->nsample * LIST_LENGTH, sizeof(float));
	batch.count = HugeArray(v->nsample, sizeof(int32));
	for (int s = 0; s < v->nsample; s++)
		memcpy(query + (int64) s * ld, factors->user + (int64) v->sample[s] * ld, sizeof(float) * ld);
	batch.query = query;
	batch.seen_start = v->seen_start;
	batch.seen = v->seen;
	if (!mf_topk_batch(&index, &batch, HugeArray(mf_topk_batch_workspace(&index, LIST_LENGTH, v->parallel), 1),
					   v->parallel))
		CheckCore(MF_CANCELLED);
	quality = RateLists(v, &batch);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return quality;
}

/* The metric for these factors: see ValidationMetric. */
double
Validate(Validation *validation, const MfFactors *factors)
{
	return LowerIsBetter(validation) ? HeldOutError(validation, factors) : ListQuality(validation, factors);
}

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
 * Keeps the items' factors and the mean user if the metric is the best so far: the users' follow from them.  Returns
 * false when the last three iterations brought no better one.
 */
bool
KeepBest(Validation *v, double value, const MfFactors *factors, const float *mean_user, int iteration)
{
	bool		better = v->best_iteration < SETTLING_ITERATIONS ||
		(LowerIsBetter(v) ? value < v->best : value > v->best);
	int64		vectors = v->problem->nitems * mf_padded(v->problem->factors);

	if (better)
	{
		if (v->best_iteration == 0)
		{
			v->kept.rating = RoomLike(factors->rating, vectors);
			v->kept.interest = RoomLike(factors->interest, vectors);
			v->kept.item_bias = RoomLike(factors->item_bias, v->problem->nitems);
			v->kept_mean = RoomLike(mean_user, v->problem->factors);
		}
		CopyItems(v, &v->kept, factors);
		memcpy(v->kept_mean, mean_user, sizeof(float) * v->problem->factors);
		v->best = value;
		v->best_iteration = iteration;
	}
	return iteration - v->best_iteration < 3;
}

/* Puts the best iteration's items back; returns its number. */
int
RestoreBest(const Validation *v, MfFactors *factors, float *mean_user)
{
	CopyItems(v, factors, &v->kept);
	memcpy(mean_user, v->kept_mean, sizeof(float) * v->problem->factors);
	return v->best_iteration;
}

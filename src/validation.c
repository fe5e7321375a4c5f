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

#include "core/index.h"
#include "core/metrics.h"
#include "core/topk.h"
#include "interrupt.h"
#include "validation.h"

#define LIST_LENGTH 10
#define SAMPLE_USERS 2000

struct Validation
{
	const Ratings *ratings;
	const MfProblem *problem;
	const MfObjective *objective;
	const MfParallel *parallel;
	/* the sample: user sample[s] has the held-out items relevant[start[s] .. start[s + 1] - 1] */
	int			nsample;
	int32	   *sample;
	int64	   *start;
	int32	   *relevant;
	/* the best iteration so far */
	double		best;
	int			best_iteration;
	MfFactors	kept;
};

static int
CompareInt32(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return (x > y) - (x < y);
}

static void *
HugeArray(int64 count, Size width)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, Max(count, 1) * width);
}

/* The held-out items of an evenly spaced sample of the users that have any. */
static void
DrawSample(Validation *v)
{
	const Ratings *ratings = v->ratings;
	int32	   *count = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(int32) * ratings->users->count,
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int32	   *slot = HugeArray(ratings->users->count, sizeof(int32));
	int64		with_rows = 0;
	int64		seen = 0;
	int64		step;

	for (int64 i = 0; i < ratings->held_out; i++)
		with_rows += count[ratings->held_user[i]]++ == 0;
	step = Max(1, with_rows / SAMPLE_USERS);
	v->sample = HugeArray(with_rows / step + 1, sizeof(int32));
	v->start = HugeArray(with_rows / step + 2, sizeof(int64));
	v->start[0] = 0;
	for (int32 u = 0; u < ratings->users->count; u++)
	{
		slot[u] = -1;
		if (count[u] == 0 || seen++ % step != 0)
			continue;
		slot[u] = v->nsample;
		v->sample[v->nsample++] = u;
		v->start[v->nsample] = v->start[v->nsample - 1] + count[u];
		count[u] = 0;
	}
	v->relevant = HugeArray(v->start[v->nsample], sizeof(int32));
	for (int64 i = 0; i < ratings->held_out; i++)
	{
		int32		u = ratings->held_user[i];

		if (slot[u] >= 0)
			v->relevant[v->start[slot[u]] + count[u]++] = ratings->held_item[i];
	}
	for (int s = 0; s < v->nsample; s++)
		qsort(v->relevant + v->start[s], v->start[s + 1] - v->start[s], sizeof(int32), CompareInt32);
	pfree(count);
	pfree(slot);
}

static float *
RoomLike(const float *source, int64 count)
{
	if (source == NULL)
		return NULL;
	return (float *) TYPEALIGN(64, HugeArray(count + 16, sizeof(float)));
}

/* Prepares the measure; keeps pointers to all arguments. */
Validation *
CreateValidation(const Ratings *ratings, const MfProblem *problem, const MfObjective *objective,
				 const MfParallel *parallel)
{
	Validation *v = palloc0(sizeof(Validation));

	v->ratings = ratings;
	v->problem = problem;
	v->objective = objective;
	v->parallel = parallel;
	if (problem->has_interest)
		DrawSample(v);
	return v;
}

/* What Validate measures, for messages. */
const char *
ValidationMeasure(const Validation *validation)
{
	return validation->problem->has_interest ? "ndcg@10" : "rmse";
}

/* Root mean squared error of the predicted ratings on the rows held out; NaN without a rating part. */
double
HeldOutError(const Validation *v, const MfFactors *factors)
{
	const MfObjective *objective = v->objective;
	MfRatingMetrics sum = {0};

	if (!v->problem->has_rating)
		return NAN;
	for (int64 i = 0; i < v->ratings->held_out; i++)
	{
		double		predicted = mf_predicted_rating(objective, factors, v->ratings->held_user[i], v->ratings->held_item[i]);

		mf_metrics_rating(&sum, predicted, v->ratings->held_rating[i]);
	}
	return mf_metrics_rmse(&sum);
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
	MfItems		items = {nitems, d, vectors, offsets};

	mf_list_vectors(v->objective, factors, nitems, vectors, offsets);
	size = mf_index_build(space, HugeArray(mf_index_workspace(nitems, d, v->parallel), 1), &items,
						  MF_CODES_NEVER, v->parallel);
	CheckCore(size == 0 ? MF_CANCELLED : MF_OK);
	if (!mf_index_open(index, space, size))
		elog(ERROR, "could not open an index just built");
}

/* What the sample's users were trained on, which their lists leave out. */
static void
CollectSeen(const Validation *v, MfBatch *batch)
{
	const MfMatrix *rows = &v->ratings->by_user;
	int64	   *start = HugeArray(v->nsample + 1, sizeof(int64));
	int32	   *seen;

	start[0] = 0;
	for (int s = 0; s < v->nsample; s++)
		start[s + 1] = start[s] + rows->start[v->sample[s] + 1] - rows->start[v->sample[s]];
	seen = HugeArray(start[v->nsample], sizeof(int32));
	for (int s = 0; s < v->nsample; s++)
		memcpy(seen + start[s], rows->column + rows->start[v->sample[s]],
			   sizeof(int32) * (start[s + 1] - start[s]));
	batch->seen_start = start;
	batch->seen = seen;
}

/* Mean NDCG@10 of the sample's lists. */
static double
ListQuality(const Validation *v, const MfFactors *factors)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec validation",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	int			ld = mf_padded(v->problem->factors);
	MfIndex		index;
	MfBatch		batch = {v->nsample, NULL, LIST_LENGTH};
	float	   *query = (float *) TYPEALIGN(64, HugeArray((int64) v->nsample * ld + 16, sizeof(float)));
	double		sum = 0;

	BuildIndex(v, factors, &index);
	batch.item = HugeArray((int64) v->nsample * LIST_LENGTH, sizeof(int32));
	batch.score = HugeArray((int64) v->nsample * LIST_LENGTH, sizeof(float));
	batch.count = HugeArray(v->nsample, sizeof(int32));
	for (int s = 0; s < v->nsample; s++)
		memcpy(query + (int64) s * ld, factors->user + (int64) v->sample[s] * ld, sizeof(float) * ld);
	batch.query = query;
	CollectSeen(v, &batch);
	if (!mf_topk_batch(&index, &batch, HugeArray(mf_topk_batch_workspace(&index, LIST_LENGTH, v->parallel), 1),
					   v->parallel))
		CheckCore(MF_CANCELLED);
	for (int s = 0; s < v->nsample; s++)
		sum += mf_metrics_rank(batch.item + (int64) s * LIST_LENGTH, batch.count[s], LIST_LENGTH,
							   v->relevant + v->start[s], v->start[s + 1] - v->start[s]).ndcg;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return sum / Max(v->nsample, 1);
}

/* The measure for these factors: see ValidationMeasure. */
double
Validate(Validation *validation, const MfFactors *factors)
{
	return validation->problem->has_interest ? ListQuality(validation, factors) : HeldOutError(validation, factors);
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
 * Keeps the items' factors if the measure is the best so far: the users' follow from them.  Returns
 * false when the last three iterations brought no better one.
 */
bool
KeepBest(Validation *v, double measure, const MfFactors *factors, int iteration)
{
	bool		better = v->best_iteration == 0 ||
		(v->problem->has_interest ? measure > v->best : measure < v->best);
	int64		vectors = v->problem->nitems * mf_padded(v->problem->factors);

	if (better)
	{
		if (v->best_iteration == 0)
		{
			v->kept.rating = RoomLike(factors->rating, vectors);
			v->kept.interest = RoomLike(factors->interest, vectors);
			v->kept.item_bias = RoomLike(factors->item_bias, v->problem->nitems);
		}
		CopyItems(v, &v->kept, factors);
		v->best = measure;
		v->best_iteration = iteration;
	}
	return iteration - v->best_iteration < 3;
}

/* Puts the best iteration's items back; returns its number. */
int
RestoreBest(const Validation *v, MfFactors *factors)
{
	CopyItems(v, factors, &v->kept);
	return v->best_iteration;
}

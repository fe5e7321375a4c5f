/*
 * als_loop.c - alternating least squares over ratings that have been read: objective, factors, sweeps.
 *
 * Knows neither tables nor models: the trainer stores what comes out, tuning tries one training after
 * another, an estimate runs the beginning of one.
 */
#include "postgres.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/als/predict.h"
#include "guc.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/progress.h"
#include "train/als_loop.h"
#include "train/train_memory.h"

/* A stored number is 0 or at least this: FLT_MIN is 1.2e-38. */
#define TINY_FACTOR 1.2e-19f

/* Bytes from which an array gets huge pages, if there are any. */
#define HUGE_ARRAY (4 << 20)

/* From so many ratings on, half-sweeps may round the fixed side's vectors to int16; below, the time saved is not worth it. */
#define INT16_ROWS 1000000

double
SecondsSince(instr_time began)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, began);
	return INSTR_TIME_GET_DOUBLE(now);
}

/*
 * Asks for huge pages where an array is large: its rows are met in any order, and with small pages most of
 * them would have to be looked up.  Where there are none nothing is lost.
 */
static void
AdviseHugePages(char *space, Size size)
{
#ifdef MADV_HUGEPAGE
	Size		page = getpagesize();

	if (size >= HUGE_ARRAY)
		(void) madvise((void *) TYPEALIGN(page, space), TYPEALIGN_DOWN(page, size - page), MADV_HUGEPAGE);
#endif
}

/* Room for floats that the core's kernels want: zeroed, on a cache line. */
static float *
FloatArray(int64 count)
{
	char	   *space = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(float) * count + 64);
	float	   *array = (float *) TYPEALIGN(64, space);

	AdviseHugePages(space, sizeof(float) * count);
	memset(array, 0, sizeof(float) * count);
	return array;
}

static void
Override(double *value, double option)
{
	if (!isnan(option))
		*value = option;
}

/* The preset for this data, and what the caller wants otherwise. */
void
SettleObjective(Training *t)
{
	const TrainOptions *options = &t->options;
	const Ratings *ratings = t->ratings;
	MfObjective *objective = &t->objective;
	MfDataShape shape = {ratings->users->count, ratings->items->count, ratings->rows};
	bool		explicit = ratings->is_explicit;

	mf_objective_preset(objective, explicit, !explicit || options->interest_weight != 0, &shape);
	objective->value_scale = ratings->value_scale;
	objective->weight_scale = ratings->weight_scale;
	if (options->factors > 0)
		objective->factors = options->factors;
	if (options->iterations > 0)
		objective->iterations = options->iterations;
	Override(&objective->regularization, options->regularization);
	Override(&objective->alpha, options->alpha);
	if (explicit)
	{
		Override(&objective->interest_weight, options->interest_weight);
		if (objective->has_interest)
			Override(&objective->taste, options->taste);
		objective->mean = ratings->mean;
		objective->deviation = ratings->deviation;
		objective->min = ratings->min;
		objective->max = ratings->max;
	}
	mf_objective_settle(objective);
}

/* Row lengths of one orientation. */
static int32 *
CountRows(const Cells *cells)
{
	int32	   *counts = HugeArray(cells->nrows, sizeof(int32));

	for (int64 i = 0; i < cells->nrows; i++)
		counts[i] = (int32) (cells->start[i + 1] - cells->start[i]);
	return counts;
}

static float *
Regularization(const MfObjective *objective, const int32 *counts, int64 n,
			   double (*rule) (const MfObjective *, int64))
{
	float	   *values = FloatArray(n);

	for (int64 i = 0; i < n; i++)
		values[i] = (float) rule(objective, counts[i]);
	return values;
}

/* The objective as the core minimises it; first of all, whether there is memory for it. */
void
StateProblem(Training *t)
{
	const MfObjective *objective = &t->objective;
	MfProblem  *problem = &t->problem;

	CheckFactorMemory(objective, t->ratings->users, t->ratings->items, t->ratings->unknown,
					  t->ratings->held_out.count > 0, &t->parallel);
	t->user_counts = CountRows(&t->ratings->by_user);
	t->item_counts = CountRows(&t->ratings->by_item);
	problem->nusers = t->ratings->users->count;
	problem->nitems = t->ratings->items->count;
	problem->factors = mf_dimensions(objective);
	problem->shared = objective->factors;
	problem->has_rating = objective->has_rating;
	problem->has_interest = objective->has_interest;
	problem->interest_weight = objective->interest_weight;
	problem->alpha = objective->alpha;
	problem->user_regularization = Regularization(objective, t->user_counts, problem->nusers,
												  mf_user_regularization);
	problem->user_mean = t->mean_user = FloatArray(mf_padded(mf_dimensions(objective)));
	problem->user_pull = Regularization(objective, t->user_counts, problem->nusers, mf_user_pull);
	if (objective->has_rating)
		problem->rating_regularization = Regularization(objective, t->item_counts, problem->nitems,
														mf_rating_regularization);
	if (objective->has_interest)
		problem->interest_regularization = Regularization(objective, t->item_counts, problem->nitems,
														  mf_interest_regularization);
	problem->int16 = t->ratings->rows >= INT16_ROWS && !CellsHaveWeights(&t->ratings->by_user);
	problem->user_bias_regularization = objective->regularization * objective->bias_regularization;
	problem->item_bias_regularization = problem->user_bias_regularization;
}

/* Room for the factors; the items', from which the first half-sweep starts, are random. */
void
StartFactors(Training *t)
{
	const MfProblem *problem = &t->problem;
	int64		ld = mf_padded(problem->factors);
	uint64		seed = (uint64) t->options.seed;

	t->factors.user = FloatArray(problem->nusers * ld);
	if (problem->has_rating)
	{
		t->factors.rating = FloatArray(problem->nitems * ld);
		t->factors.user_bias = FloatArray(problem->nusers);
		t->factors.item_bias = FloatArray(problem->nitems);
		mf_random_factors(t->factors.rating, problem->nitems, problem->factors, 2 * seed);
	}
	if (problem->has_interest)
	{
		t->factors.interest = FloatArray(problem->nitems * ld);
		mf_random_factors(t->factors.interest, problem->nitems, problem->factors, 2 * seed + 1);
	}
}

/* One half-sweep: every row of one side solved, the other side fixed; returns the loss. */
double
HalfSweep(Training *t, MfSide side, bool exact)
{
	Cells	   *cells = side == MF_USERS ? &t->ratings->by_user : &t->ratings->by_item;
	MfRows		rows;
	double		loss;

	CheckCore(mf_als_begin(t->als, side, exact, NULL));
	RewindCells(cells);
	while (NextCells(cells, &rows))
		CheckCore(mf_als_rows(t->als, &rows));
	CheckCore(mf_als_end(t->als, &loss));
	return loss;
}

static void
LogIteration(Training *t, double validation)
{
	LogLine    *line = &t->log[t->iterations - 1];

	line->iteration = t->iterations;
	line->loss = t->loss;
	line->validation = validation;
	line->seconds = SecondsSince(t->began);
	ReportIteration(t->iterations, t->objective.iterations, t->loss);
	if (mfrec_verbose)
		ereport(NOTICE,
				(errmsg("iteration %d of %d: loss %.6g", t->iterations, t->objective.iterations, t->loss),
				 isnan(validation) ? 0 :
				 errdetail("%s on the rows held out: %.4f", ValidationMetric(t->validation), validation)));
}

/* The point to which users are drawn follows them. */
static void
UpdateMeanUser(Training *t)
{
	if (t->problem.has_interest)
		mf_mean_user(&t->problem, t->factors.user, t->problem.user_pull, t->mean_user);
}

/* Measures the factors on the held-out rows; false when the last iterations brought nothing better. */
static bool
ValidateIteration(Training *t, double *validation)
{
	UpdateMeanUser(t);
	HalfSweep(t, MF_USERS, true);
	*validation = Validate(t->validation, &t->factors);
	return KeepBest(t->validation, *validation, &t->factors, t->mean_user, t->iterations);
}

/*
 * Makes zeros of numbers so small that the product of two of them would be none that a float has: in SQL
 * that product is an error.  Iterations bring unused dimensions of tiny catalogues there.
 */
static void
DropTiny(float *values, int64 count)
{
	for (int64 i = 0; values && i < count; i++)
		if (fabsf(values[i]) < TINY_FACTOR)
			values[i] = 0;
}

/* The same for all that will be stored.  Users stay what folding in finds, to far below a float's precision. */
static void
DropTinyFactors(Training *t)
{
	const MfProblem *problem = &t->problem;
	int64		ld = mf_padded(problem->factors);

	DropTiny(t->factors.user, problem->nusers * ld);
	DropTiny(t->factors.interest, problem->nitems * ld);
	DropTiny(t->factors.rating, problem->nitems * ld);
	DropTiny(t->factors.user_bias, problem->nusers);
	DropTiny(t->factors.item_bias, problem->nitems);
}

/*
 * Alternates until the loss settles, the held-out rows say to stop, or the iterations are used up;
 * then solves the users once more, exactly, so that a stored user equals what folding the same rows
 * in gives.
 */
void
RunSweeps(Training *t)
{
	double		tolerance = isnan(t->options.tolerance) ? 0 : t->options.tolerance;
	bool		go_on = true;

	t->log = palloc0(sizeof(LogLine) * t->objective.iterations);
	t->als = mf_als_init(MemoryContextAllocHuge(CurrentMemoryContext, mf_als_size(&t->problem, &t->parallel)),
						 &t->problem, &t->factors, &t->parallel);
	while (go_on && t->iterations < t->objective.iterations)
	{
		double		before = t->loss;
		double		validation = NAN;

		HalfSweep(t, MF_USERS, false);
		t->loss = HalfSweep(t, MF_ITEMS, false);
		t->iterations++;
		if (t->validation)
			go_on = ValidateIteration(t, &validation);
		LogIteration(t, validation);
		if (t->iterations > 1 && before - t->loss <= tolerance * before)
			go_on = false;
		UpdateMeanUser(t);
	}
	if (t->validation)
		t->iterations = RestoreBest(t->validation, &t->factors, t->mean_user);
	t->loss = HalfSweep(t, MF_USERS, true);
	DropTinyFactors(t);
}

/* The mean bias of users, for predictions to users of whom nothing is known. */
double
MeanBias(const Training *t)
{
	double		sum = 0;

	for (int64 u = 0; t->factors.user_bias && u < t->problem.nusers; u++)
		sum += t->factors.user_bias[u];
	return sum / t->problem.nusers;
}

/* The rmse to report: of the best iteration on the rows held out, else on those trained on. */
double
RatingError(const Training *t)
{
	MfRows		rows;
	double	   *sums;
	double		squares = 0;

	if (!t->problem.has_rating)
		return NAN;
	if (t->validation)
		return HeldOutError(t->validation, &t->factors);
	sums = HugeArray(t->problem.nusers, sizeof(double));
	RewindCells(&t->ratings->by_user);
	while (NextCells(&t->ratings->by_user, &rows))
	{
		CheckCore(mf_squared_errors(&t->parallel, &t->problem, &t->factors, &rows, sums));
		for (int64 r = 0; r < rows.nrows; r++)
			squares += sums[r];
	}
	pfree(sums);
	return t->objective.deviation * sqrt(squares / t->ratings->rows);
}

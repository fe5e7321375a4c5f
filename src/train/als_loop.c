/*
 * als_loop.c - alternating least squares over ratings that have been read: factors, half-sweeps, iterations.
 *
 * Knows neither tables nor models: a training stores what comes out, tuning tries one set of parameters after
 * another, an estimate runs the beginning of one.  The solver is core/als; here its half-sweeps are fed with rows,
 * which may come from temporary files, measured and logged.
 */
#include "postgres.h"

#include <math.h>

#include "core/base/narrow.h"
#include "core/predict/predict.h"
#include "core/simd/amx.h"
#include "distributed/driver.h"
#include "guc.h"
#include "model/factor_rows.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/progress.h"
#include "train/als_loop.h"
#include "train/item_map.h"
#include "train/user_map.h"

/* The map of features begins after so many iterations: before, factors are too rough to tell what features say. */
#define FIRST_WITH_MAP 3

/* Seconds from a point of time until now. */
double
SecondsSince(instr_time began)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, began);
	return INSTR_TIME_GET_DOUBLE(now);
}

/*
 * Allocates the factors.  Users' and biases are 0; the items', from which the first half-sweep starts, are
 * random numbers that depend on the argument seed alone; those of cold items are 0 until the end.
 */
void
StartFactors(Training *t)
{
	const MfProblem *problem = &t->problem;
	int64		ld = mf_padded(problem->factors);

	t->factors.user = HugePageArray(t->nusers * ld, sizeof(float));
	if (problem->rating_regularization)
	{
		t->factors.rating = HugePageArray(t->nitems * ld, sizeof(float));
		t->factors.user_bias = HugePageArray(t->nusers, sizeof(float));
		t->factors.item_bias = HugePageArray(t->nitems, sizeof(float));
		t->factors.user_spread = t->ratings->spread;
	}
	if (problem->interest_regularization)
		t->factors.interest = HugePageArray(t->nitems * ld, sizeof(float));
	mf_random_start(problem, &t->factors, (uint64) t->options.seed);
}

/* The solver for this problem and these factors, with its workspace, in the current memory context. */
MfAls *
CreateSolver(const Training *t)
{
	/* huge pages: half-sweeps read copies of the fixed side here, in no order */
	void	   *workspace = HugePageArray(mf_als_size(&t->problem, &t->parallel), 1);

	return mf_als_init(workspace, &t->problem, &t->factors, &t->parallel);
}

/* Says once a session whether products of rounded vectors are made by tiles, and if not, what is in the way. */
static void
ReportTiles(void)
{
	static bool reported = false;

	if (reported)
		return;
	reported = true;
	elog(DEBUG1, "mfrec: AMX tiles: %s", mf_amx_text(mf_amx()));
}

/* A half-sweep of users on their nodes; returns the loss, also where items are drawn to priors, of which nodes do not know. */
static double
SweepUsersThere(Training *t, bool exact)
{
	double		loss = SweepUsersOnNodes(t->driver, &t->problem, &t->factors, exact);
	double		items_loss;

	if (t->problem.interest_prior == NULL && t->problem.rating_prior == NULL)
		return loss;
	CheckCore(mf_als_items_loss(t->als, &items_loss));
	return loss - ItemsLossOfNodes(t->driver) + items_loss;
}

/*
 * A half-sweep of users on their nodes, or of items from sums that these make; returns the loss.  How many bits the next
 * ones have goes by the loss of all nodes, as it does on one.
 */
static double
SweepOnNodes(Training *t, MfSide side, bool exact)
{
	double		loss;

	SetGainOfNodes(t->driver, mf_als_gain(t->als));
	loss = side == MF_USERS ? SweepUsersThere(t, exact) :
		SweepItemsBySums(t->driver, &t->problem, t->als, t->item_counts, exact);
	if (!exact)
		mf_als_note_loss(t->als, side, loss);
	return loss;
}

/*
 * One half-sweep: every row of one side solved, the other side fixed; returns the loss.  exact: see
 * mf_als_begin().
 */
double
HalfSweep(Training *t, MfSide side, bool exact)
{
	Cells	   *cells = side == MF_USERS ? &t->ratings->by_user : &t->ratings->by_item;
	MfRows		rows;
	double		loss;

	if (t->driver && (side == MF_USERS || !ItemsAreHere(t->driver)))
		return SweepOnNodes(t, side, exact);
	if (t->driver)
		TakeUserVectors(t->driver, &t->problem, &t->factors);
	CheckCore(mf_als_begin(t->als, side, exact, NULL));
	if (t->problem.int16 && !exact)
		ReportTiles();
	RewindCells(cells);
	while (NextCells(cells, &rows))
		CheckCore(mf_als_rows(t->als, &rows));
	CheckCore(mf_als_end(t->als, &loss));
	return loss;
}

/*
 * Writes down an iteration: for mfrec.training_log, mf_progress and, with mfrec.verbose, as a notice.
 * validation: its metric; NaN: none.
 */
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

/* Lets the point to which users are drawn follow them: their mean, weighted by how strongly each is drawn. */
void
UpdateMeanUser(Training *t)
{
	if (t->factors.interest == NULL)
		return;
	if (t->driver && !ItemsAreHere(t->driver))
	{
		MeanUserOfNodes(t->driver, &t->problem, t->mean_user);
		return;
	}
	if (t->driver)
		TakeUserVectors(t->driver, &t->problem, &t->factors);
	mf_mean_user(&t->problem, t->factors.user, t->problem.user_pull, t->mean_user);
}

/*
 * Measures the factors on the held-out rows, users solved as they would be stored; false when the last
 * iterations brought nothing better.
 */
static bool
ValidateIteration(Training *t, double *validation)
{
	UpdateMeanUser(t);
	HalfSweep(t, MF_USERS, true);
	*validation = Validate(t->validation, &t->factors);
	return KeepBest(t->validation, *validation, &t->factors, t->mean_user, t->iterations);
}

/*
 * Rounds items' vectors to what images hold in half of the room (core/base/narrow.c): by so little that the loss changes
 * by less than any that is shown.  What has been rounded stays as it is.
 */
static void
RoundItems(const Training *t)
{
	int			d = t->problem.factors;

	mf_narrow_round_rows(t->factors.interest, t->nitems, d, mf_padded(d));
	mf_narrow_round_rows(t->factors.rating, t->nitems, d, mf_padded(d));
}

/*
 * Drops what is too small from all that will be stored.  Users stay what folding in finds, to far below a float's
 * precision; those of nodes are theirs to store.
 */
void
DropTinyFactors(Training *t)
{
	int64		ld = mf_padded(t->problem.factors);

	DropTiny(t->factors.user, t->driver ? 0 : t->nusers * ld);
	DropTiny(t->factors.interest, t->nitems * ld);
	DropTiny(t->factors.rating, t->nitems * ld);
	DropTiny(t->factors.user_bias, t->driver ? 0 : t->nusers);
	if (t->user_map)
		DropTiny(t->user_map->prior, t->nusers * ld);
	if (t->map)
		DropTiny(ListPrior(t->map), t->nitems * ld);
	DropTiny(t->factors.item_bias, t->nitems);
}

/*
 * Whether an iteration that began with the loss `before` has brought so little that there need be no more.  A map,
 * which is fitted for itself, may raise the loss: then only a tolerance that was asked for ends a training.
 */
static bool
HasSettled(const Training *t, double before)
{
	double		tolerance = isnan(t->options.tolerance) ? 0 : t->options.tolerance;

	if (t->iterations <= 1)
		return false;
	if (t->map || t->user_map)
		return fabs(before - t->loss) < tolerance * before;
	return before - t->loss <= tolerance * before;
}

/* After an iteration: lets the maps of features follow, once it is time to find out what they are worth. */
static void
FollowMaps(Training *t)
{
	if (t->map && t->iterations == FIRST_WITH_MAP)
		TryItemMap(t);
	if (t->user_map && t->iterations == FIRST_WITH_MAP)
		TryUserMap(t);
	if (t->map && t->map->draws)
		FollowItems(t);
	if (t->user_map && t->user_map->used)
		FollowUsers(t, t->iterations == FIRST_WITH_MAP ? FIRST_USER_STEPS : USER_STEPS);
}

/*
 * Solves the users for the last time, exactly and by items as they will be stored, so that they are what folding in
 * finds.  Where the best iteration was
 * not the last one, or there have been too few for a map, that follows first: users are drawn to where they will be
 * stored.
 */
static void
SolveLastUsers(Training *t)
{
	UserMap    *map = t->user_map;
	bool		late = map && !map->known;

	RoundItems(t);
	t->loss = HalfSweep(t, MF_USERS, true);
	if (late)
		TryUserMap(t);
	if (map && map->used && (late || t->validation))
	{
		FollowUsers(t, late ? FIRST_USER_STEPS : USER_STEPS);
		t->loss = HalfSweep(t, MF_USERS, true);
	}
	if (map)
		MakeProfileUsers(t, (float) MeanBias(t));
}

/*
 * Alternates until the loss settles, the held-out rows say to stop, or the iterations are used up; then solves
 * the users once more, exactly, so that a stored user equals what folding the same rows in gives.  Fills in
 * log, iterations and loss.
 */
void
RunSweeps(Training *t)
{
	bool		go_on = true;

	t->log = palloc0(sizeof(LogLine) * t->objective.iterations);
	t->als = CreateSolver(t);
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
		if (HasSettled(t, before))
			go_on = false;
		UpdateMeanUser(t);
		FollowMaps(t);
	}
	if (t->validation)
		t->iterations = RestoreBest(t->validation, &t->factors, t->mean_user);
	SolveLastUsers(t);
	if (t->map && !t->map->known)
		TryItemMap(t);
	if (t->map)
		MakeColdItems(t);
	RoundItems(t);
	DropTinyFactors(t);
}

/* The mean bias of users, for predictions to users of whom nothing is known; 0 without biases. */
double
MeanBias(const Training *t)
{
	double		sum = 0;

	if (t->driver)
		return MeanBiasOfNodes(t->driver);
	for (int64 u = 0; t->factors.user_bias && u < t->problem.nusers; u++)
		sum += t->factors.user_bias[u];
	return sum / t->problem.nusers;
}

/*
 * The rmse to report: of the best iteration on the rows held out, else on those trained on; NaN where no
 * ratings are predicted.
 */
double
RatingError(const Training *t)
{
	MfRows		rows;
	double	   *sums;
	double		squares = 0;

	if (t->factors.rating == NULL)
		return NAN;
	if (t->validation)
		return HeldOutError(t->validation, &t->factors);
	if (t->driver)
		return t->objective.deviation *
			sqrt(SquaredErrorsOfNodes(t->driver, &t->problem, &t->factors) / t->ratings->rows);
	sums = HugeArray(t->problem.nusers, sizeof(double));
	RewindCells(&t->ratings->by_user);
	while (NextCells(&t->ratings->by_user, &rows))
	{
		CheckCore(mf_squared_errors(&t->parallel, &t->problem, &t->factors, &rows, t->objective.rating_gain, sums));
		for (int64 r = 0; r < rows.nrows; r++)
			squares += sums[r];
	}
	pfree(sums);
	return t->objective.deviation * sqrt(squares / t->ratings->rows);
}

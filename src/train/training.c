/*
 * training.c - what a training minimises: constants by preset and argument, regularization by row.
 *
 * The formulas are in core/als/objective.c; here they meet the data and the arguments.
 */
#include "postgres.h"

#include <math.h>

#include "pg/alloc.h"
#include "features/features.h"
#include "distributed/driver.h"
#include "guc.h"
#include "train/train_memory.h"
#include "train/training.h"

/*
 * From so many ratings on half-sweeps may round the fixed side's vectors to 16 bits, which is faster.  On smaller
 * sets a training takes seconds either way.
 */
#define INT16_RATINGS 1000000

/* With more than MANY_FACTORS it is seconds from fewer ratings on. */
#define MANY_FACTORS 96
#define INT16_RATINGS_MANY 200000

/*
 * From so many on dimensions of ratings alone may rest in every second half-sweep, too: iterations take a sixth less,
 * and dense sets end a little less exact.  So may one of items' terms where ratings fade more slowly than choices;
 * small sets end 1e-3 to 3e-3 above the loss that they would have, and lists suffer.
 */
#define RESTING_RATINGS 5000000

/* How much lists go by what is left of an item's rows: see mf_item_recency(). */
#define TREND_WEIGHT 0.7

/* Replaces a constant of the preset by an argument, if that was given. */
static void
Override(double *value, double option)
{
	if (!isnan(option))
		*value = option;
}

/* Takes over how ratings were standardized and weights scaled: predictions and fold-in need the same. */
static void
TakeScales(MfObjective *objective, const Ratings *ratings)
{
	objective->value_scale = ratings->value_scale;
	objective->weight_scale = ratings->weight_scale;
	objective->half_life = ratings->fading.half_life;
	objective->trend_half_life = ratings->trend_half_life;
	objective->trend_mean = MeanTrend(ratings);
	objective->newest = isfinite(ratings->fading.newest) ? ratings->fading.newest : 0;
	objective->mean_fade = MeanFade(ratings);
	objective->rating_roots = ratings->weights_given ? 0 : mf_slower_ratings(objective);
	if (!ratings->is_explicit)
		return;
	objective->mean = ratings->mean;
	objective->deviation = ratings->deviation;
	objective->user_variance = ratings->user_variance;
	objective->min = ratings->min;
	objective->max = ratings->max;
}

/* How long vectors are: what arguments do not say is the preset's, as far as there is room beside what they say. */
static void
SettleDimensions(MfObjective *objective, const TrainOptions *options, const MfDataShape *shape)
{
	objective->factors = options->factors > 0 ? options->factors :
		mf_default_factors(shape, mf_is_joint(objective), objective->iterations);
	if (options->factors <= 0 && options->rating_factors > 0)
		objective->factors = Min(objective->factors, MF_MAX_FACTORS - options->rating_factors);
	mf_objective_divide(objective, options->rating_factors >= 0 ? options->rating_factors :
						mf_default_rating_factors(objective));
}

/* t->objective: the preset for these ratings, with what the arguments say otherwise. */
void
SettleObjective(Training *t)
{
	const TrainOptions *options = &t->options;
	const Ratings *ratings = t->ratings;
	MfObjective *objective = &t->objective;
	MfDataShape shape = {ratings->by_user.nrows, ratings->by_item.nrows, ratings->rows - ratings->dislikes,
	t->features ? t->features->nfeatures : 0, mfrec_training_seconds > 0 ? mfrec_training_seconds : INFINITY};
	bool		interest = !ratings->is_explicit || options->interest_weight != 0;

	mf_objective_preset(objective, ratings->is_explicit, interest, &shape);
	TakeScales(objective, ratings);
	if (options->iterations > 0)
		objective->iterations = options->iterations;
	SettleDimensions(objective, options, &shape);
	Override(&objective->regularization, options->regularization);
	Override(&objective->alpha, options->alpha);
	if (ratings->is_explicit)
		Override(&objective->interest_weight, options->interest_weight);
	if (mf_is_joint(objective))
		Override(&objective->taste, options->taste);
	objective->trend_weight = ratings->trends && interest ? TREND_WEIGHT : 0;
	if (objective->trend_weight > 0)
		Override(&objective->trend_weight, options->trend_weight);
	Override(&objective->user_exponent, options->user_exponent);
	Override(&objective->item_exponent, options->item_exponent);
	objective->item_map = t->features != NULL;
	Override(&objective->feature_strength, options->feature_strength);
	mf_objective_settle(objective);
}

/* MfFloats: an array of a training's. */
static float *
TakeFloats(int64_t n)
{
	return HugePageArray(n, sizeof(float));
}

/*
 * t->problem: the objective as the core minimises it, with the regularization of every row.  First of all an
 * error where there is no memory for its factors.
 */
void
StateProblem(Training *t)
{
	const MfObjective *objective = &t->objective;
	Ratings    *ratings = t->ratings;
	MfProblem  *problem = &t->problem;
	int32	   *likes;

	*problem = mf_objective_problem(objective, ratings->by_user.nrows, ratings->by_item.nrows);
	problem->int16 = ratings->rows >= (problem->factors > MANY_FACTORS ? INT16_RATINGS_MANY : INT16_RATINGS);
	problem->int8 = problem->int16;
	problem->weighted = t->driver ? NodesHaveWeights(t->driver) : CellsHaveWeights(&ratings->by_user);
	problem->rests = ratings->rows >= RESTING_RATINGS;
	if (t->driver && (t->features || !PlanItems(t->driver, problem, ratings, t->user_features != NULL)))
		problem->nusers = 0;
	t->nitems = t->features ? t->features->nitems : problem->nitems;
	t->nusers = t->user_features ? t->user_features->nitems : problem->nusers;
	CheckFactorMemory(problem, ratings, t->features, t->user_features, &t->parallel);
	if (!t->driver)
		t->item_counts = CountCells(&ratings->by_item, t->nitems, ratings->dislikes > 0);
	t->item_trends = ItemTrends(ratings, t->nitems);
	t->user_counts = t->driver ? NULL : CountCells(&ratings->by_user, t->nusers, false);
	likes = t->driver ? NULL : CountCells(&ratings->by_user, t->nusers, ratings->dislikes > 0);
	t->mean_user = HugePageArray(mf_padded(problem->factors), sizeof(float));
	problem->user_mean = t->mean_user;
	if (t->driver)
		StateOnNodes(t->driver, objective, problem, t->item_counts);
	if (t->driver && ItemsAreHere(t->driver))
		likes = TakeItemCells(t->driver, t->item_counts, ratings);
	mf_objective_regularize(objective, likes, t->item_counts, TakeFloats, problem);
	if (t->driver)
		t->user_counts = likes; /* which tell users who have ratings, NULL where they are not here */
	else
		pfree(likes);
}

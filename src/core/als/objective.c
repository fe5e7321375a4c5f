/*
 * objective.c - the constants of the objective: presets, and rules that depend on the data.
 *
 * What is minimised is the sum of two objectives that are complete in themselves and share the users'
 * vectors; explicit feedback has both, interest_weight 0 leaves the first, implicit feedback has the
 * second:
 *
 *     sum over observed cells  (z - b_u - b_i - p_u.q_i)^2
 *         + sum_u t_u |p_u|^2 + sum_i t_i |q_i|^2 + bias_regularization (sum b_u^2 + sum b_i^2)
 *
 *     interest_weight * [ sum over all cells  c (x - p_u.s_i)^2
 *         + sum_u R_u |p_u - mean|^2 + sum_i R_i |s_i|^2 ]
 *
 * with z the standardized rating, x = 1 and c = 1 + alpha f(value) where observed, else x = 0 and
 * c = 1.  A user of whom little is known is drawn not to nothing but to the mean user, sum R_u p_u /
 * sum R_u, which is the best such point: so lists of newcomers resemble those of all.
 *
 * The rating part: t = rating_regularization + rating_uncertainty * n for a row of n ratings.  Were
 * the other side's vectors known, a prior of its own would be all that a row needs, whatever its
 * length; but each of them is known only up to a variance, and in expectation every rating adds that
 * variance to the diagonal of the row's system (the variational view: Lim and Teh, "Variational
 * Bayesian approach to movie rating prediction", 2007).  So short rows are held by the first term,
 * long ones by the second.  One pair of constants serves 16 to 128 factors and a thousand to twenty
 * million ratings, where any single power of n that suits long rows fails short ones.
 *
 * The gain.  Regularization that keeps noise out of both vectors of a product also shrinks it, twice: where the two say
 * anything of rows that were not trained on, these lie further from the biases than p_u . q_i does.  Less regularization
 * is no remedy, as it lets noise in; so training keeps it, and what is predicted is rating_gain * p_u . q_i (as
 * a lasso that has chosen its terms is relaxed: Meinshausen, "Relaxed lasso", 2007).  Shrinkage is about
 * proportional to regularization, and so is what the gain is above 1.  Ratings alone, whose lists go by p_u . q_i itself,
 * have none.
 *
 * Recency.  Whether an item's takers came of late says more of who comes next than their number does, and no vector
 * knows: an observed cell is one, whenever.  So where rows have times the vector by which lists score an item is
 * multiplied by its recency, with n its ratings, t what is left of them by now as they count ever less by their age
 * (rows/row_weight.h), and m the mean of t / n over all rows,
 *
 *     ((t / m + TREND_PRIOR) / (n + TREND_PRIOR))^trend_weight,
 *
 * 1 of an item as old as the others, and of one without ratings.  The power is between 0, at which lists are what they
 * were, and 1, at which what has not been taken of late is not listed.  Since t is compared with its mean, it does not
 * matter from when ages count.  The ratio of how popular something is now to how popular it was is the classic measure
 * of a trend, its prior that of a Gamma-Poisson model.
 *
 * The noise level.  How much regularization interest needs depends on the data, and one rule serves
 * all: a matrix of noise with N cells in U rows and I columns has singular values of up to about
 * (N/U)^(1/2) + (N/I)^(1/2), and what is not above that is noise.  So with a cell's extra weight
 * alpha and the mean counts n_U = N/U and n_I = N/I
 *
 *     L = 2 noise (1 + alpha) (n_U n_I)^(1/4),  R_u = L (n_u / n_U)^user_exponent,  R_i = L (n_i / n_I)^item_exponent,
 *
 * 1/2 and 3/4 unless they are given.
 *
 * alpha = 0.6 / density^(1/2) balances the ones against the zeros as the matrix thins out.  Counts
 * of one cell, which run from one to a million, enter as f(v) = log(1 + v), scaled to a mean of 1.
 * Weights of explicit feedback are scaled to a mean of 1, too: only what they are to each other counts.  Rows that fade
 * have f(v) or weights that halve with every half-life of age, before they are scaled, and alpha, but in L, is
 * multiplied by what is left of them on average: so f(v) is to a cell that is not observed what it would be unscaled,
 * while ratings, of which nothing else is observed, keep their weight against regularization.  In an objective of both
 * parts the rating part takes the root of the root of the root of the root of such a weight, if it is nothing else: see
 * mf_slower_ratings(). Count-scaled regularization follows Rendle, Krichene, Zhang, Koren, "Revisiting the performance
 * of iALS on item recommendation benchmarks" (2022).
 */
#include "core/als/objective.h"

#include <math.h>

#include "core/base/narrow.h"
#include "core/base/padding.h"

/*
 * How many dimensions: the square root of the number of cells, which is how fast what stands out of the noise grows in
 * number, but no more than a quarter of those that the smaller side could fill, in steps that vectors are padded to
 * anyway.  Sparse matrices have 128 at least, and where attributes tell items apart by more words and categories than
 * MANY_FEATURES 192, as those say more than ratings alone would.
 */
#define FACTOR_STEP 64
#define RANK_A_FACTOR 4
#define LEAST_FACTORS 64
#define LEAST_SPARSE_FACTORS 128
#define LEAST_FEATURE_FACTORS 192
#define MOST_FACTORS 512
#define DENSE 0.02
#define MANY_FEATURES 5000

/*
 * Seconds of an iteration of one part on two cores of a server of 2025, by conjugate gradients on rounded vectors: for
 * each cell and factor, and for each row and pair of factors.  Constants rather than a measurement, since the same rows
 * must give the same model on any machine.
 */
#define CELL_SECONDS 9.5e-10
#define ROW_SECONDS 2.0e-10

#define MOST_RATING_FACTORS 128

/* So many ratings of a user on average weigh as much as what users choose; with more of them, interest weighs more. */
#define RATINGS_AN_INTEREST 35.0
#define MOST_INTEREST 2.0

/* What the gain of predicted ratings is above 1, with the preset's regularization. */
#define RATING_GAIN 0.25

/* So many ratings of an item, as recent as all are on average, are what is thought of it before there is one. */
#define TREND_PRIOR 40.0

/* Ratings fade with 2^4 times the half-life of what users choose. */
#define RATING_ROOTS 4

/* Seconds that so many iterations take with so many factors, roughly; a model of both parts solves each. */
static double
expected_seconds(const MfDataShape *shape, bool both_parts, int factors, int iterations)
{
	double		rows = (double) (shape->nusers + shape->nitems);
	double		one_part = factors * ((double) shape->ncells * CELL_SECONDS + rows * factors * ROW_SECONDS);

	return iterations * (both_parts ? 2 : 1) * one_part;
}

/* The least number of dimensions that data of a shape is worth, if there is time. */
static int
least_factors(const MfDataShape *shape, double density)
{
	if (density > DENSE)
		return LEAST_FACTORS;
	return shape->nfeatures >= MANY_FEATURES ? LEAST_FEATURE_FACTORS : LEAST_SPARSE_FACTORS;
}

/*
 * How many dimensions data of a shape is worth: as many as it can tell apart, but no more than there is time for, where
 * so many iterations are to be made.
 */
int
mf_default_factors(const MfDataShape *shape, bool both_parts, int iterations)
{
	double		density = (double) shape->ncells / ((double) shape->nusers * (double) shape->nitems);
	int64_t		rank = shape->nusers < shape->nitems ? shape->nusers : shape->nitems;
	double		worth = fmin(sqrt((double) shape->ncells), (double) rank / RANK_A_FACTOR);
	int			factors = FACTOR_STEP * (int) round(worth / FACTOR_STEP);
	int			least = least_factors(shape, density);

	factors = factors > least ? factors : least;
	factors = factors < MOST_FACTORS ? factors : MOST_FACTORS;
	while (factors > LEAST_FACTORS && expected_seconds(shape, both_parts, factors, iterations) > shape->seconds)
		factors -= FACTOR_STEP;
	return factors;
}

/*
 * The preset for what is there to learn: ratings and interest, or one of them alone.  Constants can
 * be replaced afterwards, and mf_default_factors() goes by them; then mf_objective_settle(). mean, deviation, range, value_scale and
 * weight_scale are the caller's.
 */
void
mf_objective_preset(MfObjective *objective, bool is_explicit, bool interest, const MfDataShape *shape)
{
	double		cells = shape->ncells > 1 ? (double) shape->ncells : 1;
	double		density = cells / ((double) shape->nusers * (double) shape->nitems);

	*objective = (MfObjective) {
		.has_rating = is_explicit,
		.has_interest = interest,
		.iterations = 10,
		.regularization = 1,
		.interest_weight = interest ? (is_explicit ? 0.5 : 1) : 0,
		.alpha = fmin(fmax(0.6 / sqrt(density), 1), 50),
		.taste = is_explicit ? (interest ? 0.05 : 1) : 0,
		.rating_regularization = 6,
		.rating_uncertainty = 0.04,
		.rating_exponent = 1,
		.rating_gain = 1,
		.noise = 0.28,
		.user_exponent = 0.5,
		.item_exponent = 0.75,
		.user_ratings = cells / (double) shape->nusers,
		.item_ratings = cells / (double) shape->nitems,
		.bias_regularization = 2,
		.weight_scale = 1,
		.feature_strength = 1,
		.deviation = 1
	};
	mf_objective_settle(objective);
}

/*
 * The objective of factors that came from elsewhere: one part alone, in the plain form that other
 * programs minimise,
 *
 *     rating:    sum over observed cells (r - mean - b_u - b_i - p_u.q_i)^2 + regularization * (n_u^e |p_u|^2 + b_u^2)
 *     interest:  sum over all cells c (x - p_u.s_i)^2 + regularization * n_u^e |p_u|^2, c = 1 + alpha * value
 *               of observed cells, or alpha * value where value_is_confidence
 *
 * with users drawn to 0 and values as they are.  regularization, alpha, the exponent e (rating_exponent or
 * user_exponent), mean, range and value_is_confidence are the caller's to fill in; bias_regularization is 0 where
 * there are no biases, and 1 where there are.
 */
void
mf_objective_imported(MfObjective *objective, bool is_explicit, int factors)
{
	*objective = (MfObjective) {
		.has_rating = is_explicit,
		.has_interest = !is_explicit,
		.factors = factors,
		.interest_weight = is_explicit ? 0 : 1,
		.taste = is_explicit ? 1 : 0,
		.rating_uncertainty = 1,
		.rating_gain = 1,
		.interest_regularization = 1,
		.user_ratings = 1,
		.item_ratings = 1,
		.weight_scale = 1,
		.feature_strength = 1,
		.mean_fade = 1,
		.deviation = 1,
		.fold = MF_FOLD_NONE
	};
}

/* How many dimensions of ratings alone a model of both parts has unless told: half of those that the parts share. */
int
mf_default_rating_factors(const MfObjective *objective)
{
	int			half = objective->factors / 2;

	if (!mf_is_joint(objective))
		return 0;
	half = half < MOST_RATING_FACTORS ? half : MOST_RATING_FACTORS;
	return half < MF_MAX_FACTORS - objective->factors ? half : MF_MAX_FACTORS - objective->factors;
}

/*
 * Gives the rating part of a preset so many dimensions of its own; 0 leaves the preset as it is.  What both parts
 * disagree about then need not be fought out in one vector, so interest may weigh more without taking from ratings,
 * and lists need less of the predicted rating.  On dense and sparse stars alike that is better for both than any
 * weight of a model without.  The rating part adds up over what users have rated: where that is much, it would take shared
 * vectors to itself, and lists be worse than of interest alone.
 */
void
mf_objective_divide(MfObjective *objective, int rating_factors)
{
	objective->rating_factors = rating_factors;
	if (rating_factors == 0)
		return;
	objective->interest_weight = fmin(fmax(objective->user_ratings / RATINGS_AN_INTEREST, 1), MOST_INTEREST);
	objective->taste = 0.03;
}

/*
 * How many roots the rating part of rows that fade takes of their weights.  What users choose moves within weeks, such
 * as with what is new, and how they like it hardly does: the half-life that is best for lists costs predicted ratings
 * more than lists gain.  Where there are ratings alone a half-life is theirs.
 */
int
mf_slower_ratings(const MfObjective *objective)
{
	return mf_is_joint(objective) && objective->half_life > 0 ? RATING_ROOTS : 0;
}

/* Brings what follows from other constants up to date. */
void
mf_objective_settle(MfObjective *objective)
{
	objective->rating_gain = objective->rating_factors > 0 ? 1 + RATING_GAIN * objective->regularization : 1;
	objective->interest_regularization = 2 * objective->noise * (1 + objective->alpha) *
		pow(objective->user_ratings * objective->item_ratings, 0.25);
}

/* (n / mean)^exponent; a row without ratings counts as one with one. */
static double
share(int64_t count, double mean, double exponent)
{
	return pow((count > 1 ? (double) count : 1) / mean, exponent);
}

/* The factor of |p_u - mean user|^2 or |p_u|^2 in the interest part; 0 without one. */
static double
interest_user_regularization(const MfObjective *objective, int64_t count)
{
	if (mf_ratings_alone(objective))
		return 0;
	return objective->regularization * objective->interest_weight * objective->interest_regularization *
		share(count, objective->user_ratings, objective->user_exponent);
}

/*
 * What the vector by which lists score an item is multiplied by, for its number of ratings and its faded count, in 8
 * bits: see mf_narrow_scale().  1 where lists do not go by recency, and of an item without ratings.
 */
float
mf_item_recency(const MfObjective *objective, int64_t count, float trend)
{
	if (!(objective->trend_weight > 0) || !(objective->trend_mean > 0) || count <= 0)
		return 1;
	return mf_narrow_scale(pow(((double) trend / objective->trend_mean + TREND_PRIOR) / ((double) count + TREND_PRIOR),
							   objective->trend_weight));
}

/* The factor of |p_u - mean user|^2 for a user with that many ratings; 0 where none is drawn to the mean user. */
double
mf_user_pull(const MfObjective *objective, int64_t count)
{
	return objective->fold == MF_FOLD_TRAINED ? interest_user_regularization(objective, count) : 0;
}

/* The factor of |q_i|^2 for an item with that many ratings: t_i above. */
static double
rating_regularization(const MfObjective *objective, int64_t count)
{
	return objective->regularization *
		(objective->rating_regularization +
		 objective->rating_uncertainty * share(count, 1, objective->rating_exponent));
}

/* The factor of |p_u|^2 for a user with that many ratings, in both parts together. */
double
mf_user_regularization(const MfObjective *objective, int64_t count)
{
	return interest_user_regularization(objective, count) + mf_user_rating_regularization(objective, count);
}

/* The same in dimensions of ratings alone: t_u, without what draws users to their mean; 0 without a rating part. */
double
mf_user_rating_regularization(const MfObjective *objective, int64_t count)
{
	return mf_is_explicit(objective) ? rating_regularization(objective, count) : 0;
}

/* The factor of b_u^2; infinite where there are no biases. */
double
mf_user_bias_regularization(const MfObjective *objective)
{
	if (objective->fold == MF_FOLD_PLAIN && objective->bias_regularization == 0)
		return INFINITY;
	return objective->regularization * objective->bias_regularization;
}

/* The factor of interest_weight * |s_i|^2 for an item with that many ratings. */
static double
interest_regularization(const MfObjective *objective, int64_t count)
{
	return objective->regularization * objective->interest_regularization *
		share(count, objective->item_ratings, objective->item_exponent);
}

/*
 * The problem that the core solves for nusers x nitems, as far as the objective alone says it; what rows have of their
 * own, and how exact it has to be, is the caller's.  See mf_objective_regularize().
 */
MfProblem
mf_objective_problem(const MfObjective *objective, int64_t nusers, int64_t nitems)
{
	return (MfProblem) {
		.nusers = nusers,
		.nitems = nitems,
		.factors = mf_dimensions(objective),
		.shared = objective->factors,
		.has_rating = mf_is_explicit(objective),
		.has_interest = !mf_ratings_alone(objective),
		.interest_weight = objective->interest_weight,
		.alpha = mf_observed_alpha(objective),
		.fade = mf_observed_fade(objective),
		.rating_roots = (int) objective->rating_roots,
		.user_bias_regularization = objective->regularization * objective->bias_regularization,
		.item_bias_regularization = objective->regularization * objective->bias_regularization
	};
}

/* A rule of the objective for each of n rows, by its number of ratings; one without any counts as one with one. */
static float *
apply_rule(const MfObjective *objective, const int32_t *counts, int64_t n, MfFloats *floats,
		   double (*rule) (const MfObjective *, int64_t))
{
	float	   *values = floats(n);

	for (int64_t i = 0; i < n; i++)
		values[i] = (float) rule(objective, counts[i] > 1 ? counts[i] : 1);
	return values;
}

/*
 * Sets the regularization of all rows of a problem, by the numbers of ratings of its users (nusers) and items (nitems),
 * in arrays from `floats`, which fails by itself where there is no memory.
 */
void
mf_objective_regularize(const MfObjective *objective, const int32_t *user_counts, const int32_t *item_counts, MfFloats *floats,
						MfProblem *problem)
{
	int64_t		nusers = problem->nusers;
	int64_t		nitems = problem->nitems;

	problem->user_pull = apply_rule(objective, user_counts, nusers, floats, mf_user_pull);
	problem->user_regularization = apply_rule(objective, user_counts, nusers, floats, mf_user_regularization);
	if (objective->rating_factors > 0)
		problem->user_rating_regularization = apply_rule(objective, user_counts, nusers, floats, mf_user_rating_regularization);
	if (problem->has_rating)
		problem->rating_regularization = apply_rule(objective, item_counts, nitems, floats, rating_regularization);
	if (problem->has_interest)
		problem->interest_regularization = apply_rule(objective, item_counts, nitems, floats, interest_regularization);
}

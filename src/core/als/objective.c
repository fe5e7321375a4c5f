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
 * sum R_u, which is the best such point: so lists of newcomers resemble those of everybody.
 *
 * The rating part: t = rating_regularization + rating_uncertainty * n for a row of n ratings.  Were
 * the other side's vectors known, a prior of its own would be all that a row needs, whatever its
 * length; but each of them is known only up to a variance, and in expectation every rating adds that
 * variance to the diagonal of the row's system (the variational view: Lim and Teh, "Variational
 * Bayesian approach to movie rating prediction", 2007).  So short rows are held by the first term,
 * long ones by the second.  One pair of constants serves 16 to 128 factors and a thousand to twenty
 * million ratings, where any single power of n that suits long rows fails short ones.
 *
 * The noise level.  How much regularization interest needs depends on the data, and one rule serves
 * all: a matrix of noise with N cells in U rows and I columns has singular values of up to about
 * (N/U)^(1/2) + (N/I)^(1/2), and what is not above that is noise.  So with a cell's extra weight
 * alpha and the mean counts n_U = N/U and n_I = N/I
 *
 *     L = 2 noise (1 + alpha) (n_U n_I)^(1/4),  R_u = L (n_u / n_U)^(1/2),  R_i = L (n_i / n_I)^(3/4).
 *
 * alpha = 0.6 / density^(1/2) balances the ones against the zeros as the matrix thins out.  Counts
 * of one cell, which run from one to a million, enter as f(v) = log(1 + v), scaled to a mean of 1.
 * Weights of explicit feedback are scaled to a mean of 1, too: only what they are to each other counts.
 * Count-scaled regularization follows Rendle, Krichene, Zhang, Koren, "Revisiting the performance
 * of iALS on item recommendation benchmarks" (2022).
 */
#include "core/als/objective.h"

#include <math.h>
#include <string.h>

#include "core/kernels/dense.h"

#define ROWS_PER_BLOCK 256

/*
 * Denser matrices than this gain nothing from more than 64 factors; sparser ones gain a few percent
 * from 128, which above so many cells is not worth the time and the memory.
 */
#define DENSE 0.02
#define MANY_CELLS 5e6

/*
 * The preset for what is there to learn: ratings and interest, or one of them alone.  Constants can
 * be replaced afterwards; then mf_objective_settle(). mean, deviation, range, value_scale and
 * weight_scale are the caller's.
 */
void
mf_objective_preset(MfObjective *objective, bool has_rating, bool has_interest,
					const MfDataShape *shape)
{
	double		cells = shape->ncells > 1 ? (double) shape->ncells : 1;
	double		density = cells / ((double) shape->nusers * (double) shape->nitems);

	*objective = (MfObjective) {
		.has_rating = has_rating,
		.has_interest = has_interest,
		.factors = density > DENSE || cells > MANY_CELLS ? 64 : 128,
		.iterations = 10,
		.regularization = 1,
		.interest_weight = has_interest ? (has_rating ? 0.5 : 1) : 0,
		.alpha = fmin(fmax(0.6 / sqrt(density), 1), 50),
		.taste = has_rating ? (has_interest ? 0.05 : 1) : 0,
		.rating_regularization = 6,
		.rating_uncertainty = 0.04,
		.rating_exponent = 1,
		.noise = 0.28,
		.user_exponent = 0.5,
		.item_exponent = 0.75,
		.user_ratings = cells / (double) shape->nusers,
		.item_ratings = cells / (double) shape->nitems,
		.bias_regularization = 3,
		.weight_scale = 1,
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
 * user_exponent), mean, range and value_is_confidence are the caller's to fill in; bias_regularization is 0 where there are
 * no biases, and 1 where there are.
 */
void
mf_objective_imported(MfObjective *objective, bool has_rating, int factors)
{
	*objective = (MfObjective) {
		.has_rating = has_rating,
		.has_interest = !has_rating,
		.factors = factors,
		.interest_weight = has_rating ? 0 : 1,
		.taste = has_rating ? 1 : 0,
		.rating_uncertainty = 1,
		.interest_regularization = 1,
		.user_ratings = 1,
		.item_ratings = 1,
		.weight_scale = 1,
		.deviation = 1,
		.fold = MF_FOLD_NONE
	};
}

/* Brings what follows from other constants up to date. */
void
mf_objective_settle(MfObjective *objective)
{
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
	if (!objective->has_interest)
		return 0;
	return objective->regularization * objective->interest_weight * objective->interest_regularization *
		share(count, objective->user_ratings, objective->user_exponent);
}

/* The factor of |p_u - mean user|^2 for a user with that many ratings; 0 where none is drawn to the mean user. */
double
mf_user_pull(const MfObjective *objective, int64_t count)
{
	return objective->fold == MF_FOLD_TRAINED ? interest_user_regularization(objective, count) : 0;
}

/* The factor of |p_u|^2 for a user with that many ratings, in both parts together. */
double
mf_user_regularization(const MfObjective *objective, int64_t count)
{
	return interest_user_regularization(objective, count) +
		(objective->has_rating ? mf_rating_regularization(objective, count) : 0);
}

/* The factor of b_u^2; infinite where there are no biases. */
double
mf_user_bias_regularization(const MfObjective *objective)
{
	if (objective->fold == MF_FOLD_PLAIN && objective->bias_regularization == 0)
		return INFINITY;
	return objective->regularization * objective->bias_regularization;
}

/* The factor of |q_i|^2 for an item with that many ratings: t_i above. */
double
mf_rating_regularization(const MfObjective *objective, int64_t count)
{
	return objective->regularization *
		(objective->rating_regularization +
		 objective->rating_uncertainty * share(count, 1, objective->rating_exponent));
}

/* The factor of interest_weight * |s_i|^2 for an item with that many ratings. */
double
mf_interest_regularization(const MfObjective *objective, int64_t count)
{
	return objective->regularization * objective->interest_regularization *
		share(count, objective->item_ratings, objective->item_exponent);
}

/* mean (d floats) = sum over users of weight * p_u / sum of weights; users: nusers x mf_padded(d). */
void
mf_mean_user(const MfProblem *problem, const float *users, const float *weights, float *mean)
{
	int			d = problem->factors;
	int64_t		ld = mf_padded(d);
	double		sum[1008] = {0};
	double		total = 0;

	for (int64_t u = 0; u < problem->nusers; u += ROWS_PER_BLOCK)
	{
		int			n = problem->nusers - u < ROWS_PER_BLOCK ? (int) (problem->nusers - u) : ROWS_PER_BLOCK;
		float		weight[ROWS_PER_BLOCK];
		float		part[1008] = {0};

		for (int k = 0; k < n; k++)
			total += weight[k] = weights ? weights[u + k] : 1;
		mf_dense()->gemv(part, users + u * ld, weight, (int) ld, n);
		for (int k = 0; k < d; k++)
			sum[k] += part[k];
	}
	for (int k = 0; k < d; k++)
		mean[k] = total > 0 ? (float) (sum[k] / total) : 0;
}

static double
dot(const float *a, const float *b, int n)
{
	double		sum = 0;

	for (int k = 0; k < n; k++)
		sum += (double) a[k] * b[k];
	return sum;
}

/* The rating that a trained user would give an item, on the ratings' scale and within its range. */
double
mf_predicted_rating(const MfObjective *objective, const MfFactors *factors, int64_t user, int64_t item)
{
	int64_t		ld = mf_padded(mf_dimensions(objective));
	double		z = factors->user_bias[user] + factors->item_bias[item] +
		dot(factors->user + user * ld, factors->rating + item * ld, mf_dimensions(objective));

	return fmin(fmax(objective->mean + objective->deviation * z, objective->min), objective->max);
}

/* Rows whose errors are being summed. */
typedef struct ErrorSums
{
	const MfProblem *problem;
	const MfFactors *factors;
	const MfRows *rows;
	const MfDense *dense;
	double	   *sum;
} ErrorSums;

/* Block function: the squared errors of ROWS_PER_BLOCK users. */
static void
sum_errors(void *state, int64_t block, int worker)
{
	ErrorSums  *s = state;
	const MfRows *rows = s->rows;
	int			ld = mf_padded(s->problem->factors);
	int64_t		end = (block + 1) * ROWS_PER_BLOCK < rows->nrows ? (block + 1) * ROWS_PER_BLOCK : rows->nrows;

	(void) worker;
	for (int64_t r = block * ROWS_PER_BLOCK; r < end; r++)
	{
		const float *user = s->factors->user + (rows->first + r) * ld;

		s->sum[r] = 0;
		for (int64_t c = rows->start[r]; c < rows->start[r + 1]; c++)
		{
			int64_t		item = rows->column[c];
			double		error = (double) rows->rating[c] - s->factors->user_bias[rows->first + r] -
				s->factors->item_bias[item] - s->dense->dot(user, s->factors->rating + item * ld, ld);

			s->sum[r] += error * error;
		}
	}
}

/*
 * sum[r] = the squared errors of the standardized ratings of the r-th of these users, unweighted.
 * Returns MF_CANCELLED or MF_OK.
 */
MfError
mf_squared_errors(const MfParallel *parallel, const MfProblem *problem, const MfFactors *factors,
				  const MfRows *by_user, double *sum)
{
	ErrorSums	sums = {problem, factors, by_user, mf_dense(), sum};

	return mf_parallel_blocks(parallel, (by_user->nrows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK, sum_errors, &sums) ?
		MF_OK : MF_CANCELLED;
}

/*
 * What lists are sorted by: score(u, i) = p_u . v_i + o_i with v_i = s_i + taste * q_i and
 * o_i = taste * b_i.  vectors: nitems x mf_padded(d), offsets: nitems.
 */
void
mf_list_vectors(const MfObjective *objective, const MfFactors *factors, int64_t nitems,
				float *vectors, float *offsets)
{
	int64_t		n = nitems * mf_padded(mf_dimensions(objective));
	float		taste = (float) objective->taste;

	for (int64_t k = 0; k < n; k++)
		vectors[k] = (factors->interest ? factors->interest[k] : 0) +
			(factors->rating ? taste * factors->rating[k] : 0);
	for (int64_t i = 0; i < nitems; i++)
		offsets[i] = factors->item_bias ? taste * factors->item_bias[i] : 0;
}

/*
 * s_i back from v_i and q_i, ld floats each: as exact as v_i is, which is good enough unless taste * q_i is
 * much longer than s_i.
 */
void
mf_interest_vector(const MfObjective *objective, const float *vector, const float *rating, float *interest)
{
	int			ld = mf_padded(mf_dimensions(objective));

	memcpy(interest, vector, (size_t) ld * sizeof(float));
	mf_dense()->axpy(interest, rating, -(float) objective->taste, ld);
}

/*
 * Beyond this multiple of s_i's length taste * q_i leaves errors in s_i of more than a millionth.  Sensible
 * tastes stay far below: 0.05 is about 0.03.
 */
#define MOST_TASTE 8.0

/* Whether mf_interest_vector() would give back something else than this s_i (ld floats; so is q_i). */
bool
mf_interest_is_lost(const MfObjective *objective, const float *interest, const float *rating)
{
	int			ld = mf_padded(mf_dimensions(objective));
	double		share = objective->taste * objective->taste * mf_dense()->dot(rating, rating, ld);

	return !(share <= MOST_TASTE * MOST_TASTE * mf_dense()->dot(interest, interest, ld));
}

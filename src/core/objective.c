/*
 * objective.c - the constants of the objective: presets, and rules that depend on the data.
 */
#include "objective.h"

#include <math.h>

/*
 * The preset for what is there to learn: ratings and interest, one of them alone.  Every constant
 * can be replaced afterwards; mean, deviation and range are the caller's.
 */
void
mf_objective_preset(MfObjective *objective, bool has_rating, bool has_interest,
					const MfDataShape *shape)
{
	(void) shape;
	*objective = (MfObjective) {
		.has_rating = has_rating,
		.has_interest = has_interest,
		.factors = 64,
		.iterations = 10,
		.regularization = 1,
		.interest_weight = has_interest ? (has_rating ? 0.3 : 1) : 0,
		.alpha = 8,
		.taste = has_rating ? (has_interest ? 0.1 : 1) : 0,
		.user_regularization = 0.7,
		.user_exponent = 0.5,
		.rating_regularization = 0.3,
		.rating_exponent = 1,
		.interest_regularization = 40,
		.interest_exponent = 0.5,
		.bias_regularization = 2,
		.deviation = 1
	};
}

/* The factor of |p_u|^2 for a user with that many ratings; rows without any count as one. */
double
mf_user_regularization(const MfObjective *objective, int64_t count)
{
	return objective->regularization * objective->user_regularization *
		pow(count > 1 ? (double) count : 1, objective->user_exponent);
}

/* The factor of |q_i|^2 for an item with that many ratings. */
double
mf_rating_regularization(const MfObjective *objective, int64_t count)
{
	return objective->regularization * objective->rating_regularization *
		pow(count > 1 ? (double) count : 1, objective->rating_exponent);
}

/* The factor of interest_weight * |s_i|^2 for an item with that many ratings. */
double
mf_interest_regularization(const MfObjective *objective, int64_t count)
{
	return objective->regularization * objective->interest_regularization *
		pow(count > 1 ? (double) count : 1, objective->interest_exponent);
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
	int64_t		ld = mf_padded(objective->factors);
	double		z = factors->user_bias[user] + factors->item_bias[item] +
		dot(factors->user + user * ld, factors->rating + item * ld, objective->factors);

	return fmin(fmax(objective->mean + objective->deviation * z, objective->min), objective->max);
}

/* Adds to sum the squared errors of the standardized ratings of these users' cells, unweighted. */
double
mf_squared_error(const MfProblem *problem, const MfFactors *factors, const MfRows *by_user, double sum)
{
	int64_t		ld = mf_padded(problem->factors);

	for (int64_t r = 0; r < by_user->nrows; r++)
	{
		int64_t		user = by_user->first + r;

		for (int64_t c = by_user->start[r]; c < by_user->start[r + 1]; c++)
		{
			int64_t		item = by_user->column[c];
			double		error = by_user->rating[c] - factors->user_bias[user] - factors->item_bias[item] -
				dot(factors->user + user * ld, factors->rating + item * ld, problem->factors);

			sum += error * error;
		}
	}
	return sum;
}

/*
 * What lists are sorted by: score(u, i) = p_u . v_i + o_i with v_i = s_i + taste * q_i and
 * o_i = taste * b_i.  vectors: nitems x mf_padded(d), offsets: nitems.
 */
void
mf_list_vectors(const MfObjective *objective, const MfFactors *factors, int64_t nitems,
				float *vectors, float *offsets)
{
	int64_t		n = nitems * mf_padded(objective->factors);
	float		taste = (float) objective->taste;

	for (int64_t k = 0; k < n; k++)
		vectors[k] = (factors->interest ? factors->interest[k] : 0) +
			(factors->rating ? taste * factors->rating[k] : 0);
	for (int64_t i = 0; i < nitems; i++)
		offsets[i] = factors->item_bias ? taste * factors->item_bias[i] : 0;
}

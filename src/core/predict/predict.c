/*
 * predict.c - what factors say: predicted ratings and their errors, the mean user, and the vectors that lists go by.
 *
 * A list is sorted by one inner product, whatever the model has: of both parts, score = p . (s + taste q) + taste b, so
 * an item's list vector is s + taste q and its offset taste b; of ratings alone q and b; of interest alone s.  Where
 * rows have times, all of it is multiplied by the item's recency (core/als/objective.c).  What a user has in common with
 * all items, such as their own bias, changes no order and is left out until a score is shown.
 *
 * Sums over users and cells are in double and in a settled order: the same factors give the same numbers.
 */
#include "core/predict/predict.h"

#include <math.h>
#include <string.h>

#include "core/als/term.h"
#include "core/base/padding.h"
#include "core/kernels/dense.h"

#define ROWS_PER_BLOCK 256

/*
 * mean (d floats) = sum over users of weight * p_u / sum of weights (NULL: 1), 0 beyond the dimensions that all terms
 * share; users: nusers x mf_padded(d).
 */
void
mf_mean_user(const MfProblem *problem, const float *users, const float *weights, float *mean)
{
	int			d = problem->factors;
	int64_t		ld = mf_padded(d);
	double		sum[MF_MAX_PADDED] = {0};
	double		total = 0;
	int			shared;
	MfTerm		terms[MF_TERMS];

	mf_problem_terms(problem, terms);
	shared = mf_shared_dimensions(terms, d);
	for (int64_t u = 0; u < problem->nusers; u += ROWS_PER_BLOCK)
	{
		int			n = problem->nusers - u < ROWS_PER_BLOCK ? (int) (problem->nusers - u) : ROWS_PER_BLOCK;
		float		weight[ROWS_PER_BLOCK];
		float		part[MF_MAX_PADDED] = {0};

		for (int k = 0; k < n; k++)
			total += weight[k] = weights ? weights[u + k] : 1;
		mf_dense()->gemv(part, users + u * ld, weight, (int) ld, n);
		for (int k = 0; k < d; k++)
			sum[k] += part[k];
	}
	for (int k = 0; k < d; k++)
		mean[k] = total > 0 && k < shared ? (float) (sum[k] / total) : 0;
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
	double		z = factors->user_bias[user] + factors->item_bias[item] + objective->rating_gain *
		dot(factors->user + user * ld, factors->rating + item * ld, mf_dimensions(objective));

	z *= factors->user_spread ? factors->user_spread[user] : 1;
	return fmin(fmax(objective->mean + objective->deviation * z, objective->min), objective->max);
}

/* Rows whose errors are being summed. */
typedef struct ErrorSums
{
	const MfProblem *problem;
	const MfFactors *factors;
	const MfRows *rows;
	const MfDense *dense;
	double		gain;
	double	   *sum;
} ErrorSums;

/* Task: the squared errors of ROWS_PER_BLOCK users. */
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
		double		spread = s->factors->user_spread ? s->factors->user_spread[rows->first + r] : 1;

		s->sum[r] = 0;
		for (int64_t c = rows->start[r]; c < rows->start[r + 1]; c++)
		{
			int64_t		item = rows->column[c];
			double		error = (double) rows->rating[c] - s->factors->user_bias[rows->first + r] -
				s->factors->item_bias[item] - s->gain * s->dense->dot(user, s->factors->rating + item * ld, ld);

			s->sum[r] += error * error;
		}
		s->sum[r] *= spread * spread;
	}
}

/*
 * sum[r] = the squared errors of the standardized ratings of the r-th of these users, unweighted, before they were
 * brought to one spread; gain: of predictions.
 * Returns MF_CANCELLED or MF_OK.
 */
MfError
mf_squared_errors(const MfParallel *parallel, const MfProblem *problem, const MfFactors *factors,
				  const MfRows *by_user, double gain, double *sum)
{
	ErrorSums	sums = {problem, factors, by_user, mf_dense(), gain, sum};

	return mf_parallel_for(parallel, (by_user->nrows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK, sum_errors, &sums) ?
		MF_OK : MF_CANCELLED;
}

/*
 * What lists are sorted by: score(u, i) = p_u . v_i + o_i with v_i = r s_i + (r taste) q_i and o_i = (r taste) b_i,
 * where taste is mf_item_taste(), and r mf_item_recency().  counts: nitems, ratings of each; NULL: no item is cold.
 * trends: nitems, faded counts, with counts; NULL: r is 1.  vectors: nitems x mf_padded(d), offsets: nitems.
 */
void
mf_list_vectors(const MfObjective *objective, const MfFactors *factors, const int32_t *counts, const float *trends,
				int64_t nitems, float *vectors, float *offsets)
{
	int64_t		ld = mf_padded(mf_dimensions(objective));

	for (int64_t i = 0; i < nitems; i++)
	{
		float		recency = counts && trends ? mf_item_recency(objective, counts[i], trends[i]) : 1;
		float		taste = recency * mf_item_taste(objective, counts ? counts[i] : 1);

		for (int64_t k = i * ld; k < (i + 1) * ld; k++)
			vectors[k] = (factors->interest ? recency * factors->interest[k] : 0) +
				(factors->rating ? taste * factors->rating[k] : 0);
		offsets[i] = factors->item_bias ? taste * factors->item_bias[i] : 0;
	}
}

/*
 * s_i back from v_i and q_i with the taste that v_i was made with: as exact as v_i is, which is good enough unless
 * taste * q_i is much longer than s_i.  Only shared dimensions, `factors`, are asked for: beyond them s_i is 0 to the
 * last bit.  interest: mf_padded(factors) floats, padding 0.
 */
void
mf_interest_vector(int factors, float taste, const float *vector, const float *rating, float *interest)
{
	int			ld = mf_padded(factors);

	memcpy(interest, vector, (size_t) ld * sizeof(float));
	mf_dense()->axpy(interest, rating, -taste, ld);
	memset(interest + factors, 0, (size_t) (ld - factors) * sizeof(float));
}

/*
 * Beyond this multiple of s_i's length taste * q_i leaves errors in s_i of more than a millionth.  Sensible
 * tastes stay far below: 0.05 is about 0.03.
 */
#define MOST_TASTE 8.0

/* Whether mf_interest_vector() would give back something else than this s_i (ld floats; so is q_i). */
bool
mf_interest_is_lost(const MfObjective *objective, float taste, const float *interest, const float *rating)
{
	int			d = objective->factors;
	double		share = (double) taste * taste * dot(rating, rating, d);

	return !(share <= MOST_TASTE * MOST_TASTE * dot(interest, interest, d));
}

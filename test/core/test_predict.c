/*
 * test_predict.c - predicted ratings and their errors, against the formula in double: with and without a gain, and spreads.
 */
#include "tap.h"

#include "core/als/objective.h"
#include "core/predict/predict.h"
#include "sample.h"

/* The constants of stars of a shape, with so many dimensions of ratings alone. */
static MfObjective
stars(int factors, int rating_factors, double regularization)
{
	MfDataShape shape = {60, 40, 900, 0, INFINITY};
	MfObjective objective;

	mf_objective_preset(&objective, true, true, &shape);
	objective.factors = factors;
	mf_objective_divide(&objective, rating_factors);
	objective.regularization = regularization;
	mf_objective_settle(&objective);
	return objective;
}

/* What each user's ratings spread by. */
static float
spread_of(int64_t user)
{
	return 0.5f + (float) (user % 5) / 4;
}

/* spread * (b_u + b_i + gain * p.q) */
static double
naive(const Sample *s, double gain, int64_t user, int64_t item)
{
	int			ld = mf_padded(s->problem.factors);
	double		product = 0.0;

	for (int k = 0; k < s->problem.factors; k++)
		product += (double) s->factors.user[user * ld + k] * s->factors.rating[item * ld + k];
	return (s->factors.user_spread ? spread_of(user) : 1) *
		((double) s->factors.user_bias[user] + s->factors.item_bias[item] + gain * product);
}

/* The largest difference from the formula of a rating, and of a user's errors relative to theirs. */
static void
test_predictions(double gain, bool spreads)
{
	SampleOptions options = {.nusers = 60, .nitems = 40, .factors = 20, .shared = 12, .rating = true, .interest = true,
	.density = 400};
	MfParallel	parallel = {2, NULL};
	Sample		s = sample_new(&options);
	MfObjective objective = {.has_rating = true, .has_interest = true, .factors = 12, .rating_factors = 8, .rating_gain = gain,
	.mean = 3.5, .deviation = 0.9, .min = -100, .max = 100};
	double	   *sum = calloc((size_t) options.nusers, sizeof(double));
	float	   *spread = calloc((size_t) options.nusers, sizeof(float));
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	double		off = 0.0;
	double		off_errors = 0.0;

	sample_sweep(als, &s, MF_USERS, true, 0, NULL);
	sample_sweep(als, &s, MF_ITEMS, true, 0, NULL);
	for (int64_t u = 0; u < options.nusers; u++)
		spread[u] = spread_of(u);
	s.factors.user_spread = spreads ? spread : NULL;
	for (int64_t u = 0; u < options.nusers; u++)
		for (int64_t i = 0; i < options.nitems; i++)
			off = fmax(off, fabs(mf_predicted_rating(&objective, &s.factors, u, i) - 3.5 - 0.9 * naive(&s, gain, u, i)));
	ok(off < 1e-6, "gain %g: ratings are mean + deviation * (b_u + b_i + gain p.q)%s", gain, spreads ? " * spread" : "");
	ok(mf_squared_errors(&parallel, &s.problem, &s.factors, &s.users, gain, sum) == MF_OK, "errors are summed");
	for (int64_t u = 0; u < options.nusers; u++)
	{
		double		expected = 0.0;

		for (int64_t c = s.users.start[u]; c < s.users.start[u + 1]; c++)
			expected += pow((spreads ? spread_of(u) : 1) * s.users.rating[c] - naive(&s, gain, u, s.users.column[c]), 2);
		off_errors = fmax(off_errors, fabs(sum[u] - expected) / (expected + 1.0));
	}
	ok(off_errors < 1e-5, "gain %g: and so are their squared errors, user by user", gain);
	objective.min = 3.4;
	objective.max = 3.6;
	ok(mf_predicted_rating(&objective, &s.factors, 1, 1) >= 3.4 && mf_predicted_rating(&objective, &s.factors, 1, 1) <= 3.6,
	   "within the ratings' range");
	free(sum);
	free(spread);
	free(space);
	sample_free(&s);
}

/* An item's recency: the formula to 8 bits, 1 where there is nothing to go by, and exact products with 16 bits. */
static void
test_recency(void)
{
	MfObjective objective = {.trend_mean = 0.05, .trend_weight = 0.4};
	double		off = 0.0;
	bool		exact = true;

	for (int n = 1; n < 3000; n = n * 3 / 2 + 1)
		for (float trend = 0; trend <= (float) n; trend += (float) n / 7)
		{
			double		expected = pow((trend / 0.05 + 40) / (n + 40), 0.4);
			float		recency = mf_item_recency(&objective, n, trend);

			off = fmax(off, fabs(recency / expected - 1));
			exact = exact && (float) (32767 * (double) recency) == 32767 * (double) recency;
		}
	ok(off > 0 && off <= 0x1p-8, "recency is ((t / m + 20) / (n + 20))^weight to 8 bits");
	ok(exact, "its product with a number of 16 bits is exact");
	ok(mf_item_recency(&objective, 200, 10) == 1, "it is 1 of an item as recent as all are");
	ok(mf_item_recency(&objective, 0, 0) == 1, "and of one without ratings");
	objective.trend_weight = 0;
	ok(mf_item_recency(&objective, 200, 0) == 1, "and where lists do not go by it");
	objective = (MfObjective) {.trend_weight = 0.4};
	ok(mf_item_recency(&objective, 200, 0) == 1, "and where nothing is known of trends");
}

/* Lists score by r (p.s + taste (p.q + b)). */
static void
test_list_vectors(void)
{
	MfObjective objective = {.has_rating = true, .has_interest = true, .factors = 3, .taste = 0.5, .trend_mean = 0.5, .trend_weight = 1};
	int			ld = mf_padded(3);
	float		interest[64] = {0};
	float		rating[64] = {0};
	float		bias[2] = {0.25f, -1};
	int32_t		counts[2] = {40, 0};
	float		trends[2] = {45, 0};
	float		vector[64];
	float		offset[2];
	MfFactors	factors = {.interest = interest, .rating = rating, .item_bias = bias};
	double		recency = mf_item_recency(&objective, 40, 45);
	double		off = 0.0;

	for (int k = 0; k < 3; k++)
	{
		interest[k] = interest[ld + k] = (float) (k + 1);
		rating[k] = rating[ld + k] = (float) (2 - k);
	}
	mf_list_vectors(&objective, &factors, counts, trends, 2, vector, offset);
	for (int k = 0; k < 3; k++)
		off = fmax(off, fabs(vector[k] - recency * (interest[k] + 0.5 * rating[k])) +
				   fabs(vector[ld + k] - (interest[k] + 0.5 * rating[k])));
	ok(recency > 1.6 && off < 1e-6 && fabs(offset[0] - recency * 0.125) < 1e-6 && offset[1] == -0.5f,
	   "what lists go by is multiplied by an item's recency");
	mf_list_vectors(&objective, &factors, counts, NULL, 1, vector, offset);
	ok(vector[0] == 2 && offset[0] == 0.125f, "and is as it is without trends");
}

int
main(void)
{
	test_recency();
	test_list_vectors();
	test_predictions(1.0, false);
	test_predictions(1.25, false);
	test_predictions(1.25, true);
	ok(stars(64, 32, 1).rating_gain > 1, "both parts, with dimensions of ratings alone: a gain");
	ok(stars(64, 32, 2).rating_gain > stars(64, 32, 1).rating_gain && stars(64, 32, 0).rating_gain == 1,
	   "more with more regularization, none without");
	ok(stars(64, 0, 1).rating_gain == 1, "none without such dimensions");
	return done();
}

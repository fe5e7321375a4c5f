/*
 * test_predict.c - predicted ratings and their errors, against the formula in double: with and without a gain.
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

/* b_u + b_i + gain * p.q */
static double
naive(const Sample *s, double gain, int64_t user, int64_t item)
{
	int			ld = mf_padded(s->problem.factors);
	double		product = 0.0;

	for (int k = 0; k < s->problem.factors; k++)
		product += (double) s->factors.user[user * ld + k] * s->factors.rating[item * ld + k];
	return (double) s->factors.user_bias[user] + s->factors.item_bias[item] + gain * product;
}

/* The largest difference from the formula of a rating, and of a user's errors relative to theirs. */
static void
test_predictions(double gain)
{
	SampleOptions options = {.nusers = 60, .nitems = 40, .factors = 20, .shared = 12, .rating = true, .interest = true,
	.density = 400};
	MfParallel	parallel = {2, NULL};
	Sample		s = sample_new(&options);
	MfObjective objective = {.has_rating = true, .has_interest = true, .factors = 12, .rating_factors = 8, .rating_gain = gain,
	.mean = 3.5, .deviation = 0.9, .min = -100, .max = 100};
	double	   *sum = calloc((size_t) options.nusers, sizeof(double));
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	double		off = 0.0;
	double		off_errors = 0.0;

	sample_sweep(als, &s, MF_USERS, true, 0, NULL);
	sample_sweep(als, &s, MF_ITEMS, true, 0, NULL);
	for (int64_t u = 0; u < options.nusers; u++)
		for (int64_t i = 0; i < options.nitems; i++)
			off = fmax(off, fabs(mf_predicted_rating(&objective, &s.factors, u, i) - 3.5 - 0.9 * naive(&s, gain, u, i)));
	ok(off < 1e-6, "gain %g: ratings are mean + deviation * (b_u + b_i + gain p.q)", gain);
	ok(mf_squared_errors(&parallel, &s.problem, &s.factors, &s.users, gain, sum) == MF_OK, "errors are summed");
	for (int64_t u = 0; u < options.nusers; u++)
	{
		double		expected = 0.0;

		for (int64_t c = s.users.start[u]; c < s.users.start[u + 1]; c++)
			expected += pow(s.users.rating[c] - naive(&s, gain, u, s.users.column[c]), 2);
		off_errors = fmax(off_errors, fabs(sum[u] - expected) / (expected + 1.0));
	}
	ok(off_errors < 1e-5, "gain %g: and so are their squared errors, user by user", gain);
	objective.min = 3.4;
	objective.max = 3.6;
	ok(mf_predicted_rating(&objective, &s.factors, 1, 1) >= 3.4 && mf_predicted_rating(&objective, &s.factors, 1, 1) <= 3.6,
	   "within the ratings' range");
	free(sum);
	free(space);
	sample_free(&s);
}

int
main(void)
{
	test_predictions(1.0);
	test_predictions(1.25);
	ok(stars(64, 32, 1).rating_gain > 1, "both parts, with dimensions of ratings alone: a gain");
	ok(stars(64, 32, 2).rating_gain > stars(64, 32, 1).rating_gain && stars(64, 32, 0).rating_gain == 1,
	   "more with more regularization, none without");
	ok(stars(64, 0, 1).rating_gain == 1, "none without such dimensions");
	return done();
}

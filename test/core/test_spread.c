/*
 * test_spread.c - how widely a user's ratings spread, against the formula by two plain passes.
 */
#include "tap.h"

#include <math.h>

#include "core/base/rng.h"
#include "core/base/spread.h"

#define PRIOR 10.0
#define POWER 0.7
#define MOST 4.0

/* Squares around the mean, in two passes. */
static double
naive_squares(const float *values, int n)
{
	double		mean = 0;
	double		squares = 0;

	for (int i = 0; i < n; i++)
		mean += (double) values[i] / n;
	for (int i = 0; i < n; i++)
		squares += (values[i] - mean) * (values[i] - mean);
	return squares;
}

static double
naive_spread(const float *values, int n, double variance)
{
	double		own = (naive_squares(values, n) + PRIOR * variance) / (n - 1 + PRIOR);

	return fmin(fmax(pow(sqrt(own / variance), POWER), 1 / MOST), MOST);
}

/* n ratings of `steps` steps of `step`, from `from` on. */
static void
draw(float *values, int n, float from, float step, int steps, uint64_t seed)
{
	for (int i = 0; i < n; i++)
		values[i] = from + step * (float) (mf_random_bits(seed, (uint64_t) i) % (uint64_t) steps);
}

static void
test_formula(void)
{
	static const struct
	{
		float		from;
		float		step;
		int			steps;
	}			scales[] = {{1, 1, 5}, {0, 0.5f, 11}, {0, 1, 101}, {-1, 2, 2}, {1000000, 1, 3}, {1e-3f, 1e-4f, 4}};
	float		values[1000];
	double		off = 0;
	double		off_squares = 0;

	for (int s = 0; s < 6; s++)
		for (int n = 1; n <= 1000; n = n * 3 / 2 + 1)
		{
			double		variance = scales[s].step * (double) scales[s].step * scales[s].steps;
			double		squares;

			draw(values, n, scales[s].from, scales[s].step, scales[s].steps, (uint64_t) (s * 1000 + n));
			squares = mf_squares_around_mean(values, n);
			off_squares = fmax(off_squares, fabs(squares - naive_squares(values, n)) / (squares + variance));
			off = fmax(off, fabs(mf_user_spread(squares, n, variance) / naive_spread(values, n, variance) - 1));
		}
	ok(off_squares < 1e-6, "squares around the mean, of ratings on any scale");
	ok(off < 1e-6, "the spread is the root of what they come to with a prior");
}

static void
test_sanity(void)
{
	float		same[50];
	float		values[50];
	float		inverted[50];
	double		spread;

	for (int i = 0; i < 50; i++)
		same[i] = 0.1f;
	ok(mf_squares_around_mean(same, 50) == 0, "ratings that are the same have none, to the bit");
	ok(mf_squares_around_mean(same, 0) == 0 && mf_squares_around_mean(same, 1) == 0, "nor have one, and no rating");
	ok(mf_user_spread(0, 1, 0.7) == 1 && mf_user_spread(0, 0, 0.7) == 1, "who has none or one is as all are");
	spread = mf_user_spread(0, 50, 0.7);
	ok(spread > 0.25 && spread < 1, "who gives always the same spreads less, but not by nothing");
	ok(mf_user_spread(0, 1000000, 0.7) == 1 / MOST, "no less than a quarter");
	ok(mf_user_spread(1e9, 1000000, 1e-6) == MOST, "and nobody more than four times");
	ok(mf_user_spread(5, 10, 0) == 1, "where nobody's ratings differ nothing is known of spreads");
	draw(values, 50, 1, 1, 5, 1);
	for (int i = 0; i < 50; i++)
		inverted[i] = 6 - values[i];
	ok(mf_squares_around_mean(values, 50) == mf_squares_around_mean(inverted, 50), "an inverted scale has the same");
	ok(mf_user_spread(100, 50, 1) < mf_user_spread(101, 50, 1), "the more squares, the more it is");
	ok(fabs(mf_user_spread(100, 50, 1) - mf_user_spread(400, 50, 4)) < 1e-12, "whatever the unit");
}

int
main(void)
{
	test_formula();
	test_sanity();
	return done();
}

/*
 * test_paired_test.c - the test of paired differences: chance is rarely taken for a gain, a gain is found.
 */
#include "tap.h"

#include "core/metrics/paired_test.h"
#include "core/base/rng.h"

#define USERS 400
#define DRAWS 2000
#define LEVEL 0.005

/*
 * Differences as those of lists are: most users have the same figure in both, the others one that is
 * higher or lower by anything; plus a gain.
 */
static void
throw_differences(double *difference, uint64_t seed, double zeros, double gain)
{
	for (int u = 0; u < USERS; u++)
	{
		double		size = mf_random_uniform(seed, 3 * (uint64_t) u);
		double		sign = mf_random_uniform(seed, 3 * (uint64_t) u + 1) < 0.5 ? -1 : 1;

		difference[u] = gain;
		if (mf_random_uniform(seed, 3 * (uint64_t) u + 2) >= zeros)
			difference[u] += sign * size * size;
	}
}

/* How many of so many comparisons come out as a gain. */
static int
gains(int comparisons, double zeros, double gain)
{
	double		difference[USERS];
	int			count = 0;

	for (int c = 0; c < comparisons; c++)
	{
		throw_differences(difference, 1000 + (uint64_t) c, zeros, gain);
		count += mf_sign_flip(difference, USERS, DRAWS, 1) <= LEVEL;
	}
	return count;
}

/* What is thrown has no gain: found in half a percent of comparisons, up to what chance adds to it. */
static void
test_chance(void)
{
	int			comparisons = thorough() ? 1000 : 250;
	int			most = thorough() ? 12 : 4;
	int			dense = gains(comparisons, 0, 0);
	int			sparse = gains(comparisons, 0.95, 0);

	ok(dense <= most, "chance is rarely a gain (%d of %d)", dense, comparisons);
	ok(sparse <= most, "nor where most users' figures are equal (%d of %d)", sparse, comparisons);
}

/* Four standard errors of the mean are found nearly always; one rarely. */
static void
test_gain(void)
{
	double		error = sqrt(0.2 / USERS);	/* the square of size^2 is 1/5 on the average */

	ok(gains(100, 0, 4 * error) >= 90, "a gain of four standard errors is found");
	ok(gains(100, 0, error) <= 20, "of one it is rarely");
	ok(gains(100, 0, -4 * error) == 0, "a loss never is one");
}

/* Few users prove little, however alike their differences are. */
static void
test_few(void)
{
	static const double difference[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0, 0, 0};

	is_close(mf_sign_flip(difference, 5, 100000, 1), 1.0 / 32, 0.003, "five equal ones come up in one of 32 throws");
	is_close(mf_sign_flip(difference, 8, 100000, 1), 1.0 / 32, 0.003, "zeros change nothing");
	ok(mf_sign_flip(difference + 5, 3, 1000, 1) == 1, "no difference");
	ok(mf_sign_flip(difference, 0, 1000, 1) == 1, "no users");
	ok(mf_sign_flip(difference, 5, 1000, 1) == mf_sign_flip(difference, 5, 1000, 1), "the same seed gives the same");
}

int
main(void)
{
	test_chance();
	test_gain();
	test_few();
	return done();
}

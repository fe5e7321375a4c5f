/*
 * test_default_factors.c - the default number of factors grows with the ratings, within bounds, and time ends it.
 */
#include "tap.h"

#include "core/als/objective.h"

/* The default for clicks of that shape, with so many seconds. */
static int
clicks(int64_t users, int64_t items, int64_t cells, double seconds)
{
	MfDataShape shape = {users, items, cells, 0, seconds};

	return mf_default_factors(&shape, false, 10);
}

int
main(void)
{
	MfDataShape described = {3000, 3000, 10000, 5000, INFINITY};
	MfDataShape stars = {138000, 27000, 20000000, 0, 60};
	int			before = 0;
	bool		grows = true;

	for (int64_t cells = 1; cells < INT64_C(1) << 40; cells *= 2)
	{
		int			factors = clicks(100000000, 1000000, cells, INFINITY);

		grows = grows && factors >= before && factors >= 128 && factors <= 512 && factors % 64 == 0;
		before = factors;
	}
	ok(grows && before == 512, "more ratings never have fewer, from 128 to 512");
	ok(clicks(2059, 1099, 35736, INFINITY) == 192, "the square root, to the next step");
	ok(clicks(100, 100, 5000, INFINITY) == 64, "64 of a few dense ratings");
	ok(clicks(3000, 3000, 1000000, INFINITY) == 512, "as many of many dense ones as of sparse ones");
	ok(clicks(1000, 100000, 1000000, INFINITY) == 256 && clicks(50, 100000, 1000000, INFINITY) == 64,
	   "a quarter of the smaller side at most");
	ok(mf_default_factors(&described, false, 10) == 192, "192 at least where much is known of items");

	before = 0;
	grows = true;
	for (double seconds = 0.001; seconds < 1e4; seconds *= 2)
	{
		int			factors = clicks(138000, 27000, 14000000, seconds);

		grows = grows && factors >= before;
		before = factors;
	}
	ok(grows && before == 512, "more time never means fewer");
	ok(clicks(138000, 27000, 14000000, 0.001) == 64, "64 where there is no time");
	ok(clicks(138000, 27000, 14000000, 60) > clicks(138000, 27000, 14000000, 20), "less time means fewer");
	ok(mf_default_factors(&stars, true, 10) < mf_default_factors(&stars, false, 10), "two parts have less time each");
	ok(mf_default_factors(&stars, true, 20) < mf_default_factors(&stars, true, 10), "and so have more iterations");
	return done();
}

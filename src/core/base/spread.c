/*
 * spread.c - how widely a user's ratings spread beside those of all: what they are divided by before they are learned.
 *
 * Who gives one or ten stars and who gives six or seven say the same by it, but squares of the first count eighty times
 * as much, in their own vector and, worse, in those of items.  So ratings less the mean of all are divided by the user's
 * spread, and what is predicted is multiplied by it (as ratings are normalized for each user before they are compared:
 * Herlocker, Konstan, Borchers, Riedl, "An algorithmic framework for performing collaborative filtering", 1999).
 *
 * Of n ratings with the sum S of squares around their own mean, n - 1 of which are free, and with the mean m of such
 * squares over all users, the spread is the root of
 *
 *     (S + SPREAD_PRIOR m) / (n - 1 + SPREAD_PRIOR) / m
 *
 * to the power SPREAD_POWER: few ratings say little of it, so it begins at that of all, 1, and what is left of
 * differences that chance has made is held by the power.  (In Bayesian terms, an inverse gamma prior of the variance.)
 * Weights do not count: they say how far to trust a rating, not on which scale it is.
 */
#include "core/base/spread.h"

#include <math.h>

/* So many ratings that spread as all do are what is thought of a user before there is one. */
#define SPREAD_PRIOR 10.0

/* Of what ratings say of spreads so much is taken. */
#define SPREAD_POWER 0.7

/* Where next to all users give one rating alone, the few others spread beyond all measure. */
#define MOST_SPREAD 4.0

/* The sum of squares of n numbers around their mean; exactly 0 where they are the same. */
double
mf_squares_around_mean(const float *values, int64_t n)
{
	double		sum = 0;
	double		squares = 0;

	for (int64_t i = 1; i < n; i++)
	{
		double		off = (double) values[i] - values[0];

		sum += off;
		squares += off * off;
	}
	return n > 1 ? fmax(squares - sum * sum / (double) n, 0) : 0;
}

/*
 * The spread of a user with n ratings, beside that of all.  squares: mf_squares_around_mean() of theirs; variance: the
 * mean of such squares, for each that is free, over all users.  1 where this is 0, as nothing is known of spreads then.
 */
double
mf_user_spread(double squares, int64_t n, double variance)
{
	double		degrees = n > 1 ? (double) (n - 1) : 0;
	double		own;

	if (!(variance > 0))
		return 1;
	own = (squares / variance + SPREAD_PRIOR) / (degrees + SPREAD_PRIOR);
	return fmin(fmax(pow(own, SPREAD_POWER / 2), 1 / MOST_SPREAD), MOST_SPREAD);
}

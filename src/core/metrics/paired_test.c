/*
 * paired_test.c - whether one of two is better by more than chance explains.
 *
 * Two models are compared on the same users: each gives one difference.  If neither is better, a user's
 * difference could as well have the other sign, so the sum of all is compared with sums in which signs
 * are thrown (Fisher's randomization test of paired differences; Smucker, Allan and Carterette 2007
 * found it the one to use for lists).  Unlike a standard error it holds for few users, and for metrics
 * that are zero for most of them.
 */
#include "core/metrics/paired_test.h"

#include "core/base/rng.h"

/* The sum of the differences, each with its sign or the other one as the draw has it. */
static double
flipped_sum(const double *difference, int64_t n, uint64_t seed, uint64_t draw)
{
	uint64_t	stream = mf_random_bits(seed, draw);
	double		sum = 0;

	for (int64_t from = 0; from < n; from += 64)
	{
		uint64_t	bits = mf_random_bits(stream, (uint64_t) from);
		int64_t		end = n - from < 64 ? n : from + 64;

		for (int64_t i = from; i < end; i++, bits >>= 1)
			sum += bits & 1 ? difference[i] : -difference[i];
	}
	return sum;
}

/*
 * How likely chance alone makes a sum as large as that of these n differences, estimated by so many
 * draws: between 1 / (draws + 1) and 1.  1 where there is nothing to compare.
 */
double
mf_sign_flip(const double *difference, int64_t n, int draws, uint64_t seed)
{
	double		observed = 0;
	double		size = 0;
	int			reached = 0;

	for (int64_t i = 0; i < n; i++)
	{
		observed += difference[i];
		size += difference[i] < 0 ? -difference[i] : difference[i];
	}
	/* what rounding makes of equal sums must not tell them apart */
	observed -= 1e-12 * size;
	for (int draw = 0; draw < draws; draw++)
		reached += flipped_sum(difference, n, seed, (uint64_t) draw) >= observed;
	return (1.0 + reached) / (draws + 1.0);
}

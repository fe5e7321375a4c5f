/*
 * rng.c - random numbers by counter.  No libm: the same bits on every machine.
 */
#include "core/base/rng.h"

/* 64 random bits: number k of the stream `seed`. */
uint64_t
mf_random_bits(uint64_t seed, uint64_t k)
{
	return mf_mix64(mf_mix64(seed + UINT64_C(0x9e3779b97f4a7c15)) +
					(k + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/* Uniform in [0, 1), 53 bits. */
double
mf_random_uniform(uint64_t seed, uint64_t k)
{
	return (double) (mf_random_bits(seed, k) >> 11) * 0x1.0p-53;
}

/*
 * Mean 0, standard deviation 1, and nearly normal: the sum of four uniform numbers of 16 bits each,
 * whose tails end at 3.46 deviations.  Good enough to start factors from.
 */
float
mf_random_normal(uint64_t seed, uint64_t k)
{
	uint64_t	bits = mf_random_bits(seed, k);
	int64_t		sum = 0;

	for (int piece = 0; piece < 4; piece++)
		sum += (int64_t) ((bits >> (16 * piece)) & 0xffff);
	/* the variance of a piece is (2^32 - 1) / 12, of the sum four times that */
	return (float) ((double) (sum - 131070) * 2.6428997921303014e-05);
}

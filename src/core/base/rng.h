/*
 * rng.h - random numbers by counter: number k of a stream is a function of (seed, k) alone, so
 * neither threads nor the order of calls can change one.
 */
#ifndef MF_RNG_H
#define MF_RNG_H

#include <stdint.h>

/* Mixes 64 bits so that every bit of the result depends on all of them (SplitMix64's finalizer). */
static inline uint64_t
mf_mix64(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

extern uint64_t mf_random_bits(uint64_t seed, uint64_t k);
extern double mf_random_uniform(uint64_t seed, uint64_t k);
extern float mf_random_normal(uint64_t seed, uint64_t k);

#endif

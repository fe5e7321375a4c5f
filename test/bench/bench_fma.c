/*
 * bench_fma.c - how many fused multiply-adds of floats the cores do in a second, at most: the bound of
 * every exact solve, whatever its order of loops.
 *
 * usage: bench_fma THREADS
 *   Prints the best of some tries, of all threads together.  Nothing is read from memory: each thread
 *   keeps independent sums in registers, enough of them to hide the latency of an addition.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/simd/isa.h"

enum
{
	SUMS = 12, TRIES = 10, MOST_THREADS = 1024
};

typedef float (*Burn) (int64_t steps, float x, float y);

/* A function of one level: sums of so many lanes, each multiplied and added to once a step. */
#define DEFINE_BURN(name, lanes) \
static float \
name(int64_t steps, float x, float y) \
{ \
	typedef float Lanes __attribute__((vector_size(4 * (lanes)))); \
	Lanes		sum[SUMS]; \
	Lanes		factor = x - (Lanes) {0}; \
	Lanes		term = y - (Lanes) {0}; \
\
	for (int k = 0; k < SUMS; k++) \
		sum[k] = (float) k - (Lanes) {0}; \
	for (int64_t step = 0; step < steps; step++) \
		_Pragma("GCC unroll 12") \
		for (int k = 0; k < SUMS; k++) \
			sum[k] = sum[k] * factor + term; \
	for (int k = 1; k < SUMS; k++) \
		sum[0] += sum[k]; \
	return sum[0][0]; \
}

DEFINE_BURN(burn_plain, 4)
#ifdef MF_ISA_X86
MF_TARGET_BEGIN(MF_TARGETS_AVX2)
DEFINE_BURN(burn_avx2, 8)
MF_TARGET_END
MF_TARGET_BEGIN(MF_TARGETS_AVX512)
DEFINE_BURN(burn_avx512, 16)
MF_TARGET_END
#endif

typedef struct Worker
{
	pthread_t	thread;
	Burn		burn;
	int64_t		steps;
	float		result;
} Worker;

static void *
work(void *argument)
{
	Worker	   *w = argument;

	w->result = w->burn(w->steps, 0.999f, 0.001f);
	return NULL;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* Seconds that all threads take for so many steps each. */
static double
run(Burn burn, int nthreads, int64_t steps)
{
	static Worker worker[MOST_THREADS];
	double		start = now();

	for (int k = 0; k < nthreads; k++)
	{
		worker[k].burn = burn;
		worker[k].steps = steps;
		if (pthread_create(&worker[k].thread, NULL, work, &worker[k]) != 0)
			exit(1);
	}
	for (int k = 0; k < nthreads; k++)
		pthread_join(worker[k].thread, NULL);
	return now() - start;
}

int
main(int argc, char **argv)
{
	int			nthreads = argc > 1 ? atoi(argv[1]) : 0;
	int			lanes = 4;
	Burn		burn = burn_plain;
	int64_t		steps = 1000000;
	double		best = 0.0;

	if (nthreads < 1 || nthreads > MOST_THREADS)
	{
		fprintf(stderr, "usage: bench_fma THREADS\n");
		return 1;
	}
#ifdef MF_ISA_X86
	if (mf_isa() >= MF_ISA_AVX2)
	{
		burn = mf_isa() >= MF_ISA_AVX512 ? burn_avx512 : burn_avx2;
		lanes = mf_isa() >= MF_ISA_AVX512 ? 16 : 8;
	}
#endif
	while (run(burn, nthreads, steps) < 0.1)
		steps *= 2;
	for (int k = 0; k < TRIES; k++)
	{
		double		rate = (double) steps * SUMS * lanes * nthreads / run(burn, nthreads, steps);

		best = rate > best ? rate : best;
	}
	printf("%.4g\n", best);
	return 0;
}

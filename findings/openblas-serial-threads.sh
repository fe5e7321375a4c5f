#!/usr/bin/env bash
# Debian's OpenBLAS without threads gives wrong numbers where two threads of a program call it at once.
#
# Package: libopenblas0-serial 0.3.21+ds-4 of Debian 12, with libgfortran5.  Needs apt-get, dpkg-deb, gcc and two cores.
# Guess, written first: a library that has no threads of its own can be called from any number of a program's, as the
# reference BLAS can, since calls share nothing but what they are passed.
# Behaviour: calls share buffers, which this build takes without a lock.  Of small ssyrk and spotrf on matrices of each
# thread's own, some end with other numbers than in one thread, without a word; in one thread all are right, and so
# are all with libopenblas0-pthread of the same version.
# Seen, wrong results of 2 times 20000 (matrices of 32 x 32, sums of 64 squares) on two cores: 314 with two threads, 0
# with one.
#
# Exit 0: as seen; 1: it has changed; 2: could not be tried.
set -uo pipefail
. "$(dirname "$0")/temporary.bash"
take serial libopenblas0-serial=0.3.21+ds-4
take pthread libopenblas0-pthread=0.3.21+ds-4
cat >"$folder/race.c" <<'C'
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define N 32
#define K 64
#define SEEDS 64
#define CALLS 20000
static void (*ssyrk) (const char *, const char *, const int *, const int *, const float *, const float *, const int *,
					  const float *, float *, const int *);
static void (*spotrf) (const char *, const int *, float *, const int *, int *);
static float right[SEEDS][N * N];

/* The Cholesky factor of a matrix that depends on the seed alone. */
static void
factor(uint32_t seed, float *c)
{
	float		a[N * K];
	float		one = 1, zero = 0;
	int			n = N, k = K, info;

	for (int i = 0; i < N * K; i++)
	{
		seed = seed * 1664525u + 1013904223u;
		a[i] = (float) (seed >> 8) / 16777216.0f - 0.5f;
	}
	memset(c, 0, sizeof(float) * N * N);
	ssyrk("U", "N", &n, &k, &one, a, &n, &zero, c, &n);
	for (int i = 0; i < N; i++)
		c[i * N + i] += N;
	spotrf("U", &n, c, &n, &info);
}

static void *
count_wrong(void *unused)
{
	float		c[N * N];
	intptr_t	wrong = 0;

	(void) unused;
	for (int k = 0; k < CALLS; k++)
	{
		factor((uint32_t) k % SEEDS, c);
		wrong += memcmp(c, right[k % SEEDS], sizeof(c)) != 0;
	}
	return (void *) wrong;
}

int
main(int argc, char **argv)
{
	void	   *library = argc > 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	int			threads = argc > 2 ? atoi(argv[2]) : 0;
	pthread_t	thread[2];
	intptr_t	wrong = 0;
	void	   *result;

	if (library == NULL)
		return 2;
	*(void **) &ssyrk = dlsym(library, "ssyrk_");
	*(void **) &spotrf = dlsym(library, "spotrf_");
	for (uint32_t seed = 0; seed < SEEDS; seed++)
		factor(seed, right[seed]);
	for (int t = 0; t < threads; t++)
		pthread_create(&thread[t], NULL, count_wrong, NULL);
	for (int t = 0; t < threads; t++, wrong += (intptr_t) result)
		pthread_join(thread[t], &result);
	printf("%ld wrong\n", (long) wrong);
	return 0;
}
C
gcc "$folder/race.c" -o "$folder/race" -ldl -lpthread || exit 2
library() { find "$folder/$1" -name 'libopenblas*.so' -type f -o -name libopenblas.so.0 | head -1; }
[ "$(nproc)" -ge 2 ] && [ -n "$(library serial)" ] && [ -n "$(library pthread)" ] || { echo "needs two cores" >&2; exit 2; }
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
export OPENBLAS_NUM_THREADS=1
# wrong ones are a matter of chance: five tries
some_wrong() {
	for _ in 1 2 3 4 5; do
		[ "$("$folder/race" "$(library serial)" 2)" = '0 wrong' ] || { echo "some wrong"; return; }
	done
}
expect '0 wrong' "$("$folder/race" "$(library serial)" 1)" && expect 'some wrong' "$(some_wrong)" &&
	expect '0 wrong' "$("$folder/race" "$(library pthread)" 2)"

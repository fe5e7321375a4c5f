/*
 * test_threads.c - the parallel loop: every block once, cancel, and the counter-based random
 * numbers.
 */
#include "tap.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/threads.h"

#define NBLOCKS 1000

static atomic_int cancel;

static atomic_int done_count[NBLOCKS];
static atomic_int worker_seen[MF_MAX_THREADS];

static bool
is_cancelled(void)
{
	return cancel != 0;
}

static void
count_block(void *state, int64_t block, int worker)
{
	int			limit = *(int *) state;

	atomic_fetch_add(&done_count[block], 1);
	atomic_fetch_add(&worker_seen[worker], 1);
	if (limit >= 0 && block >= limit)
		cancel = 1;
}

static void
test_blocks(int nthreads)
{
	MfParallel	parallel = {nthreads, is_cancelled};
	int			limit = -1;
	bool		once = true;
	int			strangers = 0;

	memset(done_count, 0, sizeof(done_count));
	memset(worker_seen, 0, sizeof(worker_seen));
	cancel = 0;
	ok(mf_parallel_for(&parallel, NBLOCKS, count_block, &limit), "%d threads: a loop ends",
	   nthreads);
	for (int b = 0; b < NBLOCKS; b++)
		once = once && done_count[b] == 1;
	ok(once, "%d threads: every block was worked on once", nthreads);
	for (int w = nthreads > 0 ? nthreads : 1; w < MF_MAX_THREADS; w++)
		strangers += worker_seen[w];
	ok(strangers == 0, "%d threads: workers have numbers below that", nthreads);
	ok(mf_parallel_for(&parallel, 0, count_block, &limit), "%d threads: no blocks", nthreads);
}

static void
test_cancel(int nthreads)
{
	MfParallel	parallel = {nthreads, is_cancelled};
	int			limit = 10;
	int			worked = 0;

	memset(done_count, 0, sizeof(done_count));
	cancel = 0;
	ok(!mf_parallel_for(&parallel, NBLOCKS, count_block, &limit),
	   "%d threads: a cancelled loop says so", nthreads);
	for (int b = 0; b < NBLOCKS; b++)
		worked += done_count[b];
	ok(worked < 900, "%d threads: workers leave when cancelled", nthreads);
}

static void
test_signals(void)
{
	sigset_t	before;
	sigset_t	after;
	MfParallel	parallel = {2, NULL};
	int			limit = -1;

	memset(done_count, 0, sizeof(done_count));
	sigprocmask(SIG_SETMASK, NULL, &before);
	mf_parallel_for(&parallel, 4, count_block, &limit);
	sigprocmask(SIG_SETMASK, NULL, &after);
	ok(sigismember(&before, SIGINT) == sigismember(&after, SIGINT),
	   "the caller's signal mask is as it was");
}

static void
test_random(void)
{
	double		sum = 0.0;
	double		squares = 0.0;
	double		uniform = 0.0;
	int			n = 100000;

	for (int k = 0; k < n; k++)
	{
		double		x = mf_random_normal(1, (uint64_t) k);
		double		u = mf_random_uniform(1, (uint64_t) k);

		sum += x;
		squares += x * x;
		uniform += u;
		if (u < 0.0 || u >= 1.0)
			uniform = NAN;
	}
	is_close(sum / n, 0.0, 0.02, "normal numbers have mean 0");
	is_close(squares / n, 1.0, 0.02, "and variance 1");
	is_close(uniform / n, 0.5, 0.01, "uniform numbers have mean 0.5");
	ok(mf_random_bits(1, 2) == mf_random_bits(1, 2), "the same seed and number: the same bits");
	ok(mf_random_bits(1, 2) != mf_random_bits(2, 1), "another seed: other bits");
}

int
main(void)
{
	int			counts[] = {0, 1, 2, 3, 8, 200};

	for (int i = 0; i < 5; i++)
	{
		test_blocks(counts[i]);
		test_cancel(counts[i]);
	}
	test_signals();
	test_random();
	return done();
}

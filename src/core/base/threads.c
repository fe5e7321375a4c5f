/*
 * threads.c - a parallel loop over blocks on plain pthreads, forked and joined per round.
 *
 * Signals stay with the thread that calls: the others are born with all of them blocked.  A system
 * that gives fewer threads than asked for makes the loop slower and changes nothing else.
 */
#include "core/base/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

/* One round: the workers' common state. */
typedef struct Round
{
	const MfParallel *parallel;
	MfBlockFunction function;
	void	   *state;
	int64_t		nblocks;
	atomic_int_fast64_t next;	/* the block to be taken next */
} Round;

typedef struct Worker
{
	Round	   *round;
	int			number;
} Worker;

/* True if cancellation was requested. */
bool
mf_cancelled(const MfParallel *parallel)
{
	return parallel->cancelled != NULL && parallel->cancelled();
}

/* The number of workers a round may have: what scratch space per worker is sized by. */
int
mf_workers(const MfParallel *parallel)
{
	if (parallel->nthreads < 1)
		return 1;
	return parallel->nthreads < MF_MAX_THREADS ? parallel->nthreads : MF_MAX_THREADS;
}

/* Takes block after block until none is left or the round is cancelled. */
static void *
run_worker(void *argument)
{
	Worker	   *worker = argument;
	Round	   *round = worker->round;

	while (!mf_cancelled(round->parallel))
	{
		int64_t		block = atomic_fetch_add_explicit(&round->next, 1, memory_order_relaxed);

		if (block >= round->nblocks)
			break;
		round->function(round->state, block, worker->number);
	}
	return NULL;
}

/* Starts workers 1 .. count - 1 with all signals blocked; returns how many threads there are. */
static int
start_workers(pthread_t *threads, Worker *workers, int count)
{
	sigset_t	all;
	sigset_t	old;
	int			started = 0;

	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &old) != 0)
		return 0;
	while (started + 1 < count &&
		   pthread_create(&threads[started], NULL, run_worker, &workers[started + 1]) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return started;
}

/*
 * Calls function(state, block, worker) for the blocks 0 .. nblocks - 1, in any order, on up to
 * parallel->nthreads threads, the calling one among them.  Blocks are handed out in ascending
 * order. Returns false when the cancel flag was seen: then some blocks were not worked on.
 */
bool
mf_parallel_blocks(const MfParallel *parallel, int64_t nblocks, MfBlockFunction function,
				   void *state)
{
	Round		round;
	Worker		workers[MF_MAX_THREADS];
	pthread_t	threads[MF_MAX_THREADS];
	int			count = mf_workers(parallel);
	int			started = 0;

	round.parallel = parallel;
	round.function = function;
	round.state = state;
	round.nblocks = nblocks;
	atomic_init(&round.next, 0);
	if (count > nblocks)
		count = nblocks > 0 ? (int) nblocks : 1;
	for (int w = 0; w < count; w++)
	{
		workers[w].round = &round;
		workers[w].number = w;
	}
	if (count > 1)
		started = start_workers(threads, workers, count);
	run_worker(&workers[0]);
	for (int t = 0; t < started; t++)
		pthread_join(threads[t], NULL);
	return !mf_cancelled(parallel);
}

/*
 * threads.c - a parallel loop over tasks on plain pthreads, forked and joined within a call.
 *
 * Signals stay with the thread that calls: the others are born with all of them blocked.  A system
 * that gives fewer threads than asked for makes the loop slower and changes nothing else.
 */
#include "core/base/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

/* One loop: what its workers share. */
typedef struct Loop
{
	const MfParallel *parallel;
	MfTaskFunction function;
	void	   *state;
	int64_t		ntasks;
	atomic_int_fast64_t next;	/* the task to be taken next */
} Loop;

/* A worker of a loop; number 0 is the calling thread. */
typedef struct Worker
{
	Loop	   *loop;
	int			number;
} Worker;

/* True if cancellation was requested. */
bool
mf_cancelled(const MfParallel *parallel)
{
	return parallel->cancelled != NULL && parallel->cancelled();
}

/* The number of workers a loop may have: what workspace per worker is sized by. */
int
mf_workers(const MfParallel *parallel)
{
	if (parallel->nthreads < 1)
		return 1;
	return parallel->nthreads < MF_MAX_THREADS ? parallel->nthreads : MF_MAX_THREADS;
}

/* Takes task after task until none is left or the loop is cancelled. */
static void *
run_worker(void *argument)
{
	Worker	   *worker = argument;
	Loop	   *loop = worker->loop;

	while (!mf_cancelled(loop->parallel))
	{
		int64_t		task = atomic_fetch_add_explicit(&loop->next, 1, memory_order_relaxed);

		if (task >= loop->ntasks)
			break;
		loop->function(loop->state, task, worker->number);
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
 * Calls function(state, task, worker) for the tasks 0 .. ntasks - 1, in any order, on up to parallel->nthreads
 * threads, the calling one among them.  Tasks are handed out in ascending order.  Returns false when the loop was
 * cancelled: then some tasks were not worked on.
 */
bool
mf_parallel_for(const MfParallel *parallel, int64_t ntasks, MfTaskFunction function, void *state)
{
	Loop		loop;
	Worker		workers[MF_MAX_THREADS];
	pthread_t	threads[MF_MAX_THREADS];
	int			count = mf_workers(parallel);
	int			started = 0;

	loop.parallel = parallel;
	loop.function = function;
	loop.state = state;
	loop.ntasks = ntasks;
	atomic_init(&loop.next, 0);
	if (count > ntasks)
		count = ntasks > 0 ? (int) ntasks : 1;
	for (int w = 0; w < count; w++)
	{
		workers[w].loop = &loop;
		workers[w].number = w;
	}
	if (count > 1)
		started = start_workers(threads, workers, count);
	run_worker(&workers[0]);
	for (int t = 0; t < started; t++)
		pthread_join(threads[t], NULL);
	return !mf_cancelled(parallel);
}

/*
 * als_train.c - whole trainings of small sets of ratings, one by each thread.
 *
 * A set of some hundred ratings is no work for several threads: they would wait for each other at the end of every
 * half-sweep, of which there are twenty.  So each thread takes a training as a whole, and then another one.  As the number of
 * threads changes no result, factors are those that half-sweeps by many threads would have come to.
 */
#include "core/als/als_train.h"

#include "core/base/narrow.h"
#include "core/base/padding.h"
#include "core/linalg/lapack.h"

/* What all workers of a loop share. */
typedef struct Loop
{
	MfTraining *trainings;
	char	   *space;			/* of all workers, each `size` bytes */
	size_t		size;
	MfParallel	alone;			/* for the solver: one thread */
} Loop;

/* Bytes of workspace of one worker: the most that any of the trainings needs. */
static size_t
worker_size(const MfTraining *trainings, int64_t n, const MfParallel *alone)
{
	size_t		size = 0;

	for (int64_t i = 0; i < n; i++)
	{
		size_t		needed = mf_als_size(trainings[i].problem, alone);

		size = needed > size ? needed : size;
	}
	return size;
}

/* Bytes of `space` for mf_als_train(). */
size_t
mf_als_train_size(const MfTraining *trainings, int64_t n, const MfParallel *parallel)
{
	MfParallel	alone = {1, parallel->cancelled};

	return worker_size(trainings, n, &alone) * (size_t) mf_workers(parallel);
}

/* One half-sweep over all rows of a side. */
static MfError
half_sweep(MfAls *als, MfSide side, const MfRows *rows, bool exact, double *loss)
{
	MfError		error = mf_als_begin(als, side, exact, NULL);

	if (error == MF_OK)
		error = mf_als_rows(als, rows);
	return error == MF_OK ? mf_als_end(als, loss) : error;
}

/* Rounds items' vectors to what images hold in half of the room. */
static void
round_items(const MfTraining *t)
{
	int			d = t->problem->factors;

	mf_narrow_round_rows(t->factors->interest, t->problem->nitems, d, mf_padded(d));
	mf_narrow_round_rows(t->factors->rating, t->problem->nitems, d, mf_padded(d));
}

/* Iterations until the loss settles; at the end items are rounded, and users solved exactly by these. */
static MfError
run_sweeps(MfTraining *t, MfAls *als)
{
	bool		go_on = true;
	MfError		error = MF_OK;

	t->loss = 0;
	for (t->done = 0; error == MF_OK && go_on && t->done < t->iterations; t->done++)
	{
		double		before = t->loss;

		error = half_sweep(als, MF_USERS, &t->users, false, NULL);
		if (error == MF_OK)
			error = half_sweep(als, MF_ITEMS, &t->items, false, &t->loss);
		go_on = t->done == 0 || before - t->loss > t->tolerance * before;
		if (error == MF_OK)
			t->follow(t);
	}
	if (error != MF_OK)
		return error;
	round_items(t);
	return half_sweep(als, MF_USERS, &t->users, true, &t->loss);
}

/* MfTaskFunction: one training. */
static void
train_one(void *state, int64_t task, int worker)
{
	Loop	   *loop = state;
	MfTraining *t = &loop->trainings[task];

	t->error = run_sweeps(t, mf_als_init(loop->space + loop->size * (size_t) worker, t->problem, t->factors,
										 &loop->alone));
}

/*
 * Solves n problems; each one's `error` says how that went.  space: mf_als_train_size() bytes, any alignment.  False when
 * cancelled: then nothing holds.
 */
bool
mf_als_train(MfTraining *trainings, int64_t n, void *space, const MfParallel *parallel)
{
	Loop		loop = {.trainings = trainings,.space = space,.alone = {1, parallel->cancelled}};

	(void) mf_lapack();			/* before there are threads */
	loop.size = worker_size(trainings, n, &loop.alone);
	return mf_parallel_for(parallel, n, train_one, &loop);
}

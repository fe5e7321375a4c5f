/*
 * test_train.c - whole trainings side by side: each ends as it does by half-sweeps alone, to the bit, for any number of
 * threads; cancel, and numbers that outgrow floats in one of them.
 */
#include "sample.h"
#include "tap.h"

#include "core/als/als_train.h"
#include "core/base/narrow.h"
#include "core/base/padding.h"

#define N 12
#define ITERATIONS 4

static bool cancelled;

static bool
is_cancelled(void)
{
	return cancelled;
}

/* As the server has the mean user follow, in a form that is easy to repeat: their mean, unweighted. */
static void
follow(const MfTraining *t)
{
	int			ld = mf_padded(t->problem->factors);

	if (t->mean_user == NULL)
		return;
	memset(t->mean_user, 0, (size_t) ld * sizeof(float));
	for (int64_t u = 0; u < t->problem->nusers; u++)
		for (int k = 0; k < ld; k++)
			t->mean_user[k] += t->factors->user[u * ld + k] / (float) t->problem->nusers;
}

/* The i-th sample: of one part or both, of few users and items. */
static Sample
make(int i)
{
	SampleOptions o = {20 + 7 * i, 15 + 5 * i, 6 + 9 * (i % 4), true, i % 3 > 0, false, 300, 0, false, 0, false, false, false, false};

	return sample_new(&o);
}

/* The sample as a training. */
static MfTraining
task_of(Sample *s)
{
	return (MfTraining) {
		.follow = follow,.problem = &s->problem,.factors = &s->factors,.mean_user = (float *) s->problem.user_mean,
		.users = s->users,.items = s->items,.iterations = ITERATIONS
	};
}

/* The same by hand; returns the loss. */
static double
train_alone(Sample *s)
{
	MfParallel	parallel = {1, NULL};
	MfTraining	task = task_of(s);
	void	   *space;
	MfAls	   *als = sample_als(s, &parallel, &space);
	double		loss = 0;

	for (int i = 0; i < ITERATIONS; i++)
	{
		sample_sweep(als, s, MF_USERS, false, 0, NULL);
		sample_sweep(als, s, MF_ITEMS, false, 0, &loss);
		follow(&task);
	}
	mf_narrow_round_rows(s->factors.interest, s->problem.nitems, s->problem.factors, mf_padded(s->problem.factors));
	mf_narrow_round_rows(s->factors.rating, s->problem.nitems, s->problem.factors, mf_padded(s->problem.factors));
	sample_sweep(als, s, MF_USERS, true, 0, &loss);
	free(space);
	return loss;
}

/* Whether two samples have the same factors. */
static bool
same_factors(const Sample *a, const Sample *b)
{
	size_t		ld = (size_t) mf_padded(a->problem.factors);

	return memcmp(a->factors.user, b->factors.user, ld * (size_t) a->problem.nusers * sizeof(float)) == 0 &&
		(a->factors.interest == NULL || memcmp(a->factors.interest, b->factors.interest, ld * (size_t) a->problem.nitems * sizeof(float)) == 0) &&
		(a->factors.rating == NULL || memcmp(a->factors.rating, b->factors.rating, ld * (size_t) a->problem.nitems * sizeof(float)) == 0);
}

/* All samples at once by so many threads; the `broken` one, if there is one, has ratings that are no numbers. */
static void
test_together(int nthreads, int broken)
{
	MfParallel	parallel = {nthreads, is_cancelled};
	MfTraining	task[N];
	Sample		s[N];
	void	   *space;
	int			same = 0;

	for (int i = 0; i < N; i++)
	{
		s[i] = make(i);
		if (i == broken)
			s[i].by_user.rating[0] = s[i].by_item.rating[0] = 3e38f;
		task[i] = task_of(&s[i]);
	}
	space = malloc(mf_als_train_size(task, N, &parallel));
	ok(mf_als_train(task, N, space, &parallel), "%d threads: they end", nthreads);
	for (int i = 0; i < N; i++)
	{
		Sample		alone = make(i);
		double		loss = train_alone(&alone);

		if (i == broken)
			ok(task[i].error == MF_NOT_FINITE, "%d threads: the error is that of one", nthreads);
		else
			same += task[i].error == MF_OK && task[i].done == ITERATIONS && task[i].loss == loss &&
				same_factors(&s[i], &alone);
		sample_free(&alone);
		sample_free(&s[i]);
	}
	ok(same == N - (broken >= 0), "%d threads: each ends as alone, to the bit", nthreads);
	free(space);
}

/* A cancelled loop says so. */
static void
test_cancel(void)
{
	MfParallel	parallel = {2, is_cancelled};
	Sample		s = make(0);
	MfTraining	task = task_of(&s);
	void	   *space = malloc(mf_als_train_size(&task, 1, &parallel));

	cancelled = true;
	ok(!mf_als_train(&task, 1, space, &parallel), "a cancelled training says so");
	cancelled = false;
	sample_free(&s);
	free(space);
}

/* An iteration that brings less than the tolerance is the last one, but the first. */
static void
test_tolerance(void)
{
	MfParallel	parallel = {1, NULL};
	Sample		s = make(3);
	MfTraining	task = task_of(&s);
	void	   *space = malloc(mf_als_train_size(&task, 1, &parallel));

	task.tolerance = 1;
	ok(mf_als_train(&task, 1, space, &parallel) && task.done == 2, "it settles");
	sample_free(&s);
	free(space);
}

int
main(void)
{
	test_together(1, -1);
	test_together(3, -1);
	test_together(8, 5);
	test_cancel();
	test_tolerance();
	return done();
}

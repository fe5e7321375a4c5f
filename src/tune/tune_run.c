/*
 * tune_run.c - what is done of a training to see what a trial is worth.
 *
 * Neighbours have nearly the same vectors, so trials do not begin by chance but where the preset is after most of its
 * iterations, and have the last ones of their own: these tell them apart.  In the first round all of them have few
 * dimensions, a sketch of the training, as what else is good for it hardly depends on their number; that halves and
 * quarters both what half-sweeps and what lists cost.  Attributes are learned once an iteration or two has passed, so
 * where there are some a trial has a training of its own.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "pg/core_call.h"
#include "train/als_loop.h"
#include "train/item_map.h"
#include "tune/tune_run.h"
#include "tune/tune_split.h"

/* Iterations that a trial has for itself, in a sketch as in the second round. */
#define OWN_ITERATIONS 3

/* The same of all there are where items have features: these count after the third one, and need a few to be seen in lists. */
#define FIRST_WITH_FEATURES 6

/* Iterations of a round of its own, of all that there are. */
static int
OwnIterations(const Tuner *t)
{
	return Min(OWN_ITERATIONS, t->preset.iterations);
}

/*
 * Prepares a training with a trial's parameters on the current split, its factors as any training begins.  Returns the
 * memory context of the caller, for EndTrial(): the current one is the trial's from here on.
 */
static MemoryContext
BeginTrial(Tuner *t, const Trial *trial, bool sketch)
{
	Training   *training = &t->training;
	MemoryContext old;

	WeighSplit(t, trial);
	old = MemoryContextSwitchTo(t->trial_context);
	training->objective = t->preset;
	ApplyTrial(&t->space, trial, &training->objective);
	if (sketch)
		SketchObjective(&training->objective);
	training->iterations = 0;
	training->loss = 0;
	training->map = NULL;
	memset(&training->factors, 0, sizeof(MfFactors));
	StateProblem(training);
	SetItemCounts(t->validation, training->item_counts, training->item_trends);
	if (training->features)
		CreateItemMap(training);
	StartFactors(training);
	return old;
}

/* Gives back all memory of a trial. */
static void
EndTrial(Tuner *t, MemoryContext old)
{
	MemoryContextSwitchTo(old);
	MemoryContextReset(t->trial_context);
}

/*
 * Half-sweeps of both sides so many times, items first: at the end users follow from items, as nearly as iterations let
 * them.
 */
static void
Alternate(Training *training, int iterations)
{
	for (int i = 0; i < iterations; i++)
	{
		HalfSweep(training, MF_ITEMS, false);
		UpdateMeanUser(training);
		HalfSweep(training, MF_USERS, false);
	}
}

/* The same from vectors that were kept. */
static void
Iterate(Training *training, int iterations)
{
	training->als = CreateSolver(training);
	Alternate(training, iterations);
}

/* The same from factors by chance, of which users have none yet. */
static void
IterateFromChance(Training *training, int iterations)
{
	training->als = CreateSolver(training);
	HalfSweep(training, MF_USERS, false);
	Alternate(training, iterations);
}

/* Whether a sketch has all dimensions of the preset: they are few. */
static bool
SketchIsWhole(const Tuner *t)
{
	MfObjective sketch = t->preset;

	SketchObjective(&sketch);
	return mf_dimensions(&sketch) == mf_dimensions(&t->preset);
}

/*
 * Makes the vectors from which trials of a round go on: the preset's, on the current split, after the iterations that
 * they do not have for themselves.
 */
void
MakeStart(Tuner *t, bool sketch)
{
	MemoryContext old;

	if (t->training.features || (!sketch && SketchIsWhole(t)))
		return;
	old = BeginTrial(t, &t->trials[0], sketch);
	IterateFromChance(&t->training, t->preset.iterations - OwnIterations(t));
	MemoryContextSwitchTo(t->context);
	KeepVectors(&t->start, &t->training);
	EndTrial(t, old);
}

/*
 * Trains on the current split with a trial's parameters as any training does, for so many iterations, and returns the
 * metric.
 */
double
TrainTrial(Tuner *t, const Trial *trial, int iterations)
{
	Training   *training = &t->training;
	MemoryContext old = BeginTrial(t, trial, false);
	double		value;

	training->objective.iterations = iterations;
	RunSweeps(training);
	value = Validate(t->validation, &training->factors);
	EndTrial(t, old);
	return value;
}

/* The metric of a trial that goes on from where a round starts, or begins by chance. */
static double
MeasureTrial(Tuner *t, const Trial *trial, bool sketch, bool alone)
{
	Training   *training = &t->training;
	MemoryContext old = BeginTrial(t, trial, sketch);
	double		value;

	if (!alone && TakeVectors(&t->start, training))
		Iterate(training, OwnIterations(t));
	else
		IterateFromChance(training, t->preset.iterations);
	value = Validate(t->validation, &training->factors);
	EndTrial(t, old);
	return value;
}

/* A trial's turn in a round: its value so far is replaced. */
void
RunTrial(Tuner *t, Trial *trial, bool sketch)
{
	int			all = t->preset.iterations;
	instr_time	began;

	INSTR_TIME_SET_CURRENT(began);
	trial->iterations = sketch ? OwnIterations(t) : all;
	if (t->training.features)
	{
		trial->iterations = sketch ? Min(FIRST_WITH_FEATURES, all) : all;
		trial->value = TrainTrial(t, trial, trial->iterations);
	}
	else
		trial->value = MeasureTrial(t, trial, sketch, false);
	if (sketch)
		trial->sketch = trial->value;
	else
		trial->complete = true;
	trial->seconds += SecondsSince(began);
}

/* The turn of a trial with a number of factors of its own, which begins by chance where it has fewer of them. */
void
RunAlone(Tuner *t, Trial *trial)
{
	instr_time	began;

	INSTR_TIME_SET_CURRENT(began);
	if (t->training.features)
		trial->value = TrainTrial(t, trial, t->preset.iterations);
	else
		trial->value = MeasureTrial(t, trial, false, trial->share < 1);
	trial->iterations = t->preset.iterations;
	trial->complete = true;
	trial->seconds += SecondsSince(began);
}

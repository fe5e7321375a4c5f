/*
 * tuner.c - the search for parameters, on a validation split of its own.
 *
 * Successive halving (Jamieson and Talwalkar 2016): every trial gets a few iterations, the better
 * third of them the full number.  The ratings are read once.  The first trial is the preset, and
 * another one wins only if it is better by more than chance would explain: on the rows held out, by
 * more than one standard error of the paired difference over groups of users.  So tuning on little
 * data ends with the defaults rather than with luck.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/rng.h"
#include "interrupt.h"
#include "progress.h"
#include "source.h"
#include "tuner.h"

/* Iterations of a trial in the first round; one in so many goes on to the second. */
#define FIRST_ITERATIONS 3
#define ONE_IN 3

typedef struct Tuner
{
	const TuneRequest *request;
	Training	training;		/* of the present trial */
	Validation *validation;
	MemoryContext context;		/* of everything that outlives a trial */
	MemoryContext trial_context;
	MfObjective preset;
	Trial	   *trials;
	int			count;
} Tuner;

/* A number in [0, 1); k tells draws of a trial apart. */
static double
DrawUnit(const Tuner *t, int trial, int k)
{
	return mf_random_uniform((uint64) t->request->options.seed + 77, (uint64) trial * 16 + k);
}

/* A number between low and high, evenly on a logarithmic scale. */
static double
Draw(const Tuner *t, int trial, int k, double low, double high)
{
	return exp(log(low) + DrawUnit(t, trial, k) * (log(high) - log(low)));
}

/* The parameters of a trial: the preset's, and others near them for all but the first. */
static void
DrawTrial(Tuner *t, int number)
{
	static const int factors[] = {32, 48, 64, 96, 128};
	const TrainOptions *options = &t->request->options;
	Trial	   *trial = &t->trials[number - 1];
	MfObjective *objective = &trial->objective;

	memset(trial, 0, sizeof(Trial));
	trial->number = number;
	trial->value = NAN;
	*objective = t->preset;
	if (number == 1)
		return;
	if (options->factors < 0)
		objective->factors = factors[(int) (DrawUnit(t, number, 0) * lengthof(factors))];
	if (isnan(options->regularization))
		objective->regularization *= Draw(t, number, 1, 0.3, 3);
	if (isnan(options->alpha) && objective->has_interest)
		objective->alpha *= Draw(t, number, 2, 0.3, 3);
	if (isnan(options->interest_weight) && objective->has_interest && objective->has_rating)
		objective->interest_weight *= Draw(t, number, 3, 0.3, 3);
	if (isnan(options->taste) && objective->has_interest && objective->has_rating)
		objective->taste *= Draw(t, number, 4, 0.2, 5);
	mf_objective_settle(objective);
}

/* Trains with a trial's parameters for so many iterations, and measures. */
static void
RunTrial(Tuner *t, Trial *trial, int iterations)
{
	Training   *training = &t->training;
	MemoryContext old = MemoryContextSwitchTo(t->trial_context);
	instr_time	began;

	INSTR_TIME_SET_CURRENT(began);
	training->objective = trial->objective;
	training->objective.iterations = iterations;
	training->iterations = 0;
	training->loss = 0;
	memset(&training->factors, 0, sizeof(MfFactors));
	memset(&training->problem, 0, sizeof(MfProblem));
	StateProblem(training);
	StartFactors(training);
	RunSweeps(training);
	trial->value = Validate(t->validation, &training->factors);
	memcpy(trial->group, MeasuredGroups(t->validation), sizeof(trial->group));
	trial->iterations = training->iterations;
	trial->complete = iterations == t->preset.iterations;
	trial->seconds += SecondsSince(began);
	MemoryContextSwitchTo(old);
	MemoryContextReset(t->trial_context);
}

/* Whether a is the better value; what was not measured is worst. */
static bool
Better(Measure measure, double a, double b)
{
	if (isnan(a) || isnan(b))
		return !isnan(a);
	return measure == MEASURE_RMSE ? a < b : a > b;
}

/* Whether a trial beats another by more than one standard error of the difference by groups. */
static bool
ClearlyBetter(Measure measure, const Trial *a, const Trial *b)
{
	double		sum = 0;
	double		squares = 0;
	double		mean;

	for (int g = 0; g < MEASURE_GROUPS; g++)
	{
		double		difference = measure == MEASURE_RMSE ? b->group[g] - a->group[g] : a->group[g] - b->group[g];

		sum += difference;
		squares += difference * difference;
	}
	mean = sum / MEASURE_GROUPS;
	return mean > sqrt(Max(squares / MEASURE_GROUPS - mean * mean, 0) / (MEASURE_GROUPS - 1));
}

static bool
TimeIsUp(const Tuner *t)
{
	return SecondsSince(t->training.began) >= t->request->seconds;
}

/* A trial's parameters as arguments of mf_train. */
static char *
TrialArguments(const Trial *trial)
{
	const MfObjective *o = &trial->objective;
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "factors => %d, regularization => %.3g", o->factors, o->regularization);
	if (o->has_interest)
		appendStringInfo(&text, ", alpha => %.3g", o->alpha);
	if (o->has_interest && o->has_rating)
		appendStringInfo(&text, ", interest_weight => %.3g, taste => %.3g", o->interest_weight, o->taste);
	return text.data;
}

static void
ReportTrial(const Tuner *t, const Trial *trial)
{
	ereport(mfrec_verbose ? NOTICE : DEBUG1,
			(errmsg("trial %d of %d, %d iterations: %s %.5f", trial->number, t->count, trial->iterations,
					ValidationMeasure(t->validation), trial->value),
			 errdetail("%s", TrialArguments(trial))));
	ReportIteration(trial->number, t->count, NAN);
}

/* Whatever ends the search early, a cancel above all, tells the best trial so far. */
static void
TellBestTrial(void *tuner)
{
	const Tuner *t = tuner;
	const Trial *best = NULL;

	for (int i = 0; i < t->count; i++)
		if (!isnan(t->trials[i].value) &&
			(best == NULL || t->trials[i].complete > best->complete ||
			 (t->trials[i].complete == best->complete &&
			  Better(t->request->measure, t->trials[i].value, best->value))))
			best = &t->trials[i];
	if (best)
		errcontext("the best trial so far, number %d, with %s %.5f: %s", best->number,
				   ValidationMeasure(t->validation), best->value, TrialArguments(best));
}

/* Whether a trial is among the better third after the first round. */
static bool
GoesOn(const Tuner *t, const Trial *trial)
{
	Measure		measure = t->request->measure;
	int			better = 0;

	for (int i = 0; i < t->count; i++)
		better += Better(measure, t->trials[i].value, trial->value);
	return better < Max(1, t->count / ONE_IN);
}

/* Both rounds. */
static void
RunRounds(Tuner *t)
{
	ErrorContextCallback context = {error_context_stack, TellBestTrial, t};
	bool	   *goes_on = palloc0(sizeof(bool) * t->count);
	int			full = t->preset.iterations;

	error_context_stack = &context;
	for (int i = 0; i < t->count && (i == 0 || !TimeIsUp(t)); i++)
	{
		RunTrial(t, &t->trials[i], Min(FIRST_ITERATIONS, full));
		ReportTrial(t, &t->trials[i]);
	}
	for (int i = 0; i < t->count; i++)
		goes_on[i] = !isnan(t->trials[i].value) && (i == 0 || GoesOn(t, &t->trials[i]));
	for (int i = 0; i < t->count && full > FIRST_ITERATIONS; i++)
		if (goes_on[i] && (i == 0 || !TimeIsUp(t)))
		{
			RunTrial(t, &t->trials[i], full);
			ReportTrial(t, &t->trials[i]);
		}
	error_context_stack = context.previous;
}

/* The best of those that had all iterations, if it is clearly better than the preset. */
static void
ChooseWinner(Tuner *t, Measure measure)
{
	Trial	   *preset = &t->trials[0];
	Trial	   *winner = preset;

	for (int i = 1; i < t->count; i++)
	{
		Trial	   *trial = &t->trials[i];

		if (trial->complete && Better(measure, trial->value, winner->value) &&
			ClearlyBetter(measure, trial, preset))
			winner = trial;
	}
	winner->winner = true;
}

/*
 * Searches parameters for a source; everything is in the current memory context.  Returns the trials
 * by number, the winner marked; *measure: what their values are.
 */
Trial *
Tune(const TuneRequest *request, int *count, const char **measure)
{
	Tuner		tuner = {.request = request};
	Tuner	   *t = &tuner;
	Training   *training = &t->training;
	TuneRequest own = *request;
	Source		source;

	t->request = &own;
	t->context = AllocSetContextCreate(CurrentMemoryContext, "mfrec tuning", ALLOCSET_DEFAULT_SIZES);
	t->trial_context = AllocSetContextCreate(t->context, "mfrec trial", ALLOCSET_DEFAULT_SIZES);
	INSTR_TIME_SET_CURRENT(training->began);
	InitParallel(&training->parallel);
	training->options = request->options;
	if (isnan(training->options.validation) || training->options.validation == 0)
		training->options.validation = 0.1;
	CheckTrainOptions(&training->options);
	OpenSource(&source, request->source, &training->options);
	t->count = *count = request->trials;
	t->trials = palloc(sizeof(Trial) * t->count);
	MemoryContextSwitchTo(t->context);
	BeginProgress(source.name);
	training->ratings = LoadRatings(&source, &training->options, &training->parallel);
	SettleObjective(training);
	t->preset = training->objective;
	ReportPhase(PHASE_SWEEP);
	t->validation = CreateValidation(training->ratings, &training->problem, &training->objective, &training->parallel);
	if (!request->has_measure)
		own.measure = training->objective.has_interest ? MEASURE_NDCG : MEASURE_RMSE;
	CheckMeasure(own.measure, &training->objective);
	SetMeasure(t->validation, own.measure);
	*measure = MemoryContextStrdup(MemoryContextGetParent(t->context), ValidationMeasure(t->validation));
	for (int i = 1; i <= t->count; i++)
		DrawTrial(t, i);
	RunRounds(t);
	ChooseWinner(t, own.measure);
	FreeRatings(training->ratings);
	EndProgress();
	MemoryContextSwitchTo(MemoryContextGetParent(t->context));
	MemoryContextDelete(t->context);
	return t->trials;
}

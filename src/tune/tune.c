/*
 * tune.c - the search for parameters, on a validation split of its own.
 *
 * Successive halving (Jamieson and Talwalkar 2016): every trial gets a few iterations, the better
 * quarter of them the full number.  The first trial is the preset.  The best of many is the one that
 * the rows held out happened to favour most, so it has to prove itself on others: it and the preset are
 * trained again on further splits, whose held-out rows the search has not seen, and it wins only if
 * chance alone would hardly give such differences by user: see core/metrics/paired_test.c.  So tuning on little
 * data, or on noise, ends with the defaults rather than with luck.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "features/features_load.h"
#include "guc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"
#include "read/ratings_read.h"
#include "source/source.h"
#include "train/als_loop.h"
#include "train/item_map.h"
#include "train/training.h"
#include "tune/tune.h"
#include "tune/tune_events.h"
#include "tune/tune_metric.h"

/* Iterations of a trial in the first round. */
#define FIRST_ITERATIONS 3

/* The same where items have features: these count after the third one, and need a few to be seen in lists. */
#define FIRST_WITH_FEATURES 6

/* One trial in so many goes on to the second round, with all iterations. */
#define ONE_IN 4

/*
 * Splits on which the best trial is confirmed.  Each has more rows held out than the search, for the same
 * work; the next one is taken only where the ones before leave it open.
 */
#define CONFIRMATIONS 3
#define CONFIRMATION_SHARE 0.25
#define CONFIRMATION_USERS 10000

/* After each of them: how likely chance may be for the trial to win, all in all one in 200, and to go on. */
static const double win_below[CONFIRMATIONS] = {0.001, 0.0015, 0.0025};

/* A trial that chance beats more often than this after a split is given up. */
#define GO_ON_BELOW 0.3

/* A gain below this share is not worth other parameters, however sure it is. */
#define LEAST_GAIN 0.005

/* Rows held out are 0 or 1 where one kind of event is relevant. */
#define LEAST_RELEVANT 0.5

/* A search on its way. */
typedef struct Tuner
{
	const TuneRequest *request;
	Source		source;
	FeatureSource attributes;	/* with item_features alone */
	Training	training;		/* of the current trial */
	Validation *validation;
	MfMetricId	metric;
	MemoryContext context;		/* of everything that outlives a trial */
	MemoryContext split_context;	/* of the ratings of a split, and their validation */
	double		from;			/* where the split begins, */
	double		fraction;		/* and what of the rows it holds out */
	int64		sample_users;
	MemoryContext trial_context;
	EventWeights *kinds;		/* of events whose weights are searched; NULL: they are not */
	MfObjective preset;
	Trial	   *trials;
	int			count;
} Tuner;

/* What the confirmations of a trial have found so far. */
typedef struct Confirmation
{
	double	   *preset_groups;	/* see CollectMetric */
	double	   *trial_groups;
	double	   *difference;		/* of the two, positive where the trial is better */
	int			splits;
	double		preset_value;	/* sums over the splits */
	double		trial_value;
	double		chance;			/* how likely it alone gives such differences */
} Confirmation;

/* Reads attributes of items, where the search goes by some; what they are taken as is said once. */
static void
LoadAttributes(Tuner *t)
{
	Training   *training = &t->training;

	training->features = NULL;
	if (!HasFeatures(&training->options.features))
		return;
	training->features = LoadFeatures(&t->attributes, training->ratings->items, MaintenanceMemory(),
									  &training->parallel);
	t->attributes.quiet = true;
}

/*
 * Reads the ratings, holds a fraction of them out from `from` on, see Holdout, and prepares the metric.
 * Everything lives in the split's context.
 */
static void
LoadSplit(Tuner *t, double from, double fraction, int64 sample_users)
{
	Training   *training = &t->training;
	MemoryContext old = MemoryContextSwitchTo(t->split_context);

	t->from = training->options.validation_from = from;
	t->fraction = training->options.validation = fraction;
	t->sample_users = sample_users;
	training->ratings = LoadRatings(&t->source, TrainHalfLife(&training->options), TrainHoldout(&training->options), false, &training->parallel);
	LoadAttributes(t);
	SettleObjective(training);
	ReportPhase(PHASE_SWEEP);
	t->validation = CreateValidation(training->ratings, &training->problem, &training->objective, &training->parallel);
	if (t->request->metric)
		CheckTuneMetric(t->metric, &training->objective);
	else
		t->metric = mf_ratings_alone(&training->objective) ? MF_METRIC_RMSE : MF_METRIC_NDCG;
	SetMetric(t->validation, t->metric, t->source.relevant >= 0 ? LEAST_RELEVANT : t->request->relevant_from, sample_users);
	training->options.reread = true;
	MemoryContextSwitchTo(old);
}

/* Gives the split's memory and files back. */
static void
FreeSplit(Tuner *t)
{
	FreeRatings(t->training.ratings);
	if (t->training.features)
		FreeFeatures(t->training.features);
	MemoryContextReset(t->split_context);
}

/* Reads the split again where its rows do not weigh what they do in a trial: weights are made while they are sorted. */
static void
WeighSplit(Tuner *t, const Trial *trial)
{
	double		half_life = trial->objective.half_life;
	const EventWeights *events = t->source.events.weights;

	if (half_life == TrainHalfLife(&t->training.options) && (trial->events == NULL || SameEventWeights(events, trial->events)))
		return;
	if (trial->events)
		t->source.events.weights = trial->events;
	t->training.options.columns.half_life = half_life > 0 ? half_life : NAN;
	FreeSplit(t);
	LoadSplit(t, t->from, t->fraction, t->sample_users);
}

/*
 * Trains on the current split with a trial's parameters for so many iterations, and returns the metric.  All
 * memory of the training is given back.
 */
static double
MeasureTrial(Tuner *t, Trial *trial, int iterations)
{
	Training   *training = &t->training;
	MemoryContext old;
	instr_time	began;
	double		value;

	WeighSplit(t, trial);
	old = MemoryContextSwitchTo(t->trial_context);
	INSTR_TIME_SET_CURRENT(began);
	UseParameters(&training->objective, &trial->objective);
	training->objective.iterations = iterations;
	training->iterations = 0;
	training->loss = 0;
	memset(&training->factors, 0, sizeof(MfFactors));
	StateProblem(training);
	if (training->features)
		CreateItemMap(training);
	StartFactors(training);
	RunSweeps(training);
	value = Validate(t->validation, &training->factors);
	trial->seconds += SecondsSince(began);
	MemoryContextSwitchTo(old);
	MemoryContextReset(t->trial_context);
	return value;
}

/* A trial's turn in the search: its value so far is replaced. */
static void
RunTrial(Tuner *t, Trial *trial, int iterations)
{
	trial->value = MeasureTrial(t, trial, iterations);
	trial->iterations = t->training.iterations;
	trial->complete = iterations == t->preset.iterations;
}

/* Whether a is the better value; what was not measured (NaN) is worst. */
static bool
Better(const Tuner *t, double a, double b)
{
	if (isnan(a) || isnan(b))
		return !isnan(a);
	return LowerIsBetter(t->validation) ? a < b : a > b;
}

/* Whether the argument seconds has been used up. */
static bool
TimeIsUp(const Tuner *t)
{
	return SecondsSince(t->training.began) >= t->request->seconds;
}

/* Says how a trial did, with mfrec.verbose as a notice, and counts it in mf_progress. */
static void
ReportTrial(const Tuner *t, const Trial *trial)
{
	ereport(mfrec_verbose ? NOTICE : DEBUG1,
			(errmsg("trial %d of %d, %d iterations: %s %.5f", trial->number, t->count, trial->iterations,
					ValidationMetric(t->validation), trial->value),
			 errdetail("%s", TrialArguments(trial))));
	ReportIteration(trial->number, t->count, NAN);
}

/* Error context callback: whatever ends the search early, a cancel above all, tells the best trial so far. */
static void
TellBestTrial(void *tuner)
{
	const Tuner *t = tuner;
	const Trial *best = NULL;

	for (int i = 0; i < t->count; i++)
		if (!isnan(t->trials[i].value) &&
			(best == NULL || t->trials[i].complete > best->complete ||
			 (t->trials[i].complete == best->complete &&
			  Better(t, t->trials[i].value, best->value))))
			best = &t->trials[i];
	if (best)
		errcontext("the best trial so far, number %d, with %s %.5f: %s", best->number,
				   ValidationMetric(t->validation), best->value, TrialArguments(best));
}

/* Whether a trial is among the better ones after the first round. */
static bool
GoesOn(const Tuner *t, const Trial *trial)
{
	int			better = 0;

	for (int i = 0; i < t->count; i++)
		better += Better(t, t->trials[i].value, trial->value);
	return better < Max(1, t->count / ONE_IN);
}

/* Whether rows weigh the same in two trials. */
static bool
WeighAlike(const Trial *a, const Trial *b)
{
	return a->objective.half_life == b->objective.half_life &&
		(a->events == NULL || SameEventWeights(a->events, b->events));
}

/*
 * The trials in the order of their turns: those whose rows weigh alike together, as each change reads the split again.
 */
static int *
OrderTrials(const Tuner *t)
{
	int		   *order = palloc(sizeof(int) * t->count);
	bool	   *placed = palloc0(sizeof(bool) * t->count);
	int			n = 0;

	for (int i = 0; i < t->count; i++)
		for (int j = i; j < t->count && (j > i || !placed[i]); j++)
			if (!placed[j] && WeighAlike(&t->trials[i], &t->trials[j]))
			{
				order[n++] = j;
				placed[j] = true;
			}
	pfree(placed);
	return order;
}

/* Both rounds; at least the preset has its turn in each, whatever the time. */
static void
RunRounds(Tuner *t)
{
	ErrorContextCallback context = {error_context_stack, TellBestTrial, t};
	bool	   *goes_on = palloc0(sizeof(bool) * t->count);
	int		   *order = OrderTrials(t);
	int			full = t->preset.iterations;
	int			first = Min(t->training.features ? FIRST_WITH_FEATURES : FIRST_ITERATIONS, full);

	error_context_stack = &context;
	for (int n = 0; n < t->count && (n == 0 || !TimeIsUp(t)); n++)
	{
		RunTrial(t, &t->trials[order[n]], first);
		ReportTrial(t, &t->trials[order[n]]);
	}
	for (int i = 0; i < t->count; i++)
		goes_on[i] = !isnan(t->trials[i].value) && (i == 0 || GoesOn(t, &t->trials[i]));
	for (int n = 0; n < t->count && full > first; n++)
		if (goes_on[order[n]] && (n == 0 || !TimeIsUp(t)))
		{
			RunTrial(t, &t->trials[order[n]], full);
			ReportTrial(t, &t->trials[order[n]]);
		}
	error_context_stack = context.previous;
}

/* The best of those that had all iterations. */
static Trial *
BestTrial(Tuner *t)
{
	Trial	   *best = &t->trials[0];

	for (int i = 1; i < t->count; i++)
		if (t->trials[i].complete && Better(t, t->trials[i].value, best->value))
			best = &t->trials[i];
	return best;
}

/* The metric of a trial on the current split; adds those of its users to `groups`, of METRIC_GROUPS sums. */
static double
Confirm(Tuner *t, Trial *trial, double *groups)
{
	WeighSplit(t, trial);
	memset(groups, 0, sizeof(double) * METRIC_GROUPS);
	CollectMetric(t->validation, groups);
	return MeasureTrial(t, trial, t->preset.iterations);
}

/*
 * Trains the preset and the best trial on a split that begins at `from`, and compares them on all splits so
 * far.
 */
static void
ConfirmOnSplit(Tuner *t, Trial *best, Confirmation *c, double from, double fraction)
{
	Trial	   *preset = &t->trials[0];

	LoadSplit(t, from, fraction, CONFIRMATION_USERS);
	c->preset_value += Confirm(t, preset, c->preset_groups);
	c->trial_value += Confirm(t, best, c->trial_groups);
	for (int g = 0; g < METRIC_GROUPS; g++)
		c->difference[g] += LowerIsBetter(t->validation) ? c->preset_groups[g] - c->trial_groups[g] :
			c->trial_groups[g] - c->preset_groups[g];
	c->splits++;
	c->chance = ChanceOfGroups(c->difference, (uint64) t->request->options.seed);
	preset->confirmed = c->preset_value / c->splits;
	best->confirmed = c->trial_value / c->splits;
	ereport(mfrec_verbose ? NOTICE : DEBUG1,
			(errmsg("trial %d on rows that the search has not seen: %s %.5f, of the defaults %.5f", best->number,
					ValidationMetric(t->validation), best->confirmed, preset->confirmed),
			 errdetail("Chance alone would do as well with probability %.4f.", c->chance)));
}

/* Whether the trial is better than the preset by a share that is worth other parameters. */
static bool
IsWorthIt(const Tuner *t, const Confirmation *c)
{
	double		gain = LowerIsBetter(t->validation) ? c->preset_value - c->trial_value : c->trial_value - c->preset_value;

	return gain > 0 && gain >= LEAST_GAIN * c->preset_value;
}

/*
 * Whether the best trial is better than the preset beyond chance, on rows that the search has not seen;
 * searched: the fraction that it has.
 */
static bool
IsConfirmed(Tuner *t, Trial *best, double searched)
{
	double		fraction = Min(Max(searched, Min(2 * searched, CONFIRMATION_SHARE)), 1 - searched);
	int			splits;
	Confirmation c = {0};

	if (t->training.ratings->newest_held_out)	/* older rows must be left to train on */
		fraction = Min(fraction, (1 - searched) / 2);
	splits = Max(1, (int) ((1 - searched) / fraction + 1e-9) - t->training.ratings->newest_held_out);
	c.preset_groups = palloc(sizeof(double) * METRIC_GROUPS);
	c.trial_groups = palloc(sizeof(double) * METRIC_GROUPS);
	c.difference = palloc0(sizeof(double) * METRIC_GROUPS);
	for (int i = 0; i < CONFIRMATIONS && i < splits; i++)
	{
		FreeSplit(t);
		ConfirmOnSplit(t, best, &c, searched + i * fraction, fraction);
		if (c.chance <= win_below[i])
			return IsWorthIt(t, &c);
		if (c.chance > GO_ON_BELOW)
			return false;
	}
	return false;
}

/* Marks the winner: the best trial if it is confirmed, else the preset. */
static void
ChooseWinner(Tuner *t, double searched)
{
	Trial	   *best = BestTrial(t);

	if (best == &t->trials[0] || IsConfirmed(t, best, searched))
		best->winner = true;
	else
		t->trials[0].winner = true;
}

/*
 * Opens the source by the arguments; where they name a column of kinds of events and not what these weigh, that is to
 * be searched.  An error where no row can be of the kind that is relevant.
 */
static void
OpenTuned(Tuner *t)
{
	const TuneRequest *request = t->request;
	SourceColumns *columns = &t->training.options.columns;

	if (request->relevant_event && (columns->event == NULL || !isnan(request->relevant_from)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 columns->event == NULL ? errmsg("relevant_event needs event_column") :
				 errmsg("relevant_event and relevant_from cannot be used together"),
				 errhint("Name the column that says of which kind a row is with the argument event_column, and say what is relevant by one of the two.")));
	if (columns->event && columns->events == NULL)
	{
		if (columns->feedback == FEEDBACK_AUTO)
			columns->feedback = FEEDBACK_IMPLICIT;	/* as weights imply */
		OpenSource(&t->source, request->source, columns);
		if (t->source.feedback == FEEDBACK_IMPLICIT)
			columns->events = t->kinds = FindKinds(&t->source, columns->event, request->relevant_event);
	}
	OpenSource(&t->source, request->source, columns);
	if (request->relevant_event == NULL)
		return;
	if (columns->events)
		t->source.relevant = FindEventName(columns->events, request->relevant_event);
	if (t->source.relevant < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no row of relation \"%s\" is of the kind \"%s\"", t->source.name, request->relevant_event),
				 errhint("Check relevant_event, and the keys of event_weights.")));
}

/* Checks what can be checked before a row is read; returns the fraction to hold out. */
static double
BeginTuning(Tuner *t)
{
	const TuneRequest *request = t->request;
	Training   *training = &t->training;
	double		searched;

	if (request->metric)
		t->metric = ParseTuneMetric(request->metric);
	INSTR_TIME_SET_CURRENT(training->began);
	InitParallel(&training->parallel);
	training->options = request->options;
	if (isnan(training->options.validation) || training->options.validation == 0)
		training->options.validation = 0.1;
	searched = training->options.validation;
	CheckTrainOptions(&training->options);
	OpenTuned(t);
	CheckRatingFactors(&training->options, t->source.feedback);
	if (HasFeatures(&training->options.features))
		OpenFeatures(&t->attributes, &training->options.features, NULL, t->source.item_column, t->source.name,
					 &t->source.item);
	return searched;
}

/*
 * Searches parameters for a source.  Returns the trials by number, palloc'd, the winner marked; *count: how
 * many there are; *metric: what their values are.
 */
Trial *
Tune(const TuneRequest *request, int *count, const char **metric)
{
	Tuner		tuner = {.request = request, .count = request->trials};
	Tuner	   *t = &tuner;
	MemoryContext caller = CurrentMemoryContext;
	double		searched = BeginTuning(t);

	t->context = AllocSetContextCreate(caller, "mfrec tuning", ALLOCSET_DEFAULT_SIZES);
	t->split_context = AllocSetContextCreate(t->context, "mfrec split", ALLOCSET_DEFAULT_SIZES);
	t->trial_context = AllocSetContextCreate(t->context, "mfrec trial", ALLOCSET_DEFAULT_SIZES);
	t->trials = palloc(sizeof(Trial) * t->count);
	*count = t->count;
	MemoryContextSwitchTo(t->context);
	BeginProgress(t->source.name);
	LoadSplit(t, 0, searched, SAMPLE_USERS);
	t->preset = t->training.objective;
	*metric = MemoryContextStrdup(caller, ValidationMetric(t->validation));
	MemoryContextSwitchTo(caller);	/* in which trials are returned */
	for (int i = 0; i < t->count; i++)
		DrawTrial(&t->trials[i], i + 1, &request->options, &t->preset, t->kinds);
	MemoryContextSwitchTo(t->context);
	RunRounds(t);
	ChooseWinner(t, searched);
	FreeSplit(t);
	EndProgress();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(t->context);
	return t->trials;
}

/* Trains on all rows with the parameters of the winner among these trials, of which there is one. */
void
TrainWinner(TrainRequest *request, const Trial *trials)
{
	const Trial *winner = trials;
	ModelVersion version;
	char	   *model;

	while (!winner->winner)
		winner++;
	SetTrialOptions(&request->options, winner);
	request->options.validation = NAN;
	model = Train(request, &version);
	ereport(NOTICE,
			(errmsg("trained version %d of model \"%s\" with the parameters of trial %d", version.version,
					model, winner->number)));
}

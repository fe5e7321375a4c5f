/*
 * tune_trial.c - the sets of parameters that a search tries.
 *
 * A trial is an objective that differs from the preset in the parameters that are searched: `factors`, and the
 * numbers in the table below.  A further one is a further row, and an argument of mf_train.
 */
#include "postgres.h"

#include <math.h>

#include "datatype/timestamp.h"
#include "utils/builtins.h"

#include "core/base/rng.h"
#include "tune/tune_trial.h"

/* Draws are those of a stream of their own, whatever else goes by the argument seed. */
#define TRIAL_STREAM 77
#define DRAWS_PER_TRIAL 16

/* Trials have a share of the preset's factors, or of so many where it has fewer. */
#define WIDE 128

/* How rows may fade, in days; 0: never. */
static const int half_lives[] = {0, 730, 180, 60, 14};

/* The draw that decides which of them it is, behind those of parameters. */
#define HALF_LIFE_DRAW (DRAWS_PER_TRIAL - 1)

/* What kinds of events may weigh, and a stream for the draws that decide it. */
static const double event_weights[] = {1, 3, 10};
#define EVENT_STREAM 78

/*
 * How kinds weigh in the first trials that search it: by how many there are that are more frequent, or the last alone.
 */
static const struct
{
	double		step;
	bool		last;
}			event_ladders[] = {{3, false}, {10, false}, {3, true}, {10, true}};

/* Any objective has it. */
static bool
InAll(const MfObjective *objective)
{
	(void) objective;
	return true;
}

/* Objectives with an interest part have it. */
static bool
InInterest(const MfObjective *objective)
{
	return !mf_ratings_alone(objective);
}

/* Objectives of items with features have it. */
static bool
InMap(const MfObjective *objective)
{
	return objective->item_map;
}

/* A parameter that is searched, by a factor between low and high. */
typedef struct TrialParameter
{
	const char *name;			/* the argument of mf_train */
	size_t		option;			/* where the argument is in TrainOptions; NaN: not given */
	size_t		constant;		/* where it is in MfObjective */
	double		low;
	double		high;
	bool		(*applies) (const MfObjective *objective);
} TrialParameter;

/* Their order decides which draw of a trial is whose: a new one goes to the end. */
static const TrialParameter parameters[] = {
	{"regularization", offsetof(TrainOptions, regularization), offsetof(MfObjective, regularization), 0.3, 3, InAll},
	{"alpha", offsetof(TrainOptions, alpha), offsetof(MfObjective, alpha), 0.3, 3, InInterest},
	{"interest_weight", offsetof(TrainOptions, interest_weight), offsetof(MfObjective, interest_weight), 0.3, 3,
	mf_is_joint},
	{"taste", offsetof(TrainOptions, taste), offsetof(MfObjective, taste), 0.2, 5, mf_is_joint},
	{"feature_strength", offsetof(TrainOptions, feature_strength), offsetof(MfObjective, feature_strength), 0.25, 4,
	InMap},
};

/* A parameter's place among the arguments. */
static double *
Option(const TrainOptions *options, const TrialParameter *parameter)
{
	return (double *) ((char *) options + parameter->option);
}

/* A parameter's place in an objective. */
static double *
Constant(const MfObjective *objective, const TrialParameter *parameter)
{
	return (double *) ((char *) objective + parameter->constant);
}

/* A number in [0, 1); k tells draws of a trial apart. */
static double
DrawUnit(int64 seed, int trial, int k)
{
	return mf_random_uniform((uint64) seed + TRIAL_STREAM, (uint64) trial * DRAWS_PER_TRIAL + k);
}

/* Whether a search is to find out how rows fade: they have times, and the argument half_life was not given. */
bool
SearchesHalfLife(const TrainOptions *options)
{
	return options->columns.time && isnan(options->columns.half_life);
}

/*
 * Draws how rows fade in a trial.  The first trials try everything there is, with the preset otherwise, for it matters
 * more than all else where it matters; returns whether this is one of them.
 */
static bool
DrawHalfLife(MfObjective *objective, int number, int64 seed)
{
	bool		first = number <= (int) lengthof(half_lives);
	int			n = first ? number - 1 : (int) (DrawUnit(seed, number, HALF_LIFE_DRAW) * lengthof(half_lives));

	objective->half_life = (double) half_lives[n] * SECS_PER_DAY;
	return first;
}

/*
 * Draws what each of `kinds`, the most frequent one first, weighs in a trial, palloc'd; number: from 1 among those that
 * search it.  The first ones try ladders, with the preset otherwise; *first says whether this is one of them.
 */
static const EventWeights *
DrawEvents(const EventWeights *kinds, int number, int64 seed, bool *first)
{
	EventWeights *events = palloc(sizeof(EventWeights));
	int			ladder = number - 2;

	*events = *kinds;
	events->weight = palloc(sizeof(double) * kinds->count);
	*first = ladder < (int) lengthof(event_ladders);
	for (int i = 0; i < kinds->count; i++)
	{
		double		unit = mf_random_uniform((uint64) seed + EVENT_STREAM, (uint64) number * kinds->count + i);

		if (!*first)
			events->weight[i] = event_weights[(int) (unit * lengthof(event_weights))];
		else if (ladder < 0)
			events->weight[i] = 1;
		else if (event_ladders[ladder].last)
			events->weight[i] = i == kinds->count - 1 ? event_ladders[ladder].step : 1;
		else
			events->weight[i] = pow(event_ladders[ladder].step, Min(i, 3));
	}
	return events;
}

/*
 * Draws trial `number`, the preset itself for number 1, else parameters near its, evenly on a logarithmic scale;
 * arguments that were given stay as they are.  The same for the same seed, whatever other trials there are. kinds: of
 * events whose weights are searched; NULL: they are not.
 */
void
DrawTrial(Trial *trial, int number, const TrainOptions *options, const MfObjective *preset, const EventWeights *kinds)
{
	static const double factors[] = {0.25, 0.375, 0.5, 0.75, 1};
	MfObjective *objective = &trial->objective;
	int			fading = SearchesHalfLife(options) ? (int) lengthof(half_lives) - 1 : 0;
	bool		first = false;

	memset(trial, 0, sizeof(Trial));
	trial->number = number;
	trial->value = trial->confirmed = NAN;
	*objective = *preset;
	if (kinds)
		trial->events = DrawEvents(kinds, Max(1, number - fading), options->seed, &first);
	if (number == 1 || (fading > 0 && DrawHalfLife(objective, number, options->seed)))
		return;
	if (first)
	{
		objective->half_life = preset->half_life;
		return;
	}
	if (options->factors < 0)
	{
		double		share = factors[(int) (DrawUnit(options->seed, number, 0) * lengthof(factors))];

		objective->factors = (int) (share * Max(preset->factors, WIDE));
		if (options->rating_factors < 0)
			objective->rating_factors = mf_default_rating_factors(objective);
		else
			objective->factors = Min(objective->factors, MF_MAX_FACTORS - options->rating_factors);
	}
	for (int k = 0; k < (int) lengthof(parameters); k++)
	{
		const TrialParameter *p = &parameters[k];
		double		unit = DrawUnit(options->seed, number, k + 1);

		if (isnan(*Option(options, p)) && p->applies(objective))
			*Constant(objective, p) *= exp(log(p->low) + unit * (log(p->high) - log(p->low)));
	}
	mf_objective_settle(objective);
}

/* Gives an objective, such as that of another split, the parameters of a trial's, but for how rows fade. */
void
UseParameters(MfObjective *objective, const MfObjective *trial)
{
	objective->factors = trial->factors;
	objective->rating_factors = trial->rating_factors;
	for (int k = 0; k < (int) lengthof(parameters); k++)
		*Constant(objective, &parameters[k]) = *Constant(trial, &parameters[k]);
	mf_objective_settle(objective);
}

/* Makes a trial's parameters arguments of a training. */
void
SetTrialOptions(TrainOptions *options, const Trial *trial)
{
	const MfObjective *objective = &trial->objective;

	options->factors = objective->factors;
	options->rating_factors = objective->rating_factors;
	if (SearchesHalfLife(options) && objective->half_life > 0)
		options->columns.half_life = objective->half_life;
	if (trial->events)
		options->columns.events = (EventWeights *) trial->events;
	for (int k = 0; k < (int) lengthof(parameters); k++)
		if (parameters[k].applies(objective))
			*Option(options, &parameters[k]) = *Constant(objective, &parameters[k]);
}

/* A trial's parameters as arguments of mf_train in SQL, palloc'd. */
char *
TrialArguments(const Trial *trial)
{
	const MfObjective *objective = &trial->objective;
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "factors => %d", objective->factors);
	if (mf_is_joint(objective))
		appendStringInfo(&text, ", rating_factors => %d", objective->rating_factors);
	for (int k = 0; k < (int) lengthof(parameters); k++)
		if (parameters[k].applies(objective))
			appendStringInfo(&text, ", %s => %.3g", parameters[k].name, *Constant(objective, &parameters[k]));
	if (objective->half_life > 0)
		appendStringInfo(&text, ", half_life => '%g days'", objective->half_life / SECS_PER_DAY);
	if (trial->events)
		appendStringInfo(&text, ", event_weights => %s", quote_literal_cstr(EventWeightsToJson(trial->events)));
	return text.data;
}

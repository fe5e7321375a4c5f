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
#define DRAWS_PER_TRIAL 64

/* How rows may fade, in days; 0: never. */
static const int half_lives[] = {0, 730, 180, 60, 14};

/* The draw that decides which of them it is, behind those of coordinates. */
#define HALF_LIFE_DRAW (DRAWS_PER_TRIAL - 1)

/* Draws around other trials, and how often they change what has no order. */
#define NEAR_STREAM 79
#define CHANGE 0.25

/* Sketches of trials have this share of the preset's factors, and so many at least, unless the preset has fewer. */
#define LEAST_SKETCH 48
#define SKETCH_SHARE 0.25

/* What kinds of events may weigh. */
static const double event_weights[] = {1, 3, 10};

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

/* Objectives whose lists go by how much is left of items' rows have it. */
static bool
InTrends(const MfObjective *objective)
{
	return objective->trend_weight > 0;
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
	{"trend_weight", offsetof(TrainOptions, trend_weight), offsetof(MfObjective, trend_weight), 0.25, 2, InTrends},
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
 * What can be tried around a preset: a coordinate for each parameter that is not given, and behind them one for each of
 * `kinds` (of events whose weights are searched; NULL: they are not), the most frequent one first.
 */
void
InitTrialSpace(TrialSpace *space, const TrainOptions *options, const MfObjective *preset, const EventWeights *kinds)
{
	int			n = 0;

	memset(space, 0, sizeof(TrialSpace));
	space->options = options;
	space->preset = *preset;
	space->kinds = kinds;
	for (int k = 0; k < (int) lengthof(parameters); k++)
		if (isnan(*Option(options, &parameters[k])) && parameters[k].applies(preset))
			space->parameter[n++] = k;
	space->places.crossed = n;
	space->places.coordinates = n + (kinds ? kinds->count : 0);
	space->places.levels = SearchesHalfLife(options) ? (int) lengthof(half_lives) : 1;
}

/* What one of the first coordinates stands for, as an argument of mf_train. */
const char *
CoordinateName(const TrialSpace *space, int coordinate)
{
	return parameters[space->parameter[coordinate]].name;
}

/* What a parameter is multiplied by at a coordinate: 1 at 0, and the ends of its range at -1 and 1. */
static double
Multiplier(const TrialParameter *parameter, double at)
{
	return exp(at < 0 ? -at * log(parameter->low) : at * log(parameter->high));
}

/* What each kind of events weighs at a place, palloc'd; its coordinate is the logarithm to base 10. */
static const EventWeights *
EventsAt(const TrialSpace *space, const TunePlace *place)
{
	EventWeights *events = palloc(sizeof(EventWeights));

	*events = *space->kinds;
	events->weight = palloc(sizeof(double) * events->count);
	for (int i = 0; i < events->count; i++)
		events->weight[i] = round(pow(10, place->at[space->places.crossed + i]));
	return events;
}

/* Fewer factors than this are not tried, unless the preset has fewer, and no more than this. */
#define LEAST_SIZE 8
#define MOST_SIZE 512

/* The dimensions of an objective of so many shared ones: those of ratings alone are as given, or the default. */
static void
SetFactors(const TrialSpace *space, MfObjective *objective, int factors)
{
	const TrainOptions *options = space->options;

	objective->factors = factors;
	if (options->rating_factors < 0)
		objective->rating_factors = mf_default_rating_factors(objective);
	else
		objective->factors = Min(objective->factors, MF_MAX_FACTORS - options->rating_factors);
}

/* So large a share of the preset's factors, in steps of 8. */
static int
ShareOfFactors(const MfObjective *preset, double share)
{
	int			factors = 8 * (int) round(share * preset->factors / 8);

	return Max(Min(factors, Max(MOST_SIZE, preset->factors)), Min(LEAST_SIZE, preset->factors));
}

/*
 * Gives the preset of some rows the parameters of a trial: multiples of the preset's own, as the best alpha and the best
 * number of factors go by how many rows there are.
 */
void
ApplyTrial(const TrialSpace *space, const Trial *trial, MfObjective *objective)
{
	for (int k = 0; k < space->places.crossed; k++)
		*Constant(objective, &parameters[space->parameter[k]]) *=
			Multiplier(&parameters[space->parameter[k]], trial->place.at[k]);
	if (trial->share > 0)
		SetFactors(space, objective, ShareOfFactors(objective, trial->share));
	mf_objective_settle(objective);
}

/* Makes a trial of what is at a place, with a share of the preset's factors (0: with those). */
void
PlaceTrial(Trial *trial, int number, const TrialSpace *space, const TunePlace *place, double share)
{
	memset(trial, 0, sizeof(Trial));
	trial->number = number;
	trial->value = trial->sketch = trial->confirmed = NAN;
	trial->place = *place;
	trial->share = share;
	trial->objective = space->preset;
	if (space->kinds)
		trial->events = EventsAt(space, place);
	if (space->places.levels > 1)
		trial->objective.half_life = (double) half_lives[place->level] * SECS_PER_DAY;
	ApplyTrial(space, trial, &trial->objective);
}

/*
 * The coordinates of kinds in the first trials that search what they weigh, from number 1, in which all weigh the same.
 */
static void
ClimbLadder(TunePlace *place, const TrialSpace *space, int number)
{
	int			ladder = number - 2;
	double	   *at = place->at + space->places.crossed;
	int			last = space->kinds->count - 1;

	for (int i = 0; i <= last && ladder >= 0; i++)
	{
		double		step = log10(event_ladders[ladder].step);

		at[i] = event_ladders[ladder].last ? (i == last ? step : 0) : step * Min(i, 3);
	}
}

/* How many trials, the preset among them, try everything there is of what has no order, with the preset otherwise. */
int
SettledTrials(const TrialSpace *space)
{
	return space->places.levels + (space->kinds ? (int) lengthof(event_ladders) : 0);
}

/* A coordinate of a draw: near the preset rather than at the ends of a range, for that is where good ones mostly are. */
static double
DrawCoordinate(int64 seed, int number, int k)
{
	return DrawUnit(seed, number, 2 * k) + DrawUnit(seed, number, 2 * k + 1) - 1;
}

/* A kind's coordinate of a draw. */
static double
DrawKind(int64 seed, int number, int k)
{
	return log10(event_weights[(int) (DrawUnit(seed, number, 2 * k) * lengthof(event_weights))]);
}

/*
 * A place for trial `number` that no other trial has led to: the preset itself for number 1, then all that there is of
 * what has no order, for it matters more than all else where it matters; then anything around the preset.  The same for
 * the same seed, whatever other trials there are.
 */
TunePlace
DrawPlace(const TrialSpace *space, int number)
{
	TunePlace	place = {.level = 0};
	int64		seed = space->options->seed;

	if (number <= space->places.levels)
		place.level = number - 1;
	else if (number <= SettledTrials(space))
		ClimbLadder(&place, space, number - space->places.levels + 1);
	else
	{
		for (int k = 0; k < space->places.coordinates; k++)
			place.at[k] = k < space->places.crossed ? DrawCoordinate(seed, number, k) : DrawKind(seed, number, k);
		if (space->places.levels > 1)
			place.level = (int) (DrawUnit(seed, number, HALF_LIFE_DRAW) * space->places.levels);
	}
	return place;
}

/*
 * A place around another one, no further than `radius` in each coordinate; what has no order and what kinds weigh is
 * that of the other one, or one time in four anything.  draw: 0 .. tells such places of a trial apart.
 */
TunePlace
DrawNear(const TrialSpace *space, const TunePlace *other, double radius, int number, int draw)
{
	TunePlace	place = *other;
	int64		seed = (int64) mf_random_bits((uint64) space->options->seed + NEAR_STREAM, (uint64) draw);
	TunePlace	any = {.level = 0};

	for (int k = 0; k < space->places.coordinates; k++)
		any.at[k] = k < space->places.crossed ? DrawCoordinate(seed, number, k) : DrawKind(seed, number, k);
	for (int k = 0; k < space->places.coordinates; k++)
		if (k < space->places.crossed)
			place.at[k] = Min(Max(place.at[k] + radius * any.at[k], -1), 1);
		else if (DrawUnit(seed, number, 2 * k + 1) < CHANGE)
			place.at[k] = any.at[k];
	if (space->places.levels > 1 && DrawUnit(seed, number, HALF_LIFE_DRAW - 1) < CHANGE)
		place.level = (int) (DrawUnit(seed, number, HALF_LIFE_DRAW) * space->places.levels);
	return place;
}

/*
 * Shares of the preset's factors that are tried with the best of other parameters, in this order, where few factors do
 * as well, and where they do not; behind them come draws.
 */
static const double smaller_sizes[] = {0.25, 0.5, 0.125, 0.75, 0.375, 1.5};
static const double larger_sizes[] = {1.5, 0.75, 0.5, 2, 0.25, 0.125};

/*
 * Makes a trial of the parameters of another one with a number of factors of its own, the n-th from 0.  smaller: few
 * factors do as well.
 */
void
ResizeTrial(Trial *trial, int number, const TrialSpace *space, const Trial *other, int n, bool smaller)
{
	const double *sizes = smaller ? smaller_sizes : larger_sizes;
	double		share = n < (int) lengthof(smaller_sizes) ? sizes[n] :
		exp(log(0.1) + DrawUnit(space->options->seed, number, 0) * log(15));

	PlaceTrial(trial, number, space, &other->place, share);
}

/* The dimensions of a sketch of an objective, in which trials are first compared. */
void
SketchObjective(MfObjective *objective)
{
	int			factors = Min(objective->factors, Max(ShareOfFactors(objective, SKETCH_SHARE), LEAST_SKETCH));

	if (mf_is_joint(objective))
		objective->rating_factors = Min(objective->rating_factors, (factors + 1) / 2);
	objective->factors = factors;
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

/*
 * tune.c - the search for parameters, on a validation split of its own.
 *
 * Successive halving (Jamieson and Talwalkar 2016; Li et al., "Hyperband", 2018): every trial gets a few iterations with
 * few factors, the better ones the last iterations with all of them (tune_run.c).  The first trial is the preset.  Some
 * others lie around it by chance, and those that follow where a model of all so far (tune_model.c) looks for better ones,
 * at last where it expects the best.  Which go on is half what the model makes of a trial, half its own value.  The last
 * few trials have the parameters of the best one with other numbers of factors, and what is best then has to prove itself
 * on rows that the search has not seen (tune_confirm.c), or the preset stays.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/base/rng.h"
#include "guc.h"
#include "pg/progress.h"
#include "train/als_loop.h"
#include "tune/tune.h"
#include "tune/tune_confirm.h"
#include "tune/tune_run.h"
#include "tune/tune_split.h"

/* One trial in so many differs from the best one by its number of factors alone, where that is searched. */
#define RESIZED_ONE_IN 20

/* Or so many, if there are enough trials. */
#define LEAST_RESIZED 2
#define ENOUGH_TRIALS 8

/* Few factors do as well as many where a sketch of the preset is no worse by more than this share. */
#define AS_WELL 0.01

/* Of the others one in so many goes on to the second round, with all factors. */
#define ONE_IN 12

/* The first trials are drawn by chance, one in so many, and the model is fitted again so many times. */
#define DRAWN_ONE_IN 3
#define BATCHES 6

/* Trials that are drawn by chance behind those that are settled, at least: a model of fewer says nothing. */
#define LEAST_DRAWN 4

/* Places of which a trial has the best one by the model, around so many of the best trials, and how far at first. */
#define CANDIDATES 400
#define AROUND 3
#define RADIUS 0.6

/* Draws of curves, see DrawCurve(). */
#define CURVE_STREAM 80

/*
 * Another number of factors has to gain more than this: lists hardly depend on it, as a rule, and with rows held out fewer
 * are better than with all of them, as where half of them gained 3% on all splits of a set and lost 1% in the end.
 */
#define PRICE_OF_SIZE 0.03

/* Whose lists are measured in the search, about. */
#define SEARCH_USERS 4000

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
			  BetterValue(t, t->trials[i].value, best->value))))
			best = &t->trials[i];
	if (best)
		errcontext("the best trial so far, number %d, with %s %.5f: %s", best->number,
				   ValidationMetric(t->validation), best->value, TrialArguments(best));
}

/* Whether rows weigh the same in two trials. */
static bool
WeighAlike(const Trial *a, const Trial *b)
{
	return a->objective.half_life == b->objective.half_life &&
		(a->events == NULL || SameEventWeights(a->events, b->events));
}

/*
 * The trials from `begin` to `end` in the order of their turns, end - begin of them: those whose rows weigh alike
 * together, as each change reads the split again.
 */
static int *
OrderTrials(const Tuner *t, int begin, int end)
{
	int		   *order = palloc(sizeof(int) * Max(end - begin, 1));
	bool	   *placed = palloc0(sizeof(bool) * Max(end - begin, 1));
	int			n = 0;

	for (int i = begin; i < end; i++)
		for (int j = i; j < end && (j > i || !placed[i - begin]); j++)
			if (!placed[j - begin] && WeighAlike(&t->trials[i], &t->trials[j]))
			{
				order[n++] = j;
				placed[j - begin] = true;
			}
	pfree(placed);
	return order;
}

/* By how much of it a value is better than the preset's. */
static double
Gain(const Tuner *t, double value, double preset)
{
	double		gain = LowerIsBetter(t->validation) ? preset - value : value - preset;

	return preset != 0 ? gain / preset : gain;
}

/*
 * Of the trials that have been explored so far: where they lie, and their gains; returns how many, *model of them.  Where
 * none says anything, as nothing that is held out counts, there is no model.
 */
static int
ModelTrials(const Tuner *t, TunePlace **places, TuneModel **model)
{
	double	   *gains = palloc(sizeof(double) * t->explored);
	int			n = 0;

	*places = palloc(sizeof(TunePlace) * t->explored);
	for (int i = 0; i < t->explored; i++)
	{
		gains[n] = Gain(t, t->trials[i].sketch, t->trials[0].sketch);
		(*places)[n] = t->trials[i].place;
		if (isfinite(gains[n]))
			n++;
	}
	*model = n > 0 ? FitModel(&t->space.places, *places, gains, n) : NULL;
	return n;
}

/* What a trial is worth by its sketch: half of what the model makes of it, and half of its own gain. */
static void
ScoreTrials(Tuner *t, const TuneModel *model)
{
	double		preset = model == NULL ? 0 : ModelValue(model, &t->trials[0].place);

	for (int i = 0; i < t->explored; i++)
	{
		double		gain = Gain(t, t->trials[i].sketch, t->trials[0].sketch);

		t->trials[i].score = model == NULL || !isfinite(gain) ? -INFINITY :
			(ModelValue(model, &t->trials[i].place) - preset + gain) / 2;
	}
}

/* For qsort(): the higher score first, among equal ones the lower number. */
static int
CompareScores(const void *a, const void *b)
{
	const Trial *x = *(Trial *const *) a;
	const Trial *y = *(Trial *const *) b;

	return x->score > y->score ? -1 : x->score < y->score ? 1 : x->number - y->number;
}

/* Those trials that have been explored so far, the best one by its score first, palloc'd; *count: how many there are. */
static Trial **
RankTrials(const Tuner *t, int *count)
{
	Trial	  **ranked = palloc(sizeof(Trial *) * t->explored);

	*count = 0;
	for (int i = 0; i < t->explored; i++)
		if (!isnan(t->trials[i].sketch))
			ranked[(*count)++] = &t->trials[i];
	qsort(ranked, *count, sizeof(Trial *), CompareScores);
	return ranked;
}

/* The place that a curve has highest, of many around the best ones of these trials. */
static TunePlace
HighestPlace(const Tuner *t, Trial **ranked, int count, const TuneModel *model, const double *curve, double radius, int number)
{
	TunePlace	highest = ranked[0]->place;
	double		most = -INFINITY;

	for (int c = 0; c < CANDIDATES; c++)
	{
		TunePlace	place = DrawNear(&t->space, &ranked[c % Min(AROUND, count)]->place, radius, number, c);
		double		value = CurveValue(model, curve, &place);

		if (value > most)
		{
			most = value;
			highest = place;
		}
	}
	return highest;
}

/* Puts the trials from `begin` to `end` where the model of those before hopes for better ones. */
static void
ProposeTrials(Tuner *t, int begin, int end)
{
	TunePlace  *places;
	TuneModel  *model;
	double		radius = RADIUS * (1 - 0.5 * begin / t->explored);
	double	   *curve;
	Trial	  **ranked;
	int			count;

	if (ModelTrials(t, &places, &model) < 2)
		return;
	curve = palloc(sizeof(double) * ModelTerms(model));
	ScoreTrials(t, model);
	ranked = RankTrials(t, &count);
	for (int i = begin; i < end; i++)
	{
		TunePlace	place;

		DrawCurve(model, (uint64) t->request->options.seed + CURVE_STREAM, (uint64) i, end == t->explored ? 0 : 1, curve);
		place = HighestPlace(t, ranked, count, model, curve, radius, i + 1);
		PlaceTrial(&t->trials[i], i + 1, &t->space, &place, 0);
	}
	pfree(ranked);
	pfree(curve);
}

/* Runs the trials from `begin` to `end` as sketches. */
static void
RunSketches(Tuner *t, int begin, int end)
{
	int		   *order = OrderTrials(t, begin, end);

	for (int n = 0; n < end - begin && (begin + n == 0 || !TimeIsUp(t)); n++)
	{
		RunTrial(t, &t->trials[order[n]], true);
		ReportTrial(t, &t->trials[order[n]]);
	}
	pfree(order);
}

/* The first round: a sketch of each trial that differs in more than its number of factors. */
static void
Explore(Tuner *t)
{
	int			drawn = Max(SettledTrials(&t->space) + LEAST_DRAWN, t->explored / DRAWN_ONE_IN);
	int			step = Max(1, (t->explored - drawn + BATCHES - 1) / BATCHES);
	int			end;

	MakeStart(t, true);
	for (int begin = 0; begin < t->explored && (begin == 0 || !TimeIsUp(t)); begin = end)
	{
		end = Min(t->explored, begin == 0 ? drawn : begin + step);
		if (begin > 0)
			ProposeTrials(t, begin, end);
		RunSketches(t, begin, end);
	}
}

/* The second round: the preset, and the best ones by their sketches, whose scores then are theirs with all factors, too. */
static void
RunFinalists(Tuner *t)
{
	int			finalists = Max(1, t->explored / ONE_IN);
	TunePlace  *places;
	TuneModel  *model;
	bool	   *goes_on = palloc0(sizeof(bool) * t->explored);
	int		   *order = OrderTrials(t, 0, t->explored);
	Trial	  **ranked;
	int			count;

	ModelTrials(t, &places, &model);
	ScoreTrials(t, model);
	ranked = RankTrials(t, &count);
	goes_on[0] = true;
	for (int n = 0; finalists > 0 && n < count; n++)
		if (ranked[n] != &t->trials[0])
		{
			goes_on[ranked[n] - t->trials] = true;
			finalists--;
		}
	MakeStart(t, false);
	for (int n = 0; n < t->explored; n++)
		if (goes_on[order[n]] && (order[n] == 0 || !TimeIsUp(t)))
		{
			Trial	   *trial = &t->trials[order[n]];

			RunTrial(t, trial, false);
			ReportTrial(t, trial);
			trial->score = (trial->score + Gain(t, trial->value, t->trials[0].value)) / 2;
		}
}

/* The best of those that had all iterations, and are better than the preset; else that. */
static Trial *
BestTrial(const Tuner *t)
{
	Trial	   *best = &t->trials[0];

	for (int i = 1; i < t->count; i++)
		if (t->trials[i].complete && BetterValue(t, t->trials[i].value, t->trials[0].value) &&
			(best == &t->trials[0] || t->trials[i].score > best->score))
			best = &t->trials[i];
	return best;
}

/* Gives the parameters of the best trial so far other numbers of factors. */
static void
RunResized(Tuner *t)
{
	Trial	   *best = BestTrial(t);
	bool		smaller = Gain(t, t->trials[0].sketch, t->trials[0].value) > -AS_WELL;

	for (int i = t->explored; i < t->count; i++)
	{
		Trial	   *trial = &t->trials[i];

		ResizeTrial(trial, i + 1, &t->space, best, i - t->explored, smaller);
		if (TimeIsUp(t))
			continue;
		RunAlone(t, trial);
		ReportTrial(t, trial);
		trial->score = best->score - PRICE_OF_SIZE +
			Gain(t, trial->value, t->trials[0].value) - Gain(t, best->value, t->trials[0].value);
	}
}

/* All rounds; at least the preset has its turn in each, whatever the time. */
static void
RunRounds(Tuner *t)
{
	ErrorContextCallback context = {error_context_stack, TellBestTrial, t};

	error_context_stack = &context;
	Explore(t);
	RunFinalists(t);
	RunResized(t);
	DropVectors(&t->start);
	error_context_stack = context.previous;
}

/* How many trials are left for numbers of factors: all where nothing else is searched. */
static int
CountResized(const Tuner *t)
{
	if (t->request->options.factors >= 0)
		return 0;
	if (t->space.places.coordinates == 0 && t->space.places.levels == 1)
		return t->count - 1;
	return t->count >= ENOUGH_TRIALS ? Max(LEAST_RESIZED, t->count / RESIZED_ONE_IN) : 0;
}

/* The preset of all rows, those that the first split holds out among them. */
static MfObjective
SettleWhole(const Tuner *t)
{
	Training	training = t->training;
	Ratings		ratings = *t->training.ratings;

	/* as many of those held out are merged as of the others */
	ratings.rows += ratings.held_out.count * ratings.rows / Max(ratings.rows + ratings.merged, 1);
	training.ratings = &ratings;
	SettleObjective(&training);
	return training.objective;
}

/* Draws all trials by chance; most are put elsewhere when their turn comes.  In the caller's context, as they are returned. */
static void
DrawTrials(Tuner *t)
{
	MfObjective whole = SettleWhole(t);

	InitTrialSpace(&t->space, &t->request->options, &whole, t->kinds);
	t->explored = t->count - CountResized(t);
	for (int i = 0; i < t->count; i++)
	{
		TunePlace	place = DrawPlace(&t->space, i + 1);

		PlaceTrial(&t->trials[i], i + 1, &t->space, &place, 0);
	}
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
 * What mattered: by the model of all sketches, which share of the differences that single parameters make each of them
 * has, as jsonb in the current memory context; NULL where they make none.
 */
static const char *
Importance(const Tuner *t)
{
	int			n = t->space.places.coordinates;
	double		share[MOST_PLACES + 1];
	double		kinds = 0;
	TunePlace  *places;
	TuneModel  *model;
	int			count = ModelTrials(t, &places, &model);
	StringInfoData json;

	if (count < 2)
		return NULL;
	ModelShares(model, places, count, share);
	initStringInfo(&json);
	for (int k = 0; k < t->space.places.crossed; k++)
		appendStringInfo(&json, ", \"%s\": %.3f", CoordinateName(&t->space, k), share[k]);
	for (int k = t->space.places.crossed; k < n; k++)
		kinds += share[k];
	if (t->kinds)
		appendStringInfo(&json, ", \"event_weights\": %.3f", kinds);
	if (t->space.places.levels > 1)
		appendStringInfo(&json, ", \"half_life\": %.3f", share[n]);
	return json.len == 0 ? NULL : psprintf("{%s}", json.data + 2);
}

/* Searches parameters for a source.  What is found is palloc'd. */
void
Tune(const TuneRequest *request, TuneResult *result)
{
	Tuner		tuner = {.request = request, .count = request->trials};
	Tuner	   *t = &tuner;
	MemoryContext caller = CurrentMemoryContext;
	double		searched = BeginTuning(t);

	t->context = AllocSetContextCreate(caller, "mfrec tuning", ALLOCSET_DEFAULT_SIZES);
	t->split_context = AllocSetContextCreate(t->context, "mfrec split", ALLOCSET_DEFAULT_SIZES);
	t->trial_context = AllocSetContextCreate(t->context, "mfrec trial", ALLOCSET_DEFAULT_SIZES);
	t->trials = palloc(sizeof(Trial) * t->count);
	MemoryContextSwitchTo(t->context);
	BeginProgress(t->source.name);
	LoadSplit(t, 0, searched, SEARCH_USERS);
	MemoryContextSwitchTo(caller);	/* in which trials are returned, and what they weigh */
	result->metric = pstrdup(ValidationMetric(t->validation));
	DrawTrials(t);
	RunRounds(t);
	result->importance = Importance(t);
	MemoryContextSwitchTo(t->context);
	ChooseWinner(t, searched);
	FreeSplit(t);
	EndProgress();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(t->context);
	result->trials = t->trials;
	result->count = t->count;
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

/*
 * tune_split.c - the rows that trials are trained on, and those that they are measured by.
 *
 * A split is read once for all trials; again only where rows weigh otherwise, as weights are made while rows are sorted.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "features/features_load.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"
#include "read/ratings_read.h"
#include "tune/tune_events.h"
#include "tune/tune_metric.h"
#include "tune/tune_split.h"

/* What of the rows is held out for the search, unless the argument validation says it. */
#define SEARCH_SHARE 0.2

/* Rows held out are 0 or 1 where one kind of event is relevant. */
#define LEAST_RELEVANT 0.5

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
void
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
	t->preset = training->objective;
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
void
FreeSplit(Tuner *t)
{
	FreeRatings(t->training.ratings);
	if (t->training.features)
		FreeFeatures(t->training.features);
	MemoryContextReset(t->split_context);
}

/* Reads the split again where its rows do not weigh what they do in a trial: weights are made while they are sorted. */
void
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
double
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
		training->options.validation = SEARCH_SHARE;
	searched = training->options.validation;
	CheckTrainOptions(&training->options);
	OpenTuned(t);
	CheckRatingFactors(&training->options, t->source.feedback);
	if (HasFeatures(&training->options.features))
		OpenFeatures(&t->attributes, &training->options.features, NULL, t->source.item_column, t->source.name,
					 &t->source.item);
	return searched;
}

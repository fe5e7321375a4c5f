/*
 * tune_state.h - a search on its way: what its files share.
 */
#ifndef MFREC_TUNE_STATE_H
#define MFREC_TUNE_STATE_H

#include "core/metrics/metric.h"
#include "source/source.h"
#include "train/training.h"
#include "tune/tune_request.h"
#include "tune/tune_start.h"
#include "tune/tune_trial.h"
#include "validate/validation.h"

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
	MfObjective preset;			/* of the current split */
	TrialSpace	space;
	StartVectors start;			/* from which trials of the current round go on */
	Trial	   *trials;
	int			count;
	int			explored;		/* the first ones of these, which differ in more than their number of factors */
} Tuner;

/* Whether a value of the metric is better than another; what was not measured (NaN) is worst. */
static inline bool
BetterValue(const Tuner *t, double a, double b)
{
	if (isnan(a) || isnan(b))
		return !isnan(a);
	return LowerIsBetter(t->validation) ? a < b : a > b;
}

#endif

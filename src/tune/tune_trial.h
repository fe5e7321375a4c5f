/*
 * tune_trial.h - a set of parameters that a search tries, and how it did.
 */
#ifndef MFREC_TUNE_TRIAL_H
#define MFREC_TUNE_TRIAL_H

#include "core/als/objective.h"
#include "train/train_options.h"

typedef struct Trial
{
	int			number;			/* from 1; the first one is the preset's */
	MfObjective objective;		/* of its parameters; the rest is that of the split it was drawn on */
	const EventWeights *events; /* NULL: they are not searched */
	int			iterations;		/* that its value is based on */
	bool		complete;		/* it had all iterations it wanted */
	double		value;			/* NaN: never measured, out of time */
	double		confirmed;		/* the metric on rows that the search had not seen; NaN: not confirmed */
	double		seconds;		/* spent on it in all */
	bool		winner;
} Trial;

extern bool SearchesHalfLife(const TrainOptions *options);
extern void DrawTrial(Trial *trial, int number, const TrainOptions *options, const MfObjective *preset,
					  const EventWeights *kinds);
extern void UseParameters(MfObjective *objective, const MfObjective *trial);
extern void SetTrialOptions(TrainOptions *options, const Trial *trial);
extern char *TrialArguments(const Trial *trial);

#endif

/*
 * tune_trial.h - a set of parameters that a search tries, and how it did.
 */
#ifndef MFREC_TUNE_TRIAL_H
#define MFREC_TUNE_TRIAL_H

#include "core/als/objective.h"
#include "train/train_options.h"
#include "tune/tune_model.h"

/* More kinds of events than these are not searched: see tune_events.c. */
#define MOST_EVENT_KINDS 16

typedef struct Trial
{
	int			number;			/* from 1; the first one is the preset's */
	TunePlace	place;			/* where its parameters lie around the preset's */
	double		share;			/* of the preset's factors that it has; 0: it has those */
	MfObjective objective;		/* of its parameters, where they are trained on all rows */
	const EventWeights *events; /* NULL: they are not searched */
	int			iterations;		/* that its value is based on */
	bool		complete;		/* it had all iterations it wanted */
	double		sketch;			/* its first value, with few factors; NaN: never measured */
	double		score;			/* by how much it seems to be better than the preset, see ScoreTrials() */
	double		value;			/* NaN: never measured, out of time */
	double		confirmed;		/* the metric on rows that the search had not seen; NaN: not confirmed */
	double		seconds;		/* spent on it in all */
	bool		winner;
} Trial;

/* What can be tried; see InitTrialSpace(). */
typedef struct TrialSpace
{
	const TrainOptions *options;
	MfObjective preset;			/* of all rows */
	const EventWeights *kinds;
	TuneSpace	places;
	int			parameter[MOST_PLACES];	/* of each of the first coordinates: its row in the table of parameters */
} TrialSpace;

extern bool SearchesHalfLife(const TrainOptions *options);
extern void InitTrialSpace(TrialSpace *space, const TrainOptions *options, const MfObjective *preset,
						   const EventWeights *kinds);
extern const char *CoordinateName(const TrialSpace *space, int coordinate);
extern int	SettledTrials(const TrialSpace *space);
extern TunePlace DrawPlace(const TrialSpace *space, int number);
extern TunePlace DrawNear(const TrialSpace *space, const TunePlace *other, double radius, int number, int draw);
extern void PlaceTrial(Trial *trial, int number, const TrialSpace *space, const TunePlace *place,
					   double share);
extern void ResizeTrial(Trial *trial, int number, const TrialSpace *space, const Trial *other, int n,
						bool smaller);
extern void ApplyTrial(const TrialSpace *space, const Trial *trial, MfObjective *objective);
extern void SketchObjective(MfObjective *objective);
extern void SetTrialOptions(TrainOptions *options, const Trial *trial);
extern char *TrialArguments(const Trial *trial);

#endif

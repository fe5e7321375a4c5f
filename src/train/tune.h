/*
 * tune.h - the search for parameters, on a validation split of its own.
 */
#ifndef MFREC_TUNE_H
#define MFREC_TUNE_H

#include "train/train.h"
#include "train/validation.h"

typedef struct TuneRequest
{
	Oid			source;
	TrainOptions options;		/* what is given here is not searched */
	char	   *metric;			/* to choose by; NULL: the preset's own, ndcg, or rmse of ratings alone */
	int			trials;
	double		seconds;		/* stop after so many; infinite: never */
	double		relevant_from;	/* for lists only rows rated at least so much count; NaN: all */
} TuneRequest;

/* One set of parameters and how it did. */
typedef struct Trial
{
	int			number;			/* from 1; the first one is the preset's */
	MfObjective objective;
	int			iterations;		/* that its value is based on */
	bool		complete;		/* it had all iterations it wanted */
	double		value;			/* NaN: never measured, out of time */
	double		confirmed;		/* the metric on rows that the search had not seen; NaN: not confirmed */
	double		seconds;		/* spent on it in all */
	bool		winner;
} Trial;

extern Trial *Tune(const TuneRequest *request, int *count, const char **metric);
extern void TrainWinner(TrainRequest *request, const Trial *trials);

#endif

/*
 * tune.h - the search for parameters, on a validation split of its own.
 */
#ifndef MFREC_TUNE_H
#define MFREC_TUNE_H

#include "train/train.h"
#include "tune/tune_trial.h"

/* What mf_tune was asked for. */
typedef struct TuneRequest
{
	Oid			source;
	TrainOptions options;		/* what is given here is not searched */
	char	   *metric;			/* to choose by; NULL: the preset's own, ndcg, or rmse of ratings alone */
	int			trials;
	double		seconds;		/* stop after so many; infinite: never */
	double		relevant_from;	/* for lists only rows rated at least so much count; NaN: all */
	char	   *relevant_event;	/* or rows of that kind of event; NULL: all */
} TuneRequest;

extern Trial *Tune(const TuneRequest *request, int *count, const char **metric);
extern void TrainWinner(TrainRequest *request, const Trial *trials);

#endif

/*
 * tune_request.h - what a search is asked for, and what it answers.
 */
#ifndef MFREC_TUNE_REQUEST_H
#define MFREC_TUNE_REQUEST_H

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

/* What a search has found. */
typedef struct TuneResult
{
	Trial	   *trials;			/* by number, one of them the winner */
	int			count;
	const char *metric;			/* what their values are */
	const char *importance;		/* jsonb: of what differs between trials, the share of each parameter; NULL: unknown */
} TuneResult;

#endif

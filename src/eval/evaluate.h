/*
 * evaluate.h - how good a model is on rows that it was not trained on.
 */
#ifndef MFREC_EVALUATE_H
#define MFREC_EVALUATE_H

#include "eval/metrics_report.h"

/* What mf_evaluate was asked for, its arguments; text that was not given is NULL. */
typedef struct EvaluationRequest
{
	Oid			test;
	int			k;
	char	   *model;
	int32		version;		/* 0: the one that serves */
	double		relevant_from;	/* NaN: every row is relevant */
	bool		per_user;		/* user by user, instead of all together */
	Oid			train;			/* InvalidOid: the model's source */
	char	   *user_column;	/* columns: those of the training unless named */
	char	   *item_column;
	char	   *rating_column;
	char	   *relevant_event;	/* rows of other kinds do not count */
	double		diversity;		/* of the model's lists; 0: none */
} EvaluationRequest;

extern void Evaluate(const EvaluationRequest *request, ReportFunction report, void *state);

#endif

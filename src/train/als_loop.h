/*
 * als_loop.h - alternating least squares over ratings that have been read: objective, factors, sweeps.
 */
#ifndef MFREC_ALS_LOOP_H
#define MFREC_ALS_LOOP_H

#include "portability/instr_time.h"

#include "core/als/als.h"
#include "core/als/objective.h"
#include "model/model_write.h"
#include "source/ratings.h"
#include "train/train_options.h"
#include "train/validation.h"

/* A training on its way; options, parallel, ratings and began are the caller's to fill in. */
typedef struct Training
{
	TrainOptions options;
	instr_time	began;
	MfParallel	parallel;
	Ratings    *ratings;
	MfObjective objective;
	MfProblem	problem;
	MfFactors	factors;
	int32	   *user_counts;
	int32	   *item_counts;
	float	   *mean_user;		/* to whom users are drawn, mf_padded(d) floats */
	MfAls	   *als;
	Validation *validation;		/* NULL: none */
	LogLine    *log;
	int			iterations;		/* done */
	double		loss;
} Training;

extern double SecondsSince(instr_time began);
extern void SettleObjective(Training *t);
extern void StateProblem(Training *t);
extern void StartFactors(Training *t);
extern double HalfSweep(Training *t, MfSide side, bool exact);
extern void RunSweeps(Training *t);
extern double MeanBias(const Training *t);
extern double RatingError(const Training *t);

#endif

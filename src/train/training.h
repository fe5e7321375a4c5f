/*
 * training.h - a training on its way: what all of its steps read and write.
 */
#ifndef MFREC_TRAINING_H
#define MFREC_TRAINING_H

#include "portability/instr_time.h"

#include "core/als/als.h"
#include "core/als/objective.h"
#include "model/model_write.h"
#include "source/ratings.h"
#include "train/train_options.h"
#include "validate/validation.h"

/*
 * A training of ratings that have been read: it knows neither tables nor models.  The caller fills in options,
 * began, parallel and ratings; then come SettleObjective(), StateProblem(), StartFactors() and RunSweeps().  All
 * arrays live in the memory context that is current at these calls.
 */
typedef struct Training
{
	TrainOptions options;
	instr_time	began;
	MfParallel	parallel;
	Ratings    *ratings;
	struct Driver *driver;		/* of nodes that have the rows, and users; NULL: all is here */
	struct Features *features;	/* of items; NULL: none were asked for */
	struct Features *user_features; /* likewise of users */

	/* by SettleObjective and StateProblem */
	MfObjective objective;		/* constants */
	MfProblem	problem;		/* the same, with the regularization of every row */
	int32	   *user_counts;	/* nusers, which are those with ratings and those of user_features behind them */
	int32	   *item_counts;	/* nitems, which are those with ratings and cold ones behind them: without dislikes, as
								 * popularity goes by them, see CountLikes() */
	int64		nusers;			/* like the next; the problem's are those with ratings */
	int64		nitems;
	float	   *item_trends;	/* nitems: faded counts, 0 without ratings; NULL without times */
	float	   *mean_user;		/* mf_padded(d): the point to which users are drawn */

	/* by StartFactors and RunSweeps */
	MfFactors	factors;
	MfAls	   *als;
	struct ItemMap *map;		/* from features to factors; NULL without features */
	struct UserMap *user_map;	/* likewise of users */
	Validation *validation;		/* NULL: no rows are held out */
	LogLine    *log;			/* a line for each iteration */
	int			iterations;		/* done; with validation at last that of the best one */
	double		loss;
} Training;

extern void SettleObjective(Training *t);
extern void StateProblem(Training *t);

#endif

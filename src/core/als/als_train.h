/*
 * als_train.h - whole trainings of small sets of ratings, one by each thread.
 */
#ifndef MF_ALS_TRAIN_H
#define MF_ALS_TRAIN_H

#include "core/als/als.h"

/* One training, whose cells are in memory: what it takes, and what comes of it beside the factors. */
typedef struct MfTraining
{
	void		(*follow) (const struct MfTraining *training);	/* after each iteration: mean_user follows the users; runs
																 * in the thread */
	MfProblem  *problem;
	MfFactors  *factors;		/* to start from */
	float	   *mean_user;		/* problem->user_mean */
	MfRows		users;			/* all of them: users x items */
	MfRows		items;			/* items x users */
	int			iterations;		/* at most */
	double		tolerance;		/* the loss has settled where an iteration brings no more than this part of it */

	int			done;			/* iterations */
	double		loss;			/* after the last half-sweep, which solves users exactly */
	MfError		error;
} MfTraining;

extern size_t mf_als_train_size(const MfTraining *trainings, int64_t n, const MfParallel *parallel);
extern bool mf_als_train(MfTraining *trainings, int64_t n, void *space, const MfParallel *parallel);

#endif

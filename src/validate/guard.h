/*
 * guard.h - whether a version that has been trained may serve, or would make things worse.
 */
#ifndef MFREC_GUARD_H
#define MFREC_GUARD_H

#include "core/als/objective.h"
#include "core/als/problem.h"
#include "model/model_catalog.h"
#include "source/ratings.h"
#include "validate/validation.h"

/* A version that has been trained, and the model that it is to be the next one of. */
typedef struct GuardedVersion
{
	Ratings    *ratings;		/* with rows held out */
	const MfProblem *problem;
	const MfObjective *objective;
	const MfFactors *factors;
	const int32 *item_counts;	/* problem->nitems: ratings that items have */
	const MfParallel *parallel;
	const Model *model;
	int32		served;			/* the version that serves now; 0: none */
	Holdout		holdout;		/* how rows are held out, */
	int64		held_out;		/* and how many */
	const ValidationRows *rows; /* where these and users are elsewhere; NULL: they are here */
} GuardedVersion;

/* What a guard has found; numbers are NaN where they were not measured. */
typedef struct GuardFindings
{
	char	   *why;			/* a clause that says why the version should not serve; NULL: it may */
	double		value;			/* the metric on the rows held out */
	double		baseline;		/* that of lists of the most popular items */
	double		chance;			/* how likely chance alone makes the one better than the other by as much as it is */
} GuardFindings;

extern Holdout GuardHoldout(double share);
extern void InspectVersion(const GuardedVersion *version, GuardFindings *findings);
extern char *GuardToJson(double share, const GuardFindings *findings);

#endif

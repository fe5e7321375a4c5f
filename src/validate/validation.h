/*
 * validation.h - how good the factors are on rows that training has not seen, and the best so far.
 */
#ifndef MFREC_VALIDATION_H
#define MFREC_VALIDATION_H

#include "core/als/objective.h"
#include "core/als/problem.h"
#include "core/metrics/metric.h"
#include "core/metrics/ranking.h"
#include "source/ratings.h"
#include "validate/served_factors.h"
#include "validate/validation_sample.h"

typedef struct Validation Validation;

/* Users' metrics are added up in so many groups, by which differences are judged; fewer users have one each. */
#define METRIC_GROUPS 16384

/* Whose lists are measured, about, unless more are asked for. */
#define SAMPLE_USERS 2000

/*
 * Rows held out and users that are elsewhere, and what is asked of them.  Users are those that are trained, as they are
 * now, or from `served` on those of a stored version.
 */
typedef struct ValidationRows
{
	void	   *state;
	void		(*draw) (void *state, int64 most_users, ValidationSample *sample);	/* as DrawSample(), of all rows */
	void		(*vectors) (void *state, const MfProblem *problem, const ValidationSample *sample, float *vectors);
	void		(*errors) (void *state, double *group, MfErrorSums *sums);	/* as HeldOutErrors() */
	int64		(*served) (void *state, int32 version, const ServedFactors *served);	/* how many it has; with its items */
	void		(*trained) (void *state);	/* they are those that are trained again */
} ValidationRows;

extern Validation *CreateValidation(Ratings *ratings, const MfProblem *problem,
									const MfObjective *objective, const MfParallel *parallel);
extern Validation *CreateValidationOf(const ValidationRows *rows, const MfProblem *problem, const MfObjective *objective,
									  const MfParallel *parallel);
extern void HeldOutErrors(Ratings *ratings, const MfObjective *objective, const MfFactors *factors,
						  const int64 *user_place, double *group, MfErrorSums *sums);
extern void SetMetric(Validation *validation, MfMetricId metric, double relevant_from, int64 sample_users);
extern void SetItemCounts(Validation *validation, const int32 *counts, const float *trends);
extern bool LowerIsBetter(const Validation *validation);
extern const char *ValidationMetric(const Validation *validation);
extern double Validate(Validation *validation, const MfFactors *factors);
extern void CollectMetric(Validation *validation, double *group);
extern double ChanceOfGroups(const double *difference, uint64 seed);
extern double ValidatePopular(Validation *validation, const int32 *item_counts);
extern int64 ValidationUsers(const Validation *validation);
extern double HeldOutError(Validation *validation, const MfFactors *factors);
extern bool KeepBest(Validation *validation, double value, const MfFactors *factors,
					 const float *mean_user, int iteration);
extern int	RestoreBest(const Validation *validation, MfFactors *factors, float *mean_user);

#endif

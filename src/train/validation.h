/*
 * validation.h - how good the factors are on rows that training has not seen, and the best so far.
 */
#ifndef MFREC_VALIDATION_H
#define MFREC_VALIDATION_H

#include "core/als/objective.h"
#include "source/ratings.h"

typedef struct Validation Validation;

/* What can be measured on the rows held out; lists at 10. */
typedef enum Measure
{
	MEASURE_NDCG,
	MEASURE_RECALL,
	MEASURE_PRECISION,
	MEASURE_MAP,
	MEASURE_MRR,
	MEASURE_HIT_RATE,
	MEASURE_RMSE				/* the lower the better */
} Measure;

/* Users' figures are added up in so many groups, by which differences are judged; fewer users have one each. */
#define MEASURE_GROUPS 16384

/* Whose lists are measured, about, unless more are asked for. */
#define SAMPLE_USERS 2000

extern Measure ParseMeasure(const char *name);
extern void CheckMeasure(Measure measure, const MfObjective *objective);
extern Validation *CreateValidation(Ratings *ratings, const MfProblem *problem,
									const MfObjective *objective, const MfParallel *parallel);
extern void SetMeasure(Validation *validation, Measure measure, double relevant_from, int64 sample_users);
extern Measure MeasureOf(const Validation *validation);
extern const char *ValidationMeasure(const Validation *validation);
extern double Validate(Validation *validation, const MfFactors *factors);
extern void CollectFigures(Validation *validation, double *group);
extern double HeldOutError(Validation *validation, const MfFactors *factors);
extern bool KeepBest(Validation *validation, double measure, const MfFactors *factors,
					 const float *mean_user, int iteration);
extern int	RestoreBest(const Validation *validation, MfFactors *factors, float *mean_user);

#endif

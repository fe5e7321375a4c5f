/*
 * validation.h - how good the factors are on rows that training has not seen, and the best so far.
 */
#ifndef MFREC_VALIDATION_H
#define MFREC_VALIDATION_H

#include "core/als.h"
#include "core/objective.h"
#include "ratings.h"

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

/* The measure also comes split into so many groups of users or rows, by which differences are judged. */
#define MEASURE_GROUPS 64

extern Measure ParseMeasure(const char *name);
extern void CheckMeasure(Measure measure, const MfObjective *objective);
extern Validation *CreateValidation(Ratings *ratings, const MfProblem *problem,
									const MfObjective *objective, const MfParallel *parallel);
extern void SetMeasure(Validation *validation, Measure measure);
extern const char *ValidationMeasure(const Validation *validation);
extern double Validate(Validation *validation, const MfFactors *factors);
extern const double *MeasuredGroups(const Validation *validation);
extern double HeldOutError(Validation *validation, const MfFactors *factors);
extern bool KeepBest(Validation *validation, double measure, const MfFactors *factors,
					 const float *mean_user, int iteration);
extern int	RestoreBest(const Validation *validation, MfFactors *factors, float *mean_user);

#endif

/*
 * validation.h - how good the factors are on rows that training has not seen, and the best so far.
 */
#ifndef MFREC_VALIDATION_H
#define MFREC_VALIDATION_H

#include "core/als.h"
#include "core/objective.h"
#include "ratings.h"

typedef struct Validation Validation;

extern Validation *CreateValidation(Ratings *ratings, const MfProblem *problem,
									const MfObjective *objective, const MfParallel *parallel);
extern const char *ValidationMeasure(const Validation *validation);
extern double Validate(Validation *validation, const MfFactors *factors);
extern double HeldOutError(const Validation *validation, const MfFactors *factors);
extern bool KeepBest(Validation *validation, double measure, const MfFactors *factors,
					 const float *mean_user, int iteration);
extern int	RestoreBest(const Validation *validation, MfFactors *factors, float *mean_user);

#endif

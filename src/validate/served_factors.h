/*
 * served_factors.h - the factors of a stored version, in the numbering of other ratings.
 */
#ifndef MFREC_SERVED_FACTORS_H
#define MFREC_SERVED_FACTORS_H

#include "core/als/objective.h"
#include "core/als/problem.h"
#include "model/model_catalog.h"
#include "source/ratings.h"

/* Of a stored version; the problem has its sizes alone. */
typedef struct ServedFactors
{
	MfObjective objective;
	MfProblem	problem;
	MfFactors	factors;
} ServedFactors;

extern bool LoadServedFactors(const Model *model, int32 version, const Ratings *ratings, ServedFactors *served);

#endif

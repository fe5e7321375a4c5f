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
	const float *mean_user;		/* as many floats as vectors have */
	double		mean_bias;
	MfProblem	problem;
	MfFactors	factors;
	float	   *user_spread;	/* of factors */
} ServedFactors;

extern void MakeServedFactors(ServedFactors *served, int64 nusers, int64 nitems);
extern bool OpenServedFactors(const Model *model, int32 version, int64 nusers, int64 nitems, ServedFactors *served);
extern int64 LoadServedSide(Oid relid, int32 version, ServedFactors *served, const IdMap *ids, bool users);

#endif

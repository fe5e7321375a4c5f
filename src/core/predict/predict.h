/*
 * predict.h - what factors say: predicted ratings and their errors, the mean user, and the vectors that lists go by.
 */
#ifndef MF_PREDICT_H
#define MF_PREDICT_H

#include "core/als/objective.h"
#include "core/als/problem.h"
#include "core/base/csr.h"
#include "core/base/error.h"
#include "core/base/threads.h"

extern void mf_mean_user(const MfProblem *problem, const float *users, const float *weights, float *mean);
extern double mf_predicted_rating(const MfObjective *objective, const MfFactors *factors, int64_t user, int64_t item);
extern MfError mf_squared_errors(const MfParallel *parallel, const MfProblem *problem, const MfFactors *factors,
								 const MfRows *by_user, double gain, double *sum);
extern void mf_list_vectors(const MfObjective *objective, const MfFactors *factors, const int32_t *counts,
							const float *trends, int64_t nitems, float *vectors, float *offsets);
extern void mf_interest_vector(int factors, float taste, const float *vector, const float *rating, float *interest);
extern bool mf_interest_is_lost(const MfObjective *objective, float taste, const float *interest, const float *rating);

#endif

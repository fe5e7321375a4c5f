/*
 * fold_in.h - the vector of one user from their cells: a row of the users' half-sweep, for serving.
 */
#ifndef MF_FOLD_IN_H
#define MF_FOLD_IN_H

#include <stddef.h>

#include "core/als/problem.h"
#include "core/base/error.h"

extern size_t mf_fold_size(const MfFold *fold);
extern MfError mf_fold_in(const MfFold *fold, const MfFoldCells *cells, float *user, float *bias,
						  void *space);
extern double mf_fold_gradient(const MfFold *fold, const MfFoldCells *cells, const float *user,
							   float bias, void *space);

#endif

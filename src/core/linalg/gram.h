/*
 * gram.h - Gram matrices of many rows.
 */
#ifndef MF_GRAM_H
#define MF_GRAM_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/threads.h"

extern size_t mf_gram_sums_size(int factors);
extern MfError mf_gram_sums(const MfParallel *parallel, const float *x, int stride, const int32_t *order, int64_t nrows,
							int d, const float *weight, double *out, void *space);
extern MfError mf_gram_sums_fine(const MfParallel *parallel, const float *x, int64_t nrows, int d, double *out, void *space);
extern size_t mf_gram_size(int factors, const MfParallel *parallel);
extern MfError mf_gram(const MfParallel *parallel, const float *factors, int64_t nrows,
					   int nfactors, const float *weight, float *gram, void *space);
extern MfError mf_gram_in_order(const MfParallel *parallel, const float *factors, const int32_t *order, int64_t nrows,
								int nfactors, const float *weight, float *gram, void *space);

#endif

/*
 * pca.h - principal components of rows, exactly.
 */
#ifndef MF_PCA_H
#define MF_PCA_H

#include "core/linalg/centering.h"

extern size_t mf_pca_size(int d);
extern MfError mf_pca_find(const MfParallel *parallel, const float *x, int64_t nrows, int d, const MfCentering *centering,
					  double *variance, double *axes, void *space);
extern size_t mf_pca_project_size(int d, int n, const MfParallel *parallel);
extern MfError mf_pca_project(const MfParallel *parallel, const float *x, int64_t nrows, int d,
							  const MfCentering *centering, const double *axes, int n, float *out, void *space);

#endif

/*
 * eigen.h - eigenvalues and eigenvectors of a symmetric matrix, in double.
 */
#ifndef MF_EIGEN_H
#define MF_EIGEN_H

#include <stddef.h>

#include "core/base/error.h"

extern size_t mf_eigen_size(int n);
extern MfError mf_eigen(double *a, int n, double *values, double *vectors, void *space);

#endif

/*
 * eigen.h - eigenvalues and eigenvectors of a symmetric matrix, in double.
 */
#ifndef MF_EIGEN_H
#define MF_EIGEN_H

#include <stdbool.h>

/*
 * a (n x n, symmetric, overwritten) = vectors' diag(values) vectors: row k of vectors (n x n) is
 * the eigenvector of values[k]; values descend.  work: n doubles.  False when a is not finite.
 */
extern bool mf_eigen(double *a, int n, double *values, double *vectors, double *work);

#endif

/*
 * lapack.h - the routines of LAPACK that are used, from whichever library the machine has.
 */
#ifndef MF_LAPACK_H
#define MF_LAPACK_H

#include <stddef.h>

/*
 * Fortran's interface: everything by address, matrices by columns, the lengths of character arguments behind all
 * others.  Integers are of 32 bits (LP64), as in the libraries that distributions install under these names.
 */
typedef struct MfLapack
{
	/* eigenvalues, ascending, and with jobz "V" eigenvectors, in place, of a symmetric matrix: divide and conquer */
	void		(*dsyevd) (const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
						   double *work, const int *lwork, int *iwork, const int *liwork, int *info,
						   size_t jobz_length, size_t uplo_length);
} MfLapack;

extern const MfLapack *mf_lapack(void);
extern void mf_lapack_enter(void);
extern void mf_lapack_leave(void);

#endif

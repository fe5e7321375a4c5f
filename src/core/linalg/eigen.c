/*
 * eigen.c - eigenvalues and eigenvectors of a symmetric matrix, by LAPACK's divide and conquer.
 *
 * In double: a Gram matrix is summed in double, and its smallest eigenvalues, by which the least used dimensions are
 * scaled, would be nothing but rounding in float.
 */
#include "core/linalg/eigen.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/linalg/lapack.h"

/* What dsyevd wants for a matrix and its vectors, by its documentation. */
typedef struct Workspace
{
	int			nwork;			/* doubles: 1 + 6 n + 2 n^2 */
	int			niwork;			/* integers: 3 + 5 n */
	double	   *work;
	int		   *iwork;
} Workspace;

/* Lays the workspace out in an arena, which may only measure. */
static Workspace
lay_out(MfArena *arena, int n)
{
	Workspace	space = {1 + 6 * n + 2 * n * n, 3 + 5 * n, NULL, NULL};

	space.work = mf_arena_take(arena, (size_t) space.nwork * sizeof(double));
	space.iwork = mf_arena_take(arena, (size_t) space.niwork * sizeof(int));
	return space;
}

/* Bytes of space for mf_eigen(). */
size_t
mf_eigen_size(int n)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, n);
	return arena.used;
}

/* Whether all n numbers are finite: LAPACK may never return where one is not. */
static bool
all_finite(const double *a, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (!isfinite(a[k]))
			return false;
	return true;
}

/*
 * a (n x n, symmetric, overwritten) = vectors' diag(values) vectors: row k of vectors (n x n) is the eigenvector of
 * values[k] (n), of length 1; values descend.  space: mf_eigen_size() bytes, at a multiple of 64.  Threads: see mf_lapack().
 * Errors: MF_NO_LAPACK, and MF_NOT_FINITE where a is not finite.  O(n^3); n = 1000 takes some tenths of a second,
 * n = 2000 some seconds, in which nothing can be cancelled.
 */
MfError
mf_eigen(double *a, int n, double *values, double *vectors, void *space)
{
	const MfLapack *lapack = mf_lapack();
	MfArena		arena = {space, 0};
	Workspace	w = lay_out(&arena, n);
	int			info = 0;

	if (lapack == NULL)
		return MF_NO_LAPACK;
	if (!all_finite(a, (size_t) n * (size_t) n))
		return MF_NOT_FINITE;
	mf_lapack_enter();
	lapack->dsyevd("V", "U", &n, a, &n, values, w.work, &w.nwork, w.iwork, &w.niwork, &info, 1, 1);
	mf_lapack_leave();
	if (info != 0)
		return MF_NOT_FINITE;
	/* they come ascending, a vector in each column, which is a row here */
	for (int k = 0; k < n; k++)
		memcpy(vectors + (size_t) k * (size_t) n, a + (size_t) (n - 1 - k) * (size_t) n, (size_t) n * sizeof(double));
	for (int k = 0; k < n / 2; k++)
	{
		double		value = values[k];

		values[k] = values[n - 1 - k];
		values[n - 1 - k] = value;
	}
	return MF_OK;
}

/*
 * pca.c - principal components of rows, exactly: eigenvectors of their covariance matrix.
 *
 * A singular value decomposition of the rows gives the same, and small variances with more digits; but rows are floats,
 * and have none to give.  Rows are centered first (centering.c), products are added up in float over a hundred rows
 * and in double beyond, and eigenvectors are found in double (eigen.c).
 */
#include "core/linalg/pca.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/kernels/dense.h"
#include "core/linalg/eigen.h"
#include "core/linalg/gram.h"

#define BLOCK 512				/* rows that a task projects */
#define AS_LARGE 1e-5			/* numbers of an axis are as large as another but for less than this share */

/* Sections of the space of mf_pca_find(). */
typedef struct Space
{
	double	   *covariance;		/* d x d */
	void	   *rest;			/* of mf_gram_sums(), and then of mf_eigen() */
} Space;

/* Divides the space; start NULL only measures. */
static Space
lay_out(MfArena *arena, int d)
{
	size_t		gram = mf_gram_sums_size(d);
	size_t		eigen = mf_eigen_size(d);
	Space		space;

	space.covariance = mf_arena_take(arena, sizeof(double) * (size_t) d * (size_t) d);
	space.rest = mf_arena_take(arena, gram > eigen ? gram : eigen);
	return space;
}

/* Bytes of space for mf_pca_find(). */
size_t
mf_pca_size(int d)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, d);
	return arena.used + 64;
}

/*
 * Turns an axis of d numbers so that the largest of them is positive; of those as large but for rounding, which another
 * library or order of rows does otherwise, the first.
 */
static void
fix_sign(double *axis, int d)
{
	double		largest = 0;
	double		sign;
	int			first = 0;

	for (int k = 0; k < d; k++)
		largest = fmax(largest, fabs(axis[k]));
	while (first < d - 1 && fabs(axis[first]) < largest * (1 - AS_LARGE))
		first++;
	sign = axis[first] < 0 ? -1 : 1;
	for (int k = 0; k < d; k++)
		axis[k] *= sign;
}

/*
 * variance (d, descending, none negative) and axes (d x d, a row of length 1 each) of the principal components of nrows
 * rows that mf_center() has centered.  A variance is the mean of squares, in the unit of the rows before that.  Of an
 * axis the number that is largest by absolute value is positive: see fix_sign().  space: mf_pca_size() bytes.  Main thread only.
 * Errors: MF_CANCELLED, MF_NO_LAPACK, MF_NOT_FINITE.
 */
MfError
mf_pca_find(const MfParallel *parallel, const float *x, int64_t nrows, int d, const MfCentering *centering,
	   double *variance, double *axes, void *space)
{
	MfArena		arena = mf_arena_at(space);
	Space		s = lay_out(&arena, d);
	MfError		error = mf_gram_sums_fine(parallel, x, nrows, d, s.covariance, s.rest);

	if (error != MF_OK)
		return error;
	for (int i = 0; i < d; i++)
		for (int j = 0; j < d; j++)
			s.covariance[(size_t) i * (size_t) d + (size_t) j] =
				s.covariance[(size_t) i * (size_t) d + (size_t) j] / (double) nrows - centering->rest[i] * centering->rest[j];
	error = mf_eigen(s.covariance, d, variance, axes, s.rest);
	for (int k = 0; k < d && error == MF_OK; k++)
	{
		variance[k] = fmax(variance[k], 0) / (centering->scale * centering->scale);
		fix_sign(axes + (size_t) k * (size_t) d, d);
	}
	return error;
}

/* Rows on their way to coordinates. */
typedef struct Projection
{
	const float *x;
	int64_t		nrows;
	int			d;
	int			n;				/* coordinates */
	float		unit;			/* of coordinates, in that of the rows */
	float	   *axes;			/* d x mf_padded(n): a column each */
	float	   *offset;			/* n: what is taken off */
	float	   *block;			/* workers x BLOCK x mf_padded(n) */
	float	   *out;			/* nrows x n */
} Projection;

/* The space of mf_pca_project(); start NULL only measures. */
static void
lay_out_projection(Projection *p, MfArena *arena, int d, int n, const MfParallel *parallel)
{
	p->axes = mf_arena_floats(arena, (size_t) d * (size_t) mf_padded(n));
	p->offset = mf_arena_floats(arena, (size_t) n);
	p->block = mf_arena_floats(arena, (size_t) mf_workers(parallel) * BLOCK * (size_t) mf_padded(n));
}

/* Bytes of space for mf_pca_project(). */
size_t
mf_pca_project_size(int d, int n, const MfParallel *parallel)
{
	MfArena		arena = {NULL, 0};
	Projection	p;

	lay_out_projection(&p, &arena, d, n, parallel);
	return arena.used + 64;
}

/* Task: the coordinates of a block of rows. */
static void
project_block(void *state, int64_t task, int worker)
{
	const Projection *p = state;
	int			ldn = mf_padded(p->n);
	float	   *block = p->block + (size_t) worker * BLOCK * (size_t) ldn;
	int64_t		first = task * BLOCK;
	int			nrows = (int) (p->nrows - first < BLOCK ? p->nrows - first : BLOCK);

	mf_dense()->gemm(block, ldn, p->x + first * mf_padded(p->d), mf_padded(p->d), p->axes, p->d, ldn, nrows);
	for (int r = 0; r < nrows; r++)
		for (int k = 0; k < p->n; k++)
			p->out[(first + r) * p->n + k] = (block[r * ldn + k] - p->offset[k]) * p->unit;
}

/*
 * out (nrows x n): the first n coordinates of rows along axes of mf_pca_find(), in the unit that the rows had before
 * mf_center(); their mean is 0.  space: mf_pca_project_size() bytes.  Returns MF_CANCELLED or MF_OK.
 */
MfError
mf_pca_project(const MfParallel *parallel, const float *x, int64_t nrows, int d, const MfCentering *centering,
			   const double *axes, int n, float *out, void *space)
{
	Projection	p = {.x = x,.nrows = nrows,.d = d,.n = n,.unit = (float) (1 / centering->scale),.out = out};
	MfArena		arena = mf_arena_at(space);
	int			ldn = mf_padded(n);

	lay_out_projection(&p, &arena, d, n, parallel);
	memset(p.axes, 0, sizeof(float) * (size_t) d * (size_t) ldn);
	for (int k = 0; k < n; k++)
	{
		const double *axis = axes + (size_t) k * (size_t) d;
		double		rest = 0;

		for (int j = 0; j < d; j++)
		{
			p.axes[j * ldn + k] = (float) axis[j];
			rest += axis[j] * centering->rest[j];
		}
		p.offset[k] = (float) rest;
	}
	return mf_parallel_for(parallel, (nrows + BLOCK - 1) / BLOCK, project_block, &p) ? MF_OK : MF_CANCELLED;
}

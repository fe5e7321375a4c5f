/*
 * cholesky.h - kernels for positive definite systems: many small ones side by side, or one large one.
 *
 * Side by side: as many systems as a register has lanes, one per lane.  Number x of system l is
 * stored at [x * lanes + l]; a symmetric n x n matrix is its lower triangle by rows, packed, so
 * row i starts at number i (i + 1) / 2.  n is a multiple of 4.  What one lane computes does not
 * depend on what is in the others.
 *
 * One: a symmetric ld x ld matrix, row-major, in tiles on and above the diagonal as
 * MfDense.gemmt() leaves it.
 */
#ifndef MF_CHOLESKY_H
#define MF_CHOLESKY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/kernels/dense.h"
#include "core/simd/isa.h"

#define MF_MAX_LANES 16

/* The rows, one per system, that become one row of numbers side by side. */
typedef struct MfLaneRows
{
	const float *row[MF_MAX_LANES]; /* ld floats each */
	float		scale[MF_MAX_LANES];
} MfLaneRows;

/*
 * The kernels of one level; all but the last two work on systems side by side.  Matrices and vectors are the caller's,
 * at multiples of 64 bytes.
 */
typedef struct MfCholesky
{
	int			lanes;

	/*
	 * out number e of system l = rows->scale[l] * rows->row[l][e] * column_scale[e * lanes + l]; column_scale NULL: 1
	 */
	void		(*interleave) (float *out, const MfLaneRows *rows, const float *column_scale,
							   int ld);

	/* row[l][e] = number e of system l */
	void		(*deinterleave) (float *const *row, const float *x, int ld);

	/* packed n x n triangles from what is first in the matrices c + l * stride (ld x ld, upper tiles), times scale */
	void		(*interleave_matrix) (float *a, const float *c, size_t stride, int ld, int n, float scale);

	/* out[l] = the sum of the diagonal of system l, places first .. end - 1 */
	void		(*traces) (float *out, const float *a, int first, int end);

	/* place i of the diagonal of system l += base[i] * factor[l] + shift[l], for first .. end - 1 */
	void		(*add_diagonal) (float *a, int first, int end, const float *base, const float *factor,
								 const float *shift);

	/* number e of system l = (base[e] * factor[l] + shift[l]) ^ -1/2, for n numbers */
	void		(*inverse_roots) (float *out, int n, const float *base, const float *factor,
								  const float *shift);

	/* out[l] = x . y of system l, n numbers */
	void		(*dots) (float *out, const float *x, const float *y, int n);

	/* x -= factor[l] * y, n numbers */
	void		(*subtract) (float *x, const float *y, const float *factor, int n);

	/* a = 1 + z z' for z of n rows of ld numbers: packed triangles */
	void		(*products) (float *a, const float *z, int n, int ld);

	/*
	 * Cholesky's L of a in place, with the diagonal's inverses; y (nright rows of n numbers)
	 * becomes L^-1 y.  least[l] > 0: the least that a pivot of system l can be, but for rounding: a
	 * smaller one is rounding's and becomes that.  bad[l] != 0: system l is not finite.
	 */
	void		(*factor) (float *a, int n, float *y, int nright, const float *least, int32_t *bad);

	/* y (n numbers) becomes L'^-1 y */
	void		(*substitute) (const float *a, int n, float *y);

	/* x (ld numbers) = column_scale * sum over k < n of c[k] * z[k] */
	void		(*combine) (float *x, const float *z, const float *c, const float *column_scale,
							int n, int ld);

	/*
	 * LAPACK's potrf for one system: U with U'U = c in place of c, its diagonal's inverses in inverse (ld); least as
	 * above.  work: 16 x ld.  False: not finite.
	 */
	bool		(*potrf) (const MfDense *dense, float *c, int ld, float least, float *inverse,
							   float *work);

	/* and its potrs: x (ld) becomes the solution of U'U x = x; returns the old x times the new one */
	float		(*potrs) (const float *c, int ld, const float *inverse, float *x);
} MfCholesky;

/* Numbers of a packed triangle of n rows. */
static inline size_t
mf_triangle(size_t n)
{
	return n * (n + 1) / 2;
}

extern const MfCholesky *mf_cholesky(void);

#endif

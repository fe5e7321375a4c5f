/*
 * principal_axes.c - an orthonormal basis whose leading directions carry most of a set of vectors.
 *
 * Orthogonal iteration on their Gram matrix (Golub and Van Loan, Matrix Computations, 8.2.4): the first n rows of what
 * a few rounds give span nearly what the first n eigenvectors do.  That is all a search wants, whose leading
 * coordinates are to hold most of a score, and it needs no more than the dense kernels.  Eigenvectors themselves are
 * eigen.c's matter, which needs a LAPACK; an image is built in sessions that have none.
 */
#include "core/linalg/principal_axes.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/kernels/dense.h"

/* Rounds of the iteration.  With two, searches score up to a sixth more items in float; a fourth gains nothing. */
#define ROUNDS 3

/*
 * Added to the diagonal, as a share of its largest element: eigenvectors stay what they are, and rows of a singular
 * matrix are independent for floats.
 */
#define SHIFT 1e-5f

/* Sections of the workspace of both functions. */
typedef struct Space
{
	float	   *row;			/* ld */
	float	   *factor;			/* ld x ld; of mf_axes_mix() alone */
	float	   *product;		/* ld x ld */
} Space;

/* Divides the workspace; start NULL only measures. */
static Space
lay_out(MfArena *arena, int ld)
{
	Space		space;

	space.row = mf_arena_floats(arena, (size_t) ld);
	space.factor = mf_arena_floats(arena, (size_t) ld * ld);
	space.product = mf_arena_floats(arena, (size_t) ld * ld);
	return space;
}

/* Bytes of workspace for mf_axes_find() and mf_axes_mix(), 64-byte aligned. */
size_t
mf_axes_size(int d)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, mf_padded(d));
	return arena.used;
}

/*
 * Makes rows (d x ld) orthonormal, each by taking what the rows above span out of it (Gram-Schmidt); floats need two
 * passes for that (Giraud, Langou, Rozloznik 2005).  A row of which nothing is left, as those above span it, becomes
 * zeros. projection: ld.
 */
static void
orthonormalize(const MfDense *dense, float *rows, int d, int ld, int passes, float *projection)
{
	for (int i = 0; i < d; i++)
	{
		float	   *row = rows + (size_t) i * ld;
		float		squares;
		float		scale;

		for (int pass = 0; pass < passes; pass++)
		{
			dense->fill(projection, 0, ld);
			dense->normal_product(projection, NULL, rows, row, ld, i);
			dense->axpy(row, projection, -1, ld);
		}
		squares = dense->dot(row, row, ld);
		scale = squares > 0 ? 1 / sqrtf(squares) : 0;
		for (int k = 0; k < ld; k++)
			row[k] *= scale;
	}
}

/*
 * axes (ld x ld): d orthonormal rows, the leading ones along the directions in which vectors with this Gram matrix (ld
 * x ld, both triangles, padding 0, finite) are largest, then rows of zeros.  workspace: mf_axes_size() bytes.
 */
void
mf_axes_find(float *axes, const float *gram, int d, void *workspace)
{
	const MfDense *dense = mf_dense();
	int			ld = mf_padded(d);
	MfArena		arena = {workspace, 0};
	Space		space = lay_out(&arena, ld);
	float		shift = 0;

	for (int i = 0; i < d; i++)
		shift = fmaxf(shift, SHIFT * gram[(size_t) i * ld + i]);
	/* a matrix of zeros has any basis */
	shift = fmaxf(shift, 1e-10f);
	/* the first round, from the unit vectors */
	memcpy(axes, gram, (size_t) ld * ld * sizeof(float));
	for (int i = 0; i < d; i++)
		axes[(size_t) i * ld + i] += shift;
	for (int round = 1; round < ROUNDS; round++)
	{
		orthonormalize(dense, axes, d, ld, 1, space.row);
		dense->gemm(space.product, ld, axes, ld, gram, ld, ld, d);
		for (int i = 0; i < d; i++)
			dense->xpay(axes + (size_t) i * ld, space.product + (size_t) i * ld, shift, ld);
	}
	orthonormalize(dense, axes, d, ld, 2, space.row);
}

/*
 * Turns the first n rows of axes among themselves, so that vectors are about as large along each: rows of the discrete
 * Hartley transform (Bracewell 1983), which is orthogonal for every n and takes a share of every row.  workspace:
 * mf_axes_size() bytes.
 */
void
mf_axes_mix(float *axes, int n, int ld, void *workspace)
{
	MfArena		arena = {workspace, 0};
	Space		space = lay_out(&arena, ld);

	for (int k = 0; k < n; k++)
	{
		double		angle = 2 * 3.14159265358979323846 * k / n;

		space.row[k] = (float) ((cos(angle) + sin(angle)) / sqrt(n));
	}
	memset(space.factor, 0, (size_t) n * ld * sizeof(float));
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++)
			space.factor[(size_t) i * ld + k] = space.row[i * k % n];
	mf_dense()->gemm(space.product, ld, space.factor, ld, axes, ld, ld, n);
	memcpy(axes, space.product, (size_t) n * ld * sizeof(float));
}

/*
 * eigen.c - eigenvalues and eigenvectors of a symmetric matrix: Householder's tridiagonal form,
 * then QL with implicit shifts (Bowdler, Martin, Reinsch, Wilkinson 1968).
 *
 * Eigenvectors are kept as rows, so that every step works on contiguous memory.
 */
#include "core/linalg/eigen.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/simd/dispatch.h"

#define MF_BODY "core/kernels/eigen_body.h"
#include "core/simd/foreach_isa.h"

#define MAX_STEPS 60			/* per eigenvalue; 2 is usual */

static const MfEigenKernels *
kernels(void)
{
	return MF_DISPATCH(mf_eigen);
}

/*
 * a becomes tridiagonal, one reflection 1 - v v' a column: its diagonal goes to `diagonal`, what
 * is beside it to beside[k] (between k and k + 1), and v to row k of a, from k + 1 on.  p: n
 * doubles of work.
 */
static void
reduce(const MfEigenKernels *kernel, double *a, int n, double *diagonal, double *beside, double *p)
{
	for (int k = 0; k < n; k++)
	{
		double	   *v = a + k * n + k + 1;
		int			m = n - k - 1;
		double		square = kernel->dot(v, v, m);
		double		norm = sqrt(square);

		diagonal[k] = a[k * n + k];
		if (m <= 1 || square - v[0] * v[0] <= 0.0)
		{
			/* nothing to reflect away */
			beside[k] = m >= 1 ? v[0] : 0.0;
			memset(v, 0, sizeof(double) * (size_t) m);
			continue;
		}
		beside[k] = v[0] > 0.0 ? -norm : norm;
		v[0] -= beside[k];
		norm = sqrt(square + fabs(beside[k]) * (fabs(beside[k]) + 2.0 * fabs(v[0] + beside[k])));
		for (int i = 0; i < m; i++)
			v[i] *= sqrt(2.0) / norm;
		/* with p = a v and w = p - (p.v / 2) v, the reflected a is a - v w' - w v' */
		for (int i = 0; i < m; i++)
			p[i] = kernel->dot(a + (k + 1 + i) * n + k + 1, v, m);
		kernel->add(p, v, -0.5 * kernel->dot(p, v, m), m);
		for (int i = 0; i < m; i++)
			kernel->add_two(a + (k + 1 + i) * n + k + 1, p, -v[i], v, -p[i], m);
	}
}

/* vectors = the product of the reflections that reduce() left in a, the last one first. */
static void
collect(const MfEigenKernels *kernel, const double *a, int n, double *vectors)
{
	memset(vectors, 0, sizeof(double) * (size_t) n * (size_t) n);
	for (int k = 0; k < n; k++)
		vectors[k * n + k] = 1.0;
	for (int k = n - 2; k >= 0; k--)
	{
		const double *v = a + k * n + k + 1;
		int			m = n - k - 1;

		for (int i = k + 1; i < n; i++)
		{
			double	   *row = vectors + i * n + k + 1;

			kernel->add(row, v, -kernel->dot(row, v, m), m);
		}
	}
}

/*
 * One QL step on numbers first .. last of a tridiagonal matrix; its rotations go to vectors' rows.
 */
static void
rotate_all(const MfEigenKernels *kernel, int first, int last, double *diagonal, double *beside,
		   double *vectors, int n)
{
	double		g = (diagonal[first + 1] - diagonal[first]) / (2.0 * beside[first]);
	double		r = hypot(g, 1.0);
	double		sine = 1.0;
	double		cosine = 1.0;
	double		p = 0.0;

	g = diagonal[last] - diagonal[first] + beside[first] / (g + copysign(r, g));
	for (int i = last - 1; i >= first; i--)
	{
		double		f = sine * beside[i];
		double		b = cosine * beside[i];

		r = hypot(f, g);
		beside[i + 1] = r;
		if (r == 0.0)
		{
			/* split in the middle: the rest is another step's */
			diagonal[i + 1] -= p;
			beside[last] = 0.0;
			return;
		}
		sine = f / r;
		cosine = g / r;
		g = diagonal[i + 1] - p;
		r = (diagonal[i] - g) * sine + 2.0 * cosine * b;
		p = sine * r;
		diagonal[i + 1] = g + p;
		g = cosine * r - b;
		kernel->rotate(vectors + i * n, vectors + (i + 1) * n, cosine, sine, n);
	}
	diagonal[first] -= p;
	beside[first] = g;
	beside[last] = 0.0;
}

/*
 * Diagonalises the tridiagonal matrix; false when it does not converge (it is not finite).  What
 * is small against the whole matrix counts as zero: a singular matrix has nothing smaller to
 * compare with.
 */
static bool
diagonalise(const MfEigenKernels *kernel, double *diagonal, double *beside, double *vectors, int n)
{
	double		norm = 0.0;

	for (int k = 0; k < n; k++)
		norm = fmax(norm, fabs(diagonal[k]) + fabs(beside[k]));
	for (int first = 0; first < n; first++)
	{
		for (int step = 0;; step++)
		{
			int			last = first;

			while (last < n - 1 && !(fabs(beside[last]) <= DBL_EPSILON * norm))
				last++;
			if (last == first)
				break;
			if (step == MAX_STEPS)
				return false;
			rotate_all(kernel, first, last, diagonal, beside, vectors, n);
		}
	}
	return true;
}

/* Puts eigenvalues in descending order, vectors with them. */
static void
sort_descending(const MfEigenKernels *kernel, double *values, double *vectors, int n)
{
	for (int k = 0; k + 1 < n; k++)
	{
		int			most = k;

		for (int i = k + 1; i < n; i++)
			if (values[i] > values[most])
				most = i;
		if (most != k)
		{
			double		value = values[k];

			values[k] = values[most];
			values[most] = value;
			/* a quarter turn swaps two rows; a sign does not matter */
			kernel->rotate(vectors + k * n, vectors + most * n, 0.0, 1.0, n);
		}
	}
}

bool
mf_eigen(double *a, int n, double *values, double *vectors, double *work)
{
	const MfEigenKernels *kernel = kernels();
	double	   *beside = work;

	/* vectors are not in use yet: reduce() may have a row of them */
	reduce(kernel, a, n, values, beside, vectors);
	collect(kernel, a, n, vectors);
	if (!diagonalise(kernel, values, beside, vectors, n))
		return false;
	sort_descending(kernel, values, vectors, n);
	return true;
}

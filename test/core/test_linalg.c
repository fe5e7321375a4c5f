/*
 * test_linalg.c - eigenvectors, and principal axes at every instruction set level.
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/padding.h"
#include "core/base/rng.h"
#include "core/linalg/dot.h"
#include "core/linalg/eigen.h"
#include "core/linalg/principal_axes.h"
#include "core/simd/isa.h"

static double
worse(double worst, double got, double expected)
{
	double		off = fabs(got - expected);

	return off <= worst ? worst : off;
}

/*
 * A matrix of that rank whose numbers span nine orders of magnitude: product and orthogonality.
 */
static void
test_eigen(int n, int rank)
{
	size_t		size = (size_t) (n * n);
	double	   *a = malloc(size * sizeof(double));
	double	   *kept = malloc(size * sizeof(double));
	double	   *vectors = malloc(size * sizeof(double));
	double	   *values = malloc((size_t) n * sizeof(double));
	void	   *work = malloc(mf_eigen_size(n));
	double		off = 0.0;
	double		skew = 0.0;
	bool		descending = true;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
		{
			a[i * n + j] = 0.0;
			for (int k = 0; k < rank; k++)
				a[i * n + j] += (double) mf_random_normal(17, (uint64_t) (i * 1024 + k)) *
					mf_random_normal(17, (uint64_t) (j * 1024 + k)) / n;
			a[i * n + j] *= pow(10.0, -4.5 * (i + j) / n);
		}
	memcpy(kept, a, size * sizeof(double));
	ok(mf_eigen(a, n, values, vectors, work) == MF_OK, "n = %d, rank %d: eigenvalues", n, rank);
	for (int i = 0; i < n; i++)
	{
		descending = descending && (i == 0 || values[i] <= values[i - 1]);
		for (int j = 0; j < n; j++)
		{
			double		sum = 0.0;
			double		product = 0.0;

			for (int k = 0; k < n; k++)
			{
				sum += vectors[k * n + i] * values[k] * vectors[k * n + j];
				product += vectors[i * n + k] * vectors[j * n + k];
			}
			off = worse(off, sum, kept[i * n + j]);
			skew = worse(skew, product, i == j);
		}
	}
	ok(off < 1e-13 * n && skew < 1e-13 * n && descending, "they give the matrix back, and descend");
	a[0] = NAN;
	ok(mf_eigen(a, n, values, vectors, work) == MF_NOT_FINITE, "NaN is refused");
	free(a);
	free(kept);
	free(vectors);
	free(values);
	free(work);
}

/* n floats at a multiple of 64 bytes, zero. */
static float *
floats(size_t n)
{
	float	   *x = aligned_alloc(64, (n * sizeof(float) + 63) & ~(size_t) 63);

	memset(x, 0, n * sizeof(float));
	return x;
}

/* gram (d x ld) = H diag(ratio^j) H with a reflection H: its eigenvalues are known; those from rank on are 0. */
static void
known_gram(float *gram, int d, double ratio, int rank)
{
	int			ld = mf_padded(d);
	double	   *u = malloc((size_t) d * sizeof(double));
	double		square = 0;

	for (int i = 0; i < d; i++)
	{
		u[i] = mf_random_normal(23, (uint64_t) i);
		square += u[i] * u[i];
	}
	for (int i = 0; i < d; i++)
		for (int j = 0; j < d; j++)
		{
			double		sum = 0;

			for (int k = 0; k < rank; k++)
				sum += pow(ratio, k) * ((i == k) - 2 * u[i] * u[k] / square) * ((j == k) - 2 * u[j] * u[k] / square);
			gram[i * ld + j] = (float) sum;
		}
	free(u);
}

/* x' gram x for a row of d floats. */
static double
carries(const float *x, const float *gram, int d)
{
	double		sum = 0;

	for (int i = 0; i < d; i++)
		sum += x[i] * mf_dot(gram + i * mf_padded(d), x, d);
	return sum;
}

/* How far rows are from orthonormal; rows from the d-th on must be zero. */
static double
skew_of(const float *axes, int d)
{
	int			ld = mf_padded(d);
	double		skew = 0;

	for (int i = 0; i < ld; i++)
		for (int j = 0; j < ld; j++)
			skew = worse(skew, mf_dot(axes + i * ld, axes + j * ld, ld), i == j && i < d);
	return skew;
}

/*
 * Leading axes carry nearly what as many eigenvectors do, and after they are mixed the same, about the same each.
 */
static void
test_axes(int d, double ratio, int rank)
{
	int			ld = mf_padded(d);
	float	   *gram = floats((size_t) (ld * ld));
	float	   *axes = floats((size_t) (ld * ld));
	void	   *workspace = floats(mf_axes_size(d) / sizeof(float));
	double		most = 0;
	double		carried = 0;
	double		mixed = 0;
	double		largest = 0;
	int			n = d > 16 ? 16 : d;

	known_gram(gram, d, ratio, rank);
	mf_axes_find(axes, gram, d, workspace);
	ok(skew_of(axes, d) < 1e-5, "d = %d, ratio %g, rank %d: axes are orthonormal", d, ratio, rank);
	for (int k = 0; k < n; k++)
	{
		most += k < rank ? pow(ratio, k) : 0;
		carried += carries(axes + k * ld, gram, d);
	}
	if (!ok(carried >= 0.95 * most && carried <= most * 1.0001 + 1e-9, "the first ones carry most"))
		printf("#   %g of %g\n", carried, most);
	mf_axes_mix(axes, n, ld, workspace);
	for (int k = 0; k < n; k++)
	{
		double		part = carries(axes + k * ld, gram, d);

		mixed += part;
		largest = part > largest ? part : largest;
	}
	if (!ok(skew_of(axes, d) < 1e-5 && fabs(mixed - carried) <= 1e-4 * carried && largest <= 3 * mixed / n,
			"mixed, they carry the same, and about the same each"))
		printf("#   skew %g, %g of %g, at most %g each\n", skew_of(axes, d), mixed, carried, largest);
	free(gram);
	free(axes);
	free(workspace);
}

/* Vectors that are all the same number have one axis; what is found beside it are numbers, if not of much use. */
static void
test_one_axis(int d, float number)
{
	int			ld = mf_padded(d);
	float	   *gram = floats((size_t) (ld * ld));
	float	   *axes = floats((size_t) (ld * ld));
	void	   *workspace = floats(mf_axes_size(d) / sizeof(float));
	bool		finite = true;

	memset(gram, 0, sizeof(float) * ld * ld);
	for (int i = 0; i < d; i++)
		for (int j = 0; j < d; j++)
			gram[i * ld + j] = number;
	mf_axes_find(axes, gram, d, workspace);
	for (int i = 0; i < ld * ld; i++)
		finite &= isfinite(axes[i]);
	ok(finite, "d = %d, %g everywhere: axes are finite", d, number);
	ok(fabs(carries(axes, gram, d) / (number * d) - 1) < 1e-4, "the first one carries all");
	free(gram);
	free(axes);
	free(workspace);
}

int
main(void)
{
	static const int sizes[] = {1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 128};

	for (int level = 0; level < MF_ISA_LEVELS; level++)
	{
		if (mf_isa_limit((MfIsa) level) != (MfIsa) level)
			continue;
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		{
			test_eigen(sizes[i], sizes[i]);
			test_eigen(sizes[i], sizes[i] * 3 / 4);
			test_axes(sizes[i], 0.9, sizes[i]);
			test_axes(sizes[i], 0.5, sizes[i]);
			test_axes(sizes[i], 1, sizes[i]);
			test_axes(sizes[i], 0.8, (sizes[i] + 2) / 3);
			test_axes(sizes[i], 1, 0);
		}
		test_one_axis(13, 3.0f / 13);
		test_one_axis(47, 20.0f / 47);
		test_one_axis(48, 0.25f);
	}
	return done();
}

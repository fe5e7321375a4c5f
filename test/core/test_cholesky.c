/*
 * test_cholesky.c - positive definite systems, side by side and alone, at every instruction set
 * level, against textbook elimination in double.
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "core/als/als.h"
#include "core/base/rng.h"
#include "core/kernels/cholesky.h"

static float *
floats(size_t n)
{
	float	   *x = aligned_alloc(64, (n * sizeof(float) + 127) & ~(size_t) 63);

	memset(x, 0, n * sizeof(float));
	return x;
}

/* Solves a x = b (n x n) by elimination with pivots; a and b are overwritten, b with x. */
static void
eliminate(double *a, double *b, int n)
{
	for (int k = 0; k < n; k++)
	{
		int			pivot = k;

		for (int i = k + 1; i < n; i++)
			if (fabs(a[i * n + k]) > fabs(a[pivot * n + k]))
				pivot = i;
		for (int j = 0; j < n; j++)
		{
			double		swap = a[k * n + j];

			a[k * n + j] = a[pivot * n + j];
			a[pivot * n + j] = swap;
		}
		if (pivot != k)
		{
			double		swap = b[k];

			b[k] = b[pivot];
			b[pivot] = swap;
		}
		for (int i = k + 1; i < n; i++)
		{
			double		f = a[i * n + k] / a[k * n + k];

			for (int j = k; j < n; j++)
				a[i * n + j] -= f * a[k * n + j];
			b[i] -= f * b[k];
		}
	}
	for (int k = n - 1; k >= 0; k--)
	{
		for (int j = k + 1; j < n; j++)
			b[k] -= a[k * n + j] * b[j];
		b[k] /= a[k * n + k];
	}
}

/* A well-conditioned symmetric n x n matrix: 1 + noise noise' / n. */
static void
random_matrix(double *a, int n, uint64_t seed)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j <= i; j++)
		{
			double		sum = i == j ? 1.0 : 0.0;

			for (int k = 0; k < n; k++)
				sum += (double) mf_random_normal(seed, (uint64_t) (i * 1024 + k)) *
					mf_random_normal(seed, (uint64_t) (j * 1024 + k)) / n;
			a[i * n + j] = a[j * n + i] = sum;
		}
}

static double
worse(double worst, double got, double expected)
{
	double		off = fabs(got - expected);

	return off <= worst ? worst : off;
}

/*
 * One system per lane, from matrices in upper tiles to solutions; the last lane is not positive
 * definite.
 */
static void
test_lanes(const MfCholesky *cholesky, int d)
{
	int			lanes = cholesky->lanes;
	int			ld = mf_padded(d);
	size_t		size = (size_t) (ld * ld);
	float	   *c = floats((size_t) lanes * size);
	float	   *b = floats((size_t) (lanes * ld));
	float	   *packed = floats(mf_triangle((size_t) ld) * (size_t) lanes);
	float	   *y = floats((size_t) (2 * ld * lanes));
	float	   *base = floats((size_t) ld);
	double	   *a = malloc((size_t) (d * d) * sizeof(double));
	double	   *x = malloc((size_t) d * sizeof(double));
	MfLaneRows	rows;
	float	   *result[MF_MAX_LANES];
	float		factor[MF_MAX_LANES];
	float		shift[MF_MAX_LANES];
	float		squares[MF_MAX_LANES];
	float		least[MF_MAX_LANES];
	int32_t		bad[MF_MAX_LANES];
	double		worst = 0.0;
	double		worst_square = 0.0;

	for (int l = 0; l < lanes; l++)
	{
		random_matrix(a, d, (uint64_t) l);
		for (int i = 0; i < d; i++)
		{
			b[l * ld + i] = mf_random_normal(99, (uint64_t) (l * 1024 + i));
			base[i] = 0.5f + 0.01f * (float) i;
			for (int j = i; j < d; j++)
				c[(size_t) l * size + (size_t) (i * ld + j)] = (float) a[i * d + j] * 0.5f;
		}
		for (int i = d; i < ld; i++)
			c[(size_t) l * size + (size_t) (i * ld + i)] = 1.0f;
		rows.row[l] = b + l * ld;
		rows.scale[l] = 2.0f;
		factor[l] = 0.1f * (float) l;
		shift[l] = l == lanes - 1 ? INFINITY : 0.3f;
		least[l] = 1e-3f;
	}
	cholesky->interleave_matrix(packed, c, size, ld, ld, 2.0f);
	cholesky->add_diagonal(packed, 0, ld, base, factor, shift);
	cholesky->interleave(y, &rows, NULL, ld);
	memcpy(y + ld * lanes, y, (size_t) (ld * lanes) * sizeof(float));
	cholesky->factor(packed, ld, y, 2, least, bad);
	cholesky->dots(squares, y, y + ld * lanes, ld);
	cholesky->substitute(packed, ld, y);
	for (int l = 0; l < lanes; l++)
		result[l] = c + l * ld;
	cholesky->deinterleave(result, y, ld);
	for (int l = 0; l < lanes - 1; l++)
	{
		double		square = 0.0;

		random_matrix(a, d, (uint64_t) l);
		for (int i = 0; i < d; i++)
		{
			a[i * d + i] += (double) base[i] * factor[l] + shift[l];
			x[i] = 2.0 * b[l * ld + i];
		}
		eliminate(a, x, d);
		for (int i = 0; i < d; i++)
		{
			worst = worse(worst, result[l][i], x[i]);
			square += 2.0 * b[l * ld + i] * x[i];
		}
		worst_square = worse(worst_square, squares[l] / square, 1.0);
	}
	if (!ok(worst < 2e-4 && worst_square < 1e-5, "lanes %d, d = %d: systems side by side", lanes,
			d))
		printf("#   off by %g, %g\n", worst, worst_square);
	ok(bad[0] == 0 && bad[lanes - 1] != 0, "and one that is not finite");
	free(c);
	free(b);
	free(packed);
	free(y);
	free(base);
	free(a);
	free(x);
}

/* products, inverse_roots, subtract and combine against their definitions. */
static void
test_dual_kernels(const MfCholesky *cholesky, int n, int d)
{
	int			lanes = cholesky->lanes;
	int			ld = mf_padded(d);
	float	   *z = floats((size_t) (n * ld * lanes));
	float	   *packed = floats(mf_triangle((size_t) n) * (size_t) lanes);
	float	   *c = floats((size_t) (n * lanes));
	float	   *scale = floats((size_t) (ld * lanes));
	float	   *x = floats((size_t) (ld * lanes));
	float		base[128];
	float		ones[MF_MAX_LANES];
	double		worst = 0.0;

	for (int k = 0; k < n * ld * lanes; k++)
		z[k] = 0.3f * mf_random_normal(7, (uint64_t) k);
	for (int k = 0; k < n * lanes; k++)
		c[k] = mf_random_normal(8, (uint64_t) k);
	for (int k = 0; k < ld; k++)
		base[k] = 1.0f + (float) k;
	for (int l = 0; l < lanes; l++)
		ones[l] = 1.0f;
	cholesky->products(packed, z, n, ld);
	cholesky->inverse_roots(scale, ld, base, ones, ones);
	cholesky->combine(x, z, c, scale, n, ld);
	cholesky->subtract(x, scale, ones, ld);
	for (int l = 0; l < lanes; l++)
	{
		for (int i = 0; i < n; i++)
			for (int j = 0; j <= i; j++)
			{
				double		expected = i == j;

				for (int e = 0; e < ld; e++)
					expected += (double) z[(i * ld + e) * lanes + l] * z[(j * ld + e) * lanes + l];
				worst = worse(worst, packed[(i * (i + 1) / 2 + j) * lanes + l], expected);
			}
		for (int e = 0; e < ld; e++)
		{
			double		root = 1.0 / sqrt(base[e] + 1.0);
			double		expected = 0.0;

			for (int k = 0; k < n; k++)
				expected += (double) c[k * lanes + l] * z[(k * ld + e) * lanes + l];
			worst = worse(worst, x[e * lanes + l], (expected - 1.0) * root);
		}
	}
	ok(worst < 1e-5, "lanes %d, n = %d, d = %d: products and sums of the dual form", lanes, n, d);
	free(z);
	free(packed);
	free(c);
	free(scale);
	free(x);
}

/* v v' with a ridge that rounding drowns: v' x is 1 for v v' x = v, and x is no longer than it needs. */
static void
test_singular(const MfCholesky *cholesky, int ld, float *c, float *x, float *inverse, float *work)
{
	double		product = 0.0;
	double		square = 0.0;
	double		length = 0.0;
	float		least;

	for (int i = 0; i < ld; i++)
	{
		x[i] = 1e3f * mf_random_normal(14, (uint64_t) i);
		square += (double) x[i] * x[i];
	}
	least = (float) (1e-6 * square);
	for (int i = 0; i < ld; i++)
		for (int j = i; j < ld; j++)
			c[i * ld + j] = x[i] * x[j] + (i == j ? least : 0.0f);
	ok(cholesky->potrf(mf_dense(), c, ld, least, inverse, work), "and one that floats hardly tell from a singular one");
	cholesky->potrs(c, ld, inverse, x);
	for (int i = 0; i < ld; i++)
	{
		product += 1e3 * mf_random_normal(14, (uint64_t) i) * x[i];
		length += (double) x[i] * x[i];
	}
	ok(fabs(product - 1.0) < 1e-3 && length * square < 2.0, "and its solution");
}

static void
test_one(const MfCholesky *cholesky, int d)
{
	int			ld = mf_padded(d);
	float	   *c = floats((size_t) (ld * ld));
	float	   *b = floats((size_t) ld);
	float	   *inverse = floats((size_t) ld);
	float	   *work = floats((size_t) (16 * ld));
	double	   *a = malloc((size_t) (d * d) * sizeof(double));
	double	   *x = malloc((size_t) d * sizeof(double));
	double		worst = 0.0;
	double		product = 0.0;
	float		got;

	random_matrix(a, d, 12);
	for (int i = 0; i < ld; i++)
		for (int j = i; j < ld; j++)
			c[i * ld + j] = i < d && j < d ? (float) a[i * d + j] : i == j ? 1.0f : 0.0f;
	for (int i = 0; i < d; i++)
		x[i] = b[i] = mf_random_normal(13, (uint64_t) i);
	eliminate(a, x, d);
	for (int i = 0; i < d; i++)
		product += b[i] * x[i];
	ok(cholesky->potrf(mf_dense(), c, ld, 1e-3f, inverse, work), "lanes %d, d = %d: factors of one system",
	   cholesky->lanes, d);
	got = cholesky->potrs(c, ld, inverse, b);
	for (int i = 0; i < d; i++)
		worst = worse(worst, b[i], x[i]);
	ok(worst < 2e-4, "and its solution");
	is_close(got / product, 1.0, 1e-5, "and their inner product");
	c[(ld - 16) * ld + ld - 16] = NAN;
	ok(!cholesky->potrf(mf_dense(), c, ld, 1e-3f, inverse, work), "and one that is not finite");
	test_singular(cholesky, ld, c, b, inverse, work);
	free(c);
	free(b);
	free(inverse);
	free(work);
	free(a);
	free(x);
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
			test_lanes(mf_cholesky(), sizes[i]);
			test_one(mf_cholesky(), sizes[i]);
			test_dual_kernels(mf_cholesky(), 4 + 4 * (int) (i % 5), sizes[i]);
		}
	}
	return done();
}

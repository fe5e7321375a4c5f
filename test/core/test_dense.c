/*
 * test_dense.c - dense kernels: every instruction set level against plain loops in double.
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "core/als/als.h"
#include "core/base/rng.h"
#include "core/kernels/cholesky.h"
#include "core/kernels/dense.h"

#define ROWS 37					/* not a multiple of anything */
#define MANY 150				/* rows to gather from */

static int	ld;
static float *panel;			/* ROWS x ld */
static float *other;			/* MANY x ld */
static float *square;			/* ld x ld */
static float *out;				/* ld x ld, or less */
static float *x;				/* ld */
static float factor[MANY];

static float *
floats(int n)
{
	return aligned_alloc(64, ((size_t) n * sizeof(float) + 127) & ~(size_t) 63);
}

static void
fill(float *a, int nrows, int d, uint64_t seed)
{
	memset(a, 0, (size_t) (nrows * ld) * sizeof(float));
	for (int r = 0; r < nrows; r++)
		for (int k = 0; k < d; k++)
			a[r * ld + k] = mf_random_normal(seed, (uint64_t) (r * 1024 + k));
}

/* Memory for vectors of d numbers, filled with noise. */
static void
set_up(int d)
{
	ld = mf_padded(d);
	fill(panel = floats(ROWS * ld), ROWS, d, 1);
	fill(other = floats(MANY * ld), MANY, d, 2);
	fill(square = floats(ld * ld), d, d, 3);
	fill(x = floats(ld), 1, d, 4);
	out = floats((ld > 64 ? ld : 64) * ld);
	for (int k = 0; k < MANY; k++)
		factor[k] = mf_random_normal(5, (uint64_t) k);
}

static void
tear_down(void)
{
	free(panel);
	free(other);
	free(square);
	free(x);
	free(out);
}

static double
worse(double worst, double got, double expected)
{
	double		off = fabs(got - expected) / (1.0 + fabs(expected));

	return off <= worst ? worst : off;	/* NaN is worse than anything */
}

static void
test_gather(const MfDense *dense, int d, int nsums)
{
	int32_t		column[ROWS];
	float		scale[ROWS];
	float	   *gathered = floats(ROWS * ld);
	float	   *sum = floats(3 * ld);
	MfGather	gather = {.rows = other,.stride = ld,.ld = ld,.n = ROWS,.reach = nsums * 4,.column = column,
		.scale = scale,.panel = gathered,.nsums = nsums,.factor = {factor, factor + 1, factor + 2},
	.sum = {sum, sum + ld, sum + 2 * ld}};
	double		worst = 0.0;

	for (int k = 0; k < ROWS; k++)
	{
		column[k] = (k * 41) % MANY;
		scale[k] = 0.5f + 0.01f * (float) k;
	}
	for (int k = 0; k < 3 * ld; k++)
		sum[k] = 1.0f;
	dense->gather(&gather);
	for (int k = 0; k < ROWS; k++)
		for (int e = 0; e < ld; e++)
			worst = worse(worst, gathered[k * ld + e], scale[k] * other[column[k] * ld + e]);
	for (int s = 0; s < 3; s++)
		for (int e = 0; e < ld; e++)
		{
			double		expected = 1.0;

			for (int k = 0; k < ROWS && s < nsums; k++)
				expected += (double) factor[s + k] * other[column[k] * ld + e];
			worst = worse(worst, sum[s * ld + e], expected);
		}
	ok(worst < 1e-5, "lanes %d, d = %d: gather with %d sums", dense->lanes, d, nsums);
	free(gathered);
	free(sum);
}

/* c = before + a'b on and above the diagonal from `first` on. */
static double
off_product(const float *c, const float *a, const float *b, int n, int first, double before)
{
	double		worst = 0.0;

	for (int i = first; i < ld; i++)
		for (int j = i; j < ld; j++)
		{
			double		expected = before;

			for (int k = 0; k < n; k++)
				expected += (double) a[k * ld + i] * b[k * ld + j];
			worst = worse(worst, c[i * ld + j], expected);
		}
	return worst;
}

static void
test_updates(const MfDense *dense, int d)
{
	int32_t		column[2] = {3, 5};
	MfAhead		ahead = {other, ld, ld, column, 2};
	double		worst;

	dense->gemmt(out, ld, panel, other, ROWS, 0, 0);
	worst = off_product(out, panel, other, ROWS, 0, 0.0);
	for (int k = 0; k < ld * ld; k++)
		out[k] = 2.0f;
	dense->gemmt(out, ld, panel, other, 16, ld - 16, 1);
	worst = fmax(worst, off_product(out, panel, other, 16, ld - 16, 2.0));
	ok(worst < 1e-5, "lanes %d, d = %d: gemmt", dense->lanes, d);
	dense->syrk(out, ld, panel, ROWS, 0, &ahead);
	worst = off_product(out, panel, panel, ROWS, 0, 0.0);
	ok(worst < 1e-5, "lanes %d, d = %d: syrk", dense->lanes, d);
}

static void
test_products(const MfDense *dense, int d)
{
	float	   *result = floats(ROWS * ld);
	float	   *diagonal = other + ld;
	double		worst = 0.0;

	dense->gemm(result, ld, panel, ld, square, ld, ld, ROWS);
	for (int r = 0; r < ROWS; r++)
		for (int j = 0; j < ld; j++)
		{
			double		expected = 0.0;

			for (int k = 0; k < ld; k++)
				expected += (double) panel[r * ld + k] * square[k * ld + j];
			worst = worse(worst, result[r * ld + j], expected);
		}
	ok(worst < 1e-5, "lanes %d, d = %d: gemm", dense->lanes, d);
	worst = 0.0;
	for (int n = 0; n <= ROWS; n += n < 9 ? 1 : 7)
	{
		dense->normal_product(out, diagonal, panel, x, ld, n / 2);
		dense->normal_product(out, NULL, panel + n / 2 * ld, x, ld, n - n / 2);
		for (int j = 0; j < ld; j++)
		{
			double		expected = (double) diagonal[j] * x[j];

			for (int r = 0; r < n; r++)
			{
				double		product = 0.0;

				for (int k = 0; k < ld; k++)
					product += (double) panel[r * ld + k] * x[k];
				expected += product * panel[r * ld + j];
			}
			worst = worse(worst, out[j], expected);
		}
	}
	ok(worst < 2e-5, "lanes %d, d = %d: normal product", dense->lanes, d);
	free(result);
}

static void
test_sums(const MfDense *dense, int d)
{
	double		worst = 0.0;
	double		expected = 0.0;
	int			width = (ROWS + 15) & ~15;

	for (int k = 0; k < 2 * ld; k++)
		out[k] = 1.0f;
	dense->gemv(out, panel, factor, ld, ROWS);
	dense->column_squares(out + ld, panel, ld, ROWS);
	for (int j = 0; j < ld; j++)
	{
		double		sum = 1.0;
		double		squares = 1.0;

		for (int r = 0; r < ROWS; r++)
		{
			sum += (double) factor[r] * panel[r * ld + j];
			squares += (double) panel[r * ld + j] * panel[r * ld + j];
		}
		worst = worse(worse(worst, out[j], sum), out[ld + j], squares);
	}
	ok(worst < 1e-5, "lanes %d, d = %d: gemv, squares", dense->lanes, d);
	dense->transpose_panel(out, panel, ld, ROWS, width);
	worst = 0.0;
	for (int r = 0; r < width; r++)
		for (int j = 0; j < ld; j++)
			worst = worse(worst, out[j * width + r], r < ROWS ? panel[r * ld + j] : 0.0);
	ok(worst == 0.0, "lanes %d, d = %d: transpose", dense->lanes, d);
	for (int k = 0; k < ld; k++)
		expected += (double) panel[k] * x[k];
	is_close(dense->dot(panel, x, ld), expected, 1e-5, "dot");
}

/* Rows that are read where they lie: inner products, sums, gathered numbers and moments, of 0 to ROWS of them. */
static void
test_rows(const MfDense *dense, int d)
{
	double		worst = 0.0;

	for (int n = 0; n <= ROWS; n += 5)
	{
		int32_t		column[ROWS];
		float		product[ROWS];
		float		difference[ROWS];
		double		sum = 0.0;
		double		squares = 0.0;
		double		expected_sum = 0.0;
		double		expected_squares = 0.0;

		for (int k = 0; k < n; k++)
		{
			column[k] = (k * 7) % ROWS;
			product[k] = 1.0f;
		}
		dense->subtract_products(product, panel, ld, column, x, ld, n);
		dense->subtract_gathered(difference, factor, panel, column, n);
		dense->moments(difference, n, &sum, &squares);
		for (int j = 0; j < ld; j++)
			out[j] = 1.0f;
		dense->add_rows(out, panel, ld, column, factor, ld, n);
		for (int k = 0; k < n; k++)
		{
			double		expected = 1.0;

			for (int j = 0; j < ld; j++)
				expected -= (double) panel[column[k] * ld + j] * x[j];
			worst = worse(worst, product[k], expected);
			worst = worse(worst, difference[k], factor[k] - panel[column[k]]);
			expected_sum += difference[k];
			expected_squares += (double) difference[k] * difference[k];
		}
		worst = worse(worse(worst, (float) sum, expected_sum), (float) squares, expected_squares);
		for (int j = 0; j < ld; j++)
		{
			double		expected = 1.0;

			for (int k = 0; k < n; k++)
				expected += (double) factor[k] * panel[column[k] * ld + j];
			worst = worse(worst, out[j], expected);
		}
	}
	ok(worst < 2e-5, "lanes %d, d = %d: rows where they lie", dense->lanes, d);
}

/* Weighted numbers, their roots and masses, of 0 to ROWS of them, against double precision. */
static void
test_weights(const MfDense *dense)
{
	double		worst = 0.0;
	bool		same = true;

	for (int n = 0; n <= ROWS; n++)
	{
		int32_t		column[ROWS];
		float		w[ROWS];
		float		roots[ROWS];
		float		scale[2][ROWS + 1];
		float		mass[ROWS + 1];
		float		numbers[ROWS];
		double		sums[3] = {1.0, 2.0, 3.0};
		double		expected[3] = {1.0, 2.0, 3.0};
		double		sum = 4.0;
		double		expected_sum = 4.0;
		MfMasses	masses = {.w = n % 3 == 0 ? NULL : w,.rise = n % 2 == 0 ? factor : NULL,.column = column,.even = 0.7f,
			.knee = n % 4 < 2 ? 0.8f : 0.0f,.slope = 3.0f,.factor = 0.3f,.square = 1.5f,.scale = scale[1],.mass = mass};

		scale[1][n] = mass[n] = -1.0f;
		for (int k = 0; k < n; k++)
		{
			column[k] = (k * 7) % MANY;
			w[k] = factor[k] * factor[k];
			numbers[k] = panel[k];
		}
		dense->roots(roots, w, 3, n);
		dense->weigh(numbers, scale[0], w, n, sums);
		for (int k = 2; k < n; k += 3)
			w[k] = -w[k];		/* dislikes, of which masses alone know */
		dense->masses(&masses, n, &sum);
		for (int k = 0; k < n; k++)
		{
			double		weight = masses.w != NULL ? w[k] : 1.0;
			double		rise = masses.rise != NULL ? factor[column[k]] : 0.7f;
			double		share = masses.knee > 0.0f ? fmin((double) masses.knee * weight, 1.0) : 1.0;
			float		size = fabsf(w[k]);

			same = same && roots[k] == sqrtf(sqrtf(sqrtf(size))) && scale[0][k] == sqrtf(size);
			worst = worse(worst, numbers[k], (double) size * panel[k]);
			worst = worse(worst, scale[1][k], sqrt(1.5 * fabs(weight)));
			worst = worse(worst, mass[k], weight < 0 ? 0.0 : (double) 0.3f * (share * rise + 3.0 * weight));
			expected[0] += size;
			expected[1] += (double) size * panel[k];
			expected[2] += (double) size * panel[k] * panel[k];
			expected_sum += mass[k];
		}
		for (int s = 0; s < 3; s++)
			worst = worse(worst, (float) sums[s], expected[s]);
		worst = worse(worst, (float) sum, expected_sum);
		same = same && scale[1][n] == -1.0f && mass[n] == -1.0f;
	}
	ok(same, "lanes %d: roots are the same everywhere, and nothing is written behind the last", dense->lanes);
	ok(worst < 2e-5, "lanes %d: weighted numbers and masses", dense->lanes);
}

/* Numbers over their scales, some of which are 0, for 0 to ROWS of them. */
static void
test_divisions(const MfDense *dense)
{
	double		worst = 0.0;
	bool		same = true;

	for (int n = 0; n <= ROWS; n++)
	{
		float		scale[ROWS + 1];
		float		x[ROWS + 1];
		double		expected = 0.0;
		float		sum;

		for (int k = 0; k <= n; k++)
		{
			scale[k] = k % 5 == 3 ? 0.0f : 0.5f + fabsf(factor[k % MANY]);
			x[k] = panel[k % MANY];
		}
		sum = dense->divide_by(x, scale, 0.75f, n);
		for (int k = 0; k < n; k++)
		{
			float		size = k % 5 == 3 ? 0.0f : 0.5f + fabsf(factor[k % MANY]);
			float		quotient = size > 0.0f ? panel[k % MANY] / (0.75f * size) : 0.0f;

			same = same && scale[k] == 0.75f * size;
			worst = worse(worst, x[k], quotient);
			expected += (double) quotient * quotient;
		}
		worst = worse(worst, sum, expected);
		same = same && x[n] == panel[n % MANY];
	}
	ok(same && worst < 2e-5, "lanes %d: numbers over their scales", dense->lanes);
}

static void
test_vectors(const MfDense *dense, int d)
{
	float	   *v[5];
	double		worst = 0.0;
	double		sum = 0.0;
	float		got;

	for (int i = 0; i < 5; i++)
		memcpy(v[i] = floats(ld), other + i * ld, (size_t) ld * sizeof(float));
	dense->axpy(v[0], v[1], 0.5f, ld);
	dense->multiply_by(v[2], v[1], ld);
	dense->xpay(v[3], v[1], 0.25f, ld);
	for (int k = 0; k < ld; k++)
	{
		worst = worse(worst, v[0][k], other[k] + 0.5 * other[ld + k]);
		worst = worse(worst, v[2][k], (double) other[2 * ld + k] * other[ld + k]);
		worst = worse(worst, v[3][k], other[ld + k] + 0.25 * other[3 * ld + k]);
	}
	dense->fill(v[3], 1.0f, ld);
	dense->axpy(v[3], other + 3 * ld, 0.1f, ld);
	dense->reciprocals(v[3], ld);
	for (int k = 0; k < ld; k++)
		worst = worse(worst, v[3][k], 1.0 / (1.0 + 0.1 * other[3 * ld + k]));
	got = dense->cg_step(v[0], v[1], v[2], v[3], v[4], 0.5f, ld);
	for (int k = 0; k < ld; k++)
	{
		double		product = (double) other[2 * ld + k] * other[ld + k];
		double		residual = other[ld + k] - 0.5 * product;

		worst = worse(worst, v[1][k], residual);
		worst = worse(worst, v[2][k], residual * other[4 * ld + k]);
		worst = worse(worst, v[0][k], other[k] + 0.5 * other[ld + k] + 0.5 * v[3][k]);
		sum += residual * residual * other[4 * ld + k];
	}
	ok(worst < 1e-5, "lanes %d, d = %d: axpy, multiply, xpay, step of CG", dense->lanes, d);
	is_close(got, sum, 1e-4, "and the step's inner product");
	for (int i = 0; i < 5; i++)
		free(v[i]);
}

/* Whole numbers of 16 bits and back, of rows of any length: off by half a step at most, and nothing behind is touched. */
static void
test_halves(const MfDense *dense)
{
	enum {MOST = 70, ROOM = MOST + MF_MAX_LANES};
	float		x[ROOM];
	float		factor[ROOM];
	float		back[ROOM];
	float		sum[ROOM];
	int16_t		half[ROOM];
	bool		close = true;
	bool		kept = true;

	for (int k = 0; k < ROOM; k++)
	{
		factor[k] = 1.0f / (float) (k + 1);
		x[k] = (k % 3 == 0 ? -1.0f : 1.0f) * (float) (k + 1) * (float) (k % 11) / 10.0f;
	}
	for (int n = 0; n <= MOST; n++)
	{
		for (int k = 0; k < ROOM; k++)
		{
			back[k] = 1.0f;
			sum[k] = 2.0f;
		}
		dense->to_halves(half, x, factor, 32767.0f, n);
		for (int k = 0; k < n; k++)
			factor[k] = (float) (k + 1);
		dense->add_halves(back, half, factor, 1.0f / 32767.0f, n);
		dense->add(sum, x, n);
		for (int k = 0; k < ROOM; k++)
		{
			float		expected = k < n ? 1.0f + x[k] : 1.0f;

			close = close && fabsf(back[k] - expected) <= (k < n ? (float) (k + 1) * 0.51f / 32767.0f + 1e-5f : 0.0f);
			kept = kept && sum[k] == (k < n ? 2.0f + x[k] : 2.0f);
			factor[k] = 1.0f / (float) (k + 1);
		}
	}
	ok(close, "halves are off by half a step at most, up to their length");
	ok(kept, "sums are of as many numbers as there are");
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
			set_up(sizes[i]);
			for (int nsums = 0; nsums <= 3; nsums++)
				test_gather(mf_dense(), sizes[i], nsums);
			test_updates(mf_dense(), sizes[i]);
			test_products(mf_dense(), sizes[i]);
			test_sums(mf_dense(), sizes[i]);
			test_rows(mf_dense(), sizes[i]);
			test_vectors(mf_dense(), sizes[i]);
			if (sizes[i] == 100)
			{
				test_divisions(mf_dense());
				test_weights(mf_dense());
				test_halves(mf_dense());
			}
			tear_down();
		}
	}
	return done();
}

/*
 * test_int16_cells.c - vectors as whole numbers with a step each, and products of cells with them, beside plain loops.
 */
#include "tap.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/kernels/int16_cells.h"
#include "core/simd/isa.h"

#define MANY 60					/* rows */
#define CELLS 131				/* at most */

static const MfInt16Cells *kernels;
static int	width;				/* floats of a row */
static float *rows;				/* MANY x width */
static float *wide;				/* MANY x width: what quantized rows stand for */
static int16_t *whole;			/* MANY x stride */
static int16_t *vector;			/* stride */
static float scale[MANY];
static float square[2][MANY];

static void *
room(size_t nfloats)
{
	void	   *x = aligned_alloc(64, (nfloats * sizeof(float) + 127) & ~(size_t) 63);

	memset(x, 0, nfloats * sizeof(float));
	return x;
}

/* A number of 0 .. 1 that belongs to k. */
static float
number_of(uint64_t seed, int64_t k)
{
	return (float) mf_random_uniform(seed, (uint64_t) k);
}

static double
inner_product(const float *x, const float *y, int n)
{
	double		sum = 0.0;

	for (int k = 0; k < n; k++)
		sum += (double) x[k] * y[k];
	return sum;
}

/* Rows of d random numbers, of any length; extreme: all numbers of a row are as large. */
static void
set_up(int d, bool extreme)
{
	width = mf_padded(d);
	rows = room((size_t) (MANY * width));
	wide = room((size_t) (MANY * width));
	whole = room((size_t) (MANY * mf_cells_stride(width)));
	vector = room((size_t) mf_cells_stride(width));
	for (int r = 0; r < MANY; r++)
	{
		for (int j = 0; j < d; j++)
		{
			float		x = 2 * number_of(1, r * 1024 + j) - 1;

			rows[r * width + j] = (float) (r % 7) * (extreme ? 1.0f : x);
		}
		scale[r] = kernels->quantize(whole + r * mf_cells_stride(width), rows + r * width, width);
		square[0][r] = number_of(2, r);
		square[1][r] = number_of(3, r);
	}
}

static void
tear_down(void)
{
	free(rows);
	free(wide);
	free(whole);
	free(vector);
}

/* A product of n cells of any rows with nothing as yet. */
static MfCellProduct
new_product(const int32_t *column, int n, float *out)
{
	return (MfCellProduct) {.rows = whole,.scale = scale,.stride = mf_cells_stride(width),.width = width,.n = n,
		.column = column,.x = vector,.even = 1.0f,.out = out};
}

/* What quantized rows stand for: each times 1, that is, a target of 1 less its product with a vector of zeros. */
static void
test_quantize(int d)
{
	float	   *zeros = room((size_t) width);
	float		one = 1.0f;
	double		off = 0.0;
	bool		padded = true;

	ok(kernels->round_vector(vector, zeros, width) == 0.0f, "d = %d: a vector of zeros has no step", d);
	for (int32_t r = 0; r < MANY; r++)
	{
		MfCellProduct product = new_product(&r, 1, wide + r * width);

		product.target = &one;
		kernels->multiply(&product);
		for (int j = 0; j < width; j++)
		{
			float		x = wide[r * width + j];

			off = fmax(off, fabs((double) x - rows[r * width + j]) - 0.5001 * scale[r]);
			padded = padded && (j < d || x == 0.0f);
		}
	}
	ok(off <= 1e-6 && padded, "d = %d: rows are rounded to the nearest step", d);
	free(zeros);
}

/* A vector becomes what it is multiplied as: rounding it again changes nothing. */
static float
test_round(int d, float *x)
{
	float	   *before = room((size_t) width);
	float	   *again = room((size_t) width);
	int16_t    *other = room((size_t) mf_cells_stride(width));
	float		unit;
	double		off = 0.0;

	memcpy(before, x, (size_t) width * sizeof(float));
	unit = kernels->round_vector(vector, x, width);
	for (int j = 0; j < width; j++)
		off = fmax(off, fabs((double) x[j] - before[j]) - 0.5001 * unit);
	ok(off <= 1e-6 * unit, "d = %d: a vector is rounded to the nearest step", d);
	memcpy(again, x, (size_t) width * sizeof(float));
	kernels->round_vector(other, again, width);
	off = 0.0;
	for (int j = 0; j < width; j++)
		off = fmax(off, fabs((double) x[j] - again[j]));
	ok(off <= 0.6 * unit, "d = %d: and stays near it", d);
	free(before);
	free(again);
	free(other);
	return unit;
}

/* Cells of a product, and what there is to come of it. */
typedef struct Cells
{
	int32_t		column[CELLS];
	float		weight[CELLS];
	float		target[CELLS];
	float	   *out;			/* width */
	double	   *sum;			/* width */
	double	   *size;			/* width: of the summands */
} Cells;

/* The product by plain loops, in double. */
static MfCellProduct
plain_product(const MfCellProduct *p, const Cells *cells, const float *x)
{
	MfCellProduct plain = *p;

	for (int j = 0; j < p->width; j++)
		cells->sum[j] = cells->size[j] = 0.0;
	for (int k = 0; k < p->n; k++)
	{
		const float *row = wide + cells->column[k] * width;
		double		product = inner_product(row, x, p->width) + p->bias;
		double		weight = p->weight != NULL ? p->weight[k] : p->even;
		double		factor = p->target != NULL ? p->target[k] - weight * product : weight * product;

		plain.total += factor;
		plain.fitted += p->target != NULL ? p->target[k] * product : 0.0;
		for (int s = 0; s < 2; s++)
			plain.squares[s] += p->target != NULL && p->square[s] != NULL ? weight * square[s][cells->column[k]] : 0.0;
		for (int j = 0; j < p->width; j++)
		{
			cells->sum[j] += factor * row[j];
			cells->size[j] += fabs(factor * row[j]);
		}
	}
	return plain;
}

/* A product of n cells beside plain loops.  Factors are rounded, to 2^-15 of the largest of sixteen. */
static void
test_product(int d, int n, bool weights, bool targets, int first)
{
	Cells		cells = {.out = room((size_t) width)};
	float	   *x = room((size_t) width);
	MfCellProduct product = new_product(cells.column, n, cells.out);
	MfCellProduct plain;
	double		off = 0.0;
	double		most = 1e-30;

	cells.sum = calloc((size_t) width, sizeof(double));
	cells.size = calloc((size_t) width, sizeof(double));
	for (int k = 0; k < n; k++)
	{
		cells.column[k] = (int32_t) (number_of(4, k) * MANY);
		cells.weight[k] = 3 * number_of(5, k);
		cells.target[k] = number_of(6, k) - 0.3f;
	}
	for (int j = 0; j < first && j < d; j++)
		x[j] = 2 * number_of(7, j) - 1;
	product.width = first;
	product.unit = test_round(d, x);
	product.bias = 0.25f;
	product.even = 1.5f;
	product.weight = weights ? cells.weight : NULL;
	product.target = targets ? cells.target : NULL;
	product.square[0] = square[0];
	product.square[1] = targets && weights ? square[1] : NULL;
	product.reach = targets;
	plain = plain_product(&product, &cells, x);
	kernels->multiply(&product);
	for (int j = 0; j < first; j++)
	{
		off = fmax(off, fabs(cells.out[j] - cells.sum[j]));
		most = fmax(most, cells.size[j]);
	}
	if (!ok(off <= 1e-4 * most && fabs(product.total - plain.total) <= 1e-5 * (fabs(plain.total) + most) &&
			fabs(product.fitted - plain.fitted) <= 1e-5 * (fabs(plain.fitted) + most) &&
			fabs(product.squares[0] - plain.squares[0]) + fabs(product.squares[1] - plain.squares[1]) <=
			1e-5 * (1.0 + plain.squares[0] + plain.squares[1]),
			"d = %d, %d cells, weights %d, targets %d, the first %d: as by plain loops", d, n, weights, targets, first))
		printf("#   off by %g of %g; total %g, %g; fitted %g, %g\n", off, most, product.total, plain.total,
			   product.fitted, plain.fitted);
	free(cells.out);
	free(cells.sum);
	free(cells.size);
	free(x);
}

/* Sums are as large as they can be: x along the rows, and factors alike. */
static void
test_largest(int d)
{
	Cells		cells = {.out = room((size_t) width)};
	float	   *x = room((size_t) width);
	MfCellProduct product = new_product(cells.column, 16, cells.out);
	double		off = 0.0;
	double		right;

	for (int k = 0; k < 16; k++)
		cells.column[k] = 6;
	memcpy(x, wide + 6 * width, (size_t) width * sizeof(float));
	product.unit = kernels->round_vector(vector, x, width);
	kernels->multiply(&product);
	right = 16 * inner_product(x, wide + 6 * width, width);
	for (int j = 0; j < width; j++)
		off = fmax(off, fabs(cells.out[j] - right * wide[6 * width + j]) / (right * 6));
	ok(off <= 1e-5, "d = %d: the largest sums do not overflow", d);
	free(cells.out);
	free(x);
}

/* m (width x width) = the reflection that swaps the direction of d ones and that of the first number. */
static void
reflect(float *m, int d)
{
	double		first = 1.0 / sqrt(d) - 1.0;
	double		square_of_normal = first * first + (d - 1.0) / d;

	for (int i = 0; i < d; i++)
		for (int j = 0; j < d; j++)
		{
			double		a = i == 0 ? first : 1.0 / sqrt(d);
			double		b = j == 0 ? first : 1.0 / sqrt(d);

			m[i * width + j] = (float) ((i == j) - (square_of_normal > 0.0 ? 2.0 * a * b / square_of_normal : 0.0));
		}
}

/* Rows times a rotation, the largest sums there are among them, and each row as it is by itself. */
static void
test_turn(int d)
{
	float	   *m = room((size_t) (width * width));
	float	   *out = room((size_t) (MANY * width));
	float	   *alone = room((size_t) width);
	int16_t    *rotation = room((size_t) (width * width));
	double		worst = 0.0;
	bool		same = true;

	reflect(m, d);
	kernels->pack_rotation(rotation, m, width);
	kernels->turn(out, width, rows, width, rotation, width, MANY);
	for (int r = 0; r < MANY; r++)
	{
		const float *x = rows + r * width;
		double		length = sqrt(inner_product(x, x, width));

		kernels->turn(alone, width, x, width, rotation, width, 1);
		same = same && memcmp(alone, out + r * width, (size_t) width * sizeof(float)) == 0;
		for (int j = 0; j < width; j++)
		{
			double		expected = 0.0;

			for (int k = 0; k < width; k++)
				expected += (double) x[k] * m[k * width + j];
			worst = fmax(worst, fabs(out[r * width + j] - expected) - 5e-5 * sqrt(width) * length);
		}
	}
	ok(worst <= 1e-6, "d = %d: rows are turned", d);
	ok(same, "d = %d: each as it is by itself", d);
	free(m);
	free(out);
	free(alone);
	free(rotation);
}

/* What is not finite is not taken for a number. */
static void
test_not_finite(void)
{
	float		x[16] = {0};
	int16_t		out[32];

	x[3] = NAN;
	ok(!isfinite(kernels->round_vector(out, x, 16)), "a vector with no number in it");
	x[3] = INFINITY;
	ok(!isfinite(kernels->round_vector(out, x, 16)) || !isfinite(x[3]), "or an infinite one");
	x[3] = FLT_MAX;
	ok(!isfinite(kernels->quantize(out, x, 16)), "nor is what has no square");
	for (int k = 0; k < 3; k++)
	{
		static const float odd[] = {NAN, INFINITY, FLT_MAX};
		int16_t		rotation[16 * 16];
		float		m[16 * 16] = {0};
		float		turned[16];

		for (int i = 0; i < 16; i++)
			m[i * 16 + i] = 1.0f;
		x[3] = odd[k];
		kernels->pack_rotation(rotation, m, 16);
		kernels->turn(turned, 16, x, 16, rotation, 16, 1);
		ok(!isfinite(turned[3]), "nor when it is turned");
	}
}

int
main(void)
{
	static const int sizes[] = {1, 3, 15, 16, 17, 63, 64, 65, 96, 128, 200, 256, 1000};
	static const int cells[] = {1, 15, 16, 17, 32, CELLS};

	kernels = mf_int16_cells();
	if (kernels == NULL)
	{
		ok(!mf_isa_has_vnni(), "no kernels, for floats are as fast");
		return done();
	}
	for (int k = 0; k < 13; k++)
	{
		set_up(sizes[k], false);
		test_quantize(sizes[k]);
		test_turn(sizes[k]);
		for (int n = 0; n < 6; n++)
			for (int kind = 0; kind < 4; kind++)
				test_product(sizes[k], cells[n], kind % 2, kind / 2, width);
		if (width > 16)
			test_product(sizes[k], 40, true, true, width / 32 * 16);
		tear_down();
		set_up(sizes[k], true);
		test_quantize(sizes[k]);
		test_turn(sizes[k]);
		test_largest(sizes[k]);
		tear_down();
	}
	test_not_finite();
	return done();
}

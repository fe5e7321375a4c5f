/*
 * test_int16.c - the fixed side as whole numbers: what rounding leaves, sums of products to the last
 * digit, and trainings with it beside trainings without.
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "core/als/als_int16.h"
#include "core/als/als_packed_vectors.h"
#include "sample.h"

#define MANY 300				/* rows */
#define APART 16				/* numbers between two rows of a product */

static int	ld;
static float *rows;				/* MANY x ld */
static float *wide;				/* MANY x ld: what quantized rows stand for */
static float *step;				/* ld */

/* Rows of d random numbers, column j of them at most j + 1; extreme: all of them at their largest size. */
static void
set_up(int d, bool extreme)
{
	ld = mf_padded(d);
	rows = sample_floats((size_t) (MANY * ld));
	wide = sample_floats((size_t) (MANY * ld));
	step = sample_floats((size_t) ld);
	for (int r = 0; r < MANY; r++)
		for (int j = 0; j < d; j++)
		{
			float		x = 2 * sample_uniform(1, r * 1024 + j) - 1;

			rows[r * ld + j] = (float) (j + 1) * (extreme ? (x < 0 ? -1.0f : 1.0f) : x);
		}
	for (int j = 0; j < ld; j++)
		step[j] = (float) (j + 1) / 4095;
}

static void
tear_down(void)
{
	free(rows);
	free(wide);
	free(step);
}

/* MANY rows to whole numbers. */
static void
quantize(const MfInt16 *kernels, float *to, const float *from)
{
	for (int r = 0; r < MANY; r++)
		kernels->quantize(to + r * ld, from + r * ld, ld, step);
}

/* Back to floats, in place, 16 rows at a time. */
static void
dequantize(const MfInt16 *kernels, float *x)
{
	static float out[16 * MF_INT16_MOST_LD];
	static float ones[16 * MF_INT16_MOST_LD];

	for (int k = 0; k < 16 * ld; k++)
		ones[k] = 1.0f;
	for (int first = 0; first < MANY; first += 16)
	{
		const float *row[16];

		/* the last rows of all may come again */
		for (int l = 0; l < 16; l++)
			row[l] = x + (first + l < MANY ? first + l : MANY - 1) * ld;
		kernels->interleave(out, row, step, 1.0f, ones, ld);
		for (int l = 0; l < 16 && first + l < MANY; l++)
			for (int j = 0; j < ld; j++)
				x[(first + l) * ld + j] = out[j * 16 + l];
	}
}

/* Each lane has scales of its own. */
static void
test_interleave(const MfInt16 *kernels, int d)
{
	static float out[16 * MF_INT16_MOST_LD];
	static float scale[16 * MF_INT16_MOST_LD];
	const float *row[16];
	bool		same = true;

	for (int k = 0; k < 16 * ld; k++)
		scale[k] = ldexpf(1.0f, k * 7 % 11 - 5);
	quantize(kernels, wide, rows);
	for (int l = 0; l < 16; l++)
		row[l] = wide + l * 5 % 16 * ld;
	kernels->interleave(out, row, step, 0.25f, scale, ld);
	dequantize(kernels, wide);
	for (int l = 0; l < 16; l++)
		for (int j = 0; j < ld; j++)
			same = same && out[j * 16 + l] == 0.25f * scale[j * 16 + l] * wide[l * 5 % 16 * ld + j];
	ok(same, "d = %d: rows side by side, by lane", d);
}

/* Numbers are off by half a step at most, and those that are whole stay as they are. */
static void
test_round_trip(const MfInt16 *kernels, int d)
{
	float	   *again = sample_floats((size_t) (MANY * ld));
	double		off = 0.0;
	bool		padded = true;

	quantize(kernels, wide, rows);
	dequantize(kernels, wide);
	for (int r = 0; r < MANY; r++)
		for (int j = 0; j < ld; j++)
		{
			off = fmax(off, fabs((double) wide[r * ld + j] - rows[r * ld + j]) / step[j]);
			padded = padded && (j < d || wide[r * ld + j] == 0.0f);
		}
	ok(off <= 0.5001 && padded, "d = %d: rounded to the nearest step", d);
	quantize(kernels, again, wide);
	dequantize(kernels, again);
	ok(memcmp(wide, again, (size_t) (MANY * ld) * sizeof(float)) == 0, "d = %d: rounding twice is rounding once", d);
	free(again);
}

/* Sizes in columns beside plain loops. */
static void
test_measure(const MfInt16 *kernels, int d)
{
	float	   *widest = sample_floats((size_t) ld);
	float	   *sizes = sample_floats((size_t) ld);
	double		off = 0.0;

	kernels->measure(rows, ld, ld, MANY, widest, sizes);
	for (int j = 0; j < d; j++)
	{
		double		most = 0.0;
		double		sum = 0.0;

		for (int r = 0; r < MANY; r++)
		{
			most = fmax(most, fabs(rows[r * ld + j]));
			sum += fabs(rows[r * ld + j]);
		}
		off = fmax(off, fabs(widest[j] - most) + fabs(sizes[j] - sum) / sum);
	}
	ok(off < 1e-5, "d = %d: columns measured", d);
	free(widest);
	free(sizes);
}

/* Where gathered sums and a panel's product are to be. */
typedef struct Product
{
	int32_t		column[MF_INT16_PANEL];
	float		factor[MF_INT16_PANEL];
	float		constant[MF_INT16_PANEL];
	float	   *sum;			/* 2 x ld */
	float	   *c;				/* ld x ld */
} Product;

/* How far sums and product of n rows are off, relative to the sums of sizes. */
static double
off_product(const Product *p, int n, float square, float before)
{
	double		worst = 0.0;

	for (int i = 0; i < ld; i++)
	{
		double		sum[2] = {0.0, 0.0};
		double		sizes = 1e-30;

		for (int k = 0; k < n; k++)
		{
			double		x = wide[p->column[k] * ld + i];

			sum[0] += 3.0 * x;
			sum[1] += p->factor[k] * x;
			sizes += 3.0 * fabs(x);
		}
		worst = fmax(worst, fmax(fabs(p->sum[i] - sum[0]), fabs(p->sum[ld + i] - sum[1])) / sizes);
		for (int j = i; j < ld; j++)
		{
			double		expected = before;

			sizes = 1e-30 + before;
			for (int k = 0; k < n; k++)
			{
				double		product = (double) wide[p->column[k] * ld + i] * wide[p->column[k] * ld + j];

				expected += square * product;
				sizes += square * fabs(product);
			}
			worst = fmax(worst, fabs(p->c[i * (ld + APART) + j] - expected) / sizes);
		}
	}
	return worst;
}

/* Gathers n rows, some of them twice, and adds up their products. */
static void
test_product(const MfInt16 *kernels, int d, int n, bool add)
{
	Product		p = {.sum = sample_floats(2 * (size_t) ld),.c = sample_floats((size_t) (ld * (ld + APART)))};
	float	   *panel = sample_floats(MF_INT16_PANEL * (size_t) ld);
	MfGather	gather = {.rows = wide,.stride = ld,.ld = ld,.n = n,.column = p.column,.panel = panel,.nsums = 2,
		.factor = {p.constant, p.factor},.sum = {p.sum, p.sum + ld},.even = {true, false}};
	MfAhead		ahead = {wide, ld, mf_int16_floats(ld), p.column, n / 2};
	double		off;

	for (int k = 0; k < n; k++)
	{
		p.column[k] = (k * 97) % MANY;
		p.constant[k] = 3.0f;
		p.factor[k] = sample_uniform(2, k) - 0.5f;
	}
	for (int k = 0; k < ld * (ld + APART); k++)
		p.c[k] = 0.25f;
	quantize(kernels, wide, rows);
	kernels->gather(&gather, step);
	kernels->syrk(p.c, ld + APART, panel, ld, n, step, 0.5f, add, &ahead);
	dequantize(kernels, wide);
	off = off_product(&p, n, 0.5f, add ? 0.25f : 0.0f);
	if (!ok(off < 1e-6, "d = %d: %d rows %s", d, n, add ? "added to a product" : "multiplied"))
		printf("#   off by %g\n", off);
	free(p.sum);
	free(p.c);
	free(panel);
}

/* Inner products and sums of n rows where they lie. */
static void
test_rows(const MfInt16 *kernels, int d, int n)
{
	int32_t		column[MF_INT16_PANEL];
	float		product[MF_INT16_PANEL];
	float		factor[MF_INT16_PANEL];
	float	   *x = sample_floats((size_t) ld);
	float	   *sum = sample_floats((size_t) ld);
	double		off = 0.0;

	for (int k = 0; k < n; k++)
	{
		column[k] = (k * 97) % MANY;
		factor[k] = sample_uniform(3, k) - 0.5f;
		product[k] = 1.0f;
	}
	/* row 97's signs where that is the extreme: all products of one row add up */
	for (int j = 0; j < d; j++)
		x[j] = (rows[97 * ld + j] < 0 ? -0.5f : 0.5f) / (float) (j + 1);
	quantize(kernels, wide, rows);
	kernels->subtract_products(product, wide, ld, column, x, step, ld, n);
	kernels->add_rows(sum, wide, ld, column, factor, step, ld, n);
	dequantize(kernels, wide);
	for (int k = 0; k < n; k++)
	{
		double		expected = 1.0;

		for (int j = 0; j < d; j++)
			expected -= (double) wide[column[k] * ld + j] * x[j];
		off = fmax(off, fabs(product[k] - expected) / d);
	}
	ok(off < 1e-4, "d = %d: inner products with %d rows", d, n);
	off = 0.0;
	for (int j = 0; j < ld; j++)
	{
		double		expected = 0.0;

		for (int k = 0; k < n; k++)
			expected += (double) factor[k] * wide[column[k] * ld + j];
		off = fmax(off, fabs(sum[j] - expected) / (j + 1));
	}
	ok(off < 1e-4, "d = %d: a sum of %d rows", d, n);
	free(x);
	free(sum);
}

static void
test_kernels(const MfInt16 *kernels, int d)
{
	static const int lengths[] = {1, 2, 37, MF_INT16_PANEL};

	for (int extreme = 0; extreme < 2; extreme++)
	{
		set_up(d, extreme == 1);
		test_round_trip(kernels, d);
		test_interleave(kernels, d);
		test_measure(kernels, d);
		for (int k = 0; k < 4; k++)
		{
			test_product(kernels, d, lengths[k], false);
			test_product(kernels, d, lengths[k], true);
			test_rows(kernels, d, lengths[k]);
		}
		tear_down();
	}
}

/* The largest difference of users' scores of the first items, relative to the largest score. */
static double
difference(const Sample *a, const Sample *b)
{
	int			d = a->problem.factors;
	double		most = 0.0;
	double		off = 0.0;

	for (int64_t u = 0; u < a->problem.nusers; u++)
		for (int64_t i = 0; i < 50; i++)
		{
			const float *y[2] = {a->problem.has_interest ? a->factors.interest : a->factors.rating,
			b->problem.has_interest ? b->factors.interest : b->factors.rating};
			double		score = sample_dot(b->factors.user + u * mf_padded(d), y[1] + i * mf_padded(d), d);

			most = fmax(most, fabs(score));
			off = fmax(off, fabs(score - sample_dot(a->factors.user + u * mf_padded(d), y[0] + i * mf_padded(d), d)));
		}
	return off / most;
}

/* Leaves users as whole numbers of 16 bits, as half-sweeps of a training that rounds do. */
static void
narrow_users(Sample *s)
{
	for (int32_t u = 0; u < s->problem.nusers; u++)
		mf_vectors_round(s->problem.factors, s->factors.user, &u, 1);
}

/*
 * Trainings that round and that do not, but for their users in the end, from the same start, item 0 being so many times as
 * large.
 */
static void
train_both(const SampleOptions *options, float giant, int nsweeps, double *off, double *rise)
{
	SampleOptions plain = *options;
	MfParallel	parallel = {2, NULL};
	Sample		s[2];
	void	   *space[2];
	double		loss[2] = {0.0, 0.0};

	plain.int16 = false;
	for (int k = 0; k < 2; k++)
	{
		MfAls	   *als;

		s[k] = sample_new(k == 0 ? options : &plain);
		for (int j = 0; j < options->factors; j++)
			(options->interest ? s[k].factors.interest : s[k].factors.rating)[j] *= giant;
		als = sample_als(&s[k], &parallel, &space[k]);
		for (int sweep = 0; sweep < nsweeps; sweep++)
			sample_sweep(als, &s[k], sweep % 2 == 0 ? MF_USERS : MF_ITEMS, false, 0, &loss[k]);
	}
	narrow_users(&s[1]);
	*off = difference(&s[0], &s[1]);
	*rise = loss[0] / loss[1] - 1.0;
	for (int k = 0; k < 2; k++)
	{
		free(space[k]);
		sample_free(&s[k]);
	}
}

/* Rounding changes little, and next to nothing of the loss, also with priors; beside a giant items are not rounded. */
static void
test_training(bool rating, bool interest, int d, bool prior)
{
	SampleOptions options = {300, 180, d, rating, interest, false, 100, 3, true, 0, prior, false, false, false};
	double		off;
	double		rise;

	train_both(&options, 1.0f, 6, &off, &rise);
	if (!ok(off > 0.0 && off < 1e-2 && fabs(rise) < 1e-4, "rating %d, interest %d, d = %d: rounding is small", rating,
			interest, d))
		printf("#   scores off by %g, loss by %g\n", off, rise);
	train_both(&options, 1e4f, 1, &off, &rise);
	ok(off == 0.0 && rise == 0.0, "rating %d, interest %d, d = %d: items are not rounded beside a giant", rating,
	   interest, d);
}

static bool cancel;

static bool
is_cancelled(void)
{
	return cancel;
}

/* A half-sweep that did not come to its end leaves nothing that the next one would stumble over. */
static void
test_broken_off(void)
{
	SampleOptions options = {300, 180, 20, true, false, false, 100, 3, true, 0, false, false, false, false};
	MfParallel	parallel = {2, is_cancelled};
	Sample		s = sample_new(&options);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	double		loss = 0.0;
	double		again = 0.0;

	sample_sweep(als, &s, MF_USERS, false, 0, &loss);
	ok(mf_als_begin(als, MF_USERS, false, NULL) == MF_OK, "a half-sweep begins");
	cancel = true;
	ok(mf_als_rows(als, &s.users) == MF_CANCELLED, "and is cancelled");
	cancel = false;
	ok(sample_sweep(als, &s, MF_USERS, true, 0, &again) == MF_OK, "the next one has floats again");
	is_close(again, loss, 1e-5, "with the same loss");
	s.factors.rating[5] = NAN;
	ok(sample_sweep(als, &s, MF_USERS, false, 0, NULL) != MF_OK, "what is not a number is not rounded");
	free(space);
	sample_free(&s);
}

/*
 * With many factors, where vectors have steps of their own, with weights and without: the loss is no higher than within
 * what conjugate gradients leave of it, also beside a giant.
 */
static void
test_many(bool rating, bool interest, int d, bool weighted)
{
	SampleOptions options = {300, 180, d, rating, interest, weighted, 100, 3, true, 0, false, false, false, false};
	double		off;
	double		rise;

	train_both(&options, 1.0f, 20, &off, &rise);
	if (!ok(off > 0.0 && off < 2e-2 && fabs(rise) < 1e-3, "rating %d, interest %d, d = %d: rounding is small with many factors",
			rating, interest, d))
		printf("#   scores off by %g, loss by %g\n", off, rise);
	train_both(&options, 1e4f, 2, &off, &rise);
	if (!ok(rise < 1e-3, "rating %d, interest %d, d = %d: and beside a giant", rating, interest, d))
		printf("#   scores off by %g, loss by %g\n", off, rise);
}

int
main(void)
{
	static const int sizes[] = {1, 16, 30, 48, 64, 70, 96};

	if (mf_int16() == NULL)
	{
		skip("whole numbers", "they are no faster here");
		return done();
	}
	for (MfIsa best = mf_isa(), level = (MfIsa) 0; level <= best; level++)
	{
		mf_isa_limit(level);
		for (int k = 0; k < 7 && mf_int16() != NULL; k++)
		{
			printf("# %s, tiles: %s\n", mf_isa_name(level), mf_isa_has_amx() ? "in use" : "none");
			test_kernels(mf_int16(), sizes[k]);
		}
	}
	for (int d = 7; d <= 64; d += 57)
	{
		for (int prior = 0; prior < 2; prior++)
		{
			test_training(true, false, d, prior);
			test_training(false, true, d, prior);
			test_training(true, true, d, prior);
		}
	}
	for (int weighted = 0; weighted < 2; weighted++)
	{
		test_many(true, false, 130, weighted);
		test_many(false, true, 130, weighted);
		test_many(true, true, 200, weighted);
	}
	test_broken_off();
	return done();
}

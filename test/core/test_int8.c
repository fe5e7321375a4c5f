/*
 * test_int8.c - the fixed side as whole numbers of 8 bits: kernels beside plain loops over the numbers, to the last digit
 * where they are whole, and trainings that begin with 8 bits beside trainings in floats.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "amx_trap.h"
#include "core/als/als_int16.h"
#include "sample.h"

#define MANY 300				/* rows */
#define APART 16				/* numbers between two rows of a product */

static int	ld;
static float *rows;				/* MANY x ld, on their way to */
static float *packed;			/* the same quantized */
static int *number;				/* MANY x ld: the whole numbers by plain rounding */
static float *step;				/* ld: powers of 2, so that floats are whole numbers of them */

/* Rows of d whole numbers and fractions of steps; extreme: of the largest numbers alone. */
static void
set_up(int d, bool extreme)
{
	ld = mf_padded(d);
	rows = sample_floats((size_t) (MANY * ld));
	packed = sample_floats((size_t) (MANY * ld));
	step = sample_floats((size_t) ld);
	number = malloc((size_t) (MANY * ld) * sizeof(int));
	for (int j = 0; j < ld; j++)
		step[j] = ldexpf(1.0f, j % 5 - 7);
	for (int r = 0; r < MANY; r++)
		for (int j = 0; j < ld; j++)
		{
			float		x = 2 * sample_uniform(1, r * 1024 + j) - 1;

			x = extreme ? (x < 0 && r % 2 == 0 ? -127.0f : 127.0f) : 127.0f * x;
			number[r * ld + j] = j < d ? (int) rintf(x) : 0;
			rows[r * ld + j] = j < d ? x * step[j] : 0.0f;
		}
	for (int r = 0; r < MANY; r++)
		mf_int8()->quantize(packed + r * ld, rows + r * ld, ld, step);
}

static void
tear_down(void)
{
	free(rows);
	free(packed);
	free(step);
	free(number);
}

/* What rows' whole numbers stand for, side by side, each lane's with scales of its own: powers of 2, so to the bit. */
static void
test_interleave(int d)
{
	static float out[16 * MF_INT16_MOST_LD];
	static float scale[16 * MF_INT16_MOST_LD];
	bool		same = true;

	for (int k = 0; k < 16 * ld; k++)
		scale[k] = ldexpf(1.0f, k * 7 % 11 - 5);
	for (int first = 0; first + 16 <= MANY; first += 16)
	{
		const float *row[16];

		for (int l = 0; l < 16; l++)
			row[l] = packed + (first + l * 5 % 16) * ld;
		mf_int8()->interleave(out, row, step, 0.5f, scale, ld);
		for (int l = 0; l < 16; l++)
			for (int j = 0; j < ld; j++)
				same = same && out[j * 16 + l] ==
					0.5f * scale[j * 16 + l] * step[j] * (float) number[(first + l * 5 % 16) * ld + j];
	}
	ok(same, "d = %d: rounded to the nearest step", d);
}

/* Where gathered sums and a panel's product are to be. */
typedef struct Product
{
	int32_t		column[MF_INT8_PANEL];
	float		factor[MF_INT8_PANEL];
	float		constant[MF_INT8_PANEL];
	float	   *sum;			/* 2 x ld */
	float	   *c;				/* ld x ld */
} Product;

/* Whether the product's upper tiles, and the sum with even factors, are what plain loops find: half steps are whole floats. */
static bool
is_exact(const Product *p, int n, int before)
{
	bool		same = true;

	for (int i = 0; i < ld; i++)
	{
		int64_t		total = 0;

		for (int k = 0; k < n; k++)
			total += number[p->column[k] * ld + i];
		same = same && p->sum[i] == 3.0f * step[i] * (float) total;
		for (int j = i; j < ld; j++)
		{
			int64_t		sum = 0;

			for (int k = 0; k < n; k++)
				sum += number[p->column[k] * ld + i] * number[p->column[k] * ld + j];
			same = same && p->c[i * (ld + APART) + j] == (float) before + 0.5f * step[i] * step[j] * (float) sum;
		}
	}
	return same;
}

/* How far the sum with factors that differ is off, relative to the sum of sizes of its largest terms. */
static double
off_sum(const float *sum, const int32_t *column, const float *factor, int n)
{
	double		off = 0.0;

	for (int i = 0; i < ld; i++)
	{
		double		expected = 0.0;

		for (int k = 0; k < n; k++)
			expected += (double) factor[k] * step[i] * number[column[k] * ld + i];
		off = fmax(off, fabs(sum[i] - expected) / (127.0 * 0.5 * n * step[i]));
	}
	return off;
}

/* Gathers n rows, some of them twice, and adds up their products. */
static void
test_product(int d, int n, bool add)
{
	Product		p = {.sum = sample_floats(2 * (size_t) ld),.c = sample_floats((size_t) (ld * (ld + APART)))};
	float	   *panel = sample_floats((MF_INT8_PANEL / 4 + 1) * (size_t) ld);
	MfGather	gather = {.rows = packed,.stride = ld,.ld = ld,.n = n,.column = p.column,.panel = panel,.nsums = 2,
		.factor = {p.constant, p.factor},.sum = {p.sum, p.sum + ld},.even = {true, false}};
	MfAhead		ahead = {packed, ld, mf_int8_floats(ld), p.column, n / 2};

	for (int k = 0; k < n; k++)
	{
		p.column[k] = (k * 97) % MANY;
		p.constant[k] = 3.0f;
		p.factor[k] = sample_uniform(2, k) - 0.5f;
	}
	for (int k = 0; k < ld * (ld + APART); k++)
		p.c[k] = add ? 1.0f : NAN;
	/* what the panel held before does not matter */
	memset(panel, 0xff, (MF_INT8_PANEL / 4 + 1) * (size_t) ld * sizeof(float));
	mf_int8()->gather(&gather, step);
	mf_int8()->syrk(p.c, ld + APART, panel, ld, n, step, 0.5f, add, &ahead);
	ok(is_exact(&p, n, add ? 1 : 0), "d = %d: %d rows %s exactly", d, n, add ? "added to a product" : "multiplied");
	ok(off_sum(p.sum + ld, p.column, p.factor, n) < 2e-5, "d = %d: and summed by factors", d);
	free(p.sum);
	free(p.c);
	free(panel);
}

/* Inner products and sums of n rows where they lie. */
static void
test_rows(int d, int n)
{
	int32_t		column[MANY];
	float		product[MANY];
	float		factor[MANY];
	float	   *x = sample_floats((size_t) ld);
	float	   *sum = sample_floats((size_t) ld);
	double		off = 0.0;

	for (int k = 0; k < n; k++)
	{
		column[k] = (k * 97) % MANY;
		factor[k] = sample_uniform(3, k) - 0.5f;
		product[k] = 1.0f;
	}
	/* row 97's signs: where numbers are extreme, all products of one row add up */
	for (int j = 0; j < d; j++)
		x[j] = (number[97 * ld + j] < 0 ? -1.0f : 1.0f) / step[j];
	mf_int8()->subtract_products(product, packed, ld, column, x, step, ld, n);
	mf_int8()->add_rows(sum, packed, ld, column, factor, step, ld, n);
	for (int k = 0; k < n; k++)
	{
		double		expected = 1.0;

		for (int j = 0; j < d; j++)
			expected -= (double) x[j] * step[j] * number[column[k] * ld + j];
		off = fmax(off, fabs(product[k] - expected) / (127.0 * d));
	}
	ok(off < 2e-5, "d = %d: inner products with %d rows", d, n);
	ok(off_sum(sum, column, factor, n) < 2e-5, "d = %d: a sum of %d rows", d, n);
	free(x);
	free(sum);
}

static void
test_kernels(int d)
{
	static const int lengths[] = {1, 2, 3, 4, 37, 128, 190, 321, MF_INT8_PANEL};

	for (int extreme = 0; extreme < 2; extreme++)
	{
		set_up(d, extreme == 1);
		test_interleave(d);
		for (int k = 0; k < (int) (sizeof(lengths) / sizeof(lengths[0])); k++)
		{
			test_product(d, lengths[k], false);
			test_product(d, lengths[k], true);
			test_rows(d, lengths[k] < MANY ? lengths[k] : MANY);
		}
		test_rows(d, MANY);
		tear_down();
	}
}

/* What a training came to. */
typedef struct Outcome
{
	double		loss;			/* after the users' last, exact half-sweep */
	int			coarse;			/* half-sweeps with 8 bits */
	int			fine;			/* and with 13 */
	Sample		sample;			/* with its factors */
} Outcome;

/* How much user u likes item i: there is something to learn, as there is in ratings. */
static float
taste(int64_t u, int64_t i)
{
	float		sum = 0.0f;

	for (int k = 0; k < 4; k++)
		sum += (sample_uniform(31, 4 * u + k) - 0.5f) * (sample_uniform(32, 4 * i + k) - 0.5f) * (float) (8 - 2 * k);
	return sum;
}

/* Cells where they are liked, by chance, `density` of 1000 where users do not care, and ratings that say by how much. */
static int64_t
planted_cells(const SampleOptions *o, int32_t *user, int32_t *item, float *rating)
{
	int64_t		n = 0;

	for (int64_t u = 0; u < o->nusers; u++)
		for (int64_t i = 0; i < o->nitems; i++)
		{
			int64_t		k = u * o->nitems + i;
			float		likes = taste(u, i);

			if (sample_uniform(33, k) * 1000 >= (float) o->density * expf(2.0f * likes))
				continue;
			user[n] = (int32_t) u;
			item[n] = (int32_t) i;
			rating[n++] = likes + sample_uniform(34, k) - 0.5f;
		}
	return n;
}

static void
free_matrix(MfMatrix *m)
{
	free(m->start);
	free((void *) m->column);
	free((void *) m->rating);
}

/* A sample whose cells are planted. */
static Sample
planted_sample(const SampleOptions *o)
{
	MfParallel	parallel = {1, NULL};
	Sample		s = sample_new(o);
	size_t		most = (size_t) (o->nusers * o->nitems);
	int32_t    *user = sample_floats(most);
	int32_t    *item = sample_floats(most);
	float	   *rating = sample_floats(most);
	int64_t		n = planted_cells(o, user, item, rating);
	MfTriplets	triplets = {n, user, item, rating, NULL};
	void	   *space = malloc(mf_csr_workspace(&parallel, n, o->nusers + o->nitems));

	free_matrix(&s.by_user);
	free_matrix(&s.by_item);
	sample_matrix(&s.by_user, o->nusers, n, o->rating, false);
	sample_matrix(&s.by_item, o->nitems, n, o->rating, false);
	if (!o->rating)
		triplets.rating = NULL;
	mf_csr_build(&parallel, &triplets, MF_DUPLICATES_MEAN, &s.by_user, &s.by_item, space, NULL);
	s.users = mf_matrix_rows(&s.by_user);
	mf_csr_transpose(&parallel, &s.users, &s.by_item, user, space);
	s.items = mf_matrix_rows(&s.by_item);
	free(user);
	free(item);
	free(rating);
	free(space);
	return s;
}

/* So many iterations and the users' last half-sweep. */
static Outcome
train(const SampleOptions *options, bool rounds, int niterations, int nthreads, int64_t part)
{
	MfParallel	parallel = {nthreads, NULL};
	Outcome		outcome = {.sample = planted_sample(options)};
	void	   *space;
	MfAls	   *als;

	outcome.sample.problem.int16 = rounds;
	outcome.sample.problem.int8 = true;
	als = sample_als(&outcome.sample, &parallel, &space);
	for (int sweep = 0; sweep < 2 * niterations; sweep++)
	{
		sample_sweep(als, &outcome.sample, sweep % 2 == 0 ? MF_USERS : MF_ITEMS, false, part, NULL);
		outcome.coarse += als->int16 != NULL && als->coarse;
		outcome.fine += als->int16 != NULL && !als->coarse;
	}
	sample_sweep(als, &outcome.sample, MF_USERS, true, part, &outcome.loss);
	ok(als->int16 == NULL, "the last half-sweep has floats");
	free(space);
	return outcome;
}

/*
 * Ten iterations with 8 bits at first lead to where floats lead, for so many cells: from where trainings start, chance
 * leads those of few cells to different places.
 */
static void
test_training(const SampleOptions *options, const char *name)
{
	Outcome		rounded = train(options, true, 10, 2, 0);
	Outcome		exact = train(options, false, 10, 2, 0);

	ok(exact.coarse + exact.fine == 0 && rounded.coarse >= 4, "%s, d = %d: %d half-sweeps with 8 bits, %d with 13", name,
	   options->factors, rounded.coarse, rounded.fine);
	if (!ok(fabs(rounded.loss / exact.loss - 1.0) < 3e-5, "%s, d = %d: the same loss", name, options->factors))
		printf("#   off by %g\n", rounded.loss / exact.loss - 1.0);
	sample_free(&rounded.sample);
	sample_free(&exact.sample);
}

/* Once iterations bring little, 13 bits follow, and where they are not asked for there are no others. */
static void
test_settled(const SampleOptions *options)
{
	Outcome		outcome = train(options, true, 40, 2, 0);

	ok(outcome.coarse >= 4 && outcome.fine >= 20 && outcome.coarse + outcome.fine == 80,
	   "of forty iterations' half-sweeps %d have 8 bits, %d have 13", outcome.coarse, outcome.fine);
	sample_free(&outcome.sample);
}

/* Neither threads nor parts come into the loss, and so neither into the choice of bits. */
static void
test_same_bits(const SampleOptions *options)
{
	static const int threads[] = {2, 3, 8};
	Outcome		one = train(options, true, 10, 1, 0);
	size_t		size = (size_t) one.sample.problem.nusers * (size_t) mf_padded(options->factors) * sizeof(float);

	for (int k = 0; k < 3; k++)
	{
		Outcome		other = train(options, true, 10, threads[k], k == 0 ? 0 : 7);

		ok(other.loss == one.loss && other.coarse == one.coarse && other.fine == one.fine &&
		   memcmp(other.sample.factors.user, one.sample.factors.user, size) == 0, "the same bits with %d threads",
		   threads[k]);
		sample_free(&other.sample);
	}
	sample_free(&one.sample);
}

/* Trainings by tiles, the processor's or trapped, and without: of 8 bits, and later of 13. */
static void
test_tiles(void)
{
	SampleOptions options = {.nusers = 90,.nitems = 120,.factors = 20,.rating = true,.interest = true,.density = 500,
	.int16 = true,.shared = 12};
	size_t		size = (size_t) (options.nusers * mf_padded(options.factors)) * sizeof(float);
	MfIsa		best = mf_isa();
	Outcome		without;
	Outcome		with;

#ifdef MF_HAS_AMX
	mf_isa_limit(MF_ISA_VNNI);
#endif
	without = train(&options, true, 20, 1, 0);
	mf_isa_limit(best);
	if (!mf_isa_has_amx() && !pretend_tiles())
		skip("the same bits with tiles and without", mf_amx_text(mf_amx()));
	else
	{
		with = train(&options, true, 20, 1, 0);
		ok(with.coarse > 0 && with.fine > 0 && with.loss == without.loss &&
		   memcmp(with.sample.factors.user, without.sample.factors.user, size) == 0,
		   "the same bits with tiles and without: %d half-sweeps of 8 bits, %d of 13", with.coarse, with.fine);
		sample_free(&with.sample);
		stop_pretending();
	}
	sample_free(&without.sample);
}

int
main(void)
{
	static const int sizes[] = {1, 3, 15, 16, 17, 48, 63, 64, 65, 80, 96};
	SampleOptions small = {.nusers = 300,.nitems = 180,.factors = 20,.rating = true,.interest = true,.density = 100,
	.int16 = true,.shared = 12};

	if (mf_int8() == NULL)
	{
		skip("whole numbers of 8 bits", "they are no faster here");
		return done();
	}
	for (MfIsa best = mf_isa(), level = (MfIsa) 0; level <= best; level++)
	{
		mf_isa_limit(level);
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]) && mf_int8() != NULL; k++)
		{
			printf("# %s, tiles: %s\n", mf_isa_name(level), mf_isa_has_amx() ? "in use" : "none");
			test_kernels(sizes[k]);
		}
	}
	for (int terms = 1; terms <= 3; terms++)
	{
		SampleOptions dense = {.nusers = 3000,.nitems = 1500,.factors = 32,.density = 100,.int16 = true};

		dense.interest = (terms & 1) != 0;
		dense.rating = (terms & 2) != 0;
		test_training(&dense, "dense");
	}
	test_training(&(SampleOptions) {.nusers = 8000,.nitems = 4000,.factors = 96,.shared = 64,.rating = true,.interest = true,
	.density = 6,.int16 = true}, "sparse");
	test_settled(&small);
	test_same_bits(&small);
	test_tiles();
	return done();
}

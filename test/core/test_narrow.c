/*
 * test_narrow.c - vectors of whole numbers of 16 bits: how they are rounded and written, and kernels on them, which at every
 * level say to the bit what floats say.
 */
#include "tap.h"

#include <float.h>
#include <math.h>

#include "catalog.h"
#include "core/base/narrow.h"
#include "core/kernels/score.h"
#include "core/simd/isa.h"

#define MOST 1008

/* How the numbers of a vector are made. */
typedef enum Shape
{
	NORMAL,
	MIXED,						/* from 1e-30 to 1 */
	HUGE_NUMBERS,				/* up to the largest float */
	TINY,						/* around the smallest normal float */
	SUBNORMAL,
	ZEROS,
	ONE,						/* one number, the others are 0 */
	EDGE,						/* the largest is just below, at or above where its unit doubles */
	SHAPES
} Shape;

static const char *const shape_name[] = {"normal", "mixed", "huge", "tiny", "subnormal", "zeros", "one number", "edge"};

static void
make_vector(Shape shape, int d, uint64_t seed, float *v)
{
	for (int j = 0; j < d; j++)
	{
		float		x = mf_random_normal(seed, (uint64_t) j);

		v[j] = shape == MIXED ? x * (float) pow(10, -30.0 * j / d) :
			shape == HUGE_NUMBERS ? x / 6 * FLT_MAX :
			shape == TINY ? x * 1e-37f :
			shape == SUBNORMAL ? x * 1e-41f :
			shape == ZEROS || (shape == ONE && j != d / 2) ? 0 : x;
		if (!isfinite(v[j]))
			v[j] = FLT_MAX;
	}
	if (shape == HUGE_NUMBERS)
		v[0] = seed % 2 ? FLT_MAX : -FLT_MAX;
	if (shape == EDGE)
		v[0] = ldexpf(32767.5f + (float) (seed % 3 - 1) / 512, (int) (seed % 9) - 4);
}

/* Rounded by half a unit at most, and for good; its numbers times its unit are its floats. */
static bool
rounds_well(const float *v, int d)
{
	float		rounded[MOST];
	float		again[MOST];
	int16_t		number[MOST];
	uint8_t		exponent;
	double		most = 0;
	double		error = 0;

	memcpy(rounded, v, sizeof(float) * (size_t) d);
	mf_narrow_round(rounded, d);
	memcpy(again, rounded, sizeof(float) * (size_t) d);
	mf_narrow_round(again, d);
	if (!mf_narrow_encode(rounded, d, number, &exponent) || memcmp(again, rounded, sizeof(float) * (size_t) d) != 0)
		return false;
	for (int j = 0; j < d; j++)
	{
		most = fmax(most, fabs(v[j]));
		error = fmax(error, fabs((double) v[j] - rounded[j]));
		if ((float) number[j] * mf_narrow_unit(exponent) != rounded[j] || number[j] < -32767)
			return false;
	}
	/* of the largest numbers that round to infinity the next smaller one is left */
	return error <= fmax(most * (most > 3.4e38 ? 0x1.0p-13 : 0x1.00021p-15), FLT_MIN / 2);
}

static void
test_rounding(int d)
{
	for (int shape = 0; shape < SHAPES; shape++)
	{
		bool		well = true;

		for (uint64_t seed = 0; seed < 60 && well; seed++)
		{
			float		v[MOST];

			make_vector((Shape) shape, d, seed, v);
			well = rounds_well(v, d);
		}
		ok(well, "%d numbers, %s", d, shape_name[shape]);
	}
}

/* What is not such whole numbers is not written; what is not finite stays as it is. */
static void
test_misfits(void)
{
	static const float not_finite[] = {INFINITY, -INFINITY, NAN};
	float		v[20];
	float		copy[20];
	int16_t		number[20];
	uint8_t		exponent;

	make_vector(NORMAL, 20, 1, v);
	ok(!mf_narrow_encode(v, 20, number, &exponent), "floats are no whole numbers");
	mf_narrow_round(v, 20);
	ok(mf_narrow_encode(v, 20, NULL, &exponent), "rounded ones are");
	v[3] = nextafterf(v[3], 1);
	ok(!mf_narrow_encode(v, 20, NULL, &exponent), "with one that is off by a bit they are not");
	for (int i = 0; i < 3; i++)
	{
		v[7] = not_finite[i];
		memcpy(copy, v, sizeof(v));
		mf_narrow_round(v, 20);
		ok(memcmp(copy, v, sizeof(v)) == 0 && !mf_narrow_encode(v, 20, NULL, &exponent), "%g stays as it is", not_finite[i]);
	}
	ok(mf_narrow_unit(0) == 0 && mf_narrow_unit(127) == 1 && mf_narrow_unit(1) == FLT_MIN, "units are powers of two");
}

/* 17 rows of whole numbers, and the floats that they say. */
typedef struct Rows
{
	int			ld;
	int			shared;			/* padded */
	int16_t		number[2][17 * MOST];
	uint8_t		exponent[2][17];
	float		vector[17 * MOST];
} Rows;

static void
make_rows(Rows *rows, int d, int parts, float weight)
{
	int			shared = parts > 1 ? (d + 1) / 2 : d;

	rows->ld = mf_padded(d);
	rows->shared = mf_padded(shared);
	for (int i = 0; i < 17; i++)
	{
		float		part[2][MOST] = {{0}};

		make_vector(i % 5 == 4 ? MIXED : i == 6 ? ZEROS : NORMAL, shared, (uint64_t) i, part[0]);
		make_vector(i % 7 == 6 ? MIXED : NORMAL, d, (uint64_t) i + 100, part[1]);
		for (int p = 0; p < parts; p++)
		{
			mf_narrow_round(part[p], rows->ld);
			if (!mf_narrow_encode(part[p], p == 0 ? rows->shared : rows->ld,
								  rows->number[p] + i * (p == 0 ? rows->shared : rows->ld), &rows->exponent[p][i]))
				rows->ld = 0;
		}
		if (i == 3)
			rows->exponent[1][i] = 0;
		for (int j = 0; j < rows->ld; j++)
		{
			volatile float product = parts > 1 && i != 3 ? weight * part[1][j] : 0;

			rows->vector[i * rows->ld + j] = part[0][j] + product;
		}
	}
}

/* Whether a level's kernels say of whole numbers what they say of floats, in full and cut off behind the shared numbers. */
static bool
kernels_agree(const MfScore *kernels, const Rows *rows, int parts, float weight)
{
	static const int32_t position[] = {16, 1, 1, 3, 0, 5, 6, 7, 8, 14, 10, 11, 12, 13, 9, 15};
	MfNarrowRows narrow = {{rows->number[0], parts > 1 ? rows->number[1] : NULL}, {rows->exponent[0], rows->exponent[1]},
	{rows->shared, rows->ld}, weight, NULL};
	float		query[MOST] __attribute__((aligned(64)));
	float		norm[16];
	float		offset[16];
	float		row[MOST];
	bool		same = rows->ld > 0;

	for (int j = 0; j < MOST; j++)
		query[j] = mf_random_normal(3, (uint64_t) j);
	for (int i = 0; i < 16; i++)
	{
		norm[i] = 0.5f + (float) i;
		offset[i] = (float) i / 7;
	}
	for (int i = 0; i < 17 && same; i++)
	{
		kernels->narrow_row(&narrow, i, rows->ld, row);
		for (int j = 0; j < rows->ld; j++)
			same = same && row[j] == rows->vector[i * rows->ld + j];
	}
	for (int kind = 0; kind < 3 && same; kind++)
	{
		float		score[16];
		float		expected[16];
		const float *n = kind == 1 ? norm : NULL;
		const float *o = kind == 2 ? offset : NULL;
		uint32_t	reached = kernels->score_narrow(query, rows->ld, &narrow, position, n, o, 0.1f, score);

		same = reached == kernels->score_rows(query, rows->ld, rows->vector, position, n, o, 0.1f, expected) &&
			memcmp(score, expected, sizeof(score)) == 0;
	}
	return same;
}

static void
test_kernels(int d)
{
	static const float weights[] = {0.03f, 1, 1e10f, -0.7f};
	static Rows rows;

	for (int level = 0; level < MF_ISA_LEVELS; level++)
	{
		bool		same = true;

		if (mf_isa_limit((MfIsa) level) != (MfIsa) level)
		{
			skip(mf_isa_name((MfIsa) level), "this machine has not got it");
			continue;
		}
		for (int parts = 1; parts <= 2; parts++)
			for (int w = 0; w < 4; w++)
			{
				make_rows(&rows, d, parts, weights[w]);
				same = same && kernels_agree(mf_score(), &rows, parts, weights[w]);
			}
		ok(same, "%s: kernels, %d numbers", mf_isa_name((MfIsa) level), d);
	}
	mf_isa_limit((MfIsa) (MF_ISA_LEVELS - 1));
}

/* Whether an index of items with this change is of floats. */
static bool
is_wide(int parts, float weight, float other_weight, float behind)
{
	Catalog		c = catalog_new(40, 24, 1);
	bool		wide;

	catalog_narrow(&c, parts, 8);
	for (int64_t i = 0; i < c.n && parts > 1; i++)
		c.weight[i] = i == 20 ? other_weight : weight;
	if (parts > 1)
		c.part[0][5 * c.ld + c.shared] = behind;
	else
		c.part[0][5 * c.ld] += behind;
	wide = catalog_items(&c).parts == 0;
	catalog_free(&c);
	return wide;
}

/* Which items an index has as whole numbers. */
static void
test_choice(void)
{
	ok(!is_wide(1, 0, 0, 0) && !is_wide(2, 0.03f, 0.03f, 0), "whole numbers are kept as such");
	ok(!is_wide(2, 0.03f, 0, 0) && !is_wide(2, 0, 0, 0), "also where some or all second parts weigh nothing");
	ok(is_wide(2, 0.03f, 0.04f, 0), "not where they have two weights");
	ok(is_wide(2, 0.03f, 0.03f, 1), "nor where a first part has more numbers than are shared");
	ok(is_wide(1, 0, 0, 1e-7f), "nor where one is no whole number");
	ok(is_wide(2, 1e-38f, 1e-38f, 0),
	   "nor where a weight times a unit is no normal float");
	ok(is_wide(2, INFINITY, INFINITY, 0), "nor where it is infinite");
}

int
main(void)
{
	static const int lengths[] = {1, 3, 15, 16, 17, 63, 64, 65, 96, 128, 200, 256, 1000};

	for (int l = 0; l < 13; l++)
	{
		test_rounding(lengths[l]);
		test_kernels(lengths[l]);
	}
	test_misfits();
	test_choice();
	return done();
}

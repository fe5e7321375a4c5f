/*
 * test_features.c - the map from features to factors: against exact solutions and the prototype's steps in double.
 */
#include "tap.h"

#include "core/simd/isa.h"
#include "feature_sample.h"

/* A regression for tests: everything that a fit points to. */
typedef struct Regression
{
	Features   *features;
	MfParallel	parallel;
	MfMapFit	fit;
	float	   *scale;
	float	   *weight;
	float	   *y;
	float	   *b;
	void	   *workspace;
} Regression;

static const Block few_blocks[] = {{NUMBER, 1, NULL}, {WORDS, 30, NULL}, {CATEGORY, 12, NULL}};

/* 400 items, 43 features, values that differ by orders of magnitude; y is NaN where items are left out. */
static Regression
regression_new(Features *features, int d, uint64_t seed)
{
	Regression	r = {.features = features,.parallel = {1, NULL}};
	size_t		nitems = (size_t) features->matrix.nitems;
	size_t		nfeatures = (size_t) features->matrix.nfeatures;
	size_t		stride = (size_t) mf_map_stride(d);

	r.scale = floats(nfeatures);
	r.weight = floats(nitems);
	r.y = floats(nitems * stride);
	r.b = floats(nfeatures * stride);
	for (size_t f = 0; f < nfeatures; f++)
		r.scale[f] = f % 9 == 4 ? 0.0f : 0.2f + 2.0f * (float) mf_random_uniform(seed, f);
	for (size_t i = 0; i < nitems; i++)
	{
		r.weight[i] = i % 7 == 3 ? 0.0f : 0.5f + (float) mf_random_uniform(seed + 1, i);
		for (int k = 0; k < d; k++)
			r.y[i * stride + (size_t) k] = i % 7 == 3 ? NAN : mf_random_normal(seed + 2, i * 1024 + (size_t) k);
	}
	r.workspace = malloc(mf_map_size((int64_t) nitems, (int32_t) nfeatures, d, &r.parallel));
	r.fit = (MfMapFit) {&features->matrix, NULL, r.scale, r.weight, 3.0f, d, 300, 1e-7};
	return r;
}

static MfError
regression_fit(Regression *r)
{
	r->fit.parallel = &r->parallel;
	return mf_map_fit(&r->fit, r->y, r->b, r->workspace);
}

static void
regression_restart(Regression *r)
{
	memset(r->b, 0, (size_t) r->fit.matrix->nfeatures * (size_t) mf_map_stride(r->fit.factors) * sizeof(float));
}

static void
regression_free(Regression *r)
{
	free(r->scale);
	free(r->weight);
	free(r->y);
	free(r->b);
	free(r->workspace);
}

/* Whether all behind the d-th number of each row is 0. */
static bool
padding_is_zero(const float *x, int64_t nrows, int d)
{
	int			stride = mf_map_stride(d);

	for (int64_t r = 0; r < nrows; r++)
		for (int k = d; k < stride; k++)
			if (x[r * stride + k] != 0.0f)
				return false;
	return true;
}

/* Whether out is what b says of every item. */
static double
apply_error(const Regression *r, const float *out)
{
	int32_t		m = r->fit.matrix->nfeatures;
	int			stride = mf_map_stride(r->fit.factors);
	double	   *g = naive_scaled(r->features, r->fit.scale);
	double		worst = 0;

	for (int64_t i = 0; i < r->fit.matrix->nitems; i++)
		for (int k = 0; k < r->fit.factors; k++)
		{
			double		sum = 0;
			double		off;

			for (int32_t f = 0; f < m; f++)
				sum += g[i * m + f] * r->b[f * stride + k];
			off = fabs(out[i * stride + k] - sum);
			worst = off <= worst ? worst : off;
		}
	free(g);
	return worst;
}

/* Solved to the end, a map is the exact one; what it says is G times it. */
static void
test_exact(int d)
{
	Features   *features = features_new(400, few_blocks, 3, 5, true);
	Regression	r = regression_new(features, d, 11);
	double	   *expected = naive_map(features, &r.fit, r.y);
	float	   *out = floats(400 * (size_t) mf_map_stride(d));
	bool		fitted = regression_fit(&r) == MF_OK;

	ok(fitted && naive_distance(&r.fit, r.b, expected) < 1e-5, "d = %d: the exact map (%g)", d,
	   naive_distance(&r.fit, r.b, expected));
	ok(padding_is_zero(r.b, features->matrix.nfeatures, d), "d = %d: padding stays 0", d);
	memset(out, 255, 400 * (size_t) mf_map_stride(d) * sizeof(float));
	ok(mf_map_apply(&r.fit, r.b, out) == MF_OK && apply_error(&r, out) < 1e-5, "d = %d: and what it says", d);
	ok(padding_is_zero(out, 400, d), "d = %d: without anything in the padding", d);
	free(expected);
	free(out);
	regression_free(&r);
	features_free(features);
}

/* No weights, no scales, values all 1, and one feature: the defaults. */
static void
test_defaults(void)
{
	Block		block = {CATEGORY, 9, NULL};
	Features   *features = features_new(200, &block, 1, 3, true);
	Regression	r = regression_new(features, 8, 12);
	double	   *expected;

	for (size_t k = 0; k < 200 * 16; k++)
		r.y[k] = k % 16 < 8 ? mf_random_normal(4, k) : 0.0f;
	r.fit.scale = r.fit.weight = NULL;
	features->item_pass.all.rating = features->feature_pass.all.rating = NULL;
	expected = naive_map(features, &r.fit, r.y);
	ok(regression_fit(&r) == MF_OK && naive_distance(&r.fit, r.b, expected) < 1e-5, "NULL: all are 1");
	free(expected);
	regression_free(&r);
	features_free(features);
}

/* Steps are those of the prototype, from 0 and from another map; each brings every column nearer. */
static void
test_steps(int d)
{
	Features   *features = features_new(400, few_blocks, 3, 6, true);
	Regression	r = regression_new(features, d, 13);
	double		last = INFINITY;
	double		off = 0;
	bool		falls = true;

	for (int steps = 0; steps <= 6; steps++)
	{
		double	   *expected;
		double		loss;

		r.fit.steps = steps;
		r.fit.tolerance = 0;
		regression_restart(&r);
		expected = naive_steps(features, &r.fit, r.y, NULL);
		regression_fit(&r);
		off = fmax(off, naive_distance(&r.fit, r.b, expected));
		loss = naive_loss(features, &r.fit, r.y, r.b, d - 1);
		falls = falls && loss < last;
		last = loss;
		free(expected);
	}
	ok(off < 1e-5, "d = %d: the steps of the prototype (%g)", d, off);
	ok(falls, "d = %d: each lowers the objective", d);
	for (int32_t f = 0; f < features->matrix.nfeatures; f++)
		for (int k = 0; k < d; k++)
			r.b[f * mf_map_stride(d) + k] = 0.2f * mf_random_normal(3, (uint64_t) (f * d + k));
	r.fit.steps = 2;
	{
		double	   *expected = naive_steps(features, &r.fit, r.y, r.b);

		regression_fit(&r);
		ok(naive_distance(&r.fit, r.b, expected) < 1e-5, "d = %d: also from another map", d);
		free(expected);
	}
	regression_free(&r);
	features_free(features);
}

/* A tolerance stops where the prototype does; what is solved needs no steps. */
static void
test_warm(void)
{
	Features   *features = features_new(400, few_blocks, 3, 7, true);
	Regression	r = regression_new(features, 24, 14);
	int			cold;
	double	   *expected;

	r.fit.tolerance = 1e-3;
	expected = naive_steps(features, &r.fit, r.y, NULL);
	regression_fit(&r);
	cold = features->item_pass.passes;
	ok(cold > 2 && cold < 40, "a tolerance ends it (%d steps)", cold);
	ok(naive_distance(&r.fit, r.b, expected) < 1e-4, "after as many steps as the prototype's");
	regression_fit(&r);
	ok(features->item_pass.passes == cold + 1, "from the solution no step is taken");
	for (int32_t f = 0; f < features->matrix.nfeatures; f++)
		r.b[f * 32] *= 1.02f;
	regression_fit(&r);
	ok(features->item_pass.passes < cold + cold, "from near it, few are");
	free(expected);
	regression_free(&r);
	features_free(features);
}

/* The same bits for any number of threads, any parts, and all levels nearly so. */
static void
test_bits(int d)
{
	static const Block blocks[] = {{NUMBER, 1, NULL}, {WORDS, 2500, NULL}, {CATEGORY, 5, NULL}, {WORDS, 400, NULL}};
	static const int64_t cuts[] = {0, 1000, 7};
	Features   *features = features_new(3000, blocks, 4, 8, false);
	Regression	r = regression_new(features, d, 15);
	size_t		size = (size_t) features->matrix.nfeatures * (size_t) mf_map_stride(d) * sizeof(float);
	float	   *first = malloc(size);
	MfIsa		best = mf_isa();
	bool		same = true;
	double		off = 0;

	r.fit.steps = 5;
	r.fit.tolerance = 0;
	for (int k = 0; k < 9; k++)
	{
		r.parallel.nthreads = 1 + k % 3;
		features_cut(features, cuts[k / 3]);
		regression_restart(&r);
		for (int sweep = 0; sweep < 2; sweep++)
			same = same && regression_fit(&r) == MF_OK;
		if (k == 0)
			memcpy(first, r.b, size);
		same = same && memcmp(first, r.b, size) == 0;
	}
	ok(same, "d = %d: the same bits for 1, 2 and 3 threads, and passes in any parts", d);
	for (int level = 0; level <= (int) best; level++)
	{
		mf_isa_limit((MfIsa) level);
		regression_restart(&r);
		for (int sweep = 0; sweep < 2; sweep++)
			regression_fit(&r);
		for (size_t k = 0; k < size / sizeof(float); k++)
			off = fabs(r.b[k] - first[k]) <= off ? off : fabs(r.b[k] - first[k]);
	}
	mf_isa_limit(best);
	ok(off < 1e-4, "d = %d: nearly the same at every level (%g)", d, off);
	free(first);
	regression_free(&r);
	features_free(features);
}

/* So many items that columns are solved in groups: each comes out as if it were alone. */
static void
test_groups(void)
{
	Block		block = {CATEGORY, 50, NULL};
	Features   *features = features_new(300000, &block, 1, 9, false);
	Regression	wide = regression_new(features, 64, 16);
	Regression	narrow = regression_new(features, 16, 16);
	bool		same = true;

	wide.fit.steps = narrow.fit.steps = 3;
	wide.fit.tolerance = narrow.fit.tolerance = 0;
	ok(mf_map_size(300000, 50, 64, &wide.parallel) < 66 << 20, "a workspace does not grow with d");
	ok(mf_map_size(3000, 50, 64, &wide.parallel) < 3 << 20, "and is small for few items");
	ok(regression_fit(&wide) == MF_OK, "64 columns of 300,000 items");
	for (int first = 0; first < 64; first += 16)
	{
		for (size_t i = 0; i < 300000; i++)
			memcpy(narrow.y + i * 16, wide.y + i * 64 + first, 16 * sizeof(float));
		regression_restart(&narrow);
		same = same && regression_fit(&narrow) == MF_OK;
		for (int f = 0; f < 50; f++)
			same = same && memcmp(narrow.b + f * 16, wide.b + f * 64 + first, 16 * sizeof(float)) == 0;
	}
	ok(same, "are those of 16 at a time");
	regression_free(&wide);
	regression_free(&narrow);
	features_free(features);
}

/* Vectors of one number in rows of 16 give what plain numbers do. */
static void
test_one(void)
{
	Features   *features = features_new(400, few_blocks, 3, 10, true);
	Regression	plain = regression_new(features, 1, 17);
	Regression	rows = regression_new(features, mf_map_columns(1), 17);
	double		off = 0;

	for (int i = 0; i < 400; i++)
		for (int k = 0; k < 16; k++)
			rows.y[i * 16 + k] = k == 0 ? plain.y[i] : 0.0f;
	ok(mf_map_stride(rows.fit.factors) == mf_padded(1) && regression_fit(&plain) == MF_OK &&
	   regression_fit(&rows) == MF_OK, "vectors of one number");
	for (int32_t f = 0; f < features->matrix.nfeatures; f++)
		off = fmax(off, fabs(rows.b[f * 16] - plain.b[f]));
	ok(off < 1e-5 && rows.b[16 * 3 + 5] == 0.0f, "are fitted as numbers are");
	regression_free(&plain);
	regression_free(&rows);
	features_free(features);
}

/* Some items alone. */
static void
test_places(void)
{
	Features   *features = features_new(400, few_blocks, 3, 10, true);
	Regression	r = regression_new(features, 8, 17);
	int32_t    *place = malloc(400 * sizeof(int32_t));
	float	   *all = floats(400 * 16);
	float	   *some = floats(400 * 16);
	bool		same = true;
	int32_t		n = 0;

	regression_fit(&r);
	mf_map_apply(&r.fit, r.b, all);
	for (int32_t i = 0; i < 400; i++)
		place[i] = i % 3 == 1 ? n++ : -1;
	memset(some, 255, 400 * 16 * sizeof(float));
	ok(mf_map_apply_to(&r.fit, r.b, place, some) == MF_OK, "some items");
	for (int32_t i = 0; i < 400; i++)
		same = same && (place[i] < 0 || memcmp(all + i * 16, some + place[i] * 16, 64) == 0);
	ok(same, "are as all");
	ok(some[n * 16] != some[n * 16], "and no others are touched");
	free(place);
	free(all);
	free(some);
	regression_free(&r);
	features_free(features);
}

static MfError
broken_rewind(void *state)
{
	(void) state;
	return MF_CANCELLED;
}

/* Nothing to fit, too much to fit, and passes that fail. */
static void
test_ends(void)
{
	Features   *features = features_new(400, few_blocks, 3, 10, true);
	Regression	r = regression_new(features, 8, 17);
	float	   *out = floats(400 * 16);

	memset(r.weight, 0, 400 * sizeof(float));
	ok(regression_fit(&r) == MF_OK && r.b[0] == 0.0f && r.b[43 * 16 - 9] == 0.0f, "no item: 0");
	r.b[5] = 3.0f;
	ok(regression_fit(&r) == MF_OK && fabsf(r.b[5]) < 1e-6f, "also from another map");
	r.weight[10] = 1.0f;
	r.y[160] = INFINITY;
	ok(regression_fit(&r) == MF_NOT_FINITE, "infinity is refused");
	r.y[160] = NAN;
	regression_restart(&r);
	ok(regression_fit(&r) == MF_NOT_FINITE, "so is what is no number");
	r.y[160] = 1.0f;
	features->matrix.by_feature.rewind = broken_rewind;
	regression_restart(&r);
	ok(regression_fit(&r) == MF_CANCELLED, "a pass that fails ends it");
	features->matrix.by_feature.rewind = pass_rewind;
	features->matrix.nfeatures = 0;
	features->feature_pass.all.nrows = 0;
	for (int i = 0; i <= 400; i++)
		features->by_item.start[i] = 0;
	memset(out, 255, 400 * 16 * sizeof(float));
	ok(regression_fit(&r) == MF_OK && mf_map_apply(&r.fit, r.b, out) == MF_OK && out[0] == 0.0f && out[6399] == 0.0f,
	   "no features: 0");
	free(out);
	regression_free(&r);
	features_free(features);
}

/* Whenever it comes, a cancel ends a fit, and soon. */
static void
test_cancel(void)
{
	static const Block blocks[] = {{NUMBER, 1, NULL}, {WORDS, 2500, NULL}, {CATEGORY, 5, NULL}};
	Features   *features = features_new(3000, blocks, 3, 8, false);
	Regression	r = regression_new(features, 64, 15);
	float	   *out = floats(3000 * 64);
	bool		right = true;
	int			times = 0;
	MfError		error = MF_CANCELLED;

	r.parallel = (MfParallel) {2, cancel_later};
	r.fit.tolerance = 0;
	r.fit.steps = 5;
	for (int polls = 0; error == MF_CANCELLED && polls < 100000; polls = polls * 5 / 4 + 1)
	{
		polls_left = polls;
		polls_after = 0;
		regression_restart(&r);
		error = regression_fit(&r);
		right = right && (error == MF_OK || (error == MF_CANCELLED && polls_after < 20));
		times++;
	}
	ok(right && error == MF_OK && times > 10, "a cancel ends it at any point, and at once");
	polls_left = 0;
	ok(mf_map_apply(&r.fit, r.b, out) == MF_CANCELLED, "and what a map says, too");
	free(out);
	regression_free(&r);
	features_free(features);
}

int
main(void)
{
	static const int sizes[] = {1, 8, 64, 100, 300};

	for (int k = 0; k < 5; k++)
		test_exact(sizes[k]);
	test_defaults();
	test_steps(1);
	test_steps(24);
	test_warm();
	test_bits(1);
	test_bits(64);
	test_bits(100);
	test_groups();
	test_one();
	test_places();
	test_ends();
	test_cancel();
	return done();
}

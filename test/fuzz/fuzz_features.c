/*
 * fuzz_features.c - maps of any finite features, values, weights and vectors, strengths and exposure found by them: finite,
 * or an error; the same bits by one thread in one part and by several threads in many parts; with tame numbers no error.
 */
#include "bytes.h"

#include <math.h>
#include <stdbool.h>

#include "core/features/exposure.h"
#include "core/features/strength.h"
#include "feature_sample.h"

/* Everything that is handed over, and in how many parts. */
typedef struct Case
{
	Features   *features;
	bool		tame;
	int			d;
	int64_t		nusers;
	MfMatrix	items;			/* nusers x nitems */
	MfMatrix	users;			/* its transpose */
	Pass		cells;
	float	   *user;
	float	   *y;
	float	   *weight;
	float	   *scale;
	float		ridge;
	int			steps;
	int64_t		cut;			/* rows of a part */
} Case;

static float
take_value(Bytes *bytes, bool tame)
{
	return tame ? (float) (take_byte(bytes) - 128) / 32 : take_float(bytes);
}

static float
take_size(Bytes *bytes, bool tame)
{
	return fabsf(take_value(bytes, tame));
}

/* Rows of vectors, 0 behind d. */
static float *
take_vectors(Bytes *bytes, bool tame, int64_t n, int d)
{
	float	   *x = floats((size_t) (n * mf_padded(d)));

	for (int64_t i = 0; i < n; i++)
		for (int k = 0; k < d; k++)
			x[i * mf_padded(d) + k] = bytes->left > 0 || !tame ? take_value(bytes, tame) :
				mf_random_normal(3, (uint64_t) (i * 64 + k));
	return x;
}

static float *
take_sizes(Bytes *bytes, bool tame, int64_t n)
{
	float	   *x = floats((size_t) n);

	for (int64_t i = 0; i < n; i++)
		x[i] = bytes->left > 0 ? take_size(bytes, tame) : 1.0f;
	return x;
}

/* A sparse matrix and its transpose: of cells that the bytes name, and where there are none left some that are drawn. */
static void
take_matrix(Bytes *bytes, bool tame, int64_t nrows, int64_t ncolumns, MfMatrix *rows, MfMatrix *columns)
{
	int64_t		n = take_below(bytes, 600);
	int32_t    *row = malloc((size_t) n * 4 + 4);
	int32_t    *column = malloc((size_t) n * 4 + 4);
	float	   *value = malloc((size_t) n * 4 + 4);
	MfTriplets	cells = {.n = n,.row = row,.column = column,.rating = value};

	for (int64_t c = 0; c < n; c++)
	{
		bool		drawn = bytes->left == 0;

		row[c] = (int32_t) (drawn ? mf_random_bits(1, (uint64_t) c) % (uint64_t) nrows : take_below(bytes, (uint32_t) nrows));
		column[c] = (int32_t) (drawn ? mf_random_bits(2, (uint64_t) c) % (uint64_t) ncolumns : take_below(bytes, (uint32_t) ncolumns));
		value[c] = drawn ? 1.0f : take_value(bytes, tame);
	}
	matrices_of(&cells, nrows, ncolumns, rows, columns);
	free(row);
	free(column);
	free(value);
}

static Features *
take_features(Bytes *bytes, bool tame, int64_t nitems)
{
	Features   *x = calloc(1, sizeof(Features));
	int			nblocks = 1 + (int) take_below(bytes, 4);

	x->block_start = zeros((size_t) nblocks + 1, 4);
	for (int b = 0; b < nblocks; b++)
		x->block_start[b + 1] = x->block_start[b] + 1 + (int32_t) take_below(bytes, b == 1 ? 300 : 12);
	take_matrix(bytes, tame, nitems, x->block_start[nblocks], &x->by_item, &x->by_feature);
	x->matrix = (MfFeatureMatrix) {nitems, x->block_start[nblocks], pass_of(&x->item_pass, mf_matrix_rows(&x->by_item)),
		pass_of(&x->feature_pass, mf_matrix_rows(&x->by_feature)), nblocks, x->block_start, x->by_item.start[nitems]};
	return x;
}

static void
take_case(Bytes *bytes, Case *c)
{
	uint8_t		parts = take_byte(bytes);
	int64_t		nitems = 1 + take_below(bytes, 150);
	int32_t		nfeatures;

	c->tame = parts & 1;
	c->d = 1 + (int) take_below(bytes, 34);
	c->nusers = 1 + take_below(bytes, 300);
	c->cut = 1 + take_below(bytes, 40);
	c->steps = (int) take_below(bytes, 12);
	c->ridge = c->tame ? 0.01f + take_size(bytes, true) : fmaxf(take_size(bytes, false), 1e-6f);
	c->features = take_features(bytes, c->tame, nitems);
	nfeatures = c->features->matrix.nfeatures;
	take_matrix(bytes, true, c->nusers, nitems, &c->items, &c->users);
	c->scale = parts & 2 ? take_sizes(bytes, c->tame, nfeatures) : NULL;
	c->weight = take_sizes(bytes, c->tame, nitems);
	c->y = take_vectors(bytes, c->tame, nitems, c->d);
	c->user = take_vectors(bytes, c->tame, c->nusers, c->d);
}

static void
free_case(Case *c)
{
	pass_forget(&c->cells);
	matrix_free(&c->items);
	matrix_free(&c->users);
	free(c->user);
	free(c->y);
	free(c->weight);
	free(c->scale);
	features_free(c->features);
}

static void
require_finite(const float *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		require(isfinite(x[i]));
}

/* A map from 0, and what it says of items. */
static MfError
fit_map(const Case *c, MfParallel *parallel, int steps, float *b, float *out)
{
	const MfFeatureMatrix *matrix = &c->features->matrix;
	MfMapFit	fit = {.matrix = matrix,.parallel = parallel,.scale = c->scale,.weight = c->weight,.ridge = c->ridge,
		.factors = mf_map_columns(c->d),.steps = steps,.tolerance = 1e-3};
	void	   *space = malloc(mf_map_size(matrix->nitems, matrix->nfeatures, fit.factors, parallel));
	MfError		error = mf_map_fit(&fit, c->y, b, space);

	if (error == MF_OK)
	{
		require_finite(b, matrix->nfeatures * mf_padded(c->d));
		require(mf_map_apply(&fit, b, out) == MF_OK);
	}
	free(space);
	return error;
}

/* Strengths, and then exposure by the map that the two make. */
static MfError
find_strengths(Case *c, MfParallel *parallel, float *lambda)
{
	MfStrengthSearch search = {.matrix = &c->features->matrix,.parallel = parallel,.factors = c->d,.vector = c->y,
		.weight = c->weight,.ridge = c->ridge,.nusers = c->nusers,.user = c->user,.items = mf_matrix_rows(&c->items)};
	void	   *space = malloc(mf_strength_size(&search));
	MfError		error = mf_strength_find(&search, lambda, NULL, space);

	free(space);
	for (int b = 0; b < search.matrix->nblocks && error == MF_OK; b++)
		require(lambda[b] == 0.0f || (lambda[b] >= 0.125f && lambda[b] <= 2048.0f));
	return error;
}

static MfError
find_exposure(Case *c, MfParallel *parallel, float *shift)
{
	float	   *offset = floats((size_t) c->features->matrix.nitems);
	MfRows		rows = mf_matrix_rows(&c->items);
	MfExposureFit fit = {.map = {.matrix = &c->features->matrix,.parallel = parallel,.scale = c->scale,.weight = c->weight,
		.ridge = c->ridge,.factors = c->d},.vector = c->y,.list_vector = c->y,.list_offset = offset,.shared = c->d,
		.nusers = c->nusers,.user = c->user,.ncells = rows.start[c->nusers] - rows.start[0]};
	MfError		error;
	void	   *space = malloc(mf_exposure_size(&fit));

	pass_forget(&c->cells);
	fit.cells = pass_of(&c->cells, rows);
	if (parallel->nthreads > 1)
		c->cells.rows_per_part = c->cut;
	error = mf_exposure_find(&fit, shift, space);
	if (error == MF_OK)
		require_finite(shift, mf_padded(c->d));
	free(space);
	free(offset);
	return error;
}

/* What is found by so many threads. */
typedef struct Found
{
	MfError		error[3];
	float	   *b;
	float	   *out;
	float	   *shift;
	float		lambda[4];
} Found;

static Found
find_all(Case *c, int threads)
{
	MfParallel	parallel = {threads, NULL};
	int64_t		nitems = c->features->matrix.nitems;
	size_t		size = (size_t) mf_padded(c->d);
	Found		found = {.b = floats((size_t) c->features->matrix.nfeatures * size),.out = floats((size_t) nitems * size),
		.shift = floats(size)};

	features_cut(c->features, threads > 1 ? c->cut : 0);
	found.error[0] = fit_map(c, &parallel, c->steps, found.b, found.out);
	found.error[1] = find_strengths(c, &parallel, found.lambda);
	found.error[2] = find_exposure(c, &parallel, found.shift);
	return found;
}

static void
free_found(Found *found)
{
	free(found->b);
	free(found->out);
	free(found->shift);
}

static void
require_same(const Case *c, const Found *x, const Found *y)
{
	size_t		row = (size_t) mf_padded(c->d) * sizeof(float);
	size_t		nitems = (size_t) c->features->matrix.nitems;

	for (int k = 0; k < 3; k++)
		require(x->error[k] == y->error[k] && (!c->tame || x->error[k] == MF_OK));
	if (x->error[0] == MF_OK)
	{
		require(memcmp(x->b, y->b, (size_t) c->features->matrix.nfeatures * row) == 0);
		require(memcmp(x->out, y->out, nitems * row) == 0);
	}
	require(x->error[1] != MF_OK || memcmp(x->lambda, y->lambda, sizeof(x->lambda)) == 0);
	require(x->error[2] != MF_OK || memcmp(x->shift, y->shift, row) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		bytes = {data, size};
	Case		c = {0};
	Found		one;
	Found		several;

	take_case(&bytes, &c);
	one = find_all(&c, 1);
	several = find_all(&c, 3);
	require_same(&c, &one, &several);
	if (c.tame)
		require_finite(one.out, c.features->matrix.nitems * mf_padded(c.d));
	free_found(&one);
	free_found(&several);
	free_case(&c);
	return 0;
}

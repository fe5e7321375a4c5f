/*
 * feature_sample.h - feature matrices for tests, handed over in any number of parts, and naive twins in double of what is
 * computed from them.
 */
#ifndef FEATURE_SAMPLE_H
#define FEATURE_SAMPLE_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/csr.h"
#include "core/base/padding.h"
#include "core/base/rng.h"
#include "core/features/feature_map.h"

/* Rows that are handed out so many at a time, each part in memory of its own that goes away with the next. */
typedef struct Pass
{
	MfRows		all;
	int64_t		rows_per_part;
	int64_t		next;
	int			passes;			/* begun so far */
	int64_t    *start;
	int32_t    *column;
	float	   *rating;
	float	   *weight;
} Pass;

/* A feature matrix, and the same dense. */
typedef struct Features
{
	MfFeatureMatrix matrix;
	MfMatrix	by_item;
	MfMatrix	by_feature;
	Pass		item_pass;
	Pass		feature_pass;
	int32_t    *block_start;
	double	   *dense;			/* nitems x nfeatures; NULL: too large */
} Features;

static void *
zeros(size_t n, size_t size)
{
	void	   *x = aligned_alloc(64, (n * size + 127) & ~(size_t) 63);

	return memset(x, 0, (n * size + 127) & ~(size_t) 63);
}

static float *
floats(size_t n)
{
	return zeros(n, sizeof(float));
}

static void
pass_forget(Pass *pass)
{
	free(pass->start);
	free(pass->column);
	free(pass->rating);
	free(pass->weight);
	pass->start = NULL;
	pass->column = NULL;
	pass->rating = pass->weight = NULL;
}

static MfError
pass_rewind(void *state)
{
	Pass	   *pass = state;

	pass->next = 0;
	pass->passes++;
	return MF_OK;
}

static bool
pass_next(void *state, MfRows *rows)
{
	Pass	   *pass = state;
	int64_t		first = pass->next;
	int64_t		n = pass->all.nrows - first < pass->rows_per_part ? pass->all.nrows - first : pass->rows_per_part;
	size_t		cells;

	pass_forget(pass);
	if (n <= 0)
		return false;
	cells = (size_t) (pass->all.start[first + n] - pass->all.start[first]);
	pass->start = zeros((size_t) n + 1, sizeof(int64_t));
	for (int64_t r = 0; r <= n; r++)
		pass->start[r] = pass->all.start[first + r] - pass->all.start[first];
	pass->column = memcpy(zeros(cells, 4), pass->all.column + pass->all.start[first], cells * 4);
	if (pass->all.rating != NULL)
		pass->rating = memcpy(zeros(cells, 4), pass->all.rating + pass->all.start[first], cells * 4);
	if (pass->all.weight != NULL)
		pass->weight = memcpy(zeros(cells, 4), pass->all.weight + pass->all.start[first], cells * 4);
	*rows = (MfRows) {first, n, pass->start, pass->column, pass->rating, pass->weight};
	pass->next = first + n;
	return true;
}

static MfPasses
pass_of(Pass *pass, MfRows all)
{
	*pass = (Pass) {.all = all,.rows_per_part = all.nrows};
	return (MfPasses) {pass, pass_rewind, pass_next};
}

static MfMatrix
matrix_new(int64_t nrows, int64_t n)
{
	return (MfMatrix) {nrows, zeros((size_t) nrows + 1, sizeof(int64_t)), zeros((size_t) n, 4), zeros((size_t) n, 4), NULL};
}

static void
matrix_free(MfMatrix *m)
{
	free(m->start);
	free(m->column);
	free(m->rating);
	free(m->weight);
}

/* Rows and columns of n triplets, which are overwritten. */
static void
matrices_of(MfTriplets *cells, int64_t nrows, int64_t ncolumns, MfMatrix *rows, MfMatrix *columns)
{
	MfParallel	parallel = {1, NULL};
	void	   *space = malloc(mf_csr_workspace(&parallel, cells->n, nrows + ncolumns));
	MfRows		view;

	*rows = matrix_new(nrows, cells->n);
	*columns = matrix_new(ncolumns, cells->n);
	mf_csr_build(&parallel, cells, MF_DUPLICATES_MEAN, rows, columns, space, NULL);
	view = mf_matrix_rows(rows);
	mf_csr_transpose(&parallel, &view, columns, cells->row, space);
	free(space);
}

/* How a block's features are drawn. */
typedef enum Kind
{
	NUMBER,						/* one feature that every item has */
	WORDS,						/* some of many, few of them often */
	CATEGORY,					/* one of many, alike; given by the caller, or by a hash */
	DISTINCT					/* each item has one of its own */
} Kind;

typedef struct Block
{
	Kind		kind;
	int32_t		count;			/* features; not of NUMBER and DISTINCT */
	const int32_t *value;		/* nitems: of CATEGORY; NULL: drawn */
} Block;

/* A feature of item i in a block: number k of several; -1: no more. */
static int32_t
draw_feature(const Block *block, uint64_t seed, int64_t i, int k)
{
	double		u = mf_random_uniform(seed, (uint64_t) (8 * i + k));

	switch (block->kind)
	{
		case NUMBER:
			return k == 0 ? 0 : -1;
		case WORDS:
			return k < 6 && (k == 0 || u < 0.8) ? (int32_t) (block->count * u * u * u) : -1;
		case CATEGORY:
			return k > 0 ? -1 : block->value != NULL ? block->value[i] : (int32_t) (block->count * u);
		default:
			return k == 0 ? (int32_t) i : -1;
	}
}

/* A matrix with these blocks; every tenth item (but of those with given values) has no features at all. */
static Features *
features_new(int64_t nitems, const Block *block, int nblocks, uint64_t seed, bool dense)
{
	Features   *x = calloc(1, sizeof(Features));
	MfTriplets	cells = {0};
	int32_t    *row = malloc((size_t) nitems * (size_t) nblocks * 8 * 4);
	int32_t    *column = malloc((size_t) nitems * (size_t) nblocks * 8 * 4);
	float	   *value = malloc((size_t) nitems * (size_t) nblocks * 8 * 4);

	x->block_start = zeros((size_t) nblocks + 1, 4);
	for (int b = 0; b < nblocks; b++)
	{
		int32_t		count = block[b].kind == NUMBER ? 1 : block[b].kind == DISTINCT ? (int32_t) nitems : block[b].count;

		x->block_start[b + 1] = x->block_start[b] + count;
		for (int64_t i = 0; i < nitems; i++)
			for (int k = 0; k < 8; k++)
			{
				int32_t		f = draw_feature(&block[b], seed + (uint64_t) b, i, k);

				if (f < 0 || (i % 10 == 7 && block[b].value == NULL))
					break;
				row[cells.n] = (int32_t) i;
				column[cells.n] = x->block_start[b] + f;
				value[cells.n++] = block[b].kind == CATEGORY || block[b].kind == DISTINCT ? 1.0f :
					0.3f + mf_random_normal(seed + 77, (uint64_t) (i * 8 + k));
			}
	}
	cells.row = row;
	cells.column = column;
	cells.rating = value;
	matrices_of(&cells, nitems, x->block_start[nblocks], &x->by_item, &x->by_feature);
	x->matrix = (MfFeatureMatrix) {nitems, x->block_start[nblocks],
		pass_of(&x->item_pass, mf_matrix_rows(&x->by_item)), pass_of(&x->feature_pass, mf_matrix_rows(&x->by_feature)),
	nblocks, x->block_start, x->by_item.start[nitems]};
	if (dense)
	{
		x->dense = zeros((size_t) nitems * (size_t) x->matrix.nfeatures, sizeof(double));
		for (int64_t i = 0; i < nitems; i++)
			for (int64_t c = x->by_item.start[i]; c < x->by_item.start[i + 1]; c++)
				x->dense[i * x->matrix.nfeatures + x->by_item.column[c]] = x->by_item.rating[c];
	}
	free(row);
	free(column);
	free(value);
	return x;
}

/* Has both orientations handed out so many rows at a time; 0: all. */
static void
features_cut(Features *x, int64_t rows)
{
	x->item_pass.rows_per_part = rows > 0 ? rows : x->item_pass.all.nrows;
	x->feature_pass.rows_per_part = rows > 0 ? rows : x->feature_pass.all.nrows;
}

static void
features_free(Features *x)
{
	pass_forget(&x->item_pass);
	pass_forget(&x->feature_pass);
	matrix_free(&x->by_item);
	matrix_free(&x->by_feature);
	free(x->block_start);
	free(x->dense);
	free(x);
}

/* The dense matrix with its columns scaled. */
static double *
naive_scaled(const Features *x, const float *scale)
{
	int64_t		n = x->matrix.nitems;
	int32_t		m = x->matrix.nfeatures;
	double	   *g = malloc((size_t) n * (size_t) m * sizeof(double));

	for (int64_t i = 0; i < n; i++)
		for (int32_t f = 0; f < m; f++)
			g[i * m + f] = x->dense[i * m + f] * (scale != NULL ? scale[f] : 1.0f);
	return g;
}

/* Weight of an item. */
static double
naive_weight(const MfMapFit *fit, int64_t i)
{
	return fit->weight != NULL ? fit->weight[i] : 1.0;
}

/* Column k of the right-hand side, G' W y. */
static void
naive_right(const MfMapFit *fit, const double *g, const float *y, int k, double *right)
{
	int32_t		m = fit->matrix->nfeatures;

	memset(right, 0, (size_t) m * sizeof(double));
	for (int64_t i = 0; i < fit->matrix->nitems; i++)
		for (int32_t f = 0; f < m && naive_weight(fit, i) > 0; f++)
			right[f] += g[i * m + f] * naive_weight(fit, i) * y[i * mf_map_stride(fit->factors) + k];
}

/* The matrix of the normal equations, m x m. */
static double *
naive_normal(const MfMapFit *fit, const double *g)
{
	int32_t		m = fit->matrix->nfeatures;
	double	   *a = zeros((size_t) m * (size_t) m, sizeof(double));

	for (int32_t f = 0; f < m; f++)
		a[f * m + f] = fit->ridge;
	for (int64_t i = 0; i < fit->matrix->nitems; i++)
		for (int32_t f = 0; f < m; f++)
			for (int32_t h = 0; h < m && g[i * m + f] != 0; h++)
				a[f * m + h] += naive_weight(fit, i) * g[i * m + f] * g[i * m + h];
	return a;
}

/* Replaces a by its Cholesky factor. */
static void
naive_factor(double *a, int32_t m)
{
	for (int32_t j = 0; j < m; j++)
		for (int32_t i = j; i < m; i++)
		{
			double		sum = a[i * m + j];

			for (int32_t k = 0; k < j; k++)
				sum -= a[i * m + k] * a[j * m + k];
			a[i * m + j] = i == j ? sqrt(sum) : sum / a[j * m + j];
		}
}

/* b = the solution of L L' b = right, which is overwritten. */
static void
naive_solve(const double *l, int32_t m, double *right, double *b)
{
	for (int32_t i = 0; i < m; i++)
	{
		for (int32_t k = 0; k < i; k++)
			right[i] -= l[i * m + k] * right[k];
		right[i] /= l[i * m + i];
	}
	for (int32_t i = m - 1; i >= 0; i--)
	{
		b[i] = right[i];
		for (int32_t k = i + 1; k < m; k++)
			b[i] -= l[k * m + i] * b[k];
		b[i] /= l[i * m + i];
	}
}

/* The exact map, m x d. */
__attribute__((unused)) static double *
naive_map(const Features *x, const MfMapFit *fit, const float *y)
{
	int32_t		m = fit->matrix->nfeatures;
	double	   *g = naive_scaled(x, fit->scale);
	double	   *a = naive_normal(fit, g);
	double	   *b = malloc((size_t) m * (size_t) fit->factors * sizeof(double));
	double	   *right = malloc((size_t) m * sizeof(double));
	double	   *column = malloc((size_t) m * sizeof(double));

	naive_factor(a, m);
	for (int k = 0; k < fit->factors; k++)
	{
		naive_right(fit, g, y, k, right);
		naive_solve(a, m, right, column);
		for (int32_t f = 0; f < m; f++)
			b[f * fit->factors + k] = column[f];
	}
	free(g);
	free(a);
	free(right);
	free(column);
	return b;
}

static double
naive_dot(const double *x, const double *y, int32_t m)
{
	double		sum = 0;

	for (int32_t f = 0; f < m; f++)
		sum += x[f] * y[f];
	return sum;
}

/* out = a x */
static void
naive_times(const double *a, const double *x, int32_t m, double *out)
{
	for (int32_t f = 0; f < m; f++)
		out[f] = naive_dot(a + f * m, x, m);
}

/* One column of conjugate gradients at work: all arrays have m numbers. */
typedef struct NaiveColumn
{
	double	   *b;
	double	   *right;
	double	   *residual;
	double	   *direction;
	double	   *product;
	double		known;
} NaiveColumn;

static double
naive_longest(const NaiveColumn *column, int d, int32_t m, bool right)
{
	double		most = 0;

	for (int k = 0; k < d; k++)
	{
		const double *x = right ? column[k].right : column[k].residual;

		most = fmax(most, sqrt(naive_dot(x, x, m)));
	}
	return most;
}

/* A step of one column, with the preconditioner 1 / diagonal. */
static void
naive_step(NaiveColumn *c, const double *a, int32_t m)
{
	double		length;
	double		known = 0;

	naive_times(a, c->direction, m, c->product);
	length = c->known / fmax(naive_dot(c->direction, c->product, m), 1e-30);
	for (int32_t f = 0; f < m; f++)
	{
		c->b[f] += length * c->direction[f];
		c->residual[f] -= length * c->product[f];
		known += c->residual[f] * c->residual[f] / a[f * m + f];
	}
	for (int32_t f = 0; f < m; f++)
		c->direction[f] = c->residual[f] / a[f * m + f] + known / fmax(c->known, 1e-30) * c->direction[f];
	c->known = known;
}

/*
 * The map (m x d) after so many steps from b, as the numpy prototype takes them: all columns until the longest
 * residual is short beside the longest right-hand side.
 */
static double *
naive_steps(const Features *x, const MfMapFit *fit, const float *y, const float *start)
{
	int32_t		m = fit->matrix->nfeatures;
	int			d = fit->factors;
	double	   *g = naive_scaled(x, fit->scale);
	double	   *a = naive_normal(fit, g);
	double	   *b = malloc((size_t) m * (size_t) d * sizeof(double));
	double	   *space = malloc((size_t) m * (size_t) d * 5 * sizeof(double));
	NaiveColumn *column = malloc((size_t) d * sizeof(NaiveColumn));

	for (int k = 0; k < d; k++)
	{
		double	   *mine = space + (size_t) k * 5 * (size_t) m;

		column[k] = (NaiveColumn) {mine, mine + m, mine + 2 * m, mine + 3 * m, mine + 4 * m, 0};
		naive_right(fit, g, y, k, column[k].right);
		for (int32_t f = 0; f < m; f++)
			column[k].b[f] = start != NULL ? start[f * mf_map_stride(d) + k] : 0;
		naive_times(a, column[k].b, m, column[k].product);
		for (int32_t f = 0; f < m; f++)
		{
			column[k].residual[f] = column[k].right[f] - column[k].product[f];
			column[k].direction[f] = column[k].residual[f] / a[f * m + f];
		}
		column[k].known = naive_dot(column[k].residual, column[k].direction, m);
	}
	for (int step = 0; step < fit->steps; step++)
	{
		if (naive_longest(column, d, m, false) < fit->tolerance * naive_longest(column, d, m, true))
			break;
		for (int k = 0; k < d; k++)
			naive_step(&column[k], a, m);
	}
	for (int k = 0; k < d; k++)
		for (int32_t f = 0; f < m; f++)
			b[f * d + k] = column[k].b[f];
	free(g);
	free(a);
	free(space);
	free(column);
	return b;
}

/* The objective of a map's column k. */
__attribute__((unused)) static double
naive_loss(const Features *x, const MfMapFit *fit, const float *y, const float *b, int k)
{
	int32_t		m = fit->matrix->nfeatures;
	int			stride = mf_map_stride(fit->factors);
	double	   *g = naive_scaled(x, fit->scale);
	double		loss = 0;

	for (int64_t i = 0; i < fit->matrix->nitems; i++)
	{
		double		off = 0;

		for (int32_t f = 0; f < m; f++)
			off += g[i * m + f] * b[f * stride + k];
		if (naive_weight(fit, i) > 0)
			loss += naive_weight(fit, i) * (off - y[i * stride + k]) * (off - y[i * stride + k]);
	}
	for (int32_t f = 0; f < m; f++)
		loss += fit->ridge * b[f * stride + k] * b[f * stride + k];
	free(g);
	return loss;
}

/* The largest difference of a map from one in double, beside the largest number of that. */
__attribute__((unused)) static double
naive_distance(const MfMapFit *fit, const float *b, const double *expected)
{
	double		most = 1e-30;
	double		off = 0;

	for (int32_t f = 0; f < fit->matrix->nfeatures; f++)
		for (int k = 0; k < fit->factors; k++)
		{
			double		e = expected[f * fit->factors + k];
			double		difference = fabs(b[f * mf_map_stride(fit->factors) + k] - e);

			most = fmax(most, fabs(e));
			off = difference <= off ? off : difference; /* NaN stays */
		}
	return off / most;
}

/* Calls of cancel_later() that still answer no, and how many there were after these. */
static int	polls_left __attribute__((unused));
static int	polls_after __attribute__((unused));

/* True from some call on. */
__attribute__((unused)) static bool
cancel_later(void)
{
	if (__atomic_sub_fetch(&polls_left, 1, __ATOMIC_RELAXED) >= 0)
		return false;
	__atomic_add_fetch(&polls_after, 1, __ATOMIC_RELAXED);
	return true;
}

#endif

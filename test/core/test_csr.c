/*
 * test_csr.c - triplets to rows: against a naive sort, with duplicates, empty rows, parts and
 * threads.
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/csr.h"
#include "core/base/rng.h"

typedef struct Cell
{
	int32_t		row;
	int32_t		column;
	float		rating;
	float		weight;
} Cell;

static int
compare_cells(const void *a, const void *b)
{
	const Cell *x = a;
	const Cell *y = b;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	if (x->rating != y->rating)
		return x->rating < y->rating ? -1 : 1;
	return (x->weight > y->weight) - (x->weight < y->weight);
}

static int
compare_transposed(const void *a, const void *b)
{
	const Cell *x = a;
	const Cell *y = b;

	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

/* Sorts and merges in the naive way; returns the number of cells left. */
static int64_t
merge_naively(Cell *cells, int64_t n, MfDuplicates mode)
{
	int64_t		to = 0;
	bool		sums = mode == MF_DUPLICATES_SUM || mode == MF_DUPLICATES_WEIGHTED_SUM;
	bool		by_weight = mode == MF_DUPLICATES_WEIGHTED_MEAN || mode == MF_DUPLICATES_WEIGHTED_SUM;

	qsort(cells, (size_t) n, sizeof(Cell), compare_cells);
	for (int64_t c = 0; c < n;)
	{
		int64_t		end = c;
		double		rating = 0.0;
		double		weight = 0.0;

		while (end < n && cells[end].row == cells[c].row && cells[end].column == cells[c].column)
		{
			rating += by_weight ? (double) cells[end].weight * cells[end].rating : cells[end].rating;
			weight += cells[end].weight;
			end++;
		}
		cells[to] = cells[c];
		cells[to].rating = (float) (rating / (by_weight ? weight : (double) (end - c)));
		cells[to++].weight = (float) (sums ? weight : weight / (double) (end - c));
		c = end;
	}
	return to;
}

static MfMatrix
new_matrix(int64_t nrows, int64_t n, bool rating, bool weight)
{
	MfMatrix	m = {nrows, calloc((size_t) nrows + 1, 8), malloc((size_t) n * 4 + 4), NULL, NULL};

	if (rating)
		m.rating = malloc((size_t) n * 4 + 4);
	if (weight)
		m.weight = malloc((size_t) n * 4 + 4);
	return m;
}

static void
free_matrix(MfMatrix *m)
{
	free(m->start);
	free(m->column);
	free(m->rating);
	free(m->weight);
}

/* Whether a matrix holds exactly these cells (transposed: by column). */
static bool
same_cells(const MfMatrix *m, const Cell *cells, int64_t n, bool transposed)
{
	int64_t		c = 0;

	for (int64_t row = 0; row < m->nrows; row++)
	{
		if (m->start[row] != c)
			return false;
		for (; c < n && (transposed ? cells[c].column : cells[c].row) == row; c++)
			if (m->column[c] != (transposed ? cells[c].row : cells[c].column) ||
				(m->rating != NULL && m->rating[c] != cells[c].rating) ||
				(m->weight != NULL && m->weight[c] != cells[c].weight))
				return false;
	}
	return c == n && m->start[m->nrows] == n;
}

/* shape 0: uniform; 1: one row has half of the cells; 2: few distinct places, so many duplicates */
static Cell *
random_cells(int64_t n, int32_t nrows, int32_t ncolumns, int shape, bool weighted)
{
	Cell	   *cells = malloc((size_t) n * sizeof(Cell) + 1);

	for (int64_t c = 0; c < n; c++)
	{
		uint64_t	bits = mf_random_bits((uint64_t) n + (uint64_t) shape, (uint64_t) c);
		uint32_t	range = shape == 2 ? 7 : 1 << 30;

		cells[c].row = (int32_t) ((bits & 0xffffff) % range % (uint32_t) nrows);
		if (shape == 1 && bits >> 63)
			cells[c].row = nrows / 2;
		cells[c].column = (int32_t) ((bits >> 24 & 0xffffff) % range % (uint32_t) ncolumns);
		cells[c].rating = (float) (bits >> 48 & 7) * 0.7f;
		cells[c].weight = weighted ? 0.1f * (float) (1 + (bits >> 52 & 15)) : 1.0f;
	}
	return cells;
}

static void
test_build(int64_t n, int32_t nrows, int32_t ncolumns, int shape, int nthreads, MfDuplicates mode,
		   bool weighted)
{
	MfParallel	parallel = {nthreads, NULL};
	Cell	   *cells = random_cells(n, nrows, ncolumns, shape, weighted);
	Cell	   *split = malloc((size_t) n * sizeof(Cell) + 1);
	MfTriplets	triplets = {n, n == 0 ? NULL : (int32_t *) split, n == 0 ? NULL : (int32_t *) split + n,
		n == 0 ? NULL : (float *) split + 2 * n, weighted && n > 0 ? (float *) split + 3 * n : NULL};
	MfMatrix	by_row = new_matrix(nrows, n, true, true);
	MfMatrix	by_column = new_matrix(ncolumns, n, true, true);
	void	   *space = malloc(mf_csr_workspace(&parallel, n, nrows > ncolumns ? nrows : ncolumns));
	int64_t		merged = -1;
	int64_t		left;
	MfRows		rows;

	for (int64_t c = 0; c < n; c++)
	{
		((int32_t *) split)[c] = cells[c].row;
		((int32_t *) split)[n + c] = cells[c].column;
		((float *) split)[2 * n + c] = cells[c].rating;
		((float *) split)[3 * n + c] = cells[c].weight;
	}
	left = merge_naively(cells, n, mode);
	ok(mf_csr_build(&parallel, &triplets, mode, &by_row, &by_column, space, &merged) == MF_OK &&
	   same_cells(&by_row, cells, left, false) && merged == n - left,
	   "%lld cells of %d x %d, shape %d, %d threads: rows", (long long) n, nrows, ncolumns, shape,
	   nthreads);
	rows = mf_matrix_rows(&by_row);
	qsort(cells, (size_t) left, sizeof(Cell), compare_transposed);
	ok(mf_csr_transpose(&parallel, &rows, &by_column, triplets.row, space) == MF_OK &&
	   same_cells(&by_column, cells, left, true), "and columns");
	free(space);
	free(cells);
	free(split);
	free_matrix(&by_row);
	free_matrix(&by_column);
}

/* Three cells of the same place in any order: what they become, as values of which a part is left. */
static bool
merges_to(const float *value, const float *left, float expected, float expected_left)
{
	MfParallel	parallel = {1, NULL};
	bool		good = true;

	for (int turn = 0; turn < 3; turn++)
	{
		int32_t		row[] = {0, 0, 0};
		int32_t		column[] = {4, 4, 4};
		float		rating[] = {left[turn], left[(turn + 1) % 3], left[(turn + 2) % 3]};
		float		weight[] = {value[turn], value[(turn + 1) % 3], value[(turn + 2) % 3]};
		MfTriplets	triplets = {3, row, column, rating, weight};
		MfMatrix	out = new_matrix(1, 3, true, true);
		MfMatrix	work = new_matrix(5, 3, true, true);
		void	   *space = malloc(mf_csr_workspace(&parallel, 3, 5));
		int64_t		merged;

		good &= mf_csr_build(&parallel, &triplets, MF_DUPLICATES_WEIGHTED_SUM, &out, &work, space, &merged) == MF_OK &&
			merged == 2 && out.column[0] == 4 && fabs(out.weight[0] - expected) < 1e-6 && fabs(out.rating[0] - expected_left) < 1e-6;
		free(space);
		free_matrix(&out);
		free_matrix(&work);
	}
	return good;
}

/* Values of likes and dislikes of the same place that fade, each for themselves. */
static void
test_faded(void)
{
	float		new = (float) (expm1(log(5) * 2.5 / 4) - expm1(log(3) * 0.25));

	ok(merges_to((float[]) {3, 1, 2}, (float[]) {0.5f, 1, 0.25f}, 6, 0.5f), "values add up, of which a part is left");
	ok(merges_to((float[]) {-3, -1, -2}, (float[]) {0.5f, 1, 0.25f}, -6, 0.5f), "so do those of dislikes");
	ok(merges_to((float[]) {3, 1, -2}, (float[]) {0.5f, 1, 0.25f}, new, 1), "likes and dislikes fade each for themselves");
	ok(merges_to((float[]) {3, 1, -2}, (float[]) {1, 1, 1}, 2, 1), "where nothing has faded, values add up");
	ok(merges_to((float[]) {3, 1, -4}, (float[]) {1, 1, 1}, 0, 1), "also to 0");
	ok(merges_to((float[]) {3, 1, -2}, (float[]) {0.01f, 0.01f, 1}, (float) (expm1(log(5) * 0.01) - 2), 1),
	   "a new dislike outweighs old likes");
}

/* A part of the rows whose start does not begin at 0. */
static void
test_part(void)
{
	MfParallel	parallel = {2, NULL};
	int64_t		start[] = {2, 4, 4, 5};
	int32_t		column[] = {9, 9, 0, 2, 1};
	float		rating[] = {9, 9, 1, 2, 3};
	MfRows		rows = {5, 3, start, column, rating, NULL};
	MfMatrix	out = new_matrix(3, 3, true, true);
	int32_t		keys[3];
	void	   *space = malloc(mf_csr_workspace(&parallel, 3, 3));

	ok(mf_csr_transpose(&parallel, &rows, &out, keys, space) == MF_OK && out.start[3] == 3 &&
	   out.column[0] == 0 && out.column[1] == 2 && out.column[2] == 0 && out.rating[1] == 3 &&
	   out.weight[0] == 1, "the transpose of a part of the rows; weights appear as 1");
	free(space);
	free_matrix(&out);
}

static int64_t looks;
static int64_t patience;

static bool
is_cancelled(void)
{
	return ++looks > patience;
}

/* Builds rows of n equal cells each; cancelled at the look after so many. */
static MfError
build_impatiently(int64_t nrows, int64_t n, int64_t looks_allowed)
{
	MfParallel	parallel = {1, is_cancelled};
	int32_t    *row = malloc(sizeof(int32_t) * (size_t) (n * nrows));
	int32_t    *column = calloc((size_t) (n * nrows), sizeof(int32_t));
	MfTriplets	triplets = {n * nrows, row, column, NULL, NULL};
	MfMatrix	out = new_matrix(nrows, n * nrows, false, false);
	MfMatrix	work = new_matrix(1, n * nrows, false, false);
	void	   *space = malloc(mf_csr_workspace(&parallel, n * nrows, nrows));
	MfError		error;

	for (int64_t c = 0; c < n * nrows; c++)
		row[c] = (int32_t) (c / n);
	looks = 0;
	patience = looks_allowed;
	error = mf_csr_build(&parallel, &triplets, MF_DUPLICATES_MEAN, &out, &work, space, NULL);
	if (error == MF_OK && (out.start[nrows] != nrows || out.column[nrows - 1] != 0))
		error = MF_NOT_FINITE;	/* an error that the function does not know */
	free(row);
	free(column);
	free(space);
	free_matrix(&out);
	free_matrix(&work);
	return error;
}

static void
test_cancelled(void)
{
	int64_t		nrows = 100;
	int64_t		all;
	int64_t		cancelled = 0;

	ok(build_impatiently(nrows, 2, INT64_MAX) == MF_OK, "neither ratings nor weights");
	all = looks;
	ok(all > nrows, "looks for a cancel while merging");
	for (int64_t allowed = 0; allowed < all; allowed++)
		cancelled += build_impatiently(nrows, 2, allowed) == MF_CANCELLED;
	ok(cancelled == all, "a build cancelled at any look says so");
	ok(build_impatiently(1, 1000000, INT64_MAX) == MF_OK && looks > 40, "looks again within a chunk");
}

int
main(void)
{
	test_build(0, 3, 4, 0, 2, MF_DUPLICATES_MEAN, true);
	test_build(1, 3, 4, 0, 2, MF_DUPLICATES_MEAN, true);
	for (int nthreads = 1; nthreads <= 8; nthreads = nthreads * 2 + 1)
		for (int shape = 0; shape < 3; shape++)
		{
			test_build(100, 30, 20, shape, nthreads, MF_DUPLICATES_SUM, true);
			test_build(100000, 3000, 200, shape, nthreads, MF_DUPLICATES_MEAN, true);
			test_build(30000, 20, 20000, shape, nthreads, MF_DUPLICATES_SUM, false);
			test_build(5000, 50000, 20000, shape, nthreads, MF_DUPLICATES_MEAN, false);
			test_build(10000, 300, 200, shape, nthreads, MF_DUPLICATES_WEIGHTED_MEAN, true);
			test_build(10000, 300, 200, shape, nthreads, MF_DUPLICATES_WEIGHTED_SUM, true);
		}
	test_part();
	test_faded();
	test_cancelled();
	return done();
}

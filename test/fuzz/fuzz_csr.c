/*
 * fuzz_csr.c - any triplets: rows ascend, nothing is lost, and the transpose is the transpose.
 */
#include "bytes.h"

#include "core/base/csr.h"

static MfMatrix
new_matrix(int64_t nrows, int64_t n)
{
	MfMatrix	m = {nrows, malloc(((size_t) nrows + 1) * sizeof(int64_t)), malloc((size_t) n * 4 + 1),
	malloc((size_t) n * 4 + 1), malloc((size_t) n * 4 + 1)};

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

static void
check_matrix(const MfMatrix *m, int64_t ncolumns, int64_t n)
{
	require(m->start[0] == 0 && m->start[m->nrows] == n);
	for (int64_t r = 0; r < m->nrows; r++)
	{
		require(m->start[r] <= m->start[r + 1]);
		for (int64_t c = m->start[r]; c < m->start[r + 1]; c++)
		{
			require(m->column[c] >= 0 && m->column[c] < ncolumns);
			require(c == m->start[r] || m->column[c - 1] < m->column[c]);
		}
	}
}

/* Whether a cell of a matrix is in its transpose, with the same values. */
static void
check_transpose(const MfMatrix *m, const MfMatrix *transpose)
{
	int64_t    *next = malloc(((size_t) transpose->nrows + 1) * sizeof(int64_t));

	memcpy(next, transpose->start, (size_t) transpose->nrows * sizeof(int64_t));
	for (int64_t r = 0; r < m->nrows; r++)
		for (int64_t c = m->start[r]; c < m->start[r + 1]; c++)
		{
			int64_t		place = next[m->column[c]]++;

			require(transpose->column[place] == r);
			require(transpose->rating[place] == m->rating[c] && transpose->weight[place] == m->weight[c]);
		}
	free(next);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		bytes = {data, size};
	MfParallel	parallel = {1 + (int) take_below(&bytes, 3), NULL};
	MfDuplicates mode = take_byte(&bytes) & 1 ? MF_DUPLICATES_SUM : MF_DUPLICATES_MEAN;
	uint32_t	nrows = 1 + take_below(&bytes, 3000);
	uint32_t	ncolumns = 1 + take_below(&bytes, 300);
	uint32_t	copies = 1 + take_below(&bytes, 40);
	int64_t		n = (int64_t) (bytes.left / 4) * copies;
	int32_t    *row = malloc((size_t) n * 4 + 1);
	int32_t    *column = malloc((size_t) n * 4 + 1);
	float	   *rating = malloc((size_t) n * 4 + 1);
	float	   *weight = malloc((size_t) n * 4 + 1);
	MfTriplets	triplets = {n, row, column, rating, weight};
	MfMatrix	out = new_matrix(nrows, n);
	MfMatrix	work = new_matrix(ncolumns, n);
	void	   *space = malloc(mf_csr_workspace(&parallel, n, nrows > ncolumns ? nrows : ncolumns));
	int64_t		merged;
	double		sum = 0;
	double		left = 0;
	MfRows		rows;

	for (int64_t i = 0; i < n; i++)
	{
		if (bytes.left >= 4)
		{
			row[i] = (int32_t) take_below(&bytes, nrows);
			column[i] = (int32_t) take_below(&bytes, ncolumns);
		}
		else
		{
			row[i] = (int32_t) ((row[i / 2] * 31u + (uint32_t) i) % nrows);
			column[i] = (int32_t) ((column[i / 2] * 17u + (uint32_t) i) % ncolumns);
		}
		rating[i] = (float) (i % 7);
		weight[i] = (float) (1 + i % 3);
		sum += weight[i];
	}
	require(mf_csr_build(&parallel, &triplets, mode, &out, &work, space, &merged) == MF_OK);
	check_matrix(&out, ncolumns, n - merged);
	for (int64_t c = 0; c < n - merged; c++)
	{
		require(out.rating[c] >= 0 && out.rating[c] <= 6);
		left += out.weight[c];
	}
	require(mode == MF_DUPLICATES_MEAN || left == sum);
	rows = mf_matrix_rows(&out);
	require(mf_csr_transpose(&parallel, &rows, &work, row, space) == MF_OK);
	check_matrix(&work, nrows, n - merged);
	check_transpose(&out, &work);
	free_matrix(&out);
	free_matrix(&work);
	free(row);
	free(column);
	free(rating);
	free(weight);
	free(space);
	return 0;
}

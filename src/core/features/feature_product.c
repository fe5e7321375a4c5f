/*
 * feature_product.c - products of a feature matrix, or its transpose, with a dense one.
 *
 * A row of the product is summed by one thread in the order of its cells, and all cells of a row are in one part of a
 * pass: so bits depend neither on threads nor on how passes are cut.  A feature can be one of half of all items, and
 * a sum of a million floats, one after the other, loses digits: rows are summed in chunks, and chunks in turn.
 */
#include "core/features/feature_product.h"

#include <string.h>

#include "core/base/padding.h"
#include "core/kernels/dense.h"

#define CHUNK 512				/* cells summed in a float */
#define TASK_CELLS 4096			/* cells of a task, more or less: rows are not divided */
#define FEW 100000				/* multiplications for which no threads are started */

/* A part of a pass at work. */
typedef struct Part
{
	const MfProduct *product;
	const MfDense *dense;
	const MfRows *rows;
} Part;

/* The factors of x of n cells from position c on, of the row with this scale. */
static void
take_factors(const MfProduct *product, const MfRows *rows, int64_t c, int n, float row_scale, float *factor)
{
	for (int k = 0; k < n; k++)
	{
		float		value = rows->rating != NULL ? rows->rating[c + k] : 1.0f;

		if (product->column_scale != NULL)
			value *= product->column_scale[rows->column[c + k]];
		value *= row_scale;
		factor[k] = product->squares ? value * value : value;
	}
}

/* out = the sum over cells begin .. end - 1 where x has one column. */
static void
sum_numbers(const Part *part, int64_t begin, int64_t end, float scale, float *out)
{
	const MfProduct *product = part->product;
	const MfRows *rows = part->rows;
	float		factor[CHUNK];
	double		sum = 0.0;

	for (int64_t c = begin; c < end; c += CHUNK)
	{
		int			n = end - c < CHUNK ? (int) (end - c) : CHUNK;

		take_factors(product, rows, c, n, scale, factor);
		for (int k = 0; k < n; k++)
			sum += (double) factor[k] * product->x[(int64_t) rows->column[c + k] * product->x_stride];
	}
	*out = (float) sum;
}

/* out (width) = the sum over cells begin .. end - 1; a cancel may leave it unfinished. */
static void
sum_vectors(const Part *part, int64_t begin, int64_t end, float scale, float *out)
{
	const MfProduct *product = part->product;
	float		factor[CHUNK];
	float		sum[MF_MAX_PADDED];

	memset(out, 0, (size_t) product->width * sizeof(float));
	for (int64_t c = begin; c < end && !(c > begin && mf_cancelled(product->parallel)); c += CHUNK)
	{
		int			n = end - c < CHUNK ? (int) (end - c) : CHUNK;
		float	   *chunk = c == begin ? out : sum;

		if (c > begin)
			memset(sum, 0, (size_t) product->width * sizeof(float));
		take_factors(product, part->rows, c, n, scale, factor);
		part->dense->add_rows(chunk, product->x, product->x_stride, part->rows->column + c, factor, product->width, n);
		if (c > begin)
			part->dense->axpy(out, sum, 1.0f, product->width);
	}
}

/* Row r of a part. */
static void
multiply_row(const Part *part, int64_t r)
{
	const MfProduct *product = part->product;
	const MfRows *rows = part->rows;
	int64_t		row = rows->first + r;
	int64_t		place = product->place != NULL ? product->place[row] : row;
	float		scale = product->row_scale != NULL ? product->row_scale[row] : 1.0f;
	int64_t		end = scale != 0.0f ? rows->start[r + 1] : rows->start[r];

	if (place < 0)
		return;
	if (product->width == 1)
		sum_numbers(part, rows->start[r], end, scale, product->out + place * product->out_stride);
	else
		sum_vectors(part, rows->start[r], end, scale, product->out + place * product->out_stride);
}

/* The first row of a part that begins with its cell number `cell` or later. */
static int64_t
row_at(const MfRows *rows, int64_t cell)
{
	int64_t		low = 0;
	int64_t		high = rows->nrows;

	while (low < high)
	{
		int64_t		middle = (low + high) / 2;

		if (rows->start[middle] - rows->start[0] < cell)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Task: the rows that begin within some thousand cells.  Cells are what takes time, and some rows have most of them. */
static void
multiply_rows(void *state, int64_t task, int worker)
{
	const Part *part = state;
	int64_t		end = row_at(part->rows, (task + 1) * TASK_CELLS);

	(void) worker;
	for (int64_t r = row_at(part->rows, task * TASK_CELLS); r < end; r++)
		multiply_row(part, r);
}

/* Fills product->out in one pass.  Returns MF_OK, MF_CANCELLED, or why there is no pass. */
MfError
mf_feature_product(const MfProduct *product)
{
	const MfPasses *passes = product->passes;
	MfRows		rows;
	Part		part = {product, mf_dense(), &rows};
	MfError		error = passes->rewind(passes->state);

	while (error == MF_OK && passes->next(passes->state, &rows))
	{
		int64_t		cells = rows.start[rows.nrows] - rows.start[0];
		MfParallel	parallel = *product->parallel;

		if ((cells + rows.nrows) * product->width < FEW)
			parallel.nthreads = 1;
		if (!mf_parallel_for(&parallel, cells / TASK_CELLS + 1, multiply_rows, &part))
			error = MF_CANCELLED;
	}
	return error;
}

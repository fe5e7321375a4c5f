/*
 * gram.c - Gram matrices of many rows.
 *
 * Sums over rows are made of a number of parts that depends on d alone, each in double and in the
 * order of rows, so threads cannot change a bit.
 */
#include "core/linalg/gram.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/kernels/dense.h"

#define ROWS_AT_ONCE 1024		/* summed in float before they are added in double, but by mf_gram_sums_fine() */
#define PANEL 128				/* rows added at a time */

/* One Gram matrix in the making. */
typedef struct Gram
{
	const MfParallel *parallel;
	const MfDense *dense;
	const float *x;				/* rows `stride` floats apart */
	const int32_t *order;		/* nrows: which of them; NULL: all as they lie */
	int			stride;
	int64_t		nrows;
	int			d;
	int			ld;
	int			nparts;
	int			at_once;		/* rows that are summed in float before they are added in double */
	const float *weight;
	double	   *sum;			/* nparts x ld x ld: upper tiles */
	float	   *part;			/* nparts x (ld + PANEL) x ld: workspace */
} Gram;

/* Parts that rows are split into: fewer where matrices are large. */
static int
part_count(int ld)
{
	int			parts = (1 << 20) / (ld * ld);

	return parts < 4 ? 4 : parts > 16 ? 16 : parts;
}

/* The space of mf_gram_sums(); start NULL only measures. */
static void
lay_out(Gram *gram, MfArena *arena, int factors)
{
	size_t		n = (size_t) mf_padded(factors);

	gram->ld = (int) n;
	gram->nparts = part_count(gram->ld);
	gram->sum = mf_arena_take(arena, (size_t) gram->nparts * n * n * sizeof(double));
	gram->part = mf_arena_floats(arena, (size_t) gram->nparts * (n + PANEL) * n);
}

/* Bytes of space for mf_gram_sums(), of any alignment. */
size_t
mf_gram_sums_size(int factors)
{
	Gram		gram;
	MfArena		arena = {NULL, 0};

	lay_out(&gram, &arena, factors);
	return arena.used + 64;
}

/* Bytes of space for mf_gram(). */
size_t
mf_gram_size(int factors, const MfParallel *parallel)
{
	MfArena		arena = {NULL, 0};

	(void) parallel;
	mf_arena_take(&arena, (size_t) (factors * factors) * sizeof(double));
	return arena.used + mf_gram_sums_size(factors) + 64;
}

/* Adds a panel of rows, scaled by the roots of their weights, to a part's float matrix. */
static void
add_rows(const Gram *gram, int64_t begin, int n, float *matrix, float *panel, bool add)
{
	const float *x = gram->x + begin * gram->stride;

	if (gram->weight != NULL || gram->stride != gram->ld || gram->order != NULL)
	{
		for (int r = 0; r < n; r++)
		{
			const float *row = gram->order != NULL ? gram->x + (int64_t) gram->order[begin + r] * gram->stride :
				x + r * gram->stride;
			float		root = gram->weight != NULL ? sqrtf(gram->weight[begin + r]) : 1.0f;

			for (int k = 0; k < gram->ld; k++)
				panel[r * gram->ld + k] = k < gram->d ? row[k] * root : 0.0f;
		}
		x = panel;
	}
	gram->dense->gemmt(matrix, gram->ld, x, x, n, 0, add);
}

/* Task: the sum over one part of the rows. */
static void
sum_part(void *state, int64_t part, int worker)
{
	Gram	   *gram = state;
	size_t		size = (size_t) gram->ld * (size_t) gram->ld;
	double	   *sum = gram->sum + (size_t) part * size;
	float	   *matrix = gram->part + (size_t) part * (size + PANEL * (size_t) gram->ld);
	int64_t		end = gram->nrows * (part + 1) / gram->nparts;

	(void) worker;
	memset(sum, 0, size * sizeof(double));
	memset(matrix, 0, size * sizeof(float));
	for (int64_t r = gram->nrows * part / gram->nparts; r < end; r += gram->at_once)
	{
		int64_t		stop = r + gram->at_once < end ? r + gram->at_once : end;

		if (mf_cancelled(gram->parallel))
			return;
		for (int64_t p = r; p < stop; p += PANEL)
			add_rows(gram, p, stop - p < PANEL ? (int) (stop - p) : PANEL, matrix,
					 matrix + size, p > r);
		for (size_t k = 0; k < size; k++)
			sum[k] += matrix[k];
	}
}

/* The sums of mf_gram_sums(), with so many rows at once. */
static MfError
sum_all(Gram *gram, int at_once, double *out, void *space)
{
	MfArena		arena = mf_arena_at(space);
	int			d = gram->d;
	size_t		size;

	gram->dense = mf_dense();
	gram->ld = mf_padded(d);
	gram->at_once = at_once;
	size = (size_t) gram->ld * (size_t) gram->ld;
	lay_out(gram, &arena, d);
	if (!mf_parallel_for(gram->parallel, gram->nparts, sum_part, gram))
		return MF_CANCELLED;
	for (int i = 0; i < d; i++)
		for (int j = i; j < d; j++)
		{
			double		sum = 0.0;

			for (int part = 0; part < gram->nparts; part++)
				sum += gram->sum[(size_t) part * size + (size_t) (i * gram->ld + j)];
			out[i * d + j] = out[j * d + i] = sum;
		}
	return MF_OK;
}

/*
 * out (d x d doubles, both triangles) = sum over rows of weight[r] x_r x_r' for the first d numbers of x's nrows rows,
 * which are `stride` floats apart; weight NULL: 1.  The same to the bit as of an array whose r-th row is row order[r]
 * of x; order NULL: all rows as they lie.  space: mf_gram_sums_size() bytes.  Returns MF_CANCELLED or MF_OK.
 */
MfError
mf_gram_sums(const MfParallel *parallel, const float *x, int stride, const int32_t *order, int64_t nrows, int d,
			 const float *weight, double *out, void *space)
{
	Gram		gram = {.parallel = parallel,.x = x,.order = order,.stride = stride,.nrows = nrows,.d = d,.weight = weight};

	return sum_all(&gram, ROWS_AT_ONCE, out, space);
}

/*
 * The same of nrows rows as they lie, mf_padded(d) apart, with a third of the rounding and a tenth more time: for those
 * who ask what eigenvectors are that the rows hardly tell apart.
 */
MfError
mf_gram_sums_fine(const MfParallel *parallel, const float *x, int64_t nrows, int d, double *out, void *space)
{
	Gram		gram = {.parallel = parallel,.x = x,.stride = mf_padded(d),.nrows = nrows,.d = d};

	return sum_all(&gram, PANEL, out, space);
}

/* The same in floats: gram (d x mf_padded(d), both triangles, padding 0); space: mf_gram_size() bytes. */
MfError
mf_gram(const MfParallel *parallel, const float *factors, int64_t nrows, int nfactors,
		const float *weight, float *gram, void *space)
{
	return mf_gram_in_order(parallel, factors, NULL, nrows, nfactors, weight, gram, space);
}

/*
 * The same to the bit as of an array whose r-th row is row order[r] of factors, r < nrows, with weight[r]; order NULL:
 * all rows as they lie.
 */
MfError
mf_gram_in_order(const MfParallel *parallel, const float *factors, const int32_t *order, int64_t nrows, int nfactors,
				 const float *weight, float *gram, void *space)
{
	int			ld = mf_padded(nfactors);
	MfArena		arena = mf_arena_at(space);
	double	   *sum = mf_arena_take(&arena, (size_t) (nfactors * nfactors) * sizeof(double));
	MfError		error = mf_gram_sums(parallel, factors, ld, order, nrows, nfactors, weight, sum, arena.start + arena.used);

	if (error != MF_OK)
		return error;
	memset(gram, 0, sizeof(float) * (size_t) nfactors * (size_t) ld);
	for (int i = 0; i < nfactors; i++)
		for (int j = 0; j < nfactors; j++)
			gram[i * ld + j] = (float) sum[i * nfactors + j];
	return MF_OK;
}

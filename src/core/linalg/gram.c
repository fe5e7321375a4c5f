/*
 * gram.c - Gram matrices, and the rotation that makes one diagonal.
 *
 * The objective knows vectors by their inner products and lengths only, so all of them may be
 * turned by the same rotation.  Every half-sweep turns the fixed side so that its Gram matrix is
 * diagonal: then c0 * Gram + regularization is a diagonal matrix for every row, whatever its c0
 * and regularization.
 *
 * Sums over rows are made of a number of parts that depends on d alone, each in double and in the
 * order of rows, so threads cannot change a bit.
 */
#include "core/als/als_cells.h"

#include <math.h>
#include <string.h>

#include "core/linalg/eigen.h"

#define ROWS_AT_ONCE 1024		/* summed in float before they are added in double */
#define ROWS_PER_BLOCK 256		/* rotated at a time */

/* One Gram matrix in the making. */
typedef struct Gram
{
	const MfParallel *parallel;
	const MfVec *vec;
	const float *x;				/* nrows x ld */
	int64_t		nrows;
	int			ld;
	int			nparts;
	const float *weight;
	double	   *sum;			/* nparts x ld x ld: upper tiles */
	float	   *part;			/* nparts x (ld + MF_PANEL) x ld: scratch space */
} Gram;

/* Parts that rows are split into: fewer where matrices are large. */
static int
part_count(int ld)
{
	int			parts = (1 << 20) / (ld * ld);

	return parts < 4 ? 4 : parts > 16 ? 16 : parts;
}

static size_t
gram_size(int ld)
{
	size_t		parts = (size_t) part_count(ld);
	size_t		n = (size_t) ld;

	return 64 + parts * (2 * mf_taken(n * n) + mf_taken((n + MF_PANEL) * n));
}

size_t
mf_gram_size(int factors, const MfParallel *parallel)
{
	(void) parallel;
	return gram_size(mf_padded(factors)) + mf_taken(2 * (size_t) (factors * factors));
}

/* Adds a panel of rows, scaled by the roots of their weights, to a part's float matrix. */
static void
add_rows(const Gram *gram, int64_t begin, int n, float *matrix, float *panel, bool add)
{
	const float *x = gram->x + begin * gram->ld;

	if (gram->weight != NULL)
	{
		for (int r = 0; r < n; r++)
		{
			float		root = sqrtf(gram->weight[begin + r]);

			for (int k = 0; k < gram->ld; k++)
				panel[r * gram->ld + k] = x[r * gram->ld + k] * root;
		}
		x = panel;
	}
	gram->vec->rank_update(matrix, gram->ld, x, x, n, 0, add);
}

/* Block function: the sum over one part of the rows. */
static void
sum_part(void *state, int64_t part, int worker)
{
	Gram	   *gram = state;
	size_t		size = (size_t) gram->ld * (size_t) gram->ld;
	double	   *sum = gram->sum + (size_t) part * size;
	float	   *matrix = gram->part + (size_t) part * (size + MF_PANEL * (size_t) gram->ld);
	int64_t		end = gram->nrows * (part + 1) / gram->nparts;

	(void) worker;
	memset(sum, 0, size * sizeof(double));
	memset(matrix, 0, size * sizeof(float));
	for (int64_t r = gram->nrows * part / gram->nparts; r < end; r += ROWS_AT_ONCE)
	{
		int64_t		stop = r + ROWS_AT_ONCE < end ? r + ROWS_AT_ONCE : end;

		if (mf_cancelled(gram->parallel))
			return;
		for (int64_t p = r; p < stop; p += MF_PANEL)
			add_rows(gram, p, stop - p < MF_PANEL ? (int) (stop - p) : MF_PANEL, matrix,
					 matrix + size, p > r);
		for (size_t k = 0; k < size; k++)
			sum[k] += matrix[k];
	}
}

/* out (d x d doubles, both triangles) = sum over rows of weight x x'. */
static MfError
sum_gram(const MfParallel *parallel, const float *x, int64_t nrows, int d, const float *weight,
		 double *out, void *space)
{
	char	   *next = (char *) (((uintptr_t) space + 63) & ~(uintptr_t) 63);
	int			ld = mf_padded(d);
	size_t		size = (size_t) ld * (size_t) ld;
	Gram		gram = {parallel, mf_vec(), x, nrows, ld, part_count(ld), weight, NULL, NULL};

	gram.sum = (double *) mf_take(&next, 2 * size * (size_t) gram.nparts);
	gram.part = mf_take(&next, (size + MF_PANEL * (size_t) ld) * (size_t) gram.nparts);
	if (!mf_parallel_blocks(parallel, gram.nparts, sum_part, &gram))
		return MF_CANCELLED;
	for (int i = 0; i < d; i++)
		for (int j = i; j < d; j++)
		{
			double		sum = 0.0;

			for (int part = 0; part < gram.nparts; part++)
				sum += gram.sum[(size_t) part * size + (size_t) (i * ld + j)];
			out[i * d + j] = out[j * d + i] = sum;
		}
	return MF_OK;
}

MfError
mf_gram(const MfParallel *parallel, const float *factors, int64_t nrows, int nfactors,
		const float *weight, float *gram, void *space)
{
	int			ld = mf_padded(nfactors);
	char	   *next = (char *) (((uintptr_t) space + 63) & ~(uintptr_t) 63);
	double	   *sum = (double *) mf_take(&next, 2 * (size_t) (nfactors * nfactors));
	MfError		error = sum_gram(parallel, factors, nrows, nfactors, weight, sum, next);

	if (error != MF_OK)
		return error;
	memset(gram, 0, sizeof(float) * (size_t) nfactors * (size_t) ld);
	for (int i = 0; i < nfactors; i++)
		for (int j = 0; j < nfactors; j++)
			gram[i * ld + j] = (float) sum[i * nfactors + j];
	return MF_OK;
}

/* Rows to be turned. */
typedef struct Rotation
{
	const MfVec *vec;
	const float *matrix;		/* ld x ld */
	float	   *x;				/* nrows x ld */
	int64_t		nrows;
	int			ld;
	float	   *scratch;		/* per worker: ROWS_PER_BLOCK x ld */
} Rotation;

/* Block function: turns ROWS_PER_BLOCK rows. */
static void
rotate_block(void *state, int64_t block, int worker)
{
	Rotation   *rotation = state;
	int64_t		first = block * ROWS_PER_BLOCK;
	int			n = rotation->nrows - first < ROWS_PER_BLOCK ? (int) (rotation->nrows - first) :
		ROWS_PER_BLOCK;
	float	   *x = rotation->x + first * rotation->ld;
	float	   *out = rotation->scratch + (size_t) worker * ROWS_PER_BLOCK * (size_t) rotation->ld;

	rotation->vec->multiply(out, x, rotation->matrix, rotation->ld, n);
	memcpy(x, out, (size_t) n * (size_t) rotation->ld * sizeof(float));
}

/* Turns a single vector; scratch: ld. */
static void
rotate_one(float *x, const float *matrix, int ld, float *scratch)
{
	memset(scratch, 0, sizeof(float) * (size_t) ld);
	for (int i = 0; i < ld; i++)
		for (int k = 0; k < ld; k++)
			scratch[k] += x[i] * matrix[i * ld + k];
	memcpy(x, scratch, sizeof(float) * (size_t) ld);
}

/* Bytes of space for mf_rotate(). */
size_t
mf_rotate_size(int d, const MfParallel *parallel)
{
	size_t		n = (size_t) mf_padded(d);

	return gram_size((int) n) + 2 * mf_taken(2 * n * n) + 2 * mf_taken(2 * n) + mf_taken(n * n) +
		(size_t) mf_workers(parallel) * mf_taken(ROWS_PER_BLOCK * n);
}

/*
 * Turns the fixed side's vectors so that their Gram matrix becomes the diagonal als->base, the mean
 * user with them, and the other side's too where solvers start from them (`both`).
 */
MfError
mf_rotate(MfAls *als, bool both, char *space)
{
	const MfProblem *problem = als->problem;
	bool		users = als->side == MF_USERS;
	int			d = als->d;
	int			ld = als->ld;
	float	   *turned[3] = {!users || both ? als->factors.user : NULL,
		users || both ? als->factors.interest : NULL, users || both ? als->factors.rating : NULL};
	double	   *gram = (double *) mf_take(&space, 2 * (size_t) ld * ld);
	double	   *vectors = (double *) mf_take(&space, 2 * (size_t) ld * ld);
	double	   *values = (double *) mf_take(&space, 2 * (size_t) ld);
	double	   *work = (double *) mf_take(&space, 2 * (size_t) ld);
	float	   *matrix = mf_take(&space, (size_t) ld * ld);
	MfError		error;

	error = sum_gram(als->parallel, users ? als->factors.interest : als->factors.user,
					 users ? problem->nitems : problem->nusers, d,
					 users ? problem->unobserved : NULL, gram, space);
	if (error != MF_OK)
		return error;
	if (!mf_eigen(gram, d, values, vectors, work))
		return MF_NOT_FINITE;
	memset(matrix, 0, sizeof(float) * (size_t) ld * ld);
	for (int k = 0; k < d; k++)
	{
		als->base[k] = values[k] > 0.0 ? (float) values[k] : 0.0f;
		for (int i = 0; i < d; i++)
			matrix[i * ld + k] = (float) vectors[k * d + i];
	}
	if (problem->user_pull != NULL)
		rotate_one(problem->user_mean, matrix, ld, (float *) space);
	for (int t = 0; t < 3; t++)
	{
		Rotation	rotation = {als->vec, matrix, turned[t],
			t == 0 ? problem->nusers : problem->nitems, ld, (float *) space};
		int64_t		nblocks = (rotation.nrows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;

		if (turned[t] != NULL &&
			!mf_parallel_blocks(als->parallel, nblocks, rotate_block, &rotation))
			return MF_CANCELLED;
	}
	return MF_OK;
}

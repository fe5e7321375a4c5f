/*
 * als_rotate.c - the rotation that makes the fixed side's Gram matrix diagonal.
 *
 * The objective knows vectors by their inner products and lengths only, so all of them may be
 * turned by the same rotation.  Every half-sweep turns the fixed side so that its Gram matrix is
 * diagonal: then c0 * Gram + regularization is a diagonal matrix for every row, whatever its c0
 * and regularization.
 */
#include <string.h>

#include "core/als/als_cells.h"
#include "core/linalg/eigen.h"
#include "core/linalg/gram.h"

#define ROWS_PER_BLOCK 256		/* rotated at a time */

/* Rows to be turned. */
typedef struct Rotation
{
	const MfDense *dense;
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

	rotation->dense->gemm(out, x, rotation->matrix, rotation->ld, n);
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

	return mf_gram_sums_size(d) + 2 * mf_taken(2 * n * n) + 2 * mf_taken(2 * n) + mf_taken(n * n) +
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

	error = mf_gram_sums(als->parallel, users ? als->factors.interest : als->factors.user,
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
		Rotation	rotation = {als->dense, matrix, turned[t],
			t == 0 ? problem->nusers : problem->nitems, ld, (float *) space};
		int64_t		nblocks = (rotation.nrows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;

		if (turned[t] != NULL &&
			!mf_parallel_blocks(als->parallel, nblocks, rotate_block, &rotation))
			return MF_CANCELLED;
	}
	return MF_OK;
}

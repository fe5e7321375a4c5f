/*
 * als_rotate.c - the rotation that makes the fixed side's Gram matrix diagonal.
 *
 * The objective knows vectors by their inner products and lengths only, so all of them may be
 * turned by the same rotation.  Every half-sweep turns the fixed side so that its Gram matrix is
 * diagonal: then c0 * Gram + regularization is a diagonal matrix for every row, whatever its c0
 * and regularization.
 */
#include <string.h>

#include "core/als/als_state.h"
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

/* What a rotation is made of. */
typedef struct Space
{
	double	   *gram;			/* d x d */
	double	   *vectors;		/* d x d: eigenvectors, a row each */
	double	   *values;			/* d */
	double	   *work;			/* d */
	float	   *matrix;			/* ld x ld */
	void	   *rest;			/* of mf_gram_sums(), then a block of rows of each worker */
} Space;

/* Divides the space; start NULL only measures. */
static Space
lay_out(MfArena *arena, int d, const MfParallel *parallel)
{
	Space		space;
	size_t		n = (size_t) mf_padded(d);
	size_t		rows = (size_t) mf_workers(parallel) * ROWS_PER_BLOCK * n * sizeof(float);

	space.gram = mf_arena_take(arena, n * n * sizeof(double));
	space.vectors = mf_arena_take(arena, n * n * sizeof(double));
	space.values = mf_arena_take(arena, n * sizeof(double));
	space.work = mf_arena_take(arena, n * sizeof(double));
	space.matrix = mf_arena_floats(arena, n * n);
	space.rest = mf_arena_take(arena, rows > mf_gram_sums_size(d) ? rows : mf_gram_sums_size(d));
	return space;
}

/* Bytes of space for mf_rotate(). */
size_t
mf_rotate_size(int d, const MfParallel *parallel)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, d, parallel);
	return arena.used;
}

/*
 * Turns the fixed side's vectors so that their Gram matrix becomes the diagonal als->base, the mean
 * user with them, and the other side's too where solvers start from them (`both`).
 */
MfError
mf_rotate(MfAls *als, bool both, char *scratch)
{
	const MfProblem *problem = als->problem;
	bool		users = als->side == MF_USERS;
	int			d = als->d;
	int			ld = als->ld;
	float	   *turned[3] = {!users || both ? als->factors.user : NULL,
		users || both ? als->factors.interest : NULL, users || both ? als->factors.rating : NULL};
	MfArena		arena = {scratch, 0};
	Space		space = lay_out(&arena, d, als->parallel);
	MfError		error;

	error = mf_gram_sums(als->parallel, users ? als->factors.interest : als->factors.user,
					 users ? problem->nitems : problem->nusers, d,
					 users ? problem->unobserved : NULL, space.gram, space.rest);
	if (error != MF_OK)
		return error;
	if (!mf_eigen(space.gram, d, space.values, space.vectors, space.work))
		return MF_NOT_FINITE;
	memset(space.matrix, 0, sizeof(float) * (size_t) ld * ld);
	for (int k = 0; k < d; k++)
	{
		als->base[k] = space.values[k] > 0.0 ? (float) space.values[k] : 0.0f;
		for (int i = 0; i < d; i++)
			space.matrix[i * ld + k] = (float) space.vectors[k * d + i];
	}
	if (problem->user_pull != NULL)
		rotate_one(problem->user_mean, space.matrix, ld, space.rest);
	for (int t = 0; t < 3; t++)
	{
		Rotation	rotation = {als->dense, space.matrix, turned[t],
			t == 0 ? problem->nusers : problem->nitems, ld, space.rest};
		int64_t		nblocks = (rotation.nrows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;

		if (turned[t] != NULL &&
			!mf_parallel_blocks(als->parallel, nblocks, rotate_block, &rotation))
			return MF_CANCELLED;
	}
	return MF_OK;
}

/*
 * als_rotate.c - from the caller's vectors to those of a half-sweep and back.
 *
 * The objective knows vectors by their inner products and lengths only, so all of them may be rotated by the same
 * rotation, in the dimensions that all terms share.  A half-sweep copies the fixed side into the basis in which its
 * Gram matrix is diagonal: then c0 * Gram + regularization is a diagonal matrix for every row, whatever its c0 and
 * regularization.  Rows that are solved are rotated back as they are stored, so the caller's factors keep their basis.
 */
#include <string.h>

#include "core/als/als_state.h"
#include "core/kernels/int16_cells.h"
#include "core/linalg/eigen.h"
#include "core/linalg/gram.h"

#define ROWS_PER_BLOCK 256		/* rotated at a time */

/*
 * n rows of shared_width floats, ldx apart, into the basis of the half-sweep, or back to the caller's.
 *
 * Where the fixed side is rounded, rotations are, too: of a row with n cells and three steps, d^2 products for each of
 * its rotations are most of the work where n is below d.  What is stored is turned back by the transpose of the same
 * whole numbers, so its products with the fixed side are those that were solved for.
 */
static void
turn_rows(const MfAls *als, float *out, int ldo, const float *x, int ldx, bool back, int n)
{
	int			width = als->shared_width;

	if (als->int16_cells != NULL)
		als->int16_cells->turn(out, ldo, x, ldx, back ? als->whole_back : als->whole_rotation, width, n);
	else
		als->dense->gemm(out, ldo, x, ldx, back ? als->back : als->rotation, width, width, n);
}

/* Rounds the rotation and its transpose, where vectors are turned in whole numbers. */
static void
round_rotation(MfAls *als)
{
	if (als->int16_cells == NULL)
		return;
	als->int16_cells->pack_rotation(als->whole_rotation, als->rotation, als->shared_width);
	als->int16_cells->pack_rotation(als->whole_back, als->back, als->shared_width);
}

/* What a rotation is made of: d dimensions, of shared_width floats. */
typedef struct Space
{
	double	   *gram;			/* d x d */
	double	   *vectors;		/* d x d: eigenvectors, a row each */
	double	   *values;			/* d */
	void	   *eigen;			/* of mf_eigen() */
	void	   *rest;			/* of mf_gram_sums() */
} Space;

/* Divides the space; start NULL only measures. */
static Space
lay_out(MfArena *arena, int d)
{
	Space		space;
	size_t		n = (size_t) d;

	space.gram = mf_arena_take(arena, n * n * sizeof(double));
	space.vectors = mf_arena_take(arena, n * n * sizeof(double));
	space.values = mf_arena_take(arena, n * sizeof(double));
	space.eigen = mf_arena_take(arena, mf_eigen_size(d));
	space.rest = mf_arena_take(arena, mf_gram_sums_size(d));
	return space;
}

/* Bytes of space for mf_rotate(). */
size_t
mf_rotate_size(const MfAls *als)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, als->shared);
	return arena.used;
}

/* Fixed vectors to be copied: nrows of given_ld floats to nrows of ld. */
typedef struct Copying
{
	const MfAls *als;
	const float *from;
	float	   *to;
	int64_t		nrows;
	bool		has_own;		/* they have numbers beyond the shared ones */
	MfPart		part;
} Copying;

/* Task: copies ROWS_PER_BLOCK rows. */
static void
copy_block(void *state, int64_t block, int worker)
{
	const Copying *c = state;
	const MfAls *als = c->als;
	int64_t		first = block * ROWS_PER_BLOCK;
	int			n = c->nrows - first < ROWS_PER_BLOCK ? (int) (c->nrows - first) : ROWS_PER_BLOCK;
	const float *from = c->from + first * als->given_ld;
	float	   *to = c->to + first * als->ld;

	if (als->int16_cells != NULL)
		to = (float *) (void *) (als->workspace + (size_t) worker * als->workspace_size);
	if (!als->rotated)
	{
		mf_whole_rows(als, c->part, first, n, from);
		return;
	}
	/* private numbers beside the last shared ones meet zeros of the rotation */
	turn_rows(als, to, als->ld, from, als->given_ld, false, n);
	for (int r = 0; r < n && als->own > 0; r++)
	{
		float	   *own = to + r * als->ld + als->shared_width;

		memset(own, 0, (size_t) (als->ld - als->shared_width) * sizeof(float));
		if (c->has_own)
			memcpy(own, from + r * als->given_ld + als->shared, (size_t) als->own * sizeof(float));
	}
	if (als->int16_cells != NULL)
		mf_whole_rows(als, c->part, first, n, to);
}

/* Copies the fixed side's vectors, and sets als->fixed; in whole numbers to als->whole, where these are wanted. */
MfError
mf_copy_fixed(MfAls *als)
{
	bool		users = als->side == MF_ITEMS;
	float	   *to = als->copy;

	if (als->int16_cells != NULL)
		mf_whole_place(als);
	for (int part = 0; part < MF_TERMS; part++)
	{
		Copying		copying = {als, als->fixed[part], to, users ? als->problem->nusers : als->problem->nitems,
		als->term[part].dimensions > als->shared || users, (MfPart) part};

		if (!als->term[part].present)
			continue;
		if (als->int16_cells == NULL)
			als->fixed[part] = to;
		/* users have the same vectors for all terms */
		if (users && to > als->copy)
			als->fixed[part] = als->fixed[MF_INTEREST];
		else if (!mf_parallel_for(als->parallel, (copying.nrows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK, copy_block,
									 &copying))
			return MF_CANCELLED;
		to += copying.nrows * als->ld;
	}
	return MF_OK;
}

/* Sets the rotation to the eigenvectors and als->base to the eigenvalues of space->gram, which is overwritten. */
static MfError
choose_basis(MfAls *als, const Space *space)
{
	int			d = als->shared;
	int			ld = als->shared_width;
	MfError		error = mf_eigen(space->gram, d, space->values, space->vectors, space->eigen);

	if (error != MF_OK)
		return error;
	memset(als->rotation, 0, sizeof(float) * (size_t) ld * (size_t) ld);
	memset(als->back, 0, sizeof(float) * (size_t) ld * (size_t) ld);
	for (int k = 0; k < d; k++)
	{
		als->base[k] = space->values[k] > 0.0 ? (float) space->values[k] : 0.0f;
		for (int i = 0; i < d; i++)
			als->rotation[i * ld + k] = als->back[k * ld + i] = (float) space->vectors[k * d + i];
	}
	return MF_OK;
}

/* Sets als->mean, which is 0, to the mean user, rotated. */
static void
turn_mean(MfAls *als)
{
	const float *mean = als->problem->user_mean;

	for (int i = 0; i < als->shared && als->problem->user_pull != NULL; i++)
		als->dense->axpy(als->mean, als->rotation + i * als->shared_width, mean[i], als->shared_width);
}

/*
 * Copies the fixed side's vectors into the basis in which their Gram matrix is the diagonal als->base, with rotation,
 * mean user and als->fixed to match.  gram (shared x shared): that matrix, NULL: made here.  workspace:
 * mf_rotate_size() bytes.
 */
MfError
mf_rotate(MfAls *als, const double *gram, char *workspace)
{
	const MfProblem *problem = als->problem;
	bool		users = als->side == MF_ITEMS;
	int			d = als->shared;
	MfArena		arena = {workspace, 0};
	Space		space = lay_out(&arena, d);
	MfError		error = MF_OK;

	if (gram != NULL)
		memcpy(space.gram, gram, (size_t) d * (size_t) d * sizeof(double));
	else
		error = mf_gram_sums(als->parallel, als->fixed[MF_INTEREST], als->given_ld, NULL,
							 users ? problem->nusers : problem->nitems, d,
							 users ? NULL : problem->unobserved, space.gram, space.rest);
	if (error == MF_OK)
		error = choose_basis(als, &space);
	if (error != MF_OK)
		return error;
	round_rotation(als);
	turn_mean(als);
	return mf_copy_fixed(als);
}

/* The same with a basis that was found elsewhere: see mf_als_get_basis(). */
MfError
mf_rotate_in(MfAls *als, const float *basis)
{
	int			ld = als->shared_width;

	memcpy(als->rotation, basis, sizeof(float) * (size_t) ld * (size_t) ld);
	memcpy(als->base, basis + ld * ld, sizeof(float) * (size_t) als->ld);
	for (int i = 0; i < ld; i++)
		for (int k = 0; k < ld; k++)
			als->back[k * ld + i] = als->rotation[i * ld + k];
	round_rotation(als);
	turn_mean(als);
	return mf_copy_fixed(als);
}

/* The vectors of the side being solved, as the caller has them: of users for all terms, of items for this one. */
float *
mf_sweep_solved(const MfAls *als, MfPart part)
{
	if (als->side == MF_USERS)
		return als->factors.user;
	return part == MF_INTEREST ? als->factors.interest : als->factors.rating;
}

/*
 * x (MF_GROUP x ld) = the vectors of n rows of als->rows, of those that are given in the caller's form: the current
 * ones, or priors.  workspace: MF_GROUP x ld, not x.
 */
void
mf_sweep_load(const MfAls *als, const float *given, const int64_t *rows, int n, float *x, float *workspace)
{
	int			ld = als->ld;

	memset(x, 0, (size_t) (MF_GROUP * ld) * sizeof(float));
	memset(workspace, 0, (size_t) (MF_GROUP * ld) * sizeof(float));
	for (int k = 0; k < n; k++)
	{
		const float *from = given + (als->rows->first + rows[k]) * als->given_ld;

		memcpy((als->rotated ? workspace : x) + k * ld, from, (size_t) als->shared * sizeof(float));
		memcpy(x + k * ld + als->shared_width, from + als->shared, (size_t) als->own * sizeof(float));
	}
	/* always as many rows, so that none of them depends on how many there are */
	if (als->rotated)
		turn_rows(als, x, ld, workspace, ld, false, MF_GROUP);
}

/* Stores n solved rows (x: MF_GROUP x ld); workspace as above. */
void
mf_sweep_store(const MfAls *als, MfPart part, const int64_t *rows, int n, const float *x, float *workspace)
{
	int			ld = als->ld;
	bool		own = als->term[part].dimensions > als->shared || als->side == MF_USERS;

	if (als->rotated)
		turn_rows(als, workspace, ld, x, ld, true, MF_GROUP);
	for (int k = 0; k < n; k++)
	{
		float	   *to = mf_sweep_solved(als, part) + (als->rows->first + rows[k]) * als->given_ld;

		memcpy(to, (als->rotated ? workspace : x) + k * ld, (size_t) als->shared * sizeof(float));
		memset(to + als->shared, 0, (size_t) (als->given_ld - als->shared) * sizeof(float));
		if (own)
			memcpy(to + als->shared, x + k * ld + als->shared_width, (size_t) als->own * sizeof(float));
	}
}

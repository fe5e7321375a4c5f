/*
 * fold_in.c - the vector of one user from their cells: a row of the user half-sweep, for serving.
 */
#include "core/als/fold_in.h"

#include <math.h>
#include <string.h>

#include "core/als/als_state.h"

/* Scratch space. */
typedef struct Space
{
	float	   *panel;			/* MF_PANEL_ROWS x ld */
	float	   *matrix;			/* ld x ld */
	float	   *right;			/* ld: targets' sum, then the solution */
	float	   *bias_right;		/* ld: the bias's vector, then its solution */
	float	   *kept;			/* ld: the bias's vector */
	float	   *inverse;		/* ld */
	float	   *work;			/* 16 x ld */
	double		target_sum;
	double		weight_sum;
	float		shift;			/* what regularization counts as: see ridge.h */
} Space;

/* Divides scratch space; start NULL only measures. */
static Space
lay_out(MfArena *arena, int factors)
{
	size_t		n = (size_t) mf_padded(factors);
	Space		space = {0};

	space.panel = mf_arena_floats(arena, MF_PANEL_ROWS * n);
	space.matrix = mf_arena_floats(arena, n * n);
	space.right = mf_arena_floats(arena, n);
	space.bias_right = mf_arena_floats(arena, n);
	space.kept = mf_arena_floats(arena, n);
	space.inverse = mf_arena_floats(arena, n);
	space.work = mf_arena_floats(arena, 16 * n);
	return space;
}

size_t
mf_fold_size(const MfFold *fold)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, fold->factors);
	return arena.used + 64;
}

/* The numbers of cell c in one part: what multiplies y y' in the matrix, and y in the right-hand side. */
static void
cell_factors(const MfFold *fold, const MfFoldCells *cells, bool rating, int64_t c, float *square, float *target)
{
	float		w = cells->weight != NULL ? cells->weight[c] : 1.0f;

	*square = rating ? w : fold->interest_weight * mf_fold_excess(fold, cells, c);
	*target = rating ? w * cells->residual[c] : fold->interest_weight * mf_fold_weight(fold, cells, c);
}

/* Takes the products of n rows from the matrix: of cells that weigh less than unobserved ones. */
static void
take_products(const MfFold *fold, Space *space, const float *rows, int n, const MfDense *dense)
{
	int			ld = mf_padded(fold->factors);

	for (int begin = 0; begin < n; begin += 16)
	{
		int			m = n - begin < 16 ? n - begin : 16;

		for (int e = 0; e < m * ld; e++)
			space->work[e] = -rows[begin * ld + e];
		dense->gemmt(space->matrix, ld, space->work, rows + begin * ld, m, 0, 1);
	}
}

/* Row `at` of the panel = scale times a cell's vector. */
static void
lay_row(const MfFold *fold, Space *space, int at, const float *vector, float scale)
{
	int			ld = mf_padded(fold->factors);
	float	   *row = space->panel + at * ld;

	for (int e = 0; e < ld; e++)
		row[e] = e < fold->factors ? vector[e] * scale : 0.0f;
}

/*
 * Adds the cells' vectors of one part to the matrix and to right-hand sides.  In a panel those that add to
 * the matrix come first.
 */
static void
add_part(const MfFold *fold, const MfFoldCells *cells, bool rating, Space *space, const MfDense *dense)
{
	int			d = fold->factors;
	int			ld = mf_padded(d);
	const float *const *rows = rating ? cells->rating : cells->interest;
	float		factor[MF_PANEL_ROWS];
	float		weight[MF_PANEL_ROWS];

	for (int64_t begin = 0; begin < cells->n; begin += MF_PANEL_ROWS)
	{
		int			n = cells->n - begin < MF_PANEL_ROWS ? (int) (cells->n - begin) : MF_PANEL_ROWS;
		int			added = 0;
		int			taken = 0;

		for (int k = 0; k < n; k++)
		{
			float		square;
			float		target;
			float		scale;
			int			at;

			cell_factors(fold, cells, rating, begin + k, &square, &target);
			scale = sqrtf(fabsf(square));
			at = square < 0.0f ? n - ++taken : added++;
			lay_row(fold, space, at, rows[begin + k], scale);
			factor[at] = scale > 0.0f ? target / scale : 0.0f;
			weight[at] = scale;
			space->target_sum += rating ? target : 0.0f;
			space->weight_sum += rating ? square : 0.0f;
			if (scale == 0.0f)
				for (int e = 0; e < d; e++)
					space->right[e] += target * rows[begin + k][e];
		}
		dense->gemv(space->right, space->panel, factor, ld, n);
		if (rating)
			dense->gemv(space->bias_right, space->panel, weight, ld, n);
		dense->gemmt(space->matrix, ld, space->panel, space->panel, added, 0, 1);
		take_products(fold, space, space->panel + added * ld, taken, dense);
	}
}

/* Scratch space with sums and the matrix at 0, but for where the mean user draws to. */
static Space
start_sums(const MfFold *fold, const MfFoldCells *cells, void *scratch)
{
	MfArena		arena = mf_arena_at(scratch);
	Space		space = lay_out(&arena, fold->factors);
	size_t		n = (size_t) mf_padded(fold->factors);

	memset(space.right, 0, n * sizeof(float));
	for (int k = 0; k < fold->factors && fold->user_mean != NULL; k++)
		space.right[k] = cells->pull * fold->user_mean[k];
	memset(space.bias_right, 0, n * sizeof(float));
	memset(space.matrix, 0, n * n * sizeof(float));
	return space;
}

/* Adds interest_weight * gram + regularization to the matrix of the cells. */
static void
complete_matrix(const MfFold *fold, const MfFoldCells *cells, Space *space)
{
	int			d = fold->factors;
	int			ld = mf_padded(d);
	double		trace = 0.0;
	double		gram = 0.0;

	for (int i = 0; i < d; i++)
		trace += space->matrix[i * ld + i];
	for (int i = 0; i < d && cells->interest != NULL; i++)
	{
		gram += fold->interest_weight * fold->gram[i * ld + i];
		for (int j = i; j < d; j++)
			space->matrix[i * ld + j] += fold->interest_weight * fold->gram[i * ld + j];
	}
	space->shift = (float) mf_ridge(cells->regularization, trace, fold->whole ? MF_TAKEN_GRAM * gram : gram);
	for (int i = 0; i < ld; i++)
		space->matrix[i * ld + i] += i < d ? space->shift : 1.0f;
}

/* Solves for the user's vector (in space->right) and, with ratings, bias. */
static MfError
solve_user(const MfFold *fold, const MfFoldCells *cells, Space *space, const MfDense *dense, float *b)
{
	const MfCholesky *cholesky = mf_cholesky();
	int			ld = mf_padded(fold->factors);
	double		shift = mf_bias_ridge(fold->user_bias_regularization, space->weight_sum);
	double		above;
	double		below;

	*b = 0.0f;
	complete_matrix(fold, cells, space);
	if (!cholesky->factor_one(dense, space->matrix, ld, space->shift, space->inverse, space->work))
		return MF_NOT_FINITE;
	cholesky->solve_one(space->matrix, ld, space->inverse, space->right);
	if (cells->rating == NULL)
		return MF_OK;
	memcpy(space->kept, space->bias_right, (size_t) ld * sizeof(float));
	below = space->weight_sum + shift -
		cholesky->solve_one(space->matrix, ld, space->inverse, space->bias_right);
	above = space->target_sum - dense->dot(space->kept, space->right, ld);
	*b = (float) (above / (below < shift ? shift : below));
	dense->axpy(space->right, space->bias_right, -*b, ld);
	return MF_OK;
}

MfError
mf_fold_in(const MfFold *fold, const MfFoldCells *cells, float *user, float *bias, void *space)
{
	const MfDense *dense = mf_dense();
	Space		own = start_sums(fold, cells, space);
	MfError		error = MF_OK;
	float		b = 0.0f;

	if (cells->n > 0)
	{
		if (cells->interest != NULL)
			add_part(fold, cells, false, &own, dense);
		if (cells->rating != NULL)
			add_part(fold, cells, true, &own, dense);
		error = solve_user(fold, cells, &own, dense, &b);
	}
	else if (fold->user_mean != NULL)
		memcpy(own.right, fold->user_mean, (size_t) fold->factors * sizeof(float));
	memcpy(user, own.right, (size_t) fold->factors * sizeof(float));
	for (int k = 0; k < fold->factors; k++)
		if (!isfinite(user[k]) && error == MF_OK)
			error = MF_NOT_FINITE;
	if (bias != NULL)
		*bias = b;
	if (!isfinite(b) && error == MF_OK)
		error = MF_NOT_FINITE;
	return error;
}

/* The cells' pull on a user: partial sums in float go over to `sum` and `bias_sum` in double. */
typedef struct Pull
{
	float	   *partial;		/* ld */
	double	   *sum;			/* ld */
	double		bias_sum;
} Pull;

/* Cells whose pulls are added up in float. */
#define PARTIAL 512

/* Adds the pull of one cell: weight times error times vector. */
static void
add_pull(const MfFold *fold, const MfFoldCells *cells, int64_t c, const float *user, double bias,
		 Pull *pull, const MfDense *dense)
{
	int			ld = mf_padded(fold->factors);
	float		w = cells->weight != NULL ? cells->weight[c] : 1.0f;

	if (cells->interest != NULL)
	{
		double		score = dense->dot(cells->interest[c], user, ld);
		double		error = mf_fold_weight(fold, cells, c) - mf_fold_excess(fold, cells, c) * score;

		dense->axpy(pull->partial, cells->interest[c], (float) (fold->interest_weight * error), ld);
	}
	if (cells->rating != NULL)
	{
		double		error = w * (cells->residual[c] - dense->dot(cells->rating[c], user, ld) - bias);

		dense->axpy(pull->partial, cells->rating[c], (float) error, ld);
		pull->bias_sum += error;
	}
}

/*
 * How far (user, bias) is from what mf_fold_in() would give for n > 0 cells: the length of the
 * objective's gradient there, relative to the terms that cancel in it; 0 at the solution.  user and
 * all vectors have mf_padded(d) floats, padding 0.  O(n d + d^2).  space: mf_fold_size() bytes.
 */
double
mf_fold_gradient(const MfFold *fold, const MfFoldCells *cells, const float *user, float bias,
				 void *space)
{
	const MfDense *dense = mf_dense();
	MfArena		arena = mf_arena_at(space);
	int			ld = mf_padded(fold->factors);
	Pull		pull = {mf_arena_floats(&arena, ld), mf_arena_take(&arena, ld * sizeof(double)), 0.0};
	double		gradient;
	double		squares = 0.0;
	double		held = 0.0;
	double		pulled = 0.0;

	memset(pull.sum, 0, ld * sizeof(double));
	for (int64_t begin = 0; begin < cells->n; begin += PARTIAL)
	{
		memset(pull.partial, 0, ld * sizeof(float));
		for (int64_t c = begin; c < cells->n && c < begin + PARTIAL; c++)
			add_pull(fold, cells, c, user, bias, &pull, dense);
		for (int k = 0; k < ld; k++)
			pull.sum[k] += pull.partial[k];
	}
	if (cells->rating != NULL && !isinf(fold->user_bias_regularization))
	{
		held = fold->user_bias_regularization * bias;
		squares = (held - pull.bias_sum) * (held - pull.bias_sum);
		held *= held;
		pulled = pull.bias_sum * pull.bias_sum;
	}
	for (int k = 0; k < fold->factors; k++)
	{
		double		hold = (double) cells->regularization * user[k];

		if (fold->user_mean != NULL)
			hold -= (double) cells->pull * fold->user_mean[k];
		if (cells->interest != NULL)
			hold += (double) fold->interest_weight *
				dense->dot(fold->gram + (size_t) k * ld, user, ld);
		gradient = hold - pull.sum[k];
		squares += gradient * gradient;
		held += hold * hold;
		pulled += pull.sum[k] * pull.sum[k];
	}
	if (!(held + pulled > 0.0))
		return squares > 0.0 ? INFINITY : 0.0;
	return sqrt(squares) / (sqrt(held) + sqrt(pulled));
}

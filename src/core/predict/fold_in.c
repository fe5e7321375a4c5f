/*
 * fold_in.c - the vector of one user from their cells: a row of the user half-sweep, for serving.
 *
 * The system is that of als.c for a user (see there), with the items as a version has stored them:
 *
 *     (w0 G + regularization + sum over cells of square y y') p = pull point + sum over cells of right y,
 *
 * where terms say what square and right are (term.h).  It is solved directly, in its primal form, by Cholesky, in the
 * basis that the vectors have: no rotation and no dual form, for a call has one system and few cells, and should give
 * the same however a training went about it.  A bias is eliminated by a second right-hand side.
 *
 * Cells that weigh less than the Gram matrix has of them already, as faded ones and some of imported models do, are
 * taken from the matrix; such rows are laid behind the others of a panel.  So a user's training rows give the vector
 * that the training has stored, but for rounding (test_fold).
 *
 * Costs n d^2 / 2 multiplications for n cells, and d^3 / 6 for the factorization.
 */
#include "core/predict/fold_in.h"

#include <math.h>
#include <string.h>

#include "core/als/ridge.h"
#include "core/als/term.h"
#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/kernels/cholesky.h"
#include "core/kernels/dense.h"

#define PANEL_ROWS 128		/* rows whose products are added at a time */

/* What is in the workspace. */
typedef struct Space
{
	float	   *panel;			/* PANEL_ROWS x ld */
	float	   *matrix;			/* ld x ld */
	float	   *right;			/* ld: targets' sum, then the solution */
	float	   *bias_right;		/* ld: the bias's vector, then its solution */
	float	   *kept;			/* ld: the bias's vector */
	float	   *inverse;		/* ld */
	float	   *work;			/* 16 x ld */
	double		target_sum;
	double		weight_sum;
	float		shift;			/* what regularization counts as at least: see ridge.h */
} Space;

/* Divides the workspace; start NULL only measures. */
static Space
lay_out(MfArena *arena, int factors)
{
	size_t		n = (size_t) mf_padded(factors);
	Space		space = {0};

	space.panel = mf_arena_floats(arena, PANEL_ROWS * n);
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

/* Row `at` of the panel = scale times a vector, of which the first `dimensions` numbers count. */
static void
lay_row(const MfFold *fold, Space *space, int at, const float *vector, int dimensions, float scale)
{
	int			ld = mf_padded(fold->factors);
	float	   *row = space->panel + at * ld;

	for (int e = 0; e < ld; e++)
		row[e] = e < dimensions ? vector[e] * scale : 0.0f;
}

/* The sums that a panel of rows is on its way into. */
typedef struct Panel
{
	int			n;				/* cells */
	int			added;			/* of which so many add to the matrix: the first rows */
	int			taken;			/* and so many take from it: the last */
	float		factor[PANEL_ROWS];	/* of the right-hand side */
	float		weight[PANEL_ROWS];	/* of the bias's vector */
} Panel;

/* Lays a cell into the panel, scaled by the root of what it adds to the matrix or takes from it. */
static void
lay_cell(const MfFold *fold, const MfTerm *term, MfTermCell cell, Space *space, Panel *panel)
{
	float		square = (float) cell.square;
	float		right = (float) cell.right;
	float		scale = sqrtf(fabsf(square));
	int			at = square < 0.0f ? panel->n - ++panel->taken : panel->added++;

	lay_row(fold, space, at, cell.y, term->dimensions, scale);
	panel->factor[at] = scale > 0.0f ? right / scale : 0.0f;
	panel->weight[at] = scale;
	space->target_sum += term->bias ? right : 0.0f;
	space->weight_sum += term->bias ? square : 0.0f;
	if (scale == 0.0f)
		for (int e = 0; e < term->dimensions; e++)
			space->right[e] += right * cell.y[e];
}

/* Adds the cells of one term to the matrix and to right-hand sides. */
static void
add_term(const MfFold *fold, const MfTerm *terms, MfPart part, const MfFoldCells *cells, Space *space,
		 const MfDense *dense)
{
	int			ld = mf_padded(fold->factors);

	for (int64_t begin = 0; begin < cells->n; begin += PANEL_ROWS)
	{
		Panel		panel;

		panel.n = cells->n - begin < PANEL_ROWS ? (int) (cells->n - begin) : PANEL_ROWS;
		panel.added = panel.taken = 0;
		for (int k = 0; k < panel.n; k++)
			lay_cell(fold, &terms[part], mf_fold_cell(&terms[part], part, cells, begin + k), space, &panel);
		dense->gemv(space->right, space->panel, panel.factor, ld, panel.n);
		if (terms[part].bias)
			dense->gemv(space->bias_right, space->panel, panel.weight, ld, panel.n);
		dense->gemmt(space->matrix, ld, space->panel, space->panel, panel.added, 0, 1);
		take_products(fold, space, space->panel + panel.added * ld, panel.taken, dense);
	}
}

/* Workspace with sums and the matrix at 0, but for where the mean user draws to. */
static Space
start_sums(const MfFold *fold, const MfTerm *terms, const MfFoldCells *cells, void *workspace)
{
	MfArena		arena = mf_arena_at(workspace);
	Space		space = lay_out(&arena, fold->factors);
	size_t		n = (size_t) mf_padded(fold->factors);

	memset(space.right, 0, n * sizeof(float));
	for (int k = 0; k < mf_shared_dimensions(terms, fold->factors) && fold->user_mean != NULL; k++)
		space.right[k] = cells->pull * fold->user_mean[k];
	memset(space.bias_right, 0, n * sizeof(float));
	memset(space.matrix, 0, n * n * sizeof(float));
	return space;
}

/*
 * Adds interest_weight * gram and regularization to the matrix of the cells, whose shifts count as no less than ridge.h
 * says, by kind of dimensions.
 */
static void
complete_matrix(const MfFold *fold, const MfTerm *terms, const MfFoldCells *cells, Space *space)
{
	const MfTerm *interest = &terms[MF_INTEREST];
	int			ld = mf_padded(fold->factors);
	int			begin[] = {0, mf_shared_dimensions(terms, fold->factors), fold->factors};

	space->shift = INFINITY;
	for (int kind = 0; kind < 2; kind++)
	{
		double		trace = 0.0;
		double		gram = 0.0;
		float		shift;

		for (int i = begin[kind]; i < begin[kind + 1]; i++)
		{
			trace += space->matrix[i * ld + i];
			if (!interest->present || i >= interest->dimensions)
				continue;
			gram += interest->weight * fold->gram[i * ld + i];
			for (int j = i; j < interest->dimensions; j++)
				space->matrix[i * ld + j] += interest->weight * fold->gram[i * ld + j];
		}
		shift = (float) mf_ridge(mf_fold_shift(cells, kind == 0), trace, fold->whole ? MF_TAKEN_GRAM * gram : gram);
		for (int i = begin[kind]; i < begin[kind + 1]; i++)
			space->matrix[i * ld + i] += shift;
		if (begin[kind + 1] > begin[kind])
			space->shift = fminf(space->shift, shift);
	}
	for (int i = fold->factors; i < ld; i++)
		space->matrix[i * ld + i] += 1.0f;
}

/* Solves for the user's vector (in space->right) and, with ratings, bias. */
static MfError
solve_user(const MfFold *fold, const MfTerm *terms, const MfFoldCells *cells, Space *space, const MfDense *dense,
		   float *b)
{
	const MfCholesky *cholesky = mf_cholesky();
	int			ld = mf_padded(fold->factors);
	double		shift = mf_bias_ridge(fold->user_bias_regularization, space->weight_sum);
	double		above;
	double		below;

	*b = 0.0f;
	complete_matrix(fold, terms, cells, space);
	if (!cholesky->potrf(dense, space->matrix, ld, space->shift, space->inverse, space->work))
		return MF_NOT_FINITE;
	cholesky->potrs(space->matrix, ld, space->inverse, space->right);
	if (!terms[MF_RATING].present)
		return MF_OK;
	memcpy(space->kept, space->bias_right, (size_t) ld * sizeof(float));
	below = space->weight_sum + shift -
		cholesky->potrs(space->matrix, ld, space->inverse, space->bias_right);
	above = space->target_sum - dense->dot(space->kept, space->right, ld);
	*b = (float) (above / (below < shift ? shift : below));
	dense->axpy(space->right, space->bias_right, -*b, ld);
	return MF_OK;
}

/*
 * The vector p_u (d floats written) and bias b_u (0 without a rating part; may be NULL) that a half-sweep over users
 * would give this user: single thread, no allocation.  space: mf_fold_size() bytes.
 */
MfError
mf_fold_in(const MfFold *fold, const MfFoldCells *cells, float *user, float *bias, void *space)
{
	const MfDense *dense = mf_dense();
	MfTerm		terms[MF_TERMS];
	Space		own;
	MfError		error = MF_OK;
	float		b = 0.0f;

	mf_fold_terms(fold, cells, terms);
	own = start_sums(fold, terms, cells, space);
	if (cells->n > 0)
	{
		for (int part = 0; part < MF_TERMS; part++)
			if (terms[part].present)
				add_term(fold, terms, (MfPart) part, cells, &own, dense);
		error = solve_user(fold, terms, cells, &own, dense, &b);
	}
	else if (fold->user_mean != NULL)
		memcpy(own.right, fold->user_mean, (size_t) mf_shared_dimensions(terms, fold->factors) * sizeof(float));
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

/* Adds the pull of one cell in one term: weight times error times vector. */
static void
add_pull(const MfTerm *term, MfTermCell cell, const float *user, double bias, int ld, Pull *pull, const MfDense *dense)
{
	double		score = dense->dot(cell.y, user, ld) + (term->bias ? bias : 0.0);
	double		error = cell.right - cell.square * score;

	dense->axpy(pull->partial, cell.y, (float) error, ld);
	if (term->bias)
		pull->bias_sum += error;
}

/* Adds the pulls of all cells. */
static void
add_pulls(const MfTerm *terms, const MfFoldCells *cells, const float *user, double bias, int ld, Pull *pull)
{
	const MfDense *dense = mf_dense();

	memset(pull->sum, 0, (size_t) ld * sizeof(double));
	for (int64_t begin = 0; begin < cells->n; begin += PARTIAL)
	{
		memset(pull->partial, 0, (size_t) ld * sizeof(float));
		for (int64_t c = begin; c < cells->n && c < begin + PARTIAL; c++)
			for (int part = 0; part < MF_TERMS; part++)
				if (terms[part].present)
					add_pull(&terms[part], mf_fold_cell(&terms[part], (MfPart) part, cells, c), user, bias, ld, pull,
							 dense);
		for (int k = 0; k < ld; k++)
			pull->sum[k] += pull->partial[k];
	}
}

/*
 * How far (user, bias) is from what mf_fold_in() would give for n > 0 cells: the length of the
 * objective's gradient there, relative to the terms that cancel in it; 0 at the solution.  user and
 * all vectors have mf_padded(d) floats, padding 0 (and s_i 0 beyond shared dimensions).  O(n d + d^2).  space:
 * mf_fold_size() bytes.
 */
double
mf_fold_gradient(const MfFold *fold, const MfFoldCells *cells, const float *user, float bias,
				 void *space)
{
	const MfDense *dense = mf_dense();
	MfArena		arena = mf_arena_at(space);
	int			ld = mf_padded(fold->factors);
	Pull		pull = {mf_arena_floats(&arena, (size_t) ld), mf_arena_take(&arena, (size_t) ld * sizeof(double)), 0.0};
	MfTerm		terms[MF_TERMS];
	double		squares = 0.0;
	double		held = 0.0;
	double		pulled = 0.0;
	int			shared;

	mf_fold_terms(fold, cells, terms);
	shared = mf_shared_dimensions(terms, fold->factors);
	add_pulls(terms, cells, user, bias, ld, &pull);
	if (terms[MF_RATING].present && !isinf(fold->user_bias_regularization))
	{
		held = fold->user_bias_regularization * bias;
		squares = (held - pull.bias_sum) * (held - pull.bias_sum);
		held *= held;
		pulled = pull.bias_sum * pull.bias_sum;
	}
	for (int k = 0; k < fold->factors; k++)
	{
		double		hold = (double) mf_fold_shift(cells, k < shared) * user[k];

		if (fold->user_mean != NULL && k < shared)
			hold -= (double) cells->pull * fold->user_mean[k];
		if (terms[MF_INTEREST].present && k < terms[MF_INTEREST].dimensions)
			hold += (double) fold->interest_weight *
				dense->dot(fold->gram + (size_t) k * (size_t) ld, user, ld);
		squares += (hold - pull.sum[k]) * (hold - pull.sum[k]);
		held += hold * hold;
		pulled += pull.sum[k] * pull.sum[k];
	}
	if (!(held + pulled > 0.0))
		return squares > 0.0 ? INFINITY : 0.0;
	return sqrt(squares) / (sqrt(held) + sqrt(pulled));
}

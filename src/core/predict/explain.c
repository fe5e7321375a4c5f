/*
 * explain.c - what each of a user's own items adds to the score of another item.
 *
 * A user's vector solves M x = sum over their cells c of r_c (with the pull to the mean user),
 * where x = (p, b), so the score p.v + share b of an item with list vector v is the sum over cells of
 * y.r_c with y = M^-1 (v, share): one solve explains it all.  (Hu, Koren, Volinsky 2008, section 5.)
 * The pull to the mean user grows with the cells that are no dislikes, so each of these has an equal share of it; all
 * have where there are no others.
 *
 * A dislike is not on the right-hand side: it takes part in M, by e s s' with its mass e above that of an unobserved
 * cell. With M = M0 + sum e s s' the vector solves as well M0 x = sum of r_c of likes - sum of e (s.x) s, which gives
 * each dislike its part: it takes away as much as it weighs times the interest in it that is left.
 */
#include "core/predict/explain.h"

#include <math.h>

#include "core/als/ridge.h"
#include "core/als/term.h"
#include "core/base/padding.h"

/* Bytes of `space` for mf_explain_cells: two systems in double, each with its right-hand side. */
size_t
mf_explain_size(const MfFold *fold)
{
	size_t		n = (size_t) fold->factors + 1;

	return sizeof(double) * 2 * (n * n + n);
}

/* Whether cell c of a user is a dislike. */
static bool
is_dislike(const MfFoldCells *cells, int64_t c)
{
	return cells->weight != NULL && mf_cell_is_dislike(cells->weight[c]);
}

/* How many cells are none. */
static int64_t
count_likes(const MfFoldCells *cells)
{
	int64_t		likes = 0;

	for (int64_t c = 0; c < cells->n; c++)
		likes += !is_dislike(cells, c);
	return likes;
}

/* Adds weight * (x, last)(x, last)' to the lower triangle of an n x n matrix; x has d numbers, zeros up to last. */
static void
add_outer(double *matrix, int n, const float *x, int d, double last, double weight)
{
	for (int i = 0; i < n; i++)
	{
		double		xi = weight * (i < d ? x[i] : i == n - 1 ? last : 0);

		for (int j = 0; j <= i && xi != 0; j++)
			matrix[(size_t) i * n + j] += xi * (j < d ? x[j] : j == n - 1 ? last : 0);
	}
}

/* Adds the Gram matrix and regularization to the lower triangle of the cells' sums, as mf_fold_in() does. */
static void
add_regularization(const MfFold *fold, const MfTerm *terms, const MfFoldCells *cells, double *matrix)
{
	int			n = fold->factors + 1;
	int			ld = mf_padded(fold->factors);
	int			begin[] = {0, mf_shared_dimensions(terms, fold->factors), fold->factors};
	double	   *last = matrix + (size_t) n * n - 1;

	for (int kind = 0; kind < 2; kind++)
	{
		double		trace = 0;
		double		gram = 0;
		double		shift;

		for (int i = begin[kind]; i < begin[kind + 1]; i++)
		{
			double	   *row = matrix + (size_t) i * n;

			trace += row[i];
			if (!terms[MF_INTEREST].present || i >= terms[MF_INTEREST].dimensions)
				continue;
			for (int j = 0; j <= i; j++)
				row[j] += fold->interest_weight * fold->gram[(size_t) i * ld + j];
			gram += fold->interest_weight * fold->gram[(size_t) i * ld + i];
		}
		shift = mf_ridge(mf_fold_shift(cells, kind == 0), trace, fold->whole ? MF_TAKEN_GRAM * gram : gram);
		for (int i = begin[kind]; i < begin[kind + 1]; i++)
			matrix[(size_t) i * n + i] += shift;
	}
	*last = terms[MF_RATING].present ? mf_bias_ridge(fold->user_bias_regularization, *last) + *last : 1;
}

/* Adds the products of cells to the lower triangle of a matrix, times `sign`: of all, or of dislikes alone. */
static void
add_cells(const MfFold *fold, const MfTerm *terms, const MfFoldCells *cells, bool dislikes, double sign, double *matrix)
{
	int			n = fold->factors + 1;

	for (int64_t c = 0; c < cells->n; c++)
		for (int part = 0; part < MF_TERMS; part++)
			if (terms[part].present && (!dislikes || is_dislike(cells, c)))
			{
				MfTermCell	cell = mf_fold_cell(&terms[part], (MfPart) part, cells, c);

				add_outer(matrix, n, cell.y, terms[part].dimensions, terms[part].bias, sign * cell.square);
			}
}

/* The lower triangle of the user's system M, n = d + 1; the bias comes last. */
static void
build_system(const MfFold *fold, const MfTerm *terms, const MfFoldCells *cells, double *matrix)
{
	int			n = fold->factors + 1;

	for (size_t k = 0; k < (size_t) n * n; k++)
		matrix[k] = 0;
	add_cells(fold, terms, cells, false, 1, matrix);
	add_regularization(fold, terms, cells, matrix);
}

/* Solves M x = x in place by Cholesky's method; M's lower triangle becomes its factor. */
static MfError
solve_in_place(double *matrix, double *x, int n)
{
	for (int j = 0; j < n; j++)
	{
		double	   *row = matrix + (size_t) j * n;

		for (int i = 0; i <= j; i++)
		{
			const double *other = matrix + (size_t) i * n;
			double		sum = row[i];

			for (int k = 0; k < i; k++)
				sum -= row[k] * other[k];
			if (i == j && !(sum > 0))
				return MF_NOT_FINITE;
			row[i] = i == j ? sqrt(sum) : sum / other[i];
		}
	}
	for (int i = 0; i < n; i++)
	{
		for (int k = 0; k < i; k++)
			x[i] -= matrix[(size_t) i * n + k] * x[k];
		x[i] /= matrix[(size_t) i * n + i];
	}
	for (int i = n - 1; i >= 0; i--)
	{
		for (int k = i + 1; k < n; k++)
			x[i] -= matrix[(size_t) k * n + i] * x[k];
		x[i] /= matrix[(size_t) i * n + i];
	}
	return MF_OK;
}

static double
dot(const float *a, const double *b, int n)
{
	double		sum = 0;

	for (int k = 0; k < n; k++)
		sum += a[k] * b[k];
	return sum;
}

/*
 * For users with dislikes: from the system M in `matrix` makes M0, without them, and x = the user's vector (n = d + 1
 * numbers); work: n x n.  There is no bias.
 */
static MfError
take_dislikes(const MfFold *fold, const MfTerm *terms, const MfFoldCells *cells, double *matrix, double *x, double *work)
{
	size_t		n = (size_t) fold->factors + 1;

	for (size_t k = 0; k < n * n; k++)
		work[k] = matrix[k];
	for (size_t k = 0; k < n; k++)
		x[k] = fold->user_mean != NULL && (int) k < mf_shared_dimensions(terms, fold->factors) ?
			cells->pull * fold->user_mean[k] : 0;
	for (int64_t c = 0; c < cells->n; c++)
	{
		MfTermCell	cell = mf_fold_cell(&terms[MF_INTEREST], MF_INTEREST, cells, c);

		for (int k = 0; k < terms[MF_INTEREST].dimensions; k++)
			x[k] += cell.right * cell.y[k];
	}
	add_cells(fold, terms, cells, true, -1, matrix);
	return solve_in_place(work, x, (int) n);
}

/*
 * contribution[c] = what cell c adds to p.v + bias_share * b, for v = vector (d floats); cells as for
 * mf_fold_in, n > 0, of which dislikes have no rating part.  They add up to it.  O(n d^2 + d^3), in double.
 */
MfError
mf_explain_cells(const MfFold *fold, const MfFoldCells *cells, const float *vector, double bias_share,
				 double *contribution, void *space)
{
	int			d = fold->factors;
	double	   *matrix = space;
	double	   *y = matrix + (size_t) (d + 1) * (d + 1);
	double	   *x = y + d + 1;
	MfTerm		terms[MF_TERMS];
	double		share = 0;
	int64_t		likes = count_likes(cells);
	MfError		error = MF_OK;

	mf_fold_terms(fold, cells, terms);
	build_system(fold, terms, cells, matrix);
	if (likes < cells->n)
		error = take_dislikes(fold, terms, cells, matrix, x, x + d + 1);
	for (int k = 0; k < d; k++)
		y[k] = vector[k];
	y[d] = bias_share;
	if (error == MF_OK)
		error = solve_in_place(matrix, y, d + 1);
	if (fold->user_mean != NULL && cells->n > 0)
		share = cells->pull * dot(fold->user_mean, y, mf_shared_dimensions(terms, d)) / (double) (likes > 0 ? likes : cells->n);
	for (int64_t c = 0; c < cells->n && error == MF_OK; c++)
	{
		contribution[c] = is_dislike(cells, c) && likes > 0 ? 0 : share;
		for (int part = 0; part < MF_TERMS; part++)
			if (terms[part].present)
			{
				MfTermCell	cell = mf_fold_cell(&terms[part], (MfPart) part, cells, c);

				if (is_dislike(cells, c))
					cell.right = -cell.square * dot(cell.y, x, terms[part].dimensions);
				contribution[c] += cell.right * (dot(cell.y, y, terms[part].dimensions) + (terms[part].bias ? y[d] : 0));
			}
	}
	return error;
}

/*
 * explain.c - what each of a user's own items adds to the score of another item.
 *
 * A user's vector solves M x = sum over their cells c of r_c (with the pull to the mean user),
 * where x = (p, b), so the score p.v + share b of an item with list vector v is the sum over cells of
 * y.r_c with y = M^-1 (v, share): one solve explains it all.  (Hu, Koren, Volinsky 2008, section 5.)
 * The pull to the mean user grows with the cells, so each has an equal share of it.
 */
#include "core/predict/explain.h"

#include <math.h>

#include "core/als/ridge.h"
#include "core/als/term.h"
#include "core/base/padding.h"

/* Bytes of `space` for mf_explain_cells: the system in double, with its right-hand side. */
size_t
mf_explain_size(const MfFold *fold)
{
	size_t		n = (size_t) fold->factors + 1;

	return sizeof(double) * (n * n + n);
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

/* The lower triangle of the user's system M, n = d + 1; the bias comes last. */
static void
build_system(const MfFold *fold, const MfTerm *terms, const MfFoldCells *cells, double *matrix)
{
	int			n = fold->factors + 1;

	for (size_t k = 0; k < (size_t) n * n; k++)
		matrix[k] = 0;
	for (int64_t c = 0; c < cells->n; c++)
		for (int part = 0; part < MF_TERMS; part++)
			if (terms[part].present)
			{
				MfTermCell	cell = mf_fold_cell(&terms[part], (MfPart) part, cells, c);

				add_outer(matrix, n, cell.y, terms[part].dimensions, terms[part].bias, cell.square);
			}
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
 * contribution[c] = what cell c adds to p.v + bias_share * b, for v = vector (d floats); cells as for
 * mf_fold_in, n > 0.  They add up to it.  O(n d^2 + d^3), in double.
 */
MfError
mf_explain_cells(const MfFold *fold, const MfFoldCells *cells, const float *vector, double bias_share,
				 double *contribution, void *space)
{
	int			d = fold->factors;
	double	   *matrix = space;
	double	   *y = matrix + (size_t) (d + 1) * (d + 1);
	MfTerm		terms[MF_TERMS];
	double		share = 0;
	MfError		error;

	mf_fold_terms(fold, cells, terms);
	build_system(fold, terms, cells, matrix);
	for (int k = 0; k < d; k++)
		y[k] = vector[k];
	y[d] = bias_share;
	error = solve_in_place(matrix, y, d + 1);
	if (fold->user_mean != NULL && cells->n > 0)
		share = cells->pull * dot(fold->user_mean, y, mf_shared_dimensions(terms, d)) / (double) cells->n;
	for (int64_t c = 0; c < cells->n && error == MF_OK; c++)
	{
		contribution[c] = share;
		for (int part = 0; part < MF_TERMS; part++)
			if (terms[part].present)
			{
				MfTermCell	cell = mf_fold_cell(&terms[part], (MfPart) part, cells, c);

				contribution[c] += cell.right * (dot(cell.y, y, terms[part].dimensions) + (terms[part].bias ? y[d] : 0));
			}
	}
	return error;
}

/*
 * als.c - alternating least squares for the joint objective.
 */
#include "als.h"

#include <math.h>
#include <string.h>

#include "rng.h"

struct MfAls
{
	const MfProblem *problem;
	MfFactors	factors;
	const MfParallel *parallel;
	MfSide		side;
	int			ld;
	double		fixed_loss;
	double	   *gram;			/* d x d */
	double	   *row_loss;		/* one per row of the larger side */
	double	   *scratch;		/* per worker: (d + 1) x (d + 2) */
	MfError		error;
	const MfRows *rows;
};

#define ROWS_PER_BLOCK 64

static size_t
scratch_doubles(int d)
{
	return (size_t) (d + 1) * (size_t) (d + 3);
}

/* Fills nrows x mf_padded(nfactors) floats with numbers of mean 0 and standard deviation 0.1. */
void
mf_random_factors(float *factors, int64_t nrows, int nfactors, uint64_t seed)
{
	int			ld = mf_padded(nfactors);

	for (int64_t r = 0; r < nrows; r++)
		for (int k = 0; k < ld; k++)
			factors[r * ld + k] = k < nfactors ?
				0.1f * mf_random_normal(seed, (uint64_t) r * 1024 + (uint64_t) k) : 0.0f;
}

size_t
mf_als_size(const MfProblem *problem, const MfParallel *parallel)
{
	size_t		d = (size_t) problem->factors;
	size_t		rows = (size_t) (problem->nusers > problem->nitems ? problem->nusers : problem->nitems);

	return 64 + sizeof(MfAls) + sizeof(double) * (d * d + rows + (size_t) mf_workers(parallel) * scratch_doubles((int) d));
}

MfAls *
mf_als_init(void *space, const MfProblem *problem, const MfFactors *factors,
			const MfParallel *parallel)
{
	MfAls	   *als = (MfAls *) (((uintptr_t) space + 63) & ~(uintptr_t) 63);
	int64_t		rows = problem->nusers > problem->nitems ? problem->nusers : problem->nitems;

	memset(als, 0, sizeof(MfAls));
	als->problem = problem;
	als->factors = *factors;
	als->parallel = parallel;
	als->ld = mf_padded(problem->factors);
	als->gram = (double *) (als + 1);
	als->row_loss = als->gram + problem->factors * problem->factors;
	als->scratch = als->row_loss + rows;
	return als;
}

static double
square(const float *x, int d)
{
	double		sum = 0.0;

	for (int k = 0; k < d; k++)
		sum += (double) x[k] * x[k];
	return sum;
}

MfError
mf_als_begin(MfAls *als, MfSide side, bool exact)
{
	const MfProblem *p = als->problem;
	const MfFactors *f = &als->factors;
	int			d = p->factors;
	bool		users = side == MF_USERS;
	const float *x = users ? f->interest : f->user;
	int64_t		n = users ? p->nitems : p->nusers;

	(void) exact;
	als->side = side;
	als->error = MF_OK;
	als->fixed_loss = 0.0;
	memset(als->gram, 0, sizeof(double) * (size_t) (d * d));
	if (p->has_interest)
		for (int64_t r = 0; r < n; r++)
			for (int i = 0; i < d; i++)
				for (int j = 0; j < d; j++)
					als->gram[i * d + j] += (double) x[r * als->ld + i] * x[r * als->ld + j] *
						(users && p->unobserved ? p->unobserved[r] : 1.0f);
	for (int64_t r = 0; r < n; r++)
	{
		if (!users)
		{
			als->fixed_loss += p->user_regularization[r] * square(f->user + r * als->ld, d);
			if (p->has_rating)
				als->fixed_loss += p->user_bias_regularization * (double) f->user_bias[r] * f->user_bias[r];
			continue;
		}
		if (p->has_interest)
			als->fixed_loss += p->interest_weight * p->interest_regularization[r] * square(f->interest + r * als->ld, d);
		if (p->has_rating)
			als->fixed_loss += p->rating_regularization[r] * square(f->rating + r * als->ld, d) +
				p->item_bias_regularization * (double) f->item_bias[r] * f->item_bias[r];
	}
	n = users ? p->nusers : p->nitems;
	for (int64_t r = 0; r < n; r++)
		als->row_loss[r] = 0.0;
	return MF_OK;
}

/* Solves A x = b in place (b becomes x; A (n x n, leading dimension ld) is destroyed); returns b.x. */
static double
solve(double *a, int ld, double *b, int n, MfError *error)
{
	double		product = 0.0;

	for (int j = 0; j < n; j++)
	{
		for (int i = j; i < n; i++)
			for (int k = 0; k < j; k++)
				a[i * ld + j] -= a[i * ld + k] * a[j * ld + k];
		if (!(a[j * ld + j] > 0.0))
		{
			*error = isfinite(a[j * ld + j]) ? MF_NOT_POSITIVE_DEFINITE : MF_NOT_FINITE;
			return 0.0;
		}
		a[j * ld + j] = sqrt(a[j * ld + j]);
		for (int i = j + 1; i < n; i++)
			a[i * ld + j] /= a[j * ld + j];
		for (int k = 0; k < j; k++)
			b[j] -= a[j * ld + k] * b[k];
		b[j] /= a[j * ld + j];
		product += b[j] * b[j];
	}
	for (int i = n - 1; i >= 0; i--)
	{
		for (int k = i + 1; k < n; k++)
			b[i] -= a[k * ld + i] * b[k];
		b[i] /= a[i * ld + i];
	}
	return product;
}

/* a += w [x, 1][x, 1]', b += t [x, 1] for x of d numbers. */
static void
add_cell(double *a, double *b, int d, const float *x, double w, double t, bool bias)
{
	for (int i = 0; i < d; i++)
	{
		for (int j = 0; j <= i; j++)
			a[i * (d + 1) + j] += w * x[i] * x[j];
		if (bias)
			a[d * (d + 1) + i] += w * x[i];
		b[i] += t * x[i];
	}
	if (bias)
	{
		a[d * (d + 1) + d] += w;
		b[d] += t;
	}
}

static void
start_system(double *a, double *b, int d, const double *gram, double scale, double diagonal,
			 double bias_diagonal)
{
	memset(b, 0, sizeof(double) * (size_t) (d + 1));
	memset(a, 0, sizeof(double) * (size_t) ((d + 1) * (d + 1)));
	for (int i = 0; i < d; i++)
	{
		for (int j = 0; j <= i; j++)
			a[i * (d + 1) + j] = scale * gram[i * d + j];
		a[i * (d + 1) + i] += diagonal;
	}
	a[d * (d + 1) + d] = bias_diagonal;
}

/* Solves one part (rating: biases too) of one row's system(s) and adds its loss. */
static void
solve_row(MfAls *als, const MfRows *rows, int64_t r, double *a, bool rating, bool interest)
{
	const MfProblem *p = als->problem;
	const MfFactors *f = &als->factors;
	int			d = p->factors;
	double	   *b = a + (d + 1) * (d + 1);
	bool		users = als->side == MF_USERS;
	int64_t		row = rows->first + r;
	double		constant = 0.0;
	double		w0 = p->interest_weight;
	float	   *out = (users ? f->user : rating ? f->rating : f->interest) + row * als->ld;

	if (users)
		start_system(a, b, d, als->gram, w0, p->user_regularization[row], p->user_bias_regularization);
	else if (interest)
		start_system(a, b, d, als->gram, w0 * (p->unobserved ? p->unobserved[row] : 1.0f), w0 * p->interest_regularization[row], 0.0);
	else
		start_system(a, b, d, als->gram, 0.0, p->rating_regularization[row], p->item_bias_regularization);
	for (int64_t c = rows->start[r]; c < rows->start[r + 1]; c++)
	{
		int32_t		other = rows->column[c];
		double		w = rows->weight ? rows->weight[c] : 1.0;

		if (interest)
		{
			double		c0 = p->unobserved ? p->unobserved[users ? other : row] : 1.0f;
			double		t = w0 * (c0 + p->alpha * w);

			add_cell(a, b, d, (users ? f->interest : f->user) + other * als->ld, w0 * p->alpha * w, t, false);
			constant += t;
		}
		if (rating)
		{
			double		z = rows->rating[c] - (users ? f->item_bias : f->user_bias)[other];

			add_cell(a, b, d, (users ? f->rating : f->user) + other * als->ld, w, w * z, true);
			constant += w * z * z;
		}
	}
	if (rows->start[r] == rows->start[r + 1])
		memset(b, 0, sizeof(double) * (size_t) (d + 1));
	else
		als->row_loss[row] += constant - solve(a, d + 1, b, d + (rating ? 1 : 0), &als->error);
	for (int k = 0; k < d; k++)
		out[k] = (float) b[k];
	if (rating)
		(users ? f->user_bias : f->item_bias)[row] = (float) b[d];
}

static void
solve_block(void *state, int64_t block, int worker)
{
	MfAls	   *als = state;
	const MfRows *rows = als->rows;
	const MfProblem *p = als->problem;
	int64_t		end = (block + 1) * ROWS_PER_BLOCK < rows->nrows ? (block + 1) * ROWS_PER_BLOCK : rows->nrows;
	double	   *a = als->scratch + (size_t) worker * scratch_doubles(p->factors);

	for (int64_t r = block * ROWS_PER_BLOCK; r < end; r++)
	{
		if (als->side == MF_USERS)
			solve_row(als, rows, r, a, p->has_rating, p->has_interest);
		else
		{
			if (p->has_interest)
				solve_row(als, rows, r, a, false, true);
			if (p->has_rating)
				solve_row(als, rows, r, a, true, false);
		}
	}
}

MfError
mf_als_rows(MfAls *als, const MfRows *rows)
{
	als->rows = rows;
	if (!mf_parallel_blocks(als->parallel, (rows->nrows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK, solve_block, als))
		return MF_CANCELLED;
	return als->error;
}

MfError
mf_als_end(MfAls *als, double *loss)
{
	int64_t		n = als->side == MF_USERS ? als->problem->nusers : als->problem->nitems;
	double		sum = als->fixed_loss;

	for (int64_t r = 0; r < n; r++)
		sum += als->row_loss[r];
	if (loss != NULL)
		*loss = sum;
	return isfinite(sum) ? als->error : MF_NOT_FINITE;
}

size_t
mf_gram_size(int factors, const MfParallel *parallel)
{
	(void) parallel;
	(void) factors;
	return 64;
}

MfError
mf_gram(const MfParallel *parallel, const float *factors, int64_t nrows, int nfactors,
		const float *weight, float *gram, void *space)
{
	int			ld = mf_padded(nfactors);

	(void) space;
	memset(gram, 0, sizeof(float) * (size_t) (nfactors * ld));
	for (int64_t r = 0; r < nrows; r++)
		for (int i = 0; i < nfactors; i++)
			for (int j = 0; j < nfactors; j++)
				gram[i * ld + j] += factors[r * ld + i] * factors[r * ld + j] * (weight ? weight[r] : 1.0f);
	return mf_cancelled(parallel) ? MF_CANCELLED : MF_OK;
}

size_t
mf_fold_size(const MfFold *fold)
{
	return sizeof(double) * (scratch_doubles(fold->factors) + 8);
}

MfError
mf_fold_in(const MfFold *fold, const MfFoldCells *cells, float *user, float *bias, void *space)
{
	int			d = fold->factors;
	int			ld = mf_padded(d);
	double	   *a = (double *) (((uintptr_t) space + 63) & ~(uintptr_t) 63);
	double	   *b = a + (d + 1) * (d + 1);
	double		w0 = fold->interest_weight;
	MfError		error = MF_OK;

	memset(b, 0, sizeof(double) * (size_t) (d + 1));
	memset(a, 0, sizeof(double) * (size_t) ((d + 1) * (d + 1)));
	for (int i = 0; i < d; i++)
	{
		for (int j = 0; j <= i && fold->gram; j++)
			a[i * (d + 1) + j] = w0 * fold->gram[i * ld + j];
		a[i * (d + 1) + i] += cells->regularization;
	}
	a[d * (d + 1) + d] = fold->user_bias_regularization;
	for (int64_t c = 0; c < cells->n; c++)
	{
		double		w = cells->weight ? cells->weight[c] : 1.0;
		double		c0 = cells->unobserved ? cells->unobserved[c] : 1.0;

		if (cells->interest)
			add_cell(a, b, d, cells->interest[c], w0 * fold->alpha * w, w0 * (c0 + fold->alpha * w), false);
		if (cells->rating)
			add_cell(a, b, d, cells->rating[c], w, w * cells->residual[c], true);
	}
	if (cells->n > 0)
		solve(a, d + 1, b, d + (cells->rating ? 1 : 0), &error);
	for (int k = 0; k < d; k++)
		user[k] = (float) b[k];
	if (bias)
		*bias = cells->rating ? (float) b[d] : 0.0f;
	return error;
}

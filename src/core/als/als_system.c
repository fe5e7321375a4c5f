/*
 * als_system.c - a row's system besides its cells: regularization, the pull to the mean user, and its part of the loss.
 */
#include "core/als/als_state.h"

#include <math.h>
#include <string.h>

/* The vectors of the side being solved, as the caller has them: of users for all terms, of items for this one. */
float *
mf_sweep_solved(const MfAls *als, MfPart part)
{
	if (als->side == MF_USERS)
		return als->factors.user;
	return part == MF_INTEREST ? als->factors.interest : als->factors.rating;
}

/* The system of user `row` of all, the same for all terms. */
static MfSystem
user_system(const MfAls *als, int64_t row)
{
	const MfProblem *problem = als->problem;
	MfSystem	system = {0};

	system.loss_weight = 1.0;
	system.factor = problem->interest_weight;
	system.pull = problem->user_pull != NULL ? problem->user_pull[row] : 0.0f;
	system.shift[MF_SHARED] = problem->user_regularization[row];
	/* not the difference of the two above, of which rounding may leave nothing */
	system.shift[MF_PRIVATE] = problem->user_rating_regularization != NULL ?
		problem->user_rating_regularization[row] : 0.0f;
	system.bias_shift = problem->user_bias_regularization;
	system.bias = als->factors.user_bias != NULL ? als->factors.user_bias + row : NULL;
	return system;
}

/* The system of item `row` of all for one term, divided by the term's weight. */
static MfSystem
item_system(const MfAls *als, const MfTerm *term, int64_t row)
{
	MfSystem	system = {0};

	system.loss_weight = term->weight;
	system.factor = !term->all_cells ? 0.0f : term->unobserved != NULL ? term->unobserved[row] : term->empty;
	for (int kind = 0; kind < MF_KINDS; kind++)
		system.shift[kind] = term->regularization[row];
	if (term->bias)
	{
		system.bias_shift = als->problem->item_bias_regularization;
		system.bias = als->factors.item_bias + row;
	}
	return system;
}

/* The system of row r of als->rows, with shifts not yet raised; a user's is the same for all terms. */
MfSystem
mf_sweep_system(const MfAls *als, MfPart part, int64_t r)
{
	MfSystem	system = als->side == MF_USERS ? user_system(als, als->rows->first + r) :
		item_system(als, &als->term[part], als->rows->first + r);

	memcpy(system.raised, system.shift, sizeof(system.shift));
	system.raised_bias = system.bias_shift;
	return system;
}

/* The square of n numbers, which need not be a multiple of 16. */
static double
square_of(const MfAls *als, const float *x, int n)
{
	int			whole = n & ~15;
	double		sum = als->dense->dot(x, x, whole);

	for (int k = whole; k < n; k++)
		sum += (double) x[k] * x[k];
	return sum;
}

/*
 * What regularization makes of a user with the vector x (given_ld floats, of the caller's) and its square |x|^2: that
 * of each kind of dimensions, and the pull to the mean user.  0 at least, below which only rounding leads.
 */
double
mf_sweep_user_penalty(const MfAls *als, int64_t user, const float *x, double square)
{
	const MfProblem *problem = als->problem;
	MfSystem	system = user_system(als, user);
	double		sum = system.shift[MF_SHARED] * (als->own > 0 ? square_of(als, x, als->shared) : square);

	if (als->own > 0)
		sum += system.shift[MF_PRIVATE] * square_of(als, x + als->shared, als->own);
	if (system.pull != 0.0f)
		sum += (double) system.pull * (als->dense->dot(problem->user_mean, problem->user_mean, als->given_ld) -
									   2.0 * als->dense->dot(problem->user_mean, x, als->given_ld));
	return sum < 0.0 ? 0.0 : sum;
}

/* right (the block's width) = pull times the mean user, 0 without; returns what pull adds to the row's constant. */
double
mf_sweep_start(const MfAls *als, const MfBlock *block, float pull, float *right)
{
	const float *mean = als->mean + block->offset;

	memset(right, 0, (size_t) block->width * sizeof(float));
	if (pull == 0.0f)
		return 0.0;
	als->dense->axpy(right, mean, pull, block->width);
	return (double) pull * als->dense->dot(mean, mean, block->width);
}

/* What a system's shift of one kind counts as, for the trace of that kind of its cells' part: see ridge.h. */
float
mf_sweep_shift(const MfAls *als, const MfSystem *system, MfKind kind, double cells)
{
	return (float) mf_ridge(system->shift[kind], cells, kind == MF_SHARED ? system->factor * als->base_sum : 0.0);
}

/* The sum of the squares of one kind of x's numbers (the block's width). */
double
mf_sweep_square(const MfBlock *block, MfKind kind, const float *x)
{
	double		sum = 0.0;

	for (int k = block->begin[kind]; k < block->end[kind]; k++)
		sum += (double) x[k] * x[k];
	return sum;
}

/*
 * Adds what is left of the loss of row r's solved system, less what shifts that were raised brought in: no less than 0,
 * below which only rounding leads.  x: the solution, of the block's width.  A loss that is not finite, or a matrix that
 * was not (good = false), is the half-sweep's error.
 */
void
mf_sweep_account(MfAls *als, int64_t r, const MfSystem *system, const MfBlock *block, const float *x, double loss,
				 bool good)
{
	int			none = MF_OK;

	for (int kind = 0; kind < MF_KINDS; kind++)
		if (system->raised[kind] > system->shift[kind])
			loss -= ((double) system->raised[kind] - system->shift[kind]) * mf_sweep_square(block, (MfKind) kind, x);
	if (system->bias != NULL && system->raised_bias > system->bias_shift)
		loss -= ((double) system->raised_bias - system->bias_shift) * *system->bias * *system->bias;
	if (!good || !isfinite(loss))
		atomic_compare_exchange_strong(&als->error, &none, (int) MF_NOT_FINITE);
	als->row_loss[als->rows->first + r] += system->loss_weight * (loss < 0.0 ? 0.0 : loss);
}

/* Sets a user without cells to the mean user; for them the loss is not at its least, but lists are. */
static void
become_mean(MfAls *als, int64_t r, const MfSystem *system, float *x)
{
	double		loss = 0.0;

	memcpy(x, als->problem->user_mean, (size_t) als->shared * sizeof(float));
	for (int k = 0; k < als->shared; k++)
		loss += ((double) system->factor * als->base[k] + system->shift[MF_SHARED] - system->pull) *
			als->mean[k] * als->mean[k];
	als->row_loss[als->rows->first + r] = loss;
}

/* Sets the vectors and biases of row r of als->rows, which has no cells, to 0, or to the mean user's. */
void
mf_sweep_clear(MfAls *als, int64_t r)
{
	for (int part = 0; part < MF_TERMS; part++)
	{
		MfSystem	system;
		float	   *x;

		if (!als->term[part].present)
			continue;
		system = mf_sweep_system(als, (MfPart) part, r);
		x = mf_sweep_solved(als, (MfPart) part) + (als->rows->first + r) * als->given_ld;
		memset(x, 0, (size_t) als->given_ld * sizeof(float));
		if (system.bias != NULL)
			*system.bias = 0.0f;
		if (system.pull != 0.0f)
			become_mean(als, r, &system, x);
	}
}

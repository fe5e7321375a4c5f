/*
 * als_system.c - a row's system besides its cells: regularization, the point to which it draws, its part of the loss.
 */
#include "core/als/als_state.h"

#include <math.h>
#include <string.h>

/* Sets the shift of a kind of dimensions, which is not raised as yet. */
static void
set_shift(MfSystem *system, MfKind kind, float shift)
{
	system->shift[kind] = system->raised[kind] = shift;
}

/* The system of user `row` of all, the same for all terms. */
static void
user_system(const MfAls *als, int64_t row, MfSystem *system)
{
	const MfProblem *problem = als->problem;

	system->loss_weight = 1.0;
	system->factor = problem->interest_weight;
	system->pull = problem->user_pull != NULL ? problem->user_pull[row] : 0.0f;
	system->point = als->mean;
	set_shift(system, MF_SHARED, problem->user_regularization[row]);
	/* not the difference of the two above, of which rounding may leave nothing */
	set_shift(system, MF_PRIVATE,
			  problem->user_rating_regularization != NULL ? problem->user_rating_regularization[row] : 0.0f);
	system->bias_shift = system->raised_bias = problem->user_bias_regularization;
	system->bias_point = 0.0f;
	system->bias = als->factors.user_bias != NULL ? als->factors.user_bias + row : NULL;
}

/* The system of item `row` of all for one term, divided by the term's weight; its point is not loaded. */
static void
item_system(const MfAls *als, const MfTerm *term, int64_t row, MfSystem *system)
{
	system->loss_weight = term->weight;
	system->factor = !term->all_cells ? 0.0f : term->unobserved != NULL ? term->unobserved[row] : term->empty;
	for (int kind = 0; kind < MF_KINDS; kind++)
		set_shift(system, (MfKind) kind, term->regularization[row]);
	system->pull = term->prior != NULL ? term->regularization[row] : 0.0f;
	system->point = NULL;
	system->bias_shift = system->raised_bias = term->bias ? als->problem->item_bias_regularization : 0.0f;
	system->bias_point = term->bias && term->bias_prior != NULL ? term->bias_prior[row] : 0.0f;
	system->bias = term->bias ? als->factors.item_bias + row : NULL;
}

/*
 * The system of row r of als->rows, with shifts not yet raised; a user's is the same for all terms.  Filled in where it
 * stays: a copy made at once waits for every number of it.
 */
void
mf_sweep_system(const MfAls *als, MfPart part, int64_t r, MfSystem *system)
{
	if (als->side == MF_USERS)
		user_system(als, als->rows->first + r, system);
	else
		item_system(als, &als->term[part], als->rows->first + r, system);
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
 * of each kind of dimensions, and the pull to the mean user or the user's own point.  0 at least, below which only
 * rounding leads.
 */
double
mf_sweep_user_penalty(const MfAls *als, int64_t user, const float *x, double square)
{
	const MfProblem *problem = als->problem;
	MfSystem	system;
	const float *point = problem->user_prior != NULL ? problem->user_prior + user * als->given_ld : problem->user_mean;
	double		sum;

	user_system(als, user, &system);
	sum = system.shift[MF_SHARED] * (als->own > 0 ? square_of(als, x, als->shared) : square);
	if (als->own > 0)
		sum += system.shift[MF_PRIVATE] * square_of(als, x + als->shared, als->own);
	if (system.pull != 0.0f)
		sum += (double) system.pull * (als->dense->dot(point, point, als->given_ld) -
									   2.0 * als->dense->dot(point, x, als->given_ld));
	return sum < 0.0 ? 0.0 : sum;
}

/*
 * What regularization makes of an item with the vector y of one term (given_ld floats, of the caller's), its square
 * |y|^2, and its bias if the term has one.
 */
double
mf_sweep_item_penalty(const MfAls *als, MfPart part, int64_t item, const float *y, double square)
{
	const MfTerm *term = &als->term[part];
	double		penalty;
	const float *prior = term->prior != NULL ? term->prior + item * als->given_ld : NULL;

	if (prior != NULL)
	{
		square = 0.0;
		for (int k = 0; k < als->given_ld; k++)
			square += ((double) y[k] - prior[k]) * ((double) y[k] - prior[k]);
	}
	penalty = term->weight * (term->regularization[item] * square);
	if (term->bias)
	{
		double		away = (double) als->factors.item_bias[item] - (term->bias_prior != NULL ? term->bias_prior[item] : 0.0f);

		penalty += als->problem->item_bias_regularization * away * away;
	}
	return penalty;
}

/* right (the block's width) = pull times point, 0 without; returns what pull adds to the row's constant. */
double
mf_sweep_start(const MfAls *als, const MfBlock *block, const MfSystem *system, float *right)
{
	const float *point;

	memset(right, 0, (size_t) block->width * sizeof(float));
	if (system->pull == 0.0f)
		return 0.0;
	point = system->point + block->offset;
	als->dense->axpy(right, point, system->pull, block->width);
	return (double) system->pull * als->dense->dot(point, point, block->width);
}

/* What a system's shift of one kind counts as, for the trace of that kind of its cells' part: see ridge.h. */
float
mf_sweep_shift(const MfAls *als, const MfSystem *system, MfKind kind, double cells)
{
	return (float) mf_ridge(system->shift[kind], cells, kind == MF_SHARED ? system->factor * als->base_sum : 0.0);
}

/* The square of the distance of x (the block's width) from a point (the same; NULL: 0) in one kind of dimensions. */
double
mf_sweep_square(const MfBlock *block, MfKind kind, const float *x, const float *point)
{
	double		sum = 0.0;

	for (int k = block->begin[kind]; k < block->end[kind]; k++)
	{
		double		away = (double) x[k] - (point != NULL ? point[k] : 0.0f);

		sum += away * away;
	}
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
			loss -= ((double) system->raised[kind] - system->shift[kind]) *
				mf_sweep_square(block, (MfKind) kind, x, NULL);
	if (system->bias != NULL && system->raised_bias > system->bias_shift)
		loss -= ((double) system->raised_bias - system->bias_shift) * *system->bias * *system->bias;
	if (!good || !isfinite(loss))
		atomic_compare_exchange_strong(&als->error, &none, (int) MF_NOT_FINITE);
	als->row_loss[als->rows->first + r] += system->loss_weight * (loss < 0.0 ? 0.0 : loss);
}

/*
 * Sets a user without cells to the point that they are drawn to (given: as the caller has it; point: ld); for them the
 * loss is not at its least, but lists are.
 */
static void
become_point(MfAls *als, int64_t r, const MfSystem *system, const float *given, const float *point, float *x)
{
	double		loss = 0.0;

	memcpy(x, given, (size_t) als->shared * sizeof(float));
	for (int k = 0; k < als->shared; k++)
		loss += ((double) system->factor * als->base[k] + system->shift[MF_SHARED] - system->pull) *
			point[k] * point[k];
	als->row_loss[als->rows->first + r] = loss;
}

/* Adds the loss of an item without cells in a term whose prior (ld) it becomes: what users expect of it, times 0. */
static void
become_prior(MfAls *als, int64_t r, const MfSystem *system, const float *prior)
{
	double		loss = 0.0;

	for (int k = 0; k < als->shared; k++)
		loss += (double) system->factor * als->base[k] * prior[k] * prior[k];
	als->row_loss[als->rows->first + r] += system->loss_weight * loss;
}

/* Sets vector and bias of row r of als->rows, which has no cells, to the points of one term (prior: ld; or NULL). */
static void
clear_row(MfAls *als, MfPart part, int64_t r, const float *prior)
{
	const MfTerm *term = &als->term[part];
	MfSystem	system;
	int64_t		at = (als->rows->first + r) * als->given_ld;
	float	   *x = mf_sweep_solved(als, part) + at;

	mf_sweep_system(als, part, r, &system);
	memset(x, 0, (size_t) als->given_ld * sizeof(float));
	if (system.bias != NULL)
		*system.bias = system.bias_point;
	if (als->side == MF_USERS)
	{
		if (system.pull != 0.0f)
			become_point(als, r, &system, prior != NULL ? als->problem->user_prior + at : als->problem->user_mean,
						 prior != NULL ? prior : system.point, x);
	}
	else if (prior != NULL)
	{
		memcpy(x, term->prior + at, (size_t) term->dimensions * sizeof(float));
		become_prior(als, r, &system, prior);
	}
}

/*
 * Sets rows begin .. end - 1 of the order, which have no cells, to 0, or to where they are drawn: users to the mean
 * user or their own points, items to their priors.  workspace: of a worker.
 */
void
mf_sweep_clear(MfAls *als, int64_t begin, int64_t end, char *workspace)
{
	MfArena		arena = {workspace, 0};
	float	   *prior = mf_arena_floats(&arena, MF_GROUP * (size_t) als->ld);
	float	   *rotated = mf_arena_floats(&arena, MF_GROUP * (size_t) als->ld);

	for (int64_t k = begin; k < end; k += MF_GROUP)
	{
		int64_t		row[MF_GROUP];
		int			n = end - k < MF_GROUP ? (int) (end - k) : MF_GROUP;

		for (int j = 0; j < n; j++)
			row[j] = als->order[k + j];
		for (int part = 0; part < MF_TERMS; part++)
		{
			const float *points = mf_sweep_points(als, (MfPart) part);

			if (points != NULL)
				mf_sweep_load(als, points, row, n, prior, rotated);
			for (int j = 0; j < n && als->term[part].present; j++)
				clear_row(als, (MfPart) part, row[j], points != NULL ? prior + j * als->ld : NULL);
		}
	}
}

/*
 * als_cells.c - a row's cells as weighted vectors, and their sums.
 */
#include "core/als/als_int16.h"

#include <math.h>
#include <string.h>

/* Whether the objective has that part. */
bool
mf_sweep_has(const MfAls *als, MfPart part)
{
	return part == MF_INTEREST ? als->problem->has_interest : als->problem->has_rating;
}

/* The fixed side's vectors that the part's cells refer to. */
const float *
mf_sweep_vectors(const MfAls *als, MfPart part)
{
	if (als->side == MF_ITEMS)
		return als->factors.user;
	return part == MF_INTEREST ? als->factors.interest : als->factors.rating;
}

/* The steps of that side's vectors, where they are narrow. */
const float *
mf_sweep_step(const MfAls *als, MfPart part)
{
	return als->step[als->side == MF_ITEMS ? 0 : part];
}

/*
 * Interest: observed cells have weight c0 + alpha w against 1, of which c0 is in the Gram matrix.
 * Items' systems are divided by interest_weight, and their scale leaves alpha out, so that both
 * parts have the same.
 */
static void
interest_cells(const MfAls *als, int64_t r, int64_t begin, int n, MfCells *cells)
{
	const MfProblem *problem = als->problem;
	bool		users = als->side == MF_USERS;
	const float *weight = als->rows->weight;
	const int32_t *column = als->rows->column + begin;
	float		all = users ? problem->interest_weight : 1.0f;
	float		square = users ? problem->interest_weight * problem->alpha : 1.0f;
	float		c0 = problem->unobserved == NULL || users ? 1.0f :
		problem->unobserved[als->rows->first + r];
	float		scale = sqrtf(square);
	float		target = all * (c0 + problem->alpha);

	if (weight == NULL && (!users || problem->unobserved == NULL))
	{
		als->dense->fill(cells->scale, scale, n);
		als->dense->fill(cells->target, target, n);
		cells->constant += (double) n * target;
		return;
	}
	for (int k = 0; k < n; k++)
	{
		float		w = weight != NULL ? weight[begin + k] : 1.0f;

		if (users && problem->unobserved != NULL)
			c0 = problem->unobserved[column[k]];
		cells->scale[k] = weight != NULL ? sqrtf(square * w) : scale;
		cells->target[k] = all * (c0 + problem->alpha * w);
		cells->constant += cells->target[k];
	}
}

/* Rating: what is left of the rating once the fixed side's bias is taken off. */
static void
rating_cells(const MfAls *als, int64_t begin, int n, MfCells *cells)
{
	const float *bias = als->side == MF_USERS ? als->factors.item_bias : als->factors.user_bias;
	const float *weight = als->rows->weight;
	const float *rating = als->rows->rating + begin;
	const int32_t *column = als->rows->column + begin;
	double		constant[2] = {0.0, 0.0};	/* of even and odd cells: two chains of additions */
	double		target_sum[2] = {0.0, 0.0};
	double		weight_sum = 0.0;

	if (weight == NULL)
	{
		als->dense->fill(cells->weight, 1.0f, n);
		als->dense->fill(cells->scale, 1.0f, n);
	}
	for (int k = 0; k < n && weight != NULL; k++)
	{
		cells->weight[k] = weight[begin + k];
		cells->scale[k] = sqrtf(cells->weight[k]);
	}
	for (int k = 0; k < n; k++)
		cells->target[k] = rating[k] - bias[column[k]];
	for (int k = 0; k < n; k += 2)
	{
		double		even = cells->target[k];
		double		odd = k + 1 < n ? cells->target[k + 1] : 0.0;
		double		even_target = even * cells->weight[k];
		double		odd_target = k + 1 < n ? odd * cells->weight[k + 1] : 0.0;

		constant[0] += even_target * even;
		constant[1] += odd_target * odd;
		target_sum[0] += even_target;
		target_sum[1] += odd_target;
	}
	for (int k = 0; k < n && weight != NULL; k++)
	{
		cells->target[k] *= cells->weight[k];
		weight_sum += cells->weight[k];
	}
	cells->constant += constant[0] + constant[1];
	cells->target_sum += target_sum[0] + target_sum[1];
	cells->weight_sum += weight != NULL ? weight_sum : (double) n;
}

/* n cells of row r of als->rows from position begin on, as one part of the objective sees them. */
void
mf_sweep_cells(const MfAls *als, MfPart part, int64_t r, int64_t begin, int n, MfCells *cells)
{
	if (part == MF_INTEREST)
		interest_cells(als, r, begin, n, cells);
	else
		rating_cells(als, begin, n, cells);
}

/* The system of row r of als->rows; a user's is the same for both parts. */
MfSystem
mf_sweep_system(const MfAls *als, MfPart part, int64_t r)
{
	const MfProblem *problem = als->problem;
	const MfFactors *factors = &als->factors;
	int64_t		row = als->rows->first + r;
	MfSystem	system = {0};

	system.loss_weight = 1.0;
	if (als->side == MF_USERS)
	{
		system.factor = problem->interest_weight;
		system.shift = problem->user_regularization[row];
		system.bias_shift = problem->user_bias_regularization;
		system.pull = problem->user_pull != NULL ? problem->user_pull[row] : 0.0f;
		system.x = factors->user + row * als->ld;
		system.bias = problem->has_rating ? factors->user_bias + row : NULL;
	}
	else if (part == MF_INTEREST)
	{
		system.factor = problem->unobserved != NULL ? problem->unobserved[row] : 1.0f;
		system.shift = problem->interest_regularization[row];
		system.loss_weight = problem->interest_weight;
		system.x = factors->interest + row * als->ld;
	}
	else
	{
		system.shift = problem->rating_regularization[row];
		system.bias_shift = problem->item_bias_regularization;
		system.x = factors->rating + row * als->ld;
		system.bias = factors->item_bias + row;
	}
	return system;
}

/* What user_pull adds to the loss of a user with vector x, |x|^2 apart. */
double
mf_sweep_pull(const MfAls *als, int64_t user, const float *x)
{
	const MfProblem *problem = als->problem;

	if (problem->user_pull == NULL)
		return 0.0;
	return (double) problem->user_pull[user] *
		(als->dense->dot(problem->user_mean, problem->user_mean, als->ld) -
		 2.0 * als->dense->dot(problem->user_mean, x, als->ld));
}

/*
 * right (ld) = pull times the mean user, 0 without; returns what pull adds to the row's constant.
 */
double
mf_sweep_start(const MfAls *als, float pull, float *right)
{
	const float *mean = als->problem->user_mean;

	if (pull == 0.0f)
	{
		memset(right, 0, (size_t) als->ld * sizeof(float));
		return 0.0;
	}
	for (int k = 0; k < als->ld; k++)
		right[k] = pull * mean[k];
	return (double) pull * als->dense->dot(mean, mean, als->ld);
}

/* What a system's shift counts as, for the trace of its cells' part: see ridge.h. */
double
mf_sweep_shift(const MfAls *als, const MfSystem *system, double cells)
{
	return mf_ridge(system->shift, cells, system->factor * als->base_sum);
}

/*
 * Adds what is left of the loss of row r's solved system of a part, less what shifts that were raised
 * brought in: no less than 0, below which only rounding leads.  A loss that is not finite, or a matrix
 * that was not (good = false), is the half-sweep's error.
 */
void
mf_sweep_account(MfAls *als, int64_t r, const MfSystem *raised, MfPart part, double loss, bool good)
{
	MfSystem	system = mf_sweep_system(als, part, r);
	int			none = MF_OK;

	if (raised->shift > system.shift)
		loss -= ((double) raised->shift - system.shift) * als->dense->dot(system.x, system.x, als->ld);
	if (system.bias != NULL && raised->bias_shift > system.bias_shift)
		loss -= ((double) raised->bias_shift - system.bias_shift) * *system.bias * *system.bias;
	if (!good || !isfinite(loss))
		atomic_compare_exchange_strong(&als->error, &none, (int) MF_NOT_FINITE);
	als->row_loss[als->rows->first + r] += system.loss_weight * (loss < 0.0 ? 0.0 : loss);
}

/* Up to a panel of the vectors that come after position c of row r's cells of one part. */
static MfAhead
look_ahead(const MfAls *als, MfPart part, int64_t r, int64_t c, int64_t next)
{
	const MfRows *rows = als->rows;
	MfAhead		ahead = {NULL, NULL, 0};
	int64_t		n = rows->start[r + 1] - c;

	if (n <= 0 && part == MF_INTEREST && als->side == MF_USERS && mf_sweep_has(als, MF_RATING))
	{
		part = MF_RATING;
		c = rows->start[r];
		n = rows->start[r + 1] - c;
	}
	else if (n <= 0 && next >= 0)
	{
		part = mf_sweep_has(als, MF_INTEREST) ? MF_INTEREST : MF_RATING;
		c = rows->start[next];
		n = rows->start[next + 1] - c;
	}
	if (n <= 0)
		return ahead;
	ahead.rows = mf_sweep_vectors(als, part);
	ahead.column = rows->column + c;
	ahead.n = n < MF_PANEL_ROWS ? (int) n : MF_PANEL_ROWS;
	return ahead;
}

/*
 * Gathers cells of a part into the panel and adds them to a row's matrix (ld x ld) and right-hand
 * sides.
 */
static void
add_panel(const MfAls *als, MfPart part, const MfPanel *panel, MfGather *gather, float *matrix, bool add,
		  const MfAhead *ahead)
{
	const float *step = mf_sweep_step(als, part);

	gather->ld = als->ld;
	gather->scale = panel->scale;
	gather->panel = panel->rows;
	if (als->int16 != NULL)
	{
		/* without weights, all cells have the same scale */
		als->int16->gather(gather, step);
		als->int16->syrk(matrix, als->ld, panel->rows, gather->n, step, panel->scale[0] * panel->scale[0],
								  add, ahead);
		return;
	}
	als->dense->gather(gather);
	als->dense->syrk(matrix, als->ld, panel->rows, gather->n, add, ahead);
}

/*
 * A user's cells of one part; right-hand sides: 0 the targets of both parts, 1 the bias's vector.
 */
static void
accumulate_part(const MfAls *als, MfPart part, int64_t r, int64_t next, const MfPanel *panel,
				float *matrix, bool add, MfRowSums *sums)
{
	int64_t		end = als->rows->start[r + 1];
	float	   *right = matrix + als->ld * als->ld;
	MfCells		cells = {panel->scale, panel->target, panel->weight, 0.0, 0.0, 0.0};

	for (int64_t c = als->rows->start[r]; c < end && !mf_cancelled(als->parallel); c += MF_PANEL_ROWS)
	{
		int			n = end - c < MF_PANEL_ROWS ? (int) (end - c) : MF_PANEL_ROWS;
		MfAhead		ahead = look_ahead(als, part, r, c + n, next);
		MfGather	gather = {.rows = mf_sweep_vectors(als, part),.n = n,
			.column = als->rows->column + c,.nsums = part == MF_RATING ? 2 : 1,
			.factor = {panel->target, panel->weight},.sum = {right, right + als->ld},
			.even = {part == MF_INTEREST && als->problem->unobserved == NULL, true}};

		mf_sweep_cells(als, part, r, c, n, &cells);
		add_panel(als, part, panel, &gather, matrix, add, &ahead);
		add = true;
	}
	sums->constant[MF_INTEREST] += cells.constant;
	sums->target_sum += cells.target_sum;
	sums->weight_sum += cells.weight_sum;
}

/* An item's cells; right-hand sides: 0 interest's targets, 1 ratings', 2 the bias's vector. */
static void
accumulate_item(const MfAls *als, int64_t r, int64_t next, const MfPanel *panel, float *matrix,
				MfRowSums *sums)
{
	int64_t		begin = als->rows->start[r];
	int64_t		end = als->rows->start[r + 1];
	float	   *right = matrix + als->ld * als->ld;
	MfCells		interest = {panel->scale, panel->interest_target, NULL, 0.0, 0.0, 0.0};
	MfCells		rating = {panel->scale, panel->target, panel->weight, 0.0, 0.0, 0.0};

	for (int64_t c = begin; c < end && !mf_cancelled(als->parallel); c += MF_PANEL_ROWS)
	{
		int			n = end - c < MF_PANEL_ROWS ? (int) (end - c) : MF_PANEL_ROWS;
		MfAhead		ahead = look_ahead(als, MF_RATING, r, c + n, next);
		MfGather	gather = {.rows = als->factors.user,.n = n,.column = als->rows->column + c};

		if (mf_sweep_has(als, MF_INTEREST))
		{
			mf_sweep_cells(als, MF_INTEREST, r, c, n, &interest);
			gather.factor[gather.nsums] = panel->interest_target;
			gather.even[gather.nsums] = true;
			gather.sum[gather.nsums++] = right;
		}
		if (mf_sweep_has(als, MF_RATING))
		{
			mf_sweep_cells(als, MF_RATING, r, c, n, &rating);
			gather.factor[gather.nsums] = panel->target;
			gather.sum[gather.nsums++] = right + als->ld;
			gather.factor[gather.nsums] = panel->weight;
			gather.even[gather.nsums] = true;
			gather.sum[gather.nsums++] = right + 2 * als->ld;
		}
		add_panel(als, MF_INTEREST, panel, &gather, matrix, c > begin, &ahead);
	}
	sums->constant[MF_INTEREST] = interest.constant;
	sums->constant[MF_RATING] = rating.constant;
	sums->target_sum = rating.target_sum;
	sums->weight_sum = rating.weight_sum;
}

/*
 * matrix (ld x ld, upper tiles) = sum over row r's cells of scale^2 y y', with MF_MAX_RIGHT rows
 * behind it for right-hand sides; an item's leaves alpha out.  next: the row that comes after it,
 * to be prefetched, or -1.  Stops early when cancelled.
 */
void
mf_sweep_accumulate(const MfAls *als, int64_t r, int64_t next, const MfPanel *panel, float *matrix,
					MfRowSums *sums)
{
	bool		interest = mf_sweep_has(als, MF_INTEREST);

	memset(matrix + als->ld * als->ld, 0, MF_MAX_RIGHT * (size_t) als->ld * sizeof(float));
	memset(sums, 0, sizeof(MfRowSums));
	if (als->side == MF_ITEMS)
	{
		accumulate_item(als, r, next, panel, matrix, sums);
		return;
	}
	sums->constant[MF_INTEREST] = mf_sweep_start(als, mf_sweep_system(als, MF_INTEREST, r).pull,
												 matrix + als->ld * als->ld);
	if (interest)
		accumulate_part(als, MF_INTEREST, r, next, panel, matrix, false, sums);
	if (mf_sweep_has(als, MF_RATING))
		accumulate_part(als, MF_RATING, r, next, panel, matrix, interest, sums);
}

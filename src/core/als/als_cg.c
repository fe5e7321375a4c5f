/*
 * als_cg.c - rows with more than 96 factors by preconditioned conjugate gradients, from where the row stands.
 *
 * Coordinates are those in which the Gram matrix is diagonal, and the preconditioner is the matrix's diagonal.  A
 * row's vectors are gathered once and kept in the cache.
 */
#include "core/als/als_single_task.h"

#include <math.h>
#include <string.h>

#define REACH 8					/* vectors asked for in advance: the best of 0, 4, 8, 16 */
#define MAX_STEPS 12			/* of conjugate gradients */
#define TOLERANCE 2e-4			/* of the row's own loss: 0.05% of the loss after ten iterations */
#define ROUNDING 1e-7			/* of the terms of a loss: what floats make of their sum */

/* The state of conjugate gradients on a row's [x, bias]; vectors have the width of the task's block. */
typedef struct Descent
{
	const MfAls *als;
	const MfSingleSpace *space;
	MfTask	   *task;
	int			ld;				/* the block's width */
	bool		resident;		/* all vectors stay in the panel: `held` of them */
	int			held;
	float	   *diagonal;		/* base * factor + shift */
	float	   *precondition;	/* 1 / the matrix's diagonal */
	float	   *x;
	float	   *residual;
	float	   *direction;
	float	   *product;		/* matrix times direction */
	float		bias;
	float		bias_residual;
	float		bias_direction;
	float		bias_product;
} Descent;

/*
 * Gathers n cells of one term from position c on, scaled, into the panel at row `at`.  first: they
 * are seen for the first time, so right-hand sides and the diagonal's squares are added up too.
 */
static void
gather_cells(Descent *descent, MfPart part, int64_t c, int n, int at, bool first)
{
	const MfAls *als = descent->als;
	const MfTerm *term = &als->term[part];
	const MfPanel *panel = &descent->space->panel;
	MfTask	   *task = descent->task;
	MfCells		cells = {panel->scale, panel->target, panel->weight, 0.0, 0.0, 0.0};
	MfGather	gather = {.rows = als->fixed[part],.stride = als->ld,.ld = descent->ld,.n = n,
		.reach = REACH,.column = als->rows->column + c,.scale = cells.scale,
		.panel = panel->rows + (size_t) at * (size_t) descent->ld,
		.nsums = !first ? 0 : term->bias ? 2 : 1,.factor = {cells.target, cells.weight},
	.sum = {descent->space->vector[6], descent->space->vector[7]}};
	float		root = als->side == MF_ITEMS ? sqrtf(term->observed) : 1.0f;

	mf_sweep_cells(als, part, task->block, &task->row, c, n, &cells);
	for (int k = 0; k < n && root != 1.0f; k++)
		cells.scale[k] *= root;
	als->dense->gather(&gather);
	if (!first)
		return;
	als->dense->column_squares(descent->precondition, gather.panel, descent->ld, n);
	task->constant += cells.constant;
	task->target_sum += cells.target_sum;
	task->weight_sum += cells.weight_sum;
}

/*
 * product = the matrix without the bias's row and column, times v.  Vectors that do not fit into
 * the panel are gathered anew each time.
 */
static void
multiply_vectors(Descent *descent, const float *v, bool first)
{
	const MfAls *als = descent->als;
	const MfPanel *panel = &descent->space->panel;
	int64_t		end = als->rows->start[descent->task->row.row + 1];

	als->dense->normal_product(descent->product, descent->diagonal, panel->rows, v, descent->ld,
							   first ? 0 : descent->held);
	if (descent->resident && !first)
		return;
	for (int part = 0; part < MF_TERMS; part++)
		for (int64_t c = als->rows->start[descent->task->row.row]; descent->task->has[part] && c < end;
			 c += MF_PANEL_ROWS)
		{
			int			n = end - c < MF_PANEL_ROWS ? (int) (end - c) : MF_PANEL_ROWS;
			int			at = descent->resident ? descent->held : 0;

			if (mf_cancelled(als->parallel))
				return;
			gather_cells(descent, (MfPart) part, c, n, at, first);
			als->dense->normal_product(descent->product, NULL, panel->rows + (size_t) at * (size_t) descent->ld, v,
									   descent->ld, n);
			if (descent->resident)
				descent->held += n;
		}
}

/*
 * Brings the shifts to what they count as, once all cells have been seen: diagonal and preconditioner
 * (still the matrix's diagonal), and the product with v.
 */
static void
raise_diagonal(Descent *descent, const float *v)
{
	MfTask	   *task = descent->task;

	mf_single_raise(descent->als, task, descent->precondition, descent->diagonal, 1);
	for (int kind = 0; kind < MF_KINDS; kind++)
	{
		float		more = task->system.raised[kind] - task->system.shift[kind];

		for (int k = task->block->begin[kind]; k < task->block->end[kind] && more > 0.0f; k++)
		{
			descent->diagonal[k] += more;
			descent->precondition[k] += more;
			descent->product[k] += more * v[k];
		}
	}
}

/* product = the system's matrix times v and a bias of b. */
static void
apply_matrix(Descent *descent, const float *v, float b, bool first)
{
	const MfDense *dense = descent->als->dense;
	const MfTask *task = descent->task;
	int			ld = descent->ld;

	multiply_vectors(descent, v, first);
	if (first)
		raise_diagonal(descent, v);
	descent->bias_product = 0.0f;
	if (task->system.bias != NULL)
	{
		dense->axpy(descent->product, task->bias_right, b, ld);
		descent->bias_product = dense->dot(task->bias_right, v, ld) +
			(float) (task->weight_sum + task->system.raised_bias) * b;
	}
}

/* Sets x and bias to 0. */
static void
start_at_zero(Descent *descent)
{
	int			ld = descent->ld;

	memset(descent->x, 0, (size_t) ld * sizeof(float));
	descent->bias = 0.0f;
	memcpy(descent->residual, descent->task->right, (size_t) ld * sizeof(float));
	descent->bias_residual = descent->task->system.bias == NULL ? 0.0f : (float) descent->task->target_sum;
}

/*
 * residual = right - matrix [x, bias]; what the current x and bias explain.  Where nothing at all explains
 * more than these do, it starts from nothing.
 */
static double
start_descent(Descent *descent)
{
	const MfTask *task = descent->task;
	const MfDense *dense = descent->als->dense;
	int			ld = descent->ld;
	double		explained;

	memcpy(descent->precondition, descent->diagonal, (size_t) ld * sizeof(float));
	memset(descent->direction, 0, (size_t) ld * sizeof(float));
	apply_matrix(descent, descent->x, descent->bias, true);
	for (int k = 0; k < ld; k++)
		descent->precondition[k] = 1.0f / descent->precondition[k];
	memcpy(descent->residual, task->right, (size_t) ld * sizeof(float));
	dense->axpy(descent->residual, descent->product, -1.0f, ld);
	descent->bias_residual = task->system.bias == NULL ? 0.0f :
		(float) task->target_sum - descent->bias_product;
	explained = (double) dense->dot(task->right, descent->x, ld) +
		dense->dot(descent->residual, descent->x, ld) +
		descent->bias *
		(task->system.bias == NULL ? 0.0 : task->target_sum + descent->bias_residual);
	if (!(explained < 0.0))
		return explained;
	start_at_zero(descent);
	return 0.0;
}

/*
 * Moves [x, bias] by length times the direction.  Afterwards product (and *bias) is the
 * preconditioner times the residual; returns their inner product, about the loss that is left to
 * be gained.
 */
static double
move(Descent *descent, float length, float *bias)
{
	const MfTask *task = descent->task;
	double		gain = descent->als->dense->cg_step(descent->x, descent->residual, descent->product,
											   descent->direction, descent->precondition, length,
											   descent->ld);

	*bias = 0.0f;
	if (task->system.bias == NULL)
		return gain;
	descent->bias += length * descent->bias_direction;
	descent->bias_residual -= length * descent->bias_product;
	*bias = descent->bias_residual / (float) (task->weight_sum + task->system.raised_bias);
	return gain + (double) *bias * descent->bias_residual;
}

/*
 * Whether a step is worth its time, which `gain` says about: no longer where little of the loss is left
 * to gain, nor where that is no more than rounding makes of what cancels in it.
 */
static bool
is_worthwhile(const MfTask *task, double gain, double explained)
{
	return gain > TOLERANCE * (task->constant - explained) &&
		gain > ROUNDING * task->constant;
}

/*
 * Steps until what is left to gain is a small part of the loss; returns what is explained then, no number
 * where one overflowed.
 */
static double
descend(Descent *descent)
{
	const MfDense *dense = descent->als->dense;
	int			ld = descent->ld;
	double		explained = start_descent(descent);
	double		gain = move(descent, 0.0f, &descent->bias_direction);

	memcpy(descent->direction, descent->product, (size_t) ld * sizeof(float));
	for (int step = 0; step < MAX_STEPS; step++)
	{
		double		curvature;
		double		next;
		float		length;
		float		bias;

		if (!is_worthwhile(descent->task, gain, explained))
			break;
		apply_matrix(descent, descent->direction, descent->bias_direction, false);
		curvature = (double) dense->dot(descent->direction, descent->product, ld) +
			(double) descent->bias_direction * descent->bias_product;
		length = (float) (gain / curvature);
		if (!(curvature > 0.0) || !isfinite(length))
			break;
		explained += gain * gain / curvature;
		next = move(descent, length, &bias);
		dense->xpay(descent->direction, descent->product, (float) (next / gain), ld);
		descent->bias_direction = bias + (float) (next / gain) * descent->bias_direction;
		gain = next;
	}
	return isfinite(gain) ? explained : NAN;
}

/*
 * Improves a task's x and bias by conjugate gradients.
 */
void
mf_cg_solve(MfAls *als, const MfSingleSpace *space, MfTask *task)
{
	int64_t		n = als->rows->start[task->row.row + 1] - als->rows->start[task->row.row];
	Descent		descent = {.als = als,.space = space,.task = task,.ld = task->block->width,
		.diagonal = space->vector[0],.precondition = space->vector[1],.x = task->x,.residual = space->vector[2],
	.direction = space->vector[3],.product = space->vector[4]};
	double		explained;

	descent.resident = n * (task->has[MF_INTEREST] + task->has[MF_RATING]) <= space->panel.length;
	task->right = space->vector[6];
	task->bias_right = space->vector[7];
	task->target_sum = mf_bias_pull(&task->system);
	task->constant = mf_sweep_start(als, task->block, &task->system, space->vector[6]) +
		task->target_sum * task->system.bias_point;
	memset(space->vector[7], 0, (size_t) descent.ld * sizeof(float));
	mf_single_diagonal(als, task, descent.diagonal);
	descent.bias = task->system.bias != NULL ? *task->system.bias : 0.0f;
	explained = descend(&descent);
	if (task->system.bias != NULL)
		*task->system.bias = descent.bias;
	mf_single_account(als, task, explained, true);
}

/*
 * als_cg.c - rows with more than 96 factors by preconditioned conjugate gradients, from where the row stands.
 *
 * Coordinates are those in which the Gram matrix is diagonal, and the preconditioner is the matrix's diagonal, or
 * about that.  A step reads the vectors of the row's cells once: in floats (als_cg_float.c), or in whole numbers of
 * 13 bits, which are half as long (als_cg_int16.c).
 */
#include "core/als/als_cg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STEPS 12			/* of conjugate gradients */
#define TOLERANCE 2e-4			/* of the row's own loss: 0.05% of the loss after ten iterations */
#define ROUNDING 1e-7			/* of the terms of a loss: what floats make of their sum */

/* What the current x and bias explain. */
static double
explained_by(const MfDescent *descent)
{
	return descent->fitted + descent->als->dense->dot(descent->residual, descent->x, descent->ld) +
		(double) descent->bias * descent->bias_residual;
}

/*
 * Starts from where the row stands; returns what that explains.  Where nothing at all explains more, it starts from
 * nothing.
 */
static double
start_descent(const MfCellProducts *products, MfDescent *descent)
{
	double		explained;

	products->start(descent);
	explained = explained_by(descent);
	if (!(explained < 0.0))
		return explained;
	memset(descent->x, 0, (size_t) descent->ld * sizeof(float));
	descent->bias = 0.0f;
	products->start(descent);
	return 0.0;
}

/*
 * Moves [x, bias] by length times the direction.  Afterwards product (and *bias) is the
 * preconditioner times the residual; returns their inner product, about the loss that is left to
 * be gained.
 */
static double
move(MfDescent *descent, float length, float *bias)
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
descend(const MfCellProducts *products, MfDescent *descent)
{
	const MfDense *dense = descent->als->dense;
	int			ld = descent->ld;
	double		explained = start_descent(products, descent);
	double		gain;

	memset(descent->direction, 0, (size_t) ld * sizeof(float));
	memset(descent->product, 0, (size_t) ld * sizeof(float));
	gain = move(descent, 0.0f, &descent->bias_direction);
	memcpy(descent->direction, descent->product, (size_t) ld * sizeof(float));
	for (int step = 0; step < MAX_STEPS; step++)
	{
		double		curvature;
		double		next;
		float		length;
		float		bias;

		if (!is_worthwhile(descent->task, gain, explained))
			break;
		products->apply(descent);
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
	MfDescent	descent = {.als = als,.space = space,.task = task,.ld = task->block->width,
		.diagonal = space->vector[0],.precondition = space->vector[1],.x = task->x,.residual = space->vector[2],
	.direction = space->vector[3],.product = space->vector[4]};
	double		explained;

	descent.resident = n * (task->has[MF_INTEREST] + task->has[MF_RATING]) <= space->panel.length;
	descent.bias = task->system.bias != NULL ? *task->system.bias : 0.0f;
	explained = descend(als->int16_cells != NULL ? &mf_cg_whole : &mf_cg_floats, &descent);
	if (task->system.bias != NULL)
		*task->system.bias = descent.bias;
	mf_single_account(als, task, explained, true);
}

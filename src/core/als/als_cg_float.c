/*
 * als_cg_float.c - conjugate gradients' products with a row's cells in floats.
 *
 * A row's vectors are gathered once, and kept in the cache where they fit.
 */
#include "core/als/als_cg.h"

#include <math.h>
#include <string.h>

#define REACH 8					/* vectors asked for in advance: the best of 0, 4, 8, 16 */

/*
 * Gathers n cells of one term from position c on, scaled, into the panel at row `at`.  first: they
 * are seen for the first time, so right-hand sides and the diagonal's squares are added up too.
 */
static void
gather_cells(MfDescent *descent, MfPart part, int64_t c, int n, int at, bool first)
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
multiply_vectors(MfDescent *descent, const float *v, bool first)
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
raise_diagonal(MfDescent *descent, const float *v)
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
apply_matrix(MfDescent *descent, const float *v, float b, bool first)
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

/* See MfCellProducts. */
static void
start_floats(MfDescent *descent)
{
	MfTask	   *task = descent->task;
	const MfDense *dense = descent->als->dense;
	float	   *right = descent->space->vector[6];
	int			ld = descent->ld;

	task->bias_right = descent->space->vector[7];
	task->target_sum = mf_bias_pull(&task->system);
	task->weight_sum = 0.0;
	task->constant = mf_sweep_start(descent->als, task->block, &task->system, right) +
		task->target_sum * task->system.bias_point;
	memset(descent->space->vector[7], 0, (size_t) ld * sizeof(float));
	mf_single_diagonal(descent->als, task, descent->diagonal);
	memcpy(descent->precondition, descent->diagonal, (size_t) ld * sizeof(float));
	descent->held = 0;
	apply_matrix(descent, descent->x, descent->bias, true);
	for (int k = 0; k < ld; k++)
		descent->precondition[k] = 1.0f / descent->precondition[k];
	memcpy(descent->residual, right, (size_t) ld * sizeof(float));
	dense->axpy(descent->residual, descent->product, -1.0f, ld);
	descent->bias_residual = task->system.bias == NULL ? 0.0f : (float) task->target_sum - descent->bias_product;
	descent->fitted = dense->dot(right, descent->x, ld);
	if (task->system.bias != NULL)
		descent->fitted += descent->bias * task->target_sum;
}

/* See MfCellProducts. */
static void
apply_floats(MfDescent *descent)
{
	apply_matrix(descent, descent->direction, descent->bias_direction, false);
}

const MfCellProducts mf_cg_floats = {start_floats, apply_floats};

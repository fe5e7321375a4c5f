/*
 * als_cg_int16.c - conjugate gradients' products with a row's cells in whole numbers: see als_whole.c.
 *
 * Vectors are read where they lie: those of a row that has some hundred cells stay in the cache from step to step.
 *
 * Start and directions are rounded too, to what they are multiplied as, and x moves by the rounded directions: so the
 * residual stays that of x, but for the rounding of products to 15 bits, and each step mends what the last one's
 * rounding left.  What is solved in the end is the system of the rounded side.
 *
 * Of the preconditioner the cells' part is estimated: their squares' sum, which is known from each vector's own, spread
 * over dimensions as the Gram matrix is.
 */
#include "core/als/als_cg.h"

#include <math.h>
#include <string.h>

/* The cells from c on, up to `end`, or the first ones of the row that comes next. */
static void
look_ahead(const MfDescent *descent, int64_t c, int64_t end, MfCellProduct *product)
{
	const MfRows *rows = descent->als->rows;

	if (c == end && descent->task->next >= 0)
	{
		c = rows->start[descent->task->next];
		end = rows->start[descent->task->next + 1];
	}
	product->ahead = rows->column + c;
	product->nahead = end - c < MF_CELLS_AT_ONCE ? (int) (end - c) : MF_CELLS_AT_ONCE;
}

/* Cells c .. c + n - 1 of one term, as a product takes them; first: with targets, and sums of them. */
static void
take_cells(const MfDescent *descent, MfPart part, int64_t c, int n, bool first, MfCells *cells, MfCellProduct *product)
{
	const MfAls *als = descent->als;
	const MfRows *rows = als->rows;
	float		observed = als->side == MF_ITEMS ? als->term[part].observed : 1.0f;
	bool		weighted = rows->weight != NULL;

	/* without weights all cells of a row weigh the same */
	if (first || weighted || c == rows->start[descent->task->row.row])
		mf_sweep_cells(als, part, descent->task->block, &descent->task->row, c, n, cells);
	for (int k = 0; k < n && weighted; k++)
		cells->weight[k] = observed * cells->scale[k] * cells->scale[k];
	product->even = observed * cells->scale[0] * cells->scale[0];
	product->weight = weighted ? cells->weight : NULL;
	product->target = first ? cells->target : NULL;
	product->n = n;
	product->column = rows->column + c;
}

/*
 * product->out += the sum over the row's cells of one term of weight times product with product->x, times the vector;
 * first: of target less that, and the sums of cells are added to the task.
 */
static void
multiply_part(MfDescent *descent, MfPart part, bool first, MfCellProduct *product)
{
	const MfAls *als = descent->als;
	const MfWholeSide *side = &als->whole[part];
	const MfPanel *panel = &descent->space->panel;
	MfTask	   *task = descent->task;
	MfCells		cells = {panel->scale, panel->target, panel->weight, 0.0, 0.0, 0.0};
	int64_t		end = als->rows->start[task->row.row + 1];
	int			n;

	product->rows = side->rows;
	product->scale = side->scale;
	memcpy(product->square, side->square, sizeof(product->square));
	for (int64_t c = als->rows->start[task->row.row]; c < end && !mf_cancelled(als->parallel); c += n)
	{
		n = end - c < MF_PANEL_ROWS ? (int) (end - c) : MF_PANEL_ROWS;
		take_cells(descent, part, c, n, first, &cells, product);
		look_ahead(descent, c + n, end, product);
		als->int16_cells->multiply(product);
	}
	if (!first)
		return;
	task->constant += cells.constant;
	task->target_sum += cells.target_sum;
	task->weight_sum += cells.weight_sum;
}

/* Raises the task's shifts for the traces of the cells' part, and makes diagonal and preconditioner of them. */
static void
make_diagonal(MfDescent *descent, const double *trace)
{
	const MfAls *als = descent->als;
	const MfDense *dense = als->dense;
	MfTask	   *task = descent->task;
	MfSystem   *system = &task->system;

	system->raised_bias = (float) mf_bias_ridge(system->bias_shift, task->weight_sum);
	for (int kind = 0; kind < MF_KINDS; kind++)
	{
		int			begin = task->block->begin[kind];
		int			count = task->block->end[kind] - begin;
		int			width = mf_padded(count);
		bool		spread = kind == MF_SHARED && als->base_sum > 0.0;
		float	   *precondition = descent->precondition + begin;

		if (count == 0)
			continue;
		system->raised[kind] = mf_sweep_shift(als, system, (MfKind) kind, trace[kind]);
		dense->fill(descent->diagonal + begin, system->raised[kind], width);
		dense->axpy(descent->diagonal + begin, als->base + begin, system->factor, width);
		dense->fill(precondition, spread ? 0.0f : (float) (trace[kind] / count), width);
		dense->axpy(precondition, descent->diagonal + begin, 1.0f, width);
		if (spread)
			dense->axpy(precondition, als->base + begin, (float) (trace[kind] / als->base_sum), width);
		dense->reciprocals(precondition, width);
	}
}

/* out (the block's width) = diagonal times v */
static void
multiply_diagonal(const MfDescent *descent, float *out, const float *v)
{
	memcpy(out, v, (size_t) descent->ld * sizeof(float));
	descent->als->dense->multiply_by(out, descent->diagonal, descent->ld);
}

/* See MfCellProducts. */
static void
start_whole(MfDescent *descent)
{
	const MfAls *als = descent->als;
	MfTask	   *task = descent->task;
	double		pull = mf_bias_pull(&task->system);
	double		bias_total = pull;
	MfCellProduct product = {.stride = mf_cells_stride(als->ld),.width = descent->ld,.x = descent->space->whole,
	.out = descent->residual,.reach = true};

	task->target_sum = pull;
	task->weight_sum = 0.0;
	task->constant = mf_sweep_start(als, task->block, &task->system, descent->residual) + pull * task->system.bias_point;
	product.unit = als->int16_cells->round_vector(descent->space->whole, descent->x, descent->ld);
	product.fitted = als->dense->dot(descent->residual, descent->x, descent->ld) + descent->bias * pull;
	for (int part = 0; part < MF_TERMS; part++)
		if (task->has[part])
		{
			product.bias = als->term[part].bias ? descent->bias : 0.0f;
			product.total = 0.0;
			multiply_part(descent, (MfPart) part, true, &product);
			if (als->term[part].bias)
				bias_total += product.total;
		}
	make_diagonal(descent, product.squares);
	multiply_diagonal(descent, descent->product, descent->x);
	als->dense->axpy(descent->residual, descent->product, -1.0f, descent->ld);
	if (task->system.bias != NULL)
		descent->bias_residual = (float) (bias_total - task->system.raised_bias * descent->bias);
	descent->fitted = product.fitted;
}

/* See MfCellProducts. */
static void
apply_whole(MfDescent *descent)
{
	const MfAls *als = descent->als;
	MfTask	   *task = descent->task;
	MfCellProduct product = {.stride = mf_cells_stride(als->ld),.width = descent->ld,.x = descent->space->whole,
	.out = descent->product};

	product.unit = als->int16_cells->round_vector(descent->space->whole, descent->direction, descent->ld);
	multiply_diagonal(descent, descent->product, descent->direction);
	descent->bias_product = task->system.raised_bias * descent->bias_direction;
	for (int part = 0; part < MF_TERMS; part++)
		if (task->has[part])
		{
			product.bias = als->term[part].bias ? descent->bias_direction : 0.0f;
			product.total = 0.0;
			multiply_part(descent, (MfPart) part, false, &product);
			if (als->term[part].bias)
				descent->bias_product += (float) product.total;
		}
}

const MfCellProducts mf_cg_whole = {start_whole, apply_whole};

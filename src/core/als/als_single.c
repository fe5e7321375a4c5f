/*
 * als_single.c - rows with more than 96 factors: one system at a time.
 *
 * Exactly: a row with few cells in its dual form, others by Cholesky's factors of the ld x ld
 * matrix. Otherwise: conjugate gradients from where the row stands, with its vectors gathered once
 * and kept in the cache.
 */
#include "core/als/als_cells.h"

#include <math.h>
#include <string.h>

#define REACH 8					/* vectors asked for in advance: the best of 0, 4, 8, 16 */
#define MAX_STEPS 12			/* of conjugate gradients */
#define TOLERANCE 2e-4			/* of the row's own loss: 0.05% of the loss after ten iterations */
#define ROUNDING 1e-7			/* of the terms of a loss: what floats make of their sum */
#define PANEL_FLOATS (1 << 19)	/* vectors of a row that stay in the cache */

/* A worker's scratch space. */
typedef struct Space
{
	MfPanel		panel;			/* all of a row's vectors, where they fit */
	float	   *matrix;			/* (ld + MF_MAX_RIGHT) x ld */
	float	   *other;			/* ld x ld: the second system's matrix, or the dual's */
	float	   *inverse;		/* ld */
	float	   *work;			/* 16 x ld */
	float	   *vector[8];		/* ld each */
} Space;

/* One system of a row, with all that is needed to solve it. */
typedef struct Task
{
	MfSystem	system;
	MfPart		part;
	const float *right;			/* ld: targets' sum */
	const float *bias_right;	/* ld: the bias's vector */
	double		constant;
	double		target_sum;
	double		weight_sum;
} Task;

/* Rows of vectors that a worker's panel holds. */
static int
panel_length(int ld)
{
	int			length = PANEL_FLOATS / ld;

	return length < 2 * MF_PANEL ? 2 * MF_PANEL : length;
}

/* Bytes of scratch space for a worker. */
size_t
mf_single_size(int ld)
{
	size_t		n = (size_t) ld;

	return mf_panel_size(panel_length(ld), ld) + mf_taken((n + MF_MAX_RIGHT) * n) +
		mf_taken(n * n) + 9 * mf_taken(n) + mf_taken(16 * n);
}

static Space
lay_out(char *scratch, int ld)
{
	Space		space;
	size_t		n = (size_t) ld;

	space.panel = mf_panel_take(&scratch, panel_length(ld), ld);
	space.matrix = mf_take(&scratch, (n + MF_MAX_RIGHT) * n);
	space.other = mf_take(&scratch, n * n);
	space.inverse = mf_take(&scratch, n);
	space.work = mf_take(&scratch, 16 * n);
	for (int v = 0; v < 8; v++)
		space.vector[v] = mf_take(&scratch, n);
	return space;
}

/* out[k] = base[k] * factor + shift, and 1 where there are no factors. */
static void
fill_diagonal(const MfAls *als, const MfSystem *system, float *out)
{
	for (int k = 0; k < als->ld; k++)
		out[k] = k < als->d ? als->base[k] * system->factor + system->shift : 1.0f;
}

/* Brings a task's shifts to what they count as, for the trace of its cells' part: see ridge.h. */
static void
raise_shifts(const MfAls *als, Task *task, double trace)
{
	task->system.shift = (float) mf_sweep_shift(als, &task->system, trace);
	task->system.bias_shift = (float) mf_bias_ridge(task->system.bias_shift, task->weight_sum);
}

/* The sum of a matrix's diagonal. */
static double
trace_of(const float *matrix, int ld)
{
	double		sum = 0.0;

	for (int k = 0; k < ld; k++)
		sum += matrix[k * ld + k];
	return sum;
}

/* Adds a system's loss. */
static void
account(MfAls *als, int64_t r, const Task *task, double explained, bool good)
{
	mf_sweep_account(als, r, &task->system, task->part, task->constant - explained, good);
}

/*
 * Solves a task whose matrix (ld x ld, upper tiles, overwritten) is complete but for its diagonal.
 */
static void
solve_matrix(MfAls *als, const Space *space, int64_t r, Task *task, float *matrix)
{
	const MfDense *dense = als->dense;
	int			ld = als->ld;
	float	   *x = space->vector[0];
	float	   *h = space->vector[1];
	float	   *diagonal = space->vector[2];
	double		explained;

	raise_shifts(als, task, trace_of(matrix, ld));
	fill_diagonal(als, &task->system, diagonal);
	for (int k = 0; k < ld; k++)
		matrix[k * ld + k] += diagonal[k];
	if (!als->cholesky->factor_one(dense, matrix, ld, task->system.shift, space->inverse, space->work))
	{
		account(als, r, task, 0.0, false);
		return;
	}
	memcpy(x, task->right, (size_t) ld * sizeof(float));
	explained = als->cholesky->solve_one(matrix, ld, space->inverse, x);
	if (task->system.bias != NULL)
	{
		/* A x1 = right, A x2 = h: b = (target_sum - h.x1) / (weight_sum + shift - h.x2) */
		double		below;
		double		above = task->target_sum - dense->dot(task->bias_right, x, ld);

		memcpy(h, task->bias_right, (size_t) ld * sizeof(float));
		below = task->weight_sum + task->system.bias_shift -
			als->cholesky->solve_one(matrix, ld, space->inverse, h);
		/* rounding alone makes it less than its shift */
		if (below < task->system.bias_shift)
			below = task->system.bias_shift;
		*task->system.bias = (float) (above / below);
		dense->axpy(x, h, -*task->system.bias, ld);
		/* with the bias in its place, what is explained grows by (h.x1 - target_sum)^2 / below */
		explained += above * above / below;
	}
	memcpy(task->system.x, x, (size_t) ld * sizeof(float));
	account(als, r, task, explained, true);
}

/* The task of a row's system, with right-hand sides as mf_sweep_accumulate() leaves them. */
static Task
make_task(const MfAls *als, int64_t r, MfPart part, const float *right, const MfRowSums *sums)
{
	Task		task = {0};

	task.system = mf_sweep_system(als, part, r);
	task.part = part;
	task.right = als->side == MF_ITEMS && part == MF_RATING ? right + als->ld : right;
	task.bias_right = task.right + als->ld;
	task.constant = sums->constant[part];
	task.target_sum = sums->target_sum;
	task.weight_sum = sums->weight_sum;
	return task;
}

/* A row by its ld x ld matrix. */
static void
solve_primal(MfAls *als, const Space *space, int64_t r)
{
	size_t		size = (size_t) als->ld * (size_t) als->ld;
	bool		both = als->side == MF_ITEMS && mf_sweep_has(als, MF_INTEREST) &&
		mf_sweep_has(als, MF_RATING);
	const float *right = space->matrix + size;
	MfRowSums	sums;
	Task		task;

	mf_sweep_accumulate(als, r, -1, &space->panel, space->matrix, &sums);
	if (mf_cancelled(als->parallel))
		return;
	if (als->side == MF_USERS || mf_sweep_has(als, MF_INTEREST))
	{
		float	   *matrix = both ? space->other : space->matrix;

		if (als->side == MF_ITEMS)
			for (size_t k = 0; k < size; k++)
				matrix[k] = space->matrix[k] * als->problem->alpha;
		task = make_task(als, r, MF_INTEREST, right, &sums);
		solve_matrix(als, space, r, &task, matrix);
	}
	if (als->side == MF_ITEMS && mf_sweep_has(als, MF_RATING))
	{
		task = make_task(als, r, MF_RATING, right, &sums);
		solve_matrix(als, space, r, &task, space->matrix);
	}
}

/*
 * Gathers all of a row's vectors of one part, scaled, behind the `used` rows that the panel holds,
 * with the dual form's targets: divided by scale, and for a bias the scale itself.
 */
static void
gather_part(const MfAls *als, const Space *space, int64_t r, MfPart part, int used, Task *task)
{
	const MfPanel *panel = &space->panel;
	int64_t		begin = als->rows->start[r];
	int			n = (int) (als->rows->start[r + 1] - begin);
	MfCells		cells = {panel->scale + used, panel->target + used, panel->weight + used, 0.0, 0.0,
	0.0};
	MfGather	gather = {.rows = mf_sweep_vectors(als, part),.ld = als->ld,.n = n,
		.column = als->rows->column + begin,.scale = cells.scale,
	.panel = panel->rows + (size_t) used * (size_t) als->ld};

	mf_sweep_cells(als, part, r, begin, n, &cells);
	for (int k = 0; k < n; k++)
	{
		if (als->side == MF_ITEMS && part == MF_INTEREST)
			cells.scale[k] *= sqrtf(als->problem->alpha);
		cells.target[k] = cells.scale[k] > 0.0f ? cells.target[k] / cells.scale[k] : 0.0f;
		cells.weight[k] = part == MF_RATING ? cells.scale[k] : 0.0f;
	}
	als->dense->gather(&gather);
	task->constant += cells.constant;
	task->weight_sum += cells.weight_sum;
}

/*
 * x = z' c with (1 + z z') c = targets, for the panel's n rows: z = their vectors / diagonal^(1/2).
 * The dual form of Woodbury's identity; a bias as in eliminate_bias() of als_batched.c.
 */
static void
solve_dual(MfAls *als, const Space *space, int64_t r, const Task *task, int n)
{
	const MfDense *dense = als->dense;
	const MfPanel *panel = &space->panel;
	int			ld = als->ld;
	int			width = (n + 15) & ~15;
	float	   *root = space->vector[0];
	float	   *c = space->vector[1];
	float	   *h = space->vector[2];
	float	   *start = space->vector[3];
	double		explained = 0.0;

	fill_diagonal(als, &task->system, root);
	for (int k = 0; k < ld; k++)
		root[k] = 1.0f / sqrtf(root[k]);
	for (int k = 0; k < n; k++)
		dense->multiply_by(panel->rows + k * ld, root, ld);
	for (int k = 0; k < width; k++)
	{
		c[k] = k < n ? panel->target[k] : 0.0f;
		h[k] = k < n ? panel->weight[k] : 0.0f;
		explained += (double) c[k] * c[k];
	}
	/* x is counted from where the mean user draws it: targets become t - z start */
	mf_sweep_start(als, task->system.pull, start);
	dense->multiply_by(start, root, ld);
	for (int k = 0; k < n && task->system.pull != 0.0f; k++)
		c[k] -= dense->dot(panel->rows + k * ld, start, ld);
	explained += dense->dot(start, start, ld);
	dense->transpose_panel(space->other, panel->rows, ld, n, width);
	dense->gemmt(space->matrix, width, space->other, space->other, ld, 0, 0);
	for (int k = 0; k < width; k++)
		space->matrix[k * width + k] += 1.0f;
	if (!als->cholesky->factor_one(dense, space->matrix, width, 1.0f, space->inverse, space->work))
	{
		account(als, r, task, 0.0, false);
		return;
	}
	explained -= als->cholesky->solve_one(space->matrix, width, space->inverse, c);
	if (task->system.bias != NULL)
	{
		double		above = dense->dot(h, c, width);
		double		below = mf_bias_ridge(task->system.bias_shift, task->weight_sum) +
			als->cholesky->solve_one(space->matrix, width, space->inverse, h);

		*task->system.bias = (float) (above / below);
		dense->axpy(c, h, -*task->system.bias, width);
		explained += above * above / below;
	}
	memcpy(task->system.x, start, (size_t) ld * sizeof(float));
	dense->gemv(task->system.x, panel->rows, c, ld, n);
	dense->multiply_by(task->system.x, root, ld);
	for (int k = als->d; k < ld; k++)
		task->system.x[k] = 0.0f;
	account(als, r, task, explained, true);
}

/* The state of conjugate gradients on a row's [x, bias]. */
typedef struct Descent
{
	const MfAls *als;
	const Space *space;
	Task	   *task;
	int64_t		r;
	bool		has[2];			/* by MfPart: whose cells the system has */
	bool		resident;		/* all vectors stay in the panel: `held` of them */
	int			held;
	float	   *diagonal;		/* ld: base * factor + shift */
	float	   *precondition;	/* ld: 1 / the matrix's diagonal */
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
 * Gathers n cells of one part from position c on, scaled, into the panel at row `at`.  first: they
 * are seen for the first time, so right-hand sides and the diagonal's squares are added up too.
 */
static void
gather_cells(Descent *descent, MfPart part, int64_t c, int n, int at, bool first)
{
	const MfAls *als = descent->als;
	const MfPanel *panel = &descent->space->panel;
	Task	   *task = descent->task;
	MfCells		cells = {panel->scale, panel->target, panel->weight, 0.0, 0.0, 0.0};
	MfGather	gather = {.rows = mf_sweep_vectors(als, part),.ld = als->ld,.n = n,
		.reach = REACH,.column = als->rows->column + c,.scale = cells.scale,
		.panel = panel->rows + (size_t) at * (size_t) als->ld,
		.nsums = !first ? 0 : part == MF_RATING ? 2 : 1,.factor = {cells.target, cells.weight},
	.sum = {descent->space->vector[6], descent->space->vector[7]}};

	mf_sweep_cells(als, part, descent->r, c, n, &cells);
	if (als->side == MF_ITEMS && part == MF_INTEREST)
	{
		float		root = sqrtf(als->problem->alpha);

		for (int k = 0; k < n; k++)
			cells.scale[k] *= root;
	}
	als->dense->gather(&gather);
	if (!first)
		return;
	als->dense->column_squares(descent->precondition, gather.panel, als->ld, n);
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
	int64_t		end = als->rows->start[descent->r + 1];

	als->dense->normal_product(descent->product, descent->diagonal, panel->rows, v, als->ld,
							 first ? 0 : descent->held);
	if (descent->resident && !first)
		return;
	for (int part = MF_INTEREST; part <= MF_RATING; part++)
		for (int64_t c = als->rows->start[descent->r]; descent->has[part] && c < end; c += MF_PANEL)
		{
			int			n = end - c < MF_PANEL ? (int) (end - c) : MF_PANEL;
			int			at = descent->resident ? descent->held : 0;

			if (mf_cancelled(als->parallel))
				return;
			gather_cells(descent, (MfPart) part, c, n, at, first);
			als->dense->normal_product(descent->product, NULL,
									 panel->rows + (size_t) at * (size_t) als->ld, v, als->ld, n);
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
	const MfAls *als = descent->als;
	MfSystem   *system = &descent->task->system;
	float		before = system->shift;
	double		trace = 0.0;

	for (int k = 0; k < als->d; k++)
		trace += descent->precondition[k] - descent->diagonal[k];
	raise_shifts(als, descent->task, fmax(trace, 0.0));
	for (int k = 0; k < als->d && system->shift > before; k++)
	{
		float		more = system->shift - before;

		descent->diagonal[k] += more;
		descent->precondition[k] += more;
		descent->product[k] += more * v[k];
	}
}

/* product = the system's matrix times v and a bias of b. */
static void
apply_matrix(Descent *descent, const float *v, float b, bool first)
{
	const MfDense *dense = descent->als->dense;
	const Task *task = descent->task;
	int			ld = descent->als->ld;

	multiply_vectors(descent, v, first);
	if (first)
		raise_diagonal(descent, v);
	descent->bias_product = 0.0f;
	if (task->system.bias != NULL)
	{
		dense->axpy(descent->product, task->bias_right, b, ld);
		descent->bias_product = dense->dot(task->bias_right, v, ld) +
			(float) (task->weight_sum + task->system.bias_shift) * b;
	}
}

/* Sets x and bias to 0. */
static void
start_at_zero(Descent *descent)
{
	int			ld = descent->als->ld;

	memset(descent->x, 0, (size_t) ld * sizeof(float));
	descent->bias = 0.0f;
	memcpy(descent->residual, descent->task->right, (size_t) ld * sizeof(float));
	descent->bias_residual = descent->task->system.bias == NULL ? 0.0f : (float) descent->task->target_sum;
}

/*
 * residual = right - matrix [x, bias]; what the present x and bias explain.  Where nothing at all explains
 * more than these do, it starts from nothing.
 */
static double
start_descent(Descent *descent)
{
	const Task *task = descent->task;
	const MfDense *dense = descent->als->dense;
	int			ld = descent->als->ld;
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
	const Task *task = descent->task;
	double		gain = descent->als->dense->cg_step(descent->x, descent->residual, descent->product,
											   descent->direction, descent->precondition, length,
											   descent->als->ld);

	*bias = 0.0f;
	if (task->system.bias == NULL)
		return gain;
	descent->bias += length * descent->bias_direction;
	descent->bias_residual -= length * descent->bias_product;
	*bias = descent->bias_residual / (float) (task->weight_sum + task->system.bias_shift);
	return gain + (double) *bias * descent->bias_residual;
}

/*
 * Whether a step is worth its time, which `gain` says about: no longer where little of the loss is left
 * to gain, nor where that is no more than rounding makes of what cancels in it.
 */
static bool
is_worthwhile(const Task *task, double gain, double explained)
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
	int			ld = descent->als->ld;
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
 * Improves a row's x and bias by conjugate gradients, for one system with the cells of one part or
 * both.
 */
static void
solve_iteratively(MfAls *als, const Space *space, int64_t r, MfPart part, bool interest,
				  bool rating)
{
	int64_t		n = als->rows->start[r + 1] - als->rows->start[r];
	Task		task = {0};
	Descent		descent = {.als = als,.space = space,.task = &task,.r = r,.has = {interest, rating},
		.resident = n * (interest + rating) <= space->panel.length,.diagonal = space->vector[0],
		.precondition = space->vector[1],.residual = space->vector[2],
	.direction = space->vector[3],.product = space->vector[4]};
	double		explained;

	task.system = mf_sweep_system(als, part, r);
	task.part = part;
	task.right = space->vector[6];
	task.bias_right = space->vector[7];
	task.constant = mf_sweep_start(als, task.system.pull, space->vector[6]);
	memset(space->vector[7], 0, (size_t) als->ld * sizeof(float));
	fill_diagonal(als, &task.system, descent.diagonal);
	descent.x = task.system.x;
	descent.bias = task.system.bias != NULL ? *task.system.bias : 0.0f;
	explained = descend(&descent);
	if (task.system.bias != NULL)
		*task.system.bias = descent.bias;
	account(als, r, &task, explained, true);
}

/* Solves one system of a row in its dual form, for the cells of one part or both. */
static void
solve_from_cells(MfAls *als, const Space *space, int64_t r, MfPart part, bool interest, bool rating)
{
	int			n = (int) (als->rows->start[r + 1] - als->rows->start[r]);
	Task		task = {0};

	task.system = mf_sweep_system(als, part, r);
	task.part = part;
	task.constant = mf_sweep_start(als, task.system.pull, space->vector[6]);
	if (interest)
		gather_part(als, space, r, MF_INTEREST, 0, &task);
	if (rating)
		gather_part(als, space, r, MF_RATING, interest ? n : 0, &task);
	solve_dual(als, space, r, &task, n * (interest + rating));
}

/* Solves the rows begin .. end - 1 of als->order. */
void
mf_single_block(MfAls *als, int64_t begin, int64_t end, char *scratch)
{
	Space		space = lay_out(scratch, als->ld);
	bool		interest = mf_sweep_has(als, MF_INTEREST);
	bool		rating = mf_sweep_has(als, MF_RATING);
	void		(*solve) (MfAls *als, const Space *space, int64_t r, MfPart part, bool interest,
						  bool rating) = als->exact ? solve_from_cells : solve_iteratively;

	for (int64_t k = begin; k < end && !mf_cancelled(als->parallel); k++)
	{
		int64_t		r = als->order[k];

		if (als->exact && k < als->first_dual)
			solve_primal(als, &space, r);
		else if (als->side == MF_USERS)
			solve(als, &space, r, MF_INTEREST, interest, rating);
		else
		{
			if (interest)
				solve(als, &space, r, MF_INTEREST, true, false);
			if (rating)
				solve(als, &space, r, MF_RATING, false, true);
		}
	}
}

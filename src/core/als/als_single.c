/*
 * als_single.c - rows with more than 96 factors: one system at a time.
 *
 * Exactly: a row with few cells in its dual form, others by Cholesky's factors of the ld x ld
 * matrix.  Otherwise by conjugate gradients: als_cg.c.
 */
#include "core/als/als_single.h"

#include <math.h>
#include <string.h>

#define PANEL_FLOATS (1 << 19)	/* vectors of a row that stay in the cache */

/* Rows of vectors that a worker's panel holds. */
static int
panel_length(int ld)
{
	int			length = PANEL_FLOATS / ld;

	return length < 2 * MF_PANEL_ROWS ? 2 * MF_PANEL_ROWS : length;
}

/* Lays a worker's scratch space out; start NULL only measures. */
static MfSingleSpace
lay_out(MfArena *arena, int ld)
{
	MfSingleSpace		space;
	size_t		n = (size_t) ld;

	space.panel = mf_panel_take(arena, panel_length(ld), ld);
	space.matrix = mf_arena_floats(arena, (n + MF_MAX_RIGHT) * n);
	space.other = mf_arena_floats(arena, n * n);
	space.inverse = mf_arena_floats(arena, n);
	space.work = mf_arena_floats(arena, 16 * n);
	for (int v = 0; v < 8; v++)
		space.vector[v] = mf_arena_floats(arena, n);
	return space;
}

/* Bytes of scratch space for a worker. */
size_t
mf_single_size(int ld)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, ld);
	return arena.used;
}

/* out[k] = base[k] * factor + shift, and 1 where there are no factors. */
void
mf_single_diagonal(const MfAls *als, const MfSystem *system, float *out)
{
	for (int k = 0; k < als->ld; k++)
		out[k] = k < als->d ? als->base[k] * system->factor + system->shift : 1.0f;
}

/* Brings a task's shifts to what they count as, for the trace of its cells' part: see ridge.h. */
void
mf_single_raise(const MfAls *als, MfTask *task, double trace)
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
void
mf_single_account(MfAls *als, int64_t r, const MfTask *task, double explained, bool good)
{
	mf_sweep_account(als, r, &task->system, task->part, task->constant - explained, good);
}

/*
 * Solves a task whose matrix (ld x ld, upper tiles, overwritten) is complete but for its diagonal.
 */
static void
solve_matrix(MfAls *als, const MfSingleSpace *space, int64_t r, MfTask *task, float *matrix)
{
	const MfDense *dense = als->dense;
	int			ld = als->ld;
	float	   *x = space->vector[0];
	float	   *h = space->vector[1];
	float	   *diagonal = space->vector[2];
	double		explained;

	mf_single_raise(als, task, trace_of(matrix, ld));
	mf_single_diagonal(als, &task->system, diagonal);
	for (int k = 0; k < ld; k++)
		matrix[k * ld + k] += diagonal[k];
	if (!als->cholesky->factor_one(dense, matrix, ld, task->system.shift, space->inverse, space->work))
	{
		mf_single_account(als, r, task, 0.0, false);
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
	mf_single_account(als, r, task, explained, true);
}

/* The task of a row's system, with right-hand sides as mf_sweep_accumulate() leaves them. */
static MfTask
make_task(const MfAls *als, int64_t r, MfPart part, const float *right, const MfRowSums *sums)
{
	MfTask		task = {0};

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
solve_primal(MfAls *als, const MfSingleSpace *space, int64_t r)
{
	size_t		size = (size_t) als->ld * (size_t) als->ld;
	bool		both = als->side == MF_ITEMS && mf_sweep_has(als, MF_INTEREST) &&
		mf_sweep_has(als, MF_RATING);
	const float *right = space->matrix + size;
	MfRowSums	sums;
	MfTask		task;

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
gather_part(const MfAls *als, const MfSingleSpace *space, int64_t r, MfPart part, int used, MfTask *task)
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
solve_dual(MfAls *als, const MfSingleSpace *space, int64_t r, const MfTask *task, int n)
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

	mf_single_diagonal(als, &task->system, root);
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
		mf_single_account(als, r, task, 0.0, false);
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
	mf_single_account(als, r, task, explained, true);
}

/* Solves one system of a row in its dual form, for the cells of one part or both. */
static void
solve_from_cells(MfAls *als, const MfSingleSpace *space, int64_t r, MfPart part, bool interest, bool rating)
{
	int			n = (int) (als->rows->start[r + 1] - als->rows->start[r]);
	MfTask		task = {0};

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
	MfArena		arena = {scratch, 0};
	MfSingleSpace		space = lay_out(&arena, als->ld);
	bool		interest = mf_sweep_has(als, MF_INTEREST);
	bool		rating = mf_sweep_has(als, MF_RATING);
	void		(*solve) (MfAls *als, const MfSingleSpace *space, int64_t r, MfPart part, bool interest,
						  bool rating) = als->exact ? solve_from_cells : mf_cg_solve;

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

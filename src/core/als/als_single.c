/*
 * als_single.c - rows with more than 96 factors: one system at a time.
 *
 * Exactly: a row with few cells in its dual form, others by Cholesky's factors of the ld x ld
 * matrix.  Otherwise by conjugate gradients: als_cg.c.
 */
#include "core/als/als_single_task.h"

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

/* Divides a worker's workspace; start NULL only measures. */
static MfSingleSpace
lay_out(MfArena *arena, int ld)
{
	MfSingleSpace space;
	size_t		n = (size_t) ld;

	space.panel = mf_panel_take(arena, panel_length(ld), ld);
	space.matrix = mf_arena_floats(arena, (n + MF_MAX_RIGHT) * n);
	space.other = mf_arena_floats(arena, n * n);
	space.inverse = mf_arena_floats(arena, n);
	space.work = mf_arena_floats(arena, 16 * n);
	for (int v = 0; v < 8; v++)
		space.vector[v] = mf_arena_floats(arena, n);
	for (int part = 0; part < MF_TERMS; part++)
	{
		space.solved[part] = mf_arena_floats(arena, MF_GROUP * n);
		space.prior[part] = mf_arena_floats(arena, MF_GROUP * n);
	}
	space.rotated = mf_arena_floats(arena, MF_GROUP * n);
	space.whole = mf_arena_take(arena, (size_t) mf_cells_stride(ld) * sizeof(int16_t));
	return space;
}

/* Bytes of workspace for a worker. */
size_t
mf_single_size(const MfAls *als)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, als->ld);
	return arena.used;
}

/*
 * Solves a task whose matrix (rows ld apart, upper tiles, overwritten) is complete but for its diagonal.
 */
static void
solve_matrix(MfAls *als, const MfSingleSpace *space, MfTask *task, float *matrix)
{
	const MfDense *dense = als->dense;
	int			ld = task->block->width;
	float	   *x = space->vector[0];
	float	   *h = space->vector[1];
	float	   *diagonal = space->vector[2];
	float		least = INFINITY;
	double		explained;

	mf_single_raise(als, task, matrix, NULL, ld + 1);
	mf_single_diagonal(als, task, diagonal);
	for (int k = 0; k < ld; k++)
		matrix[k * ld + k] += diagonal[k];
	for (int kind = 0; kind < MF_KINDS; kind++)
		if (mf_block_has(task->block, (MfKind) kind))
			least = fminf(least, task->system.raised[kind]);
	if (!als->cholesky->potrf(dense, matrix, ld, least, space->inverse, space->work))
	{
		mf_single_account(als, task, 0.0, false);
		return;
	}
	memcpy(x, task->right, (size_t) ld * sizeof(float));
	explained = als->cholesky->potrs(matrix, ld, space->inverse, x);
	if (task->system.bias != NULL)
	{
		/* A x1 = right, A x2 = h: b = (target_sum - h.x1) / (weight_sum + shift - h.x2) */
		double		below;
		double		above = task->target_sum - dense->dot(task->bias_right, x, ld);

		memcpy(h, task->bias_right, (size_t) ld * sizeof(float));
		below = task->weight_sum + task->system.raised_bias -
			als->cholesky->potrs(matrix, ld, space->inverse, h);
		/* rounding alone makes it less than its shift */
		if (below < task->system.raised_bias)
			below = task->system.raised_bias;
		*task->system.bias = (float) (above / below);
		dense->axpy(x, h, -*task->system.bias, ld);
		/* with the bias in its place, what is explained grows by (h.x1 - target_sum)^2 / below */
		explained += above * above / below;
	}
	memcpy(task->x, x, (size_t) ld * sizeof(float));
	mf_single_account(als, task, explained, true);
}

/* A row's system of one term, or of all of them for a user; its vector is number `slot` of the rows at hand. */
static MfTask
make_task(const MfAls *als, const MfSingleSpace *space, int64_t r, MfPart part, int slot)
{
	bool		users = als->side == MF_USERS;
	MfTask		task = {.part = part,.row = {.row = r}};

	task.block = !users && als->term[part].dimensions <= als->shared && als->own > 0 ? &als->shared_block :
		&als->block[0];
	mf_sweep_system(als, part, r, &task.system);
	if (mf_sweep_points(als, part) != NULL)
		task.system.point = space->prior[part] + slot * als->ld;
	task.x = space->solved[part] + slot * als->ld;
	for (int t = 0; t < MF_TERMS; t++)
		task.has[t] = als->term[t].present && (users || t == (int) part);
	return task;
}

/* Adds to an item's right-hand sides and constant (right: task->right) where its priors draw it. */
static void
add_prior(const MfAls *als, MfTask *task, float *right)
{
	const float *point = task->system.point;
	double		pull = mf_bias_pull(&task->system);

	if (task->system.pull != 0.0f)
	{
		als->dense->axpy(right, point, task->system.pull, task->block->width);
		task->constant += (double) task->system.pull * als->dense->dot(point, point, task->block->width);
	}
	task->target_sum += pull;
	task->constant += pull * task->system.bias_point;
}

/* matrix (width x width) = scale times the first of what was accumulated (ld x ld); the two may be the same. */
static void
take_matrix(float *matrix, const float *from, int width, int ld, float scale)
{
	for (int i = 0; i < width; i++)
		for (int k = 0; k < width; k++)
			matrix[i * width + k] = from[i * ld + k] * scale;
}

/*
 * A row by its matrices: one of all terms for a user; for an item, one of each, which cells' products share unless they
 * weigh differently.
 */
static void
solve_primal(MfAls *als, const MfSingleSpace *space, int64_t r, int slot)
{
	int			ld = als->ld;
	float	   *right = space->matrix + ld * ld;
	MfRowState	row = {.row = r};
	MfRowSums	sums;
	bool		first = true;

	if (als->side == MF_USERS && mf_sweep_points(als, MF_INTEREST) != NULL)
		row.point = space->prior[MF_INTEREST] + slot * ld;
	for (int part = 0; part < MF_TERMS; part++)
	{
		MfTask		task;
		bool		users = als->side == MF_USERS;
		float	   *matrix = space->matrix;

		if (!mf_sweep_owns(als, (MfPart) part))
			continue;
		if (first || als->apart)
			mf_sweep_accumulate(als, (MfPart) part, &row, -1, &space->panel, space->matrix, &sums);
		if (mf_cancelled(als->parallel))
			return;
		first = false;
		task = make_task(als, space, r, (MfPart) part, slot);
		task.right = users || part == MF_INTEREST ? right : right + ld;
		task.bias_right = task.right + ld;
		task.constant = sums.constant[part];
		task.target_sum = sums.target_sum;
		task.weight_sum = sums.weight_sum;
		if (!users)
			add_prior(als, &task, part == MF_INTEREST ? right : right + ld);
		if (!users && part == MF_INTEREST)
			take_matrix(matrix = space->other, space->matrix, task.block->width, ld, als->term[part].observed);
		solve_matrix(als, space, &task, matrix);
	}
}

/*
 * Gathers all of a row's vectors of one term, scaled, behind the `used` rows that the panel holds,
 * with the dual form's targets: divided by scale, and for a bias the scale itself.
 */
static void
gather_part(const MfAls *als, const MfSingleSpace *space, MfPart part, int used, MfTask *task)
{
	const MfTerm *term = &als->term[part];
	const MfPanel *panel = &space->panel;
	int64_t		begin = als->rows->start[task->row.row];
	int			n = (int) (als->rows->start[task->row.row + 1] - begin);
	float		root = als->side == MF_ITEMS ? sqrtf(term->observed) : 1.0f;
	MfCells		cells = {panel->scale + used, panel->target + used, panel->weight + used, 0.0, 0.0,
	0.0};
	MfGather	gather = {.rows = als->fixed[part],.stride = als->ld,.ld = task->block->width,.n = n,
		.column = als->rows->column + begin,.scale = cells.scale,
	.panel = panel->rows + (size_t) used * (size_t) task->block->width};

	mf_sweep_cells(als, part, task->block, &task->row, begin, n, &cells);
	for (int k = 0; k < n; k++)
	{
		cells.scale[k] *= root;
		cells.target[k] = cells.scale[k] > 0.0f ? cells.target[k] / cells.scale[k] : 0.0f;
		cells.weight[k] = term->bias ? cells.scale[k] : 0.0f;
	}
	als->dense->gather(&gather);
	task->constant += cells.constant;
	task->weight_sum += cells.weight_sum;
}

/*
 * Counts x and the bias from where their points alone would have them: of n targets c becomes c - z start - h bias,
 * with start (of the block's width) as x is before it is divided by the diagonal's roots.  Returns what that explains.
 */
static double
start_dual(const MfAls *als, const MfSingleSpace *space, const MfTask *task, int n)
{
	const MfSystem *system = &task->system;
	int			ld = task->block->width;
	float	   *c = space->vector[1];
	float	   *start = space->vector[3];
	double		pull = mf_bias_pull(system);
	double		bias = pull / mf_bias_ridge(system->bias_shift, task->weight_sum);

	mf_sweep_start(als, task->block, system, start);
	als->dense->multiply_by(start, space->vector[0], ld);
	for (int k = 0; k < n && system->pull != 0.0f; k++)
		c[k] -= als->dense->dot(space->panel.rows + k * ld, start, ld);
	if (system->bias != NULL)
		*system->bias = (float) bias;
	for (int k = 0; k < n && pull != 0.0; k++)
		c[k] -= space->vector[2][k] * (float) bias;
	return als->dense->dot(start, start, ld) + pull * bias;
}

/*
 * x = z' c with (1 + z z') c = targets, for the panel's n rows: z = their vectors / diagonal^(1/2).
 * The dual form of Woodbury's identity; a bias as in eliminate_bias() of als_batched.c.
 */
static void
solve_dual(MfAls *als, const MfSingleSpace *space, MfTask *task, int n)
{
	const MfDense *dense = als->dense;
	const MfPanel *panel = &space->panel;
	int			ld = task->block->width;
	int			width = (n + 15) & ~15;
	float	   *root = space->vector[0];
	float	   *c = space->vector[1];
	float	   *h = space->vector[2];
	double		explained = 0.0;

	mf_single_diagonal(als, task, root);
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
	explained += start_dual(als, space, task, n);
	dense->transpose_panel(space->other, panel->rows, ld, n, width);
	dense->gemmt(space->matrix, width, space->other, space->other, ld, 0, 0);
	for (int k = 0; k < width; k++)
		space->matrix[k * width + k] += 1.0f;
	if (!als->cholesky->potrf(dense, space->matrix, width, 1.0f, space->inverse, space->work))
	{
		mf_single_account(als, task, 0.0, false);
		return;
	}
	explained -= als->cholesky->potrs(space->matrix, width, space->inverse, c);
	if (task->system.bias != NULL)
	{
		double		above = dense->dot(h, c, width);
		double		below = mf_bias_ridge(task->system.bias_shift, task->weight_sum) +
			als->cholesky->potrs(space->matrix, width, space->inverse, h);

		dense->axpy(c, h, -(float) (above / below), width);
		*task->system.bias += (float) (above / below);
		explained += above * above / below;
	}
	memcpy(task->x, space->vector[3], (size_t) ld * sizeof(float));
	dense->gemv(task->x, panel->rows, c, ld, n);
	dense->multiply_by(task->x, root, ld);
	mf_single_account(als, task, explained, true);
}

/* Solves one system of a row in its dual form. */
static void
solve_from_cells(MfAls *als, const MfSingleSpace *space, MfTask *task)
{
	int			n = (int) (als->rows->start[task->row.row + 1] - als->rows->start[task->row.row]);
	int			used = 0;

	task->constant = mf_sweep_start(als, task->block, &task->system, space->vector[6]) +
		mf_bias_pull(&task->system) * task->system.bias_point;
	for (int part = 0; part < MF_TERMS; part++)
		if (task->has[part])
		{
			gather_part(als, space, (MfPart) part, used, task);
			used += n;
		}
	solve_dual(als, space, task, used);
}

/* Solves all systems of the row at a place of the order. */
static void
solve_row(MfAls *als, const MfSingleSpace *space, int64_t place, int slot)
{
	int64_t		r = als->order[place];

	if (als->exact && place < als->first_dual)
	{
		solve_primal(als, space, r, slot);
		return;
	}
	for (int part = 0; part < MF_TERMS; part++)
	{
		MfTask		task;

		if (!mf_sweep_owns(als, (MfPart) part))
			continue;
		task = make_task(als, space, r, (MfPart) part, slot);
		task.next = place + 1 < als->first_empty ? als->order[place + 1] : -1;
		if (als->exact)
			solve_from_cells(als, space, &task);
		else
			mf_cg_solve(als, space, &task);
	}
}

/* Solves the n rows of als->order from a place on. */
static void
solve_group(MfAls *als, const MfSingleSpace *space, int64_t place, int n)
{
	int64_t		row[MF_GROUP];

	for (int k = 0; k < n; k++)
		row[k] = als->order[place + k];
	for (int part = 0; part < MF_TERMS && !als->exact; part++)
		if (mf_sweep_owns(als, (MfPart) part))
			mf_sweep_load(als, mf_sweep_solved(als, (MfPart) part), row, n, space->solved[part], space->rotated);
	for (int part = 0; part < MF_TERMS; part++)
		if (mf_sweep_owns(als, (MfPart) part) && mf_sweep_points(als, (MfPart) part) != NULL)
			mf_sweep_load(als, mf_sweep_points(als, (MfPart) part), row, n, space->prior[part], space->rotated);
	for (int k = 0; k < n && !mf_cancelled(als->parallel); k++)
		solve_row(als, space, place + k, k);
	for (int part = 0; part < MF_TERMS; part++)
		if (mf_sweep_owns(als, (MfPart) part))
			mf_sweep_store(als, (MfPart) part, row, n, space->solved[part], space->rotated);
}

/* Solves the rows begin .. end - 1 of als->order. */
void
mf_single_block(MfAls *als, int64_t begin, int64_t end, char *workspace)
{
	MfArena		arena = {workspace, 0};
	MfSingleSpace space = lay_out(&arena, als->ld);

	for (int part = 0; part < MF_TERMS; part++)
		memset(space.solved[part], 0, (size_t) (MF_GROUP * als->ld) * sizeof(float));
	for (int64_t k = begin; k < end && !mf_cancelled(als->parallel); k += MF_GROUP)
		solve_group(als, &space, k, end - k < MF_GROUP ? (int) (end - k) : MF_GROUP);
}

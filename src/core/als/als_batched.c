/*
 * als_batched.c - rows with up to 96 factors: as many systems as a register has lanes, side by
 * side.
 *
 * Rows come in the order of their length, so that neighbours are alike.  What one row gets does not
 * depend on its neighbours: lanes never meet.
 *
 * Where ratings have dimensions of their own and exactness is not asked for, a row is solved in two blocks, one after
 * the other (block coordinate descent; Rendle, Krichene, Zhang, Koren, "iALS++", 2021): the shared dimensions and the
 * bias while the private ones stay, then the private ones by how far they are to move.  That leaves out the products
 * of one kind with the other, which are most of the work of a system of all dimensions.
 */
#include "core/als/als_batched.h"

#include <math.h>
#include <string.h>

/* Lays a worker's scratch space out; start NULL only measures. */
static MfBatchSpace
lay_out(MfArena *arena, const MfAls *als)
{
	MfBatchSpace		space;
	size_t		n = (size_t) als->ld;

	space.length = als->ld > MF_PANEL_ROWS ? als->ld : MF_PANEL_ROWS;
	space.zero = mf_arena_floats(arena, n);
	space.scale = mf_arena_floats(arena, MF_MAX_LANES * (size_t) space.length);
	space.target = mf_arena_floats(arena, MF_MAX_LANES * (size_t) space.length);
	space.weight = mf_arena_floats(arena, MF_MAX_LANES * (size_t) space.length);
	space.panel = mf_panel_take(arena, MF_PANEL_ROWS, als->ld);
	space.matrix = mf_arena_floats(arena, MF_MAX_LANES * (n + MF_MAX_RIGHT) * n);
	space.packed = mf_arena_floats(arena, MF_MAX_LANES * mf_triangle(n));
	space.right = mf_arena_floats(arena, MF_MAX_LANES * 2 * n);
	space.roots = mf_arena_floats(arena, MF_MAX_LANES * n);
	space.x = mf_arena_floats(arena, MF_MAX_LANES * n);
	space.moved = mf_arena_floats(arena, MF_MAX_LANES * n);
	for (int part = 0; part < MF_TERMS; part++)
		space.solved[part] = mf_arena_floats(arena, MF_MAX_LANES * n);
	space.kept = mf_arena_floats(arena, als->own > 0 ? MF_MAX_LANES * MF_KEPT_CELLS : 0);
	return space;
}

/* Bytes of scratch space for a worker. */
size_t
mf_lanes_size(const MfAls *als)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, als);
	return arena.used;
}

/* The vectors of a batch's rows that a term's cells give: users have one for all terms. */
static float *
solved_vectors(const MfAls *als, const MfBatchSpace *space, MfPart part)
{
	return space->solved[als->side == MF_USERS ? MF_INTEREST : part];
}

/* Lane l's row on its way through the blocks. */
MfRowState
mf_batch_row(const MfAls *als, const MfBatchSpace *space, const MfBatch *batch, int l)
{
	const int64_t *start = als->rows->start + batch->row[l];
	MfRowState	row = {batch->row[l], NULL, NULL};

	if (als->nblocks == 1)
		return row;
	row.x = solved_vectors(als, space, MF_RATING) + l * als->ld;
	if (start[1] - start[0] <= MF_KEPT_CELLS)
		row.kept = space->kept + l * MF_KEPT_CELLS;
	return row;
}

/*
 * The lanes' systems for one term, their shifts raised for these traces of their cells' parts, by kind of dimensions;
 * empty lanes get 1 x = 0.
 */
void
mf_batch_systems(const MfAls *als, const MfBatch *batch, float trace[MF_KINDS][MF_MAX_LANES], MfSystems *systems)
{
	for (int l = 0; l < als->cholesky->lanes; l++)
	{
		MfSystem   *system = &systems->system[l];

		systems->factor[l] = 0.0f;
		systems->shift[MF_SHARED][l] = systems->shift[MF_PRIVATE][l] = systems->least[l] = 1.0f;
		if (l >= batch->count)
			continue;
		*system = mf_sweep_system(als, systems->part, batch->row[l]);
		if (!systems->bias)
			system->bias = NULL;
		systems->least[l] = INFINITY;
		for (int kind = 0; kind < MF_KINDS; kind++)
			if (mf_block_has(systems->block, (MfKind) kind))
			{
				system->raised[kind] = mf_sweep_shift(als, system, (MfKind) kind, trace[kind][l]);
				systems->shift[kind][l] = system->raised[kind];
				systems->least[l] = fminf(systems->least[l], system->raised[kind]);
			}
		systems->factor[l] = system->factor;
	}
}

/*
 * Eliminates the biases.  With y the two transformed right-hand sides (n numbers per lane): in the
 * primal form b = (target_sum - y2.y1) / (weight_sum + shift - y2.y2), in the dual b = y2.y1 /
 * (shift + y2.y2). y1 becomes y1 - b y2; explained[l]: by how much x and b lower the constant.
 */
void
mf_batch_eliminate_bias(const MfAls *als, const MfBatch *batch, MfSystems *systems, bool dual, float *y, int n)
{
	int			lanes = als->cholesky->lanes;
	float		y11[MF_MAX_LANES];
	float		y21[MF_MAX_LANES];
	float		y22[MF_MAX_LANES];
	float		b[MF_MAX_LANES] = {0};

	als->cholesky->dots(y11, y, y, n);
	als->cholesky->dots(y21, y, y + n * lanes, n);
	als->cholesky->dots(y22, y + n * lanes, y + n * lanes, n);
	for (int l = 0; l < batch->count; l++)
	{
		MfSystem   *system = &systems->system[l];
		double		above = dual ? y21[l] : batch->sums[l].target_sum - y21[l];
		double		shift = mf_bias_ridge(system->bias_shift, batch->sums[l].weight_sum);
		double		below = shift + (dual ? y22[l] : batch->sums[l].weight_sum - y22[l]);

		/* in the primal form, rounding alone makes it less than shift */
		b[l] = (float) (above / (below < shift ? shift : below));
		system->raised_bias = (float) shift;
		*system->bias = b[l];
		systems->explained[l] = (dual ? -(double) y11[l] : y11[l]) + b[l] * above;
	}
	als->cholesky->subtract(y, y + n * lanes, b, n);
}

/* The same where there is no bias. */
void
mf_batch_explain(const MfAls *als, const MfBatch *batch, MfSystems *systems, bool dual, const float *y, int n)
{
	float		y11[MF_MAX_LANES];

	als->cholesky->dots(y11, y, y, n);
	for (int l = 0; l < batch->count; l++)
		systems->explained[l] = dual ? -y11[l] : y11[l];
}

/*
 * Moves lane l's vector by x, and accounts for what that gains: `explained`, but for the part of a raised shift.
 */
static void
move_row(MfAls *als, const MfBatch *batch, const MfSystems *systems, int l, const float *x, float *to)
{
	const MfSystem *system = &systems->system[l];
	double		before = mf_sweep_square(systems->block, MF_PRIVATE, to);
	double	   *loss = &als->row_loss[als->rows->first + batch->row[l]];
	double		gain;

	for (int k = 0; k < systems->block->width; k++)
		to[k] += x[k];
	gain = systems->explained[l] - ((double) system->raised[MF_PRIVATE] - system->shift[MF_PRIVATE]) *
		(before - mf_sweep_square(systems->block, MF_PRIVATE, to));
	if (systems->bad[l] != 0 || !isfinite(gain))
		gain = NAN;
	*loss -= system->loss_weight * gain;
	if (*loss < 0.0)
		*loss = 0.0;
	if (!isfinite(*loss))
		mf_sweep_account(als, batch->row[l], system, systems->block, to, NAN, false);
}

/* Stores the lanes' vectors, which are in space->x, and their losses. */
void
mf_batch_store(MfAls *als, const MfBatchSpace *space, const MfBatch *batch, const MfSystems *systems)
{
	int			ld = als->ld;
	float	   *row[MF_MAX_LANES];

	for (int l = 0; l < als->cholesky->lanes; l++)
		row[l] = l < batch->count && !systems->moves ? systems->solved + l * ld : space->moved + l * ld;
	als->cholesky->deinterleave(row, space->x, systems->block->width);
	for (int l = 0; l < batch->count; l++)
	{
		const MfSystem *system = &systems->system[l];
		double		left = batch->sums[l].constant[systems->part] - systems->explained[l];

		if (systems->moves)
		{
			move_row(als, batch, systems, l, row[l], systems->solved + l * ld);
			continue;
		}
		/* private dimensions that are yet to move are held by their own shift */
		if (als->nblocks > 1 && solved_vectors(als, space, systems->part) == solved_vectors(als, space, MF_RATING))
			left += system->shift[MF_PRIVATE] *
				mf_sweep_square(&als->block[1], MF_PRIVATE, row[l] + als->block[1].offset);
		mf_sweep_account(als, batch->row[l], system, systems->block, row[l], left, systems->bad[l] == 0);
	}
}

/* The lanes' vectors as they stand, side by side in space->x. */
static void
interleave_solved(const MfAls *als, const MfBatchSpace *space, const MfSystems *systems)
{
	MfLaneRows	rows;

	for (int l = 0; l < als->cholesky->lanes; l++)
	{
		rows.row[l] = systems->solved + l * als->ld;
		rows.scale[l] = 1.0f;
	}
	als->cholesky->interleave(space->x, &rows, NULL, systems->block->width);
}

/* Completes the lanes' matrices, of which the cells' parts are in place, by the diagonal. */
static void
complete_diagonal(const MfAls *als, const MfBatchSpace *space, const MfSystems *systems)
{
	const MfBlock *block = systems->block;
	size_t		lanes = (size_t) als->cholesky->lanes;

	for (int i = 0; i < block->width; i++)
		if ((i < block->begin[MF_SHARED] || i >= block->end[MF_SHARED]) &&
			(i < block->begin[MF_PRIVATE] || i >= block->end[MF_PRIVATE]))
			for (size_t l = 0; l < lanes; l++)
				space->packed[(mf_triangle((size_t) i) + (size_t) i) * lanes + l] = 1.0f;
	for (int kind = 0; kind < MF_KINDS; kind++)
		als->cholesky->add_diagonal(space->packed, block->begin[kind], block->end[kind], als->base + block->offset,
									systems->factor, systems->shift[kind]);
}

/*
 * Solves the lanes' matrices, which begin those of ld x ld that were accumulated, times `scale`, with right-hand side
 * `right` (and the next for a bias).
 */
static void
solve_primal(MfAls *als, const MfBatchSpace *space, const MfBatch *batch, MfSystems *systems, int ld, float scale, int right)
{
	const MfCholesky *cholesky = als->cholesky;
	int			n = systems->block->width;
	int			lanes = cholesky->lanes;
	size_t		stride = (size_t) (ld + MF_MAX_RIGHT) * (size_t) ld;
	float		trace[MF_KINDS][MF_MAX_LANES];

	cholesky->interleave_matrix(space->packed, space->matrix, stride, ld, n, scale);
	for (int kind = 0; kind < MF_KINDS; kind++)
		cholesky->traces(trace[kind], space->packed, systems->block->begin[kind], systems->block->end[kind]);
	mf_batch_systems(als, batch, trace, systems);
	complete_diagonal(als, space, systems);
	for (int r = 0; r < (systems->bias ? 2 : 1); r++)
	{
		MfLaneRows	rows;

		for (int l = 0; l < lanes; l++)
		{
			rows.row[l] = space->matrix + (size_t) l * stride + (size_t) ((ld + right + r) * ld);
			rows.scale[l] = 1.0f;
		}
		cholesky->interleave(space->right + r * n * lanes, &rows, NULL, n);
	}
	if (systems->moves)
	{
		interleave_solved(als, space, systems);
		cholesky->subtract(space->right, space->x, systems->shift[MF_PRIVATE], n);
	}
	cholesky->factor(space->packed, n, space->right, systems->bias ? 2 : 1, systems->least, systems->bad);
	if (systems->bias)
		mf_batch_eliminate_bias(als, batch, systems, false, space->right, n);
	else
		mf_batch_explain(als, batch, systems, false, space->right, n);
	cholesky->substitute(space->packed, n, space->right);
	memcpy(space->x, space->right, (size_t) (n * lanes) * sizeof(float));
	mf_batch_store(als, space, batch, systems);
}

/* The systems of one term of a batch, in a block of dimensions. */
MfSystems
mf_batch_make(const MfAls *als, const MfBatchSpace *space, MfPart part, const MfBlock *block)
{
	MfSystems		systems = {.part = part};

	systems.moves = als->nblocks > 1 && block == &als->block[1];
	systems.block = als->side == MF_ITEMS && als->term[part].dimensions <= als->shared && als->own > 0 ?
		&als->shared_block : block;
	systems.bias = !systems.moves && (als->side == MF_USERS ? als->factors.user_bias != NULL : als->term[part].bias);
	systems.solved = solved_vectors(als, space, part) + block->offset;
	return systems;
}

/* Whether items have a system of that term in a block. */
bool
mf_batch_has(const MfAls *als, MfPart part, const MfBlock *block)
{
	return als->term[part].present &&
		(mf_block_has(block, MF_SHARED) || als->term[part].dimensions > als->shared);
}

/* Solves a block of rows in their primal form. */
static void
solve_long_rows(MfAls *als, const MfBatchSpace *space, MfBatch *batch, const MfBlock *block)
{
	int			ld = block->width;
	size_t		stride = (size_t) (ld + MF_MAX_RIGHT) * (size_t) ld;
	MfSystems		systems;

	for (int l = 0; l < batch->count; l++)
	{
		MfRowState	row = mf_batch_row(als, space, batch, l);

		mf_sweep_accumulate(als, block, &row, l + 1 < batch->count ? batch->row[l + 1] : -1, &space->panel,
							space->matrix + (size_t) l * stride, &batch->sums[l]);
		if (mf_cancelled(als->parallel))
			return;
	}
	for (int l = batch->count; l < als->cholesky->lanes; l++)
		memset(space->matrix + (size_t) l * stride, 0, stride * sizeof(float));
	if (als->side == MF_USERS)
	{
		systems = mf_batch_make(als, space, MF_INTEREST, block);
		solve_primal(als, space, batch, &systems, ld, 1.0f, 0);
		return;
	}
	for (int part = 0; part < MF_TERMS; part++)
		if (mf_batch_has(als, (MfPart) part, block))
		{
			systems = mf_batch_make(als, space, (MfPart) part, block);
			solve_primal(als, space, batch, &systems, ld, als->term[part].observed, part);
		}
}

/* Solves a batch that ends at place `end` of the order, block after block. */
static void
solve_batch(MfAls *als, const MfBatchSpace *space, MfBatch *batch, int64_t end)
{
	if (als->nblocks > 1)
		mf_sweep_load(als, MF_RATING, batch->row, batch->count, solved_vectors(als, space, MF_RATING), space->moved);
	for (int b = 0; b < als->nblocks; b++)
	{
		if (end <= als->first_dual[b])
			solve_long_rows(als, space, batch, &als->block[b]);
		else
			mf_batch_solve_dual(als, space, batch, &als->block[b]);
		if (mf_cancelled(als->parallel))
			return;
	}
	for (int part = 0; part < MF_TERMS; part++)
		if (als->side == MF_USERS ? part == MF_INTEREST : als->term[part].present)
			mf_sweep_store(als, (MfPart) part, batch->row, batch->count, space->solved[part], space->moved);
}

/* Solves the rows begin .. end - 1 of als->order. */
void
mf_lanes_block(MfAls *als, int64_t begin, int64_t end, char *scratch)
{
	MfArena		arena = {scratch, 0};
	MfBatchSpace		space = lay_out(&arena, als);

	memset(space.zero, 0, (size_t) als->ld * sizeof(float));
	for (int part = 0; part < MF_TERMS; part++)
		memset(space.solved[part], 0, (size_t) (MF_MAX_LANES * als->ld) * sizeof(float));
	for (int64_t k = begin; k < end && !mf_cancelled(als->parallel);)
	{
		MfBatch		batch = {0};
		int64_t		stop = end;

		/* all rows of a batch are solved in the same form */
		for (int b = 0; b < als->nblocks; b++)
			if (k < als->first_dual[b] && als->first_dual[b] < stop)
				stop = als->first_dual[b];
		while (batch.count < als->cholesky->lanes && k < stop)
			batch.row[batch.count++] = als->order[k++];
		solve_batch(als, &space, &batch, k);
	}
}

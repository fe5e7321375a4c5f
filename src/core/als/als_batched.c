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
 * of one kind with the other, which are most of the work of a system of all dimensions.  Where the fixed side is in whole
 * numbers their sums over the cells are made all the same, as they save a second pass over these: see als_cross.c.
 */
#include "core/als/als_batched_system.h"

#include <math.h>
#include <string.h>

/* Divides a worker's workspace; start NULL only measures. */
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
	{
		space.solved[part] = mf_arena_floats(arena, MF_MAX_LANES * n);
		space.prior[part] = mf_arena_floats(arena, MF_MAX_LANES * n);
	}
	space.kept = mf_arena_floats(arena, als->own > 0 ? MF_MAX_LANES * MF_KEPT_CELLS : 0);
	return space;
}

/* Bytes of workspace for a worker. */
size_t
mf_lanes_size(const MfAls *als)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, als);
	return arena.used;
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

/* Adds to the right-hand sides of items where their priors draw them. */
static void
add_priors(const MfAls *als, const MfBatchSpace *space, const MfBatch *batch, const MfSystems *systems)
{
	float		pull[MF_MAX_LANES] = {0};
	MfLaneRows	rows;

	for (int l = 0; l < als->cholesky->lanes; l++)
	{
		rows.row[l] = systems->prior + l * als->ld + systems->block->offset;
		rows.scale[l] = 1.0f;
		if (l < batch->count)
			pull[l] = -systems->system[l].pull;
	}
	als->cholesky->interleave(space->x, &rows, NULL, systems->block->width);
	als->cholesky->subtract(space->right, space->x, pull, systems->block->width);
}

/* Takes from what was explained what items' priors add to their constants; moves have no constant. */
static void
take_constants(const MfAls *als, const MfBatch *batch, MfSystems *systems)
{
	for (int l = 0; l < batch->count && !systems->moves; l++)
	{
		const MfSystem *system = &systems->system[l];
		const float *point = system->point + systems->block->offset;

		systems->explained[l] -= (double) system->pull * als->dense->dot(point, point, systems->block->width);
	}
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

/* Where the lanes' matrices and right-hand sides are that were accumulated: see mf_sweep_accumulate(). */
typedef struct Accumulated
{
	float	   *matrix;
	float	   *right;			/* the first right-hand side */
	size_t		stride;			/* floats from one lane's to the next */
	int			ld;				/* and from one row to the next */
} Accumulated;

/*
 * Solves the lanes' matrices, which begin those that were accumulated, times `scale`, with right-hand side
 * `right` (and the next for a bias).
 */
static void
solve_primal(MfAls *als, const MfBatchSpace *space, const MfBatch *batch, MfSystems *systems, Accumulated from,
			 float scale, int right)
{
	const MfCholesky *cholesky = als->cholesky;
	int			n = systems->block->width;
	int			lanes = cholesky->lanes;
	float		trace[MF_KINDS][MF_MAX_LANES];

	cholesky->interleave_matrix(space->packed, from.matrix, from.stride, from.ld, n, scale);
	for (int kind = 0; kind < MF_KINDS; kind++)
		cholesky->traces(trace[kind], space->packed, systems->block->begin[kind], systems->block->end[kind]);
	mf_batch_systems(als, batch, trace, systems);
	complete_diagonal(als, space, systems);
	for (int r = 0; r < (systems->bias ? 2 : 1); r++)
	{
		MfLaneRows	rows;

		for (int l = 0; l < lanes; l++)
		{
			rows.row[l] = from.right + (size_t) l * from.stride + (size_t) ((right + r) * from.ld);
			rows.scale[l] = 1.0f;
		}
		cholesky->interleave(space->right + r * n * lanes, &rows, NULL, n);
	}
	if (systems->moves)
	{
		interleave_solved(als, space, systems);
		cholesky->subtract(space->right, space->x, systems->shift[MF_PRIVATE], n);
	}
	if (systems->prior != NULL)
		add_priors(als, space, batch, systems);
	cholesky->factor(space->packed, n, space->right, systems->bias ? 2 : 1, systems->least, systems->bad);
	if (systems->bias)
		mf_batch_eliminate_bias(als, batch, systems, false, space->right, n);
	else
		mf_batch_explain(als, batch, systems, false, space->right, n);
	if (systems->prior != NULL)
		take_constants(als, batch, systems);
	cholesky->substitute(space->packed, n, space->right);
	memcpy(space->x, space->right, (size_t) (n * lanes) * sizeof(float));
	mf_batch_store(als, space, batch, systems);
}

/* Floats of a lane's matrices and right-hand sides. */
static size_t
lane_stride(const MfAls *als)
{
	return (size_t) (als->ld + MF_MAX_RIGHT) * (size_t) als->ld;
}

/*
 * Accumulates the cells of a batch for one term, or for all that share a matrix, and the loss of a term that rests;
 * false when cancelled.
 */
static bool
accumulate_batch(MfAls *als, const MfBatchSpace *space, MfBatch *batch, MfPart part)
{
	size_t		stride = lane_stride(als);

	for (int l = 0; l < batch->count; l++)
	{
		MfRowState	row = mf_batch_row(als, space, batch, l);

		mf_sweep_accumulate(als, part, &row, l + 1 < batch->count ? batch->row[l + 1] : -1, &space->panel,
							space->matrix + (size_t) l * stride, &batch->sums[l]);
		/* while the row's vectors are in the cache */
		mf_rest_account(als, &row, &space->panel);
		if (mf_cancelled(als->parallel))
			return false;
	}
	for (int l = batch->count; l < als->cholesky->lanes; l++)
		memset(space->matrix + (size_t) l * stride, 0, stride * sizeof(float));
	return true;
}

/* Solves rows in their primal form, in the first block of dimensions or the only one. */
static void
solve_first(MfAls *als, const MfBatchSpace *space, MfBatch *batch)
{
	const MfBlock *block = &als->block[0];
	int			ld = mf_accumulated_ld(als);
	Accumulated from = {space->matrix, space->matrix + ld * ld, lane_stride(als), ld};
	MfSystems	systems;

	if (mf_sweep_resting(als) != MF_INTEREST && !accumulate_batch(als, space, batch, MF_INTEREST))
		return;
	if (als->side == MF_USERS)
	{
		mf_batch_begin(als, space, MF_INTEREST, block, &systems);
		solve_primal(als, space, batch, &systems, from, 1.0f, 0);
		return;
	}
	for (int part = 0; part < MF_TERMS; part++)
		if (mf_batch_has(als, (MfPart) part, block))
		{
			/* the last term's is also that of the second block */
			if (als->apart && part != MF_INTEREST && !accumulate_batch(als, space, batch, (MfPart) part))
				return;
			mf_batch_begin(als, space, (MfPart) part, block, &systems);
			solve_primal(als, space, batch, &systems, from, als->term[part].observed, part);
		}
}

/* Where matrices of the second block are, which were accumulated with the first one's. */
static Accumulated
find_second(const MfAls *als, const MfBatchSpace *space)
{
	int			first = als->block[0].width;
	int			width = als->block[1].width;
	int			ld = als->ld;
	float	   *behind = space->matrix + (first + MF_MAX_RIGHT) * first;

	if (als->crossed)
		return (Accumulated) {space->matrix + first * ld + first, space->matrix + (ld + mf_rating_right(als)) * ld + first,
		lane_stride(als), ld};
	return (Accumulated) {behind, behind + width * width, lane_stride(als), width};
}

/* The same in the second block. */
static void
solve_second(MfAls *als, const MfBatchSpace *space, MfBatch *batch)
{
	Accumulated from = find_second(als, space);
	MfSystems	systems;

	mf_batch_begin(als, space, MF_RATING, &als->block[1], &systems);
	for (int l = 0; l < batch->count; l++)
	{
		MfRowState	row = mf_batch_row(als, space, batch, l);

		if (als->crossed)
			mf_cross_residuals(als, &row, space->matrix + (size_t) l * from.stride);
		else
			mf_sweep_residuals(als, &row, l + 1 < batch->count ? batch->row[l + 1] : -1, &space->panel,
							   from.right + (size_t) l * from.stride);
		if (mf_cancelled(als->parallel))
			return;
	}
	solve_primal(als, space, batch, &systems, from, als->term[MF_RATING].observed, 0);
}

/*
 * Whether something of a term's vectors is needed as it stands: that of ratings where there are blocks, or what rests.
 */
static bool
stays(const MfAls *als, MfPart part)
{
	return (part == MF_RATING && als->nblocks > 1) || part == mf_sweep_resting(als);
}

/* Solves a batch that ends at place `end` of the order, block after block. */
static void
solve_batch(MfAls *als, const MfBatchSpace *space, MfBatch *batch, int64_t end)
{
	for (int part = 0; part < MF_TERMS; part++)
		if (mf_sweep_has(als, (MfPart) part) && stays(als, (MfPart) part))
			mf_sweep_load(als, mf_sweep_solved(als, (MfPart) part), batch->row, batch->count,
						  mf_batch_solved(als, space, (MfPart) part), space->moved);
	for (int part = 0; part < MF_TERMS; part++)
		if (mf_sweep_owns(als, (MfPart) part) && mf_sweep_points(als, (MfPart) part) != NULL)
			mf_sweep_load(als, mf_sweep_points(als, (MfPart) part), batch->row, batch->count, space->prior[part], space->moved);
	for (int b = 0; b < mf_sweep_blocks(als); b++)
	{
		if (end > als->first_dual)
			mf_batch_solve_dual(als, space, batch, &als->block[b]);
		else if (b == 0)
			solve_first(als, space, batch);
		else if (mf_batch_has(als, MF_RATING, &als->block[b]))
			solve_second(als, space, batch);
		if (mf_cancelled(als->parallel))
			return;
	}
	for (int part = 0; part < MF_TERMS; part++)
		if (mf_sweep_owns(als, (MfPart) part) && als->solved_blocks[part] > 0)
			mf_sweep_store(als, (MfPart) part, batch->row, batch->count, space->solved[part], space->moved);
}

/* Solves the rows begin .. end - 1 of als->order. */
void
mf_lanes_block(MfAls *als, int64_t begin, int64_t end, char *workspace)
{
	MfArena		arena = {workspace, 0};
	MfBatchSpace		space = lay_out(&arena, als);

	memset(space.zero, 0, (size_t) als->ld * sizeof(float));
	for (int part = 0; part < MF_TERMS; part++)
		memset(space.solved[part], 0, (size_t) (MF_MAX_LANES * als->ld) * sizeof(float));
	for (int64_t k = begin; k < end && !mf_cancelled(als->parallel);)
	{
		MfBatch		batch = {0};
		int64_t		stop = end;

		/* all rows of a batch are solved in the same form */
		if (k < als->first_dual && als->first_dual < stop)
			stop = als->first_dual;
		while (batch.count < als->cholesky->lanes && k < stop)
			batch.row[batch.count++] = als->order[k++];
		mf_sweep_ask(als, k, k + als->cholesky->lanes < end ? k + als->cholesky->lanes : end);
		solve_batch(als, &space, &batch, k);
	}
}

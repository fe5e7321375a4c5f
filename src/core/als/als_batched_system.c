/*
 * als_batched_system.c - systems side by side: what their primal and their dual form share.
 *
 * A batch is at most as many rows as a register has lanes.  Each has its own shift, bias and loss, so these are
 * arrays by lane, while kernels (core/kernels/cholesky.h) work on all lanes at once.
 */
#include "core/als/als_batched_system.h"

#include <math.h>

/* The vectors of a batch's rows that a term's cells give: users have one for all terms. */
float *
mf_batch_solved(const MfAls *als, const MfBatchSpace *space, MfPart part)
{
	return space->solved[als->side == MF_USERS ? MF_INTEREST : part];
}

/* Begins the systems of one term of a batch, in a block of dimensions: all but what each lane has of its own. */
void
mf_batch_begin(const MfAls *als, const MfBatchSpace *space, MfPart part, const MfBlock *block, MfSystems *systems)
{
	systems->part = part;
	systems->moves = als->nblocks > 1 && block == &als->block[1];
	systems->block = als->side == MF_ITEMS && als->term[part].dimensions <= als->shared && als->own > 0 ?
		&als->shared_block : block;
	systems->bias = !systems->moves && (als->side == MF_USERS ? als->factors.user_bias != NULL : als->term[part].bias);
	systems->solved = mf_batch_solved(als, space, part) + block->offset;
	systems->point = mf_sweep_points(als, part) != NULL ? space->prior[part] : NULL;
	systems->prior = mf_sweep_has_prior(als, part) ? systems->point : NULL;
	systems->drawn = systems->prior != NULL || (als->side == MF_USERS && als->problem->user_pull != NULL);
}

/* Whether items have a system of that term to solve in a block. */
bool
mf_batch_has(const MfAls *als, MfPart part, const MfBlock *block)
{
	return als->term[part].present && als->solved_blocks[part] > block - als->block &&
		(mf_block_has(block, MF_SHARED) || als->term[part].dimensions > als->shared);
}

/* Lane l's row on its way through the blocks. */
MfRowState
mf_batch_row(const MfAls *als, const MfBatchSpace *space, const MfBatch *batch, int l)
{
	const int64_t *start = als->rows->start + batch->row[l];
	MfRowState	row = {.row = batch->row[l]};

	if (als->side == MF_USERS && mf_sweep_points(als, MF_INTEREST) != NULL)
		row.point = space->prior[MF_INTEREST] + l * als->ld;
	if (mf_sweep_resting(als) != MF_TERMS)
		row.resting = space->solved[mf_sweep_resting(als)] + l * als->ld;
	if (als->nblocks == 1)
		return row;
	row.x = mf_batch_solved(als, space, MF_RATING) + l * als->ld;
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
		systems->explained[l] = 0.0;
		systems->shift[MF_SHARED][l] = systems->shift[MF_PRIVATE][l] = systems->least[l] = 1.0f;
		if (l >= batch->count)
			continue;
		mf_sweep_system(als, systems->part, batch->row[l], system);
		if (systems->point != NULL)
			system->point = systems->point + l * als->ld;
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

/* Takes from the dual form's targets (n numbers per lane), before biases are eliminated, what their points explain. */
void
mf_batch_start_bias(const MfAls *als, const MfBatch *batch, const MfSystems *systems, float *y, int n)
{
	float		start[MF_MAX_LANES] = {0};

	for (int l = 0; l < batch->count; l++)
	{
		const MfSystem *system = &systems->system[l];

		start[l] = (float) (mf_bias_pull(system) / mf_bias_ridge(system->bias_shift, batch->sums[l].weight_sum));
	}
	als->cholesky->subtract(y, y + n * als->cholesky->lanes, start, n);
}

/*
 * Eliminates the biases.  With y the two transformed right-hand sides (n numbers per lane): in the
 * primal form b = (target_sum - y2.y1) / (weight_sum + shift - y2.y2), in the dual b = y2.y1 /
 * (shift + y2.y2), counted from where its point draws it.  y1 becomes y1 - b y2; explained[l]: by how much
 * x and b lower the constant.
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
		double		pull = mf_bias_pull(system);
		double		above = dual ? y21[l] : batch->sums[l].target_sum + pull - y21[l];
		double		shift = mf_bias_ridge(system->bias_shift, batch->sums[l].weight_sum);
		double		below = shift + (dual ? y22[l] : batch->sums[l].weight_sum - y22[l]);

		/* in the primal form, rounding alone makes it less than shift */
		b[l] = (float) (above / (below < shift ? shift : below));
		system->raised_bias = (float) shift;
		*system->bias = b[l];
		systems->explained[l] = (dual ? -(double) y11[l] : y11[l]) + b[l] * above;
		if (pull == 0.0)
			continue;
		systems->explained[l] += pull * ((dual ? pull / shift : 0.0) - system->bias_point);
		if (dual)
			*system->bias = (float) (pull / shift + b[l]);
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
	double		before = mf_sweep_square(systems->block, MF_PRIVATE, to, NULL);
	double	   *loss = &als->row_loss[als->rows->first + batch->row[l]];
	double		gain;

	for (int k = 0; k < systems->block->width; k++)
		to[k] += x[k];
	gain = systems->explained[l] - ((double) system->raised[MF_PRIVATE] - system->shift[MF_PRIVATE]) *
		(before - mf_sweep_square(systems->block, MF_PRIVATE, to, NULL));
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
		if (als->nblocks > 1 && mf_batch_solved(als, space, systems->part) == mf_batch_solved(als, space, MF_RATING))
			left += system->shift[MF_PRIVATE] *
				mf_sweep_square(&als->block[1], MF_PRIVATE, row[l] + als->block[1].offset,
								systems->drawn ? system->point + als->block[1].offset : NULL);
		mf_sweep_account(als, batch->row[l], system, systems->block, row[l], left, systems->bad[l] == 0);
	}
}

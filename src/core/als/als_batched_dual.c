/*
 * als_batched_dual.c - rows with up to 96 factors and fewer cells: as many systems, of one number per cell.
 *
 * With Z the cells' vectors, scaled and divided by the roots of B = base * factor + shift, x = B^(-1/2) Z' c where
 * (1 + Z Z') c = targets (Woodbury's identity).
 */
#include "core/als/als_batched_system.h"

#include <math.h>
#include <string.h>

#define AHEAD 3				/* cells, of each lane, whose vectors are known at once */

/* Empties the lanes' numbers at places begin .. end - 1 of n. */
static void
clear_places(float *x, int begin, int end, int lanes)
{
	memset(x + begin * lanes, 0, (size_t) ((end - begin) * lanes) * sizeof(float));
}

/*
 * One lane's cells in dual form, from place `offset` of its per-lane arrays on: scale, and target and weight divided
 * by scale.
 */
static void
fill_lane(const MfAls *als, const MfBatchSpace *space, MfBatch *batch, int lane, MfPart part,
		  const MfSystems *systems, int offset)
{
	const MfTerm *term = &als->term[part];
	MfRowState	row = mf_batch_row(als, space, batch, lane);
	int64_t		begin = als->rows->start[row.row];
	int			n = (int) (als->rows->start[row.row + 1] - begin);
	size_t		place = (size_t) lane * space->length + offset;
	float		root = als->side == MF_ITEMS ? sqrtf(term->observed) : 1.0f;
	MfCells		cells = {space->scale + place, space->target + place, space->weight + place, 0.0, 0.0, 0.0};
	double		squares;

	mf_sweep_cells(als, part, systems->moves ? systems->block : &als->block[0], &row, begin, n, &cells);
	/* scale^2 is the weight, which may be 0 */
	squares = als->dense->divide_by(cells.target, cells.scale, root, n);
	if (term->bias)
		memcpy(cells.weight, cells.scale, (size_t) n * sizeof(float));
	else
		memset(cells.weight, 0, (size_t) n * sizeof(float));
	batch->sums[lane].constant[systems->part] += cells.constant - (systems->moves ? 0.0 : squares);
	batch->sums[lane].weight_sum += cells.weight_sum;
}

/* The lanes' cells: which vectors they refer to. */
typedef struct LaneCells
{
	const int32_t *column[MF_MAX_LANES];
	int			n[MF_MAX_LANES];
} LaneCells;

/* The cells of a batch's rows; of empty lanes none. */
static void
find_cells(LaneCells *cells, const MfAls *als, const MfBatch *batch)
{
	const int64_t *start = als->rows->start;

	for (int l = 0; l < MF_MAX_LANES; l++)
	{
		int64_t		row = batch->row[l < batch->count ? l : 0];

		cells->column[l] = als->rows->column + start[row];
		cells->n[l] = l < batch->count ? (int) (start[row + 1] - start[row]) : 0;
	}
}

/* Vectors that the lanes' cells number k refer to, of rows `stride` floats apart; NULL: of shorter lanes. */
static void
find_vectors(const float **vector, const LaneCells *cells, const float *rows, int stride, int k)
{
	for (int l = 0; l < MF_MAX_LANES; l++)
		vector[l] = k < cells->n[l] ? rows + (int64_t) cells->column[l][k] * stride : NULL;
}

/* z of one term's cells: see interleave_cells(). */
static void
interleave_floats(const MfAls *als, const MfBatchSpace *space, const LaneCells *cells, MfPart part, const MfBlock *block,
				  int offset, int n)
{
	int			lanes = als->cholesky->lanes;
	const float *vector[MF_MAX_LANES];
	MfLaneRows	rows;

	for (int k = 0; k < n; k++)
	{
		find_vectors(vector, cells, mf_sweep_rows(als, part, block), als->stride[part], k);
		for (int l = 0; l < lanes; l++)
		{
			rows.row[l] = vector[l] != NULL ? vector[l] : space->zero;
			rows.scale[l] = vector[l] != NULL ? space->scale[l * space->length + offset + k] : 0.0f;
		}
		als->cholesky->interleave(space->matrix + (size_t) ((offset + k) * block->width * lanes), &rows,
								  space->roots, block->width);
	}
}

/* The same from whole numbers, whose cells all have the same scale; the next vectors are asked for meanwhile. */
static void
interleave_numbers(const MfAls *als, const MfBatchSpace *space, const LaneCells *cells, MfPart part,
				   const MfBlock *block, int offset, int n)
{
	const float *rows = mf_sweep_rows(als, part, block);
	const float *step = mf_sweep_step(als, part) + block->offset;
	int			floats = mf_quantized_floats(als, block->width);
	const float *vector[AHEAD][MF_MAX_LANES];

	for (int k = 1 - AHEAD; k < n; k++)
	{
		const float **next = vector[(k + AHEAD - 1) % AHEAD];

		if (k + AHEAD - 1 < n)
			find_vectors(next, cells, rows, als->stride[part], k + AHEAD - 1);
		for (int l = 0; l < MF_MAX_LANES && k + AHEAD - 1 < n; l++)
		{
			for (int j = 0; j < floats && next[l] != NULL; j += 16)
				__builtin_prefetch(next[l] + j, 0, 3);
			if (next[l] == NULL)
				next[l] = space->zero;
		}
		if (k >= 0)
			als->int16->interleave(space->matrix + (size_t) ((offset + k) * block->width * MF_MAX_LANES), vector[k % AHEAD],
								   step, space->scale[offset], space->roots, block->width);
	}
}

/*
 * z, side by side, of one term's cells, as its rows offset .. offset + n - 1; shorter lanes get
 * zeros.
 */
static void
interleave_cells(const MfAls *als, const MfBatchSpace *space, const MfBatch *batch, MfPart part, const MfBlock *block,
				 int offset, int n)
{
	LaneCells	cells;

	find_cells(&cells, als, batch);
	if (als->int16 != NULL)
		interleave_numbers(als, space, &cells, part, block, offset, n);
	else
		interleave_floats(als, space, &cells, part, block, offset, n);
}

/* The length of the longest row of a batch, rounded up to a multiple of 4. */
static int
longest_row(const MfAls *als, const MfBatch *batch)
{
	int			longest = 0;

	for (int l = 0; l < batch->count; l++)
	{
		const int64_t *start = als->rows->start + batch->row[l];

		if (start[1] - start[0] > longest)
			longest = (int) (start[1] - start[0]);
	}
	return (longest + 3) & ~3;
}

/* Right-hand side r (0: targets, 1: weights) of n numbers per lane from the per-lane arrays. */
static void
interleave_right(const MfAls *als, const MfBatchSpace *space, int n, int r)
{
	MfLaneRows	rows;

	for (int l = 0; l < als->cholesky->lanes; l++)
	{
		rows.row[l] = (r == 0 ? space->target : space->weight) + l * space->length;
		rows.scale[l] = 1.0f;
	}
	als->cholesky->interleave(space->x, &rows, NULL, (n + 15) & ~15);
	memcpy(space->right + r * n * als->cholesky->lanes, space->x,
		   (size_t) (n * als->cholesky->lanes) * sizeof(float));
}

/*
 * What draws the lanes' vectors besides cells: rows->scale times rows->row.  That is a system's point with its pull;
 * for moves the shift to 0 from where they stand, or from the point if there is one.
 */
static void
find_draws(const MfAls *als, const MfBatchSpace *space, const MfBatch *batch, const MfSystems *systems,
		   MfLaneRows *rows)
{
	for (int l = 0; l < als->cholesky->lanes; l++)
	{
		const MfSystem *system = &systems->system[l];
		int			offset = systems->block->offset;
		float	   *away = space->moved + l * als->ld;

		rows->row[l] = space->zero;
		rows->scale[l] = 0.0f;
		if (l >= batch->count)
			continue;
		rows->row[l] = systems->moves ? systems->solved + l * als->ld : system->point + offset;
		rows->scale[l] = systems->moves ? -systems->shift[MF_PRIVATE][l] : system->pull;
		if (!systems->moves || systems->prior == NULL)
			continue;
		/* the pull is the whole shift, which is not raised in this form: see dual_is_safe() */
		for (int k = 0; k < systems->block->width; k++)
			away[k] = rows->row[l][k] - system->point[offset + k];
		rows->row[l] = away;
	}
}

/*
 * Counts the lanes' vectors from where they would be without cells: see find_draws().  h = B^(-1/2) times what draws
 * them follows the n rows of z (and 3 of zeros), so that the products, which are made here, hold z h and h h.  Targets
 * become t - z h, and what is explained grows by pulled.
 */
static void
pull_lanes(const MfAls *als, const MfBatchSpace *space, const MfBatch *batch, const MfSystems *systems, int n,
		   double *pulled)
{
	int			width = systems->block->width;
	int			lanes = als->cholesky->lanes;
	const float *products = space->packed + mf_triangle((size_t) n) * (size_t) lanes;
	float		ones[MF_MAX_LANES];
	MfLaneRows	rows;

	for (int l = 0; l < lanes; l++)
		ones[l] = 1.0f;
	find_draws(als, space, batch, systems, &rows);
	als->cholesky->interleave(space->matrix + (size_t) (n * width * lanes), &rows, space->roots, width);
	memset(space->matrix + (size_t) ((n + 1) * width * lanes), 0, 3 * (size_t) (width * lanes) * sizeof(float));
	als->cholesky->products(space->packed, space->matrix, n + 4, width);
	als->cholesky->subtract(space->right, products, ones, n);
	for (int l = 0; l < batch->count; l++)
	{
		double		held = systems->moves ?
			-(double) systems->shift[MF_PRIVATE][l] * mf_sweep_square(systems->block, MF_PRIVATE, rows.row[l], NULL) :
			(double) systems->system[l].pull * als->dense->dot(rows.row[l], rows.row[l], width);

		/* a move's constant is left out of what it gains */
		pulled[l] = systems->moves ? batch->sums[l].constant[systems->part] - held :
			(double) products[n * lanes + l] - 1.0 - held;
	}
}

/* Roots of the inverses of the lanes' diagonals, 0 where there are no dimensions. */
static void
fill_roots(const MfAls *als, const MfBatchSpace *space, const MfSystems *systems)
{
	const MfBlock *block = systems->block;
	int			lanes = als->cholesky->lanes;

	clear_places(space->roots, 0, block->width, lanes);
	for (int kind = 0; kind < MF_KINDS; kind++)
		als->cholesky->inverse_roots(space->roots + block->begin[kind] * lanes, block->end[kind] - block->begin[kind],
									 als->base + block->offset + block->begin[kind], systems->factor,
									 systems->shift[kind]);
}

/* The lanes' cells: z in space->matrix, targets and biases' vectors in space->right; returns the rows of z. */
static int
lay_cells(const MfAls *als, const MfBatchSpace *space, MfBatch *batch, const MfSystems *systems)
{
	int			lanes = als->cholesky->lanes;
	int			longest = longest_row(als, batch);
	int			n = 0;

	memset(space->target, 0, (size_t) (lanes * space->length) * sizeof(float));
	memset(space->weight, 0, (size_t) (lanes * space->length) * sizeof(float));
	for (int part = 0; part < MF_TERMS; part++)
	{
		if (als->side == MF_USERS ? !mf_batch_has(als, (MfPart) part, systems->block) : part != (int) systems->part)
			continue;
		for (int l = 0; l < batch->count; l++)
			fill_lane(als, space, batch, l, (MfPart) part, systems, n);
		interleave_cells(als, space, batch, (MfPart) part, systems->block, n, longest);
		n += longest;
	}
	interleave_right(als, space, n, 0);
	if (systems->bias)
		interleave_right(als, space, n, 1);
	return n;
}

/* One system of each lane in its dual form. */
static void
solve_dual(MfAls *als, const MfBatchSpace *space, MfBatch *batch, MfSystems *systems)
{
	const MfCholesky *cholesky = als->cholesky;
	int			width = systems->block->width;
	int			lanes = cholesky->lanes;
	float		nothing[MF_KINDS][MF_MAX_LANES] = {0};	/* cells so light that their trace does not matter */
	double		pulled[MF_MAX_LANES] = {0};
	float		ones[MF_MAX_LANES];
	bool		pull = systems->moves || systems->drawn;
	int			n;

	mf_batch_systems(als, batch, nothing, systems);
	fill_roots(als, space, systems);
	n = lay_cells(als, space, batch, systems);
	if (systems->bias && als->side == MF_ITEMS && als->term[systems->part].bias_prior != NULL)
		mf_batch_start_bias(als, batch, systems, space->right, n);
	if (pull)
		pull_lanes(als, space, batch, systems, n, pulled);
	else
		cholesky->products(space->packed, space->matrix, n, width);
	for (int l = 0; l < lanes; l++)
		ones[l] = 1.0f;
	cholesky->factor(space->packed, n, space->right, systems->bias ? 2 : 1, ones, systems->bad);
	if (systems->bias)
		mf_batch_eliminate_bias(als, batch, systems, true, space->right, n);
	else
		mf_batch_explain(als, batch, systems, true, space->right, n);
	cholesky->substitute(space->packed, n, space->right);
	for (int l = 0; l < lanes && pull; l++)
	{
		systems->explained[l] += pulled[l];
		for (int k = 0; k < 4; k++)
			space->right[(n + k) * lanes + l] = k == 0 ? 1.0f : 0.0f;
	}
	cholesky->combine(space->x, space->matrix, space->right, space->roots, pull ? n + 4 : n, width);
	mf_batch_store(als, space, batch, systems);
}

/* Solves a block of rows in their dual form: one number per cell. */
void
mf_batch_solve_dual(MfAls *als, const MfBatchSpace *space, MfBatch *batch, const MfBlock *block)
{
	MfSystems		systems;

	memset(batch->sums, 0, sizeof(batch->sums));
	if (als->side == MF_USERS)
	{
		mf_batch_begin(als, space, MF_INTEREST, block, &systems);
		solve_dual(als, space, batch, &systems);
		return;
	}
	for (int l = 0; l < batch->count && mf_block_has(block, MF_SHARED); l++)
	{
		MfRowState	row = mf_batch_row(als, space, batch, l);

		mf_rest_account(als, &row, &space->panel);
	}
	for (int part = 0; part < MF_TERMS; part++)
		if (mf_batch_has(als, (MfPart) part, block))
		{
			mf_batch_begin(als, space, (MfPart) part, block, &systems);
			solve_dual(als, space, batch, &systems);
		}
}

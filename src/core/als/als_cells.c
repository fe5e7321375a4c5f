/*
 * als_cells.c - a row's cells as weighted vectors, and their sums.
 *
 * What a cell weighs and is compared with comes from its term (term.h) alone; loops over a panel of cells are
 * specialized for terms whose cells are all alike.
 */
#include "core/als/als_int16.h"

#include <math.h>
#include <string.h>

#define CELLS_AHEAD 256			/* of a row, that are asked for long before */

_Static_assert(MF_PANEL_MOST <= MF_INT8_PANEL && MF_PANEL_ROWS <= MF_INT16_PANEL,
			   "kernels sum panels without an overflow");

/* Whether the objective has that term. */
bool
mf_sweep_has(const MfAls *als, MfPart part)
{
	return als->term[part].present;
}

/* The steps of the vectors that a term's cells refer to, where they are quantized. */
const float *
mf_sweep_step(const MfAls *als, MfPart part)
{
	return als->step[als->side == MF_ITEMS ? 0 : part];
}

/* The fixed side's vectors of a term, from a block's first dimension on; rows are als->stride[part] floats apart. */
const float *
mf_sweep_rows(const MfAls *als, MfPart part, const MfBlock *block)
{
	return als->fixed[part] + (als->int16 != NULL ? block->int16_offset : block->offset);
}

/* Whether the fixed vectors of a term have private dimensions that are solved for in a block of their own. */
static bool
has_own_block(const MfAls *als, MfPart part)
{
	return als->nblocks > 1 && als->term[part].dimensions > als->shared;
}

/* Floats that are read of a fixed vector of a term. */
static int
row_floats(const MfAls *als, MfPart part)
{
	int			nblocks = has_own_block(als, part) ? 2 : 1;
	int			floats = 0;

	for (int b = 0; b < nblocks; b++)
		floats += als->int16 != NULL ? mf_quantized_floats(als, als->block[b].width) : als->block[b].width;
	return floats;
}

/*
 * Cells of a term in which all cells count, observed ones against 1, or dislikes against 0: mass times that, or what
 * has not faded of it, on the right, excess in the matrix. Items' systems are divided by the term's weight, and their
 * scale leaves `observed` out, so that all terms have the same.
 */
static void
interest_cells(const MfAls *als, const MfTerm *term, int64_t r, int64_t begin, int n, MfCells *cells)
{
	bool		users = als->side == MF_USERS;
	const float *weight = als->rows->weight;
	float		all = users ? term->weight : 1.0f;
	float		square = users ? term->weight * mf_cell_excess(term, 1.0f, 0.0f) : 1.0f;
	float		c0 = term->unobserved == NULL || users ? term->empty : term->unobserved[als->rows->first + r];
	float		target = all * mf_cell_right(term, 1.0f, c0);

	MfMasses	masses = {.rise = users ? term->unobserved : NULL,.column = als->rows->column + begin,.even = c0,
		.knee = term->fade,.slope = term->observed,.factor = all,.square = square,.scale = cells->scale,
	.mass = cells->target};

	if (weight == NULL && masses.rise == NULL)
	{
		als->dense->fill(cells->scale, sqrtf(square), n);
		als->dense->fill(cells->target, target, n);
		cells->constant += (double) n * target;
		return;
	}
	masses.w = weight != NULL ? weight + begin : NULL;
	als->dense->masses(&masses, n, &cells->constant);
}

/* target[k] -= the inner products of cells' vectors and x (ld), in a block's dimensions. */
void
mf_sweep_subtract(const MfAls *als, MfPart part, const MfBlock *block, const int32_t *column, const float *x, int n,
				  float *target)
{
	const float *rows = mf_sweep_rows(als, part, block);

	if (als->int16 != NULL)
		als->int16->subtract_products(target, rows, als->stride[part], column, x + block->offset,
									  mf_sweep_step(als, part) + block->offset, block->width, n);
	else
		als->dense->subtract_products(target, rows, als->stride[part], column, x + block->offset, block->width, n);
}

/*
 * What is left of ratings for a block's dimensions to explain: without the fixed side's bias and, where dimensions are
 * solved in two blocks, what private ones explain as they stood; for these, also without the row's own bias and what
 * the shared ones explain by now.
 */
static void
rating_targets(const MfAls *als, const MfBlock *block, const MfRowState *row, int64_t begin, int n, float *target)
{
	bool		users = als->side == MF_USERS;
	const float *bias = users ? als->factors.item_bias : als->factors.user_bias;
	const float *rating = als->rows->rating + begin;
	const int32_t *column = als->rows->column + begin;
	float	   *kept = row->kept != NULL ? row->kept + (begin - als->rows->start[row->row]) : NULL;
	bool		apart = als->nblocks > 1 && block != &als->whole_block;
	bool		second = apart && block == &als->block[1];
	float		own;

	if (second && kept != NULL)
		memcpy(target, kept, (size_t) n * sizeof(float));
	else
	{
		als->dense->subtract_gathered(target, rating, bias, column, n);
		if (apart)
			mf_sweep_subtract(als, MF_RATING, &als->block[1], column, row->x, n, target);
		if (apart && kept != NULL)
			memcpy(kept, target, (size_t) n * sizeof(float));
	}
	if (!second)
		return;
	own = (users ? als->factors.user_bias : als->factors.item_bias)[als->rows->first + row->row];
	mf_sweep_subtract(als, MF_RATING, &als->block[0], column, row->x, n, target);
	for (int k = 0; k < n; k++)
		target[k] -= own;
}

/* Cells of ratings, in a block of dimensions. */
static void
rating_cells(const MfAls *als, const MfBlock *block, const MfRowState *row, int64_t begin, int n, MfCells *cells)
{
	const float *weight = als->rows->weight;
	double		sums[3] = {0};

	rating_targets(als, block, row, begin, n, cells->target);
	if (weight == NULL)
	{
		als->dense->fill(cells->weight, 1.0f, n);
		als->dense->fill(cells->scale, 1.0f, n);
		als->dense->moments(cells->target, n, &cells->target_sum, &cells->constant);
		cells->weight_sum += n;
		return;
	}
	als->dense->roots(cells->weight, weight + begin, als->term[MF_RATING].roots, n);
	als->dense->weigh(cells->target, cells->scale, cells->weight, n, sums);
	cells->weight_sum += sums[0];
	cells->target_sum += sums[1];
	cells->constant += sums[2];
}

/* n cells of a row from position begin on, as one term sees them, for the dimensions of a block. */
void
mf_sweep_cells(const MfAls *als, MfPart part, const MfBlock *block, const MfRowState *row, int64_t begin, int n,
			   MfCells *cells)
{
	if (als->term[part].all_cells)
		interest_cells(als, &als->term[part], row->row, begin, n, cells);
	else
		rating_cells(als, block, row, begin, n, cells);
}

/* Rows that are gathered at a time. */
static int
panel_rows(const MfAls *als)
{
	return als->coarse ? MF_PANEL_MOST : MF_PANEL_ROWS;
}

/* Up to a panel of the vectors that come after position c of row r's cells of one term. */
static MfAhead
look_ahead(const MfAls *als, MfPart part, int64_t r, int64_t c, int64_t next)
{
	const MfRows *rows = als->rows;
	MfAhead		ahead = {0};
	int64_t		n = rows->start[r + 1] - c;

	if (n <= 0 && part == MF_RATING && als->side == MF_USERS && mf_sweep_has(als, MF_INTEREST))
	{
		part = MF_INTEREST;
		c = rows->start[r];
		n = rows->start[r + 1] - c;
	}
	else if (n <= 0 && next >= 0)
	{
		part = mf_sweep_has(als, MF_RATING) ? MF_RATING : MF_INTEREST;
		c = rows->start[next];
		n = rows->start[next + 1] - c;
	}
	if (n <= 0)
		return ahead;
	ahead.rows = als->fixed[part];
	ahead.stride = als->stride[part];
	ahead.width = row_floats(als, mf_sweep_resting(als) == MF_RATING ? MF_RATING : part);
	ahead.column = rows->column + c;
	ahead.n = n < panel_rows(als) ? (int) n : panel_rows(als);
	return ahead;
}

/*
 * Gathers cells of a term, in a block of dimensions, into the panel's rows and adds their products to a matrix, whose
 * rows are ld apart where it is made of whole numbers, else of the block's width, and to the gather's right-hand sides.
 */
static void
add_block(const MfAls *als, MfPart part, const MfBlock *block, const MfPanel *panel, float *rows, MfGather *gather,
		  float *matrix, int ld, bool add, const MfAhead *ahead)
{
	const float *step = mf_sweep_step(als, part) + block->offset;

	gather->rows = mf_sweep_rows(als, part, block);
	gather->stride = als->stride[part];
	gather->ld = block->width;
	gather->scale = panel->scale;
	gather->panel = rows;
	if (als->int16 != NULL)
	{
		/* without weights, all cells have the same scale */
		als->int16->gather(gather, step);
		als->int16->syrk(matrix, ld, rows, block->width, gather->n, step, panel->scale[0] * panel->scale[0], add, ahead);
		return;
	}
	als->dense->gather(gather);
	als->dense->syrk(matrix, block->width, rows, gather->n, add, ahead);
}

/* The matrix of the private dimensions, where they have a block of their own: behind that of the first block. */
static float *
own_matrix(const MfAls *als, float *matrix)
{
	int			width = als->block[0].width;

	return matrix + (width + MF_MAX_RIGHT) * width;
}

/* The block that a term's cells are gathered in first, or the only one. */
static const MfBlock *
gathered_block(const MfAls *als, MfPart part)
{
	return als->crossed && has_own_block(als, part) ? &als->whole_block : &als->block[0];
}

/*
 * A panel of cells of a term: the first block, with right-hand sides, and the matrix of the second, or both as one.
 * add: to what the first matrix holds; more: to the second one.
 */
static void
add_panel(const MfAls *als, MfPart part, const MfPanel *panel, MfGather *gather, float *matrix, bool add, bool more,
		  const MfAhead *ahead)
{
	static const MfAhead nothing = {0};
	const MfBlock *first = gathered_block(als, part);
	MfGather	own = {.n = gather->n,.column = gather->column};

	add_block(als, part, first, panel, panel->rows, gather, matrix, mf_accumulated_ld(als), add, ahead);
	if (has_own_block(als, part) && als->solved_blocks[part] > 1 && !als->crossed)
		add_block(als, part, &als->block[1], panel, panel->rows + (MF_PANEL_ROWS + 1) * first->width, &own,
				  own_matrix(als, matrix), als->block[1].width, more, &nothing);
}

/*
 * A user's cells of one term; right-hand sides: 0 the targets of all terms, 1 the bias's vector.
 */
static void
accumulate_part(const MfAls *als, MfPart part, const MfRowState *row, int64_t next, const MfPanel *panel,
				float *matrix, bool add, MfRowSums *sums)
{
	const MfTerm *term = &als->term[part];
	int			ld = mf_accumulated_ld(als);
	int64_t		begin = als->rows->start[row->row];
	int64_t		end = als->rows->start[row->row + 1];
	float	   *right = matrix + ld * ld;
	MfCells		cells = {panel->scale, panel->target, panel->weight, 0.0, 0.0, 0.0};

	for (int64_t c = begin; c < end && !mf_cancelled(als->parallel); c += panel_rows(als))
	{
		int			n = end - c < panel_rows(als) ? (int) (end - c) : panel_rows(als);
		MfAhead		ahead = look_ahead(als, part, row->row, c + n, next);
		MfGather	gather = {.n = n,.column = als->rows->column + c,.nsums = term->bias ? 2 : 1,
			.factor = {panel->target, panel->weight},.sum = {right, right + ld},
			.even = {term->all_cells && term->unobserved == NULL, true}};

		mf_sweep_cells(als, part, gathered_block(als, part), row, c, n, &cells);
		add_panel(als, part, panel, &gather, matrix, add, c > begin, &ahead);
		add = true;
	}
	sums->constant[MF_INTEREST] += cells.constant;
	sums->target_sum += cells.target_sum;
	sums->weight_sum += cells.weight_sum;
}

/*
 * An item's cells, of all terms that share a matrix; right-hand sides: 0 interest's targets, 1 ratings', 2 the bias's
 * vector.
 */
static void
accumulate_item(const MfAls *als, MfPart asked, const MfRowState *row, int64_t next, const MfPanel *panel, float *matrix,
				MfRowSums *sums)
{
	MfPart		part = mf_sweep_shares(als, asked, MF_RATING) ? MF_RATING : MF_INTEREST;
	const MfBlock *block = gathered_block(als, part);
	int			ld = mf_accumulated_ld(als);
	int64_t		begin = als->rows->start[row->row];
	int64_t		end = als->rows->start[row->row + 1];
	float	   *right = matrix + ld * ld;
	MfCells		interest = {panel->scale, panel->interest_target, panel->weight, 0.0, 0.0, 0.0};
	MfCells		rating = {panel->scale, panel->target, panel->weight, 0.0, 0.0, 0.0};

	for (int64_t c = begin; c < end && !mf_cancelled(als->parallel); c += panel_rows(als))
	{
		int			n = end - c < panel_rows(als) ? (int) (end - c) : panel_rows(als);
		MfAhead		ahead = look_ahead(als, part, row->row, c + n, next);
		MfGather	gather = {.n = n,.column = als->rows->column + c};

		if (mf_sweep_shares(als, asked, MF_INTEREST))
		{
			mf_sweep_cells(als, MF_INTEREST, block, row, c, n, &interest);
			gather.factor[gather.nsums] = panel->interest_target;
			gather.even[gather.nsums] = true;
			gather.sum[gather.nsums++] = right;
		}
		if (mf_sweep_shares(als, asked, MF_RATING))
		{
			mf_sweep_cells(als, MF_RATING, block, row, c, n, &rating);
			gather.factor[gather.nsums] = panel->target;
			gather.sum[gather.nsums++] = right + ld;
			gather.factor[gather.nsums] = panel->weight;
			gather.even[gather.nsums] = true;
			gather.sum[gather.nsums++] = right + 2 * ld;
		}
		add_panel(als, part, panel, &gather, matrix, c > begin, c > begin, &ahead);
	}
	sums->constant[MF_INTEREST] = interest.constant;
	sums->constant[MF_RATING] = rating.constant;
	sums->target_sum = rating.target_sum;
	sums->weight_sum = rating.weight_sum;
}

/*
 * matrix (width x width for the first block's width, upper tiles) = sum over a row's cells of scale^2 y y', with
 * MF_MAX_RIGHT rows behind it for right-hand sides, and behind them the same matrix of the second block, if there is
 * one; where blocks are crossed, one of all dimensions.  An item's matrices leave `observed` out, and are those of all
 * terms, or of `part` alone where they are apart.  next: the row that comes after it, to be prefetched, or -1.  Stops
 * early when cancelled.
 */
void
mf_sweep_accumulate(const MfAls *als, MfPart part, const MfRowState *row, int64_t next, const MfPanel *panel,
					float *matrix, MfRowSums *sums)
{
	int			ld = mf_accumulated_ld(als);
	float	   *right = matrix + ld * ld;
	MfSystem	system;
	bool		add = false;

	if (als->sums != NULL)
	{
		mf_sums_take(als, part, row->row, matrix, panel->rows, sums);
		return;
	}
	memset(right, 0, MF_MAX_RIGHT * (size_t) ld * sizeof(float));
	memset(sums, 0, sizeof(MfRowSums));
	if (als->side == MF_ITEMS)
		accumulate_item(als, part, row, next, panel, matrix, sums);
	else
	{
		mf_sweep_system(als, MF_INTEREST, row->row, &system);
		if (row->point != NULL)
			system.point = row->point;
		sums->constant[MF_INTEREST] = mf_sweep_start(als, &als->block[0], &system, right);
		/* ratings first, whose matrix may have more dimensions */
		for (int t = MF_TERMS - 1; t >= 0; t--)
			if (mf_sweep_has(als, (MfPart) t))
			{
				accumulate_part(als, (MfPart) t, row, next, panel, matrix, add, sums);
				add = true;
			}
	}
	if (als->crossed)
		mf_cross_explain(als, row, matrix, sums);
}

/* Asks for the cache lines of n numbers of 4 bytes, at least one. */
static void
prefetch_numbers(const void *from, int64_t n)
{
	const char *end = (const char *) from + 4 * n;

	for (const char *line = from; line < end; line += 64)
		__builtin_prefetch(line, 0, 2);
	__builtin_prefetch(end - 1, 0, 2);
}

/*
 * Asks for what is read of the rows place .. end - 1 of als->order, while others are still solved: their first cells
 * and users' regularization.  Neighbours in the order are anywhere in memory, and most rows end before the processor
 * would ask for more of them by itself.  Where the cells of as many rows behind them begin is asked for as well.
 */
void
mf_sweep_ask(const MfAls *als, int64_t place, int64_t end)
{
	const MfRows *rows = als->rows;
	const MfProblem *problem = als->problem;
	int64_t		behind = 2 * end - place < rows->nrows ? 2 * end - place : rows->nrows;

	if (als->sums != NULL)
		return;
	for (int64_t k = place; k < end; k++)
	{
		int64_t		r = als->order[k];
		int64_t		c = rows->start[r];
		int64_t		n = rows->start[r + 1] - c < CELLS_AHEAD ? rows->start[r + 1] - c : CELLS_AHEAD;

		prefetch_numbers(rows->column + c, n);
		if (mf_sweep_has(als, MF_RATING))
			prefetch_numbers(rows->rating + c, n);
		if (rows->weight != NULL)
			prefetch_numbers(rows->weight + c, n);
		if (als->side == MF_USERS)
			prefetch_numbers(problem->user_regularization + rows->first + r, 1);
	}
	for (int64_t k = end; k < behind; k++)
		prefetch_numbers(rows->start + als->order[k], 4);
}

/* Up to a panel of the vectors of ratings of the cells from position c on, before `end`. */
static MfAhead
ratings_ahead(const MfAls *als, int64_t c, int64_t end)
{
	return (MfAhead) {.rows = als->fixed[MF_RATING],.stride = als->stride[MF_RATING],.width = row_floats(als, MF_RATING),
		.column = als->rows->column + c,.n = end - c < MF_PANEL_ROWS ? (int) (end - c) : MF_PANEL_ROWS
	};
}

/*
 * right (the second block's width) = sum over a row's cells of what ratings leave to explain, times the vectors in the
 * second block's dimensions; next as above.
 */
void
mf_sweep_residuals(const MfAls *als, const MfRowState *row, int64_t next, const MfPanel *panel, float *right)
{
	const MfBlock *block = &als->block[1];
	const MfRows *rows = als->rows;
	const float *y = mf_sweep_rows(als, MF_RATING, block);
	int64_t		end = rows->start[row->row + 1];

	memset(right, 0, (size_t) block->width * sizeof(float));
	for (int64_t c = rows->start[row->row]; c < end && !mf_cancelled(als->parallel); c += MF_PANEL_ROWS)
	{
		int			n = end - c < MF_PANEL_ROWS ? (int) (end - c) : MF_PANEL_ROWS;

		MfAhead		ahead = {0};

		if (c + n < end)
			ahead = ratings_ahead(als, c + n, end);
		else if (next >= 0)
			ahead = ratings_ahead(als, rows->start[next], rows->start[next + 1]);
		mf_ask_ahead(&ahead);
		rating_targets(als, block, row, c, n, panel->target);
		if (rows->weight != NULL)
			als->dense->roots(panel->weight, rows->weight + c, als->term[MF_RATING].roots, n);
		for (int k = 0; k < n && rows->weight != NULL; k++)
			panel->target[k] *= panel->weight[k];
		if (als->int16 != NULL)
			als->int16->add_rows(right, y, als->stride[MF_RATING], rows->column + c, panel->target,
								 mf_sweep_step(als, MF_RATING) + block->offset, block->width, n);
		else
			als->dense->add_rows(right, y, als->stride[MF_RATING], rows->column + c, panel->target, block->width, n);
	}
}

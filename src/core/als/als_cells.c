/*
 * als_cells.c - a row's cells as weighted vectors, and their sums.
 *
 * What a cell weighs and is compared with comes from its term (term.h) alone; loops over a panel of cells are
 * specialized for terms whose cells are all alike.
 */
#include "core/als/als_int16.h"

#include <math.h>
#include <string.h>

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

/*
 * Cells of a term in which all cells count, observed ones against 1: mass times 1 on the right, excess in the matrix.
 * Items' systems are divided by the term's weight, and their scale leaves `observed` out, so that all terms have the
 * same.
 */
static void
interest_cells(const MfAls *als, const MfTerm *term, int64_t r, int64_t begin, int n, MfCells *cells)
{
	bool		users = als->side == MF_USERS;
	const float *weight = als->rows->weight;
	const int32_t *column = als->rows->column + begin;
	float		all = users ? term->weight : 1.0f;
	float		square = users ? term->weight * mf_cell_excess(term, 1.0f, 0.0f) : 1.0f;
	float		c0 = term->unobserved == NULL || users ? term->empty : term->unobserved[als->rows->first + r];
	float		target = all * mf_cell_mass(term, 1.0f, c0);

	if (weight == NULL && (!users || term->unobserved == NULL))
	{
		als->dense->fill(cells->scale, sqrtf(square), n);
		als->dense->fill(cells->target, target, n);
		cells->constant += (double) n * target;
		return;
	}
	for (int k = 0; k < n; k++)
	{
		float		w = weight != NULL ? weight[begin + k] : 1.0f;

		if (users && term->unobserved != NULL)
			c0 = term->unobserved[column[k]];
		cells->scale[k] = sqrtf(square * w);
		cells->target[k] = all * mf_cell_mass(term, w, c0);
		cells->constant += cells->target[k];
	}
}

/* target[k] -= the inner products of cells' vectors and x (ld), in a block's dimensions. */
static void
subtract_products(const MfAls *als, MfPart part, const MfBlock *block, const int32_t *column, const float *x, int n,
				  float *target)
{
	const float *rows = als->fixed[part] + block->offset;

	if (als->int16 != NULL)
		als->int16->subtract_products(target, rows, als->ld, column, x + block->offset,
									  mf_sweep_step(als, part) + block->offset, block->width, n);
	else
		als->dense->subtract_products(target, rows, als->ld, column, x + block->offset, block->width, n);
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
	bool		second = als->nblocks > 1 && block == &als->block[1];
	float		own;

	if (second && kept != NULL)
		memcpy(target, kept, (size_t) n * sizeof(float));
	else
	{
		for (int k = 0; k < n; k++)
			target[k] = rating[k] - bias[column[k]];
		if (als->nblocks > 1)
			subtract_products(als, MF_RATING, &als->block[1], column, row->x, n, target);
		if (kept != NULL)
			memcpy(kept, target, (size_t) n * sizeof(float));
	}
	if (!second)
		return;
	own = (users ? als->factors.user_bias : als->factors.item_bias)[als->rows->first + row->row];
	subtract_products(als, MF_RATING, &als->block[0], column, row->x, n, target);
	for (int k = 0; k < n; k++)
		target[k] -= own;
}

/* Cells of ratings. */
static void
rating_cells(const MfAls *als, const MfBlock *block, const MfRowState *row, int64_t begin, int n, MfCells *cells)
{
	const float *weight = als->rows->weight;
	double		constant[2] = {0.0, 0.0};	/* of even and odd cells: two chains of additions */
	double		target_sum[2] = {0.0, 0.0};
	double		weight_sum = 0.0;

	rating_targets(als, block, row, begin, n, cells->target);
	if (weight == NULL)
	{
		als->dense->fill(cells->weight, 1.0f, n);
		als->dense->fill(cells->scale, 1.0f, n);
	}
	for (int k = 0; k < n && weight != NULL; k++)
	{
		cells->weight[k] = weight[begin + k];
		cells->scale[k] = sqrtf(cells->weight[k]);
	}
	for (int k = 0; k < n; k += 2)
	{
		double		even = cells->target[k];
		double		odd = k + 1 < n ? cells->target[k + 1] : 0.0;
		double		even_target = even * cells->weight[k];
		double		odd_target = k + 1 < n ? odd * cells->weight[k + 1] : 0.0;

		constant[0] += even_target * even;
		constant[1] += odd_target * odd;
		target_sum[0] += even_target;
		target_sum[1] += odd_target;
	}
	for (int k = 0; k < n && weight != NULL; k++)
	{
		cells->target[k] *= cells->weight[k];
		weight_sum += cells->weight[k];
	}
	cells->constant += constant[0] + constant[1];
	cells->target_sum += target_sum[0] + target_sum[1];
	cells->weight_sum += weight != NULL ? weight_sum : (double) n;
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

/* Whether a term has a part in the dimensions of a block. */
static bool
has_part(const MfAls *als, MfPart part, const MfBlock *block)
{
	return mf_sweep_has(als, part) &&
		(mf_block_has(block, MF_SHARED) || als->term[part].dimensions > als->shared);
}

/* Up to a panel of the vectors that come after position c of row r's cells of one term. */
static MfAhead
look_ahead(const MfAls *als, MfPart part, const MfBlock *block, int64_t r, int64_t c, int64_t next)
{
	const MfRows *rows = als->rows;
	MfAhead		ahead = {NULL, als->ld, NULL, 0};
	int64_t		n = rows->start[r + 1] - c;

	if (n <= 0 && part == MF_INTEREST && als->side == MF_USERS && mf_sweep_has(als, MF_RATING))
	{
		part = MF_RATING;
		c = rows->start[r];
		n = rows->start[r + 1] - c;
	}
	else if (n <= 0 && next >= 0)
	{
		part = has_part(als, MF_INTEREST, block) ? MF_INTEREST : MF_RATING;
		c = rows->start[next];
		n = rows->start[next + 1] - c;
	}
	if (n <= 0)
		return ahead;
	ahead.rows = als->fixed[part] + block->offset;
	ahead.column = rows->column + c;
	ahead.n = n < MF_PANEL_ROWS ? (int) n : MF_PANEL_ROWS;
	return ahead;
}

/*
 * Gathers cells of a term into the panel and adds them to a row's matrix (width x width) and right-hand sides.
 */
static void
add_panel(const MfAls *als, MfPart part, const MfBlock *block, const MfPanel *panel, MfGather *gather, float *matrix,
		  bool add, const MfAhead *ahead)
{
	const float *step = mf_sweep_step(als, part) + block->offset;

	gather->rows = als->fixed[part] + block->offset;
	gather->stride = als->ld;
	gather->ld = block->width;
	gather->scale = panel->scale;
	gather->panel = panel->rows;
	if (als->int16 != NULL)
	{
		/* without weights, all cells have the same scale */
		als->int16->gather(gather, step);
		als->int16->syrk(matrix, block->width, panel->rows, gather->n, step, panel->scale[0] * panel->scale[0], add,
						 ahead);
		return;
	}
	als->dense->gather(gather);
	als->dense->syrk(matrix, block->width, panel->rows, gather->n, add, ahead);
}

/*
 * A user's cells of one term; right-hand sides: 0 the targets of all terms, 1 the bias's vector.
 */
static void
accumulate_part(const MfAls *als, MfPart part, const MfBlock *block, const MfRowState *row, int64_t next,
				const MfPanel *panel, float *matrix, bool add, MfRowSums *sums)
{
	const MfTerm *term = &als->term[part];
	int64_t		end = als->rows->start[row->row + 1];
	float	   *right = matrix + block->width * block->width;
	MfCells		cells = {panel->scale, panel->target, panel->weight, 0.0, 0.0, 0.0};

	for (int64_t c = als->rows->start[row->row]; c < end && !mf_cancelled(als->parallel); c += MF_PANEL_ROWS)
	{
		int			n = end - c < MF_PANEL_ROWS ? (int) (end - c) : MF_PANEL_ROWS;
		MfAhead		ahead = look_ahead(als, part, block, row->row, c + n, next);
		MfGather	gather = {.n = n,.column = als->rows->column + c,.nsums = term->bias ? 2 : 1,
			.factor = {panel->target, panel->weight},.sum = {right, right + block->width},
			.even = {term->all_cells && term->unobserved == NULL, true}};

		mf_sweep_cells(als, part, block, row, c, n, &cells);
		add_panel(als, part, block, panel, &gather, matrix, add, &ahead);
		add = true;
	}
	sums->constant[MF_INTEREST] += cells.constant;
	sums->target_sum += cells.target_sum;
	sums->weight_sum += cells.weight_sum;
}

/* An item's cells; right-hand sides: 0 interest's targets, 1 ratings', 2 the bias's vector. */
static void
accumulate_item(const MfAls *als, const MfBlock *block, const MfRowState *row, int64_t next, const MfPanel *panel,
				float *matrix, MfRowSums *sums)
{
	int64_t		begin = als->rows->start[row->row];
	int64_t		end = als->rows->start[row->row + 1];
	float	   *right = matrix + block->width * block->width;
	MfCells		interest = {panel->scale, panel->interest_target, NULL, 0.0, 0.0, 0.0};
	MfCells		rating = {panel->scale, panel->target, panel->weight, 0.0, 0.0, 0.0};

	for (int64_t c = begin; c < end && !mf_cancelled(als->parallel); c += MF_PANEL_ROWS)
	{
		int			n = end - c < MF_PANEL_ROWS ? (int) (end - c) : MF_PANEL_ROWS;
		MfAhead		ahead = look_ahead(als, MF_RATING, block, row->row, c + n, next);
		MfGather	gather = {.n = n,.column = als->rows->column + c};

		if (has_part(als, MF_INTEREST, block))
		{
			mf_sweep_cells(als, MF_INTEREST, block, row, c, n, &interest);
			gather.factor[gather.nsums] = panel->interest_target;
			gather.even[gather.nsums] = true;
			gather.sum[gather.nsums++] = right;
		}
		if (mf_sweep_has(als, MF_RATING))
		{
			mf_sweep_cells(als, MF_RATING, block, row, c, n, &rating);
			gather.factor[gather.nsums] = panel->target;
			gather.sum[gather.nsums++] = right + block->width;
			gather.factor[gather.nsums] = panel->weight;
			gather.even[gather.nsums] = true;
			gather.sum[gather.nsums++] = right + 2 * block->width;
		}
		add_panel(als, mf_sweep_has(als, MF_RATING) ? MF_RATING : MF_INTEREST, block, panel, &gather, matrix, c > begin,
				  &ahead);
	}
	sums->constant[MF_INTEREST] = interest.constant;
	sums->constant[MF_RATING] = rating.constant;
	sums->target_sum = rating.target_sum;
	sums->weight_sum = rating.weight_sum;
}

/*
 * matrix (width x width for the block's width, upper tiles) = sum over a row's cells of scale^2 y y', with MF_MAX_RIGHT
 * rows behind it for right-hand sides; an item's leaves `observed` out.  next: the row that comes after it, to be
 * prefetched, or -1.  Stops early when cancelled.
 */
void
mf_sweep_accumulate(const MfAls *als, const MfBlock *block, const MfRowState *row, int64_t next, const MfPanel *panel,
					float *matrix, MfRowSums *sums)
{
	float	   *right = matrix + block->width * block->width;
	bool		add = false;

	memset(right, 0, MF_MAX_RIGHT * (size_t) block->width * sizeof(float));
	memset(sums, 0, sizeof(MfRowSums));
	if (als->side == MF_ITEMS)
	{
		accumulate_item(als, block, row, next, panel, matrix, sums);
		return;
	}
	if (mf_block_has(block, MF_SHARED))
		sums->constant[MF_INTEREST] = mf_sweep_start(als, block, mf_sweep_system(als, MF_INTEREST, row->row).pull, right);
	for (int part = 0; part < MF_TERMS; part++)
		if (has_part(als, (MfPart) part, block))
		{
			accumulate_part(als, (MfPart) part, block, row, next, panel, matrix, add, sums);
			add = true;
		}
}

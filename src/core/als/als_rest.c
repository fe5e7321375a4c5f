/*
 * als_rest.c - what an item's term that rests in a half-sweep adds to the loss: the objective as it stands, from its
 * cells.
 *
 * Its cells' fixed vectors are those that the other term's matrix is made of, so they are in the cache.
 */
#include "core/als/als_state.h"

#include <math.h>

/* target[k] -= the inner products of cells' vectors and an item's vector of a term, in all of the term's dimensions. */
static void
subtract_all(const MfAls *als, MfPart part, const int32_t *column, const float *x, int n, float *target)
{
	const MfBlock *first = als->term[part].dimensions <= als->shared && als->own > 0 ? &als->shared_block : &als->block[0];

	mf_sweep_subtract(als, part, first, column, x, n, target);
	if (als->nblocks > 1 && als->term[part].dimensions > als->shared)
		mf_sweep_subtract(als, part, &als->block[1], column, x, n, target);
}

/* sum over cells of weight * (what vectors and biases leave of ratings)^2. */
static double
rating_loss(const MfAls *als, const MfRowState *row, int64_t begin, int n, const MfPanel *panel)
{
	const MfRows *rows = als->rows;
	const float *weight = panel->weight;
	float		bias = als->factors.item_bias[rows->first + row->row];
	double		sums[3] = {0};

	als->dense->subtract_gathered(panel->target, rows->rating + begin, als->factors.user_bias, rows->column + begin, n);
	subtract_all(als, MF_RATING, rows->column + begin, row->resting, n, panel->target);
	for (int k = 0; k < n; k++)
		panel->target[k] -= bias;
	if (rows->weight != NULL)
		als->dense->roots(panel->weight, rows->weight + begin, als->term[MF_RATING].roots, n);
	else
		als->dense->fill(panel->weight, 1.0f, n);
	als->dense->weigh(panel->target, panel->scale, weight, n, sums);
	return sums[2];
}

/*
 * sum over cells of right * (1 - x.y)^2 and, of what has faded of them, against 0: (mass - right) (x.y)^2, less what
 * the Gram matrix has, which leaves (observed w - right) (x.y)^2.
 */
static double
interest_loss(const MfAls *als, const MfRowState *row, int64_t begin, int n, const MfPanel *panel)
{
	const MfTerm *term = &als->term[MF_INTEREST];
	const float *w = als->rows->weight != NULL ? als->rows->weight + begin : NULL;
	MfCells		cells = {panel->scale, panel->target, NULL, 0.0, 0.0, 0.0};
	float	   *left = panel->interest_target;
	double		against[3] = {0};
	double		beyond[3] = {0};

	als->dense->fill(left, 1.0f, n);
	subtract_all(als, MF_INTEREST, als->rows->column + begin, row->resting, n, left);
	mf_sweep_cells(als, MF_INTEREST, &als->block[0], row, begin, n, &cells);
	for (int k = 0; k < n; k++)
		panel->weight[k] = 1.0f - left[k];
	als->dense->weigh(left, panel->scale, panel->target, n, against);
	for (int k = 0; k < n; k++)
		panel->target[k] = term->observed * (w != NULL ? w[k] : 1.0f) - panel->target[k];
	als->dense->weigh(panel->weight, panel->scale, panel->target, n, beyond);
	return against[2] + beyond[2];
}

/* sum over a row's cells of what they add to the loss in the term that rests, but for its weight. */
static double
cells_loss(const MfAls *als, const MfRowState *row, const MfPanel *panel)
{
	int64_t		end = als->rows->start[row->row + 1];
	double		sum = 0.0;

	for (int64_t c = als->rows->start[row->row]; c < end; c += MF_PANEL_ROWS)
	{
		int			n = end - c < MF_PANEL_ROWS ? (int) (end - c) : MF_PANEL_ROWS;

		sum += mf_sweep_resting(als) == MF_RATING ? rating_loss(als, row, c, n, panel) : interest_loss(als, row, c, n, panel);
	}
	return sum;
}

/*
 * Adds the loss of a row's term that rests, if one does: of its cells, unobserved cells and regularization.  The
 * panel's lists are overwritten.
 */
void
mf_rest_account(MfAls *als, const MfRowState *row, const MfPanel *panel)
{
	MfPart		part = mf_sweep_resting(als);
	int64_t		item = als->rows->first + row->row;
	const float *given;
	MfSystem	system;
	int			none = MF_OK;
	double		loss;

	if (part == MF_TERMS)
		return;
	mf_sweep_system(als, part, row->row, &system);
	given = mf_sweep_solved(als, part) + item * als->given_ld;
	loss = cells_loss(als, row, panel);
	for (int k = 0; k < als->shared; k++)
		loss += (double) system.factor * als->base[k] * row->resting[k] * row->resting[k];
	loss = system.loss_weight * (loss < 0.0 ? 0.0 : loss) +
		mf_sweep_item_penalty(als, part, item, given, als->dense->dot(given, given, als->given_ld));
	if (!isfinite(loss))
		atomic_compare_exchange_strong(&als->error, &none, (int) MF_NOT_FINITE);
	als->row_loss[item] += loss;
}

/*
 * als_cross.c - two blocks of dimensions from one sum over a row's cells.
 *
 * Where dimensions are solved for in two blocks, shared ones and then private ones, each block's targets are what the
 * other one leaves of ratings t: with s and q a cell's numbers in the two blocks and x, y the row's own,
 *
 *     shared:   sum over cells of (t - y.q) s           private:   sum over cells of (t - b - x.s) q.
 *
 * The second would take another pass over the row's cells, once x is known.  It takes none where the sums of products
 * of one block's numbers with the other's are made beside those of each block with itself, C = sum s q' and
 * D = sum q q': then these are
 *
 *     sum t s - C y                                     sum t q - b sum q - C' x,
 *
 * of which the private ones' move is solved for, so D y goes off as well.  Products of whole numbers are so fast, and
 * rows of the fixed side so far away, that this takes less time; with floats it does not.
 *
 * The accumulated matrix is that of all dimensions, of rows of ld numbers, with right-hand sides behind it.
 */
#include "core/als/als_state.h"

/* y -= D x, for the private dimensions' matrix D (upper tiles, rows ld apart). */
static void
subtract_product(const MfAls *als, float *y, const float *matrix, const float *x)
{
	int			own = als->ld - als->shared_width;
	float		minus[MF_LANES_MOST_LD];

	for (int k = 0; k < own; k++)
		minus[k] = -x[k];
	for (int k = 0; k < own; k += 16)
	{
		const float *tile = matrix + k * als->ld + k;

		als->dense->subtract_products(y + k, tile, als->ld, als->each, x + k, own - k, 16);
		/* tiles below the diagonal are those above it, transposed */
		if (k + 16 < own)
			als->dense->add_rows(y + k + 16, tile + 16, als->ld, als->each, minus + k, own - k - 16, 16);
	}
}

/*
 * Takes what private dimensions explain as they stand from a row's sums of ratings' targets: right-hand sides, constant
 * and sum.  What is left of the private dimensions' own is what they are to explain by moving.
 */
void
mf_cross_explain(const MfAls *als, const MfRowState *row, float *matrix, MfRowSums *sums)
{
	int			ld = als->ld;
	int			shared = als->shared_width;
	int			own = ld - shared;
	const float *x = row->x + shared;
	float	   *right = matrix + (ld + mf_rating_right(als)) * ld;
	double		explained = als->dense->dot(x, right + shared, own);

	als->dense->subtract_products(right, matrix + shared, ld, als->each, x, own, shared);
	subtract_product(als, right + shared, matrix + shared * ld + shared, x);
	/* sum (t - y.q)^2 = sum t^2 - 2 y.sum t q + y' D y */
	explained += als->dense->dot(x, right + shared, own);
	sums->constant[als->side == MF_USERS ? MF_INTEREST : MF_RATING] -= explained;
	sums->target_sum -= als->dense->dot(x, right + ld + shared, own);
}

/* Takes from the private dimensions' right-hand side what the shared ones and the bias explain by now. */
void
mf_cross_residuals(const MfAls *als, const MfRowState *row, float *matrix)
{
	int			ld = als->ld;
	int			shared = als->shared_width;
	float	   *right = matrix + (ld + mf_rating_right(als)) * ld + shared;
	float		bias = (als->side == MF_USERS ? als->factors.user_bias : als->factors.item_bias)[als->rows->first + row->row];
	float		minus[MF_LANES_MOST_LD];

	for (int k = 0; k < shared; k++)
		minus[k] = -row->x[k];
	als->dense->add_rows(right, matrix + shared, ld, als->each, minus, ld - shared, shared);
	als->dense->axpy(right, right + ld, -bias, ld - shared);
}

/*
 * ridge.h - the least regularization of a row, where none or next to none was asked for.
 *
 * A row's matrix is diag(base * factor + shift) + the sum of its cells' products, in floats.  Where shift
 * is 0 and there are fewer cells than factors, or some that say the same, the row has many solutions, and
 * rounding would choose one at random or find none.  So shift counts as no less than what rounding does
 * to these sums: 1e-6 of the trace of the cells' part, 1e-7 of that of the Gram matrix, whose own numbers
 * are no better.  Traces are the same in any basis, so training, fold-in and explanations agree.  Of all
 * solutions, that takes about the shortest, and changes nothing where regularization does its work.
 */
#ifndef MF_RIDGE_H
#define MF_RIDGE_H

#include <math.h>

/* What rounding leaves of a row with hardly any numbers at all. */
#define MF_LEAST_RIDGE 1e-30

/* Where cells are taken from the Gram matrix, up to all of them, nothing but its rounding may be left of it. */
#define MF_TAKEN_GRAM 10

/*
 * A row's shift, for the trace of its cells' part (below 0 where they weigh less than unobserved ones) and
 * of its Gram matrix (times its factor).
 */
static inline double
mf_ridge(double shift, double cells, double gram)
{
	return fmax(shift, 1e-6 * fmax(cells, 0.0) + 1e-7 * gram + MF_LEAST_RIDGE);
}

/* The same of a bias, whose cells add up to this weight. */
static inline double
mf_bias_ridge(double shift, double weight_sum)
{
	return fmax(shift, 1e-6 * weight_sum + MF_LEAST_RIDGE);
}

#endif

/*
 * feature_product.h - products of a feature matrix, or its transpose, with a dense one.
 */
#ifndef MF_FEATURE_PRODUCT_H
#define MF_FEATURE_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/features/feature_matrix.h"

/*
 * What is multiplied: row r of the product is
 *
 *		row_scale[r] * sum over the row's cells c of value[c] * column_scale[column[c]] * x[column[c]]
 */
typedef struct MfProduct
{
	const MfParallel *parallel;
	const MfPasses *passes;		/* either orientation */
	const float *row_scale;		/* one per row; where it is 0, the row becomes 0; NULL: 1 */
	const float *column_scale;	/* one per column; NULL: 1 */
	bool		squares;		/* what multiplies x is squared */
	const float *x;				/* a row of `width` floats per column, x_stride floats apart */
	int			x_stride;
	int			width;			/* 1, or a multiple of 16 up to MF_MAX_PADDED */
	const int32_t *place;		/* one per row: which row of out it is, -1: none; NULL: its own number */
	float	   *out;			/* rows of `width` floats, out_stride floats apart */
	int			out_stride;
} MfProduct;

extern MfError mf_feature_product(const MfProduct *product);

#endif

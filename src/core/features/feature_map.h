/*
 * feature_map.h - the linear map from features to factors: fitted, and applied.  See feature_map.c for what is solved.
 */
#ifndef MF_FEATURE_MAP_H
#define MF_FEATURE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/padding.h"
#include "core/base/threads.h"
#include "core/features/feature_matrix.h"

/*
 * A ridge regression of d numbers of each item on its features:
 *
 *		B = argmin sum_i weight_i |y_i - B' (scale o g_i)|^2 + ridge |B|^2
 *
 * Arrays belong to the caller and stay while the fit is in use.
 */
typedef struct MfMapFit
{
	const MfFeatureMatrix *matrix;
	const MfParallel *parallel;
	const float *scale;			/* nfeatures: what values of a feature are multiplied by, 1 / sqrt(lambda) of its block
								 * (mf_strength_scale); 0: it is as if it had no values; NULL: 1 */
	const float *weight;		/* nitems: weight of each item in the regression; 0: left out (cold, or held out), and
								 * its row of y is not looked at; NULL: 1 */
	float		ridge;			/* of |B|^2, above 0 */
	int			factors;		/* d: columns of y, b and out; their rows are mf_map_stride(d) floats apart.
								 * What is behind d in a row of y and b must be 0, and stays so */
	int			steps;			/* of conjugate gradients, at most */
	double		tolerance;		/* done where no residual is longer than this part of the longest right-hand side */
} MfMapFit;

/*
 * Floats from row to row of y, b and out: 1 for biases, else as for vectors.  A model whose vectors have one number
 * keeps them in rows of 16: it fits mf_map_columns(1) columns, of which all but the first are 0.
 */
static inline int
mf_map_stride(int factors)
{
	return factors == 1 ? 1 : mf_padded(factors);
}

/* The columns to fit for vectors of d numbers in rows of mf_padded(d): d, but for d = 1. */
static inline int
mf_map_columns(int factors)
{
	return factors == 1 ? mf_padded(1) : factors;
}

/*
 * A sweep of a training is mf_map_fit() for a few steps from the last sweep's b, then mf_map_apply() for the items'
 * priors, rows of cold items among them.  Vectors and biases of items are fits of their own, with one workspace of the
 * size of the widest.  The same fit gives the same bits for any number of threads and any cutting of passes.
 */
extern size_t mf_map_size(int64_t nitems, int32_t nfeatures, int factors, const MfParallel *parallel);
extern MfError mf_map_fit(const MfMapFit *fit, const float *y, float *b, void *workspace);
extern MfError mf_map_apply(const MfMapFit *fit, const float *b, float *out);
extern MfError mf_map_apply_to(const MfMapFit *fit, const float *b, const int32_t *place, float *out);

#endif

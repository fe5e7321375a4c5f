/*
 * score.c - the kernels that serving spends its time in: the level that this machine has.
 */
#include "core/kernels/score.h"

#include <math.h>

#include "core/base/padding.h"
#include "core/simd/dispatch.h"

#define MF_BODY "core/kernels/score_body.h"
#include "core/simd/foreach_isa.h"

/* The kernels to use; take them once per search. */
const MfScore *
mf_score(void)
{
	return MF_DISPATCH(mf_score);
}

/* |x| of n floats, in double, one after the other: the same at every level. */
double
mf_norm(const float *x, int n)
{
	double		sum = 0;

	for (int j = 0; j < n; j++)
		sum += (double) x[j] * x[j];
	return sqrt(sum);
}

/*
 * score.c - the kernels that serving spends its time in: the level that this machine has.
 */
#include "core/kernels/score.h"

#include <math.h>

#include "core/base/padding.h"
#include "core/kernels/sq8_amx.h"
#include "core/simd/dispatch.h"

#define MF_BODY "core/kernels/score_body.h"
#include "core/simd/foreach_isa.h"

/* The kernels to use; take them once per search. */
const MfScore *
mf_score(void)
{
	return MF_DISPATCH(mf_score);
}

#ifdef MF_HAS_AMX
/* vnni's, but for many queries by tiles. */
static const MfScore score_tiles = {
	score_rows_vnni, score_narrow_vnni, narrow_row_vnni, sq_bound_vnni, sq4_sums_vnni, sq4_scan_vnni, sq8_scan_vnni,
	mf_sq8_scan_tile_amx, sq4_error_vnni, exact_products_vnni
};
#endif

/*
 * The same for many queries at once, to the same results, which may ask the kernel for tiles: for those who make lists
 * for everybody, not for those who serve one.  Take them once per batch.
 */
const MfScore *
mf_score_batch(void)
{
#ifdef MF_HAS_AMX
	if (mf_sq8_amx_agrees(sq8_scan_tile_vnni))
		return &score_tiles;
#endif
	return mf_score();
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

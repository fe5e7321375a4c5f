/*
 * score.c - the kernels that serving spends its time in: the level that this machine has.
 */
#include "core/kernels/score.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/simd/simd.h"

#define MF_BODY "core/kernels/score_body.h"
#include "core/simd/foreach_isa.h"

#ifdef MF_ISA_X86
#define MF_LEVEL vnni
#define MF_LANES 16
#define MF_VNNI
MF_TARGET_BEGIN(MF_TARGETS_VNNI)
#include "core/kernels/score_body.h"
MF_TARGET_END
#undef MF_LEVEL
#undef MF_LANES
#undef MF_VNNI
#endif

/* The kernels of every level up to the one in force, the best last; returns how many. */
int
mf_score_tables(const MfScore **table)
{
	int			n = 0;

	table[n++] = &mf_score_plain;
#ifdef MF_ISA_X86
	if (mf_isa() >= MF_ISA_AVX2)
		table[n++] = &mf_score_avx2;
	if (mf_isa() >= MF_ISA_AVX512)
		table[n++] = &mf_score_avx512;
	if (mf_isa_has_vnni())
		table[n++] = &mf_score_vnni;
#endif
	return n;
}

/* The kernels to use; take them once per search. */
const MfScore *
mf_score(void)
{
	const MfScore *table[MF_SCORE_TABLES];

	return table[mf_score_tables(table) - 1];
}

/* |x| of n floats, in double. */
double
mf_norm(const float *x, int n)
{
	double		sum = 0;

	for (int j = 0; j < n; j++)
		sum += (double) x[j] * x[j];
	return sqrt(sum);
}

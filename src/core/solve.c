/*
 * solve.c - kernels for positive definite systems; see solve.h for what they do.
 */
#include "solve.h"

#include <string.h>

#include "simd.h"

#define MF_BODY "solve_body.h"
#include "isa_each.h"

/* The kernels of the level in force. */
const MfSolve *
mf_solve(void)
{
#ifdef MF_ISA_X86
	if (mf_isa() == MF_ISA_AVX512)
		return &mf_solve_avx512;
	if (mf_isa() == MF_ISA_AVX2)
		return &mf_solve_avx2;
#endif
	return &mf_solve_plain;
}

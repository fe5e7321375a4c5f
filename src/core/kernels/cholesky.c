/*
 * cholesky.c - kernels for positive definite systems; see cholesky.h for what they do.
 */
#include "core/kernels/cholesky.h"

#include <string.h>

#include "core/simd/simd.h"

#define MF_BODY "core/kernels/cholesky_body.h"
#include "core/simd/foreach_isa.h"

/* The kernels of the level in force. */
const MfCholesky *
mf_cholesky(void)
{
#ifdef MF_ISA_X86
	if (mf_isa() == MF_ISA_AVX512)
		return &mf_cholesky_avx512;
	if (mf_isa() == MF_ISA_AVX2)
		return &mf_cholesky_avx2;
#endif
	return &mf_cholesky_plain;
}

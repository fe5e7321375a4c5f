/*
 * dense.c - dense kernels on rows of floats; see dense.h for what they do and dense_body.h for how.
 */
#include "core/kernels/dense.h"

#include <string.h>

#include "core/simd/simd.h"

#define MF_BODY "core/kernels/dense_body.h"
#include "core/simd/foreach_isa.h"

/* The kernels of the level in force. */
const MfDense *
mf_dense(void)
{
#ifdef MF_ISA_X86
	if (mf_isa() == MF_ISA_AVX512)
		return &mf_dense_avx512;
	if (mf_isa() == MF_ISA_AVX2)
		return &mf_dense_avx2;
#endif
	return &mf_dense_plain;
}

/*
 * vec.c - dense kernels on rows of floats; see vec.h for what they do and vec_body.h for how.
 */
#include "vec.h"

#include <string.h>

#include "simd.h"

#define MF_BODY "vec_body.h"
#include "isa_each.h"

/* The kernels of the level in force. */
const MfVec *
mf_vec(void)
{
#ifdef MF_ISA_X86
	if (mf_isa() == MF_ISA_AVX512)
		return &mf_vec_avx512;
	if (mf_isa() == MF_ISA_AVX2)
		return &mf_vec_avx2;
#endif
	return &mf_vec_plain;
}

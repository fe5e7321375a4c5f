/*
 * sq8_code.c - 8-bit codes of vectors: the level that this machine has.
 */
#include "core/kernels/sq8_code.h"

#include <string.h>

#include "core/simd/dispatch.h"

#define MF_BODY "core/kernels/sq8_code_body.h"
#include "core/simd/foreach_isa.h"

/* The kernel to use for items. */
MfSq8Code
mf_sq8_code(void)
{
	return *MF_DISPATCH(sq8_coder);
}

/* And for queries. */
MfSq8QueryCode
mf_sq8_query_code(void)
{
	return *MF_DISPATCH(sq8_query_coder);
}

/*
 * dense.c - dense kernels on rows of floats; see dense.h for what they do and dense_body.h for how.
 */
#include "core/kernels/dense.h"

#include <math.h>
#include <string.h>

#include "core/simd/dispatch.h"

#define MF_BODY "core/kernels/dense_body.h"
#include "core/simd/foreach_isa.h"

/* The kernels of the level in force. */
const MfDense *
mf_dense(void)
{
	return MF_DISPATCH(mf_dense);
}

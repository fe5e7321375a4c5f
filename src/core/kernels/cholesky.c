/*
 * cholesky.c - kernels for positive definite systems; see cholesky.h for what they do.
 */
#include "core/kernels/cholesky.h"

#include <string.h>

#include "core/simd/dispatch.h"

#define MF_BODY "core/kernels/cholesky_body.h"
#include "core/simd/foreach_isa.h"

/* The kernels of the level in force. */
const MfCholesky *
mf_cholesky(void)
{
	return MF_DISPATCH(mf_cholesky);
}

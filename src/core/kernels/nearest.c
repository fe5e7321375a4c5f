/*
 * nearest.c - kernels that find the nearest of many points; see nearest.h for what they do.
 */
#include "core/kernels/nearest.h"

#include "core/simd/dispatch.h"

#define MF_BODY "core/kernels/nearest_body.h"
#include "core/simd/foreach_isa.h"

/* The kernels of the level in force. */
const MfNearest *
mf_nearest(void)
{
	return MF_DISPATCH(mf_nearest);
}

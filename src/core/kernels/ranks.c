/*
 * ranks.c - kernels that rank all items for many users; see ranks.h for what they do.
 */
#include "core/kernels/ranks.h"

#include <stddef.h>

#include "core/simd/dispatch.h"

#define MF_BODY "core/kernels/ranks_body.h"
#include "core/simd/foreach_isa.h"

/* The kernels of the level in force. */
const MfRanks *
mf_ranks(void)
{
	return MF_DISPATCH(mf_ranks);
}

/*
 * thirds.h - the three parts of the items: what is found about items without ratings is found on one part, by a map
 * that was fitted to the other two.
 */
#ifndef MF_THIRDS_H
#define MF_THIRDS_H

#include <stdint.h>

#include "core/base/rng.h"

#define MF_THIRDS 3
#define MF_THIRDS_SEED 0x7468697264

/* The third, 0 .. 2, that an item is in: by a hash of its number, so that neither order nor threads matter. */
static inline int
mf_item_third(int64_t item)
{
	return (int) (mf_random_bits(MF_THIRDS_SEED, (uint64_t) item) % MF_THIRDS);
}

#endif

/*
 * als_packed_sums.h - the sums of an item's cells as they travel: see als.h.
 */
#ifndef MF_ALS_PACKED_SUMS_H
#define MF_ALS_PACKED_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/csr.h"

struct MfAls;

extern size_t mf_als_sums_bytes(const struct MfAls *als);

#endif

/*
 * als_packed_sums.h - the sums of an item's cells as they travel: see als.h.
 */
#ifndef MF_ALS_PACKED_SUMS_H
#define MF_ALS_PACKED_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/csr.h"

struct MfAls;

extern size_t mf_als_sums_floats(const struct MfAls *als);
extern void mf_als_add_sums(const struct MfAls *als, int64_t nrows, float *to, const float *from);

#endif

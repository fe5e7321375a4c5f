/*
 * als_sums.h - sums over the cells of items, made where their users are: see als.h.
 */
#ifndef MF_ALS_SUMS_H
#define MF_ALS_SUMS_H

#include <stdint.h>

#include "core/als/als_packed_sums.h"

struct MfAls;

extern MfError mf_als_sums(struct MfAls *als, const MfRows *rows, void *out);

#endif

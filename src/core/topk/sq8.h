/*
 * sq8.h - 8-bit codes of whole vectors, which say almost as much as the vectors; see sq8.c for what they bound.
 *
 * An index whose norms prune has them of its first blocks.  For a batch of searches over one whose norms are flat
 * they are made in memory, of all items.
 */
#ifndef MF_SQ8_H
#define MF_SQ8_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/threads.h"
#include "core/topk/index.h"
#include "core/topk/sq4.h"

extern size_t mf_sq8_size(const MfIndex *index);
extern bool mf_sq8_fill(const MfSq8 *sq8, const MfIndex *index, const MfParallel *parallel);
extern bool mf_sq8_build(MfSq8 *sq8, void *space, const MfIndex *index, const MfParallel *parallel);
extern bool mf_sq8_query(MfSqQuery *query, const float *p, int ld, double norm);

#endif

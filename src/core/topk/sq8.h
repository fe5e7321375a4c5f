/*
 * sq8.h - 7-bit codes of whole vectors, which say almost as much as the vectors; see sq8.c.
 *
 * An index whose norms prune has them of its first blocks.  For a batch of searches over one whose norms
 * are flat they are made in memory, of all items.
 */
#ifndef MF_SQ8_H
#define MF_SQ8_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/threads.h"
#include "core/topk/index.h"
#include "core/topk/sq4.h"

extern size_t mf_fine_size(const MfIndex *index);
extern void mf_fine_lay_out(MfFine *fine, void *space, size_t *used, int ld, int64_t nblocks);
extern bool mf_fine_fill(const MfFine *fine, const MfIndex *index, const MfParallel *parallel);
extern bool mf_fine_build(MfFine *fine, void *space, const MfIndex *index, const MfParallel *parallel);
extern bool mf_fine_query(MfCodeQuery *query, const float *p, int ld, double norm);

#endif

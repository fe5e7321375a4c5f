/*
 * directions.h - an index of the directions of items that another index has, for searches by cosine.
 */
#ifndef MF_DIRECTIONS_H
#define MF_DIRECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/threads.h"
#include "core/topk/index.h"

extern size_t mf_directions_size(int64_t room, int factors);
extern size_t mf_directions_workspace(int64_t nitems, int factors, const MfParallel *parallel);
extern size_t mf_directions_build(void *space, void *workspace, const MfIndex *base, const MfVectors *rows,
								  const MfParallel *parallel);
extern bool mf_directions_open(MfIndex *directions, const MfIndex *base, const MfVectors *rows, const void *space,
							   size_t size);
extern size_t mf_directions_renew_workspace(int factors);
extern bool mf_directions_renew(void *space, size_t size, void *workspace, const MfIndex *base, const MfVectors *rows);

#endif

/*
 * explain.h - what each of a user's own items adds to the score of another item.
 */
#ifndef MF_EXPLAIN_H
#define MF_EXPLAIN_H

#include <stddef.h>

#include "core/predict/fold_in.h"

extern size_t mf_explain_size(const MfFold *fold);
extern MfError mf_explain_cells(const MfFold *fold, const MfFoldCells *cells, const float *vector,
								double bias_share, double *contribution, void *space);

#endif

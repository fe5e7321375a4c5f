/*
 * csr_merge.h - what becomes of several cells for the same place of a sparse matrix.
 */
#ifndef MF_CSR_MERGE_H
#define MF_CSR_MERGE_H

#include "core/base/error.h"
#include "core/base/sparse_rows.h"
#include "core/base/threads.h"

extern MfError mf_csr_merge(const MfParallel *parallel, MfMatrix *m, MfDuplicates mode, int64_t *merged);

#endif

/*
 * csr.h - how the cells of a sparse matrix get from triplets to rows, and to the other orientation.
 */
#ifndef MF_CSR_H
#define MF_CSR_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/sparse_rows.h"
#include "core/base/threads.h"

/*
 * Bytes of `space` for the functions below; n cells, nkeys the larger of the numbers of rows and
 * columns.  About 4 bytes per key and thread, and 32 bytes for every 500 cells and thread.
 */
extern size_t mf_csr_workspace(const MfParallel *parallel, int64_t n, int64_t nkeys);

/*
 * Sorts triplets into rows, columns ascending, duplicates merged.
 *
 * out: nrows x ncolumns, arrays for triplets->n cells.  work: ncolumns x nrows, the same arrays the
 * other way round, whose contents are undefined afterwards: give it the arrays that
 * mf_csr_transpose() fills next.  rating is taken over where both have it; out and work must have
 * the same arrays.  A weight array where triplets have none is filled with 1 (and sums of 1).
 * *merged (may be NULL) is the number of triplets that were merged away: out has n - *merged cells,
 * which out->start[nrows] says too.  Equal cells are added in ascending order of their values, so
 * the result does not depend on the order of the triplets.
 * Returns MF_CANCELLED or MF_OK.
 */
extern MfError mf_csr_build(const MfParallel *parallel, MfTriplets *triplets, MfDuplicates mode,
							MfMatrix *out, MfMatrix *work, void *space, int64_t *merged);

/*
 * Fills out (ncolumns x nrows) with the transpose of in (nrows x ncolumns), columns ascending.
 * keys: room for one int32 per cell (triplets->row is free by now).
 * Returns MF_CANCELLED or MF_OK.
 */
extern MfError mf_csr_transpose(const MfParallel *parallel, const MfRows *in, MfMatrix *out,
								int32_t *keys, void *space);

#endif

/*
 * csr.h - the observed cells of a sparse matrix, row by row, and how they get there from triplets.
 */
#ifndef MF_CSR_H
#define MF_CSR_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/threads.h"

/*
 * Rows first .. first + nrows - 1 of a sparse matrix: the cells of row first + r are positions
 * start[r] .. start[r + 1] - 1 of the arrays, columns ascending.  All of a matrix or any part of
 * it: what does not fit in memory is handed over part by part.
 */
typedef struct MfRows
{
	int64_t		first;
	int64_t		nrows;
	const int64_t *start;		/* nrows + 1; start[0] need not be 0 */
	const int32_t *column;		/* index of the other side */
	const float *rating;		/* standardized rating; NULL: no rating part */
	const float *weight;		/* weight of the observation; NULL: all 1 */
} MfRows;

/* The same with room to write into: start has nrows + 1 places, the others one per cell. */
typedef struct MfMatrix
{
	int64_t		nrows;
	int64_t    *start;
	int32_t    *column;
	float	   *rating;			/* NULL: not wanted */
	float	   *weight;			/* NULL: not wanted */
} MfMatrix;

/* Cells in any order, with duplicates. */
typedef struct MfTriplets
{
	int64_t		n;
	int32_t    *row;			/* 0 .. nrows - 1; overwritten by mf_csr_build() */
	const int32_t *column;		/* 0 .. ncolumns - 1 */
	const float *rating;		/* NULL: none */
	const float *weight;		/* NULL: all 1 */
} MfTriplets;

/* What becomes of several triplets for the same cell. */
typedef enum MfDuplicates
{
	MF_DUPLICATES_MEAN,			/* rating and weight are averaged */
	MF_DUPLICATES_SUM			/* rating is averaged, weight is summed */
} MfDuplicates;

/* A matrix as the solver wants it. */
static inline MfRows
mf_matrix_rows(const MfMatrix *matrix)
{
	MfRows		rows = {0, matrix->nrows, matrix->start, matrix->column, matrix->rating,
	matrix->weight};

	return rows;
}

/*
 * Bytes of `space` for the functions below; n cells, nkeys the larger of the numbers of rows and
 * columns.  About 4 bytes per key and thread, and 32 bytes for every 500 cells and thread.
 */
extern size_t mf_csr_size(const MfParallel *parallel, int64_t n, int64_t nkeys);

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

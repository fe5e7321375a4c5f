/*
 * sparse_rows.h - the observed cells of a sparse matrix: row by row, as the solver takes them, or as triplets.
 */
#ifndef MF_SPARSE_ROWS_H
#define MF_SPARSE_ROWS_H

#include <stdint.h>

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
	const float *weight;		/* weight of the observation, negative: of a dislike; NULL: all 1 */
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
	MF_DUPLICATES_SUM,			/* rating is averaged, weight is summed */
	MF_DUPLICATES_WEIGHTED_MEAN,	/* the same two, the rating being averaged by weight: needs both, */
	MF_DUPLICATES_WEIGHTED_SUM	/* and weights, of the latter where they are above 0: see mf_faded_net() */
} MfDuplicates;

/* A matrix as the solver wants it. */
static inline MfRows
mf_matrix_rows(const MfMatrix *matrix)
{
	MfRows		rows = {0, matrix->nrows, matrix->start, matrix->column, matrix->rating,
	matrix->weight};

	return rows;
}

#endif

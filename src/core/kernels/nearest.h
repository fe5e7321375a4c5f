/*
 * nearest.h - kernels that find which of many points is nearest to each of some rows.
 *
 * A row is in a lane: what its scores say is compared without ever adding up lanes.  Scores of MF_NEAREST_ROWS rows are
 * made at once by MfDense's gemm, of points and of the transposed rows; a tile of it has as many columns.
 */
#ifndef MF_NEAREST_H
#define MF_NEAREST_H

#include <stdint.h>

#include "core/simd/isa.h"

/* Rows at a time: three registers of 16 floats, six of 8. */
#define MF_NEAREST_ROWS 48

/* The two largest scores that each of MF_NEAREST_ROWS rows has had so far, and whose the largest is. */
typedef struct MfTwoBest
{
	float		best[MF_NEAREST_ROWS];
	float		second[MF_NEAREST_ROWS];
	int32_t		index[MF_NEAREST_ROWS];
} MfTwoBest;

/* The kernels of one level. */
typedef struct MfNearest
{
	/*
	 * score (n x MF_NEAREST_ROWS), to whose row k offset[k] is added, which is point `first` + k: takes what is among
	 * the two largest of a row.  Of equal scores the one seen first is the largest.
	 */
	void		(*two_best) (MfTwoBest *found, const float *score, const float *offset, int first, int n);
} MfNearest;

extern const MfNearest *mf_nearest(void);

#endif

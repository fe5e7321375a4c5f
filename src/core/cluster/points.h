/*
 * points.h - rows that are put into clusters.
 */
#ifndef MF_POINTS_H
#define MF_POINTS_H

#include <stdint.h>

/* Rows of d floats, mf_padded(d) from one to the next, 64-byte aligned, padding 0, best as mf_center() leaves them. */
typedef struct MfPoints
{
	const float *x;
	int64_t		n;				/* 1 .. 2^31 - 1 */
	int			d;
} MfPoints;

#endif

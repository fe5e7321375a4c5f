/*
 * int8.h - kernels on vectors of whole numbers of 8 bits: a register multiplies twice as many of them as of int16.h's
 * 13 bits, and half as much is gathered.
 */
#ifndef MF_INT8_H
#define MF_INT8_H

#include "core/kernels/int16.h"

#define MF_INT8_PANEL 512		/* rows of a panel at most */
#define MF_INT8_MOST 127		/* the largest of the numbers */

/* Floats of space that the whole numbers of a row of so many floats take. */
static inline int
mf_int8_floats(int width)
{
	return (width + 63) / 64 * 16;
}

/*
 * As mf_int16(), of rows of mf_int8_floats() instead of mf_int16_floats(); panels hold four rows side by side, and the
 * sums of their columns behind them.  Factors that differ are rounded to 16 bits.  measure is NULL: rows are measured
 * before it is known how many bits they will have.
 */
extern const MfInt16 *mf_int8(void);

#endif

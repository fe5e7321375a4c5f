/*
 * rounding.h - bounds in single precision that hold in spite of rounding.
 */
#ifndef MF_ROUNDING_H
#define MF_ROUNDING_H

#include <math.h>

/*
 * A float above x >= 0; infinity beyond the largest one.  Rounding to a float moves a number by up to 2^-24 of
 * it: what is left of the margin covers the product of two such bounds and a sum, each rounded once more.
 */
static inline float
mf_float_above(double x)
{
	return (float) (x * (1 + 0x1.0p-21) + 0x1.0p-148);
}

/* A float below x, by enough for MF_SCORE_ROUNDING of itself and its own rounding. */
static inline float
mf_float_below(double x)
{
	return (float) (x - fabs(x) * 0x1.0p-21 - 0x1.0p-148);
}

#endif

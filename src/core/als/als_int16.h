/*
 * als_int16.h - int16 and int8 quantization of the fixed side's factors; see als_int16.c.
 */
#ifndef MF_ALS_INT16_H
#define MF_ALS_INT16_H

#include "core/als/als_state.h"
#include "core/kernels/int8.h"
#include "core/kernels/int16.h"

extern MfError mf_int16_begin(MfAls *als);
extern void mf_int16_end(MfAls *als, MfSide side, double loss);

/* Floats of space that so many of a quantized vector's numbers take. */
static inline int
mf_quantized_floats(const MfAls *als, int width)
{
	return als->coarse ? mf_int8_floats(width) : mf_int16_floats(width);
}

#endif

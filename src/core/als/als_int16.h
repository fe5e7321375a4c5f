/*
 * als_int16.h - int16 quantization of the fixed side's factors; see als_int16.c.
 */
#ifndef MF_ALS_INT16_H
#define MF_ALS_INT16_H

#include "core/als/als_state.h"
#include "core/kernels/int16.h"

extern MfError mf_int16_begin(MfAls *als);

#endif

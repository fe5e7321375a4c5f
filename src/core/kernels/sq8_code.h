/*
 * sq8_code.h - 8-bit codes of vectors, as topk/sq8.c describes them.
 */
#ifndef MF_SQ8_CODE_H
#define MF_SQ8_CODE_H

#include <stdint.h>

#define MF_SQ8_MIDDLE 64		/* what stands for 0 */

/*
 * Codes a vector of ld floats, 64-byte aligned, none of which is larger than 63 steps: four coordinates' codes at code,
 * the next four's 64 bytes on.  *length and *error become the squared norms of what they stand for, exactly, and of
 * what they miss, in steps: off by at most MF_SQ8_ROUNDING of itself, and of a step for each coordinate.
 */
typedef void (*MfSq8Code) (const float *v, int ld, float step, uint8_t *code, float *length, float *error);

/*
 * Sums of up to 1008 floats in at least four parts: 260 roundings of 2^-24.  A coordinate in steps, up to 127, has two.
 */
#define MF_SQ8_ROUNDING 2e-5

/*
 * Codes a query of ld floats, of which none is larger than 127 units: *total becomes the sum of its codes, *missed the
 * squared norm of what they miss, in units, and as exact as *error above.
 */
typedef void (*MfSq8QueryCode) (const float *p, int ld, float unit, int8_t *code, int32_t *total, float *missed);

extern MfSq8Code mf_sq8_code(void);
extern MfSq8QueryCode mf_sq8_query_code(void);

#endif

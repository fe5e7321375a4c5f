/*
 * int16.h - kernels on vectors of whole numbers of 13 bits: a register multiplies twice as many of them as of floats.
 */
#ifndef MF_INT16_H
#define MF_INT16_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernels/dense.h"

#define MF_INT16_MOST 4095		/* the largest of the numbers: times itself and MF_INT16_PANEL below 2^31 */
#define MF_INT16_PANEL 128		/* rows of a panel at most */
#define MF_INT16_MOST_LD 96		/* floats that a row has at most */

/*
 * Kernels on quantized vectors: row r of a side stands for step[j] times its whole number j.  Rows are `stride` floats
 * apart and have `width` numbers.
 */
typedef struct MfInt16
{
	/* widest and sizes (width each): raised to the largest size, and by the sizes, in n rows of floats */
	void		(*measure) (const float *rows, int stride, int width, int64_t n, float *widest, float *sizes);

	/* out (mf_int16_floats(width) floats) = a row of floats as whole numbers */
	void		(*quantize) (float *out, const float *row, int width, const float *step);

	/*
	 * As MfCholesky's interleave, for its 16 lanes: out (16 x width) = column_scale * scale * what the lanes' rows stand
	 * for, side by side
	 */
	void		(*interleave) (float *out, const float *const *row, const float *step, float scale,
							   const float *column_scale, int width);

	/* as MfDense's; x is rounded, too: to 12 bits at least */
	void		(*subtract_products) (float *out, const float *rows, int stride, const int32_t *column, const float *x,
									  const float *step, int width, int n);
	void		(*add_rows) (float *out, const float *rows, int stride, const int32_t *column, const float *factor,
							 const float *step, int width, int n);

	/*
	 * as MfDense's, without scale; at most one sum is not even; the panel holds pairs of rows: (n + 1) / 2 x
	 * ld of them
	 */
	void		(*gather) (const MfGather *gather, const float *step);

	/* c (ld x ld, upper tiles, rows ldc apart) (+)= square times the sum over the panel's n rows of y y' */
	void		(*syrk) (float *c, int ldc, const float *panel, int ld, int n, const float *step, float square, int add,
						 const MfAhead *ahead);
} MfInt16;

/* Floats of space that the whole numbers of a row of so many floats take. */
static inline int
mf_int16_floats(int width)
{
	return (width + 31) / 32 * 16;
}

extern const MfInt16 *mf_int16(void);

#endif

/*
 * als_int16.h - the fixed side's vectors as whole numbers of 13 bits; see als_int16.c.
 */
#ifndef MF_ALS_INT16_H
#define MF_ALS_INT16_H

#include <stdbool.h>
#include <stdint.h>

#include "core/als/als_cells.h"

/* Kernels on narrow vectors: row r of a side stands for step[j] times its whole number j. */
typedef struct MfNarrow
{
	/* widest (ld) and sizes (ld): raised to the largest size, and by the sizes, in n rows' columns */
	void		(*measure) (const float *rows, int ld, int64_t n, float *widest, float *sizes);

	/* rows begin .. end - 1 of a side, where they are, to whole numbers and back */
	void		(*narrow) (float *rows, int ld, int64_t begin, int64_t end, const float *step);
	void		(*widen) (float *rows, int ld, int64_t begin, int64_t end, const float *step);

	/* out (ld floats) = row r */
	void		(*widen_row) (float *out, const float *rows, int ld, int64_t r, const float *step);

	/*
	 * as MfDense's, without scale; at most one sum is not even; the panel holds pairs of rows: (n + 1) / 2 x
	 * ld of them
	 */
	void		(*gather) (const MfGather *gather, const float *step);

	/* c (ld x ld, upper tiles) (+)= square times the sum over the panel's n rows of y y' */
	void		(*panel_update) (float *c, int ld, const float *panel, int n, const float *step, float square,
								 int add, const MfAhead *ahead);
} MfNarrow;

extern const MfNarrow *mf_narrow(void);
extern MfError mf_narrow_begin(MfAls *als);
extern MfError mf_narrow_end(MfAls *als);

#endif

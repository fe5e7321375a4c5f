/*
 * int16_cells.h - products of a row's cells with vectors, from rows of whole numbers of 13 bits: what conjugate
 * gradients need; and rotations of rows, to the same accuracy.
 *
 * Unlike those of int16.h, each row has a scale of its own, so that it is quantized as soon as it is known, and rows
 * lie close together: a cache holds twice as many of them as of floats.
 */
#ifndef MF_INT16_CELLS_H
#define MF_INT16_CELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/padding.h"

#define MF_CELLS_AT_ONCE 16		/* cells that are read twice while they are in L1 */

/* Numbers of a quantized row of so many floats, which is a multiple of 16. */
static inline int
mf_cells_stride(int width)
{
	return (width + 31) / 32 * 32;
}

/* Cells of a row, and a vector x they are multiplied with. */
typedef struct MfCellProduct
{
	const int16_t *rows;		/* quantized rows, `stride` numbers apart */
	const float *scale;			/* what 1 stands for, of each of them */
	int			stride;
	int			width;			/* floats that they stand for; or the first of them, a multiple of 16 */
	int64_t		n;
	const int32_t *column;		/* n: which rows */
	const int16_t *x;			/* as of round_vector() */
	float		unit;			/* what 1 stands for in x */
	float		bias;			/* added to every product */
	const float *weight;		/* n; NULL: all are `even` */
	float		even;
	const float *target;		/* n; NULL: none */
	const int32_t *ahead;		/* rows that will be read next, nahead of them; only where reach is set */
	int			nahead;
	bool		reach;			/* rows are not in the cache as yet */
	const float *square[2];		/* a number of each row, or NULL; only with targets */
	float	   *out;			/* width */
	double		fitted;			/* += the sum of target times product */
	double		total;			/* += the sum of factors; see multiply() */
	double		squares[2];		/* += the sums of weight times square */
} MfCellProduct;

typedef struct MfInt16Cells
{
	/* out (mf_cells_stride(width)) = a row of floats as whole numbers; returns what 1 stands for */
	float		(*quantize) (int16_t *out, const float *row, int width);

	/* the same of a vector x to be multiplied with such rows, which becomes what the whole numbers stand for */
	float		(*round_vector) (int16_t *out, float *x, int width);

	/* out += sum over cells of factor * row, with factor = weight (row . x + bias), or with targets = target - that */
	void		(*multiply) (MfCellProduct *product);

	/* out (width x width) = a matrix whose columns have a length of 1, for turn() */
	void		(*pack_rotation) (int16_t *out, const float *m, int width);

	/* out (n rows of width floats, ldo apart) = rows x, ldx apart, times that matrix; x is rounded, too */
	void		(*turn) (float *out, int ldo, const float *x, int ldx, const int16_t *rotation, int width, int n);
} MfInt16Cells;

extern const MfInt16Cells *mf_int16_cells(void);

#endif

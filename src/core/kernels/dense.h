/*
 * dense.h - dense kernels on rows of floats: gathering them, and what BLAS calls syrk, gemm, gemv, axpy and dot.
 *
 * All matrices are row-major; ld is a row's length in floats, a multiple of 16, with zeros behind
 * the last factor.  A table holds one instruction set level's kernels: take it once per block of
 * work.
 */
#ifndef MF_DENSE_H
#define MF_DENSE_H

#include <stdint.h>

#include "core/simd/isa.h"

/* Rows of a matrix that become a panel, and weighted sums of them. */
typedef struct MfGather
{
	const float *rows;			/* any number of rows, `stride` floats apart */
	int			stride;
	int			ld;				/* floats of a row that are gathered */
	int			n;				/* rows to gather */
	int			reach;			/* rows are prefetched so many in advance; 0: they are cached */
	const int32_t *column;		/* n: which rows */
	const float *scale;			/* n: panel row k = scale[k] * rows[column[k]] */
	float	   *panel;			/* n x ld; out */
	int			nsums;			/* 0 .. 3 */
	const float *factor[3];		/* nsums x n */
	float	   *sum[3];			/* nsums x ld: sum[s] += factor[s][k] * rows[column[k]] */
	bool		even[3];		/* nsums: all factors of this sum are the same; only MfInt16's kernels look at it */
} MfGather;

/* Rows that will be gathered next: asked for while a panel is worked on. */
typedef struct MfAhead
{
	const float *rows;			/* any number of rows, `stride` floats apart */
	int			stride;
	int			width;			/* floats of a row that will be read, from its first on */
	const int32_t *column;		/* n: which rows */
	int			n;
} MfAhead;

/*
 * Asks for all of them at once, where products would be held up by single ones in between.  Always inlined: to GCC a
 * function that does nothing else has no effect, and calls of it are dropped.
 */
static inline __attribute__((always_inline)) void
mf_ask_ahead(const MfAhead *ahead)
{
	for (int k = 0; k < ahead->n; k++)
	{
		const float *row = ahead->rows + (int64_t) ahead->column[k] * ahead->stride;

		for (int j = 0; j < ahead->width; j += 16)
			__builtin_prefetch(row + j, 0, 2);
	}
}

/* Numbers w and what is made of each: roots, and a line that may rise more steeply up to w = 1 / knee. */
typedef struct MfMasses
{
	const float *w;				/* n; NULL: all 1 */
	const float *rise;			/* number column[k] of it; NULL: `even` of all of them */
	const int32_t *column;
	float		even;
	float		knee;			/* > 0: rise counts by the share min(knee w, 1); 0: all of it */
	float		slope;
	float		factor;
	float		square;
	float	   *scale;			/* n: sqrt(square |w|); out */
	float	   *mass;			/* n: factor (share rise + slope w), 0 where w is negative; out */
} MfMasses;

/* The kernels of one level.  Names are BLAS's where it has the operation; xpay is axpy with the factor at x. */
typedef struct MfDense
{
	int			lanes;			/* MF_LANES */

	void		(*gather) (const MfGather *gather);

	/*
	 * c (ld x ld, only tiles on and above the diagonal, from row and column `first`) (+)= a' b for
	 * a and b (n x ld); add: to what c holds.  syrk: with a = b = panel, first = 0.
	 */
	void		(*gemmt) (float *c, int ld, const float *a, const float *b, int n, int first, int add);
	void		(*syrk) (float *c, int ld, const float *panel, int n, int add, const MfAhead *ahead);

	/* out (n x width, rows ldo apart) = x (n x inner, rows ldx apart) times m (inner x width); width: of whole registers */
	void		(*gemm) (float *out, int ldo, const float *x, int ldx, const float *m, int inner, int width, int n);

	/* out[k] -= the inner product of x and row column[k] of rows, for width floats of n rows, `stride` apart */
	void		(*subtract_products) (float *out, const float *rows, int stride, const int32_t *column, const float *x,
									  int width, int n);

	/* out (width) += factor[k] times row column[k] of rows, for n of them */
	void		(*add_rows) (float *out, const float *rows, int stride, const int32_t *column, const float *factor,
							 int width, int n);

	/* out[k] = x[k] - y[column[k]], for n numbers */
	void		(*subtract_gathered) (float *out, const float *x, const float *y, const int32_t *column, int n);

	/* *sum += the n numbers of x, *squares += their squares; in floats, so n is some hundreds at most */
	void		(*moments) (const float *x, int n, double *sum, double *squares);

	/* out[k] = x[k], of which `count` square roots are taken, for n numbers: the same ones at every level */
	void		(*roots) (float *out, const float *x, int count, int n);

	/*
	 * For n numbers x and their weights: scale = sqrt(weight) and x *= weight; sums += those of weight, weight x and
	 * weight x^2, as moments
	 */
	void		(*weigh) (float *x, float *scale, const float *weight, int n, double sums[3]);

	/* For n numbers: scale *= factor and x /= scale, 0 where that is 0; returns the sum of their squares, in floats */
	float		(*divide_by) (float *x, float *scale, float factor, int n);

	/* For n numbers, see above: *sum += the masses, as moments */
	void		(*masses) (const MfMasses *masses, int n, double *sum);

	/*
	 * out[k] = x[k] factor[k] f as whole numbers up to 32767, for n numbers; up to MF_MAX_LANES more are read and
	 * written, and out may lie before x in the same place
	 */
	void		(*to_halves) (int16_t *out, const float *x, const float *factor, float f, int n);

	/* x[k] += half[k] factor[k] f, for n numbers; and x[k] += y[k] */
	void		(*add_halves) (float *x, const int16_t *half, const float *factor, float f, int n);
	void		(*add) (float *x, const float *y, int n);

	/*
	 * out (ld) = diagonal x + panel' (panel x) for panel (n x ld); diagonal NULL: added to out; x
	 * != out
	 */
	void		(*normal_product) (float *out, const float *diagonal, const float *panel,
								   const float *x, int ld, int n);

	/*
	 * A step of conjugate gradients on ld numbers: x += length direction, residual -= length
	 * product, and product = preconditioner residual; returns residual . product.
	 */
	float		(*cg_step) (float *x, float *residual, float *product, const float *direction,
						const float *preconditioner, float length, int ld);

	/* x = y + f x, for ld floats */
	void		(*xpay) (float *x, const float *y, float f, int ld);

	/* out (ld) += panel' factor for panel (n x ld) and factor (n) */
	void		(*gemv) (float *out, const float *panel, const float *factor, int ld, int n);

	/* out (ld) += the squares of panel's (n x ld) columns */
	void		(*column_squares) (float *out, const float *panel, int ld, int n);

	/*
	 * out (ld x width) = panel' for panel (n x ld); width a multiple of 16, at least n; zeros
	 * behind n
	 */
	void		(*transpose_panel) (float *out, const float *panel, int ld, int n, int width);

	/* n floats = value */
	void		(*fill) (float *x, float value, int n);

	/* x += f y, for ld floats */
	void		(*axpy) (float *x, const float *y, float f, int ld);

	/* x *= y, for ld floats */
	void		(*multiply_by) (float *x, const float *y, int ld);

	/* x = 1 / x, for ld floats */
	void		(*reciprocals) (float *x, int ld);

	/* x . y, for ld floats */
	float		(*dot) (const float *x, const float *y, int ld);
} MfDense;

extern const MfDense *mf_dense(void);

#endif

/*
 * als_cg.h - conjugate gradients on a row's system, and the two ways in which its cells are multiplied.
 */
#ifndef MF_ALS_CG_H
#define MF_ALS_CG_H

#include "core/als/als_single_task.h"

/*
 * The state of conjugate gradients on a row's [x, bias]; vectors have the width of the task's block.  The matrix is the
 * diagonal plus the cells' part, with a bias one row and column larger.
 */
typedef struct MfDescent
{
	const MfAls *als;
	const MfSingleSpace *space;
	MfTask	   *task;
	int			ld;				/* the block's width */
	bool		resident;		/* all vectors stay in the panel: `held` of them */
	int			held;
	float	   *diagonal;		/* base * factor + shift */
	float	   *precondition;	/* 1 / the matrix's diagonal, or about that */
	float	   *x;
	float	   *residual;		/* right-hand side less matrix times [x, bias] */
	float	   *direction;
	float	   *product;		/* matrix times direction */
	float		bias;
	float		bias_residual;
	float		bias_direction;
	float		bias_product;
	double		fitted;			/* the right-hand side times [x, bias] */
} MfDescent;

/*
 * A way to multiply.  `start` sees the cells for the first time: it sets residual, fitted, precondition and diagonal,
 * and the task's sums and raised shifts; it may round x.  `apply` sets the products of the direction, which it may
 * round too.
 */
typedef struct MfCellProducts
{
	void		(*start) (MfDescent *descent);
	void		(*apply) (MfDescent *descent);
} MfCellProducts;

extern const MfCellProducts mf_cg_floats;	/* als_cg_float.c */
extern const MfCellProducts mf_cg_whole;	/* als_cg_int16.c */

#endif

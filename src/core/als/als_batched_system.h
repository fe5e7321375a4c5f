/*
 * als_batched_system.h - systems side by side: what their primal and their dual form share.
 */
#ifndef MF_ALS_BATCHED_SYSTEM_H
#define MF_ALS_BATCHED_SYSTEM_H

#include "core/als/als_int16.h"

#define MF_KEPT_CELLS 8192		/* of a row, whose ratings' targets are kept from block to block */

/* A worker's workspace; "per lane" arrays have one number per system and place. */
typedef struct MfBatchSpace
{
	float	   *zero;			/* ld: the row of an empty lane */
	float	   *scale;			/* MF_MAX_LANES x length; so are the next two */
	float	   *target;
	float	   *weight;
	int			length;			/* cells of a row held at once: MF_PANEL_ROWS or ld, whichever is more */
	MfPanel		panel;
	float	   *matrix;			/* MF_MAX_LANES x (ld + MF_MAX_RIGHT) x ld: primal systems; or per
								 * lane, ld x ld: z */
	float	   *packed;			/* per lane: a triangle of ld rows */
	float	   *right;			/* per lane: 2 x ld right-hand sides */
	float	   *roots;			/* per lane: ld */
	float	   *x;				/* per lane: ld */
	float	   *moved;			/* MF_MAX_LANES x ld */
	float	   *solved[MF_TERMS];	/* MF_MAX_LANES x ld: the rows' vectors, of users the first alone */
	float	   *prior[MF_TERMS];	/* MF_MAX_LANES x ld: where the rows are drawn to, of users the first alone */
	float	   *kept;			/* MF_MAX_LANES x KEPT_CELLS; with private dimensions */
} MfBatchSpace;

/* Some rows and what is known of them. */
typedef struct MfBatch
{
	int			count;
	int64_t		row[MF_MAX_LANES];	/* within als->rows */
	MfRowSums	sums[MF_MAX_LANES];
} MfBatch;

/* The lanes' systems of one term in a block of dimensions, and what is solved of them. */
typedef struct MfSystems
{
	const MfBlock *block;
	MfPart		part;
	bool		bias;
	bool		moves;			/* unknown is not x, but how far it is from where it stands */
	bool		drawn;			/* the lanes' systems have points */
	float	   *solved;			/* MF_MAX_LANES x ld, from the block's first dimension on */
	const float *point;			/* MF_MAX_LANES x ld: where each row is drawn to; or NULL */
	const float *prior;			/* the same of items alone, whose right-hand sides are without them as yet */
	MfSystem	system[MF_MAX_LANES];
	float		factor[MF_MAX_LANES];
	float		shift[MF_KINDS][MF_MAX_LANES];
	float		least[MF_MAX_LANES];	/* the lesser of the two */
	double		explained[MF_MAX_LANES];	/* by how much the solution lowers the row's constant (of its cells) */
	int32_t		bad[MF_MAX_LANES];
} MfSystems;

extern float *mf_batch_solved(const MfAls *als, const MfBatchSpace *space, MfPart part);
extern MfRowState mf_batch_row(const MfAls *als, const MfBatchSpace *space, const MfBatch *batch, int l);
extern void mf_batch_systems(const MfAls *als, const MfBatch *batch, float trace[MF_KINDS][MF_MAX_LANES],
							MfSystems *systems);
extern void mf_batch_start_bias(const MfAls *als, const MfBatch *batch, const MfSystems *systems, float *y, int n);
extern void mf_batch_eliminate_bias(const MfAls *als, const MfBatch *batch, MfSystems *systems, bool dual,
							float *y, int n);
extern void mf_batch_explain(const MfAls *als, const MfBatch *batch, MfSystems *systems, bool dual,
							const float *y, int n);
extern void mf_batch_store(MfAls *als, const MfBatchSpace *space, const MfBatch *batch, const MfSystems *systems);
extern void mf_batch_begin(const MfAls *als, const MfBatchSpace *space, MfPart part, const MfBlock *block,
						   MfSystems *systems);
extern bool mf_batch_has(const MfAls *als, MfPart part, const MfBlock *block);

/* als_batched_dual.c */
extern void mf_batch_solve_dual(MfAls *als, const MfBatchSpace *space, MfBatch *batch, const MfBlock *block);

#endif

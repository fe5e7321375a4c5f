/*
 * als_single_task.h - one system at a time: what Cholesky's method and conjugate gradients share.
 */
#ifndef MF_ALS_SINGLE_TASK_H
#define MF_ALS_SINGLE_TASK_H

#include "core/als/als_state.h"
#include "core/kernels/int16_cells.h"

/* A worker's workspace. */
typedef struct MfSingleSpace
{
	MfPanel		panel;			/* all of a row's vectors, where they fit */
	float	   *matrix;			/* (ld + MF_MAX_RIGHT) x ld */
	float	   *other;			/* ld x ld: the second system's matrix, or the dual's */
	float	   *inverse;		/* ld */
	float	   *work;			/* 16 x ld */
	float	   *vector[8];		/* ld each */
	float	   *solved[MF_TERMS];	/* MF_GROUP x ld: vectors of the rows at hand, of users the first alone */
	float	   *prior[MF_TERMS];	/* MF_GROUP x ld: where the rows are drawn to, of users the first alone */
	float	   *rotated;		/* MF_GROUP x ld */
	int16_t    *whole;			/* mf_cells_stride(ld): a vector in whole numbers */
} MfSingleSpace;

/* One system of a row, with all that is needed to solve it. */
typedef struct MfTask
{
	MfSystem	system;
	const MfBlock *block;		/* its dimensions */
	MfPart		part;
	bool		has[MF_TERMS];	/* whose cells it has */
	MfRowState	row;
	float	   *x;				/* the block's width: where it stands, and the solution; so are the next two */
	const float *right;			/* targets' sum */
	const float *bias_right;	/* the bias's vector */
	int64_t		next;			/* the row that comes after it, whose vectors may be asked for, or -1 */
	double		constant;
	double		target_sum;
	double		weight_sum;
} MfTask;

/* out[k] = base[k] * factor + shift of its kind, and 1 where there are no dimensions. */
static inline void
mf_single_diagonal(const MfAls *als, const MfTask *task, float *out)
{
	const MfBlock *block = task->block;

	for (int k = 0; k < block->width; k++)
		out[k] = 1.0f;
	for (int kind = 0; kind < MF_KINDS; kind++)
		for (int k = block->begin[kind]; k < block->end[kind]; k++)
			out[k] = als->base[k] * task->system.factor + task->system.raised[kind];
}

/*
 * Brings a task's shifts to what they count as, for the traces of its cells' part: the sums of diagonal[k * step],
 * less those of before (NULL: 0), over each kind of dimensions; see ridge.h.
 */
static inline void
mf_single_raise(const MfAls *als, MfTask *task, const float *diagonal, const float *before, int step)
{
	for (int kind = 0; kind < MF_KINDS; kind++)
	{
		double		trace = 0.0;

		if (!mf_block_has(task->block, (MfKind) kind))
			continue;
		for (int k = task->block->begin[kind]; diagonal != NULL && k < task->block->end[kind]; k++)
			trace += diagonal[k * step] - (before != NULL ? before[k] : 0.0f);
		task->system.raised[kind] = mf_sweep_shift(als, &task->system, (MfKind) kind, trace);
	}
	task->system.raised_bias = (float) mf_bias_ridge(task->system.bias_shift, task->weight_sum);
}

/* Adds a system's loss. */
static inline void
mf_single_account(MfAls *als, const MfTask *task, double explained, bool good)
{
	mf_sweep_account(als, task->row.row, &task->system, task->block, task->x, task->constant - explained, good);
}

/* als_cg.c */
extern void mf_cg_solve(MfAls *als, const MfSingleSpace *space, MfTask *task);

#endif

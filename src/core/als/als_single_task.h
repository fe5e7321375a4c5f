/*
 * als_single_task.h - one system at a time: what Cholesky's method and conjugate gradients share.
 */
#ifndef MF_ALS_SINGLE_TASK_H
#define MF_ALS_SINGLE_TASK_H

#include "core/als/als_state.h"

/* A worker's scratch space. */
typedef struct MfSingleSpace
{
	MfPanel		panel;			/* all of a row's vectors, where they fit */
	float	   *matrix;			/* (ld + MF_MAX_RIGHT) x ld */
	float	   *other;			/* ld x ld: the second system's matrix, or the dual's */
	float	   *inverse;		/* ld */
	float	   *work;			/* 16 x ld */
	float	   *vector[8];		/* ld each */
	float	   *solved[MF_TERMS];	/* MF_GROUP x ld: vectors of the rows at hand, of users the first alone */
	float	   *turned;			/* MF_GROUP x ld */
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
	double		constant;
	double		target_sum;
	double		weight_sum;
} MfTask;

extern void mf_single_diagonal(const MfAls *als, const MfTask *task, float *out);
extern void mf_single_raise(const MfAls *als, MfTask *task, const float *diagonal, const float *before, int step);
extern void mf_single_account(MfAls *als, const MfTask *task, double explained, bool good);

/* als_cg.c */
extern void mf_cg_solve(MfAls *als, const MfSingleSpace *space, MfTask *task);

#endif

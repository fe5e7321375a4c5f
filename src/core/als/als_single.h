/*
 * als_single.h - one system at a time: what Cholesky's method and conjugate gradients share.
 */
#ifndef MF_ALS_SINGLE_H
#define MF_ALS_SINGLE_H

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
} MfSingleSpace;

/* One system of a row, with all that is needed to solve it. */
typedef struct MfTask
{
	MfSystem	system;
	MfPart		part;
	const float *right;			/* ld: targets' sum */
	const float *bias_right;	/* ld: the bias's vector */
	double		constant;
	double		target_sum;
	double		weight_sum;
} MfTask;

/* als_single.c */
extern void mf_single_diagonal(const MfAls *als, const MfSystem *system, float *out);
extern void mf_single_raise(const MfAls *als, MfTask *task, double trace);
extern void mf_single_account(MfAls *als, int64_t r, const MfTask *task, double explained, bool good);

/* als_cg.c */
extern void mf_cg_solve(MfAls *als, const MfSingleSpace *space, int64_t r, MfPart part, bool interest, bool rating);

#endif

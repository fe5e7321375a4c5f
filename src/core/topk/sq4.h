/*
 * sq4.h - 4-bit codes of the items' leading coordinates; see sq4.c for what they bound.
 */
#ifndef MF_SQ4_H
#define MF_SQ4_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/threads.h"
#include "core/kernels/score.h"
#include "core/topk/index.h"

/* Norms that codes are made for; others pass every test. */
#define MF_LEAST_CODED 1e-10f
#define MF_MOST_CODED 1e15f

/* How an index is going to be coded; arrays are in the builder's workspace. */
typedef struct MfSq4Plan
{
	int			dims;			/* leading coordinates, a multiple of 16; 0: no codes */
	float		skew;			/* see MfIndex */
	double	   *rotation;		/* d x d, orthonormal rows */
	double	   *spread;			/* ld */
} MfSq4Plan;

/* A query in the terms of codes. */
typedef struct MfSqQuery
{
	int8_t	   *code;			/* one of each coded coordinate, -127 .. 127 */
	float	   *coordinate;		/* scratch: one of each */
	float		per_error;		/* see MfSqBounds */
	float		per_length;
	float		per_rest;
	float		per_skew;
	float		unit;
	float		shift;
} MfSqQuery;

extern size_t mf_sq4_workspace(int64_t nitems, int factors, const MfParallel *parallel);
extern bool mf_sq4_plan(MfSq4Plan *plan, const MfIndex *index, const MfItems *items, MfQuantization codes,
						  void *workspace, const MfParallel *parallel);
extern size_t mf_sq4_plan_workspace(int64_t nitems, int factors, const MfParallel *parallel);
extern bool mf_sq4_fill(const MfIndex *index, const MfSq4Plan *plan, void *workspace,
						  const MfParallel *parallel);
extern bool mf_sq4_query(MfSqQuery *code, const MfIndex *index, const float *query, double norm);

#endif

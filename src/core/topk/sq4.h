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

/* Norms that codes are made for, of 4 bits and of 8; items with others pass every test. */
#define MF_LEAST_CODED 1e-10f
#define MF_MOST_CODED 1e15f

/* How an index is going to be coded; arrays are in the builder's workspace. */
typedef struct MfSq4Plan
{
	int			dims;			/* leading coordinates, a multiple of 16; 0: no codes */
	bool		flat;			/* searches by these codes alone: norms prune little */
	float		skew;			/* see MfSq4 */
	const float *rotation;		/* dims x ld: see MfSq4 */
	float	   *workspace;		/* (MF_PACK + 1) x ld a worker: coordinates of the pack at work */
} MfSq4Plan;

/* A query in the terms of codes, of 4 bits or 8; numbers are those of MfSqBounds. */
typedef struct MfSqQuery
{
	int8_t	   *code;			/* one of each coded coordinate, -127 .. 127 */
	float	   *coordinate;		/* one of each: workspace; 4 bits only */
	float		per_error;
	float		per_length;
	float		per_rest;
	float		per_skew;
	float		unit;
	float		shift;
} MfSqQuery;

/*
 * MF_PACK coordinates of a vector of ld floats: out = rows first .. first + 15 of rotation (ld floats each) times it,
 * each off by at most mf_score_error(ld) of the norms.
 */
static inline void
mf_sq4_rotate(const MfScore *kernels, const float *rotation, int first, const float *vector, int ld, float *out)
{
	int32_t		row[MF_PACK];

	for (int r = 0; r < MF_PACK; r++)
		row[r] = first + r;
	kernels->score_rows(vector, ld, rotation, row, NULL, NULL, 0, out);
}

extern size_t mf_sq4_workspace(int64_t nitems, int factors, const MfParallel *parallel);
extern bool mf_sq4_plan(MfSq4Plan *plan, const MfIndex *index, const MfItems *items, MfQuantization quantization,
						void *workspace, const MfParallel *parallel);
extern bool mf_sq4_fill(const MfIndex *index, const MfSq4Plan *plan, const MfParallel *parallel);
extern void mf_sq4_recode(const MfIndex *index, int64_t block, float *workspace);
extern bool mf_sq4_query(MfSqQuery *code, const MfIndex *index, const float *query, double norm);

#endif

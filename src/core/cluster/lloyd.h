/*
 * lloyd.h - steps of Lloyd's algorithm, and the rows' distances from many centers that it and its starts are made of.
 */
#ifndef MF_LLOYD_H
#define MF_LLOYD_H

#include <stdbool.h>

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/cluster/points.h"
#include "core/kernels/dense.h"
#include "core/kernels/nearest.h"

/* Centers are scored so many at a time, and padded to a multiple of what a tile has. */
#define MF_CENTERS_AT_ONCE 64
#define MF_CENTER_PADDING 8

/* Parts of the rows: not of the threads, so that these do not change a bit of what is added up. */
#define MF_MOST_PARTS 32

/* Centers, and what a worker needs to score some rows by them. */
typedef struct MfScoring
{
	const MfDense *dense;
	const MfNearest *nearest;
	int			d;
	int			ld;
	int			k;				/* centers */
	float	   *center;			/* k, padded, x ld; padding 0 */
	float	   *offset;			/* k, padded: minus half of the squared length; minus infinity for padding */
	float	   *panel;			/* workers x 2 x MF_NEAREST_ROWS x ld: rows, and the same transposed */
	float	   *score;			/* workers x MF_CENTERS_AT_ONCE x MF_NEAREST_ROWS */
} MfScoring;

/* Rows and centers, and what is known of their distances. */
typedef struct MfLloyd
{
	const MfParallel *parallel;
	MfPoints	points;
	MfScoring	scoring;
	int			most;			/* centers that there is room for */
	int			nparts;
	float	   *norm;			/* n: squared lengths */
	int32_t    *cluster;		/* n; -1: not known yet */
	float	   *upper;			/* n: the row's center is at most so far away */
	float	   *lower;			/* n: and every other one at least so far */
	float	   *drift;			/* most: how far the last step has moved each center */
	float		longest;		/* of the centers' lengths */
	int			farthest;		/* the center that has moved farthest; */
	float		most_drift;		/* how far, */
	float		next_drift;		/* and the next one */
	double	   *sum;			/* nparts x most x d: of the rows in each cluster */
	int64_t    *count;			/* nparts x most */
	int64_t    *moved;			/* nparts: rows that the last step has put elsewhere */
	double		variance;		/* mean squared length of the rows, over d */
} MfLloyd;

extern void mf_scoring_lay_out(MfScoring *scoring, MfArena *arena, int d, int k, const MfParallel *parallel);
extern void mf_scoring_set(MfScoring *scoring, int k);
extern double mf_scoring_error(const MfScoring *scoring, float norm, float longest);

extern void mf_lloyd_lay_out(MfLloyd *lloyd, MfArena *arena, const MfPoints *points, int most, const MfParallel *parallel);
extern MfError mf_lloyd_begin(MfLloyd *lloyd, int k);
extern MfError mf_lloyd_assign(MfLloyd *lloyd);
extern double mf_lloyd_move(MfLloyd *lloyd);
extern MfError mf_lloyd_measure(MfLloyd *lloyd, float *distance, double *inertia);

#endif

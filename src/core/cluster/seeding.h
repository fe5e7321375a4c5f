/*
 * seeding.h - centers to begin with.
 */
#ifndef MF_SEEDING_H
#define MF_SEEDING_H

#include "core/cluster/lloyd.h"

/* Candidates for a center: 2 + log k of them, and 8 are scored at the price of one. */
#define MF_MOST_CANDIDATES 16

/* Rows, and how far each is from the centers chosen so far. */
typedef struct MfSeeding
{
	const MfParallel *parallel;
	MfPoints	points;
	int64_t		npanels;		/* of MF_NEAREST_ROWS rows */
	MfScoring	scoring;		/* of candidates */
	float	   *turned;			/* npanels x ld x MF_NEAREST_ROWS: the rows, transposed */
	float	   *norm;			/* by panel: squared lengths */
	float	   *closest;		/* by panel: squared distance from the nearest center; 0 behind the last row */
	float	   *closer;			/* candidates x by panel: what would become of it */
	double		sum[MF_MOST_PARTS]; /* of closest, in each part of the panels */
	double		sums[MF_MOST_PARTS][MF_MOST_CANDIDATES];	/* of closer */
	uint64_t	seed;
	uint64_t	drawn;			/* random numbers so far */
} MfSeeding;

extern void mf_seeding_lay_out(MfSeeding *seeding, MfArena *arena, const MfPoints *points, const MfParallel *parallel);
extern MfError mf_seeding_begin(MfSeeding *seeding);
extern MfError mf_seeding_choose(MfSeeding *seeding, uint64_t seed, int wanted, float *center, int *count);

#endif

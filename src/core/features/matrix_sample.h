/*
 * matrix_sample.h - the features of some items, few enough to be gone over again and again; see matrix_sample.c for
 * which.
 */
#ifndef MF_MATRIX_SAMPLE_H
#define MF_MATRIX_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/sparse_rows.h"
#include "core/base/threads.h"
#include "core/features/feature_matrix.h"
#include "core/features/held_out.h"

/* MfPasses over rows in memory: one part. */
typedef struct MfWholePass
{
	MfRows		rows;
	bool		done;
} MfWholePass;

/* Items that maps are fitted to, and items held out that they predict. */
typedef struct MfMatrixSample
{
	const MfFeatureMatrix *from;
	const MfParallel *parallel;
	int64_t		count;			/* items that maps are fitted to */
	int32_t    *item;			/* count: their numbers, ascending */
	MfFeatureMatrix fitted;		/* count x the features that any of them has */
	MfFeatureMatrix held;		/* by_item alone: the held-out items, in the order of their places, x the same
								 * features */
	int32_t    *block_start;	/* of both */
	int32_t    *feature;		/* from->nfeatures: number among those, or -1 */
	MfMatrix	by_item;
	MfMatrix	by_feature;
	MfMatrix	held_rows;
	MfWholePass item_pass;
	MfWholePass feature_pass;
	MfWholePass held_pass;
	int32_t    *keys;
	void	   *space;
} MfMatrixSample;

/* Laid out twice, to measure and to take, like held_out.h's; then taken once, for items that have been held out. */
extern void mf_matrix_sample_lay_out(MfMatrixSample *sample, MfArena *arena, const MfFeatureMatrix *from,
									 const MfParallel *parallel);
extern MfError mf_matrix_sample_take(MfMatrixSample *sample, MfHeldOut *held, const float *weight, int third);

#endif

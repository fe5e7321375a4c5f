/*
 * feature_matrix.h - the attributes of items as numbers: a sparse matrix of items by features, in both orientations.
 */
#ifndef MF_FEATURE_MATRIX_H
#define MF_FEATURE_MATRIX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/sparse_rows.h"

/*
 * The rows of one orientation, pass after pass: in memory in one part, or spilled in several.  A pass is rewind(),
 * then next() until it answers false; parts are in ascending order of rows and together are all of them.  What a part
 * points to stays until the next call.  Both are called by the thread that called the core, and next() may raise
 * errors of the caller's own: nothing of the core is held meanwhile.
 */
typedef struct MfPasses
{
	void	   *state;
	MfError		(*rewind) (void *state);
	bool		(*next) (void *state, MfRows *rows);
} MfPasses;

/* Items by features.  MfRows.rating has the values (NULL: all are 1); MfRows.weight is not looked at. */
typedef struct MfFeatureMatrix
{
	int64_t		nitems;			/* rows of by_item: all items, cold ones too */
	int32_t		nfeatures;
	MfPasses	by_item;		/* nitems x nfeatures */
	MfPasses	by_feature;		/* nfeatures x nitems, the same cells */
	int			nblocks;		/* columns of the relation: the features of each have one strength */
	const int32_t *block_start; /* nblocks + 1: features of block b are block_start[b] .. block_start[b + 1] - 1 */
	int64_t		ncells;			/* of all rows, in either orientation */
} MfFeatureMatrix;

#endif

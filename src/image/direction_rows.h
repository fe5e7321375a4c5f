/*
 * direction_rows.h - the vectors by which items are alike, from those that a block has.
 */
#ifndef MFREC_DIRECTION_ROWS_H
#define MFREC_DIRECTION_ROWS_H

#include "core/als/objective.h"
#include "core/topk/index.h"

/* What these vectors are made from; all but the length are views into a block. */
typedef struct DirectionRows
{
	const MfObjective *objective;
	const MfIndex *index;		/* list vectors v_i */
	const float *interest;		/* x ld of the index, by position: s_i; NULL: v_i and q_i give it back */
	const float *rating;		/* x ld of the index, by position: q_i; NULL: v_i says it */
	const int32 *counts;		/* nitems */
	const float *cold_shift;	/* ld of the index */
} DirectionRows;

extern int	DirectionLength(const MfObjective *objective);
extern MfVectors ViewDirectionRows(DirectionRows *rows, const char *block, const MfIndex *index);

#endif

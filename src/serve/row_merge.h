/*
 * row_merge.h - a user's current rows, merged into cells as a training merges them.
 */
#ifndef MFREC_ROW_MERGE_H
#define MFREC_ROW_MERGE_H

#include "core/als/problem.h"
#include "image/image_cache.h"

/* A user's current rows as cells, one an item, as the core folds them in. */
typedef struct CurrentCells
{
	int			n;
	int32	   *item;			/* ascending, distinct */
	float	   *rating;			/* on the ratings' scale */
	double		spread;			/* of these: by what they are divided, as those of training users are */
	float	   *weight;
	int			nothers;		/* items that the user has besides, in any order */
	int32	   *others;
	int			ncancelled;		/* and others, whose values add up to 0 */
	int32	   *cancelled;
	int64		fingerprint;	/* of the rows, those of items that the model does not know included */
	MfFold		fold;
	MfFoldCells cells;
} CurrentCells;

/* One current row of a user, by the number of its item in the image. */
typedef struct NumberedRow
{
	int32		item;
	float		rating;
	float		weight;
} NumberedRow;

extern void MergeRows(NumberedRow *rows, int64 n, const Image *image, CurrentCells *cells);

#endif

/*
 * version_rows.h - what a training has found, as rows of the model tables.
 */
#ifndef MFREC_VERSION_ROWS_H
#define MFREC_VERSION_ROWS_H

#include "model/factor_rows.h"
#include "train/training.h"

/*
 * What is stored of n items, with ratings and without, in the order of their ids; ld = mf_padded(d).  It is the
 * training's own where there are no cold items, which the training has behind the others.
 */
typedef struct StoredItems
{
	IdMap	   *ids;
	int64		n;
	const int32 *counts;		/* n */
	const float *interest;		/* n x ld; NULL without an interest part */
	const float *rating;		/* n x ld; NULL without a rating part */
	const float *bias;			/* n; NULL without a rating part */
	const int32 *numbers;		/* n: by which users' rows name them, see NumberByRatings() */
	const float *prior;			/* n x ld: what attributes make of them; NULL without */
	const bool *has_prior;		/* n: see FindPriors() */
	const int64 *fingerprints;	/* n: of their rows */
	const float *trends;		/* n: their faded counts; NULL without times */
} StoredItems;

extern void SortItems(const Training *training, const int32 *numbers, StoredItems *items);
extern FactorRows UserFactorRows(const Training *training, SeenRows *seen);
extern FactorRows ItemFactorRows(const Training *training, const StoredItems *items);
extern void DescribeVersion(Training *training, Feedback feedback, ModelVersion *version);
extern void TakeVersionItems(Training *training, Oid relid, int32 version, const IdType *item);

#endif

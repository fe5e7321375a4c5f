/*
 * fingerprints.h - which rows users and items have: sums of hashes of them, while rows are read.
 */
#ifndef MFREC_FINGERPRINTS_H
#define MFREC_FINGERPRINTS_H

#include "read/row_batch.h"
#include "source/ratings.h"

extern Fingerprints *CreateFingerprints(void);
extern void AddFingerprints(Fingerprints *prints, int64 nusers, int64 nitems, const RowBatch *batch, const int32 *users,
							const int32 *items);

#endif

/*
 * feature_cells.h - the matrix of items x features and its transpose, from what was read of items.
 */
#ifndef MFREC_FEATURE_CELLS_H
#define MFREC_FEATURE_CELLS_H

#include "features/features_choose.h"

extern double NumberCell(double number, double mean, double deviation);
extern double TimesWeight(double times);
extern void MakeFeatureCells(Features *features, Attributes *attributes, Numbers *numbers, const Choices *choices,
							 const int32 *rank, int64 budget, const MfParallel *parallel);

#endif

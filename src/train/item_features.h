/*
 * item_features.h - the arguments of a training about attributes of items, and the relation that they name.
 */
#ifndef MFREC_ITEM_FEATURES_H
#define MFREC_ITEM_FEATURES_H

#include "features/feature_source.h"
#include "train/train_options.h"

extern bool HasItemFeatures(const TrainOptions *options);
extern void OpenItemFeatures(FeatureSource *source, const TrainOptions *options, const char *model,
							 const IdType *items);
extern void KeepItemFeatures(TrainOptions *options, const FeatureSource *source);

#endif

/*
 * features_load.h - from a relation of items' attributes to features.
 */
#ifndef MFREC_FEATURES_LOAD_H
#define MFREC_FEATURES_LOAD_H

#include "core/base/threads.h"
#include "features/feature_source.h"
#include "features/features.h"

extern Features *LoadFeatures(const FeatureSource *source, IdMap *items, int64 budget, const MfParallel *parallel);

#endif

/*
 * map_trial.h - what a map of features is worth: how strongly its blocks are held, and whether known items are drawn to it.
 */
#ifndef MFREC_MAP_TRIAL_H
#define MFREC_MAP_TRIAL_H

#include "train/item_map.h"

extern void TryItemMap(Training *t);

#endif

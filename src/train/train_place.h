/*
 * train_place.h - whether a training goes on where the rows of a distributed table lie.
 */
#ifndef MFREC_TRAIN_PLACE_H
#define MFREC_TRAIN_PLACE_H

#include "model/model_catalog.h"
#include "source/source.h"
#include "train/train_options.h"

/* Where a training of a distributed table goes on. */
typedef enum Distribute
{
	DISTRIBUTE_DEFAULT,			/* where its rows are if these are many and it can, else here */
	DISTRIBUTE_NEVER,
	DISTRIBUTE_ALWAYS			/* an error where it cannot */
} Distribute;

extern bool TrainsOnNodes(const TrainOptions *options, Distribute asked, const Source *source, const Model *model);

#endif

/*
 * train.h - from a source of ratings to a new version of a model.
 */
#ifndef MFREC_TRAIN_H
#define MFREC_TRAIN_H

#include "model/model_write.h"
#include "train/train_options.h"
#include "train/train_place.h"

typedef struct TrainRequest
{
	Oid			source;
	char	   *model;			/* NULL: the relation's name */
	char	   *schema;			/* of new model tables; NULL: the source's */
	bool		warm;			/* mf_retrain: start from the current version's factors */
	double		guard;			/* the share of the pairs that is kept from learning to see whether the version may
								 * serve; 0: none */
	Distribute	distribute;
	bool		withhold;		/* serve => false: the version is stored, and does not serve */
	TrainOptions options;
} TrainRequest;

extern char *Train(const TrainRequest *request, ModelVersion *result);

#endif

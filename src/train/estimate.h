/*
 * estimate.h - what a training would take.
 */
#ifndef MFREC_ESTIMATE_H
#define MFREC_ESTIMATE_H

#include "train/train.h"

typedef struct Estimate
{
	int64		ratings;
	int64		users;
	int64		items;
	int32		factors;
	int32		iterations;
	int64		memory;			/* bytes */
	int64		temporary;		/* bytes of temporary files */
	int64		storage;		/* bytes of the version's rows */
	double		seconds;
} Estimate;

extern void EstimateTraining(const TrainRequest *request, Estimate *estimate);

#endif

/*
 * tune.h - the search for parameters, on a validation split of its own.
 */
#ifndef MFREC_TUNE_H
#define MFREC_TUNE_H

#include "train/train.h"
#include "tune/tune_request.h"

extern void Tune(const TuneRequest *request, TuneResult *result);
extern void TrainWinner(TrainRequest *request, const Trial *trials);

#endif

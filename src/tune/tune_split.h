/*
 * tune_split.h - the rows that trials are trained on, and those that they are measured by.
 */
#ifndef MFREC_TUNE_SPLIT_H
#define MFREC_TUNE_SPLIT_H

#include "tune/tune_state.h"

extern double BeginTuning(Tuner *t);
extern void LoadSplit(Tuner *t, double from, double fraction, int64 sample_users);
extern void FreeSplit(Tuner *t);
extern void WeighSplit(Tuner *t, const Trial *trial);

#endif

/*
 * tune_run.h - what is done of a training to see what a trial is worth.
 */
#ifndef MFREC_TUNE_RUN_H
#define MFREC_TUNE_RUN_H

#include "tune/tune_state.h"

extern void MakeStart(Tuner *t, bool sketch);
extern void RunTrial(Tuner *t, Trial *trial, bool sketch);
extern void RunAlone(Tuner *t, Trial *trial);
extern double TrainTrial(Tuner *t, const Trial *trial, int iterations);

#endif

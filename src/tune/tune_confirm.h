/*
 * tune_confirm.h - whether the best trial is better than the preset on rows that the search has not seen.
 */
#ifndef MFREC_TUNE_CONFIRM_H
#define MFREC_TUNE_CONFIRM_H

#include "tune/tune_state.h"

extern bool IsConfirmed(Tuner *t, Trial *best, double searched);

#endif

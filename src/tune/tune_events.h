/*
 * tune_events.h - the kinds of events whose weights a search looks for.
 */
#ifndef MFREC_TUNE_EVENTS_H
#define MFREC_TUNE_EVENTS_H

#include "source/source.h"

extern EventWeights *FindKinds(const Source *source, const char *column, const char *relevant);

#endif

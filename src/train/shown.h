/*
 * shown.h - whether users rated what they chose, or what they were shown.
 */
#ifndef MFREC_SHOWN_H
#define MFREC_SHOWN_H

#include "train/training.h"

extern void NoticeShown(const Training *t, const char *source);

#endif

/*
 * validation_there.h - rows held out on the nodes that have them.
 */
#ifndef MFREC_VALIDATION_THERE_H
#define MFREC_VALIDATION_THERE_H

#include "train/training.h"

extern ValidationRows *RowsThere(Training *t);
extern void ValidateThere(Training *t);

#endif

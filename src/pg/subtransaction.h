/*
 * subtransaction.h - what may fail without the transaction.
 */
#ifndef MFREC_SUBTRANSACTION_H
#define MFREC_SUBTRANSACTION_H

#include "utils/elog.h"

extern ErrorData *TryInSubtransaction(void (*function) (void *state), void *state);

#endif

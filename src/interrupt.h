/*
 * interrupt.h - how the core's threads and errors meet the server's.
 */
#ifndef MFREC_INTERRUPT_H
#define MFREC_INTERRUPT_H

#include "core/error.h"
#include "core/threads.h"

extern void InitParallel(MfParallel *parallel);
extern void CheckCore(MfError error);

#endif

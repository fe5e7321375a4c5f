/*
 * core_call.h - how the core's threads and errors meet the server's.
 */
#ifndef MFREC_CORE_CALL_H
#define MFREC_CORE_CALL_H

#include "core/base/error.h"
#include "core/base/threads.h"

extern void InitParallel(MfParallel *parallel);
extern void CheckCore(MfError error);

#endif

/*
 * codes.h - 4-bit codes of the items' leading coordinates; see codes.c for what they bound.
 */
#ifndef MF_CODES_H
#define MF_CODES_H

#include <stddef.h>

#include "index.h"

extern size_t mf_codes_workspace(int factors, const MfParallel *parallel);

#endif

/*
 * lookup_cost.h - whether a user's rows in a source are cheap to find.
 */
#ifndef MFREC_LOOKUP_COST_H
#define MFREC_LOOKUP_COST_H

#include "source/source.h"

extern bool SourceServesFresh(const Source *source, const char *again);

#endif

/*
 * missing_rows.h - rows of a version that should be there: an error where they are not.
 */
#ifndef MFREC_MISSING_ROWS_H
#define MFREC_MISSING_ROWS_H

#include "model/model_cache.h"

extern bool SeesAllRows(Oid relid);
extern void CheckNoRows(const Model *model, int32 version, bool users);
extern void CheckNoUsers(CachedModel *cached, int32 version);

#endif

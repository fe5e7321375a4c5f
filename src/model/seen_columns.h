/*
 * seen_columns.h - the columns with what users have, in tables of models that are older than they.
 */
#ifndef MFREC_SEEN_COLUMNS_H
#define MFREC_SEEN_COLUMNS_H

#include "model/model_catalog.h"

extern bool AddSeenColumns(const Model *model);
extern void AddFingerprintColumns(const Model *model);
extern bool AddTrendColumn(const Model *model);
extern void AddSpreadColumn(const Model *model);
extern void AddPriorColumn(const Model *model, Oid relid);

#endif

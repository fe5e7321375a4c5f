/*
 * table_distribute.h - the bookkeeping and model tables, given to Citus so that every node serves.
 */
#ifndef MFREC_TABLE_DISTRIBUTE_H
#define MFREC_TABLE_DISTRIBUTE_H

#include "model/model_catalog.h"

extern int	DistributeBookkeeping(void);
extern void CheckMayCreateTables(const Model *model);
extern bool DistributeUsers(const Model *model);
extern bool DistributeWhole(Oid relid);

#endif

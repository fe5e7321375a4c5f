/*
 * spi_query.h - queries whose rows go to a receiver as the executor finds them.
 */
#ifndef MFREC_SPI_QUERY_H
#define MFREC_SPI_QUERY_H

#include "executor/spi.h"
#include "tcop/dest.h"

extern SPIPlanPtr PrepareOnce(const char *sql, int nargs, Oid *types);
extern TransactionId CheckPlanRowsVisible(SPIPlanPtr plan);
extern uint64 RunSql(const char *sql, int nargs, Oid *types, Datum *values, bool read_only);
extern void RunQuery(const char *sql, Oid type, Datum value, bool read_only, DestReceiver *receiver);
extern void RunQueryWith(const char *sql, int nargs, Oid *types, const Datum *values, bool read_only,
						 DestReceiver *receiver);
extern int64 QueryNumber(const char *sql, Oid type, Datum value);
extern void RunQueryAlone(const char *sql, DestReceiver *receiver);
extern void RunPrepared(const char *sql, Oid type, Datum value, DestReceiver *receiver);

#endif

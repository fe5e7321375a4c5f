/*
 * citus.h - tables whose rows Citus keeps elsewhere, and calls that it runs elsewhere.
 */
#ifndef MFREC_CITUS_H
#define MFREC_CITUS_H

extern bool IsCitusTable(Oid relid);
extern bool CitusFindsRows(Oid relid, const char *column);
extern bool IsCitusTask(void);

#endif

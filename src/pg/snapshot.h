/*
 * snapshot.h - whether the active snapshot sees the rows of a table that is read now.
 */
#ifndef MFREC_SNAPSHOT_H
#define MFREC_SNAPSHOT_H

extern bool IsAfterSnapshot(TransactionId xid);
extern TransactionId CheckRowsVisible(Oid relid);
extern void CheckRowsVisibleToWriter(Oid relid);
extern void PushLatestSnapshot(void);

#endif

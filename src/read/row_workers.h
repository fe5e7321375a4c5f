/*
 * row_workers.h - parallel workers that read rows of tables for the process that has the dictionaries.
 */
#ifndef MFREC_ROW_WORKERS_H
#define MFREC_ROW_WORKERS_H

#include "access/parallel.h"
#include "nodes/pg_list.h"
#include "utils/snapshot.h"

#include "core/base/threads.h"
#include "read/row_batch.h"
#include "read/row_scan.h"

/* Batches that a worker may be ahead of the leader: 640 kB. */
#define RING_BATCHES 16

/*
 * What the processes of a scan share; behind it lie tables, their scans, the source, rings and rows of each kind of
 * event.
 */
typedef struct SharedRows SharedRows;

/* A scan by this process and its workers, if there are any. */
typedef struct RowCrew
{
	ParallelContext *context;	/* NULL: this process is alone */
	SharedRows *shared;
	int			workers;		/* that have been started */
	bool		attached;		/* all of them are known to run */
} RowCrew;

extern int	CountRowWorkers(const List *tables, const MfParallel *parallel);
extern void StartRowCrew(RowCrew *crew, const RowTaker *taker, const List *tables, Snapshot snapshot, int workers);
extern void InitCrewScan(const RowCrew *crew, RowScan *scan, RowTaker *taker);
extern const RowBatch *WaitingBatch(const RowCrew *crew);
extern void ReleaseBatch(const RowCrew *crew, const RowBatch *batch);
extern bool WaitForBatch(RowCrew *crew);
extern void EndRowCrew(RowCrew *crew, RowTaker *taker);

extern PGDLLEXPORT void mfrec_read_rows(dsm_segment *segment, shm_toc *toc);

#endif

/*
 * row_workers.c - parallel workers that read rows of tables for the process that has the dictionaries.
 *
 * All processes of a scan, the leader too, take blocks of the tables as a parallel plan's do, and make batches of their
 * rows.  A worker has a ring of them in shared memory: it fills one after the other while the leader, who numbers their
 * ids, empties them.  So nothing is copied, and there is no lock but where one has to wait for the other.
 *
 * Which rows count is decided where they are read; errors of rows are raised by the leader, so that they are the same
 * whoever has met them.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "port/atomics.h"
#include "storage/bufmgr.h"
#include "storage/condition_variable.h"
#include "utils/rel.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "read/row_workers.h"
#include "read/shared_source.h"

#define KEY_SHARED UINT64CONST(1)

/* The batches of a worker: number n of all is at n % RING_BATCHES. */
typedef struct RowRing
{
	ConditionVariable space;	/* the leader has emptied one */
	pg_atomic_uint32 filled;	/* batches so far, */
	pg_atomic_uint32 emptied;	/* of these so many are free again */
	pg_atomic_uint32 finished;	/* 1: there will be no more, and what follows is complete */
	BadRow		bad;
	RowTally	tally;
	RowBatch	batch[RING_BATCHES];
} RowRing;

struct SharedRows
{
	ConditionVariable ready;	/* a worker has filled a batch, or has finished */
	bool		marks;
	bool		with_others;
	bool		pairs;
	int			ntables;
	int			nevents;		/* kinds, 0 without */
	Size		filter;			/* places from here on: RowFilter, or 0 without, */
	Size		tables;			/* SharedTable[ntables], */
	Size		source;			/* what PackSource() has made, */
	Size		rings;			/* RowRing of each worker, */
	Size		event_rows;		/* int64[nevents] of each worker, and the end */
	Size		size;
};

/* What lies at a place of shared memory. */
static inline void *
At(SharedRows *shared, Size place)
{
	return (char *) shared + place;
}

static inline SharedTable *
Tables(SharedRows *shared)
{
	return At(shared, shared->tables);
}

static inline RowRing *
Ring(SharedRows *shared, int worker)
{
	return (RowRing *) At(shared, shared->rings) + worker;
}

static inline int64 *
EventRows(SharedRows *shared, int worker)
{
	return (int64 *) At(shared, shared->event_rows) + (Size) worker * shared->nevents;
}

/* What tables say of how many workers they are worth. */
typedef struct TableSizes
{
	int64		blocks;
	int			wanted;			/* by the storage parameter parallel_workers, the most of all; -1: none has it */
	bool		alone;			/* some of them are to be read by their session alone */
} TableSizes;

/* Adds up what tables say. */
static void
SumSizes(const List *tables, TableSizes *sizes)
{
	ListCell   *cell;

	*sizes = (TableSizes) {.wanted = -1};
	foreach(cell, tables)
	{
		Relation	rel = table_open(((PlainTable *) lfirst(cell))->relid, NoLock);
		int			wanted = RelationGetParallelWorkers(rel, -1);

		sizes->blocks += RelationGetNumberOfBlocks(rel);
		sizes->wanted = Max(sizes->wanted, wanted);
		sizes->alone |= RelationUsesLocalBuffers(rel) || wanted == 0;
		table_close(rel, NoLock);
	}
}

/*
 * How many workers a scan of tables is worth: as CREATE INDEX has it, what their storage parameter says, else by their
 * size as for the planner and one less than there are threads; within the settings of maintenance.  None for temporary
 * tables, which only their session can read.
 */
int
CountRowWorkers(const List *tables, const MfParallel *parallel)
{
	int64		least = Max(min_parallel_table_scan_size, 1);
	int			workers;
	TableSizes	sizes;

	if (IsParallelWorker() || parallel->nthreads < 2)
		return 0;
	SumSizes(tables, &sizes);
	if (sizes.alone)
		return 0;
	workers = min_parallel_table_scan_size == 0 || sizes.blocks >= least;
	for (int64 blocks = sizes.blocks; workers > 0 && workers < parallel->nthreads - 1 && blocks >= 3 * least; blocks /= 3)
		workers++;
	if (sizes.wanted > 0)
		workers = sizes.wanted;
	return Min(workers, Min(max_parallel_maintenance_workers, max_parallel_workers));
}

/* Lays out shared memory for so many workers: sizes and places alone. */
static void
LayOut(SharedRows *shared, const RowTaker *taker, const List *tables, int workers)
{
	const Source *source = taker->source;

	memset(shared, 0, sizeof(SharedRows));
	shared->ntables = list_length(tables);
	shared->nevents = source->event_column ? source->events.weights->count : 0;
	shared->filter = taker->filter ? BUFFERALIGN(sizeof(SharedRows)) : 0;
	shared->tables = BUFFERALIGN(sizeof(SharedRows)) + (taker->filter ? BUFFERALIGN(sizeof(RowFilter)) : 0);
	shared->source = BUFFERALIGN(add_size(shared->tables, mul_size(sizeof(SharedTable), shared->ntables)));
	shared->rings = BUFFERALIGN(add_size(shared->source, PackedSourceSize(source)));
	shared->event_rows = add_size(shared->rings, mul_size(sizeof(RowRing), workers));
	shared->size = BUFFERALIGN(add_size(shared->event_rows, mul_size(sizeof(int64) * shared->nevents, workers)));
}

/* The same with the scans of tables, which come last. */
static Size
SharedSize(SharedRows *layout, const List *tables, Snapshot snapshot)
{
	Size		size = layout->size;
	ListCell   *cell;

	foreach(cell, tables)
	{
		Relation	rel = table_open(((PlainTable *) lfirst(cell))->relid, NoLock);

		size = add_size(size, BUFFERALIGN(table_parallelscan_estimate(rel, snapshot)));
		table_close(rel, NoLock);
	}
	return size;
}

/* Fills in tables and their scans. */
static void
ShareTables(SharedRows *shared, const List *tables, Snapshot snapshot)
{
	Size		place = shared->size;

	for (int i = 0; i < shared->ntables; i++)
	{
		SharedTable *table = &Tables(shared)[i];
		Relation	rel;

		table->table = *(const PlainTable *) list_nth(tables, i);
		table->scan = place;
		rel = table_open(table->table.relid, NoLock);
		table_parallelscan_initialize(rel, At(shared, place), snapshot);
		place += BUFFERALIGN(table_parallelscan_estimate(rel, snapshot));
		table_close(rel, NoLock);
	}
}

/* Fills in shared memory, whose places are laid out. */
static void
Share(SharedRows *shared, const RowTaker *taker, const List *tables, Snapshot snapshot, int workers)
{
	shared->marks = taker->marks;
	shared->with_others = taker->with_others;
	shared->pairs = taker->pairs;
	if (taker->filter)
		memcpy(At(shared, shared->filter), taker->filter, sizeof(RowFilter));
	ConditionVariableInit(&shared->ready);
	PackSource(taker->source, At(shared, shared->source));
	memset(EventRows(shared, 0), 0, sizeof(int64) * shared->nevents * workers);
	for (int w = 0; w < workers; w++)
	{
		RowRing    *ring = Ring(shared, w);

		ConditionVariableInit(&ring->space);
		pg_atomic_init_u32(&ring->filled, 0);
		pg_atomic_init_u32(&ring->emptied, 0);
		pg_atomic_init_u32(&ring->finished, 0);
		ring->bad.check = RATING_OK;
		InitTally(&ring->tally);
	}
	ShareTables(shared, tables, snapshot);
}

/* Launches workers for a scan that is laid out, in a segment of shared memory. */
static void
LaunchWorkers(RowCrew *crew, const SharedRows *layout, Size size, const RowTaker *taker, const List *tables, Snapshot snapshot,
			  int workers)
{
	EnterParallelMode();
	crew->context = CreateParallelContext("$libdir/mfrec", "mfrec_read_rows", workers);
	shm_toc_estimate_chunk(&crew->context->estimator, size);
	shm_toc_estimate_keys(&crew->context->estimator, 1);
	InitializeParallelDSM(crew->context);
	crew->shared = shm_toc_allocate(crew->context->toc, size);
	*crew->shared = *layout;
	Share(crew->shared, taker, tables, snapshot, workers);
	shm_toc_insert(crew->context->toc, KEY_SHARED, crew->shared);
	LaunchParallelWorkers(crew->context);
	crew->workers = crew->context->nworkers_launched;
}

/*
 * Begins a scan of tables, by a snapshot that is the active one, with up to so many workers; there may be fewer, or
 * none.  Until EndRowCrew() the process is in parallel mode where it has asked for some.
 */
void
StartRowCrew(RowCrew *crew, const RowTaker *taker, const List *tables, Snapshot snapshot, int workers)
{
	SharedRows	layout;
	Size		size;

	memset(crew, 0, sizeof(RowCrew));
	LayOut(&layout, taker, tables, workers);
	size = SharedSize(&layout, tables, snapshot);
	if (workers > 0)
		LaunchWorkers(crew, &layout, size, taker, tables, snapshot, workers);
	else
	{
		crew->shared = palloc(size);
		*crew->shared = layout;
		Share(crew->shared, taker, tables, snapshot, 0);
	}
	ereport(DEBUG1,
			(errmsg_internal("mfrec: reading %d tables directly, with %d parallel workers", list_length(tables), crew->workers)));
}

/* Prepares this process' own part of the scan. */
void
InitCrewScan(const RowCrew *crew, RowScan *scan, RowTaker *taker)
{
	InitRowScan(scan, taker, (char *) crew->shared, Tables(crew->shared), crew->shared->ntables);
}

/* A batch that a worker has filled, or NULL; to be given back before the next is asked for. */
const RowBatch *
WaitingBatch(const RowCrew *crew)
{
	for (int w = 0; w < crew->workers; w++)
	{
		RowRing    *ring = Ring(crew->shared, w);
		uint32		emptied = pg_atomic_read_u32(&ring->emptied);

		if (pg_atomic_read_u32(&ring->filled) == emptied)
			continue;
		pg_read_barrier();
		return &ring->batch[emptied % RING_BATCHES];
	}
	return NULL;
}

/* Gives back a batch of a worker's, who may fill it again. */
void
ReleaseBatch(const RowCrew *crew, const RowBatch *batch)
{
	int			worker = (int) (((const char *) batch - (const char *) Ring(crew->shared, 0)) / sizeof(RowRing));
	RowRing    *ring = Ring(crew->shared, worker);

	pg_memory_barrier();
	pg_atomic_write_u32(&ring->emptied, pg_atomic_read_u32(&ring->emptied) + 1);
	ConditionVariableSignal(&ring->space);
}

/* Whether all workers have finished, and all of their batches are taken. */
static bool
AllFinished(const RowCrew *crew)
{
	for (int w = 0; w < crew->workers; w++)
		if (pg_atomic_read_u32(&Ring(crew->shared, w)->finished) == 0)
			return false;
	pg_read_barrier();
	return WaitingBatch(crew) == NULL;
}

/* Waits until a worker has filled a batch; false where all have finished.  An error where one was lost. */
bool
WaitForBatch(RowCrew *crew)
{
	bool		more;

	if (crew->workers == 0)
		return false;
	if (!crew->attached)
		WaitForParallelWorkersToAttach(crew->context);
	crew->attached = true;
	ConditionVariablePrepareToSleep(&crew->shared->ready);
	while ((more = !AllFinished(crew)) && WaitingBatch(crew) == NULL)
		ConditionVariableSleep(&crew->shared->ready, PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
	return more;
}

/*
 * All rows have been taken: adds what workers have found in passing, raises the error of a row, and lets go of
 * everything.
 */
void
EndRowCrew(RowCrew *crew, RowTaker *taker)
{
	SharedRows *shared = crew->shared;

	for (int w = 0; w < crew->workers; w++)
	{
		RowRing    *ring = Ring(shared, w);

		if (ring->bad.check != RATING_OK)
			ReportBadRow(taker->source, &ring->bad);
		AddTally(taker->tally, &ring->tally);
		for (int e = 0; e < shared->nevents; e++)
			taker->event_rows[e] += EventRows(shared, w)[e];
	}
	if (crew->context == NULL)
	{
		pfree(shared);
		return;
	}
	WaitForParallelWorkersToFinish(crew->context);
	DestroyParallelContext(crew->context);
	ExitParallelMode();
}

/* The next batch of the ring to be filled, as soon as there is one that is free. */
static RowBatch *
FreeBatch(RowRing *ring)
{
	uint32		filled = pg_atomic_read_u32(&ring->filled);

	if (filled - pg_atomic_read_u32(&ring->emptied) == RING_BATCHES)
	{
		ConditionVariablePrepareToSleep(&ring->space);
		while (filled - pg_atomic_read_u32(&ring->emptied) == RING_BATCHES)
			ConditionVariableSleep(&ring->space, PG_WAIT_EXTENSION);
		ConditionVariableCancelSleep();
	}
	pg_memory_barrier();
	return &ring->batch[filled % RING_BATCHES];
}

/* Hands the batch that was asked for over to the leader. */
static void
HandOver(SharedRows *shared, RowRing *ring)
{
	pg_write_barrier();
	pg_atomic_write_u32(&ring->filled, pg_atomic_read_u32(&ring->filled) + 1);
	ConditionVariableSignal(&shared->ready);
}

/* A worker's whole life: called by name in a process of its own. */
void
mfrec_read_rows(dsm_segment *segment, shm_toc *toc)
{
	SharedRows *shared = shm_toc_lookup(toc, KEY_SHARED, false);
	RowRing    *ring = Ring(shared, ParallelWorkerNumber);
	Source		source;
	RowTaker	taker = {.source = &source,.marks = shared->marks,.with_others = shared->with_others,.pairs = shared->pairs,
	.filter = shared->filter ? At(shared, shared->filter) : NULL,.tally = &ring->tally,
	.event_rows = EventRows(shared, ParallelWorkerNumber)};
	RowScan		scan;
	bool		more = true;

	(void) segment;
	UnpackSource(&source, At(shared, shared->source));
	InitRowScan(&scan, &taker, (char *) shared, Tables(shared), shared->ntables);
	while (more && taker.bad.check == RATING_OK)
	{
		taker.batch = FreeBatch(ring);
		more = ScanBatch(&scan);
		if (taker.batch->ratings + taker.batch->unrated > 0)
			HandOver(shared, ring);
	}
	ring->bad = taker.bad;
	pg_write_barrier();
	pg_atomic_write_u32(&ring->finished, 1);
	ConditionVariableSignal(&shared->ready);
}

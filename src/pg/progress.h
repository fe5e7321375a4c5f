/*
 * progress.h - what a training is doing, for other sessions to see while it runs.
 */
#ifndef MFREC_PROGRESS_H
#define MFREC_PROGRESS_H

#include "utils/timestamp.h"

/* What it does; in the order of time, but for the last. */
typedef enum Phase
{
	PHASE_READ,					/* rows of the source */
	PHASE_SORT,					/* into both orientations */
	PHASE_SWEEP,				/* half-sweeps */
	PHASE_STORE,				/* rows of the model tables */
	PHASE_SWITCH,				/* bookkeeping, removal of old versions */
	PHASE_CLUSTER				/* steps of k-means, of which there is no training */
} Phase;

/* One training that runs right now: the contents of its file. */
typedef struct Progress
{
	uint32		magic;
	uint32		checksum;		/* of all that follows */
	Oid			database;
	int32		pid;
	char		model[NAMEDATALEN];
	int32		phase;
	int32		iteration;		/* completed */
	int32		iterations;		/* at most */
	double		loss;			/* NaN: none yet */
	int64		rows;			/* read so far */
	int64		job;			/* of a training on several nodes, whose number it is; 0: none */
	bool		drives;			/* this session was called, and others have the rows */
	int64		memory;			/* bytes that the training has allocated */
	TimestampTz started;
	TimestampTz sweep_started;
	TimestampTz iterated;		/* end of the last iteration */
} Progress;

/* By the training itself: one a session at a time. */
extern bool ReportsProgress(void);
extern void BeginProgress(const char *model);
extern void ReportJob(int64 job, bool drives);
extern void ReportPhase(Phase phase);
extern void ReportRowsRead(int64 rows);
extern void ReportIteration(int iteration, int iterations, double loss);
extern void EndProgress(void);
extern char *PhaseSecondsToJson(void);

/* By whoever wants to know. */
extern const char *PhaseName(int phase);
extern int	ReadProgress(Progress **trainings);

#endif

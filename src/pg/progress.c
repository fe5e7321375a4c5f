/*
 * progress.c - what a training is doing, for other sessions to see while it runs.
 *
 * An extension that is not preloaded has no shared memory to report in, and pg_stat_progress_* has no place for
 * commands of extensions.  So a training keeps a small file in base/pgsql_tmp, which base backups skip and a
 * restart clears.  Nothing depends on it: where it cannot be written, progress is not visible, and the training
 * goes on.
 *
 * The file is overwritten in place, without a lock; a checksum tells readers whether they have met a write.
 */
#include "postgres.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "pg/json.h"
#include "pg/progress.h"

#define PROGRESS_MAGIC 0x6d665052
#define TEMP_FOLDER "base/pgsql_tmp"
#define FILE_PREFIX "pgsql_tmp_mfrec_progress."

/* Rows between two reports while reading. */
#define REPORT_ROWS 500000

/* What this session's training reports; of no meaning unless training_context is set. */
static Progress current;
static int64 rows_reported;		/* as the file has them */
static TimestampTz phase_began;
static double phase_seconds[PHASE_CLUSTER + 1];	/* of those that are over */
static MemoryContext training_context = NULL;	/* NULL: no training runs in this session */

/* The file of the training that runs in the session of a process; path: MAXPGPATH bytes. */
static void
ProgressPath(char *path, int pid)
{
	snprintf(path, MAXPGPATH, "%s/%s%u.%d", TEMP_FOLDER, FILE_PREFIX, MyDatabaseId, pid);
}

/* CRC-32C of what follows the checksum in the file. */
static uint32
Checksum(const Progress *progress)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &progress->database, sizeof(Progress) - offsetof(Progress, database));
	FIN_CRC32C(crc);
	return crc;
}

/* Overwrites the file of this session's training; does nothing without one, and a failure is of no consequence. */
static void
WriteProgress(void)
{
	char		path[MAXPGPATH];
	int			fd;

	if (training_context == NULL)
		return;
	current.memory = MemoryContextMemAllocated(training_context, true);
	current.checksum = Checksum(&current);
	ProgressPath(path, MyProcPid);
	fd = OpenTransientFile(path, O_WRONLY | O_CREAT | PG_BINARY);
	if (fd < 0)
		return;
	if (pwrite(fd, &current, sizeof(current), 0) != sizeof(current))
		elog(DEBUG1, "could not write \"%s\": %m", path);
	CloseTransientFile(fd);
}

/* Reset callback of the training's memory context, which goes away however the training ends: removes the file. */
static void
RemoveProgress(void *argument)
{
	char		path[MAXPGPATH];

	(void) argument;
	training_context = NULL;
	ProgressPath(path, MyProcPid);
	(void) unlink(path);
}

/* Whether this session reports on a training. */
bool
ReportsProgress(void)
{
	return training_context != NULL;
}

/*
 * Starts to report on a training whose memory context is the current one: when that goes away, so does the
 * report.
 */
void
BeginProgress(const char *model)
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	memset(&current, 0, sizeof(current));
	current.magic = PROGRESS_MAGIC;
	current.database = MyDatabaseId;
	current.pid = MyProcPid;
	strlcpy(current.model, model, NAMEDATALEN);
	current.loss = NAN;
	current.started = phase_began = GetCurrentTimestamp();
	memset(phase_seconds, 0, sizeof(phase_seconds));
	rows_reported = 0;
	training_context = CurrentMemoryContext;
	callback->func = RemoveProgress;
	MemoryContextRegisterResetCallback(training_context, callback);
	(void) mkdir(TEMP_FOLDER, pg_dir_create_mode);
	ReportPhase(PHASE_READ);
}

/* What a phase is called in mf_progress; `phase` may come from a file. */
const char *
PhaseName(int phase)
{
	static const char *const names[] = {"read", "sort", "sweep", "store", "switch", "cluster"};

	return phase >= 0 && phase < (int) lengthof(names) ? names[phase] : "unknown";
}

/* The training enters a phase. */
void
ReportPhase(Phase phase)
{
	TimestampTz now = GetCurrentTimestamp();

	phase_seconds[current.phase] += (now - phase_began) / 1e6;
	phase_began = now;
	current.phase = phase;
	if (phase == PHASE_SWEEP)
		current.sweep_started = now;
	elog(DEBUG1, "mfrec: phase %s begins after %.3f s", PhaseName(phase), (now - current.started) / 1e6);
	WriteProgress();
}

/*
 * The seconds of each phase of the training that is over, as a JSON object: {"read": 0.2, "sort": 0.1}.  Phases that
 * it has not gone through, such as an import's sweeps, are not in it.
 */
char *
PhaseSecondsToJson(void)
{
	StringInfoData json;

	initStringInfo(&json);
	for (int phase = 0; phase < current.phase; phase++)
		if (phase_seconds[phase] > 0)
			AppendJsonNumber(&json, PhaseName(phase), phase_seconds[phase]);
	/* members begin with a comma and a space */
	return psprintf("{%s}", json.len > 0 ? json.data + 2 : "");
}

/* It is a training on several nodes: the session that was called, or one of theirs. */
void
ReportJob(int64 job, bool drives)
{
	current.job = job;
	current.drives = drives;
	WriteProgress();
}

/* So many rows have been read; written to the file only now and then, so it may be called for every batch. */
void
ReportRowsRead(int64 rows)
{
	current.rows = rows;
	if (rows - rows_reported < REPORT_ROWS)
		return;
	rows_reported = rows;
	WriteProgress();
}

/* An iteration, of at most `iterations`, is complete, with that loss (NaN: there is none). */
void
ReportIteration(int iteration, int iterations, double loss)
{
	current.iteration = iteration;
	current.iterations = iterations;
	current.loss = loss;
	current.iterated = GetCurrentTimestamp();
	WriteProgress();
}

/* The training is over. */
void
EndProgress(void)
{
	RemoveProgress(NULL);
}

/* Reads one file; false when it is not whole, as when it is written right now, or its training has just ended. */
static bool
ReadProgressFile(const char *name, Progress *progress)
{
	char		path[MAXPGPATH];
	int			fd;
	bool		whole;

	snprintf(path, MAXPGPATH, "%s/%s", TEMP_FOLDER, name);
	fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	if (fd < 0)
		return false;
	whole = read(fd, progress, sizeof(Progress)) == sizeof(Progress) &&
		progress->magic == PROGRESS_MAGIC && progress->checksum == Checksum(progress);
	CloseTransientFile(fd);
	return whole;
}

/* The trainings that run in this database, as far as they report: *trainings is palloc'd; returns how many. */
int
ReadProgress(Progress **trainings)
{
	DIR		   *dir = AllocateDir(TEMP_FOLDER);
	struct dirent *entry;
	int			count = 0;
	int			capacity = 8;

	*trainings = palloc(sizeof(Progress) * capacity);
	if (dir == NULL)
		return 0;				/* the folder comes with the first temporary file */
	while ((entry = ReadDirExtended(dir, TEMP_FOLDER, LOG)) != NULL)
	{
		if (strncmp(entry->d_name, FILE_PREFIX, strlen(FILE_PREFIX)) != 0)
			continue;
		if (count == capacity)
			*trainings = repalloc(*trainings, sizeof(Progress) * (capacity *= 2));
		if (ReadProgressFile(entry->d_name, &(*trainings)[count]) &&
			(*trainings)[count].database == MyDatabaseId)
			count++;
	}
	FreeDir(dir);
	return count;
}

/*
 * memory_limit.c - how much memory trainings and lists of all users may take.
 *
 * What is read in order obeys maintenance_work_mem, and goes to temporary files beyond it.  What is read in
 * any order, such as factors and dictionaries of ids, cannot: it is added up before it is allocated and
 * compared with mfrec.max_memory.
 */
#include "postgres.h"

#include <unistd.h>

#include "miscadmin.h"

#include "guc.h"
#include "pg/memory_limit.h"

/* Bytes of memory for what can spill: maintenance_work_mem. */
int64
MaintenanceMemory(void)
{
	return (int64) maintenance_work_mem * 1024;
}

/* The memory limit of the container that we are in, or the largest number. */
static int64
ContainerMemory(void)
{
	FILE	   *file = fopen("/sys/fs/cgroup/memory.max", "r");
	long long	limit;
	int64		bytes = PG_INT64_MAX;

	if (file == NULL)
		return bytes;
	if (fscanf(file, "%lld", &limit) == 1 && limit > 0)
		bytes = limit;
	(void) fclose(file);
	return bytes;
}

/* Bytes of memory for what cannot: mfrec.max_memory, by default three quarters of the machine or container. */
int64
MemoryLimit(void)
{
	int64		machine;

	if (mfrec_max_memory > 0)
		return (int64) mfrec_max_memory * 1024 * 1024;
	machine = (int64) sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	return Min(machine, ContainerMemory()) / 4 * 3;
}

/* The error of a training that needs more bytes than the limit; detail says what takes them. */
void
TrainingExceedsMemory(int64 needed, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("training needs %lld MB of memory, but the limit is %lld MB",
					(long long) (needed >> 20), (long long) (MemoryLimit() >> 20)),
			 errdetail("%s", detail),
			 errhint("Use fewer factors, or raise mfrec.max_memory if the machine has the memory.")));
}

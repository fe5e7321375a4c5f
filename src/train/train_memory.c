/*
 * train_memory.c - what a training needs of memory and temporary disk, and whether it may have it.
 *
 * What grows with the number of ratings obeys maintenance_work_mem and spills.  What must be in
 * memory, because every half-sweep reads it in any order, are the factors and the dictionaries of
 * ids: they are added up before anything is allocated and compared with mfrec.max_memory.
 */
#include "postgres.h"

#include <math.h>
#include <unistd.h>

#include "common/int.h"
#include "miscadmin.h"

#include "guc.h"
#include "train/train_memory.h"

/* Bytes of memory for what grows with the number of ratings. */
int64
RatingsBudget(void)
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

/* Bytes of memory that a training may take beyond maintenance_work_mem. */
int64
MemoryLimit(void)
{
	int64		machine;

	if (mfrec_max_memory > 0)
		return (int64) mfrec_max_memory * 1024 * 1024;
	machine = (int64) sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	return Min(machine, ContainerMemory()) / 4 * 3;
}

/* count * width more bytes; too many for an int64 are the largest number. */
static void
AddBytes(int64 *sum, int64 count, int64 width)
{
	int64		product;

	if (pg_mul_s64_overflow(count, width, &product) || pg_add_s64_overflow(*sum, product, sum))
		*sum = PG_INT64_MAX;
}

/* Bytes of everything that grows with the numbers of users and items, dictionaries apart. */
int64
FactorBytes(const MfObjective *objective, int64 users, int64 items, bool validation, const MfParallel *parallel)
{
	int64		vector = sizeof(float) * mf_padded(mf_dimensions(objective));
	int			parts = objective->has_rating + objective->has_interest;
	int64		bytes = 0;
	MfProblem	problem = {.nusers = users, .nitems = items, .factors = mf_dimensions(objective),
	.shared = objective->factors,.has_rating = objective->has_rating, .has_interest = objective->has_interest};

	AddBytes(&bytes, users, vector);
	AddBytes(&bytes, items, parts * vector);
	if (validation)
		AddBytes(&bytes, items, parts * vector);	/* those of the best iteration */

	/* Row starts, counts, regularization, pull and biases. */
	AddBytes(&bytes, users, sizeof(int64) + 4 * sizeof(float));
	AddBytes(&bytes, items, sizeof(int64) + 4 * sizeof(float));
	AddBytes(&bytes, 1, mf_als_size(&problem, parallel));
	return bytes;
}

static void
OutOfBudget(int64 needed, int64 limit, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("training needs %lld MB of memory, and may have %lld MB",
					(long long) (needed >> 20), (long long) (limit >> 20)),
			 errdetail("%s", detail),
			 errhint("Use fewer factors, or raise mfrec.max_memory if the machine has the memory.")));
}

/* While ids are being read: the dictionaries alone, others with them, must not exceed the limit. */
void
CheckDictionaries(const IdMap *users, const IdMap *items, int64 others)
{
	int64		needed = IdMapBytes(users) + IdMapBytes(items) + others;

	if (needed > MemoryLimit())
		OutOfBudget(needed, MemoryLimit(),
					psprintf("The dictionaries of %d users and %d items, so far, must be in memory.",
							 users->count, items->count));
}

/* While vectors are being read that came from elsewhere: they must not exceed the limit. */
void
CheckImportedBytes(int64 bytes)
{
	if (bytes > MemoryLimit())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("imported factors need %lld MB of memory, so far, and may have %lld MB",
						(long long) (bytes >> 20), (long long) (MemoryLimit() >> 20)),
				 errdetail("All vectors and ids must be in memory."),
				 errhint("Raise mfrec.max_memory if the machine has the memory.")));
}

/* Before factors are allocated: an error unless they fit beside the dictionaries (unknown: NULL, or users without factors). */
void
CheckBudget(const MfObjective *objective, const IdMap *users, const IdMap *items, const IdMap *unknown,
			bool validation, const MfParallel *parallel)
{
	int64		dictionaries = IdMapBytes(users) + IdMapBytes(items) + (unknown ? IdMapBytes(unknown) : 0);
	int64		factors = FactorBytes(objective, users->count, items->count, validation, parallel);
	int64		needed = factors;

	AddBytes(&needed, 1, dictionaries);
	elog(DEBUG1, "mfrec: factors take %lld bytes, dictionaries %lld", (long long) factors, (long long) dictionaries);
	if (needed > MemoryLimit())
		OutOfBudget(needed, MemoryLimit(),
					psprintf("%d factors of %d users and %d items take %lld MB, the dictionaries of their ids %lld MB; both must be in memory.",
							 mf_dimensions(objective), users->count, items->count,
							 (long long) (factors >> 20), (long long) (dictionaries >> 20)));
}

/* While users are read for their lists: an error unless what is kept of each may be in memory. */
void
CheckListBudget(int64 needed, int64 users)
{
	if (needed > MemoryLimit())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("lists of all users need %lld MB of memory, and may have %lld MB",
						(long long) (needed >> 20), (long long) (MemoryLimit() >> 20)),
				 errdetail("The dictionary of %lld users, so far, must be in memory.", (long long) users),
				 errhint("Raise mfrec.max_memory if the machine has the memory.")));
}

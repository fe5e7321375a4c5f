/*
 * train_memory.c - what a training needs of memory for its factors, and whether it may have it.
 *
 * Factors must be in memory because every half-sweep reads those of the fixed side in any order.
 */
#include "postgres.h"

#include "common/int.h"

#include "pg/memory_limit.h"
#include "train/train_memory.h"

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
	.shared = objective->factors,.has_rating = objective->has_rating, .has_interest = objective->has_interest,.int16 = true};

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

/* Before factors are allocated: an error unless they fit beside the dictionaries (unknown: NULL, or users without factors). */
void
CheckFactorMemory(const MfObjective *objective, const IdMap *users, const IdMap *items, const IdMap *unknown,
			bool validation, const MfParallel *parallel)
{
	int64		dictionaries = IdMapBytes(users) + IdMapBytes(items) + (unknown ? IdMapBytes(unknown) : 0);
	int64		factors = FactorBytes(objective, users->count, items->count, validation, parallel);
	int64		needed = factors;

	AddBytes(&needed, 1, dictionaries);
	elog(DEBUG1, "mfrec: factors take %lld bytes, dictionaries %lld", (long long) factors, (long long) dictionaries);
	if (needed > MemoryLimit())
		TrainingExceedsMemory(needed, psprintf("%d factors of %d users and %d items take %lld MB, the dictionaries of their ids %lld MB; both must be in memory.",
							 mf_dimensions(objective), users->count, items->count,
							 (long long) (factors >> 20), (long long) (dictionaries >> 20)));
}

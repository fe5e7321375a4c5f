/*
 * row_hash.c - hashes of rows, whose sums say whether somebody's rows are still the same.
 */
#include "postgres.h"

#include "core/base/rng.h"
#include "source/row_hash.h"

/* The bits of number i of an array, NULL: of ones. */
static inline uint64
NumberBits(const float *numbers, int i)
{
	float		number = numbers ? numbers[i] : 1;
	uint32		bits;

	memcpy(&bits, &number, sizeof(bits));
	return bits;
}

/*
 * hash[]: of n rows of ids of these types, with ratings, weights before they fade, and times where a source has them,
 * else NULL.  Ids and numbers are combined by odd factors, then mixed: sums of what is linear would cancel where two
 * users swap a rating.
 */
void
HashRows(const IdType *user, const IdType *item, int n, const int64 *users, const int64 *items, const float *values,
		 const float *weights, const double *times, uint64 *hash)
{
	for (int i = 0; i < n; i++)
	{
		uint64		time = 0;

		if (times)
			memcpy(&time, &times[i], sizeof(time));
		hash[i] = mf_mix64((NumberBits(values, i) << 32 | NumberBits(weights, i)) * UINT64CONST(0x9e3779b97f4a7c15) +
						   time * UINT64CONST(0xd6e8feb86659fd93) + 1 +
						   IdBits(user, users[i]) * UINT64CONST(0xd1342543de82ef95) +
						   IdBits(item, items[i]) * UINT64CONST(0xaf251af3b0f025b5));
	}
}

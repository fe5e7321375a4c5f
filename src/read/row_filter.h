/*
 * row_filter.h - which rows are wanted, by their ids, as those who read tables can tell at once.
 */
#ifndef MFREC_ROW_FILTER_H
#define MFREC_ROW_FILTER_H

#include "core/base/rng.h"
#include "ids/id_map.h"

/* Bits of each side: 128 kB, which a processor's second cache holds. */
#define FILTER_BITS 20

/*
 * A bit for each hash of an integer id: whether one of that hash is wanted.  A row whose user's and item's bits are
 * both 0 is not wanted; of the others some are not either.  No pointers, so that it can lie in shared memory.
 */
typedef struct RowFilter
{
	uint64		user[UINT64CONST(1) << (FILTER_BITS - 6)];
	uint64		item[UINT64CONST(1) << (FILTER_BITS - 6)];
} RowFilter;

/* Which users and items have wanted rows: by number, of so many. */
typedef struct WantedRows
{
	const IdMap *users;
	const bool *user;
	int64		nusers;
	const IdMap *items;
	const bool *item;
	int64		nitems;
} WantedRows;

extern RowFilter *CreateRowFilter(const WantedRows *wanted);
extern bool IsWanted(const WantedRows *wanted, int64 user, int64 item);

/* Where the bit of an id is. */
static inline uint32
FilterPlace(int64 id)
{
	return (uint32) (mf_mix64((uint64) id) >> (64 - FILTER_BITS));
}

/* Whether a row may be wanted. */
static inline bool
MayBeWanted(const RowFilter *filter, int64 user, int64 item)
{
	uint32		u = FilterPlace(user);
	uint32		i = FilterPlace(item);

	return ((filter->user[u / 64] >> (u % 64)) | (filter->item[i / 64] >> (i % 64))) & 1;
}

#endif

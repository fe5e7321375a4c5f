/*
 * row_filter.c - which rows are wanted, by their ids, as those who read tables can tell at once.
 *
 * Who reads a table for the rows of some users and items looks at all of it.  Processes that do so share a bitmap of
 * hashed ids, which leaves few that are not wanted; who has the dictionaries leaves these out.
 */
#include "postgres.h"

#include "pg/alloc.h"
#include "read/row_filter.h"

/* Sets the bits of marked ids. */
static void
SetBits(uint64 *bits, const IdMap *ids, const bool *marked, int64 n)
{
	for (int64 i = 0; i < n; i++)
		if (marked[i])
		{
			uint32		place = FilterPlace(IdAt(ids, (int32) i));

			bits[place / 64] |= UINT64CONST(1) << (place % 64);
		}
}

/* A filter for rows of users and items whose ids are integers, palloc'd. */
RowFilter *
CreateRowFilter(const WantedRows *wanted)
{
	RowFilter  *filter = HugeZeroArray(1, sizeof(RowFilter));

	SetBits(filter->user, wanted->users, wanted->user, wanted->nusers);
	SetBits(filter->item, wanted->items, wanted->item, wanted->nitems);
	return filter;
}

/* Whether a row is wanted, for its user or its item. */
bool
IsWanted(const WantedRows *wanted, int64 user, int64 item)
{
	int32		u = FindId(wanted->users, user);
	int32		i = FindId(wanted->items, item);

	return (u >= 0 && u < wanted->nusers && wanted->user[u]) || (i >= 0 && i < wanted->nitems && wanted->item[i]);
}

/*
 * reservoir.c - the best k of a stream of scored items, where a score may be known to within an error only.
 *
 * Entries collect until there are about twice as many as are wanted; then all that cannot be among the
 * best k go.  The caller owns the entries, and knows how to make a score exact.
 */
#include "core/topk/reservoir.h"

#include <math.h>

/* A comparison of a pool's entries: whether a comes before b. */
typedef bool (*Before) (const MfPool *pool, const MfPoolEntry *a, const MfPoolEntry *b);

/* Descending by what the score is at least. */
static inline bool
before_by_least(const MfPool *pool, const MfPoolEntry *a, const MfPoolEntry *b)
{
	(void) pool;
	return a->score - a->error > b->score - b->error;
}

/* Descending by exact score, ties by item: the order of results, in which no two entries are equal. */
static inline bool
before_by_rank(const MfPool *pool, const MfPoolEntry *a, const MfPoolEntry *b)
{
	if (a->score != b->score)
		return a->score > b->score;
	return pool->item[a->position] < pool->item[b->position];
}

static inline void
swap_entries(MfPoolEntry *a, MfPoolEntry *b)
{
	MfPoolEntry c = *a;

	*a = *b;
	*b = c;
}

/* Sorts a few entries by insertion. */
static inline void
sort_few(const MfPool *pool, MfPoolEntry *entry, int n, Before before)
{
	for (int i = 1; i < n; i++)
	{
		MfPoolEntry moving = entry[i];
		int			hole = i;

		for (; hole > 0 && before(pool, &moving, &entry[hole - 1]); hole--)
			entry[hole] = entry[hole - 1];
		entry[hole] = moving;
	}
}

/*
 * Splits n > 2 entries around one of them (Hoare): returns m, 0 < m < n, such that none of the last
 * n - m comes before any of the first m.  The pivot's place is drawn at random, so that no order of
 * arrival is a bad one.
 */
static inline int
split(const MfPool *pool, MfPoolEntry *entry, int n, uint32_t *random, Before before)
{
	MfPoolEntry pivot;
	int			low = -1;
	int			high = n;

	*random = *random * UINT32_C(1664525) + UINT32_C(1013904223);
	/* the last place would allow m = n */
	pivot = entry[(uint64_t) *random * (uint64_t) (n - 1) >> 32];
	for (;;)
	{
		do
			low++;
		while (before(pool, &entry[low], &pivot));
		do
			high--;
		while (before(pool, &pivot, &entry[high]));
		if (low >= high)
			return high + 1;
		swap_entries(&entry[low], &entry[high]);
	}
}

/* Moves the first k of n entries, 0 < k < n, to the front, in any order. */
static inline void
select_first(const MfPool *pool, MfPoolEntry *entry, int n, int k, Before before)
{
	uint32_t	random = 1;

	while (n > 16)
	{
		int			m = split(pool, entry, n, &random, before);

		if (m == k)
			return;
		if (m > k)
			n = m;
		else
		{
			entry += m;
			n -= m;
			k -= m;
		}
	}
	sort_few(pool, entry, n, before);
}

/* Sorts n entries by rank; the smaller part first, so that the depth is logarithmic. */
static void
sort_by_rank(const MfPool *pool, MfPoolEntry *entry, int n, uint32_t random)
{
	while (n > 16)
	{
		int			m = split(pool, entry, n, &random, before_by_rank);

		if (m < n - m)
		{
			sort_by_rank(pool, entry, m, random);
			entry += m;
			n -= m;
		}
		else
		{
			sort_by_rank(pool, entry + m, n - m, random);
			n = m;
		}
	}
	sort_few(pool, entry, n, before_by_rank);
}

/* How many entries a pool for the best k should shrink at. */
int
mf_pool_limit(int k)
{
	return k + (k < 32 ? 8 : k / 4);
}

/* Makes an empty pool of entries for mf_pool_limit(k) + MF_POOL_MARGIN. */
void
mf_pool_start(MfPool *pool, MfPoolEntry *entry, const int32_t *item, int k)
{
	pool->entry = entry;
	pool->item = item;
	pool->k = k;
	pool->count = 0;
	pool->limit = mf_pool_limit(k);
	pool->floor = -INFINITY;
}

/*
 * Raises the floor to the k-th largest of what the scores are at least, and drops what is at most
 * less.  Returns false when too many stay, because they are too close to tell apart: make the scores
 * exact and cut.
 */
bool
mf_pool_shrink(MfPool *pool)
{
	int			kept = pool->k;
	double		floor = INFINITY;

	if (pool->count < pool->k)
		return true;
	if (pool->count > pool->k)
		select_first(pool, pool->entry, pool->count, pool->k, before_by_least);
	for (int i = 0; i < pool->k; i++)
		{
		double		least = pool->entry[i].score - pool->entry[i].error;

		floor = least < floor ? least : floor;
	}
	for (int i = pool->k; i < pool->count; i++)
	{
		if (pool->entry[i].score + pool->entry[i].error >= floor)
			pool->entry[kept++] = pool->entry[i];
	}
	pool->count = kept;
	pool->floor = floor > pool->floor ? floor : pool->floor;
	return kept <= pool->k + (pool->limit - pool->k) / 2;
}

/* Keeps the first k by rank; all scores are exact. */
void
mf_pool_cut(MfPool *pool)
{
	if (pool->count > pool->k)
	{
		select_first(pool, pool->entry, pool->count, pool->k, before_by_rank);
		pool->count = pool->k;
	}
	if (pool->count == pool->k)
	{
		double		floor = INFINITY;

		for (int i = 0; i < pool->k; i++)
			floor = pool->entry[i].score < floor ? pool->entry[i].score : floor;
		pool->floor = floor > pool->floor ? floor : pool->floor;
	}
}

/* Sorts by rank; all scores are exact. */
void
mf_pool_sort(MfPool *pool)
{
	sort_by_rank(pool, pool->entry, pool->count, 1);
}

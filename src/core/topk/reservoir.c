/*
 * reservoir.c - the best k of a stream of scored items, where a score may be known to within an error only.
 *
 * Entries collect until there are about a quarter more than are wanted; then a selection in linear time (quickselect)
 * finds the k with the highest lower bounds, and entries whose upper bound is below all of these go.  So adding is a
 * few instructions, where a heap would sift each entry.  The caller owns the entries, and knows how to make a score
 * exact.
 */
#include "core/topk/reservoir.h"

#include <math.h>

#include "core/base/rng.h"

/* A comparison of two entries: true if a comes before b. */
typedef bool (*Before) (const MfReservoir *reservoir, const MfReservoirEntry *a, const MfReservoirEntry *b);

/* Descending by lower bound. */
static inline bool
before_by_lower_bound(const MfReservoir *reservoir, const MfReservoirEntry *a, const MfReservoirEntry *b)
{
	(void) reservoir;
	return a->score - a->error > b->score - b->error;
}

/*
 * Descending by exact score, ties by item: the order of results, in which no two entries are equal.  Items of score 0
 * are those that nothing is known of, new ones above all, for which the order of their numbers would decide whether
 * anybody ever sees them: they come by lot, another for each query (mf_mix64() takes no two numbers to one).
 */
static inline bool
before_by_rank(const MfReservoir *reservoir, const MfReservoirEntry *a, const MfReservoirEntry *b)
{
	if (a->score != b->score)
		return a->score > b->score;
	if (a->score == 0.0)
		return mf_mix64((uint64_t) reservoir->item[a->position] + reservoir->lot) <
			mf_mix64((uint64_t) reservoir->item[b->position] + reservoir->lot);
	return reservoir->item[a->position] < reservoir->item[b->position];
}

/* Exchanges two entries. */
static inline void
swap_entries(MfReservoirEntry *a, MfReservoirEntry *b)
{
	MfReservoirEntry c = *a;

	*a = *b;
	*b = c;
}

/* Sorts a few entries by insertion. */
static inline void
sort_few(const MfReservoir *reservoir, MfReservoirEntry *entry, int n, Before before)
{
	for (int i = 1; i < n; i++)
	{
		MfReservoirEntry moving = entry[i];
		int			hole = i;

		for (; hole > 0 && before(reservoir, &moving, &entry[hole - 1]); hole--)
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
split(const MfReservoir *reservoir, MfReservoirEntry *entry, int n, uint32_t *random, Before before)
{
	MfReservoirEntry pivot;
	int			low = -1;
	int			high = n;

	*random = *random * UINT32_C(1664525) + UINT32_C(1013904223);
	/* the last place would allow m = n */
	pivot = entry[(uint64_t) *random * (uint64_t) (n - 1) >> 32];
	for (;;)
	{
		do
			low++;
		while (before(reservoir, &entry[low], &pivot));
		do
			high--;
		while (before(reservoir, &pivot, &entry[high]));
		if (low >= high)
			return high + 1;
		swap_entries(&entry[low], &entry[high]);
	}
}

/* Moves the first k of n entries, 0 < k < n, to the front, in any order. */
static inline void
select_first(const MfReservoir *reservoir, MfReservoirEntry *entry, int n, int k, Before before)
{
	uint32_t	random = 1;

	while (n > 16)
	{
		int			m = split(reservoir, entry, n, &random, before);

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
	sort_few(reservoir, entry, n, before);
}

/* Sorts n entries by rank; the smaller part first, so that the depth is logarithmic. */
static void
sort_by_rank(const MfReservoir *reservoir, MfReservoirEntry *entry, int n, uint32_t random)
{
	while (n > 16)
	{
		int			m = split(reservoir, entry, n, &random, before_by_rank);

		if (m < n - m)
		{
			sort_by_rank(reservoir, entry, m, random);
			entry += m;
			n -= m;
		}
		else
		{
			sort_by_rank(reservoir, entry + m, n - m, random);
			n = m;
		}
	}
	sort_few(reservoir, entry, n, before_by_rank);
}

/* How many entries a reservoir for the best k should shrink at: seldom enough to pay, else as often as possible. */
int
mf_reservoir_limit(int k)
{
	return k + (k < 32 ? 8 : k / 4);
}

/* Makes an empty reservoir of entries for mf_reservoir_limit(k) + MF_RESERVOIR_MARGIN. */
void
mf_reservoir_start(MfReservoir *reservoir, MfReservoirEntry *entry, const int32_t *item, uint64_t lot, int k)
{
	reservoir->lot = lot;
	reservoir->entry = entry;
	reservoir->item = item;
	reservoir->k = k;
	reservoir->count = 0;
	reservoir->limit = mf_reservoir_limit(k);
	reservoir->threshold = -INFINITY;
}

/* Raises the threshold, which never falls. */
static void
raise_threshold(MfReservoir *reservoir, double threshold)
{
	if (threshold > reservoir->threshold)
		reservoir->threshold = threshold;
}

/*
 * Raises the threshold to the k-th largest lower bound and discards candidates whose upper bound is below it.
 * Returns false when too many stay, because they are too close to tell apart: make the scores exact and cut.
 */
bool
mf_reservoir_shrink(MfReservoir *reservoir)
{
	int			kept = reservoir->k;
	double		threshold = INFINITY;

	if (reservoir->count < reservoir->k)
		return true;
	if (reservoir->count > reservoir->k)
		select_first(reservoir, reservoir->entry, reservoir->count, reservoir->k, before_by_lower_bound);
	for (int i = 0; i < reservoir->k; i++)
	{
		double		lower = reservoir->entry[i].score - reservoir->entry[i].error;

		threshold = lower < threshold ? lower : threshold;
	}
	for (int i = reservoir->k; i < reservoir->count; i++)
	{
		if (reservoir->entry[i].score + reservoir->entry[i].error >= threshold)
			reservoir->entry[kept++] = reservoir->entry[i];
	}
	reservoir->count = kept;
	raise_threshold(reservoir, threshold);
	return kept <= reservoir->k + (reservoir->limit - reservoir->k) / 2;
}

/* Keeps the first k by rank, and raises the threshold to the last of them; all scores are exact. */
void
mf_reservoir_cut(MfReservoir *reservoir)
{
	double		threshold = INFINITY;

	if (reservoir->count > reservoir->k)
	{
		select_first(reservoir, reservoir->entry, reservoir->count, reservoir->k, before_by_rank);
		reservoir->count = reservoir->k;
	}
	if (reservoir->count < reservoir->k)
		return;
	for (int i = 0; i < reservoir->k; i++)
		threshold = reservoir->entry[i].score < threshold ? reservoir->entry[i].score : threshold;
	raise_threshold(reservoir, threshold);
}

/* Sorts by rank; all scores are exact. */
void
mf_reservoir_sort(MfReservoir *reservoir)
{
	sort_by_rank(reservoir, reservoir->entry, reservoir->count, 1);
}

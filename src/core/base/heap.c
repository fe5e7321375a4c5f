/*
 * heap.c - the k best of a stream of scored numbers.
 */
#include "core/base/heap.h"

#include <stdbool.h>

/* Whether a belongs behind b: by score, then the larger number. */
static bool
worse(const MfScored *a, const MfScored *b)
{
	return a->score != b->score ? a->score < b->score : a->number > b->number;
}

/* Lets the entry at a place sink until nothing below it is worse. */
static void
sift_down(MfScored *entry, int count, int place)
{
	for (;;)
	{
		int			child = 2 * place + 1;
		MfScored	sinking = entry[place];

		if (child >= count)
			return;
		if (child + 1 < count && worse(&entry[child + 1], &entry[child]))
			child++;
		if (!worse(&entry[child], &sinking))
			return;
		entry[place] = entry[child];
		entry[child] = sinking;
		place = child;
	}
}

/* Starts empty; entry has room for k >= 1. */
void
mf_best_start(MfBest *best, MfScored *entry, int k)
{
	best->k = k;
	best->count = 0;
	best->entry = entry;
}

/* Takes a number in if it is among the k best so far; ties go to the smaller number. */
void
mf_best_offer(MfBest *best, int64_t number, double score)
{
	MfScored	offered = {score, number};
	int			place;

	if (best->count == best->k)
	{
		if (!worse(&best->entry[0], &offered))
			return;
		best->entry[0] = offered;
		sift_down(best->entry, best->count, 0);
		return;
	}
	for (place = best->count++; place > 0; place = (place - 1) / 2)
	{
		if (!worse(&offered, &best->entry[(place - 1) / 2]))
			break;
		best->entry[place] = best->entry[(place - 1) / 2];
	}
	best->entry[place] = offered;
}

/* Orders the entries, best first; nothing may be offered afterwards. */
void
mf_best_sort(MfBest *best)
{
	for (int last = best->count - 1; last > 0; last--)
	{
		MfScored	worst = best->entry[0];

		best->entry[0] = best->entry[last];
		best->entry[last] = worst;
		sift_down(best->entry, last, 0);
	}
}

/*
 * heap.c - bounded min-heap for top-k selection.
 *
 * Of a stream of scored numbers the k best are kept.  The worst of them is at the root, so one comparison tells
 * whether a number is to be kept at all, and log k steps put it into its place.
 */
#include "core/base/heap.h"

#include <stdbool.h>

/* True if a belongs behind b: by score, then the larger number. */
static bool
worse(const MfScored *a, const MfScored *b)
{
	return a->score != b->score ? a->score < b->score : a->number > b->number;
}

/* Lets the entry at a place sink until nothing below it is worse; children of place p are at 2 p + 1 and 2 p + 2. */
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
mf_heap_start(MfHeap *heap, MfScored *entry, int k)
{
	heap->k = k;
	heap->count = 0;
	heap->entry = entry;
}

/* Takes a number in if it is among the k best so far; ties go to the smaller number. */
void
mf_heap_push(MfHeap *heap, int64_t number, double score)
{
	MfScored	offered = {score, number};
	int			place;

	if (heap->count == heap->k)
	{
		if (!worse(&heap->entry[0], &offered))
			return;
		heap->entry[0] = offered;
		sift_down(heap->entry, heap->count, 0);
		return;
	}
	for (place = heap->count++; place > 0; place = (place - 1) / 2)
	{
		if (!worse(&offered, &heap->entry[(place - 1) / 2]))
			break;
		heap->entry[place] = heap->entry[(place - 1) / 2];
	}
	heap->entry[place] = offered;
}

/* Orders the entries, best first; nothing may be offered afterwards. */
void
mf_heap_sort(MfHeap *heap)
{
	for (int last = heap->count - 1; last > 0; last--)
	{
		MfScored	worst = heap->entry[0];

		heap->entry[0] = heap->entry[last];
		heap->entry[last] = worst;
		sift_down(heap->entry, last, 0);
	}
}

/*
 * heap.h - bounded min-heap for top-k selection.
 */
#ifndef MF_HEAP_H
#define MF_HEAP_H

#include <stdint.h>

/* A number of anything, and its score. */
typedef struct MfScored
{
	double		score;
	int64_t		number;
} MfScored;

/* The root, entry[0], is the worst entry kept; entry has room for k. */
typedef struct MfHeap
{
	int			k;
	int			count;
	MfScored   *entry;
} MfHeap;

extern void mf_heap_start(MfHeap *heap, MfScored *entry, int k);
extern void mf_heap_push(MfHeap *heap, int64_t number, double score);
extern void mf_heap_sort(MfHeap *heap);

#endif

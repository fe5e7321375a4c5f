/*
 * heap.h - the k best of a stream of scored numbers.
 */
#ifndef MF_HEAP_H
#define MF_HEAP_H

#include <stdint.h>

typedef struct MfScored
{
	double		score;
	int64_t		number;
} MfScored;

/* A heap with the worst of the kept ones on top; entry has room for k. */
typedef struct MfBest
{
	int			k;
	int			count;
	MfScored   *entry;
} MfBest;

extern void mf_best_start(MfBest *best, MfScored *entry, int k);
extern void mf_best_offer(MfBest *best, int64_t number, double score);
extern void mf_best_sort(MfBest *best);

#endif

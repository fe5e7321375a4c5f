/*
 * alloc.h - arrays that may be larger than palloc() gives, in the current memory context.
 *
 * palloc() stops at 1 GB and knows 8-byte alignment; matrices of a training are larger, and vectors of a
 * kernel begin at cache lines.  None of these returns NULL: out of memory is an error, as with palloc().
 */
#ifndef MFREC_ALLOC_H
#define MFREC_ALLOC_H

#include "utils/memutils.h"
#include "utils/palloc.h"

#define MFREC_CACHE_LINE 64

/*
 * An array of `count` elements of `width` bytes, not initialized; of one element where count is 0.  pfree() frees it.
 */
static inline void *
HugeArray(int64 count, Size width)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, Max(count, 1) * width);
}

/* The same, all bytes 0. */
static inline void *
HugeZeroArray(int64 count, Size width)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, Max(count, 1) * width, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/*
 * The same as HugeArray(), at a multiple of 64 bytes.  It is not what was allocated, so it cannot be freed by
 * pfree(), only with its context.
 */
static inline void *
AlignedArray(int64 count, Size width)
{
	return (void *) TYPEALIGN(MFREC_CACHE_LINE, HugeArray(count * width + MFREC_CACHE_LINE, 1));
}

/* The same in another memory context than the current one. */
static inline void *
AlignedArrayIn(MemoryContext context, int64 count, Size width)
{
	Size		size = Max(count * width + MFREC_CACHE_LINE, 1);

	return (void *) TYPEALIGN(MFREC_CACHE_LINE, MemoryContextAllocHuge(context, size));
}

/* The same as AlignedArray(), all bytes 0. */
static inline void *
AlignedZeroArray(int64 count, Size width)
{
	return (void *) TYPEALIGN(MFREC_CACHE_LINE, HugeZeroArray(count * width + MFREC_CACHE_LINE, 1));
}

extern void *HugePageArray(int64 count, Size width);

#endif

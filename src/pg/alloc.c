/*
 * alloc.c - arrays for the inner loops of a training.
 */
#include "postgres.h"

#include <sys/mman.h>
#include <unistd.h>

#include "pg/alloc.h"

/* Bytes from which an array gets huge pages, if there are any. */
#define HUGE_PAGES_FROM (4 << 20)

/*
 * AlignedZeroArray() on huge pages where the array is large and the system has some: for arrays whose rows are
 * met in any order, where with small pages most of these would miss the TLB.  Freed with its context.
 */
void *
HugePageArray(int64 count, Size width)
{
	char	   *array = AlignedArray(count, width);
	Size		size = count * width;

#ifdef MADV_HUGEPAGE
	Size		page = getpagesize();

	/* before the first touch, which is when pages are chosen; a refusal costs nothing but time */
	if (size >= HUGE_PAGES_FROM)
		(void) madvise((void *) TYPEALIGN(page, array), TYPEALIGN_DOWN(page, size - page), MADV_HUGEPAGE);
#endif
	memset(array, 0, size);
	return array;
}

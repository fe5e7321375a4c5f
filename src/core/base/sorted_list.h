/*
 * sorted_list.h - ascending lists of items.
 */
#ifndef MF_SORTED_LIST_H
#define MF_SORTED_LIST_H

#include <stdbool.h>
#include <stdint.h>

/* Whether an item is in an ascending list. */
static inline bool
mf_list_has(const int32_t *list, int64_t n, int32_t item)
{
	int64_t		low = 0;

	while (low < n)
	{
		int64_t		middle = (low + n) / 2;

		if (list[middle] < item)
			low = middle + 1;
		else if (list[middle] > item)
			n = middle;
		else
			return true;
	}
	return false;
}

#endif

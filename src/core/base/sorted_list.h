/*
 * sorted_list.h - ascending lists of items: looking items up, sorting, uniting.
 */
#ifndef MF_SORTED_LIST_H
#define MF_SORTED_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if an item is in an ascending list of n. */
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

extern size_t mf_list_sort_workspace(int64_t n, int64_t nitems);
extern void mf_list_sort(int32_t *item, int64_t n, int64_t nitems, void *space);
extern int64_t mf_list_unite(const int32_t *a, int64_t na, const int32_t *b, int64_t nb, int32_t *both);

#endif

/*
 * sorted_list.c - ascending lists of items: sorting and uniting them.
 *
 * Items are numbers below nitems and distinct, so a bitmap of all items sorts a list that has not too few of them in
 * one pass; else it is a radix sort, and where the list is short, insertion.
 */
#include "core/base/sorted_list.h"

#include <string.h>

#include "core/base/radix.h"

/* Up to so many items are sorted by inserting them. */
#define FEW 32

/* Words of a bitmap of items. */
static inline int64_t
bitmap_words(int64_t nitems)
{
	return (nitems + 63) / 64;
}

/* True if a bitmap of all items is the quicker way to sort n of them: it is read whole, a list several times. */
static inline bool
bitmap_sorts(int64_t n, int64_t nitems)
{
	return bitmap_words(nitems) <= 4 * n;
}

/* Bytes of workspace for mf_list_sort(), which needs no alignment beyond that of int64_t. */
size_t
mf_list_sort_workspace(int64_t n, int64_t nitems)
{
	if (n <= FEW)
		return 0;
	return bitmap_sorts(n, nitems) ? (size_t) bitmap_words(nitems) * sizeof(uint64_t) : (size_t) n * sizeof(int32_t);
}

/* Sorts a few items by insertion. */
static void
sort_few(int32_t *item, int64_t n)
{
	for (int64_t i = 1; i < n; i++)
	{
		int32_t		moved = item[i];
		int64_t		at = i;

		for (; at > 0 && item[at - 1] > moved; at--)
			item[at] = item[at - 1];
		item[at] = moved;
	}
}

/* Sorts by marking items in a bitmap (bitmap_words(nitems)) and reading it. */
static void
sort_by_bitmap(int32_t *item, int64_t n, int64_t nitems, uint64_t *bitmap)
{
	int64_t		words = bitmap_words(nitems);
	int64_t		at = 0;

	memset(bitmap, 0, (size_t) words * sizeof(*bitmap));
	for (int64_t i = 0; i < n; i++)
		bitmap[item[i] / 64] |= UINT64_C(1) << (item[i] % 64);
	for (int64_t w = 0; w < words; w++)
		for (uint64_t bits = bitmap[w]; bits != 0; bits &= bits - 1)
			item[at++] = (int32_t) (w * 64 + __builtin_ctzll(bits));
}

/* Sorts n distinct items, each below nitems, ascending; space: mf_list_sort_workspace() bytes. */
void
mf_list_sort(int32_t *item, int64_t n, int64_t nitems, void *space)
{
	int32_t    *from = item;
	int32_t    *to = space;

	if (n <= FEW)
	{
		sort_few(item, n);
		return;
	}
	if (bitmap_sorts(n, nitems))
	{
		sort_by_bitmap(item, n, nitems, space);
		return;
	}
	for (int shift = 0; shift < 31 && (nitems - 1) >> shift > 0; shift += MF_RADIX_BITS)
	{
		int32_t    *swap = from;

		mf_radix_pass(from, NULL, n, shift, to);
		from = to;
		to = swap;
	}
	if (from != item)
		memcpy(item, from, (size_t) n * sizeof(*item));
}

/* Unites two ascending lists to one, in which each item is once; returns its length, at most na + nb. */
int64_t
mf_list_unite(const int32_t *a, int64_t na, const int32_t *b, int64_t nb, int32_t *both)
{
	int64_t		i = 0;
	int64_t		j = 0;
	int64_t		n = 0;

	while (i < na && j < nb)
	{
		int32_t		x = a[i];
		int32_t		y = b[j];

		both[n++] = x < y ? x : y;
		i += x <= y;
		j += y <= x;
	}
	if (i < na)
		memcpy(both + n, a + i, (size_t) (na - i) * sizeof(*both));
	n += na - i;
	if (j < nb)
		memcpy(both + n, b + j, (size_t) (nb - j) * sizeof(*both));
	return n + nb - j;
}

/*
 * test_seen.c - what users have, in few bytes: comes back as it was, in no more bytes than promised, and
 * damaged bytes are told, never followed.
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/seen.h"
#include "core/base/sorted_list.h"

/* An ascending list of distinct numbers below a limit, each in it with a probability that falls as number^-fall. */
static int32_t *
make_list(uint64_t seed, int32_t limit, double share, double fall, int64_t *n)
{
	int32_t    *number = malloc(((size_t) limit + 1) * sizeof(*number));

	*n = 0;
	for (int32_t i = 0; i < limit; i++)
		if (mf_random_uniform(seed, (uint64_t) i) < share * pow(i + 1, -fall))
			number[(*n)++] = i;
	return number;
}

static int32_t *
same_numbers(int32_t limit)
{
	int32_t    *item = malloc(((size_t) limit + 1) * sizeof(*item));

	for (int32_t i = 0; i < limit; i++)
		item[i] = i;
	return item;
}

/* Encodes into memory of just the right size, so that a sanitizer sees every byte behind it. */
static uint8_t *
encode(const int32_t *number, int64_t n, size_t *size)
{
	uint8_t    *room = malloc(mf_seen_bound(n) + 1);
	uint8_t    *bytes;

	*size = mf_seen_encode(number, n, room);
	bytes = malloc(*size > 0 ? *size : 1);
	memcpy(bytes, room, *size);
	free(room);
	return bytes;
}

/* Decodes into room for as many as there may be. */
static int64_t
decode(const uint8_t *bytes, size_t size, int32_t limit, const int32_t *item_of, int32_t **item)
{
	*item = malloc(((size_t) mf_seen_most(size) + 1) * sizeof(**item));
	return mf_seen_decode(bytes, size, limit, item_of, *item);
}

static void
test_list(const int32_t *number, int64_t n, int32_t limit, const char *what)
{
	int32_t    *same = same_numbers(limit);
	size_t		size;
	uint8_t    *bytes = encode(number, n, &size);
	int32_t    *item;
	int64_t		found = decode(bytes, size, limit, same, &item);
	int64_t		at = 0;
	bool		has = true;

	ok(size <= mf_seen_bound(n) && n <= mf_seen_most(size), "%s: as many bytes as promised", what);
	ok(found == n && memcmp(item, number, (size_t) n * sizeof(*item)) == 0, "%s: comes back", what);
	for (int32_t i = 0; i < limit; i += 1 + limit / 5000)
	{
		while (at < n && number[at] < i)
			at++;
		has &= mf_seen_has(bytes, size, limit, i) == (at < n && number[at] == i);
	}
	ok(has, "%s: has what it has", what);
	free(item);
	if (n > 0)
	{
		ok(decode(bytes, size, number[n - 1], same, &item) == MF_SEEN_DAMAGED &&
		   mf_seen_has(bytes, size, number[n - 1], number[n - 1]) == MF_SEEN_DAMAGED,
		   "%s: a number that no item has is damage", what);
		free(item);
	}
	free(bytes);
	free(same);
}

static void
test_lists(void)
{
	static const int32_t far[] = {0, 1, 2, 2147483640, 2147483645, 2147483646};
	static const int32_t none = 0;
	int64_t		n;
	int32_t    *number;
	int32_t    *item;
	int32_t    *found;
	size_t		size;
	uint8_t    *bytes;

	test_list(&none, 0, 100, "nothing");
	test_list(&none, 1, 1, "the only item");
	for (int shape = 0; shape < 6; shape++)
		for (int32_t limit = 10; limit <= 1000000; limit *= 100)
		{
			number = make_list((uint64_t) shape, limit, shape % 2 ? 2 : 0.03, shape / 2 * 0.4, &n);
			test_list(number, n, limit, "a list");
			free(number);
		}
	number = same_numbers(300);
	test_list(number, 300, 300, "all items");
	test_list(number + 299, 1, 300, "the last item");
	free(number);

	bytes = encode(far, 6, &size);
	ok(mf_seen_has(bytes, size, INT32_MAX, 2147483646) == 1 && mf_seen_has(bytes, size, INT32_MAX, 2147483644) == 0 &&
	   mf_seen_has(bytes, size, INT32_MAX, 3) == 0, "numbers far from each other");
	free(bytes);

	number = make_list(7, 20000, 3, 0.75, &n);
	bytes = encode(number, n, &size);
	item = same_numbers(20000);
	for (int32_t i = 0; i < 20000; i++)
		item[i] = i % 3 == 0 ? -1 : 20000 - i;
	found = malloc(((size_t) mf_seen_most(size) + 1) * sizeof(*found));
	ok(mf_seen_decode(bytes, size, 20000, item, found) < n, "items that are to be passed over are");
	free(found);
	free(item);
	free(bytes);
	free(number);
}

/* The bytes of a list, so that no change of the code makes stored ones unreadable. */
static void
test_format(void)
{
	static const int32_t number[] = {0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 100000, 100001};
	static const uint8_t expected[] = {
		0x00, 0xd0, 0xde, 0x3d, 0xc6, 0x97, 0xb3, 0xe1, 0x3d, 0x87, 0x0e, 0xff, 0xff, 0x0f, 0x89, 0x05, 0x03, 0x00,
		0xfc};
	size_t		size;
	uint8_t    *bytes = encode(number, 18, &size);

	if (!ok(size == sizeof(expected) && memcmp(bytes, expected, size) == 0, "the bytes of a list"))
		for (size_t i = 0; i < size; i++)
			printf("# 0x%02x,\n", bytes[i]);
	free(bytes);
}

/* Users who have items by their popularity: the mean of bits an item stays near what that is worth. */
static void
test_size(void)
{
	double		bits = 0;
	double		least = 0;
	int64_t		items = 0;

	for (uint64_t user = 0; user < 200; user++)
	{
		int64_t		n;
		int32_t    *number = make_list(1000 + user, 4000, 12, 0.75, &n);
		size_t		size;

		free(encode(number, n, &size));
		bits += 8.0 * (double) size;
		items += n;
		free(number);
	}
	for (int32_t i = 0; i < 4000; i++)
	{
		double		p = fmin(12 * pow(i + 1, -0.75), 0.999);

		least -= 200 * (p * log2(p) + (1 - p) * log2(1 - p));
	}
	ok(bits < 1.15 * least, "at most 15%% more than the least by popularity");
	printf("# %.2f bits an item, at least %.2f\n", bits / (double) items, least / (double) items);
}

/* Bytes that something has changed: a list that ascends below the limit, or damage, and nothing read behind them. */
static bool
survives(const uint8_t *bytes, size_t size, int32_t limit, const int32_t *same)
{
	int32_t    *item;
	int64_t		n = decode(bytes, size, limit, same, &item);
	bool		sound = n == MF_SEEN_DAMAGED || (n >= 0 && n <= mf_seen_most(size));

	for (int64_t i = 0; i < n; i++)
		sound &= item[i] < limit && (i == 0 || item[i - 1] < item[i]);
	free(item);
	return sound;
}

static void
test_damage(void)
{
	int64_t		n;
	int32_t    *number = make_list(3, 5000, 2, 0.6, &n);
	int32_t    *same = same_numbers(5000);
	size_t		size;
	uint8_t    *bytes = encode(number, n, &size);
	bool		sound = true;
	int			told = 0;

	for (size_t cut = 1; cut < size; cut++)
	{
		uint8_t    *rest = malloc(cut);

		memcpy(rest, bytes, cut);
		sound &= survives(rest, cut, 5000, same);
		free(rest);
	}
	ok(sound, "bytes that are cut off");
	for (size_t bit = 0; bit < 8 * size; bit++)
	{
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		sound &= survives(bytes, size, 5000, same);
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	ok(sound, "bits that are turned");
	for (uint64_t seed = 0; seed < 3000; seed++)
	{
		uint8_t    *random = malloc(1 + seed % 100);
		int32_t    *item;

		for (size_t i = 0; i < 1 + seed % 100; i++)
			random[i] = (uint8_t) mf_random_bits(seed, i);
		sound &= survives(random, 1 + seed % 100, 5000, same);
		told += decode(random, 1 + seed % 100, 5000, same, &item) == MF_SEEN_DAMAGED;
		free(item);
		free(random);
	}
	ok(sound, "bytes thrown by dice");
	ok(told > 2700, "which are told as such most of the time");
	ok(mf_seen_has((const uint8_t *) "\x20\x00", 2, 10, 3) == MF_SEEN_DAMAGED, "a format to come");
	ok(mf_seen_has((const uint8_t *) "\x1f\x00", 2, 10, 3) == MF_SEEN_DAMAGED, "a parameter that is too large");
	free(bytes);
	free(same);
	free(number);
}

static int
compare_items(const void *a, const void *b)
{
	int32_t		x = *(const int32_t *) a;
	int32_t		y = *(const int32_t *) b;

	return (x > y) - (x < y);
}

/* Every n-th of the items, shuffled, sorted as qsort sorts them. */
static void
test_sort(int64_t n, int64_t nitems)
{
	int32_t    *item = malloc((size_t) n * sizeof(*item) + 1);
	int32_t    *expected = malloc((size_t) n * sizeof(*item) + 1);
	void	   *space = malloc(mf_list_sort_workspace(n, nitems) + 1);

	for (int64_t i = 0; i < n; i++)
	{
		int64_t		at = (int64_t) (mf_random_bits(9, (uint64_t) i) % (uint64_t) (i + 1));

		item[i] = item[at];
		item[at] = (int32_t) (nitems - 1 - i * (nitems / n));
	}
	memcpy(expected, item, (size_t) n * sizeof(*item));
	qsort(expected, (size_t) n, sizeof(*item), compare_items);
	mf_list_sort(item, n, nitems, space);
	ok(memcmp(item, expected, (size_t) n * sizeof(*item)) == 0, "%lld of %lld items sorted", (long long) n,
	   (long long) nitems);
	free(item);
	free(expected);
	free(space);
}

static void
test_unite(void)
{
	static const int32_t a[] = {1, 4, 5, 9};
	static const int32_t b[] = {0, 4, 6, 9, 11};
	static const int32_t expected[] = {0, 1, 4, 5, 6, 9, 11};
	int32_t		both[9];

	ok(mf_list_unite(a, 4, b, 5, both) == 7 && memcmp(both, expected, sizeof(expected)) == 0, "two lists");
	ok(mf_list_unite(b, 5, a, 4, both) == 7 && memcmp(both, expected, sizeof(expected)) == 0, "the other way round");
	ok(mf_list_unite(NULL, 0, b, 5, both) == 5 && memcmp(both, b, sizeof(b)) == 0, "nothing and a list");
	ok(mf_list_unite(a, 4, NULL, 0, both) == 4 && memcmp(both, a, sizeof(a)) == 0, "a list and nothing");
	ok(mf_list_unite(NULL, 0, NULL, 0, both) == 0, "nothing at all");
}

static void
test_number(void)
{
	static const int32_t counts[] = {5, 100000, 0, 5, 7, 2147483647, 5, 261};
	static const int32_t expected[] = {4, 1, 7, 5, 3, 0, 6, 2};
	int32_t		number[8];
	int32_t		space[16];

	ok(mf_seen_number_workspace(8) == sizeof(space), "space to number eight items");
	mf_seen_number(counts, 8, number, space);
	ok(memcmp(number, expected, sizeof(expected)) == 0, "items numbered by their ratings");
}

int
main(void)
{
	test_lists();
	test_format();
	test_size();
	test_damage();
	test_sort(1, 1);
	test_sort(30, 1000000);
	test_sort(33, 41000);
	test_sort(300, 2000000000);
	test_sort(200, 3000);
	test_sort(3000, 3000);
	test_unite();
	test_number();
	return done();
}

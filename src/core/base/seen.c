/*
 * seen.c - the items that a user has, in few bytes.
 *
 * Items are numbered by popularity, 0 the one with the most ratings.  Of an ascending list of numbers the
 * gaps are stored: what lies between one and the next.  They are small at the beginning, where nearly
 * all users have most items, and grow towards the rare ones, so each is written by a Rice code whose
 * parameter k follows the gaps before it: the gap / 2^k in ones and a zero, then its low k bits.  That
 * takes about what knowing the popularity of every item allows at best: half a byte an item where users have
 * one of twenty of them, a little over a byte where they have one of a thousand.
 *
 *     byte 0        bits 0 .. 4: k of the first gap; bits 5 .. 7: 0, for formats to come
 *     then          codes, from the lowest bit of each byte on; the last byte is filled up with ones
 *
 * A gap of ESCAPE * 2^k and more is ESCAPE ones, its number of bits less one in 5 bits, and these.  No items
 * are no bytes at all.
 */
#include "core/base/seen.h"

#include <stdbool.h>
#include <string.h>

/* So many ones say that a gap is written out. */
#define ESCAPE 16

/* Bits that an escaped gap takes at most: ones, its length, itself. */
#define LONGEST (ESCAPE + 5 + 31)

/* What a list ends with has fewer bits than this. */
#define BYTE 8

/*
 * The gaps so far, as a weighted mean in units of 1/16 by 1.7, of which each gap is a quarter.  The k that
 * suits a geometric distribution of that mean, with a long tail, is the logarithm of 1.7 means less one.
 */
typedef struct Gaps
{
	uint64_t	mean;
} Gaps;

static inline Gaps
first_gaps(unsigned k)
{
	return (Gaps) {UINT64_C(24) << k};
}

static inline unsigned
parameter(const Gaps *gaps)
{
	return 63 - (unsigned) __builtin_clzll(gaps->mean >> 4 | 1);
}

static inline void
add_gap(Gaps *gaps, uint32_t gap)
{
	gaps->mean += gap * UINT64_C(7) - (gaps->mean >> 2);
}

/* Bytes that n numbers take at most. */
size_t
mf_seen_bound(int64_t n)
{
	return n > 0 ? 2 + ((size_t) n * LONGEST + BYTE - 1) / BYTE : 0;
}

/* Bits on their way out; fewer than 8 of them wait. */
typedef struct Writer
{
	uint8_t    *at;
	uint64_t	bits;
	unsigned	count;
} Writer;

/* Writes the low n bits, at most 56; the others are 0. */
static inline void
put_bits(Writer *writer, uint64_t bits, unsigned n)
{
	writer->bits |= bits << writer->count;
	for (writer->count += n; writer->count >= BYTE; writer->count -= BYTE)
	{
		*writer->at++ = (uint8_t) writer->bits;
		writer->bits >>= BYTE;
	}
}

static void
put_gap(Writer *writer, uint32_t gap, unsigned k)
{
	uint32_t	ones = gap >> k;

	if (ones < ESCAPE)
	{
		uint64_t	low = gap & ((UINT32_C(1) << k) - 1);

		put_bits(writer, ((UINT64_C(1) << ones) - 1) | low << (ones + 1), ones + 1 + k);
	}
	else
	{
		unsigned	n = 32 - (unsigned) __builtin_clz(gap);

		put_bits(writer, (UINT64_C(1) << ESCAPE) - 1, ESCAPE);
		put_bits(writer, n - 1, 5);
		put_bits(writer, gap, n);
	}
}

/* A good k for the first gaps: the logarithm of the mean of up to three of them. */
static unsigned
first_parameter(const int32_t *number, int64_t n)
{
	int64_t		few = n < 3 ? n : 3;
	uint32_t	mean = (uint32_t) ((number[few - 1] - few + 1) / few);

	return 31 - (unsigned) __builtin_clz(mean | 1);
}

/* Writes n numbers, ascending and distinct; returns how many bytes, mf_seen_bound(n) at most. */
size_t
mf_seen_encode(const int32_t *number, int64_t n, uint8_t *bytes)
{
	Writer		writer = {bytes, 0, 0};
	int32_t		next = 0;
	Gaps		gaps;

	if (n == 0)
		return 0;
	*writer.at++ = (uint8_t) first_parameter(number, n);
	gaps = first_gaps(bytes[0]);
	for (int64_t i = 0; i < n; i++)
	{
		uint32_t	gap = (uint32_t) (number[i] - next);

		put_gap(&writer, gap, parameter(&gaps));
		add_gap(&gaps, gap);
		next = number[i] + 1;
	}
	if (writer.count > 0)
		*writer.at++ = (uint8_t) (writer.bits | 0xffu << writer.count);
	return (size_t) (writer.at - bytes);
}

/* Bytes that are being read; `count` of their bits are at hand, above them the next ones or zeros. */
typedef struct Reader
{
	const uint8_t *at;
	const uint8_t *end;
	uint64_t	bits;
	unsigned	count;
	uint32_t	limit;
	uint32_t	next;			/* the least number that can come */
	Gaps		gaps;
} Reader;

/* Begins to read; false where the first byte is none of ours. */
static bool
start_reader(Reader *reader, const uint8_t *bytes, size_t size, int32_t limit)
{
	*reader = (Reader) {bytes + (size > 0), bytes + size, 0, 0, (uint32_t) limit, 0, {0}};
	if (size == 0)
		return true;
	if (bytes[0] > 30)
		return false;
	reader->gaps = first_gaps(bytes[0]);
	return true;
}

/* Brings bits until there are at least LONGEST at hand, or all. */
static inline void
fill_reader(Reader *reader)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	if (reader->end - reader->at >= 8)
	{
		uint64_t	word;

		memcpy(&word, reader->at, sizeof(word));
		reader->bits |= word << reader->count;
		reader->at += (63 - reader->count) / BYTE;
		reader->count |= 56;
		return;
	}
#endif
	for (; reader->count <= 56 && reader->at < reader->end; reader->count += BYTE)
		reader->bits |= (uint64_t) *reader->at++ << reader->count;
}

/* What next_number answers where there is none left, and where the bytes are damaged. */
#define NONE_LEFT (-1)
#define DAMAGED (-2)

/* There is no whole code left, which is right after the last one: nothing but ones, and not a byte of them. */
static int64_t
end_reader(const Reader *reader)
{
	return reader->count < BYTE && (reader->bits & 0xff) == (1u << reader->count) - 1 ? NONE_LEFT : DAMAGED;
}

/* How many bits the code takes that is next, and its gap, if so many bits are at hand. */
static inline unsigned
next_code(const Reader *reader, uint64_t *gap)
{
	unsigned	k = parameter(&reader->gaps);
	unsigned	ones = (unsigned) __builtin_ctzll(~reader->bits | UINT64_C(1) << ESCAPE);
	unsigned	n;

	if (__builtin_expect(ones < ESCAPE, 1))
	{
		*gap = (uint64_t) ones << k | (reader->bits >> (ones + 1) & ((UINT64_C(1) << k) - 1));
		return ones + 1 + k;
	}
	n = 1 + (reader->bits >> ESCAPE & 31);
	*gap = reader->bits >> (ESCAPE + 5) & ((UINT64_C(1) << n) - 1);
	return ESCAPE + 5 + n;
}

/* The next number, or one of the above.  Inlined, so that the reader stays in registers. */
static inline __attribute__((always_inline)) int64_t
next_number(Reader *reader)
{
	uint64_t	gap;
	unsigned	length = next_code(reader, &gap);

	if (length > reader->count)
	{
		fill_reader(reader);
		length = next_code(reader, &gap);
		if (length > reader->count)
			return end_reader(reader);
	}
	if (gap >= reader->limit - reader->next)
		return DAMAGED;
	reader->bits >>= length;
	reader->count -= length;
	add_gap(&reader->gaps, (uint32_t) gap);
	reader->next += (uint32_t) gap + 1;
	return reader->next - 1;
}

/* How many items so many bytes can tell of at most. */
int64_t
mf_seen_most(size_t size)
{
	return (int64_t) size * BYTE;
}

/*
 * The items of a list: item_of has the item of each number below the limit, negative for one that is to
 * be passed over.  Returns how many there are, in no particular order, mf_seen_most(size) at most; or
 * MF_SEEN_DAMAGED.
 */
int64_t
mf_seen_decode(const uint8_t *bytes, size_t size, int32_t limit, const int32_t *item_of, int32_t *item)
{
	Reader		reader;
	int64_t		number;
	int64_t		n = 0;

	if (!start_reader(&reader, bytes, size, limit))
		return MF_SEEN_DAMAGED;
	while ((number = next_number(&reader)) >= 0)
	{
		item[n] = item_of[number];
		n += item[n] >= 0;
	}
	return number == NONE_LEFT ? n : MF_SEEN_DAMAGED;
}

/* Whether a number is in a list: 1 or 0, or MF_SEEN_DAMAGED; looks no further than it must. */
int
mf_seen_has(const uint8_t *bytes, size_t size, int32_t limit, int32_t number)
{
	Reader		reader;
	int64_t		at;

	if (!start_reader(&reader, bytes, size, limit))
		return MF_SEEN_DAMAGED;
	while ((at = next_number(&reader)) >= 0 && at < number)
		continue;
	return at == DAMAGED ? MF_SEEN_DAMAGED : at == number;
}

/* Bits that one pass of a sort goes by. */
#define DIGIT 8
#define DIGITS (1 << DIGIT)

/* Up to so many items are sorted by inserting them. */
#define FEW 32

/* Words of a bitmap of items. */
static inline int64_t
bitmap_words(int64_t nitems)
{
	return (nitems + 63) / 64;
}

/* Whether a bitmap of all items is the quicker way to sort n of them. */
static inline bool
bitmap_sorts(int64_t n, int64_t nitems)
{
	return bitmap_words(nitems) <= 4 * n;
}

/* Bytes of scratch space for mf_seen_sort, which needs no alignment beyond that of int64_t. */
size_t
mf_seen_sort_size(int64_t n, int64_t nitems)
{
	if (n <= FEW)
		return 0;
	return bitmap_sorts(n, nitems) ? (size_t) bitmap_words(nitems) * sizeof(uint64_t) : (size_t) n * sizeof(int32_t);
}

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

/* One stable pass over keys that belong to values (NULL: the keys themselves), by the digit from a shift on. */
static void
sort_digit(const int32_t *from, const int32_t *key, int64_t n, int shift, int32_t *to)
{
	int64_t		start[DIGITS + 1] = {0};

	for (int64_t i = 0; i < n; i++)
		start[(((key ? key[from[i]] : from[i]) >> shift) & (DIGITS - 1)) + 1]++;
	for (int b = 0; b < DIGITS; b++)
		start[b + 1] += start[b];
	for (int64_t i = 0; i < n; i++)
		to[start[((key ? key[from[i]] : from[i]) >> shift) & (DIGITS - 1)]++] = from[i];
}

/* Sorts n distinct items, each below nitems, ascending. */
void
mf_seen_sort(int32_t *item, int64_t n, int64_t nitems, void *space)
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
	for (int shift = 0; shift < 31 && (nitems - 1) >> shift > 0; shift += DIGIT)
	{
		int32_t    *swap = from;

		sort_digit(from, NULL, n, shift, to);
		from = to;
		to = swap;
	}
	if (from != item)
		memcpy(item, from, (size_t) n * sizeof(*item));
}

/* Two ascending lists as one, in which each item is once; returns its length, at most na + nb. */
int64_t
mf_seen_unite(const int32_t *a, int64_t na, const int32_t *b, int64_t nb, int32_t *both)
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

/* Bytes of scratch space for mf_seen_number. */
size_t
mf_seen_number_size(int64_t nitems)
{
	return 2 * (size_t) nitems * sizeof(int32_t);
}

/* Numbers items by falling counts of ratings, none negative, and among equal ones by their place. */
void
mf_seen_number(const int32_t *counts, int64_t nitems, int32_t *number, void *space)
{
	int32_t    *from = space;
	int32_t    *to = from + nitems;
	int32_t		most = 0;

	for (int64_t i = 0; i < nitems; i++)
	{
		most = counts[i] > most ? counts[i] : most;
		from[i] = (int32_t) (nitems - 1 - i);
	}
	for (int shift = 0; shift < 31 && most >> shift > 0; shift += DIGIT)
	{
		int32_t    *swap = from;

		sort_digit(from, counts, nitems, shift, to);
		from = to;
		to = swap;
	}
	for (int64_t i = 0; i < nitems; i++)
		number[from[i]] = (int32_t) (nitems - 1 - i);
}

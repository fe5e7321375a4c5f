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

#include "core/base/radix.h"

/* So many ones say that a gap is written out. */
#define ESCAPE 16

/* Bits that an escaped gap takes at most: ones, its length, itself. */
#define LONGEST (ESCAPE + 5 + 31)

/* Bits of a byte: what a list ends with has fewer. */
#define BYTE 8

/*
 * The gaps so far, as a weighted mean in units of 1/16 by 1.7, of which each gap is a quarter.  The k that
 * suits a geometric distribution of that mean, with a long tail, is the logarithm of 1.7 means less one.
 */
typedef struct Gaps
{
	uint64_t	mean;
} Gaps;

/* What stands before the first gap when its k is given. */
static inline Gaps
first_gaps(unsigned k)
{
	return (Gaps) {UINT64_C(24) << k};
}

/* k of the next gap. */
static inline unsigned
parameter(const Gaps *gaps)
{
	return 63 - (unsigned) __builtin_clzll(gaps->mean >> 4 | 1);
}

/* Takes a gap in: the mean moves a quarter of the way to it. */
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

/* Writes the code of a gap: see the head of this file. */
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

/* Bytes of workspace for mf_seen_number(). */
size_t
mf_seen_number_workspace(int64_t nitems)
{
	return 2 * (size_t) nitems * sizeof(int32_t);
}

/*
 * Numbers items by descending counts of ratings, none negative, and among equal ones by their place: number (nitems)
 * of each; space: mf_seen_number_workspace() bytes.  A radix sort of the items backwards, ascending by count.
 */
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
	for (int shift = 0; shift < 31 && most >> shift > 0; shift += MF_RADIX_BITS)
	{
		int32_t    *swap = from;

		mf_radix_pass(from, counts, nitems, shift, to);
		from = to;
		to = swap;
	}
	for (int64_t i = 0; i < nitems; i++)
		number[from[i]] = (int32_t) (nitems - 1 - i);
}

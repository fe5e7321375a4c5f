/*
 * holdout.c - on which side of a split a pair of ids is: a function of the ids and a seed alone.
 *
 * Splits outlive servers: views and papers refer to them.  So nothing here may ever change, nor
 * depend on a machine: ids are hashed as numbers or as bytes in a fixed order, never as memory.
 * An id is what it reads: the number 42 of any width and the text '42' have the same hash.
 */
#include "core/metrics/holdout.h"

#include <math.h>
#include <stdbool.h>

#include "core/base/rng.h"

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

/* The hash of an integer id. */
uint64_t
mf_holdout_integer(int64_t id)
{
	return mf_mix64((uint64_t) id + GOLDEN);
}

/* Up to eight bytes as a number, the first one lowest. */
static uint64_t
word_at(const char *bytes, size_t n)
{
	uint64_t	word = 0;

	for (size_t i = 0; i < n; i++)
		word |= (uint64_t) (unsigned char) bytes[i] << (8 * i);
	return word;
}

/* Whether a text is the one way to write an int64: "0", "42", "-7"; not "+1", "-0", "007", "1.0". */
static bool
is_integer(const char *text, size_t length, int64_t *value)
{
	bool		negative = length > 0 && text[0] == '-';
	size_t		first = negative ? 1 : 0;
	uint64_t	most = (uint64_t) INT64_MAX + (negative ? 1 : 0);
	uint64_t	n = 0;

	if (length <= first || length - first > 19 || (text[first] == '0' && length > 1))
		return false;
	for (size_t i = first; i < length; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t) (text[i] - '0');
	}
	if (n > most)
		return false;
	*value = (int64_t) (negative ? 0 - n : n);
	return true;
}

/* The hash of an id that is text; of one that reads as an integer that integer's. */
uint64_t
mf_holdout_text(const char *id, size_t length)
{
	uint64_t	hash = mf_mix64((uint64_t) length * GOLDEN);
	int64_t		value;

	if (is_integer(id, length, &value))
		return mf_holdout_integer(value);
	for (size_t i = 0; i < length; i += 8)
		hash = mf_mix64((hash ^ word_at(id + i, length - i < 8 ? length - i : 8)) + GOLDEN);
	return hash;
}

/* The hash of an id kept as a floating-point number; of a whole number that integer's. */
uint64_t
mf_holdout_number(double id)
{
	union
	{
		double		number;
		uint64_t	bits;
	}			as = {id};

	if (id >= -0x1p63 && id < 0x1p63 && id == floor(id))
		return mf_holdout_integer((int64_t) id);
	if (isnan(id))
		as.bits = UINT64_C(0x7ff8000000000000);
	return mf_mix64(as.bits ^ GOLDEN);
}

/*
 * Where a pair of hashed ids lies in [0, 1): evenly spread, and independent of where it lies under
 * another seed.  Below the fraction it is held out, so a larger fraction holds out the same and more.
 */
double
mf_holdout_place(uint64_t seed, uint64_t user, uint64_t item)
{
	uint64_t	hash = mf_mix64(mf_mix64(seed + GOLDEN) ^ user);

	return (double) (mf_mix64(hash + item) >> 11) * 0x1p-53;
}

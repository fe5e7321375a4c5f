/*
 * narrow.c - vectors of floats that are whole numbers of 16 bits times a power of two.
 *
 * The power, a vector's unit, is the smallest one in which its largest number is 32767 at most, and no smaller than
 * normal floats are.  So a vector that has been rounded to its unit is off by at most half of it, 2^-15 of its largest
 * number, and rounding it again changes nothing; and numbers times unit are its floats to the bit, but for the sign of
 * 0.
 */
#include "core/base/narrow.h"

#include <math.h>

/* The largest number in the largest unit: one more would be infinite. */
#define LARGEST_EXPONENT 241
#define MOST_OF_LARGEST 16383

/* The leading 24 bits of 32767.5: a float of which these are smaller is below it in units in which its first is 16384. */
#define ROUNDS_UP (UINT32_C(65535) << 8)

/* Bits of a float without its sign: sizes are in their order, and what is not finite is behind all that is. */
#define SIZE_BITS UINT32_C(0x7fffffff)
#define INFINITE_BITS UINT32_C(0x7f800000)

/*
 * The exponent of the unit of a vector: 0 where all numbers are 0, MF_NARROW_NONE where one is not finite.
 */
uint8_t
mf_narrow_exponent(const float *vector, int n)
{
	uint32_t	most = 0;
	int			exponent;

	for (int j = 0; j < n; j++)
	{
		uint32_t	bits;

		memcpy(&bits, vector + j, sizeof(bits));
		bits &= SIZE_BITS;
		most = bits > most ? bits : most;
	}
	if (most >= INFINITE_BITS)
		return MF_NARROW_NONE;
	if (most == 0)
		return 0;
	exponent = (int) (most >> 23) - 14;
	if (((most & UINT32_C(0x7fffff)) | UINT32_C(0x800000)) >= ROUNDS_UP)
		exponent++;
	return (uint8_t) (exponent < 1 ? 1 : exponent);
}

/* Rounds n numbers to the unit of their vector; one that has numbers which are not finite stays as it is. */
void
mf_narrow_round(float *vector, int n)
{
	uint8_t		exponent = mf_narrow_exponent(vector, n);
	float		unit = mf_narrow_unit(exponent);
	int32_t		limit = exponent == LARGEST_EXPONENT ? MOST_OF_LARGEST : INT16_MAX;

	for (int j = 0; exponent > 0 && exponent != MF_NARROW_NONE && j < n; j++)
	{
		float		size = fabsf(vector[j]) * mf_narrow_per_unit(exponent) + 0.5f;
		int32_t		number = (int32_t) size;

		number = number > limit ? limit : number;
		vector[j] = (float) (vector[j] < 0 ? -number : number) * unit;
	}
}

/* Rounds rows (nrows x ld, of n numbers each; NULL: none) to the unit of each. */
void
mf_narrow_round_rows(float *rows, int64_t nrows, int n, int ld)
{
	for (int64_t r = 0; rows != NULL && r < nrows; r++)
		mf_narrow_round(rows + r * ld, n);
}

/*
 * Writes a vector as whole numbers (n of them; NULL: only asks) and the exponent of their unit.  Returns false where it
 * is none of such numbers.
 */
bool
mf_narrow_encode(const float *vector, int n, int16_t *number, uint8_t *exponent)
{
	int			misfits = 0;
	float		unit;
	float		per;

	*exponent = mf_narrow_exponent(vector, n);
	if (*exponent == MF_NARROW_NONE)
	{
		*exponent = 0;
		return false;
	}
	unit = mf_narrow_unit(*exponent);
	per = *exponent > 0 ? mf_narrow_per_unit(*exponent) : 0;
	/* no size in units is 32767.5 or more */
	for (int j = 0; j < n; j++)
		misfits += (float) (int32_t) (vector[j] * per) * unit != vector[j];
	for (int j = 0; number != NULL && j < n; j++)
		number[j] = (int16_t) (vector[j] * per);
	return misfits == 0;
}

/*
 * time_split.c - the newest rows of a source, told from the others by their time.
 *
 * The k-th newest time is found digit by digit (radix selection), in as many passes over the rows as a time has digits
 * of 16 bits, and in the same memory however many rows there are.  The order in which rows come is of no account.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "pg/alloc.h"
#include "source/time_split.h"

#define DIGIT_BITS 16
#define DIGITS (1 << DIGIT_BITS)

/* A time as an integer that has the same order. */
static uint64
OrderedBits(double time)
{
	uint64		bits;

	time += 0.0;				/* both zeros are the same time */
	memcpy(&bits, &time, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64CONST(1) << 63;
}

/* The inverse. */
static double
TimeOfBits(uint64 bits)
{
	double		time;

	bits = bits >> 63 ? bits & ~(UINT64CONST(1) << 63) : ~bits;
	memcpy(&time, &bits, sizeof(time));
	return time;
}

/*
 * Counts the rows whose time begins with the digits of `prefix` above `shift` by their next digit; the triplets are
 * rewound.
 */
static void
CountDigits(Triplets *triplets, uint64 prefix, int shift, int64 *count)
{
	memset(count, 0, sizeof(int64) * DIGITS);
	while (ReadTriplets(triplets))
		for (int64 i = 0; i < triplets->held; i++)
		{
			uint64		bits = OrderedBits(triplets->time[i]);

			if (i % BLOCK_TRIPLETS == 0)
				CHECK_FOR_INTERRUPTS();
			if (shift + DIGIT_BITS == 64 || (bits ^ prefix) >> (shift + DIGIT_BITS) == 0)
				count[bits >> shift & (DIGITS - 1)]++;
		}
	EndTriplets(triplets);
}

/*
 * The cut that has `newer` of the triplets, which are complete and have times, on its newer side: about, where times
 * are the same.
 */
TimeCut
FindTimeCut(Triplets *triplets, int64 newer)
{
	int64	   *count = HugeArray(DIGITS, sizeof(int64));
	uint64		prefix = 0;
	int			digit = 0;
	TimeCut		cut = {INFINITY, 0};

	newer = Min(newer, triplets->count);
	if (newer > 0)
	{
		for (int shift = 64 - DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS)
		{
			CountDigits(triplets, prefix, shift, count);
			for (digit = DIGITS - 1; count[digit] < newer; digit--)
				newer -= count[digit];
			prefix |= (uint64) digit << shift;
		}
		cut = (TimeCut) {TimeOfBits(prefix), (double) newer / count[digit]};
	}
	pfree(count);
	return cut;
}

/*
 * time_split.c - the newest rows of a source, told from the others by their time.
 *
 * The k-th newest time is found digit by digit (radix selection), in as many passes over the rows as a time has digits
 * of 16 bits, and in the same memory however many rows there are.  The order in which rows come is of no account, nor is
 * where they are: counts of several places are added.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "pg/alloc.h"
#include "source/time_split.h"

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
 * Counts the rows whose time begins with the digits of `prefix` above `shift` by their next digit; the triplets, which are
 * complete and have times, are rewound.  A TimeCounter.
 */
void
CountTimeDigits(void *state, uint64 prefix, int shift, int64 *count)
{
	Triplets   *triplets = state;

	memset(count, 0, sizeof(int64) * TIME_DIGITS);
	while (ReadTriplets(triplets))
		for (int64 i = 0; i < triplets->held; i++)
		{
			uint64		bits = OrderedBits(triplets->time[i]);

			if (i % BLOCK_TRIPLETS == 0)
				CHECK_FOR_INTERRUPTS();
			if (shift + TIME_DIGIT_BITS == 64 || (bits ^ prefix) >> (shift + TIME_DIGIT_BITS) == 0)
				count[bits >> shift & (TIME_DIGITS - 1)]++;
		}
	EndTriplets(triplets);
}

/* The cut that has `newer` of the rows, which are as many at least, on its newer side: about, where times are the same. */
static TimeCut
FindTimeCut(TimeCounter counter, void *state, int64 newer)
{
	int64	   *count;
	uint64		prefix = 0;
	int			digit = 0;
	TimeCut		cut = {INFINITY, 0};

	if (newer == 0)
		return cut;
	count = HugeArray(TIME_DIGITS, sizeof(int64));
	for (int shift = 64 - TIME_DIGIT_BITS; shift >= 0; shift -= TIME_DIGIT_BITS)
	{
		counter(state, prefix, shift, count);
		for (digit = TIME_DIGITS - 1; digit > 0 && count[digit] < newer; digit--)
			newer -= count[digit];
		prefix |= (uint64) digit << shift;
	}
	cut = (TimeCut) {TimeOfBits(prefix), (double) newer / count[digit]};
	pfree(count);
	return cut;
}

/* The range of a holdout of so many rows, see Holdout. */
TimeRange
FindTimeRange(TimeCounter counter, void *state, int64 rows, double from, double fraction)
{
	return (TimeRange) {
		FindTimeCut(counter, state, Min((int64) (from * rows + 0.5), rows)),
		FindTimeCut(counter, state, Min((int64) ((from + fraction) * rows + 0.5), rows))
	};
}

/*
 * coo_store.c - (user, item, value, weight, time) in the order in which they come, in memory or spilled.
 *
 * Temporary files are PostgreSQL's own (BufFile): they count against temp_file_limit, are logged by
 * log_temp_files, and go away with the transaction however it ends.
 *
 * A block of n triplets in a file is the n users, the n items, then the n values and the n weights where there
 * are any, 4 bytes each, and the n times, of 8 bytes.  All blocks but the last have block_size triplets, so a reader
 * needs no directory.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "source/coo_store.h"

/*
 * Makes an empty sequence, which takes no memory before its first triplet. limit: triplets that may stay in
 * memory, raised to one block.
 */
void
InitTriplets(Triplets *triplets, bool has_value, bool has_weight, int64 limit, int64 block_size)
{
	memset(triplets, 0, sizeof(Triplets));
	triplets->context = CurrentMemoryContext;
	triplets->has_value = has_value;
	triplets->has_weight = has_weight;
	triplets->limit = Max(limit, block_size);
	triplets->block_size = block_size;
}

/* Bytes that one triplet takes, in memory as in a file. */
int64
TripletBytes(const Triplets *triplets)
{
	return 2 * sizeof(int32) + (triplets->has_value + triplets->has_weight) * sizeof(float) +
		triplets->has_time * sizeof(double);
}

/* An array of elements of `size` bytes grown to `count`, a new one where it is NULL; in the sequence's context. */
static void *
Resize(const Triplets *triplets, void *array, int64 count, Size size)
{
	if (array == NULL)
		return MemoryContextAllocHuge(triplets->context, size * count);
	return repalloc_huge(array, size * count);
}

/* Resizes all arrays to room for `capacity` triplets. */
static void
SetCapacity(Triplets *triplets, int64 capacity)
{
	triplets->user = Resize(triplets, triplets->user, capacity, sizeof(int32));
	triplets->item = Resize(triplets, triplets->item, capacity, sizeof(int32));
	if (triplets->has_value)
		triplets->value = Resize(triplets, triplets->value, capacity, sizeof(float));
	if (triplets->has_weight)
		triplets->weight = Resize(triplets, triplets->weight, capacity, sizeof(float));
	if (triplets->has_time)
		triplets->time = Resize(triplets, triplets->time, capacity, sizeof(double));
	triplets->capacity = capacity;
}

/* Writes the triplets in memory to the end of the file, block by block; afterwards none is in memory. */
static void
SpillTriplets(Triplets *triplets)
{
	if (triplets->file == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(triplets->context);

		triplets->file = BufFileCreateTemp(false);
		MemoryContextSwitchTo(old);
	}
	for (int64 from = 0; from < triplets->held; from += triplets->block_size)
	{
		size_t		bytes = sizeof(int32) * Min(triplets->block_size, triplets->held - from);

		CHECK_FOR_INTERRUPTS();
		BufFileWrite(triplets->file, triplets->user + from, bytes);
		BufFileWrite(triplets->file, triplets->item + from, bytes);
		if (triplets->has_value)
			BufFileWrite(triplets->file, triplets->value + from, bytes);
		if (triplets->has_weight)
			BufFileWrite(triplets->file, triplets->weight + from, bytes);
		if (triplets->has_time)
			BufFileWrite(triplets->file, triplets->time + from, 2 * bytes);
	}
	triplets->held = 0;
}

/*
 * Spills the whole blocks in memory and moves the rest, less than a block, to the start of the arrays, which
 * from now on have room for two blocks.
 */
static void
SpillWholeBlocks(Triplets *triplets)
{
	int64		rest = triplets->held % triplets->block_size;
	int64		whole = triplets->held - rest;

	triplets->held = whole;
	SpillTriplets(triplets);
	memmove(triplets->user, triplets->user + whole, sizeof(int32) * rest);
	memmove(triplets->item, triplets->item + whole, sizeof(int32) * rest);
	if (triplets->has_value)
		memmove(triplets->value, triplets->value + whole, sizeof(float) * rest);
	if (triplets->has_weight)
		memmove(triplets->weight, triplets->weight + whole, sizeof(float) * rest);
	if (triplets->has_time)
		memmove(triplets->time, triplets->time + whole, sizeof(double) * rest);
	triplets->held = rest;
	if (triplets->capacity != 2 * triplets->block_size)
		SetCapacity(triplets, 2 * triplets->block_size);
}

/*
 * Makes room for n (at most block_size) more triplets at position `held` of the arrays, spilling if
 * need be.  The caller fills them in and adds n to count and held.
 */
void
ReserveTriplets(Triplets *triplets, int64 n)
{
	if (triplets->held + n <= triplets->capacity)
		return;
	if (triplets->file == NULL && triplets->capacity < triplets->limit)
	{
		SetCapacity(triplets, Min(Max(2 * triplets->capacity, 4 * triplets->block_size), triplets->limit));
		if (triplets->held + n <= triplets->capacity)
			return;
	}
	SpillWholeBlocks(triplets);
}

/*
 * Ends the writing, and rewinds: the next ReadTriplets() brings the first block.  Called again, it rewinds a
 * sequence that has been read.  A failure to write or seek is an error.
 */
void
EndTriplets(Triplets *triplets)
{
	triplets->left = triplets->count;
	if (triplets->file && !triplets->complete)
		SpillTriplets(triplets);
	triplets->complete = true;
	if (triplets->file == NULL)
		return;
	if (BufFileSeek(triplets->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file of ratings")));
}

/* Reads the next block, of n triplets, from the file to position `at` of the arrays. */
static void
ReadBlock(Triplets *triplets, int64 n, int64 at)
{
	size_t		bytes = sizeof(int32) * n;

	ReadTempFile(triplets->file, triplets->user + at, bytes);
	ReadTempFile(triplets->file, triplets->item + at, bytes);
	if (triplets->has_value)
		ReadTempFile(triplets->file, triplets->value + at, bytes);
	if (triplets->has_weight)
		ReadTempFile(triplets->file, triplets->weight + at, bytes);
	if (triplets->has_time)
		ReadTempFile(triplets->file, triplets->time + at, 2 * bytes);
}

/*
 * Brings the next block of a sequence that has ended into the arrays (`held` of them), or all of it where
 * nothing was spilled; false at the end.  The caller may change the arrays: what was spilled is read from the
 * file again, what was not stays changed.
 */
bool
ReadTriplets(Triplets *triplets)
{
	CHECK_FOR_INTERRUPTS();
	if (triplets->left == 0)
		return false;
	if (triplets->file)
	{
		triplets->held = Min(triplets->block_size, triplets->left);
		ReadBlock(triplets, triplets->held, 0);
	}
	triplets->left -= triplets->held;
	return true;
}

/* Brings all of a sequence that has just ended into the arrays, whatever its limit. */
void
LoadTriplets(Triplets *triplets)
{
	if (triplets->file == NULL)
		return;
	SetCapacity(triplets, Max(triplets->count, 1));
	for (int64 at = 0; at < triplets->count; at += triplets->block_size)
	{
		CHECK_FOR_INTERRUPTS();
		ReadBlock(triplets, Min(triplets->block_size, triplets->count - at), at);
	}
	triplets->held = triplets->count;
}

/* Frees the arrays, and closes the file, which removes it.  All zero afterwards. */
void
FreeTriplets(Triplets *triplets)
{
	if (triplets->user)
	{
		pfree(triplets->user);
		pfree(triplets->item);
	}
	if (triplets->value)
		pfree(triplets->value);
	if (triplets->weight)
		pfree(triplets->weight);
	if (triplets->time)
		pfree(triplets->time);
	if (triplets->file)
		BufFileClose(triplets->file);
	memset(triplets, 0, sizeof(Triplets));
}

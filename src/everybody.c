/*
 * everybody.c - the lists of all users of a model, one entry after the other.
 *
 * The users' table and the source are read once, at the beginning, as the calling query sees them.
 * Vectors go to a temporary file in the order in which they come, what users have in the source is
 * sorted by the same order, spilled where it is large.  So block after block of users takes the next of
 * both, and its lists come from threads; they are a block ahead of what is asked for, no more.
 * Vectors are those of the model: what users have rated since the training is left out of their lists,
 * but does not change them.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "budget.h"
#include "compat.h"
#include "everybody.h"
#include "factors.h"
#include "interrupt.h"
#include "options.h"

/* Users at work: so many, or so many for each thread, so that starting threads is nothing beside it. */
#define BLOCK_USERS 1024
#define THREAD_USERS 128

/* A block takes at least this much, so that it is more than a few users. */
#define LEAST_BLOCK (INT64CONST(1) * 1024 * 1024)

/* How often the dictionary of users is compared with the budget. */
#define CHECK_USERS 65536

static void *
HugeArray(int64 count, Size width)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, Max(count, 1) * width);
}

/* Bytes that grow with the number of users, and stay. */
static int64
UserBytes(const Everybody *e)
{
	return IdMapBytes(e->users) + (int64) e->users->count * sizeof(int64);
}

/* Takes note of a stored user. */
static void
TakeUser(void *state, int64 id, int32 count, float bias, int factors, const float *vector,
		 const float *rating_vector)
{
	Everybody  *e = state;
	const Image *image = e->r.image;
	int32		number = e->users->count;

	(void) count;
	(void) rating_vector;
	if (factors != image->objective.factors)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("user %s has %d factors, but its model has %d", IdToText(&image->user_type, id),
						factors, image->objective.factors),
				 errhint("A model table was edited by hand; retrain the model.")));
	if (AddId(e->users, id) != number)
		return;
	if (number % CHECK_USERS == 0)
	{
		CHECK_FOR_INTERRUPTS();
		CheckListBudget(UserBytes(e), e->users->count);
	}
	e->record[0] = bias;
	memcpy(e->record + 1, vector, sizeof(float) * factors);
	BufFileWrite(e->vectors, e->record, sizeof(float) * (1 + factors));
}

/* Reads all users. */
static void
ReadUsers(Everybody *e)
{
	e->users = CreateIdMap(&e->r.image->user_type);
	e->record = palloc(sizeof(float) * (1 + e->r.image->objective.factors));
	e->vectors = BufFileCreateTemp(false);
	ReadFactors(e->r.model->user_relid, USER_ID, e->r.version, &e->r.image->user_type, TakeUser, e);
	CheckListBudget(UserBytes(e), e->users->count);
	if (BufFileSeek(e->vectors, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file of vectors")));
}

/* Room for blocks of users, which may be fewer than there is room for where lists are long. */
static void
AllocateBlock(Everybody *e, int k)
{
	const Image *image = e->r.image;
	int			ld = image->index.ld;
	int64		bytes = sizeof(float) * (ld + 1) + sizeof(int64) + 3 * sizeof(int32) * Min(k, image->nitems);
	int64		room = Max(BLOCK_USERS, THREAD_USERS * mf_workers(&e->parallel));
	int64		fine = FineListBytes(image, e->users->count);

	e->block_bytes = Max(RatingsBudget() / 4, LEAST_BLOCK);
	room = Min(room, Max(e->block_bytes / bytes, 1));
	room = Min(room, Max(e->users->count, 1));
	InitLists(&e->lists, image, k, room, fine > 0 && UserBytes(e) + fine <= MemoryLimit(), &e->parallel);
	e->vector = (float *) TYPEALIGN(64, HugeArray(room * ld * sizeof(float) + 64, 1));
	memset(e->vector, 0, room * ld * sizeof(float));
	e->bias = HugeArray(room, sizeof(float));
	if (e->seen)
		e->seen_start = HugeArray(room + 1, sizeof(int64));
}

/* Reads what users have in the source. */
static void
ReadSeen(Everybody *e)
{
	const ServedSource *source = OpenServedSource(e->r.served, e->r.image->objective.has_rating);

	e->seen = ReadPairs(&source->source, e->users, &e->r.image->ids, &e->parallel);
	if (e->seen->rows == 0)
		e->seen = NULL;
	else
		RewindCells(&e->seen->by_user);
}

/*
 * Opens a model (NULL: the default one) at a version (0: the current one) for lists of k items for all of
 * its users, in the current memory context, without what they have in its source if they shall be.
 */
Everybody *
OpenEverybody(const char *model, int32 version, int k, bool exclude_seen)
{
	Everybody  *e = palloc0(sizeof(Everybody));

	InitParallel(&e->parallel);
	OpenRecommender(&e->r, model, version);
	ReadUsers(e);
	if (exclude_seen)
		ReadSeen(e);
	AllocateBlock(e, k);
	return e;
}

/* Users that the next block has: as many as there is room for, if they have not too many seen items. */
static int
BlockUsers(const Everybody *e)
{
	int64		n = Min(e->lists.room, e->users->count - e->first);
	const int64 *start = e->seen ? e->seen->by_user.start + e->first : NULL;

	while (e->seen && n > 1 && (start[n] - start[0]) * (int64) sizeof(int32) > e->block_bytes)
		n = (n + 1) / 2;
	return (int) n;
}

/* The next users' vectors and biases. */
static void
ReadVectors(Everybody *e)
{
	int			d = e->r.image->objective.factors;
	int			ld = e->r.image->index.ld;

	for (int u = 0; u < e->n; u++)
	{
		ReadTempFile(e->vectors, e->record, sizeof(float) * (1 + d));
		e->bias[u] = e->record[0];
		memcpy(e->vector + (Size) u * ld, e->record + 1, sizeof(float) * d);
	}
}

/* The items that a user has, from the part of the rows that he is in; returns how many. */
static int64
SeenItems(Everybody *e, int32 user, const int32 **items)
{
	MfRows	   *part = &e->part;
	int64		row;

	while (user >= part->first + part->nrows)
		if (!NextCells(&e->seen->by_user, part))
			elog(ERROR, "rows of user %d are missing", user);
	row = user - part->first;
	*items = part->column + part->start[row];
	return part->start[row + 1] - part->start[row];
}

/* What the block's users have. */
static void
GatherSeen(Everybody *e)
{
	const int64 *start = e->seen->by_user.start + e->first;
	int64		total = start[e->n] - start[0];

	if (total > e->seen_room)
	{
		if (e->seen_items)
			pfree(e->seen_items);
		e->seen_items = HugeArray(total, sizeof(int32));
		e->seen_room = total;
	}
	e->seen_start[0] = 0;
	for (int u = 0; u < e->n; u++)
	{
		const int32 *items;
		int64		count = SeenItems(e, e->first + u, &items);

		memcpy(e->seen_items + e->seen_start[u], items, sizeof(int32) * count);
		e->seen_start[u + 1] = e->seen_start[u] + count;
	}
}

/* Makes the lists of the next users; false when there are none left. */
static bool
NextBlock(Everybody *e)
{
	e->first += e->n;
	e->n = BlockUsers(e);
	e->user = e->entry = 0;
	if (e->n <= 0)
		return false;
	ReadVectors(e);
	if (e->seen)
		GatherSeen(e);
	MakeLists(&e->lists, e->n, e->vector, e->seen_start, e->seen_items);
	return true;
}

/*
 * The next entry of somebody's list, by user and rank; false when there is none left.  In the memory
 * context in which everybody was opened.
 */
bool
NextListEntry(Everybody *e, ListEntry *entry)
{
	const MfBatch *batch = &e->lists.batch;
	const Image *image = e->r.image;
	int64		at;

	CHECK_FOR_INTERRUPTS();
	while (e->user >= e->n || e->entry >= batch->count[e->user])
	{
		e->entry = 0;
		if (++e->user >= e->n && !NextBlock(e))
			return false;
	}
	at = (int64) e->user * batch->k + e->entry++;
	entry->user = IdAt(e->users, e->first + e->user);
	entry->item = IdAt(&image->ids, batch->item[at]);
	entry->score = ShownScore(&image->objective, e->bias[e->user], batch->score[at]);
	entry->rank = e->entry;
	return true;
}

/* Gives back what the memory context does not; an error's end of the transaction does the same. */
void
CloseEverybody(Everybody *e)
{
	BufFileClose(e->vectors);
	if (e->seen)
		FreeRatings(e->seen);
	CloseRecommender(&e->r);
}

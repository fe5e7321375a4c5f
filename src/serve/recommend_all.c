/*
 * recommend_all.c - the lists of all users of a model, one entry after the other.
 *
 * The users' table and the source are read once, at the beginning, as the calling query sees them.
 * Vectors, and what users had at the training, go to temporary files in the order in which they come; what
 * users have in the source is sorted by the same order, spilled where it is large.  So block after block of
 * users takes the next of all three, and its lists come from threads; they are a block ahead of what is
 * asked for, no more.  Vectors are those of the model: what users have rated since the training is left out
 * of their lists, but does not change them.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "image/seen_items.h"
#include "model/factor_rows.h"
#include "model/missing_rows.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "serve/recommend_all.h"

/* Users at work: so many, or so many for each thread, so that starting threads is nothing beside it. */
#define BLOCK_USERS 1024
#define THREAD_USERS 128

/* A block takes at least this much, so that it is more than a few users. */
#define LEAST_BLOCK (INT64CONST(1) * 1024 * 1024)

/* How often the dictionary of users is compared with the budget. */
#define CHECK_USERS 65536

/* Bytes that grow with the number of users, and stay. */
static int64
UserBytes(const Everybody *e)
{
	return IdMapBytes(e->users) + (int64) e->users->count * sizeof(int64);
}

/* Keeps what a user had at the training, as it is stored: its size, and its bytes. */
static void
WriteStoredSeen(Everybody *e, Datum stored)
{
	bytea	   *seen;
	int32		size = 0;

	if (stored == (Datum) 0)
	{
		BufFileWrite(e->stored, &size, sizeof(size));
		return;
	}
	seen = DatumGetByteaPP(stored);
	size = VARSIZE_ANY_EXHDR(seen);
	BufFileWrite(e->stored, &size, sizeof(size));
	BufFileWrite(e->stored, VARDATA_ANY(seen), size);
	if (PointerGetDatum(seen) != stored)
		pfree(seen);
}

/* An error unless what is kept of each user may be in memory. */
static void
CheckUserMemory(const Everybody *e)
{
	int64		needed = UserBytes(e);

	if (needed > MemoryLimit())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("lists of all users need %lld MB of memory, and may have %lld MB",
						(long long) (needed >> 20), (long long) (MemoryLimit() >> 20)),
				 errdetail("The dictionary of %lld users, so far, must be in memory.", (long long) e->users->count),
				 errhint("Raise mfrec.max_memory if the machine has the memory.")));
}

/* Takes note of a stored user; of one without a vector there is nothing to list. */
static void
TakeUser(void *state, const StoredRow *row)
{
	Everybody  *e = state;
	const Image *image = e->r.image;
	int32		number = e->users->count;

	if (row->factors == 0)
		return;
	if (row->factors != mf_dimensions(&image->objective))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("user %s has %d factors, but its model has %d", IdToText(&image->user_type, row->id),
						row->factors, mf_dimensions(&image->objective)),
				 errhint("A model table was edited by hand; retrain the model.")));
	if (AddId(e->users, row->id) != number)
		return;
	if (number % CHECK_USERS == 0)
	{
		CHECK_FOR_INTERRUPTS();
		CheckUserMemory(e);
	}
	e->record[0] = row->bias;
	memcpy(e->record + 1, row->vector, sizeof(float) * row->factors);
	BufFileWrite(e->vectors, e->record, sizeof(float) * (1 + row->factors));
	if (e->stored)
		WriteStoredSeen(e, row->seen);
}

static void
Rewind(BufFile *file)
{
	if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file of vectors")));
}

/* Reads all users; with_seen: and what they had at the training, if the version says it. */
static void
ReadUsers(Everybody *e, bool with_seen)
{
	e->users = CreateIdMap(&e->r.image->user_type);
	e->record = palloc(sizeof(float) * (1 + mf_dimensions(&e->r.image->objective)));
	e->vectors = BufFileCreateTemp(false);
	if (with_seen && e->r.image->numbered)
		e->stored = BufFileCreateTemp(false);
	if (ReadFactors(e->r.model->user_relid, USER_ID, e->r.version, &e->r.image->user_type, e->stored != NULL, TakeUser, e) == 0)
		CheckNoUsers(e->r.served, e->r.version);
	CheckUserMemory(e);
	Rewind(e->vectors);
	if (e->stored)
		Rewind(e->stored);
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

	e->block_bytes = Max(MaintenanceMemory() / 4, LEAST_BLOCK);
	room = Min(room, Max(e->block_bytes / bytes, 1));
	room = Min(room, Max(e->users->count, 1));
	InitLists(&e->lists, image, k, room, fine > 0 && UserBytes(e) + fine <= MemoryLimit(), &e->parallel);
	e->vector = AlignedArray(room * ld, sizeof(float));
	memset(e->vector, 0, room * ld * sizeof(float));
	e->bias = HugeArray(room, sizeof(float));
	if (e->seen || e->stored)
		e->seen_start = HugeArray(room + 1, sizeof(int64));
}

/* Reads what users have in the source. */
static void
ReadSeen(Everybody *e)
{
	const SourceLookup *source = OpenServedSource(e->r.served, e->r.image->objective.has_rating,
												  e->r.image->numbered ? "mf_recommend_all answers with fresh => false" :
												  "mf_recommend_all answers with exclude_seen => false");

	e->seen = ReadPairs(&source->source, e->users, &e->r.image->ids, NULL, &e->parallel);
	if (e->seen->rows == 0)
		e->seen = NULL;
	else
		RewindCells(&e->seen->by_user);
}

/* An error for a version that does not say what users have, where nobody else is to be asked. */
static void
CheckVersionSaysSeen(const Recommender *r)
{
	if (r->image->numbered == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" does not say what users have", r->version, r->model->name),
				 errdetail("It was made before 0.2.0, or of factors that were imported without a source."),
				 errhint("Retrain the model, let fresh be null to ask its source, or say exclude_seen => false.")));
}

/*
 * Opens a model (NULL: the default one) at a version (0: the current one) for lists of k items for all of
 * its users, in the current memory context.  SEEN_...: without what they have, or not.
 */
Everybody *
OpenEverybody(const char *model, int32 version, int k, SeenFrom from)
{
	Everybody  *e = palloc0(sizeof(Everybody));

	InitParallel(&e->parallel);
	OpenRecommender(&e->r, model, version);
	if (from == SEEN_FROM_VERSION)
		CheckVersionSaysSeen(&e->r);
	ReadUsers(e, from != SEEN_STAYS);
	if (from == SEEN_FROM_SOURCE || (from == SEEN_FROM_ALL && ReadsSource(&e->r)))
		ReadSeen(e);
	AllocateBlock(e, k);
	return e;
}

/* The next users' vectors and biases. */
static void
ReadVectors(Everybody *e)
{
	int			d = mf_dimensions(&e->r.image->objective);
	int			ld = e->r.image->index.ld;

	for (int u = 0; u < e->n; u++)
	{
		ReadTempFile(e->vectors, e->record, sizeof(float) * (1 + d));
		e->bias[u] = e->record[0];
		memcpy(e->vector + (Size) u * ld, e->record + 1, sizeof(float) * d);
	}
}

/* The items that a user has in the source, from the part of the rows that they are in; returns how many. */
static int64
SourceItems(Everybody *e, int32 user, const int32 **items)
{
	MfRows	   *part = &e->part;
	int64		row;

	if (e->seen == NULL)
		return 0;
	while (user >= part->first + part->nrows)
		if (!NextCells(&e->seen->by_user, part))
			elog(ERROR, "rows of user %d are missing", user);
	row = user - part->first;
	*items = part->column + part->start[row];
	return part->start[row + 1] - part->start[row];
}

/* The items that the next user had at the training, in memory that the caller frees. */
static int32 *
StoredItems(Everybody *e, int32 user, int *count)
{
	bytea	   *seen;
	int32	   *items;
	int32		size;

	*count = 0;
	if (e->stored == NULL)
		return NULL;
	ReadTempFile(e->stored, &size, sizeof(size));
	if (size == 0)
		return NULL;
	seen = palloc(VARHDRSZ + size);
	SET_VARSIZE(seen, VARHDRSZ + size);
	ReadTempFile(e->stored, VARDATA(seen), size);
	items = SeenItems(e->r.image, IdAt(e->users, user), seen, count);
	pfree(seen);
	return items;
}

/* Makes room for n items more than the block's users have so far. */
static void
ReserveSeen(Everybody *e, int64 held, int64 n)
{
	if (held + n <= e->seen_room)
		return;
	e->seen_room = Max(held + n, 2 * e->seen_room);
	if (e->seen_items == NULL)
		e->seen_items = HugeArray(e->seen_room, sizeof(int32));
	else
		e->seen_items = repalloc_huge(e->seen_items, sizeof(int32) * e->seen_room);
}

/* What the next users have, at most `room` of them and not many more items than a block may have; how many. */
static int
GatherSeen(Everybody *e, int room)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec seen", ALLOCSET_DEFAULT_SIZES);
	int			n = 0;

	e->seen_start[0] = 0;
	while (n < room && e->seen_start[n] * (int64) sizeof(int32) <= e->block_bytes)
	{
		const int32 *source = NULL;
		int64		nsource = SourceItems(e, e->first + n, &source);
		MemoryContext old = MemoryContextSwitchTo(scratch);
		int			nstored;
		int32	   *stored = StoredItems(e, e->first + n, &nstored);

		MemoryContextSwitchTo(old);
		ReserveSeen(e, e->seen_start[n], nsource + nstored);
		if (nsource > 0)
			memcpy(e->seen_items + e->seen_start[n], source, sizeof(int32) * nsource);
		if (nstored > 0)
			memcpy(e->seen_items + e->seen_start[n] + nsource, stored, sizeof(int32) * nstored);
		e->seen_start[n + 1] = e->seen_start[n] + nsource + nstored;
		MemoryContextReset(scratch);
		n++;
	}
	MemoryContextDelete(scratch);
	return n;
}

/* Makes the lists of the next users; false when there are none left. */
static bool
NextBlock(Everybody *e)
{
	e->first += e->n;
	e->n = (int) Min(e->lists.room, e->users->count - e->first);
	e->user = e->entry = 0;
	if (e->n <= 0)
		return false;
	if (e->seen_start)
		e->n = GatherSeen(e, e->n);
	ReadVectors(e);
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
	if (e->stored)
		BufFileClose(e->stored);
	if (e->seen)
		FreeRatings(e->seen);
	CloseRecommender(&e->r);
}

/*
 * recommend_all.c - the lists of all users of a model, one entry after the other.
 *
 * The users' table and the source are read once, at the beginning, as the calling query sees them.
 * Vectors, and what users had at the training, go to temporary files in the order in which they come; what
 * users have in the source is sorted by the same order, spilled where it is large.  So block after block of
 * users takes the next of all three, and its lists come from threads; they are a block ahead of what is
 * asked for, no more.  Memory holds the dictionary of users and one block, whatever the number of users.
 *
 * Vectors are those of the model: what users have rated since the training is left out of their lists, but
 * does not change them.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "image/seen_items.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "serve/recommend_all.h"
#include "read/pairs_read.h"

/* Users of a block: so many, or so many for each thread, so that starting threads is nothing beside it. */
#define BLOCK_USERS 1024
#define THREAD_USERS 128

/* Bytes that a block may take at least, so that it is more than a few users. */
#define LEAST_BLOCK (INT64CONST(1) * 1024 * 1024)

/* Up to so many candidates are scored one by one for each user. */
#define FEW_CANDIDATES 256

/* The memory of the dictionary is compared with the limit each time that so many users have come. */
#define CHECK_USERS 65536

/*
 * Bytes that grow with the number of users, and stay until the call ends: their ids, and where each one's rows
 * begin.
 */
static int64
UserBytes(const AllUsers *all)
{
	return IdMapBytes(all->users) + (int64) all->users->count * sizeof(int64);
}

/* Keeps what a user had at the training, as it is stored: its size, and its bytes. */
static void
WriteStoredSeen(AllUsers *all, Datum stored)
{
	bytea	   *seen;
	int32		size = 0;

	if (stored == (Datum) 0)
	{
		BufFileWrite(all->stored, &size, sizeof(size));
		return;
	}
	seen = DatumGetByteaPP(stored);
	size = VARSIZE_ANY_EXHDR(seen);
	BufFileWrite(all->stored, &size, sizeof(size));
	BufFileWrite(all->stored, VARDATA_ANY(seen), size);
	if (PointerGetDatum(seen) != stored)
		pfree(seen);
}

/* An error unless what is kept of each user may be in memory. */
static void
CheckUserMemory(const AllUsers *all)
{
	int64		needed = UserBytes(all);

	if (needed > MemoryLimit())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("lists of all users need %lld MB of memory, but the limit is %lld MB",
						(long long) (needed >> 20), (long long) (MemoryLimit() >> 20)),
				 errdetail("The dictionary of %lld users, so far, must be in memory.", (long long) all->users->count),
				 errhint("Raise mfrec.max_memory if the machine has the memory.")));
}

/*
 * Takes note of a stored user, whose vector and seen items go to the files; of one without a vector there is nothing
 * to list, and of one who stands there twice the first row counts.
 */
static void
TakeUser(void *state, const StoredRow *row)
{
	AllUsers   *all = state;
	int32		number = all->users->count;

	if (row->factors == 0)
		return;
	CheckUserRow(&all->r, row);
	if (AddId(all->users, row->id) != number)
		return;
	if (number % CHECK_USERS == 0)
	{
		CHECK_FOR_INTERRUPTS();
		CheckUserMemory(all);
	}
	all->record[0] = row->bias;
	all->record[1] = row->spread;
	memcpy(all->record + 2, row->vector, sizeof(float) * row->factors);
	BufFileWrite(all->vectors, all->record, sizeof(float) * (2 + row->factors));
	if (all->stored)
		WriteStoredSeen(all, row->seen);
}

/* Back to the beginning of a temporary file, to read what was written. */
static void
Rewind(BufFile *file)
{
	if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file of vectors")));
}

/* Reads all users of the version; with_seen: and what they had at the training, if the version says it. */
static void
ReadUsers(AllUsers *all, bool with_seen)
{
	all->users = CreateIdMap(&all->r.image->user_type);
	all->record = palloc(sizeof(float) * (2 + mf_dimensions(&all->r.image->objective)));
	all->vectors = BufFileCreateTemp(false);
	if (with_seen && all->r.image->numbered)
		all->stored = BufFileCreateTemp(false);
	(void) ReadAllUsers(&all->r, all->stored != NULL, TakeUser, all);
	CheckUserMemory(all);
	Rewind(all->vectors);
	if (all->stored)
		Rewind(all->stored);
}

/*
 * Allocates what a block of users takes; there are fewer of them where lists are long.  8-bit codes are built
 * where they pay and fit.
 */
static void
AllocateBlock(AllUsers *all, int k, double diversity, const Boosts *boosts)
{
	const Image *image = all->r.image;
	int			ld = image->index.ld;
	int64		bytes = sizeof(float) * (ld + 2) + sizeof(int64) + 3 * sizeof(int32) * Min(PoolLength(diversity, k), image->nitems);
	int64		capacity = Max(BLOCK_USERS, THREAD_USERS * mf_workers(&all->parallel));
	int64		sq8 = Sq8Bytes(image, all->users->count);

	all->block_bytes = Max(MaintenanceMemory() / 4, LEAST_BLOCK);
	capacity = Min(capacity, Max(all->block_bytes / bytes, 1));
	capacity = Min(capacity, Max(all->users->count, 1));
	InitLists(&all->lists, image, &all->filter, k, diversity, boosts, capacity,
			  sq8 > 0 && UserBytes(all) + sq8 <= MemoryLimit(), &all->parallel);
	all->vector = AlignedArray(capacity * ld, sizeof(float));
	memset(all->vector, 0, capacity * ld * sizeof(float));
	all->bias = HugeArray(capacity, sizeof(float));
	all->lists.spread = all->spread = HugeArray(capacity, sizeof(float));
	if (all->seen || all->stored)
		all->seen_start = HugeArray(capacity + 1, sizeof(int64));
}

/* Reads what users have in the source, sorted by user in the order of the dictionary; spilled where it is large. */
static void
ReadSeen(AllUsers *all)
{
	const SourceLookup *source = OpenSourceOf(&all->r, all->r.image->numbered ?
											  "mf_recommend_all answers with fresh => false" :
											  "mf_recommend_all answers with exclude_seen => false");

	all->seen = ReadPairs(&source->source, all->users, &all->r.image->ids, NULL, &all->parallel);
	if (all->seen->rows == 0)
		all->seen = NULL;
	else
		RewindCells(&all->seen->by_user);
}

/* An error for a version that does not say what users have, where the source is not to be asked. */
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
 * Opens a model (NULL: the default one) at a version (0: the current one) for lists for all of its users, in the
 * current memory context.  SEEN_...: without what they have, or not.  PrepareLists() comes next.
 */
AllUsers *
OpenAllUsers(const char *model, int32 version, SeenFrom from)
{
	AllUsers   *all = palloc0(sizeof(AllUsers));

	InitParallel(&all->parallel);
	OpenRecommender(&all->r, model, version);
	all->seen_from = from;
	if (from == SEEN_FROM_VERSION)
		CheckVersionSaysSeen(&all->r);
	return all;
}

/*
 * Which items may be in the lists.  Many candidates become a bitmap, which users who go through the index together
 * share; a few are looked up for each.
 */
static void
FilterLists(AllUsers *all, const ListFilter *filter, Grouping *grouping)
{
	const Image *image = all->r.image;

	all->filter.excluded = MarkExcluded(image, filter);
	if (filter->candidates && filter->ncandidates > FEW_CANDIDATES)
		all->filter.allowed = MarkItems(image, filter->candidates, filter->ncandidates, NULL);
	else if (filter->candidates)
	{
		all->filter.candidates = filter->candidates;
		all->filter.ncandidates = filter->ncandidates;
	}
	if (grouping->per_group == 0)
		return;
	LoadGroups(grouping, image);
	all->filter.group = grouping->group;
	all->filter.per_group = grouping->per_group;
}

/*
 * Prepares lists of k items of that diversity, once, before the first entry is asked for: which items may be in them,
 * and with what boosts.  Users and their rows, which may take long, are read last, so that what is wrong with a table of
 * groups or boosts is said before.
 */
void
PrepareLists(AllUsers *all, int k, double diversity, const ListFilter *filter, Grouping *grouping)
{
	SeenFrom	from = all->seen_from;

	FilterLists(all, filter, grouping);
	ReadUsers(all, from != SEEN_STAYS);
	if (from == SEEN_FROM_SOURCE || (from == SEEN_FROM_ALL && ReadsSource(&all->r)))
		ReadSeen(all);
	AllocateBlock(all, k, diversity, AllowedBoosts(all->r.image, filter));
}

/* Reads the block's vectors, biases and spreads, the next n of the file; padding behind the d floats stays 0. */
static void
ReadVectors(AllUsers *all)
{
	int			d = mf_dimensions(&all->r.image->objective);
	int			ld = all->r.image->index.ld;

	for (int u = 0; u < all->n; u++)
	{
		ReadTempFile(all->vectors, all->record, sizeof(float) * (2 + d));
		all->bias[u] = all->record[0];
		all->spread[u] = all->record[1];
		memcpy(all->vector + (Size) u * ld, all->record + 2, sizeof(float) * d);
	}
}

/*
 * The items that a user has in the source, as numbers in the image; returns how many.  Users come in ascending
 * order, as the rows do, of which one part at a time is in memory; items are valid until the next part is read.
 */
static int64
SourceItems(AllUsers *all, int32 user, const int32 **items)
{
	MfRows	   *part = &all->part;
	int64		row;

	if (all->seen == NULL)
		return 0;
	while (user >= part->first + part->nrows)
		if (!NextCells(&all->seen->by_user, part))
			elog(ERROR, "rows of user %d are missing", user);
	row = user - part->first;
	*items = part->column + part->start[row];
	return part->start[row + 1] - part->start[row];
}

/*
 * The items that the next user of the file had at the training, as numbers in the image, in the current memory
 * context.
 */
static int32 *
StoredItems(AllUsers *all, int32 user, int *count)
{
	bytea	   *seen;
	int32	   *items;
	int32		size;

	*count = 0;
	if (all->stored == NULL)
		return NULL;
	ReadTempFile(all->stored, &size, sizeof(size));
	if (size == 0)
		return NULL;
	seen = palloc(VARHDRSZ + size);
	SET_VARSIZE(seen, VARHDRSZ + size);
	ReadTempFile(all->stored, VARDATA(seen), size);
	items = SeenItems(all->r.image, IdAt(all->users, user), seen, count);
	pfree(seen);
	return items;
}

/* Makes room for n items more than the block's users have so far. */
static void
ReserveSeen(AllUsers *all, int64 held, int64 n)
{
	if (held + n <= all->seen_capacity)
		return;
	all->seen_capacity = Max(held + n, 2 * all->seen_capacity);
	if (all->seen_items == NULL)
		all->seen_items = HugeArray(all->seen_capacity, sizeof(int32));
	else
		all->seen_items = repalloc_huge(all->seen_items, sizeof(int32) * all->seen_capacity);
}

/*
 * What the next users have, from both, into seen_start and seen_items: of at most `limit` users, and of fewer
 * where their items would take more than a block may.  Returns of how many, 1 at least.
 */
static int
GatherSeen(AllUsers *all, int limit)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec seen", ALLOCSET_DEFAULT_SIZES);
	int			n = 0;

	all->seen_start[0] = 0;
	while (n < limit && all->seen_start[n] * (int64) sizeof(int32) <= all->block_bytes)
	{
		const int32 *source = NULL;
		int64		nsource = SourceItems(all, all->first + n, &source);
		MemoryContext old = MemoryContextSwitchTo(scratch);
		int			nstored;
		int32	   *stored = StoredItems(all, all->first + n, &nstored);

		MemoryContextSwitchTo(old);
		ReserveSeen(all, all->seen_start[n], nsource + nstored);
		if (nsource > 0)
			memcpy(all->seen_items + all->seen_start[n], source, sizeof(int32) * nsource);
		if (nstored > 0)
			memcpy(all->seen_items + all->seen_start[n] + nsource, stored, sizeof(int32) * nstored);
		all->seen_start[n + 1] = all->seen_start[n] + nsource + nstored;
		MemoryContextReset(scratch);
		n++;
	}
	MemoryContextDelete(scratch);
	return n;
}

/* Makes the lists of the next block of users; false when there are none left. */
static bool
NextBlock(AllUsers *all)
{
	all->first += all->n;
	all->n = (int) Min(all->lists.capacity, all->users->count - all->first);
	all->user = all->entry = 0;
	if (all->n <= 0)
		return false;
	if (all->seen_start)
		all->n = GatherSeen(all, all->n);
	ReadVectors(all);
	MakeLists(&all->lists, all->n, all->vector, all->seen_start, all->seen_items);
	return true;
}

/*
 * The next entry of the lists, by user and rank; false when there is none left.  To be called in the memory context
 * in which the lists were opened.
 */
bool
NextListEntry(AllUsers *all, ListEntry *entry)
{
	const MfTopkBatch *batch = &all->lists.batch;
	const Image *image = all->r.image;
	int64		at;

	CHECK_FOR_INTERRUPTS();
	while (all->user >= all->n || all->entry >= batch->count[all->user])
	{
		all->entry = 0;
		if (++all->user >= all->n && !NextBlock(all))
			return false;
	}
	at = (int64) all->user * batch->k + all->entry++;
	entry->user = IdAt(all->users, all->first + all->user);
	entry->item = IdAt(&image->ids, batch->item[at]);
	entry->score = ShownScore(&image->objective, all->bias[all->user], all->spread[all->user], batch->score[at]);
	entry->rank = all->entry;
	return true;
}

/* Gives back what the memory context does not; after an error the end of the transaction does the same. */
void
CloseAllUsers(AllUsers *all)
{
	BufFileClose(all->vectors);
	if (all->stored)
		BufFileClose(all->stored);
	if (all->seen)
		FreeRatings(all->seen);
	CloseRecommender(&all->r);
}

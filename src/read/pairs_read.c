/*
 * pairs_read.c - from a relation to who has what, by numbers that a version has already given.
 *
 * A row says that its user has its item, whatever its rating or weight is, null included: lists leave out what
 * users have.  Ids that the dictionaries do not know are passed over; the source's columns may have become of
 * another type than theirs, so ids are converted on the way.
 */
#include "postgres.h"

#include "compat.h"
#include "ids/id_growth.h"
#include "pg/memory_limit.h"
#include "pg/spi_query.h"
#include "read/direct_read.h"
#include "read/packed_read.h"
#include "read/pairs_read.h"
#include "source/ratings_sort.h"

#define BATCH_PAIRS BATCH_ROWS

/* Pairs between two looks at the memory that the dictionary of unknown users takes. */
#define CHECK_PAIRS (1 << 20)

/* Receives the source's rows. */
typedef struct PairReceiver
{
	DestReceiver pub;
	const Source *source;
	const IdMap *users;
	const IdMap *items;
	IdMap	   *unknown;		/* takes users who are not in `users`; NULL: their rows are passed over */
	Triplets	pairs;
	int			batch;			/* pairs below, whose ids have no numbers yet */
	int64		user[BATCH_PAIRS];
	int64		item[BATCH_PAIRS];
} PairReceiver;

/* Numbers the ids of the batch, and adds the pairs of which both are known. */
static void
FlushPairs(PairReceiver *receiver)
{
	int32		user[BATCH_PAIRS];
	int32		item[BATCH_PAIRS];

	FindHashedIds(receiver->users, receiver->user, receiver->batch, user);
	FindHashedIds(receiver->items, receiver->item, receiver->batch, item);
	for (int i = 0; i < receiver->batch; i++)
	{
		if (user[i] < 0 && item[i] >= 0 && receiver->unknown)
			user[i] = receiver->users->count + AddId(receiver->unknown, receiver->user[i]);
		if (user[i] >= 0 && item[i] >= 0)
			AddTriplet(&receiver->pairs, user[i], item[i], 1, 1);
	}
	if (receiver->unknown && receiver->pairs.count % CHECK_PAIRS < receiver->batch)
		CheckDictionaries(receiver->users, receiver->items, IdMapBytes(receiver->unknown));
	receiver->batch = 0;
}

/* Adds a pair to the batch, unless an id is none that the dictionary's type has. */
static void
TakeIds(PairReceiver *receiver, int64 user, int64 item)
{
	const Source *source = receiver->source;

	if (!ConvertId(&source->user, receiver->users->type, user, &user) ||
		!ConvertId(&source->item, receiver->items->type, item, &item))
		return;
	receiver->user[receiver->batch] = user;
	receiver->item[receiver->batch++] = item;
}

/*
 * Adds a row to the batch, unless an id is null or none that the dictionary's type has; false where the batch is full.  A
 * SourceRowFunction.
 */
static bool
AddPair(void *state, const Datum *values, const bool *nulls, int natts)
{
	PairReceiver *receiver = state;
	const Source *source = receiver->source;

	(void) natts;
	if (!nulls[0] && !nulls[1])
		TakeIds(receiver, IdFromColumn(&source->user, values[0]), IdFromColumn(&source->item, values[1]));
	return receiver->batch < BATCH_PAIRS;
}

/* Takes pairs that have been read directly; a BatchFunction. */
static void
AddPairs(void *state, const RowBatch *batch)
{
	PairReceiver *receiver = state;

	for (int i = 0; i < batch->ratings; i++)
		TakeIds(receiver, batch->user[i], batch->item[i]);
	FlushPairs(receiver);
}

/* FlushPairs() as a SourceFlushFunction. */
static void
FlushSourcePairs(void *state)
{
	FlushPairs(state);
}

/* Adds a row of the source's query. */
static bool
ReceivePair(TupleTableSlot *slot, DestReceiver *self)
{
	PairReceiver *receiver = (PairReceiver *) self;

	slot_getallattrs(slot);
	/* Datums other than integers live only as long as the slot keeps the row. */
	if (!AddPair(receiver, slot->tts_values, slot->tts_isnull, slot->tts_tupleDescriptor->natts) ||
		!HasIntegerIds(receiver->source))
		FlushPairs(receiver);
	return true;
}

/* The columns that the query delivers must be of the types that OpenSource() has found. */
static void
StartupPairReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	(void) operation;
	CheckSourceColumns(((PairReceiver *) self)->source, typeinfo);
}

/*
 * Reads the source's tables themselves, where its query comes to no more; false where it has to run.  Unknown users are
 * numbered in the order in which they come, which is that of the query.
 */
static bool
ReadPairsDirectly(PairReceiver *receiver, const char *sql, const MfParallel *parallel)
{
	const Source *source = receiver->source;
	RowTally	tally;
	RowTaker	taker = {.source = source,.pairs = true,.tally = &tally};

	if (receiver->unknown)
		return false;
	taker.batch = palloc0(sizeof(RowBatch));
	if (source->event_column)
		taker.event_rows = palloc0(sizeof(int64) * source->events.weights->count);
	InitTally(&tally);
	return ReadDirectly(&taker, sql, true, parallel, AddPairs, receiver);
}

/* Reads the source's rows; pairs beyond `budget` bytes are spilled. */
static void
ReadAllPairs(PairReceiver *receiver, int64 budget, const MfParallel *parallel)
{
	StringInfoData sql;

	receiver->pub.receiveSlot = ReceivePair;
	receiver->pub.rStartup = StartupPairReceiver;
	InitTriplets(&receiver->pairs, false, false, budget / BytesPerRating(&receiver->pairs, false), BLOCK_TRIPLETS);
	initStringInfo(&sql);
	AppendSourceQuery(&sql, receiver->source);
	if (!ReadPairsDirectly(receiver, sql.data, parallel) &&
		!ReadPacked(receiver->source, true, AddPair, FlushSourcePairs, receiver))
		RunQuery(sql.data, InvalidOid, (Datum) 0, true, &receiver->pub);
	FlushPairs(receiver);
	EndTriplets(&receiver->pairs);
}

/*
 * Reads who has what as the calling query sees it, by the numbers that two dictionaries give; by_user alone is
 * filled, without ratings and weights.  There may be no pairs (rows = 0): then there are no cells either.
 * unknown: takes the users of known items who are not in `users`, whose numbers come behind; NULL: not wanted.
 * Takes maintenance_work_mem, and temporary files beyond; everything lives in the current memory context.
 */
Ratings *
ReadPairs(const Source *source, IdMap *users, IdMap *items, IdMap *unknown, const MfParallel *parallel)
{
	Ratings    *ratings = palloc0(sizeof(Ratings));
	PairReceiver *receiver = palloc0(sizeof(PairReceiver));
	Sorting		sorting = {.source = source,.ratings = ratings,.triplets = &receiver->pairs,.numbered = true,
	.nusers = users->count,.nitems = items->count,.duplicates = MF_DUPLICATES_MEAN,.parallel = parallel};

	sorting.budget = MaintenanceMemory();
	receiver->source = source;
	receiver->users = ratings->users = users;
	receiver->items = ratings->items = items;
	receiver->unknown = unknown;
	ReadAllPairs(receiver, sorting.budget, parallel);
	ratings->rows = receiver->pairs.count;
	if (unknown)
		sorting.nusers += unknown->count;
	if (ratings->rows > 0)
		SortRatings(&sorting);
	pfree(receiver);
	return ratings;
}

/*
 * ratings_read.c - from a relation to a sparse matrix in both orientations.
 *
 * A source is what one query of it says, with the caller's privileges and row security.  Where the query comes to no
 * more than columns of tables, these are read directly (direct_read.c), with parallel workers of our own, and where
 * Citus has them on other nodes, packed (packed_read.c).  Else the executor hands its rows to a receiver: no copy, no
 * tuplestore, and a parallel plan where the planner finds one.
 * Every row becomes a triplet of two dense numbers and a value; the ids themselves stay in two dictionaries.  Then
 * ratings_sort.c makes rows by user and by item, and ratings.c puts them on the scale that training works on.
 *
 * Rows are numbered a batch at a time, so that the cache misses of the dictionaries overlap.
 */
#include "postgres.h"

#include <math.h>

#include "utils/datum.h"

#include "compat.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"
#include "pg/spi_query.h"
#include "read/direct_read.h"
#include "read/fingerprints.h"
#include "read/packed_read.h"
#include "read/ratings_read.h"
#include "rows/row_time.h"
#include "source/others_sort.h"
#include "source/ratings_sort.h"

/* Rows between two looks at the memory that the dictionaries take. */
#define CHECK_ROWS (1 << 20)

/* Receives the source's rows. */
typedef struct RatingReceiver
{
	DestReceiver pub;
	const Source *source;
	Ratings    *ratings;
	Triplets	triplets;
	RowTaker	taker;
	RowTally	tally;
	int64		before;			/* rows that were read for others, as progress counts */
	const WantedRows *wanted;	/* other rows are left out; NULL: all are wanted */
	RowBatch   *chosen;			/* with it: what is left of a batch */
} RatingReceiver;

/*
 * An error where the dictionaries so far, those of rows that are no ratings included, exceed the limit of
 * memory.
 */
static void
CheckIds(const Ratings *ratings)
{
	CheckDictionaries(ratings->users, ratings->items, ratings->unrated ? UnratedBytes(ratings->unrated) : 0);
}

/* Takes note of the rows of a batch that are no ratings. */
static void
AddOthers(const Ratings *ratings, const RowBatch *batch)
{
	Unrated    *unrated = ratings->unrated;

	for (int i = 1; i <= batch->unrated; i++)
	{
		AddUnrated(unrated, batch->user[BATCH_ROWS - i], batch->item[BATCH_ROWS - i]);
		if (unrated->pairs.count % CHECK_ROWS < UNRATED_BATCH && unrated->batch == 0)
			CheckIds(ratings);
	}
}

/* Numbers the ids of a batch, straight into the triplets' arrays. */
static void
NumberBatch(RatingReceiver *receiver, const RowBatch *batch)
{
	Ratings    *ratings = receiver->ratings;
	Triplets   *triplets = &receiver->triplets;
	int			n = batch->ratings;

	AddOthers(ratings, batch);
	if (n == 0)
		return;					/* there may be no arrays yet */
	ReserveTriplets(triplets, n);
	AddIds(ratings->users, batch->user, n, triplets->user + triplets->held);
	AddIds(ratings->items, batch->item, n, triplets->item + triplets->held);
	if (ratings->fingerprints)
		AddFingerprints(ratings->fingerprints, ratings->users->count, ratings->items->count, batch,
						triplets->user + triplets->held, triplets->item + triplets->held);
	if (triplets->has_value)
		memcpy(triplets->value + triplets->held, batch->value, sizeof(float) * n);
	if (triplets->has_weight)
		memcpy(triplets->weight + triplets->held, batch->weight, sizeof(float) * n);
	if (triplets->has_time)
		memcpy(triplets->time + triplets->held, batch->time, sizeof(double) * n);
	triplets->held += n;
	triplets->count += n;
	if (triplets->count % CHECK_ROWS < n)
		CheckIds(ratings);
	ReportRowsRead(receiver->before + triplets->count);
}

/* Takes a batch of rows; a BatchFunction. */
static void
AddBatch(void *state, const RowBatch *batch)
{
	RatingReceiver *receiver = state;

	NumberBatch(receiver, receiver->wanted ? ChooseRows(receiver->wanted, batch, receiver->chosen) : batch);
}

/* Numbers the rows that the query has brought so far. */
static void
FlushBatch(RatingReceiver *receiver)
{
	EndBatch(&receiver->taker);
	AddBatch(receiver, receiver->taker.batch);
	BeginBatch(&receiver->taker);
}

/* Takes a row into the batch; false where it is full.  A SourceRowFunction. */
static bool
AddSourceRow(void *state, const Datum *values, const bool *nulls, int natts)
{
	RatingReceiver *receiver = state;

	if (!TakeRow(&receiver->taker, values, nulls, natts))
		ReportBadRow(receiver->source, &receiver->taker.bad);
	return !BatchIsFull(receiver->taker.batch);
}

/* FlushBatch() as a SourceFlushFunction. */
static void
FlushSourceRows(void *state)
{
	FlushBatch(state);
}

/*
 * Takes a row of the query; Datums other than integers live only as long as the slot keeps them, so then the batch is
 * flushed.
 */
static bool
ReceiveRating(TupleTableSlot *slot, DestReceiver *self)
{
	RatingReceiver *receiver = (RatingReceiver *) self;
	const Source *source = receiver->source;

	slot_getallattrs(slot);
	if (!AddSourceRow(receiver, slot->tts_values, slot->tts_isnull, slot->tts_tupleDescriptor->natts) ||
		!HasIntegerIds(source))
		FlushBatch(receiver);
	return true;
}

/* The columns that the query delivers must be of the types that OpenSource() has found. */
static void
StartupRatingReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	(void) operation;
	CheckSourceColumns(((RatingReceiver *) self)->source, typeinfo);
}

/*
 * A receiver that adds the rows of a source to `ratings`; the caller prepares its triplets and the
 * dictionaries.
 */
static RatingReceiver *
CreateReceiver(const Source *source, Ratings *ratings)
{
	RatingReceiver *receiver = palloc0(sizeof(RatingReceiver));

	receiver->pub.receiveSlot = ReceiveRating;
	receiver->pub.rStartup = StartupRatingReceiver;
	receiver->source = source;
	receiver->ratings = ratings;
	receiver->taker.source = source;
	receiver->taker.batch = palloc0(sizeof(RowBatch));
	receiver->taker.tally = &receiver->tally;
	InitTally(&receiver->tally);
	if (source->event_column)
		receiver->taker.event_rows = palloc0(sizeof(int64) * source->events.weights->count);
	return receiver;
}

/* All rows have been read. */
static void
EndReading(RatingReceiver *receiver)
{
	Ratings    *ratings = receiver->ratings;
	const RowTally *tally = &receiver->tally;

	EndTriplets(&receiver->triplets);
	if (ratings->unrated)
		EndUnrated(ratings->unrated);
	ratings->rows = receiver->triplets.count;
	ratings->null_rows = tally->null_rows;
	ratings->null_times = tally->null_times;
	ratings->other_events = tally->other_events;
	ratings->zero_rows = tally->zero_rows;
	ratings->negative_rows = tally->negative_rows;
	ratings->dislike_rows = tally->dislike_rows;
	ratings->distinct = tally->distinct;
	memcpy(ratings->value, tally->value, sizeof(ratings->value));
	ratings->event_rows = receiver->taker.event_rows;
	ratings->fading.newest = tally->newest;
	ratings->read_until = receiver->source->time_column ?
		TimeReadUntil(ratings->fading.newest, receiver->source->time_type) : NAN;
}

/*
 * Reads the rows of a query into the receiver's triplets. read_only: as the active snapshot sees them, else with what
 * has been committed and done since.
 */
static void
ReadQuery(RowQuery *query, RatingReceiver *receiver, bool read_only)
{
	RunQueryWith(query->sql, query->nargs, query->type, query->value, read_only, &receiver->pub);
	FlushBatch(receiver);
	EndReading(receiver);
}

/*
 * The same of all rows: from the tables themselves where that is what the query comes to, and packed from the nodes of a
 * cluster where it can be.
 */
static void
ReadSource(RatingReceiver *receiver, bool read_only, const MfParallel *parallel)
{
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, receiver->source);
	if (ReadDirectly(&receiver->taker, sql.data, read_only, parallel, AddBatch, receiver))
		EndReading(receiver);
	else if (ReadPacked(receiver->source, read_only, AddSourceRow, FlushSourceRows, receiver))
	{
		FlushBatch(receiver);
		EndReading(receiver);
	}
	else
		ReadQuery(&(RowQuery) {.sql = sql.data}, receiver, read_only);
}

/*
 * Prepares to read a source into `ratings`, by user, and to sort it within `budget` bytes; nothing is held out.
 * half_life: of rows that fade, else 0; marks: see Sorting.  Fills in *sorting and returns the receiver for its rows.
 */
static RatingReceiver *
InitSorting(Sorting *sorting, const Source *source, Ratings *ratings, double half_life, bool marks, int64 budget,
			const MfParallel *parallel)
{
	RatingReceiver *receiver = CreateReceiver(source, ratings);
	bool		explicit = source->feedback == FEEDBACK_EXPLICIT;
	bool		fades = half_life > 0;
	bool		has_weight = source->weight_column || (source->value_column && !explicit) || source->event_column || fades;

	memset(sorting, 0, sizeof(Sorting));
	sorting->source = source;
	sorting->ratings = ratings;
	sorting->triplets = &receiver->triplets;
	sorting->duplicates = MergingRule(explicit, fades);
	sorting->has_weight = has_weight || !explicit;
	sorting->budget = budget;
	sorting->parallel = parallel;
	InitTriplets(&receiver->triplets, explicit || fades || marks, has_weight, 0, BLOCK_TRIPLETS);
	receiver->taker.marks = sorting->marks = marks;
	receiver->triplets.has_time = source->time_column != NULL;
	receiver->triplets.limit = Max(BLOCK_TRIPLETS,
								   sorting->budget / BytesPerRating(&receiver->triplets, sorting->has_weight));
	ratings->is_explicit = explicit;
	ratings->weights_given = source->weight_column != NULL;
	ratings->fading = (Fading) {half_life, -INFINITY};
	ratings->users = CreateIdMap((IdType *) &source->user);
	ratings->items = CreateIdMap((IdType *) &source->item);
	return receiver;
}

/* Has a receiver keep what a version stores besides factors: rows that are no ratings, and what rows there are. */
static void
WantOthers(const Source *source, RatingReceiver *receiver, int64 budget)
{
	receiver->taker.with_others = true;
	receiver->ratings->fingerprints = CreateFingerprints();
	receiver->ratings->unrated = CreateUnrated((IdType *) &source->user, (IdType *) &source->item,
											   budget / OTHERS_SHARE / TripletBytes(&receiver->triplets));
}

/* Rows on their way into ratings. */
struct RatingStream
{
	Sorting		sorting;
	RatingReceiver *receiver;
};

/*
 * Prepares to take rows of a source for training; arguments are those of LoadRatings().  budget: bytes of memory for
 * what grows with the number of ratings, beyond which there are temporary files.
 */
static RatingStream *
CreateStream(const Source *source, double half_life, Holdout holdout, bool with_others, int64 budget,
			 const MfParallel *parallel)
{
	RatingStream *stream = palloc0(sizeof(RatingStream));
	Ratings    *ratings = palloc0(sizeof(Ratings));
	bool		marks = source->relevant >= 0 && holdout.fraction > 0;

	stream->receiver = InitSorting(&stream->sorting, source, ratings, half_life, marks, budget, parallel);
	stream->sorting.holdout = holdout;
	stream->sorting.by_item = true;
	if (with_others)
		WantOthers(source, stream->receiver, budget);
	if (source->time_column)
		ratings->trend_half_life = TrendHalfLife(half_life);
	return stream;
}

/* Sorts what has been read, and puts it on the scale of trainings; an error where no row is left to train on. */
static Ratings *
SettleStream(RatingStream *stream)
{
	Sorting    *sorting = &stream->sorting;
	Ratings    *ratings = sorting->ratings;
	const char *name = sorting->source->name;

	if (ratings->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has no ratings to train on", name),
				 errhint("Insert some, and check that row security does not hide them.")));
	sorting->cancels = ratings->dislike_rows > 0;
	SortRatings(sorting);
	if (ratings->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("no ratings are left to train on"),
				 errhint("Lower the argument validation.")));
	SettleWeights(ratings);
	CheckLikes(ratings, name);
	if (ratings->is_explicit)
		StandardizeRatings(ratings, sorting->source);
	return ratings;
}

/*
 * Reads the whole source for training, in both orientations, standardized and with weights of mean 1; rows to
 * hold out go to held_out as they are; items have trends where rows have times. with_others: what users have besides their
 * ratings is kept for SortOthers(), which changes nothing of the ratings. half_life: in which rows
 * lose half of their weight, in seconds; 0: they keep it. An error where no row is left to train on.
 *
 * What grows with the number of ratings takes up to maintenance_work_mem, and temporary files beyond.
 * Everything lives in the current memory context; FreeRatings() closes the files.
 */
Ratings *
LoadRatings(const Source *source, double half_life, Holdout holdout, bool with_others, const MfParallel *parallel)
{
	RatingStream *stream = CreateStream(source, half_life, holdout, with_others, MaintenanceMemory(), parallel);
	const Ratings *ratings = stream->sorting.ratings;

	if (!holdout.reread)
		NoteRowSecurity(source);
	ReadSource(stream->receiver, false, parallel);
	if (!holdout.reread)
	{
		ReportSkippedRows(ratings);
		ReportEvents(source, ratings);
	}
	if (source->time_column && !holdout.reread && ratings->rows > 0)
		NoteFuture(ratings->fading.newest, source->time_type, source->time_column, source->name);
	if (ratings->rows > 0)
		ReportPhase(PHASE_SORT);
	return SettleStream(stream);
}

/*
 * The same of rows that the caller has from a query, one by one, and with what users have besides: the stream that takes
 * them.  before: rows that were read for other streams.
 */
RatingStream *
OpenRatingStream(const Source *source, double half_life, int64 before)
{
	RatingStream *stream = CreateStream(source, half_life, (Holdout) {0}, true, MaintenanceMemory(), NULL);

	stream->receiver->before = before;
	return stream;
}

/* A value of an id that outlives its row. */
static int64
KeepId(const IdType *type, int64 id)
{
	return type->is_int ? id : (int64) datumCopy((Datum) id, type->typbyval, type->typlen);
}

/*
 * Takes a row, whose columns are those of AppendSourceQuery(), in the memory context of the stream.  False for one that is
 * no rating and cannot be passed over: there is no use in further ones, and SettleRatingStream() ends in an error.
 */
bool
AddStreamRow(RatingStream *stream, const Datum *values, const bool *nulls, int natts)
{
	RatingReceiver *receiver = stream->receiver;
	const Source *source = receiver->source;
	BadRow	   *bad = &receiver->taker.bad;

	if (!TakeRow(&receiver->taker, values, nulls, natts))
	{
		bad->user = KeepId(&source->user, bad->user);
		bad->item = KeepId(&source->item, bad->item);
		return false;
	}
	if (BatchIsFull(receiver->taker.batch) || !HasIntegerIds(source))
		FlushBatch(receiver);
	return true;
}

/* No row comes any more: the dictionaries, and what was found in passing, are there. */
Ratings *
CloseRatingStream(RatingStream *stream)
{
	FlushBatch(stream->receiver);
	EndReading(stream->receiver);
	pfree(stream->receiver->taker.batch);
	return stream->sorting.ratings;
}

/* Whether the rows are in temporary files. */
bool
RatingStreamSpilled(const RatingStream *stream)
{
	return stream->receiver->triplets.file != NULL;
}

/* What the rows are to a training, after CloseRatingStream(). */
Ratings *
SettleRatingStream(RatingStream *stream, const MfParallel *parallel)
{
	const RowTaker *taker = &stream->receiver->taker;

	if (taker->bad.check != RATING_OK)
		ReportBadRow(taker->source, &taker->bad);
	stream->sorting.parallel = parallel;
	return SettleStream(stream);
}

/*
 * The stream of rows that are in one place of several.  Weights remain as they were given, even if they are all 1, and
 * ratings, too: what they are to others decides.
 */
RatingStream *
OpenPartStream(const Source *source, double half_life, const MfParallel *parallel)
{
	RatingStream *stream = CreateStream(source, half_life, (Holdout) {0}, true, MaintenanceMemory(), parallel);

	stream->sorting.keeps_weights = true;
	return stream;
}

/* AddStreamRow(), but a row that is no rating and cannot be passed over is an error at once. */
void
AddPartRow(RatingStream *stream, const Datum *values, const bool *nulls, int natts)
{
	if (!AddStreamRow(stream, values, nulls, natts))
		ReportBadRow(stream->sorting.source, &stream->receiver->taker.bad);
}

/*
 * The same of all rows of a query of such columns, from the tables themselves where that is what it comes to.  Returns how
 * many are ratings.
 */
int64
AddPartQuery(RatingStream *stream, char *sql, const MfParallel *parallel)
{
	RatingReceiver *receiver = stream->receiver;
	int64		before = receiver->triplets.count;

	if (!ReadDirectly(&receiver->taker, sql, false, parallel, AddBatch, receiver))
	{
		RunQueryWith(sql, 0, NULL, NULL, false, &receiver->pub);
		FlushBatch(receiver);
	}
	return receiver->triplets.count - before;
}

/* CountTimeDigits() of the rows, of which none come any more; they have times. */
void
CountPartTimes(RatingStream *stream, uint64 prefix, int shift, int64 *count)
{
	CountTimeDigits(stream->sorting.triplets, prefix, shift, count);
}

/*
 * Sorts them, once the time from which they fade is that of the newest anywhere.  items: all there are anywhere, which
 * become those of the ratings.  holdout: by ranks anywhere; range: of one by time; user_place: the ranks of users of here,
 * by their ranks here.
 */
void
SortPart(RatingStream *stream, IdMap *items, Holdout holdout, const TimeRange *range, const int64 *user_place)
{
	stream->sorting.all_range = range;
	stream->sorting.all_items = items;
	stream->sorting.holdout = holdout;
	stream->sorting.user_place = user_place;
	stream->sorting.cancels = stream->sorting.ratings->dislike_rows > 0;
	SortRatings(&stream->sorting);
}

/*
 * Reads rows of a source by the numbers of two dictionaries, which take ids that they do not know yet: into *rows as
 * they are, duplicates too, in memory or spilled beyond `budget` bytes.  query: which, as the active snapshot sees
 * them; NULL: all.  The result has the fingerprints, and rows that are no ratings in `unrated`; there may be no row.
 */
Ratings *
ReadRows(const Source *source, RowQuery *query, IdMap *users, IdMap *items, int64 budget,
		 const MfParallel *parallel, Triplets *rows)
{
	Ratings    *ratings = palloc0(sizeof(Ratings));
	Sorting		sorting;
	RatingReceiver *receiver = InitSorting(&sorting, source, ratings, 0, false, budget, parallel);

	ratings->users = users;
	ratings->items = items;
	WantOthers(source, receiver, budget);
	if (query)
		ReadQuery(query, receiver, true);
	else
		ReadSource(receiver, false, parallel);
	*rows = receiver->triplets;
	return ratings;
}

/*
 * The same of the rows of some users and items, which all of the tables are looked through for: as the active snapshot
 * sees them. NULL where the source cannot be read directly.
 */
Ratings *
ReadWantedRows(const Source *source, const WantedRows *wanted, IdMap *users, IdMap *items, int64 budget,
			   const MfParallel *parallel, Triplets *rows)
{
	Ratings    *ratings = palloc0(sizeof(Ratings));
	Sorting		sorting;
	RatingReceiver *receiver;
	StringInfoData sql;

	if (!HasIntegerIds(source))
		return NULL;
	receiver = InitSorting(&sorting, source, ratings, 0, false, budget, parallel);
	ratings->users = users;
	ratings->items = items;
	WantOthers(source, receiver, budget);
	receiver->wanted = wanted;
	receiver->chosen = palloc0(sizeof(RowBatch));
	receiver->taker.filter = CreateRowFilter(wanted);
	initStringInfo(&sql);
	AppendSourceQuery(&sql, source);
	if (!ReadDirectly(&receiver->taker, sql.data, true, parallel, AddBatch, receiver))
		return NULL;
	EndReading(receiver);
	*rows = receiver->triplets;
	return ratings;
}

/*
 * Reads the whole source for measuring, as the calling query sees it: by user only, ratings and weights as they
 * are.  There may be no rows (rows = 0): then there are no cells either. budget: bytes of memory, beyond which
 * it spills.
 */
Ratings *
ReadRatings(const Source *source, int64 budget, const MfParallel *parallel)
{
	Ratings    *ratings = palloc0(sizeof(Ratings));
	Sorting		sorting;
	RatingReceiver *receiver = InitSorting(&sorting, source, ratings, 0, false, budget, parallel);

	ReadSource(receiver, true, parallel);
	if (ratings->rows > 0)
		SortRatings(&sorting);
	return ratings;
}

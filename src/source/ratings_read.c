/*
 * ratings_read.c - from a relation to the two orientations of a sparse matrix.
 *
 * The source is read by one query, with the caller's privileges and row security, whose rows the
 * executor hands to a receiver of our own: no copy, no tuplestore, and a parallel plan where the
 * planner finds one.  Every row becomes a triplet of two dense numbers and a value; the ids
 * themselves stay in two dictionaries.  Then ratings_sort.c makes rows by user and by item.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "ids/id_growth.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"
#include "pg/spi_query.h"
#include "source/ratings_read.h"
#include "source/ratings_sort.h"

#define BATCH_ROWS 1024

/* Rows that are no ratings take up to this part of the memory that ratings may take. */
#define OTHERS_SHARE 8

/* Receives the source's rows. */
typedef struct RatingReceiver
{
	DestReceiver pub;
	const Source *source;
	Ratings    *ratings;
	bool		known_only;		/* dictionaries are given: rows of others are passed over, numbers do not matter */
	IdMap	   *unknown;		/* of rows that are passed over: users of known items; NULL: not wanted */
	Triplets	triplets;
	int			batch;			/* rows waiting below */
	int64		user[BATCH_ROWS];
	int64		item[BATCH_ROWS];
	float		value[BATCH_ROWS];
	float		weight[BATCH_ROWS];
} RatingReceiver;

/* An error that names the row by its ids. */
static void
BadValue(const Source *source, TupleTableSlot *slot, const char *what, float value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s of user %s and item %s is %g", what,
					IdToText(&source->user, IdFromColumn(&source->user, slot->tts_values[0])),
					IdToText(&source->item, IdFromColumn(&source->item, slot->tts_values[1])), value),
			 errdetail(isfinite(value) ? "It must not be negative." : "It must be a finite number of single precision."),
			 errhint("Correct the row, or leave it out with a view.")));
}

/* While ids are being read: the dictionaries alone, others with them, must not exceed the limit. */
static void
CheckDictionaries(const IdMap *users, const IdMap *items, int64 others)
{
	int64		needed = IdMapBytes(users) + IdMapBytes(items) + others;

	if (needed > MemoryLimit())
		TrainingExceedsMemory(needed, psprintf("The dictionaries of %d users and %d items, so far, must be in memory.",
							 users->count, items->count));
}

/* Adds those of the rows that wait whose ids are known. */
static void
FlushKnown(RatingReceiver *receiver)
{
	int32		user[BATCH_ROWS];
	int32		item[BATCH_ROWS];

	FindHashedIds(receiver->ratings->users, receiver->user, receiver->batch, user);
	FindHashedIds(receiver->ratings->items, receiver->item, receiver->batch, item);
	for (int i = 0; i < receiver->batch; i++)
	{
		if (user[i] < 0 && item[i] >= 0 && receiver->unknown)
			user[i] = receiver->ratings->users->count + AddId(receiver->unknown, receiver->user[i]);
		if (user[i] >= 0 && item[i] >= 0)
			AddTriplet(&receiver->triplets, user[i], item[i], receiver->value[i], receiver->weight[i]);
	}
	if (receiver->unknown && receiver->triplets.count % (1 << 20) < receiver->batch)
		CheckDictionaries(receiver->ratings->users, receiver->ratings->items, IdMapBytes(receiver->unknown));
	receiver->batch = 0;
}

/* The dictionaries so far must have room in memory. */
static void
CheckIds(const Ratings *ratings)
{
	CheckDictionaries(ratings->users, ratings->items, ratings->unrated ? UnratedBytes(ratings->unrated) : 0);
}

/* Numbers the ids of the rows that wait, and adds them to the triplets. */
static void
FlushBatch(RatingReceiver *receiver)
{
	Triplets   *triplets = &receiver->triplets;
	int			n = receiver->batch;

	if (n == 0)
		return;					/* there may be no arrays yet */
	if (receiver->known_only)
	{
		FlushKnown(receiver);
		return;
	}
	ReserveTriplets(triplets, n);
	AddIds(receiver->ratings->users, receiver->user, n, triplets->user + triplets->held);
	AddIds(receiver->ratings->items, receiver->item, n, triplets->item + triplets->held);
	if (triplets->has_value)
		memcpy(triplets->value + triplets->held, receiver->value, sizeof(float) * n);
	if (triplets->has_weight)
		memcpy(triplets->weight + triplets->held, receiver->weight, sizeof(float) * n);
	triplets->held += n;
	triplets->count += n;
	receiver->batch = 0;
	if (triplets->count % (1 << 20) < n)
		CheckIds(receiver->ratings);
	ReportRowsRead(triplets->count);
}

/* Has a row wait; Datums other than integers live only as long as the slot keeps it. */
static void
AddRow(RatingReceiver *receiver, int64 user, int64 item, float value, float weight)
{
	receiver->value[receiver->batch] = value;
	receiver->weight[receiver->batch] = weight;
	receiver->user[receiver->batch] = user;
	receiver->item[receiver->batch++] = item;
	if (receiver->batch == BATCH_ROWS || !receiver->source->user.is_int || !receiver->source->item.is_int)
		FlushBatch(receiver);
}

/*
 * Keeps a row, whose numbers do not matter, if it says that a user has an item; as the dictionaries
 * have these ids, where they can.
 */
static void
ReceivePair(RatingReceiver *receiver, TupleTableSlot *slot)
{
	const Source *source = receiver->source;
	const Ratings *ratings = receiver->ratings;
	int64		user;
	int64		item;

	if (slot->tts_isnull[0] || slot->tts_isnull[1])
		return;
	user = IdFromColumn(&source->user, slot->tts_values[0]);
	item = IdFromColumn(&source->item, slot->tts_values[1]);
	if (ConvertId(&source->user, ratings->users->type, user, &user) &&
		ConvertId(&source->item, ratings->items->type, item, &item))
		AddRow(receiver, user, item, 1, 1);
}

/* Counts different ratings, as far as the third. */
static inline void
CountValue(Ratings *ratings, float rating)
{
	if (ratings->distinct > 2)
		return;
	for (int i = 0; i < ratings->distinct; i++)
		if (ratings->value[i] == rating)
			return;
	if (ratings->distinct < 2)
		ratings->value[ratings->distinct] = rating;
	ratings->distinct++;
}

/* Keeps a row that is no rating, if it says that a user has an item, and that is wanted. */
static void
ReceiveUnrated(RatingReceiver *receiver, TupleTableSlot *slot)
{
	const Source *source = receiver->source;
	Unrated    *unrated = receiver->ratings->unrated;

	if (unrated == NULL || slot->tts_isnull[0] || slot->tts_isnull[1])
		return;
	AddUnrated(unrated, IdFromColumn(&source->user, slot->tts_values[0]), IdFromColumn(&source->item, slot->tts_values[1]));
	if (unrated->pairs.count % (1 << 20) < UNRATED_BATCH && unrated->batch == 0)
		CheckIds(receiver->ratings);
}

static bool
ReceiveRating(TupleTableSlot *slot, DestReceiver *self)
{
	RatingReceiver *receiver = (RatingReceiver *) self;
	Ratings    *ratings = receiver->ratings;
	const Source *source = receiver->source;
	float		rating;
	float		weight;

	slot_getallattrs(slot);
	if (receiver->known_only)
	{
		ReceivePair(receiver, slot);
		return true;
	}
	switch (RatingFromRow(source, slot->tts_values, slot->tts_isnull, slot->tts_tupleDescriptor->natts, &rating, &weight))
	{
		case RATING_OK:
			break;
		case RATING_NULL:
			ratings->null_rows++;
			ReceiveUnrated(receiver, slot);
			return true;
		case RATING_ZERO:
			if (source->keeps_zeros)
				break;
			ratings->zero_rows++;
			ReceiveUnrated(receiver, slot);
			return true;
		case RATING_BAD_VALUE:
			BadValue(source, slot, source->feedback == FEEDBACK_IMPLICIT ? "value" : "rating", rating);
			break;
		case RATING_BAD_WEIGHT:
			BadValue(source, slot, "weight", weight);
			break;
		case RATING_BAD_PRODUCT:
			BadValue(source, slot, "value times weight", weight);
			break;
	}
	CountValue(ratings, rating);
	AddRow(receiver, IdFromColumn(&source->user, slot->tts_values[0]), IdFromColumn(&source->item, slot->tts_values[1]),
		   rating, weight);
	return true;
}

static void
StartupRatingReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	(void) operation;
	CheckSourceColumns(((RatingReceiver *) self)->source, typeinfo);
}

static RatingReceiver *
CreateReceiver(const Source *source, Ratings *ratings)
{
	RatingReceiver *receiver = palloc0(sizeof(RatingReceiver));

	receiver->pub.receiveSlot = ReceiveRating;
	receiver->pub.rStartup = StartupRatingReceiver;
	receiver->source = source;
	receiver->ratings = ratings;
	return receiver;
}

/* Reads all rows; read_only: as the calling query sees them. */
static void
ReadSource(const Source *source, RatingReceiver *receiver, bool read_only)
{
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, source);
	RunQuery(sql.data, InvalidOid, (Datum) 0, read_only, &receiver->pub);
	FlushBatch(receiver);
	EndTriplets(&receiver->triplets);
	if (receiver->ratings->unrated)
		EndUnrated(receiver->ratings->unrated);
	receiver->ratings->rows = receiver->triplets.count;
}

/* Prepares to read a source into `ratings`; see LoadRatings for the arguments. */
static RatingReceiver *
InitSorting(Sorting *sorting, const Source *source, Ratings *ratings, int64 budget, const MfParallel *parallel)
{
	RatingReceiver *receiver = CreateReceiver(source, ratings);
	bool		explicit = source->feedback == FEEDBACK_EXPLICIT;
	bool		has_weight = source->weight_column || (source->value_column && !explicit);

	memset(sorting, 0, sizeof(Sorting));
	sorting->source = source;
	sorting->ratings = ratings;
	sorting->triplets = &receiver->triplets;
	sorting->duplicates = explicit ? MF_DUPLICATES_MEAN : MF_DUPLICATES_SUM;
	sorting->has_weight = has_weight || !explicit;
	sorting->budget = budget;
	sorting->parallel = parallel;
	InitTriplets(&receiver->triplets, explicit, has_weight, 0, BLOCK_TRIPLETS);
	receiver->triplets.limit = Max(BLOCK_TRIPLETS, sorting->budget / BytesPerRating(&receiver->triplets, sorting->has_weight));
	ratings->has_ratings = explicit;
	ratings->users = CreateIdMap((IdType *) &source->user);
	ratings->items = CreateIdMap((IdType *) &source->item);
	return receiver;
}

/*
 * What users have besides what training learns of, the rows held out for validation among it, sorted by user.
 * Takes a small part of the budget in memory, and temporary files beyond.
 */
static void
SortOthers(const Source *source, Ratings *ratings, int64 budget, const MfParallel *parallel)
{
	Ratings    *others = palloc0(sizeof(Ratings));
	Triplets	pairs;
	Triplets   *held_out = &ratings->held_out;
	Sorting		sorting = {.source = source,.ratings = others,.triplets = &pairs,.numbered = true,
	.nitems = ratings->items->count,.duplicates = MF_DUPLICATES_MEAN,.budget = budget,.parallel = parallel};

	InitTriplets(&pairs, false, false, 0, BLOCK_TRIPLETS);
	pairs.limit = Max(BLOCK_TRIPLETS, budget / BytesPerRating(&pairs, false));
	ratings->unknown = NumberUnrated(ratings->unrated, ratings->users, ratings->items, &pairs);
	FreeUnrated(ratings->unrated);
	ratings->unrated = NULL;
	while (ReadTriplets(held_out))
		for (int64 i = 0; i < held_out->held; i++)
			AddTriplet(&pairs, held_out->user[i], held_out->item[i], 1, 1);
	EndTriplets(held_out);
	EndTriplets(&pairs);
	sorting.nusers = ratings->users->count + (ratings->unknown ? ratings->unknown->count : 0);
	if (pairs.count == 0)
		return;
	SortRatings(&sorting);
	ratings->others = &others->by_user;
}

/*
 * Reads the whole source for training.  Ratings come back standardized to mean 0 and deviation 1,
 * except the held-out ones; implicit values are weights; weights have a mean of 1.  What grows with the
 * number of ratings takes up to maintenance_work_mem, and temporary files beyond.  with_others: what users
 * have besides is kept, which changes nothing of the ratings.  Everything lives in the current memory
 * context.
 */
Ratings *
LoadRatings(const Source *source, Holdout holdout, bool with_others, const MfParallel *parallel)
{
	Ratings    *ratings = palloc0(sizeof(Ratings));
	Sorting		sorting;
	RatingReceiver *receiver = InitSorting(&sorting, source, ratings, MaintenanceMemory(), parallel);

	sorting.holdout = holdout;
	sorting.by_item = true;
	if (holdout.from == 0)	/* else it has been said */
		NoteRowSecurity(source);
	if (with_others)
		ratings->unrated = CreateUnrated((IdType *) &source->user, (IdType *) &source->item,
										 sorting.budget / OTHERS_SHARE / TripletBytes(&receiver->triplets));
	ReadSource(source, receiver, false);
	if (holdout.from == 0)	/* else they have been reported */
		ReportSkippedRows(ratings);
	if (ratings->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has no ratings to train on", source->name),
				 errhint("Insert some, and check that row security does not hide them.")));
	ReportPhase(PHASE_SORT);
	SortRatings(&sorting);
	if (ratings->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("no ratings are left to train on"),
				 errhint("Lower the argument validation.")));
	SettleWeights(ratings);
	if (ratings->has_ratings)
		StandardizeRatings(ratings, source->name);
	if (with_others)
		SortOthers(source, ratings, sorting.budget / OTHERS_SHARE, parallel);
	return ratings;
}

/*
 * Reads the whole source as the calling query sees it, for measuring: by user only, ratings as they
 * are; there may be none.
 */
Ratings *
ReadRatings(const Source *source, int64 budget, const MfParallel *parallel)
{
	Ratings    *ratings = palloc0(sizeof(Ratings));
	Sorting		sorting;
	RatingReceiver *receiver = InitSorting(&sorting, source, ratings, budget, parallel);

	ReadSource(source, receiver, true);
	if (ratings->rows > 0)
		SortRatings(&sorting);
	return ratings;
}

/*
 * Reads which users have which items, as the calling query sees them, by the numbers that two
 * dictionaries give them; by user only, of all rows whose ids are in both, whatever their numbers are; there
 * may be none.  Where other users are wanted, who are added to `unknown`, their numbers come behind.
 */
Ratings *
ReadPairs(const Source *source, IdMap *users, IdMap *items, IdMap *unknown, const MfParallel *parallel)
{
	Ratings    *ratings = palloc0(sizeof(Ratings));
	RatingReceiver *receiver = CreateReceiver(source, ratings);
	Sorting		sorting = {.source = source,.ratings = ratings,.triplets = &receiver->triplets,.numbered = true,
	.nusers = users->count,.nitems = items->count,.duplicates = MF_DUPLICATES_MEAN,.budget = MaintenanceMemory(),.parallel = parallel};

	receiver->known_only = true;
	receiver->unknown = unknown;
	InitTriplets(&receiver->triplets, false, false, sorting.budget / BytesPerRating(&receiver->triplets, false),
				 BLOCK_TRIPLETS);
	ratings->users = users;
	ratings->items = items;
	ReadSource(source, receiver, true);
	if (unknown)
		sorting.nusers += unknown->count;
	if (ratings->rows > 0)
		SortRatings(&sorting);
	pfree(receiver);
	return ratings;
}

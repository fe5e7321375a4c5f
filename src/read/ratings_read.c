/*
 * ratings_read.c - from a relation to a sparse matrix in both orientations.
 *
 * The source is read by one query, with the caller's privileges and row security, whose rows the
 * executor hands to a receiver of our own: no copy, no tuplestore, and a parallel plan where the
 * planner finds one.  Every row becomes a triplet of two dense numbers and a value; the ids
 * themselves stay in two dictionaries.  Then ratings_sort.c makes rows by user and by item, and
 * ratings.c puts them on the scale that training works on.
 *
 * Rows are numbered a batch at a time, so that the cache misses of the dictionaries overlap.
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "core/base/rng.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"
#include "pg/spi_query.h"
#include "rows/row_time.h"
#include "read/ratings_read.h"
#include "source/ratings_sort.h"

#define BATCH_ROWS 1024

/* Rows between two looks at the memory that the dictionaries take. */
#define CHECK_ROWS (1 << 20)

/* Rows that are no ratings take up to this part of the memory that ratings may take. */
#define OTHERS_SHARE 8

/* Receives the source's rows. */
typedef struct RatingReceiver
{
	DestReceiver pub;
	const Source *source;
	Ratings    *ratings;
	Triplets	triplets;
	bool		marks;			/* rows that are not relevant get weights below 0, until it is known which ones train */
	int			batch;			/* rows below, whose ids have no numbers yet */
	int64		user[BATCH_ROWS];
	int64		item[BATCH_ROWS];
	float		value[BATCH_ROWS];
	float		weight[BATCH_ROWS];
	double		time[BATCH_ROWS];
} RatingReceiver;

/* The error of a number that training cannot take, which names the row by its ids. */
static void
BadValue(const Source *source, TupleTableSlot *slot, const char *what, float value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s of user %s and item %s is %g", what,
					IdToText(&source->user, IdFromColumn(&source->user, slot->tts_values[0])),
					IdToText(&source->item, IdFromColumn(&source->item, slot->tts_values[1])), value),
			 errdetail(isfinite(value) ? "It must not be negative." : "It must be a finite number in single precision."),
			 errhint("Correct the row, or leave it out with a view.")));
}

/* The same of a time that is not finite. */
static void
BadTime(const Source *source, TupleTableSlot *slot)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("time of user %s and item %s is not finite",
					IdToText(&source->user, IdFromColumn(&source->user, slot->tts_values[0])),
					IdToText(&source->item, IdFromColumn(&source->item, slot->tts_values[1]))),
			 errdetail(source->time_type == NUMERICOID || source->time_type == FLOAT8OID || source->time_type == FLOAT4OID ?
					   "Rows count by their age, and column \"%s\" must be a finite number of seconds in double precision." :
					   "Rows count by their age, and column \"%s\" must say when they came to be.", source->time_column),
			 errhint("Correct the row, or leave it out with a view.")));
}

/*
 * An error where the dictionaries so far, those of rows that are no ratings included, exceed the limit of
 * memory.
 */
static void
CheckIds(const Ratings *ratings)
{
	CheckDictionaries(ratings->users, ratings->items, ratings->unrated ? UnratedBytes(ratings->unrated) : 0);
}

/* An array of sums with room for `count`; what is new is 0. */
static int64 *
GrowSums(int64 *sums, int64 *room, int64 count)
{
	int64		before = *room;

	if (count <= before)
		return sums;
	*room = Max(count, 2 * before);
	sums = repalloc_huge(sums, sizeof(int64) * *room);
	memset(sums + before, 0, sizeof(int64) * (*room - before));
	return sums;
}

/* No sums yet, in the current memory context. */
static Fingerprints *
CreateFingerprints(void)
{
	Fingerprints *prints = palloc0(sizeof(Fingerprints));

	prints->nusers = prints->nitems = BATCH_ROWS;
	prints->user = HugeZeroArray(prints->nusers, sizeof(int64));
	prints->item = HugeZeroArray(prints->nitems, sizeof(int64));
	return prints;
}

/* hash[i] += `factor` times the id of row i, as 64 bits that are the same wherever and whenever it is read. */
static void
AddIdBits(const IdType *type, const int64 *ids, int n, uint64 factor, uint64 *hash)
{
	if (type->is_int)
		for (int i = 0; i < n; i++)
			hash[i] += factor * (uint64) ids[i];
	else
		for (int i = 0; i < n; i++)
			hash[i] += factor * HashId(type, ids[i]);
}

/* The bits of number i of an array, NULL: of ones. */
static inline uint64
NumberBits(const float *numbers, int i)
{
	float		number = numbers ? numbers[i] : 1;
	uint32		bits;

	memcpy(&bits, &number, sizeof(bits));
	return bits;
}

/*
 * hash[]: of n rows of ids of these types, with ratings, weights before they fade, and times where a source has them, else
 * NULL.  Ids and numbers are combined by odd factors, then mixed: sums of what is linear would cancel where two users swap a
 * rating.
 */
void
HashRows(const IdType *user, const IdType *item, int n, const int64 *users, const int64 *items, const float *values,
		 const float *weights, const double *times, uint64 *hash)
{
	for (int i = 0; i < n; i++)
	{
		uint64		time = 0;

		if (times)
			memcpy(&time, &times[i], sizeof(time));
		hash[i] = (NumberBits(values, i) << 32 | NumberBits(weights, i)) * UINT64CONST(0x9e3779b97f4a7c15) +
			time * UINT64CONST(0xd6e8feb86659fd93) + 1;
	}
	AddIdBits(user, users, n, UINT64CONST(0xd1342543de82ef95), hash);
	AddIdBits(item, items, n, UINT64CONST(0xaf251af3b0f025b5), hash);
	for (int i = 0; i < n; i++)
		hash[i] = mf_mix64(hash[i]);
}

/* Adds the rows of the batch to the sums of their users and items, whose numbers are given. */
static void
AddFingerprints(RatingReceiver *receiver, const int32 *users, const int32 *items)
{
	const Ratings *ratings = receiver->ratings;
	const Triplets *triplets = &receiver->triplets;
	Fingerprints *prints = ratings->fingerprints;
	int			n = receiver->batch;
	uint64		hash[BATCH_ROWS];
	uint64	   *user;
	uint64	   *item;

	prints->user = GrowSums(prints->user, &prints->nusers, ratings->users->count);
	prints->item = GrowSums(prints->item, &prints->nitems, ratings->items->count);
	user = (uint64 *) prints->user;
	item = (uint64 *) prints->item;
	HashRows(&receiver->source->user, &receiver->source->item, n, receiver->user, receiver->item,
			 ratings->is_explicit ? receiver->value : NULL, receiver->weight, triplets->has_time ? receiver->time : NULL, hash);
	for (int i = 0; i < n; i++)
	{
		user[users[i]] += hash[i];
		item[items[i]] += hash[i];
	}
}

/* Numbers the ids of the batch, straight into the triplets' arrays, and empties it. */
static void
FlushBatch(RatingReceiver *receiver)
{
	Triplets   *triplets = &receiver->triplets;
	int			n = receiver->batch;

	if (n == 0)
		return;					/* there may be no arrays yet */
	ReserveTriplets(triplets, n);
	AddIds(receiver->ratings->users, receiver->user, n, triplets->user + triplets->held);
	AddIds(receiver->ratings->items, receiver->item, n, triplets->item + triplets->held);
	if (receiver->ratings->fingerprints)
		AddFingerprints(receiver, triplets->user + triplets->held, triplets->item + triplets->held);
	if (triplets->has_value)
		memcpy(triplets->value + triplets->held, receiver->value, sizeof(float) * n);
	if (triplets->has_weight)
		memcpy(triplets->weight + triplets->held, receiver->weight, sizeof(float) * n);
	if (triplets->has_time)
		memcpy(triplets->time + triplets->held, receiver->time, sizeof(double) * n);
	triplets->held += n;
	triplets->count += n;
	receiver->batch = 0;
	if (triplets->count % CHECK_ROWS < n)
		CheckIds(receiver->ratings);
	ReportRowsRead(triplets->count);
}

/*
 * Adds a row to the batch; Datums other than integers live only as long as the slot keeps them, so then it is
 * flushed.
 */
static void
AddRow(RatingReceiver *receiver, int64 user, int64 item, const Observation *row)
{
	Ratings    *ratings = receiver->ratings;
	bool		irrelevant = receiver->marks && row->event != receiver->source->relevant;

	receiver->value[receiver->batch] = row->rating;
	receiver->weight[receiver->batch] = irrelevant ? -row->weight : row->weight;
	if (receiver->source->time_column)
	{
		receiver->time[receiver->batch] = row->time;
		ratings->fading.newest = Max(ratings->fading.newest, row->time);
	}
	receiver->user[receiver->batch] = user;
	receiver->item[receiver->batch++] = item;
	if (receiver->batch == BATCH_ROWS || !receiver->source->user.is_int || !receiver->source->item.is_int)
		FlushBatch(receiver);
}

/* Counts different ratings, as far as the third: whether they are two values or more is all that matters. */
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

/* Takes note of a row that is no rating but says that a user has an item, where such rows are wanted. */
static void
ReceiveUnrated(RatingReceiver *receiver, TupleTableSlot *slot)
{
	const Source *source = receiver->source;
	Unrated    *unrated = receiver->ratings->unrated;

	if (unrated == NULL || slot->tts_isnull[0] || slot->tts_isnull[1])
		return;
	AddUnrated(unrated, IdFromColumn(&source->user, slot->tts_values[0]), IdFromColumn(&source->item, slot->tts_values[1]));
	if (unrated->pairs.count % CHECK_ROWS < UNRATED_BATCH && unrated->batch == 0)
		CheckIds(receiver->ratings);
}

/* Takes a row of the query: an observation, one to pass over, or an error. */
static bool
ReceiveRating(TupleTableSlot *slot, DestReceiver *self)
{
	RatingReceiver *receiver = (RatingReceiver *) self;
	Ratings    *ratings = receiver->ratings;
	const Source *source = receiver->source;
	Observation row;

	slot_getallattrs(slot);
	switch (RatingFromRow(source, slot->tts_values, slot->tts_isnull, slot->tts_tupleDescriptor->natts, &row))
	{
		case RATING_OK:
			if (source->event_column)
				ratings->event_rows[row.event]++;
			break;
		case RATING_NULL:
			ratings->null_rows++;
			ReceiveUnrated(receiver, slot);
			return true;
		case RATING_NULL_TIME:
			ratings->null_times++;
			ReceiveUnrated(receiver, slot);
			return true;
		case RATING_OTHER_EVENT:
			ratings->other_events++;
			ReceiveUnrated(receiver, slot);
			return true;
		case RATING_ZERO:
			if (source->event_column)
				ratings->event_rows[row.event]++;
			if (source->keeps_zeros)
				break;
			ratings->zero_rows++;
			ReceiveUnrated(receiver, slot);
			return true;
		case RATING_BAD_VALUE:
			BadValue(source, slot, source->feedback == FEEDBACK_IMPLICIT ? "value" : "rating", row.rating);
			break;
		case RATING_BAD_WEIGHT:
			BadValue(source, slot, "weight", row.weight);
			break;
		case RATING_BAD_PRODUCT:
			BadValue(source, slot, "value times weight", row.weight);
			break;
		case RATING_BAD_TIME:
			BadTime(source, slot);
			break;
	}
	CountValue(ratings, row.rating);
	AddRow(receiver, IdFromColumn(&source->user, slot->tts_values[0]), IdFromColumn(&source->item, slot->tts_values[1]),
		   &row);
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
	return receiver;
}

/*
 * Reads the rows of a query into the receiver's triplets. read_only: as the active snapshot sees them, else with what has
 * been committed and done since.
 */
static void
ReadQuery(RowQuery *query, RatingReceiver *receiver, bool read_only)
{
	Ratings    *ratings = receiver->ratings;

	RunQueryWith(query->sql, query->nargs, query->type, query->value, read_only, &receiver->pub);
	FlushBatch(receiver);
	EndTriplets(&receiver->triplets);
	if (ratings->unrated)
		EndUnrated(ratings->unrated);
	ratings->rows = receiver->triplets.count;
	ratings->read_until = receiver->source->time_column ?
		TimeReadUntil(ratings->fading.newest, receiver->source->time_type) : NAN;
}

/* The same of all rows. */
static void
ReadSource(const Source *source, RatingReceiver *receiver, bool read_only)
{
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, source);
	ReadQuery(&(RowQuery) {.sql = sql.data}, receiver, read_only);
}

/* Notices where kinds of events have no weight, and of weights that no row has: a name may be misspelt. */
static void
ReportEvents(const Source *source, const Ratings *ratings)
{
	if (ratings->other_events > 0)
		ereport(NOTICE,
				(errmsg_plural("skipped %lld row of a kind that event_weights does not have",
							   "skipped %lld rows of kinds that event_weights does not have",
							   ratings->other_events, (long long) ratings->other_events)));
	for (int i = 0; ratings->event_rows && i < source->events.weights->count; i++)
		if (ratings->event_rows[i] == 0)
			ereport(NOTICE,
					(errmsg("no row of relation \"%s\" is of the kind \"%s\"", source->name, source->events.weights->name[i]),
					 errhint("Check the keys of event_weights.")));
}

/*
 * Prepares to read a source into `ratings`, by user, and to sort it within `budget` bytes; nothing is held out. half_life:
 * of rows that fade, else 0.  Fills in *sorting and returns the receiver for its rows.
 */
static RatingReceiver *
InitSorting(Sorting *sorting, const Source *source, Ratings *ratings, double half_life, int64 budget,
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
	InitTriplets(&receiver->triplets, explicit || fades, has_weight, 0, BLOCK_TRIPLETS);
	receiver->triplets.has_time = source->time_column != NULL;
	receiver->triplets.limit = Max(BLOCK_TRIPLETS,
								   sorting->budget / BytesPerRating(&receiver->triplets, sorting->has_weight));
	ratings->is_explicit = explicit;
	ratings->weights_given = source->weight_column != NULL;
	if (source->event_column)
		ratings->event_rows = palloc0(sizeof(int64) * source->events.weights->count);
	ratings->fading = (Fading) {half_life, -INFINITY};
	ratings->users = CreateIdMap((IdType *) &source->user);
	ratings->items = CreateIdMap((IdType *) &source->item);
	return receiver;
}

/* Has a receiver keep what a version stores besides factors: rows that are no ratings, and what rows there are. */
static void
WantOthers(const Source *source, RatingReceiver *receiver, int64 budget)
{
	receiver->ratings->fingerprints = CreateFingerprints();
	receiver->ratings->unrated = CreateUnrated((IdType *) &source->user, (IdType *) &source->item,
											   budget / OTHERS_SHARE / TripletBytes(&receiver->triplets));
}

/*
 * Sorts what users have besides the ratings of LoadRatings() by user into ratings->others: the rows that are no ratings,
 * and the rows held out for validation, which training does not learn of but lists must leave out as well.  Of items that
 * are in ratings->items by now: some without ratings may have been appended.  Takes memory in proportion, and temporary
 * files beyond; frees ratings->unrated.
 */
void
SortOthers(const Source *source, Ratings *ratings, const MfParallel *parallel)
{
	Ratings    *others = palloc0(sizeof(Ratings));
	int64		budget = MaintenanceMemory() / OTHERS_SHARE;
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
 * Reads the whole source for training, in both orientations, standardized and with weights of mean 1; rows to
 * hold out go to held_out as they are. with_others: what users have besides their ratings is kept for SortOthers(),
 * which changes nothing of the ratings, and so are trends of items, where rows have times. half_life: in which rows lose half
 * of their weight, in seconds; 0: they keep it.
 * An error where no row is left to train on.
 *
 * What grows with the number of ratings takes up to maintenance_work_mem, and temporary files beyond.
 * Everything lives in the current memory context; FreeRatings() closes the files.
 */
Ratings *
LoadRatings(const Source *source, double half_life, Holdout holdout, bool with_others, const MfParallel *parallel)
{
	Ratings    *ratings = palloc0(sizeof(Ratings));
	Sorting		sorting;
	RatingReceiver *receiver = InitSorting(&sorting, source, ratings, half_life, MaintenanceMemory(), parallel);

	sorting.holdout = holdout;
	sorting.by_item = true;
	sorting.marks = receiver->marks = source->relevant >= 0 && holdout.fraction > 0;
	if (!holdout.reread)
		NoteRowSecurity(source);
	if (with_others)
		WantOthers(source, receiver, sorting.budget);
	if (with_others && source->time_column)
		ratings->trend_half_life = half_life > 0 ? half_life : TREND_HALF_LIFE;
	ReadSource(source, receiver, false);
	if (!holdout.reread)
	{
		ReportSkippedRows(ratings);
		ReportEvents(source, ratings);
	}
	if (ratings->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has no ratings to train on", source->name),
				 errhint("Insert some, and check that row security does not hide them.")));
	if (source->time_column && !holdout.reread)
		NoteFuture(ratings->fading.newest, source->time_type, source->time_column, source->name);
	ReportPhase(PHASE_SORT);
	SortRatings(&sorting);
	if (ratings->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("no ratings are left to train on"),
				 errhint("Lower the argument validation.")));
	SettleWeights(ratings);
	if (ratings->is_explicit)
		StandardizeRatings(ratings, source->name);
	return ratings;
}

/*
 * Reads rows of a source by the numbers of two dictionaries, which take ids that they do not know yet: into *rows as
 * they are, duplicates too, in memory or spilled beyond `budget` bytes.  query: which, as the active snapshot sees them; NULL:
 * all.  The result has the fingerprints, and rows that are no ratings in `unrated`; there may be no row.
 */
Ratings *
ReadRows(const Source *source, RowQuery *query, IdMap *users, IdMap *items, int64 budget,
		 const MfParallel *parallel, Triplets *rows)
{
	Ratings    *ratings = palloc0(sizeof(Ratings));
	Sorting		sorting;
	RatingReceiver *receiver = InitSorting(&sorting, source, ratings, 0, budget, parallel);

	ratings->users = users;
	ratings->items = items;
	WantOthers(source, receiver, budget);
	if (query)
		ReadQuery(query, receiver, true);
	else
		ReadSource(source, receiver, false);
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
	RatingReceiver *receiver = InitSorting(&sorting, source, ratings, 0, budget, parallel);

	ReadSource(source, receiver, true);
	if (ratings->rows > 0)
		SortRatings(&sorting);
	return ratings;
}

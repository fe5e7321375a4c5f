/*
 * ratings.c - from a relation to the two orientations of a sparse matrix.
 *
 * The source is read by one query, with the caller's privileges and row security, whose rows the
 * executor hands to a receiver of our own: no copy, no tuplestore, and a parallel plan where the
 * planner finds one.  Every row becomes a triplet of two dense numbers and a value; the ids
 * themselves stay in two dictionaries.  Then a counting sort gives rows by user and by item.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/rng.h"
#include "interrupt.h"
#include "ratings.h"

#define BATCH_ROWS 1024

/* Receives the source's rows; triplets go to arrays that double as they fill. */
typedef struct RatingReceiver
{
	DestReceiver pub;
	const Source *source;
	Ratings    *ratings;
	MemoryContext context;		/* of the arrays */
	int64		capacity;
	int32	   *user;
	int32	   *item;
	float	   *value;			/* NULL: no values */
	float	   *weight;			/* NULL: no weights */
	int			batch;			/* rows waiting below */
	int64		batch_user[BATCH_ROWS];
	int64		batch_item[BATCH_ROWS];
} RatingReceiver;

static int64
SourceId(const IdType *idtype, Datum value)
{
	int64		id = 0;

	if (!IdFromDatum(idtype, value, idtype->base, &id))
		elog(ERROR, "unexpected type of id");
	return id;
}

/* An error that names the row by its ids. */
static void
BadValue(const Source *source, TupleTableSlot *slot, const char *what, float value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s of user %s and item %s is %g", what,
					IdToText(&source->user, SourceId(&source->user, slot->tts_values[0])),
					IdToText(&source->item, SourceId(&source->item, slot->tts_values[1])), value),
			 errdetail(isfinite(value) ? "It must not be negative." : "It must be a finite number of single precision."),
			 errhint("Correct the row, or leave it out with a view.")));
}

static void
GrowTriplets(RatingReceiver *receiver)
{
	Size		bytes;

	receiver->capacity *= 2;
	bytes = sizeof(float) * receiver->capacity;
	receiver->user = repalloc_huge(receiver->user, bytes);
	receiver->item = repalloc_huge(receiver->item, bytes);
	if (receiver->value)
		receiver->value = repalloc_huge(receiver->value, bytes);
	if (receiver->weight)
		receiver->weight = repalloc_huge(receiver->weight, bytes);
}

/* Numbers the ids of the rows that wait. */
static void
FlushBatch(RatingReceiver *receiver)
{
	int64		at = receiver->ratings->rows - receiver->batch;

	AddIds(receiver->ratings->users, receiver->batch_user, receiver->batch, receiver->user + at);
	AddIds(receiver->ratings->items, receiver->batch_item, receiver->batch, receiver->item + at);
	receiver->batch = 0;
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
	switch (RatingFromRow(source, slot->tts_values, slot->tts_isnull, slot->tts_tupleDescriptor->natts, &rating, &weight))
	{
		case RATING_OK:
			break;
		case RATING_NULL:
			ratings->null_rows++;
			return true;
		case RATING_ZERO:
			ratings->zero_rows++;
			return true;
		case RATING_BAD_VALUE:
			BadValue(source, slot, source->feedback == FEEDBACK_IMPLICIT ? "value" : "rating", rating);
			break;
		case RATING_BAD_WEIGHT:
			BadValue(source, slot, "weight", weight);
			break;
	}
	if (ratings->rows == receiver->capacity)
		GrowTriplets(receiver);
	if (receiver->value)
		receiver->value[ratings->rows] = rating;
	if (receiver->weight)
		receiver->weight[ratings->rows] = weight;
	ratings->rows++;
	receiver->batch_user[receiver->batch] = SourceId(&source->user, slot->tts_values[0]);
	receiver->batch_item[receiver->batch++] = SourceId(&source->item, slot->tts_values[1]);

	/* Datums other than integers live only as long as the slot keeps this row. */
	if (receiver->batch == BATCH_ROWS || !source->user.is_int || !source->item.is_int)
		FlushBatch(receiver);
	return true;
}

static void
StartupReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
}

static void
ShutdownReceiver(DestReceiver *self)
{
}

static RatingReceiver *
CreateReceiver(const Source *source, Ratings *ratings)
{
	RatingReceiver *receiver = palloc0(sizeof(RatingReceiver));

	receiver->pub.receiveSlot = ReceiveRating;
	receiver->pub.rStartup = StartupReceiver;
	receiver->pub.rShutdown = ShutdownReceiver;
	receiver->pub.rDestroy = ShutdownReceiver;
	receiver->pub.mydest = DestNone;
	receiver->source = source;
	receiver->ratings = ratings;
	receiver->capacity = 64 * BATCH_ROWS;
	receiver->user = palloc(sizeof(int32) * receiver->capacity);
	receiver->item = palloc(sizeof(int32) * receiver->capacity);
	if (source->feedback == FEEDBACK_EXPLICIT)
		receiver->value = palloc(sizeof(float) * receiver->capacity);
	if (source->weight_column || (source->value_column && source->feedback == FEEDBACK_IMPLICIT))
		receiver->weight = palloc(sizeof(float) * receiver->capacity);
	return receiver;
}

static void
ReadSource(const Source *source, RatingReceiver *receiver)
{
	SPIExecuteOptions options = {0};
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, source);
	options.dest = &receiver->pub;
	SPI_connect();
	if (SPI_execute_extended(sql.data, &options) < 0)
		elog(ERROR, "could not run: %s", sql.data);
	SPI_finish();
	FlushBatch(receiver);
}

/* Says what was left out, and stops where nothing is left. */
static void
ReportRows(const Source *source, const Ratings *ratings)
{
	if (ratings->null_rows > 0)
		ereport(NOTICE,
				(errmsg_plural("skipped %lld row with a null user, item or value",
							   "skipped %lld rows with a null user, item or value",
							   ratings->null_rows, (long long) ratings->null_rows)));
	if (ratings->zero_rows > 0)
		ereport(NOTICE,
				(errmsg_plural("skipped %lld row whose value or weight is zero",
							   "skipped %lld rows whose value or weight is zero",
							   ratings->zero_rows, (long long) ratings->zero_rows)));
	if (ratings->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has no ratings to train on", source->name),
				 errhint("Insert some, and check that row security does not hide them.")));
}

/* Replaces provisional numbers by those of the sorted dictionary. */
static void
Renumber(IdMap *map, int32 *indexes, int64 n)
{
	int32	   *rank = SortIdMap(map);

	if (rank == NULL)
		return;
	for (int64 i = 0; i < n; i++)
		indexes[i] = rank[indexes[i]];
	pfree(rank);
}

/* Moves a fraction of the pairs, chosen by a hash of their numbers, out of the triplets. */
static void
HoldOut(Ratings *ratings, RatingReceiver *receiver, double fraction, uint64 seed)
{
	int64		kept = 0;

	ratings->held_user = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int32) * ratings->rows);
	ratings->held_item = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int32) * ratings->rows);
	if (receiver->value)
		ratings->held_rating = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(float) * ratings->rows);
	for (int64 i = 0; i < ratings->rows; i++)
	{
		uint64		pair = ((uint64) receiver->user[i] << 32) | (uint32) receiver->item[i];

		if (mf_random_uniform(seed, pair) < fraction)
		{
			ratings->held_user[ratings->held_out] = receiver->user[i];
			ratings->held_item[ratings->held_out] = receiver->item[i];
			if (receiver->value)
				ratings->held_rating[ratings->held_out] = receiver->value[i];
			ratings->held_out++;
			continue;
		}
		receiver->user[kept] = receiver->user[i];
		receiver->item[kept] = receiver->item[i];
		if (receiver->value)
			receiver->value[kept] = receiver->value[i];
		if (receiver->weight)
			receiver->weight[kept] = receiver->weight[i];
		kept++;
	}
	ratings->rows = kept;
}

static void *
HugeArray(int64 count, Size width)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, Max(count, 1) * width);
}

static void
AllocateMatrix(MfMatrix *matrix, int64 nrows, int64 cells, bool rating, bool weight)
{
	matrix->nrows = nrows;
	matrix->start = HugeArray(nrows + 1, sizeof(int64));
	matrix->column = HugeArray(cells, sizeof(int32));
	matrix->rating = rating ? HugeArray(cells, sizeof(float)) : NULL;
	matrix->weight = weight ? HugeArray(cells, sizeof(float)) : NULL;
}

/* Sorts the triplets into both orientations, and frees them. */
static void
BuildMatrices(Ratings *ratings, RatingReceiver *receiver, const MfParallel *parallel)
{
	MfTriplets	triplets = {ratings->rows, receiver->user, receiver->item, receiver->value, receiver->weight};
	bool		implicit = receiver->source->feedback == FEEDBACK_IMPLICIT;
	MfDuplicates mode = implicit ? MF_DUPLICATES_SUM : MF_DUPLICATES_MEAN;
	bool		weight = implicit || receiver->weight;
	MfRows		by_user;
	void	   *space = HugeArray(mf_csr_size(parallel, ratings->rows,
											  Max(ratings->users->count, ratings->items->count)), 1);

	AllocateMatrix(&ratings->by_user, ratings->users->count, ratings->rows, receiver->value, weight);
	AllocateMatrix(&ratings->by_item, ratings->items->count, ratings->rows, receiver->value, weight);
	CheckCore(mf_csr_build(parallel, &triplets, mode, &ratings->by_user, &ratings->by_item, space,
						   &ratings->merged));
	by_user = mf_matrix_rows(&ratings->by_user);
	CheckCore(mf_csr_transpose(parallel, &by_user, &ratings->by_item, receiver->user, space));
	pfree(space);
	ratings->rows -= ratings->merged;
	if (implicit && !receiver->weight && ratings->merged == 0)
		ratings->by_user.weight = ratings->by_item.weight = NULL;
}

/* Mean, deviation and range of explicit ratings; a constant column is an error. */
static void
Summarize(Ratings *ratings, const Source *source)
{
	const MfMatrix *matrix = &ratings->by_user;
	double		sum = 0;
	double		squares = 0;
	double		weights = 0;

	ratings->min = INFINITY;
	ratings->max = -INFINITY;
	for (int64 i = 0; i < ratings->rows; i++)
	{
		double		weight = matrix->weight ? matrix->weight[i] : 1;

		sum += weight * matrix->rating[i];
		weights += weight;
		ratings->min = Min(ratings->min, matrix->rating[i]);
		ratings->max = Max(ratings->max, matrix->rating[i]);
	}
	ratings->mean = sum / weights;
	for (int64 i = 0; i < ratings->rows; i++)
	{
		double		off = matrix->rating[i] - ratings->mean;

		squares += (matrix->weight ? matrix->weight[i] : 1) * off * off;
	}
	ratings->deviation = sqrt(squares / weights);
	if (ratings->min == ratings->max || !(ratings->deviation > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("all ratings of relation \"%s\" are %g", source->name, ratings->min),
				 errdetail("A model of how much has nothing to learn from a single distinct rating."),
				 errhint("If the rows say that a user took an item, use feedback => 'implicit'.")));
}

static void
Standardize(float *ratings, int64 n, double mean, double deviation)
{
	for (int64 i = 0; i < n; i++)
		ratings[i] = (float) ((ratings[i] - mean) / deviation);
}

/*
 * Reads the whole source.  Ratings come back standardized to mean 0 and deviation 1, except the
 * held-out ones; implicit values are weights.  Everything lives in the current memory context.
 */
Ratings *
LoadRatings(const Source *source, double validation, uint64 seed, const MfParallel *parallel)
{
	Ratings    *ratings = palloc0(sizeof(Ratings));
	RatingReceiver *receiver = CreateReceiver(source, ratings);

	ratings->users = CreateIdMap((IdType *) &source->user);
	ratings->items = CreateIdMap((IdType *) &source->item);
	ReadSource(source, receiver);
	ReportRows(source, ratings);
	Renumber(ratings->users, receiver->user, ratings->rows);
	Renumber(ratings->items, receiver->item, ratings->rows);
	if (validation > 0)
		HoldOut(ratings, receiver, validation, seed);
	BuildMatrices(ratings, receiver, parallel);
	if (source->feedback == FEEDBACK_EXPLICIT)
	{
		Summarize(ratings, source);
		Standardize(ratings->by_user.rating, ratings->rows, ratings->mean, ratings->deviation);
		Standardize(ratings->by_item.rating, ratings->rows, ratings->mean, ratings->deviation);
	}
	return ratings;
}

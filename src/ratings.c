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

#include "budget.h"
#include "compat.h"
#include "core/rng.h"
#include "interrupt.h"
#include "progress.h"
#include "ratings.h"

#define BATCH_ROWS 1024

/* Triplets of a temporary file come in blocks of so many; those of a partition in smaller ones. */
#define BLOCK_TRIPLETS (INT64CONST(1) << 16)
#define PARTITION_BLOCK (INT64CONST(1) << 12)

/* Receives the source's rows. */
typedef struct RatingReceiver
{
	DestReceiver pub;
	const Source *source;
	Ratings    *ratings;
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

/* Numbers the ids of the rows that wait, and adds them to the triplets. */
static void
FlushBatch(RatingReceiver *receiver)
{
	Triplets   *triplets = &receiver->triplets;
	int			n = receiver->batch;

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
		CheckDictionaries(receiver->ratings->users, receiver->ratings->items);
	ReportRowsRead(triplets->count);
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
	receiver->value[receiver->batch] = rating;
	receiver->weight[receiver->batch] = weight;
	receiver->user[receiver->batch] = IdFromColumn(&source->user, slot->tts_values[0]);
	receiver->item[receiver->batch++] = IdFromColumn(&source->item, slot->tts_values[1]);

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
	return receiver;
}

/* Reads all rows; read_only: as the calling query sees them. */
static void
ReadSource(const Source *source, RatingReceiver *receiver, bool read_only)
{
	SPIExecuteOptions options = {0};
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, source);
	options.dest = &receiver->pub;
	options.read_only = read_only;
	SPI_connect();
	if (SPI_execute_extended(sql.data, &options) < 0)
		elog(ERROR, "could not run: %s", sql.data);
	SPI_finish();
	FlushBatch(receiver);
	EndTriplets(&receiver->triplets);
	receiver->ratings->rows = receiver->triplets.count;
}

/* Says what was left out. */
static void
ReportSkippedRows(const Ratings *ratings)
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
}

/* Whether a pair is held out: by a hash of its ids' ranks, so that duplicates stay together. */
static inline bool
IsHeldOut(int32 user, int32 item, double fraction, uint64 seed)
{
	return mf_random_uniform(seed, ((uint64) user << 32) | (uint32) item) < fraction;
}

/* What sorting into rows needs to know. */
typedef struct Sorting
{
	const Source *source;
	Ratings    *ratings;
	Triplets   *triplets;
	const int32 *user_rank;		/* from provisional numbers to ranks of ids; NULL: the same */
	const int32 *item_rank;
	double		validation;
	uint64		seed;
	MfDuplicates duplicates;
	bool		has_weight;		/* of the cells: implicit duplicates add up to weights */
	bool		by_item;		/* rows by item are wanted, too */
	int64		budget;
	const MfParallel *parallel;
} Sorting;

/*
 * Replaces provisional numbers by ranks in the block of triplets that is in memory, and moves
 * held-out pairs out of it.  Returns how many are left.
 */
static int64
RankBlock(Sorting *s)
{
	Triplets   *t = s->triplets;
	Triplets   *held = &s->ratings->held_out;
	int64		kept = 0;

	for (int64 i = 0; s->user_rank && i < t->held; i++)
		t->user[i] = s->user_rank[t->user[i]];
	for (int64 i = 0; s->item_rank && i < t->held; i++)
		t->item[i] = s->item_rank[t->item[i]];
	if (s->validation <= 0)
		return t->held;
	for (int64 i = 0; i < t->held; i++)
	{
		float		value = t->value ? t->value[i] : 1;
		float		weight = t->weight ? t->weight[i] : 1;

		if (IsHeldOut(t->user[i], t->item[i], s->validation, s->seed))
		{
			AddTriplet(held, t->user[i], t->item[i], value, weight);
			continue;
		}
		t->user[kept] = t->user[i];
		t->item[kept] = t->item[i];
		if (t->value)
			t->value[kept] = value;
		if (t->weight)
			t->weight[kept] = weight;
		kept++;
	}
	return kept;
}

static void *
HugeArray(int64 count, Size width)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, Max(count, 1) * width);
}

static void
AllocateMatrix(const Sorting *s, MfMatrix *matrix, int64 nrows, int64 cells)
{
	matrix->nrows = nrows;
	matrix->start = HugeArray(nrows + 1, sizeof(int64));
	matrix->column = HugeArray(cells, sizeof(int32));
	matrix->rating = s->triplets->has_value ? HugeArray(cells, sizeof(float)) : NULL;
	matrix->weight = s->has_weight ? HugeArray(cells, sizeof(float)) : NULL;
}

static void
FreeMatrix(MfMatrix *matrix)
{
	pfree(matrix->start);
	pfree(matrix->column);
	if (matrix->rating)
		pfree(matrix->rating);
	if (matrix->weight)
		pfree(matrix->weight);
}

/* Bytes that one rating takes while everything is in memory: its triplet, and twice its cell. */
static int64
BytesPerRating(const Triplets *triplets, bool has_weight)
{
	return TripletBytes(triplets) + 2 * (sizeof(int32) + (triplets->has_value + has_weight) * sizeof(float));
}

/* Sorts triplets that are all in memory into both orientations. */
static void
SortInMemory(Sorting *s)
{
	Ratings    *ratings = s->ratings;
	Triplets   *t = s->triplets;
	int64		n = RankBlock(s);
	MfTriplets	triplets = {n, t->user, t->item, t->value, t->weight};
	Cells	   *by_user = &ratings->by_user;
	Cells	   *by_item = &ratings->by_item;
	MfRows		rows;
	void	   *space = HugeArray(mf_csr_size(s->parallel, n, Max(ratings->users->count, ratings->items->count)), 1);

	AllocateMatrix(s, &by_user->matrix, ratings->users->count, n);
	AllocateMatrix(s, &by_item->matrix, ratings->items->count, n);
	CheckCore(mf_csr_build(s->parallel, &triplets, s->duplicates, &by_user->matrix, &by_item->matrix, space,
						   &ratings->merged));
	rows = mf_matrix_rows(&by_user->matrix);
	by_user->nrows = ratings->users->count;
	by_user->start = by_user->matrix.start;
	if (s->by_item)
	{
		CheckCore(mf_csr_transpose(s->parallel, &rows, &by_item->matrix, t->user, space));
		by_item->nrows = ratings->items->count;
		by_item->start = by_item->matrix.start;
	}
	else
		FreeCells(by_item);
	pfree(space);
}

/* Triplets on disk, cut into ranges of one side's numbers that fit in memory one at a time. */
typedef struct Partitions
{
	int			count;
	int64	   *end;			/* number behind each range's last */
	uint16	   *of;				/* each number's range */
	Triplets   *triplets;
} Partitions;

/* Cuts numbers 0 .. n - 1 into ranges of at most `limit` triplets, if single ones have not more. */
static void
InitPartitions(Partitions *partitions, const int64 *counts, int64 n, int64 limit, const Sorting *s,
			   bool has_weight)
{
	int64		filled = 0;
	int64		total = 0;

	for (int64 i = 0; i < n; i++)
		total += counts[i];
	limit = Max(limit, total / 1000);	/* each partition costs a file and a buffer */
	partitions->end = HugeArray(total / Max(limit / 2, 1) + 3, sizeof(int64));
	partitions->of = HugeArray(n, sizeof(uint16));
	partitions->count = 0;
	for (int64 i = 0; i < n; i++)
	{
		if (filled > 0 && filled + counts[i] > limit)
		{
			partitions->end[partitions->count++] = i;
			filled = 0;
		}
		filled += counts[i];
		partitions->of[i] = partitions->count;
	}
	partitions->end[partitions->count++] = n;
	partitions->triplets = palloc(sizeof(Triplets) * partitions->count);
	for (int p = 0; p < partitions->count; p++)
		InitTriplets(&partitions->triplets[p], s->triplets->has_value, has_weight, 0, PARTITION_BLOCK);
}

/* Reads all triplets once to count those of each user and item by rank. */
static void
CountTriplets(Sorting *s, int64 *users, int64 *items)
{
	Triplets   *t = s->triplets;

	while (ReadTriplets(t))
		for (int64 i = 0; i < t->held; i++)
		{
			users[s->user_rank ? s->user_rank[t->user[i]] : t->user[i]]++;
			items[s->item_rank ? s->item_rank[t->item[i]] : t->item[i]]++;
		}
	EndTriplets(t);
}

/* Distributes the triplets over ranges of users. */
static void
PartitionByUser(Sorting *s, Partitions *users)
{
	Triplets   *t = s->triplets;

	while (ReadTriplets(t))
	{
		int64		n = RankBlock(s);

		for (int64 i = 0; i < n; i++)
			AddTriplet(&users->triplets[users->of[t->user[i]]], t->user[i], t->item[i],
					   t->value ? t->value[i] : 1, t->weight ? t->weight[i] : 1);
	}
}

/*
 * Sorts one partition of triplets, of rows first .. end - 1, into a matrix.  items: rows are items
 * and columns users.
 */
static void
SortPartition(Sorting *s, Triplets *t, bool items, int64 first, int64 end, MfMatrix *out)
{
	int64		ncolumns = items ? s->ratings->users->count : s->ratings->items->count;
	int32	   *row;
	MfTriplets	triplets;
	MfMatrix	work;
	void	   *space = HugeArray(mf_csr_size(s->parallel, t->count, Max(ncolumns, end - first)), 1);
	int64		merged;

	EndTriplets(t);
	LoadTriplets(t);
	row = items ? t->item : t->user;
	for (int64 i = 0; i < t->held; i++)
		row[i] -= first;
	triplets = (MfTriplets) {t->held, row, items ? t->user : t->item, t->value, t->weight};
	AllocateMatrix(s, out, end - first, t->held);
	AllocateMatrix(s, &work, ncolumns, t->held);
	CheckCore(mf_csr_build(s->parallel, &triplets, s->duplicates, out, &work, space, &merged));
	s->ratings->merged += merged;
	FreeMatrix(&work);
	pfree(space);
	FreeTriplets(t);
}

/* Writes rows of users as triplets to the items' partitions. */
static void
ScatterToItems(const MfMatrix *rows, int64 first, Partitions *items)
{
	for (int64 r = 0; r < rows->nrows; r++)
		for (int64 c = rows->start[r]; c < rows->start[r + 1]; c++)
			AddTriplet(&items->triplets[items->of[rows->column[c]]], first + r, rows->column[c],
					   rows->rating ? rows->rating[c] : 1, rows->weight ? rows->weight[c] : 1);
}

/* Sorts triplets that were spilled: range by range of users, then range by range of items. */
static void
SortOnDisk(Sorting *s)
{
	Ratings    *ratings = s->ratings;
	int64		nusers = ratings->users->count;
	int64		nitems = ratings->items->count;
	int64	   *user_counts = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(int64) * nusers,
														 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int64	   *item_counts = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(int64) * nitems,
														 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	bool		has_value = s->triplets->has_value;
	bool		has_weight = s->triplets->has_weight;
	int64		limit = s->budget / BytesPerRating(s->triplets, s->has_weight);
	int64		cell_bytes = sizeof(int32) + (has_value + s->has_weight) * sizeof(float);
	Partitions	users;
	Partitions	items;
	MfMatrix	rows;

	CountTriplets(s, user_counts, item_counts);
	InitPartitions(&users, user_counts, nusers, limit, s, s->triplets->has_weight);
	InitPartitions(&items, item_counts, nitems, limit, s, s->has_weight);
	PartitionByUser(s, &users);
	FreeTriplets(s->triplets);
	s->triplets->has_value = has_value;
	s->triplets->has_weight = has_weight;
	InitSpilledCells(&ratings->by_user, nusers, has_value, s->has_weight, s->budget / cell_bytes / 2);
	for (int p = 0; p < users.count; p++)
	{
		int64		first = p > 0 ? users.end[p - 1] : 0;

		SortPartition(s, &users.triplets[p], false, first, users.end[p], &rows);
		AppendCells(&ratings->by_user, &rows);
		if (s->by_item)
			ScatterToItems(&rows, first, &items);
		FreeMatrix(&rows);
	}
	pfree(user_counts);
	pfree(item_counts);
	if (!s->by_item)
		return;
	InitSpilledCells(&ratings->by_item, nitems, has_value, s->has_weight, s->budget / cell_bytes / 2);
	for (int p = 0; p < items.count; p++)
	{
		SortPartition(s, &items.triplets[p], true, p > 0 ? items.end[p - 1] : 0, items.end[p], &rows);
		AppendCells(&ratings->by_item, &rows);
		FreeMatrix(&rows);
	}
}

static void
DropWeights(Cells *cells)
{
	if (cells->spilled)
		BufFileClose(cells->weights);
	else
		pfree(cells->matrix.weight);
	cells->weights = NULL;
	cells->matrix.weight = NULL;
}

/* Weights that are all 1 are no weights: the solver is faster without. */
static void
DropUnitWeights(Sorting *s)
{
	if (!s->has_weight || s->triplets->has_weight || s->ratings->merged > 0)
		return;
	DropWeights(&s->ratings->by_user);
	if (s->by_item)
		DropWeights(&s->ratings->by_item);
}

/*
 * Mean, deviation and range of explicit ratings, in one pass in the order of the rows, so that they
 * are the same in memory and spilled; a constant column is an error.
 */
static void
Summarize(Ratings *ratings, const Source *source)
{
	double		sum = 0;
	double		squares = 0;
	double		weights = 0;
	double		shift = NAN;
	MfRows		rows;

	ratings->min = INFINITY;
	ratings->max = -INFINITY;
	RewindCells(&ratings->by_user);
	while (NextCells(&ratings->by_user, &rows))
		for (int64 c = rows.start[0]; c < rows.start[rows.nrows]; c++)
		{
			double		weight = rows.weight ? rows.weight[c] : 1;
			double		off;

			if (isnan(shift))
				shift = rows.rating[c];
			off = rows.rating[c] - shift;
			sum += weight * off;
			squares += weight * off * off;
			weights += weight;
			ratings->min = Min(ratings->min, rows.rating[c]);
			ratings->max = Max(ratings->max, rows.rating[c]);
		}
	ratings->mean = shift + sum / weights;
	ratings->deviation = sqrt(squares / weights - (sum / weights) * (sum / weights));
	if (ratings->min == ratings->max || !(ratings->deviation > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("all ratings of relation \"%s\" are %g", source->name, ratings->min),
				 errdetail("A model of how much has nothing to learn from a single distinct rating."),
				 errhint("If the rows say that a user took an item, use feedback => 'implicit'.")));
}

/* The mean of log(1 + value) over all cells; 0 where all values are 1. */
static double
ValueScale(Ratings *ratings)
{
	double		sum = 0;
	MfRows		rows;

	RewindCells(&ratings->by_user);
	while (NextCells(&ratings->by_user, &rows))
	{
		if (rows.weight == NULL)
			return 0;
		for (int64 c = rows.start[0]; c < rows.start[rows.nrows]; c++)
			sum += log1p(rows.weight[c]);
	}
	return sum / ratings->rows;
}

/* Sorts what was read into both orientations, and takes the held-out rows apart. */
static void
SortRatings(Sorting *s)
{
	Ratings    *ratings = s->ratings;

	InitTriplets(&ratings->held_out, s->triplets->has_value, s->triplets->has_weight, s->budget / 8 / 16,
				 BLOCK_TRIPLETS);
	s->user_rank = SortIdMap(ratings->users);
	s->item_rank = SortIdMap(ratings->items);
	ratings->memory = Min(s->triplets->count * BytesPerRating(s->triplets, s->has_weight), s->budget);
	if (s->triplets->file)
		ratings->temporary = s->triplets->count * (TripletBytes(s->triplets) + BytesPerRating(s->triplets, s->has_weight));
	if (s->triplets->file)
		SortOnDisk(s);
	else
		SortInMemory(s);
	ratings->rows = ratings->by_user.start[ratings->by_user.nrows];
	EndTriplets(&ratings->held_out);
	DropUnitWeights(s);
	FreeTriplets(s->triplets);
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
 * Reads the whole source for training.  Ratings come back standardized to mean 0 and deviation 1,
 * except the held-out ones; implicit values are weights.  What grows with the number of ratings takes
 * up to maintenance_work_mem, and temporary files beyond.  Everything lives in the current memory
 * context.
 */
Ratings *
LoadRatings(const Source *source, const TrainOptions *options, const MfParallel *parallel)
{
	Ratings    *ratings = palloc0(sizeof(Ratings));
	Sorting		sorting;
	RatingReceiver *receiver = InitSorting(&sorting, source, ratings, RatingsBudget(), parallel);

	sorting.validation = isnan(options->validation) ? 0 : options->validation;
	sorting.seed = (uint64) options->seed;
	sorting.by_item = true;
	ReadSource(source, receiver, false);
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
	if (source->feedback == FEEDBACK_EXPLICIT)
	{
		Summarize(ratings, source);
		StandardizeCells(&ratings->by_user, ratings->mean, ratings->deviation);
		StandardizeCells(&ratings->by_item, ratings->mean, ratings->deviation);
	}
	else if ((ratings->value_scale = ValueScale(ratings)) > 0)
	{
		TransformWeights(&ratings->by_user, ratings->value_scale);
		TransformWeights(&ratings->by_item, ratings->value_scale);
	}
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
	RatingReceiver *receiver = InitSorting(&sorting, source, ratings, RatingsBudget(), parallel);

	ReadSource(source, receiver, true);
	if (ratings->rows > 0)
		SortRatings(&sorting);
	return ratings;
}

/* Gives cells and their files back; the dictionaries stay. */
void
FreeRatings(Ratings *ratings)
{
	FreeCells(&ratings->by_user);
	FreeCells(&ratings->by_item);
	FreeTriplets(&ratings->held_out);
}

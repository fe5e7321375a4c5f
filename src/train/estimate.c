/*
 * estimate.c - what a training would take.
 *
 * The source is read and sorted as training would do it, so rows, users, items, memory and that part
 * of the time are known rather than guessed; then a part of each half-sweep is timed, and a step of
 * the map of items' features.  Storing is reckoned from the rows' size.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "features/features_load.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"
#include "read/ratings_read.h"
#include "source/source.h"
#include "train/als_loop.h"
#include "train/estimate.h"
#include "train/item_map.h"
#include "train/train_memory.h"
#include "train/training.h"

/* Cells of a side that are solved to see how long that takes. */
#define TIMED_CELLS 1000000

/* Bytes of rows that are stored in a second. */
#define STORE_SPEED 1e8

/* Bytes of a stored row besides its vectors: header, id, version, count, bias. */
#define ROW_BYTES 60

/* The same of a feature, and bytes that its name and weight take in memory. */
#define FEATURE_ROW_BYTES 130
#define FEATURE_BYTES 100

/* Steps of a map besides those after iterations: to find strengths, try them, and scale cold items; see TimeMap(). */
#define MAP_STEPS 40
#define MAP_STEPS_A_BLOCK 10

/* Bytes that say that a user has an item, in the compressed form of core/base/seen.c. */
#define SEEN_BYTES 1.2

/*
 * Work of a half-sweep over so many rows with so many cells, in multiply-adds: a rank-1 update of half a matrix
 * for each cell, a factorization for each row.
 */
static double
Work(const MfObjective *objective, double rows, double cells)
{
	double		d = mf_padded(mf_dimensions(objective));

	return cells * d * (d / 2 + 20) + rows * (d * d * d / 4 + 20 * d * d);
}

/* Seconds of a half-sweep: its beginning as it is, its rows extrapolated from the first TIMED_CELLS of cells. */
static double
TimeHalfSweep(Training *t, MfSide side)
{
	Cells	   *cells = side == MF_USERS ? &t->ratings->by_user : &t->ratings->by_item;
	instr_time	began;
	MfRows		rows;
	double		prepared;
	double		solved;
	double		timed;

	INSTR_TIME_SET_CURRENT(began);
	CheckCore(mf_als_begin(t->als, side, false, NULL));
	prepared = SecondsSince(began);
	RewindCells(cells);
	if (!NextCells(cells, &rows))
		return prepared;
	while (rows.nrows > 1 && rows.start[rows.nrows] - rows.start[0] > TIMED_CELLS)
		rows.nrows = (rows.nrows + 1) / 2;
	timed = Work(&t->objective, rows.nrows, rows.start[rows.nrows] - rows.start[0]);
	INSTR_TIME_SET_CURRENT(began);
	CheckCore(mf_als_rows(t->als, &rows));
	solved = SecondsSince(began);
	return prepared + solved * Work(&t->objective, cells->nrows, t->ratings->rows) / timed;
}

/*
 * Seconds that a map takes in a training, by those of one step after an iteration: one such step for each iteration
 * that goes by the map, and so many more for what is found out about it before and after.
 */
static double
TimeMap(Training *t)
{
	ItemMap    *map;
	instr_time	began;
	double		step;

	CreateItemMap(t);
	map = t->map;
	for (int32 f = 0; f < map->matrix.nfeatures; f++)
		map->scale[f] = 1;
	INSTR_TIME_SET_CURRENT(began);
	FollowItems(t);
	step = SecondsSince(began);
	return step * (t->objective.iterations + MAP_STEPS + MAP_STEPS_A_BLOCK * map->matrix.nblocks);
}

/* Seconds of one iteration, timed from random factors on; the factors are of no further use. */
static double
TimeIteration(Training *t)
{
	double		seconds;

	StateProblem(t);
	StartFactors(t);
	mf_random_factors(t->factors.user, t->problem.nusers, t->problem.factors, 3);
	t->als = CreateSolver(t);
	seconds = TimeHalfSweep(t, MF_USERS);
	return seconds + TimeHalfSweep(t, MF_ITEMS);
}

/* Bytes that a version takes in its tables. */
static int64
StorageBytes(const Training *t)
{
	int			parts = (t->factors.rating != NULL) + (t->factors.interest != NULL);
	int64		vector = t->problem.factors * sizeof(float) + 24;
	int64		features = t->features ? t->features->nfeatures : 0;

	return t->problem.nusers * (ROW_BYTES + vector) + t->nitems * (ROW_BYTES + parts * vector) +
		features * (FEATURE_ROW_BYTES + parts * vector) + (int64) (SEEN_BYTES * t->ratings->rows);
}

/* Bytes that the cells of features take, in both orientations: in memory, or in temporary files. */
static int64
FeatureCellBytes(const Features *features)
{
	int64		cells = features->by_item.start[features->nitems];

	return 2 * cells * (int64) (sizeof(int32) + sizeof(float));
}

/*
 * Adds what features take: their cells, names and map in memory, cells that do not fit in files, and the time of the
 * map. The problem has been stated.
 */
static void
AddFeatures(Training *t, Estimate *estimate)
{
	const Features *features = t->features;

	*(features->by_item.spilled ? &estimate->temporary : &estimate->memory) += FeatureCellBytes(features);
	estimate->memory += (features->nitems + features->nfeatures) * (int64) sizeof(int64) + features->nfeatures * (int64) FEATURE_BYTES;
	estimate->memory += ItemMapBytes(&t->problem, features, &t->parallel);
	estimate->seconds += TimeMap(t);
}

/*
 * Opens and reads the source, and attributes of items where the training goes by some; settles what is to be minimised.
 */
static void
LoadEstimate(Training *t, const TrainRequest *request, Source *source)
{
	FeatureSource attributes;
	bool		has_features = HasFeatures(&t->options.features);

	CheckTrainOptions(&t->options);
	OpenSource(source, request->source, &t->options.columns);
	CheckRatingFactors(&t->options, source->feedback);
	if (has_features)
		OpenFeatures(&attributes, &t->options.features, NULL, source->item_column, source->name, &source->item);
	BeginProgress(request->model ? request->model : source->name);
	t->ratings = LoadRatings(source, TrainHalfLife(&t->options), TrainHoldout(&t->options), false, &t->parallel);
	if (has_features)
		t->features = LoadFeatures(&attributes, t->ratings->items, MaintenanceMemory(), &t->parallel);
	SettleObjective(t);
}

/*
 * Reads the source, times a little of the work, and says what all of it would take.  Nothing is stored, and no
 * lock of a model taken; all memory is given back.
 */
void
EstimateTraining(const TrainRequest *request, Estimate *estimate)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec estimate",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Training	training = {.options = request->options};
	Training   *t = &training;
	Ratings    *ratings;
	Source		source;
	double		read;
	double		iteration;

	INSTR_TIME_SET_CURRENT(t->began);
	InitParallel(&t->parallel);
	LoadEstimate(t, request, &source);
	ratings = t->ratings;
	read = SecondsSince(t->began);
	ReportPhase(PHASE_SWEEP);
	iteration = TimeIteration(t);
	estimate->ratings = ratings->rows;
	estimate->users = ratings->users->count;
	estimate->items = ratings->items->count;
	estimate->factors = t->objective.factors;
	estimate->iterations = t->objective.iterations;
	estimate->memory = ratings->memory + IdMapBytes(ratings->users) + IdMapBytes(ratings->items) +
		FactorBytes(&t->problem, ratings->held_out.count > 0, &t->parallel);
	estimate->temporary = ratings->temporary;
	estimate->storage = StorageBytes(t);
	estimate->seconds = read + (estimate->iterations + 0.5) * iteration + estimate->storage / STORE_SPEED;
	if (t->features)
		AddFeatures(t, estimate);
	FreeRatings(ratings);
	if (t->features)
		FreeFeatures(t->features);
	EndProgress();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

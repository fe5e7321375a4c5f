/*
 * map_trial.c - what a map of features is worth: how strongly its blocks are held, and whether known items are drawn to
 * it.
 *
 * Strengths are core/features/strength.c's, by the lists of some users.  Then, as attributes must cost the lists of
 * known items nothing, it is tried before any item is drawn whether these are better for it, by users that are as good
 * as new: all items are solved from the others' rows, and they from theirs, but for a third of the items.  Which of
 * those had they?  That is tried with items drawn to 0, and then drawn to what a map makes of their features that was
 * fitted to the first try's vectors, of the other two thirds.
 *
 * The items that the users are solved from may not remember them: where items have a dozen rows and vectors have more
 * numbers than that, what is left of the iterations before tells nearly all that a user had, and no map could add to
 * it.
 *
 * Both tries are of the same users, so their differences count, and the error of their mean.  A gain must be above
 * that: the less the users can tell, the safer it is to leave lists as they are without features.
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"

#include "core/features/held_out.h"
#include "core/features/strength.h"
#include "core/features/thirds.h"
#include "distributed/driver.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "train/item_map.h"
#include "train/user_map.h"
#include "train/user_sample.h"

/* Users whose lists say what the map is worth, and the stream of numbers that they are drawn by. */
#define TRIAL_USERS 1000
#define TRIAL_STREAM 91

/*
 * Fewer items than this cannot prove anything about their features: these are taken at their word, by the strength that
 * a search begins with, for cold items alone.
 */
#define FEW_ITEMS 60
#define STRENGTH 2

/* And fewer users: theirs are not looked at. */
#define FEW_USERS 60

/* Users who try whether known items should be drawn: at most so many, and this part of all. */
#define WITNESSES 3000
#define WITNESS_PART 3
#define WITNESS_STREAM 92

/* Standard errors that their lists have to be better by. */
#define LEAST_ERRORS 1.0

/* Steps of conjugate gradients of the map of two thirds: nearly solved. */
#define STEPS 30
#define TOLERANCE 1e-2

/* The trial: copies of what is solved, and the rows that it is solved from. */
typedef struct MapTrial
{
	Training   *training;
	MfHeldOut	held;
	MfProblem	problem;
	MfFactors	factors;
	MfAls	   *als;
	float	   *prior;			/* nitems x ld: what a map makes of the items */
	bool	   *sampled;		/* nusers: whether in the sample */
	int64	   *start;			/* of a part of the rows: its rows + 1 */
	int64		rows;			/* that there is room for */
	MfMatrix	part;			/* its cells */
	int64		cells;			/* that there is room for */

	/* where users are on other nodes: those of the sample are solved here */
	MfProblem	sample_problem;
	MfFactors	sample_factors;
	MfAls	   *sample_als;
	float	   *sample_start;	/* their vectors in the training */
} MapTrial;

/* Holds a third of the items out of the users' lists. */
static void
HoldItemsOut(MapTrial *trial, const UserSample *sample)
{
	Training   *t = trial->training;
	ItemMap    *map = t->map;
	MfArena		arena = {NULL, 0};

	trial->held = (MfHeldOut) {.parallel = &t->parallel,.factors = t->problem.factors,.nusers = sample->count,
		.user = sample->vector,.nitems = map->matrix.nitems};
	mf_held_out_lay_out(&trial->held, &arena, sample->items.start[sample->count]);
	arena = (MfArena) {AlignedArray(arena.used, 1), 0};
	mf_held_out_lay_out(&trial->held, &arena, sample->items.start[sample->count]);
	mf_held_out_choose(&trial->held, map->weight, &sample->items, 0);
}

/* trial->prior: what a map makes of all items that was fitted to the trial's vectors of those not held out. */
static void
FitTrialMap(MapTrial *trial)
{
	Training   *t = trial->training;
	ItemMap    *map = t->map;
	int64		n = map->matrix.nitems;
	int64		ld = mf_padded(t->problem.factors);
	float	   *weight = HugeArray(n, sizeof(float));
	float	   *b = AlignedZeroArray(map->matrix.nfeatures * ld, sizeof(float));
	MfMapFit	fit = {.matrix = &map->matrix,.parallel = &t->parallel,.scale = map->scale,.weight = weight,
		.ridge = 1,.factors = mf_map_columns(t->problem.factors),.steps = STEPS,.tolerance = TOLERANCE};

	for (int64 i = 0; i < n; i++)
		weight[i] = mf_item_third(i) == 0 ? 0 : map->weight[i];
	trial->prior = AlignedZeroArray(n * ld, sizeof(float));
	CheckCore(mf_map_fit(&fit, trial->factors.interest, b, map->workspace));
	CheckCore(mf_map_apply(&fit, b, trial->prior));
}

/* Copies of what users and items have, which the trial may change. */
static void
CopyFactors(MapTrial *trial)
{
	Training   *t = trial->training;
	int64		n = t->problem.nitems;
	int64		ld = mf_padded(t->problem.factors);

	trial->problem = t->problem;
	trial->factors.user = AlignedArray(t->problem.nusers * ld, sizeof(float));
	trial->factors.interest = AlignedArray(n * ld, sizeof(float));
	if (t->factors.rating)
	{
		trial->factors.user_bias = AlignedArray(t->problem.nusers, sizeof(float));
		trial->factors.rating = AlignedArray(n * ld, sizeof(float));
		trial->factors.item_bias = AlignedArray(n, sizeof(float));
	}
	trial->als = mf_als_init(AlignedZeroArray(mf_als_size(&t->problem, &t->parallel), 1), &trial->problem,
							 &trial->factors, &t->parallel);
}

/* Users and items begin where they stand in the training. */
static void
ResetFactors(MapTrial *trial)
{
	const MfFactors *from = &trial->training->factors;
	MfFactors  *to = &trial->factors;
	int64		nusers = trial->problem.nusers;
	int64		nitems = trial->problem.nitems;
	Size		vector = sizeof(float) * mf_padded(trial->problem.factors);

	memcpy(to->user, from->user, nusers * vector);
	memcpy(to->interest, from->interest, nitems * vector);
	if (from->rating == NULL)
		return;
	memcpy(to->user_bias, from->user_bias, sizeof(float) * nusers);
	memcpy(to->rating, from->rating, nitems * vector);
	memcpy(to->item_bias, from->item_bias, sizeof(float) * nitems);
}

/* Room for a part of so many rows and cells. */
static void
ReservePart(MapTrial *trial, const MfRows *rows, int64 cells)
{
	if (rows->nrows > trial->rows)
	{
		trial->rows = rows->nrows;
		trial->start = HugeArray(trial->rows + 1, sizeof(int64));
	}
	if (cells <= trial->cells)
		return;
	trial->cells = cells;
	trial->part.column = HugeArray(cells, sizeof(int32));
	trial->part.rating = rows->rating ? HugeArray(cells, sizeof(float)) : NULL;
	trial->part.weight = rows->weight ? HugeArray(cells, sizeof(float)) : NULL;
}

/* Whether a row of a side is solved in the trial: users of the sample, and all items. */
static inline bool
SolvesRow(const MapTrial *trial, MfSide side, int64 row)
{
	return side == MF_ITEMS || trial->sampled[row];
}

/* Whether it is solved from a cell: items have never met the sample, nor the sample those held out. */
static inline bool
KnowsCell(const MapTrial *trial, MfSide side, int32 column)
{
	return side == MF_USERS ? mf_item_third(column) != 0 : !trial->sampled[column];
}

/* The cells of row r that it is solved from, behind the n that there are; returns how many there are then. */
static int64
TakeKnown(MapTrial *trial, MfSide side, const MfRows *rows, int64 r, int64 n)
{
	MfMatrix   *part = &trial->part;

	for (int64 c = rows->start[r]; c < rows->start[r + 1]; c++)
	{
		if (!KnowsCell(trial, side, rows->column[c]))
			continue;
		part->column[n] = rows->column[c];
		if (part->rating)
			part->rating[n] = rows->rating[c];
		if (part->weight)
			part->weight[n] = rows->weight[c];
		n++;
	}
	return n;
}

/* A half-sweep over those rows of a side; the others lose what they have. */
static void
SolveSide(MapTrial *trial, MfSide side)
{
	Ratings    *ratings = trial->training->ratings;
	Cells	   *cells = side == MF_USERS ? &ratings->by_user : &ratings->by_item;
	MfRows		rows;

	CheckCore(mf_als_begin(trial->als, side, false, NULL));
	RewindCells(cells);
	while (NextCells(cells, &rows))
	{
		int64		n = 0;

		ReservePart(trial, &rows, rows.start[rows.nrows] - rows.start[0]);
		for (int64 r = 0; r < rows.nrows; r++)
		{
			trial->start[r] = n;
			if (SolvesRow(trial, side, rows.first + r))
				n = TakeKnown(trial, side, &rows, r, n);
		}
		trial->start[rows.nrows] = n;
		CheckCore(mf_als_rows(trial->als, &(MfRows) {rows.first, rows.nrows, trial->start, trial->part.column,
								  trial->part.rating, trial->part.weight}));
	}
	CheckCore(mf_als_end(trial->als, NULL));
}

/* MfFloats: an array of the trial's. */
static float *
TakeFloats(int64_t n)
{
	return HugeArray(n, sizeof(float));
}

/* For users who are on other nodes: the problem of those of the sample, who are solved here, from items of the trial. */
static void
StateSample(MapTrial *trial, const UserSample *sample)
{
	const Training *t = trial->training;
	MfProblem  *problem = &trial->sample_problem;
	int64		ld = mf_padded(t->problem.factors);

	*problem = t->problem;
	problem->nusers = sample->count;
	mf_objective_regularize(&t->objective, sample->there.likes, t->item_counts, TakeFloats, problem);
	trial->sample_start = AlignedArray(Max(sample->count, 1) * ld, sizeof(float));
	memcpy(trial->sample_start, sample->vector, sizeof(float) * ld * sample->count);
	trial->sample_factors = trial->factors;
	trial->sample_factors.user = AlignedArray(Max(sample->count, 1) * ld, sizeof(float));
	trial->sample_factors.user_bias = t->factors.rating ? AlignedArray(Max(sample->count, 1), sizeof(float)) : NULL;
	trial->sample_als = mf_als_init(AlignedZeroArray(mf_als_size(problem, &t->parallel), 1), problem, &trial->sample_factors,
									&t->parallel);
}

/* A half-sweep over the users of the sample, by the items that are not held out; their vectors become the sample's. */
static void
SolveSample(MapTrial *trial, UserSample *sample)
{
	const MfRows *rows = &sample->there.cells;
	Size		bytes = sizeof(float) * mf_padded(trial->problem.factors) * sample->count;
	int64		n = 0;

	memcpy(trial->sample_factors.user, trial->sample_start, bytes);
	if (trial->sample_factors.user_bias)
		memcpy(trial->sample_factors.user_bias, sample->there.bias, sizeof(float) * sample->count);
	ReservePart(trial, rows, rows->start[sample->count]);
	for (int64 s = 0; s < sample->count; s++)
	{
		trial->start[s] = n;
		n = TakeKnown(trial, MF_USERS, rows, s, n);
	}
	trial->start[sample->count] = n;
	CheckCore(mf_als_begin(trial->sample_als, MF_USERS, false, NULL));
	CheckCore(mf_als_rows(trial->sample_als, &(MfRows) {0, sample->count, trial->start, trial->part.column,
						  trial->part.rating, trial->part.weight}));
	CheckCore(mf_als_end(trial->sample_als, NULL));
	memcpy(sample->vector, trial->sample_factors.user, bytes);
}

/*
 * quality (count of the sample): how good each user's list of the held-out items is, where items are drawn to the map
 * or, if not, to 0, which goes first: the map is fitted to what comes of it.
 */
static void
TryLists(MapTrial *trial, UserSample *sample, bool drawn, double *quality)
{
	Size		vector = sizeof(float) * mf_padded(trial->problem.factors);
	int64		ld = mf_padded(trial->problem.factors);
	double		mean;

	ResetFactors(trial);
	trial->problem.interest_prior = drawn ? trial->prior : NULL;
	if (trial->training->driver)
		(void) SweepItemsBySums(trial->training->driver, &trial->problem, trial->als, trial->training->item_counts, false);
	else
		SolveSide(trial, MF_ITEMS);
	if (!drawn)
		FitTrialMap(trial);
	if (trial->training->driver)
		SolveSample(trial, sample);
	else
	{
		SolveSide(trial, MF_USERS);
		for (int64 s = 0; s < sample->count; s++)
			memcpy(sample->vector + s * ld, trial->factors.user + sample->user[s] * ld, vector);
	}
	for (int64 i = 0; i < trial->problem.nitems; i++)
		if (trial->held.place[i] >= 0)
			memcpy(trial->held.predicted + trial->held.place[i] * ld, trial->factors.interest + i * ld, vector);
	CheckCore(mf_held_out_ndcg(&trial->held, &mean));
	memcpy(quality, trial->held.quality, sizeof(double) * sample->count);
}

/*
 * Whether lists are better with features than without by more than the error of the mean difference, of users who have
 * items held out.
 */
static bool
GainIsSure(const MapTrial *trial, const double *with, const double *without)
{
	const MfHeldOut *held = &trial->held;
	double		sum = 0;
	double		squares = 0;
	double		before = 0;
	double		mean;
	double		error;
	int64		n = 0;

	for (int64 u = 0; u < held->nusers; u++)
	{
		double		gain = with[u] - without[u];

		if (held->start[u + 1] == held->start[u])
			continue;
		sum += gain;
		squares += gain * gain;
		before += without[u];
		n++;
	}
	if (n < 2)
		return false;
	mean = sum / n;
	error = sqrt(Max(squares / n - mean * mean, 0) / (n - 1));
	elog(DEBUG1, "mfrec: lists of known items with features %.4f, without %.4f; difference %.5f, its error %.5f, of " INT64_FORMAT " users",
		 before / n + mean, before / n, mean, error, n);
	return mean > LEAST_ERRORS * error;
}

/*
 * Whether lists of known items are better where items are drawn to the map, whose strengths have been found, than where
 * they are not; by users drawn for that.  The training's factors stay as they are.
 */
static bool
MapHelpsItems(Training *t)
{
	MapTrial	trial = {.training = t};
	UserSample	sample;
	double	   *with;
	double	   *without;

	DrawUsers(t, Min(WITNESSES, TrainedUsers(t) / WITNESS_PART), WITNESS_STREAM, &sample);
	HoldItemsOut(&trial, &sample);
	trial.sampled = HugeZeroArray(t->problem.nusers, sizeof(bool));
	for (int64 s = 0; s < sample.count && !t->driver; s++)
		trial.sampled[sample.user[s]] = true;
	with = HugeArray(sample.count, sizeof(double));
	without = HugeArray(sample.count, sizeof(double));
	CopyFactors(&trial);
	if (t->driver)
	{
		StateSample(&trial, &sample);
		LeaveUsersOutOnNodes(t->driver, sample.user, sample.count);
	}
	TryLists(&trial, &sample, false, without);
	TryLists(&trial, &sample, true, with);
	if (t->driver)
		LeaveUsersOutOnNodes(t->driver, NULL, 0);
	return GainIsSure(&trial, with, without);
}

/* The vectors that say who takes what: s_i, of a model of ratings alone q_i. */
static const float *
ListVectors(const Training *t)
{
	return t->factors.interest ? t->factors.interest : t->factors.rating;
}

/* map->scale, once strengths are known, which are first multiplied by what the objective says. */
static void
SettleStrengths(Training *t)
{
	ItemMap    *map = t->map;

	for (int b = 0; b < map->features->nblocks; b++)
		map->strength[b] *= (float) t->objective.feature_strength;
	mf_strength_scale(&map->matrix, map->strength, map->scale);
}

/*
 * strength (nblocks) of features, by vectors and weights of who has them: how strongly each block is held.  Returns
 * whether any of them says something.
 */
static bool
FindStrengths(Training *t, const Features *features, const MfFeatureMatrix *matrix, const float *vector,
			  const float *weight, const UserSample *sample, float *strength)
{
	MfStrengthSearch search = {.matrix = matrix,.parallel = &t->parallel,.factors = t->problem.factors,
		.vector = vector,.weight = weight,.ridge = 1};
	bool		used = false;
	int			evaluations;

	search.nusers = sample->count;
	search.user = sample->vector;
	search.items = sample->items;
	CheckCore(mf_strength_find(&search, strength, &evaluations, AlignedZeroArray(mf_strength_size(&search), 1)));
	for (int b = 0; b < features->nblocks; b++)
	{
		used |= strength[b] > 0;
		elog(DEBUG1, "mfrec: strength of features \"%s\": lambda %.3g", features->block[b].name, strength[b]);
	}
	elog(DEBUG1, "mfrec: strengths took %d maps", evaluations);
	return used;
}

/* map->strength and scale where there are too few items to find any. */
static void
TakeStrengths(Training *t)
{
	ItemMap    *map = t->map;

	for (int b = 0; b < map->features->nblocks; b++)
		map->strength[b] = STRENGTH;
	SettleStrengths(t);
	map->used = true;
}

/*
 * Finds what t->map is worth, by factors that no features have touched: strengths, whether any of them says something
 * (used), and whether lists of known items are better for it (draws).  Models of ratings alone are not tried: their
 * lists go by predicted ratings, which are the better for what is known of items.
 */
void
TryItemMap(Training *t)
{
	ItemMap    *map = t->map;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec map trial", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	UserSample	sample;

	if (t->problem.nitems < FEW_ITEMS)
		TakeStrengths(t);
	else
	{
		DrawUsers(t, TRIAL_USERS, TRIAL_STREAM, &sample);
		map->used = FindStrengths(t, map->features, &map->matrix, ListVectors(t), map->weight, &sample, map->strength);
		SettleStrengths(t);
		map->draws = map->used && (map->interest == NULL || MapHelpsItems(t));
	}
	map->known = true;
	ScaleItemMap(t);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/*
 * Finds what t->user_map is worth, by factors that no features of users have touched: strengths, by which users of a
 * third an item has, and whether any column says something of users that the map has not seen.  Few users prove
 * nothing: then it is not used.
 */
void
TryUserMap(Training *t)
{
	UserMap    *map = t->user_map;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec map trial", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	UserSample	sample;

	if (t->problem.nusers >= FEW_USERS)
	{
		DrawItems(t, TRIAL_USERS, TRIAL_STREAM, &sample);
		TakeMeanFromUsers(t);
		map->used = FindStrengths(t, map->features, &map->matrix, map->prior, map->weight, &sample, map->strength);
		mf_strength_scale(&map->matrix, map->strength, map->scale);
	}
	map->known = true;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/*
 * A notice of the columns that are switched off, those with a strength (nblocks) of 0, if there are any.  what: they
 * say nothing of it; alike: what follows where no other is left.
 */
static void
NoticeUnused(const Features *features, const float *strength, const char *relation, const char *what, const char *alike)
{
	StringInfoData unused;
	int			count = 0;

	initStringInfo(&unused);
	for (int b = 0; b < features->nblocks; b++)
		if (strength[b] == 0)
			appendStringInfo(&unused, "%s%s", count++ ? ", " : "", features->block[b].name);
	if (count > 0)
		ereport(NOTICE,
				(errmsg("columns of \"%s\" that say nothing of %s are not used: %s", relation, what, unused.data),
				 count < features->nblocks ? 0 : errdetail("None is left: %s.", alike)));
	pfree(unused.data);
}

/* Notices of what a training by attributes of the relations of these names has found them to be worth. */
void
NoticeMaps(const Training *t, const char *items, const char *users)
{
	const ItemMap *map = t->map;

	if (map && map->known)
		NoticeUnused(map->features, map->strength, items, "who takes which items", "items without ratings are all alike");
	if (map && map->used && !map->draws && t->problem.nitems >= FEW_ITEMS)
		ereport(NOTICE,
				(errmsg("items with ratings are not drawn to what \"%s\" says of them", items),
				 errdetail("Lists of them were no better for it, so it is for items without ratings alone."),
				 errhint("Rows of more users, or columns that say more of what they take, may change that.")));
	if (t->user_map && t->user_map->known && t->problem.nusers >= FEW_USERS)
		NoticeUnused(t->user_map->features, t->user_map->strength, users, "what users take", "users without ratings have no profile");
}

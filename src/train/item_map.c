/*
 * item_map.c - the map from items' features to their factors, which a training learns beside them.
 *
 * Items are drawn to what the map makes of their features rather than to 0: an item with many ratings outvotes it, one
 * with few follows it, and one without is it.  (With one weight for each item that is the regression of Agarwal and
 * Chen, "Regression-based latent factor models", 2009; with weights that grow with ratings popular items would decide
 * about all others.)  The map of s_i is B = argmin sum_i |s_i - B' g_i|^2 + |B|^2 over the items with ratings, that of
 * q_i weighs them by t_i; it follows the items by some steps of conjugate gradients after each of their half-sweeps.
 *
 * The first iterations do without.  Then it is found how strongly each block of features, a column of the relation, is
 * held: by how well a map fitted to two thirds of the items predicts who took those of the third.  Columns that say
 * nothing are switched off; where none says anything, or lists of known items are no better for it (map_trial.c), items
 * are drawn to 0 as without features, and the map is for cold ones alone.
 *
 * Since the map is fitted for itself, the loss can rise a little.
 */
#include "postgres.h"

#include <math.h>

#include "core/features/exposure.h"
#include "core/predict/predict.h"
#include "distributed/driver.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "train/item_map.h"

/* Steps of conjugate gradients after a half-sweep, which go on from those before. */
#define STEPS 2
#define TOLERANCE 1e-3

/* The same where there were none before. */
#define LAST_STEPS 30

/* Floats of a vector, from one to the next. */
static int64
Stride(const MfProblem *problem)
{
	return mf_padded(problem->factors);
}

/* MfPasses: begins to read cells anew. */
static MfError
RewindPass(void *state)
{
	RewindCells(state);
	return MF_OK;
}

/* The same of cells of which columns alone are of interest: there are no weights. */
static MfError
RewindColumnPass(void *state)
{
	RewindColumns(state);
	return MF_OK;
}

/* MfPasses: the next part of cells. */
static bool
NextPass(void *state, MfRows *rows)
{
	return NextCells(state, rows);
}

/*
 * Allocates the maps of the parts that the problem has; items without ratings, if only because theirs are held out,
 * count nothing.
 */
static void
AllocateMap(ItemMap *map, const MfProblem *problem, const int32 *counts)
{
	int64		ld = Stride(problem);
	int64		nfeatures = map->features->nfeatures;
	int64		nitems = map->features->nitems;

	map->weight = HugeZeroArray(nitems, sizeof(float));
	for (int64 i = 0; i < problem->nitems; i++)
		map->weight[i] = counts[i] > 0 ? 1 : 0;
	if (problem->interest_regularization)
	{
		map->interest = AlignedZeroArray(nfeatures * ld, sizeof(float));
		map->interest_prior = AlignedZeroArray(nitems * ld, sizeof(float));
	}
	if (problem->rating_regularization == NULL)
		return;
	map->rating = AlignedZeroArray(nfeatures * ld, sizeof(float));
	map->rating_prior = AlignedZeroArray(nitems * ld, sizeof(float));
	map->bias = AlignedZeroArray(nfeatures, sizeof(float));
	map->bias_prior = AlignedZeroArray(nitems, sizeof(float));
	map->rating_weight = HugeZeroArray(nitems, sizeof(float));
	for (int64 i = 0; i < problem->nitems; i++)
		map->rating_weight[i] = counts[i] > 0 ? problem->rating_regularization[i] : 0;
}

/* *matrix: the features as the core reads them. */
void
MatrixOfFeatures(Features *features, MfFeatureMatrix *matrix)
{
	*matrix = (MfFeatureMatrix) {
		.nitems = features->nitems,
		.nfeatures = features->nfeatures,
		.by_item = {&features->by_item, RewindPass, NextPass},
		.by_feature = {&features->by_feature, RewindPass, NextPass},
		.nblocks = features->nblocks,
		.block_start = features->block_start,
		.ncells = features->by_item.start[features->nitems]
	};
}

/* t->map: nothing yet, for t->features; the problem is stated. */
void
CreateItemMap(Training *t)
{
	ItemMap    *map = palloc0(sizeof(ItemMap));
	Features   *features = t->features;

	map->features = features;
	MatrixOfFeatures(features, &map->matrix);
	map->strength = palloc0(sizeof(float) * features->nblocks);
	map->scale = HugeZeroArray(features->nfeatures, sizeof(float));
	map->shift = AlignedZeroArray(Stride(&t->problem), sizeof(float));
	AllocateMap(map, &t->problem, t->item_counts);
	map->workspace = AlignedZeroArray(mf_map_size(features->nitems, features->nfeatures,
												  mf_map_columns(t->problem.factors), &t->parallel), 1);
	t->map = map;
}

/* Brings a part of a map that was taken over, `columns` floats a feature, into the unit of the scale. */
static void
DivideByScale(const ItemMap *map, float *part, int64 columns)
{
	for (int32 f = 0; part && f < map->matrix.nfeatures; f++)
		for (int64 k = f * columns; k < (f + 1) * columns; k++)
			part[k] = map->scale[f] > 0 ? part[k] / map->scale[f] : 0;
}

/* Once strengths are known: brings maps that were taken over into the unit of the scale that goes by them. */
void
ScaleItemMap(const Training *t)
{
	const ItemMap *map = t->map;

	DivideByScale(map, map->interest, Stride(&t->problem));
	DivideByScale(map, map->rating, Stride(&t->problem));
	DivideByScale(map, map->bias, 1);
}

/* Brings one map (F x columns) and what it makes of the items up to date with y. */
static void
FitPart(Training *t, int steps, const float *weight, double ridge, int columns, const float *y, float *b, float *prior)
{
	ItemMap    *map = t->map;
	MfMapFit	fit = {.matrix = &map->matrix,.parallel = &t->parallel,.scale = map->scale,.weight = weight,
		.ridge = (float) ridge,.factors = columns,.steps = steps,.tolerance = TOLERANCE};

	CheckCore(mf_map_fit(&fit, y, b, map->workspace));
	CheckCore(mf_map_apply(&fit, b, prior));
}

/*
 * Brings the maps of all parts up to date with the items, by so many steps of conjugate gradients from where they were.
 */
static void
FitMap(Training *t, int steps)
{
	ItemMap    *map = t->map;
	const MfObjective *objective = &t->objective;
	int			columns = mf_map_columns(t->problem.factors);

	if (map->interest)
		FitPart(t, steps, map->weight, 1, columns, t->factors.interest, map->interest, map->interest_prior);
	if (map->rating == NULL)
		return;
	FitPart(t, steps, map->rating_weight, Max(objective->regularization * objective->rating_regularization, 1e-6), columns,
			t->factors.rating, map->rating, map->rating_prior);
	FitPart(t, steps, map->weight, 1, 1, t->factors.item_bias, map->bias, map->bias_prior);
}

/* Has the problem draw items without ratings to 0: to users they are not there, and cold when the training is done. */
static void
LeaveOutUnrated(Training *t)
{
	const ItemMap *map = t->map;
	int64		ld = Stride(&t->problem);

	for (int64 i = 0; i < t->problem.nitems; i++)
	{
		if (t->item_counts[i] > 0)
			continue;
		if (map->interest)
			memset(map->interest_prior + i * ld, 0, sizeof(float) * ld);
		if (map->rating == NULL)
			continue;
		memset(map->rating_prior + i * ld, 0, sizeof(float) * ld);
		map->bias_prior[i] = 0;
	}
}

/* After a half-sweep of items: lets the map follow them, and has the next half-sweep draw them to it. */
void
FollowItems(Training *t)
{
	const ItemMap *map = t->map;

	FitMap(t, STEPS);
	LeaveOutUnrated(t);
	t->problem.interest_prior = map->interest_prior;
	t->problem.rating_prior = map->rating_prior;
	t->problem.bias_prior = map->bias_prior;
}

/* Reads the users of the sample by which the shift is found from their nodes: for *fit. */
static void
SampleUsersThere(Training *t, MfExposureFit *fit, Cells *cells)
{
	int64		n = mf_exposure_users(fit->map.matrix->nitems, fit->ncells);
	int64	   *cell = HugeArray(n, sizeof(int64));
	int64	   *places = HugeArray(n, sizeof(int64));
	UserRows	users;

	for (int64 s = 0; s < n; s++)
		cell[s] = mf_exposure_cell(s, n, fit->ncells);
	UsersOfCells(t->driver, cell, n, places);
	ReadUsers(t->driver, &t->problem, places, n, true, &users);
	*cells = (Cells) {.nrows = n,.start = unconstify(int64 *, users.cells.start),
	.matrix = {.nrows = n,.start = unconstify(int64 *, users.cells.start),.column = unconstify(int32 *, users.cells.column)}};
	fit->drawn = true;
	fit->nusers = n;
	fit->user = users.vector;
	fit->cells = (MfPasses) {cells, RewindColumnPass, NextPass};
}

/*
 * map->shift, which is added to the interest in cold items, so that lists show them as often as is right: see
 * core/features/exposure.c.
 */
static void
FindShift(Training *t)
{
	ItemMap    *map = t->map;
	int64		n = map->matrix.nitems;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec exposure", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	float	   *vectors = HugeZeroArray(n * Stride(&t->problem), sizeof(float));
	float	   *offsets = HugeZeroArray(n, sizeof(float));
	MfExposureFit fit = {.map = {.matrix = &map->matrix,.parallel = &t->parallel,.scale = map->scale,
		.weight = map->weight,.ridge = 1,.factors = t->problem.factors},.vector = t->factors.interest,.start = map->interest,
		.list_vector = vectors,.list_offset = offsets,.shared = t->problem.shared,.nusers = t->problem.nusers,
		.user = t->factors.user,.ncells = t->ratings->rows,.cells = {&t->ratings->by_user, RewindColumnPass, NextPass}};
	Cells		sample;

	if (t->driver)
		SampleUsersThere(t, &fit, &sample);
	mf_list_vectors(&t->objective, &t->factors, t->item_counts, t->item_trends, n, vectors, offsets);
	CheckCore(mf_exposure_find(&fit, map->shift, AlignedZeroArray(mf_exposure_size(&fit), 1)));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* Adds the shift to the interest in cold items of which the map knows something. */
static void
ShiftCold(const Training *t)
{
	int64		ld = Stride(&t->problem);

	for (int64 i = 0; i < t->nitems; i++)
		if (t->item_counts[i] == 0)
			mf_shift_cold(t->factors.interest + i * ld, 1, t->map->shift, (int) ld);
}

/*
 * Gives items without ratings what the map makes of them; width: floats of each.  They stand behind those with ratings,
 * but for items of which all rows are held out.
 */
static void
CopyCold(const Training *t, float *to, const float *prior, int64 width)
{
	for (int64 i = 0; to && i < t->nitems; i++)
		if (t->item_counts[i] == 0)
			memcpy(to + i * width, prior + i * width, sizeof(float) * width);
}

/* The last of a training's iterations is done: gives cold items the vectors that the map makes of their features. */
void
MakeColdItems(Training *t)
{
	ItemMap    *map = t->map;

	if (map->used)
	{
		/* the best iteration may not be the last one, or there was no map to go on from */
		FitMap(t, map->draws ? STEPS : LAST_STEPS);
	}
	CopyCold(t, t->factors.interest, map->interest_prior, Stride(&t->problem));
	CopyCold(t, t->factors.rating, map->rating_prior, Stride(&t->problem));
	CopyCold(t, t->factors.item_bias, map->bias_prior, 1);
	if (map->used && map->interest)
	{
		FindShift(t);
		ShiftCold(t);
	}
}

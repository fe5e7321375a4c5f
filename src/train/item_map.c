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
 * nothing are switched off; where none says anything, items are drawn to 0 as without features.
 *
 * Since the map is fitted for itself, the loss can rise a little.
 */
#include "postgres.h"

#include <math.h>

#include "core/base/rng.h"
#include "core/features/exposure.h"
#include "core/features/strength.h"
#include "core/linalg/gram.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "train/item_map.h"

/* The map begins after so many iterations: before, factors are too rough to tell what features say. */
#define FIRST_ITERATION 3

/* Steps of conjugate gradients after a half-sweep, which go on from those before. */
#define STEPS 2
#define TOLERANCE 1e-3

/* Users whose lists say how strongly blocks are held, and the stream of numbers that they are drawn by. */
#define STRENGTH_USERS 1000
#define SAMPLE_STREAM 91

/* Floats of a vector, from one to the next. */
static int64
Stride(const MfProblem *problem)
{
	return mf_padded(problem->factors);
}

/* Bytes of a map and what comes with it, the cells of its features apart. */
int64
ItemMapBytes(const MfProblem *problem, const Features *features, const MfParallel *parallel)
{
	int			parts = (problem->has_rating ? 1 : 0) + (problem->has_interest ? 1 : 0);
	int64		vectors = features->nfeatures + 2 * features->nitems - problem->nitems;

	return parts * vectors * Stride(problem) * sizeof(float) +
		mf_map_size(features->nitems, features->nfeatures, mf_map_columns(problem->factors), parallel);
}

/* MfPasses: begins to read cells anew. */
static MfError
RewindPass(void *state)
{
	RewindCells(state);
	return MF_OK;
}

/* The same of cells of which columns alone are of interest. */
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

/* Allocates the maps of the parts that the problem has. */
static void
AllocateMap(ItemMap *map, const MfProblem *problem)
{
	int64		ld = Stride(problem);
	int64		nfeatures = map->features->nfeatures;
	int64		nitems = map->features->nitems;

	map->weight = HugeZeroArray(nitems, sizeof(float));
	for (int64 i = 0; i < problem->nitems; i++)
		map->weight[i] = 1;
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
	memcpy(map->rating_weight, problem->rating_regularization, sizeof(float) * problem->nitems);
}

/* t->map: nothing yet, for t->features; the problem is stated. */
void
CreateItemMap(Training *t)
{
	ItemMap    *map = palloc0(sizeof(ItemMap));
	Features   *features = t->features;

	map->features = features;
	map->matrix.nitems = features->nitems;
	map->matrix.nfeatures = features->nfeatures;
	map->matrix.by_item = (MfPasses) {&features->by_item, RewindPass, NextPass};
	map->matrix.by_feature = (MfPasses) {&features->by_feature, RewindPass, NextPass};
	map->matrix.nblocks = features->nblocks;
	map->matrix.block_start = features->block_start;
	map->strength = palloc0(sizeof(float) * features->nblocks);
	map->scale = HugeZeroArray(features->nfeatures, sizeof(float));
	map->gamma = 1;
	AllocateMap(map, &t->problem);
	map->workspace = AlignedZeroArray(mf_map_size(features->nitems, features->nfeatures,
												  mf_map_columns(t->problem.factors), &t->parallel), 1);
	t->map = map;
}

/* The vectors that say who takes what: s_i, of a model of ratings alone q_i. */
static const float *
ListVectors(const Training *t)
{
	return t->factors.interest ? t->factors.interest : t->factors.rating;
}

/* Users and their items for the search of strengths: vectors side by side, and rows of items. */
typedef struct UserSample
{
	int64		count;
	int64	   *user;
	float	   *vector;			/* count x ld */
	int64	   *start;			/* count + 1 */
	int32	   *column;
} UserSample;

/* Draws about STRENGTH_USERS users, or takes all, and copies their vectors. */
static void
DrawUsers(const Training *t, UserSample *sample)
{
	int64		ld = Stride(&t->problem);
	int64		nusers = t->problem.nusers;
	double		share = (double) STRENGTH_USERS / nusers;

	sample->user = HugeArray(nusers, sizeof(int64));
	for (int64 u = 0; u < nusers; u++)
		if (mf_random_uniform((uint64) t->options.seed + SAMPLE_STREAM, u) < share)
			sample->user[sample->count++] = u;
	sample->vector = AlignedArray(sample->count * ld, sizeof(float));
	for (int64 s = 0; s < sample->count; s++)
		memcpy(sample->vector + s * ld, t->factors.user + sample->user[s] * ld, sizeof(float) * ld);
}

/* Copies the sampled users' items. */
static void
CopyItemsOfUsers(Training *t, UserSample *sample)
{
	Cells	   *cells = &t->ratings->by_user;
	MfRows		rows;
	int64		s = 0;

	sample->start = HugeArray(sample->count + 1, sizeof(int64));
	sample->start[0] = 0;
	for (int64 k = 0; k < sample->count; k++)
		sample->start[k + 1] = sample->start[k] + cells->start[sample->user[k] + 1] - cells->start[sample->user[k]];
	sample->column = HugeArray(sample->start[sample->count], sizeof(int32));
	RewindColumns(cells);
	while (s < sample->count && NextCells(cells, &rows))
		for (; s < sample->count && sample->user[s] < rows.first + rows.nrows; s++)
			memcpy(sample->column + sample->start[s], rows.column + rows.start[sample->user[s] - rows.first],
				   sizeof(int32) * (sample->start[s + 1] - sample->start[s]));
}

/* Finds how strongly each block is held, by factors that have not seen any features. */
static void
FindStrengths(Training *t)
{
	ItemMap    *map = t->map;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec strengths", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	UserSample	sample = {0};
	MfStrengthSearch search = {.matrix = &map->matrix,.parallel = &t->parallel,.factors = t->problem.factors,
		.vector = ListVectors(t),.weight = map->weight,.ridge = 1};
	int			evaluations;

	DrawUsers(t, &sample);
	CopyItemsOfUsers(t, &sample);
	search.nusers = sample.count;
	search.user = sample.vector;
	search.items = (MfRows) {0, sample.count, sample.start, sample.column, NULL, NULL};
	CheckCore(mf_strength_find(&search, map->strength, &evaluations, AlignedZeroArray(mf_strength_size(&search), 1)));
	mf_strength_scale(&map->matrix, map->strength, map->scale);
	for (int b = 0; b < map->features->nblocks; b++)
	{
		map->used |= map->strength[b] > 0;
		elog(DEBUG1, "mfrec: strength of features \"%s\": lambda %.3g", map->features->block[b].name, map->strength[b]);
	}
	elog(DEBUG1, "mfrec: strengths took %d maps", evaluations);
	map->known = true;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* Brings one map (F x columns) and what it makes of the items up to date with y. */
static void
FitPart(Training *t, const float *weight, double ridge, int columns, const float *y, float *b, float *prior)
{
	ItemMap    *map = t->map;
	MfMapFit	fit = {.matrix = &map->matrix,.parallel = &t->parallel,.scale = map->scale,.weight = weight,
		.ridge = (float) ridge,.factors = columns,.steps = STEPS,.tolerance = TOLERANCE};

	CheckCore(mf_map_fit(&fit, y, b, map->workspace));
	CheckCore(mf_map_apply(&fit, b, prior));
}

/* Brings the maps of all parts up to date with the items. */
static void
FitMap(Training *t)
{
	ItemMap    *map = t->map;
	const MfObjective *objective = &t->objective;
	int			columns = mf_map_columns(t->problem.factors);

	if (map->interest)
		FitPart(t, map->weight, 1, columns, t->factors.interest, map->interest, map->interest_prior);
	if (map->rating == NULL)
		return;
	FitPart(t, map->rating_weight, Max(objective->regularization * objective->rating_regularization, 1e-6), columns,
			t->factors.rating, map->rating, map->rating_prior);
	FitPart(t, map->weight, 1, 1, t->factors.item_bias, map->bias, map->bias_prior);
}

/*
 * After a half-sweep of items: finds strengths where it is time, lets the map follow the items, and has the next
 * half-sweep draw them to it.
 */
void
FollowItems(Training *t)
{
	ItemMap    *map = t->map;

	if (t->iterations < FIRST_ITERATION)
		return;
	if (!map->known)
		FindStrengths(t);
	if (!map->used)
		return;
	FitMap(t);
	t->problem.interest_prior = map->interest_prior;
	t->problem.rating_prior = map->rating_prior;
	t->problem.bias_prior = map->bias_prior;
}

/*
 * map->gamma, by which interest in cold items is multiplied: between 1, which ranks them best among themselves, and
 * what gives them the share of lists that is theirs; see core/features/exposure.c.
 */
static void
FindGamma(Training *t)
{
	ItemMap    *map = t->map;
	int			d = t->problem.factors;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec exposure", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	double	   *gram = HugeZeroArray((int64) d * d, sizeof(double));
	MfExposureFit fit = {.map = {.matrix = &map->matrix,.parallel = &t->parallel,.scale = map->scale,
		.weight = map->weight,.ridge = 1,.factors = d},.vector = t->factors.interest,.start = map->interest,
		.nusers = t->problem.nusers,.user = t->factors.user,.gram = gram,.cells = {&t->ratings->by_user, RewindColumnPass, NextPass},
		.alpha = t->problem.alpha,.unobserved = t->problem.unobserved};
	double		gamma;

	CheckCore(mf_gram_sums(&t->parallel, t->factors.user, (int) Stride(&t->problem), t->problem.nusers, d, NULL, gram,
						   AlignedZeroArray(mf_gram_sums_size(d), 1)));
	CheckCore(mf_exposure_find(&fit, AlignedZeroArray(map->matrix.nitems * Stride(&t->problem), sizeof(float)), &gamma,
							   AlignedZeroArray(mf_exposure_size(&fit), 1)));
	map->gamma = sqrt(gamma);
	elog(DEBUG1, "mfrec: interest in cold items is multiplied by %.3f", map->gamma);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* Copies what the map makes of cold items, times a factor, behind the items with ratings; width: floats of each. */
static void
CopyCold(const Training *t, float *to, const float *prior, double factor, int64 width)
{
	for (int64 k = t->problem.nitems * width; to && k < t->map->matrix.nitems * width; k++)
		to[k] = (float) (factor * prior[k]);
}

/* The last of a training's iterations is done: gives cold items the vectors that the map makes of their features. */
void
MakeColdItems(Training *t)
{
	ItemMap    *map = t->map;

	if (!map->known)
		FindStrengths(t);
	if (map->used)
	{
		FitMap(t);				/* the best iteration may not be the last one */
		if (map->interest)
			FindGamma(t);
	}
	CopyCold(t, t->factors.interest, map->interest_prior, map->gamma, Stride(&t->problem));
	CopyCold(t, t->factors.rating, map->rating_prior, 1, Stride(&t->problem));
	CopyCold(t, t->factors.item_bias, map->bias_prior, 1, 1);
}

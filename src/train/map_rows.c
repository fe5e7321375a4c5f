/*
 * map_rows.c - the map from features to factors as rows of a model's table: stored, and taken over by the next
 * training.
 *
 * A row is what one unit of a feature adds to an item's, or a user's, vector.  The training has it in another unit, for
 * it multiplies cells by the scale of their block first; so a row is the training's times the scale.  Features of
 * blocks that are not used add nothing, and have no row.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "model/factor_rows.h"
#include "pg/alloc.h"
#include "train/item_map.h"
#include "train/user_map.h"

/* Rows on their way out; of users the vector alone. */
typedef struct Making
{
	const Features *features;
	const float *scale;
	int			factors;
	const float *vectors;		/* F x ld */
	const float *rating_vectors;	/* F x ld; NULL: they have none */
	const float *bias;			/* F; NULL likewise */
	int32	   *feature;		/* of each row */
	int32	   *block;			/* of each feature */
	float	   *vector;			/* of the row at hand: d floats */
	float	   *rating_vector;	/* likewise */
} Making;

/* out: what one unit of a feature adds, by a part of the map; d floats, none of them too small for SQL. */
static void
ScaleRow(const Making *making, const float *part, int32 feature, float *out)
{
	const float *row = part + (int64) feature * mf_padded(making->factors);

	for (int k = 0; k < making->factors; k++)
	{
		out[k] = making->scale[feature] * row[k];
		if (fabsf(out[k]) < TINY_FACTOR)
			out[k] = 0;
	}
}

/* FeatureRows: makes a row. */
static void
MakeRow(void *state, int64 number, FeatureRow *row)
{
	Making	   *making = state;
	const Features *features = making->features;
	int32		f = making->feature[number];
	const FeatureColumn *block = &features->block[making->block[f]];
	const FeatureWeight *weight = &features->weight[f];

	ScaleRow(making, making->vectors, f, making->vector);
	if (making->rating_vectors)
		ScaleRow(making, making->rating_vectors, f, making->rating_vector);
	*row = (FeatureRow) {
		.feature = features->names[f],
		.items = weight->items,
		.factors = making->factors,
		.vector = making->vector,
		.rating_vector = making->rating_vectors ? making->rating_vector : NULL,
		.bias = making->bias ? making->scale[f] * making->bias[f] : 0,
		.attribute = block->name,
		.taken_as = block->taken_as,
		.weight = weight->weight,
		.mean = weight->mean,
		.deviation = weight->deviation
	};
}

/*
 * *rows: those of a map of which the vectors are known, in the order of features; they live in the current memory
 * context.
 */
static void
MakeRows(const Making *map, const char *side, FeatureRows *rows)
{
	const Features *features = map->features;
	Making	   *making = palloc(sizeof(Making));

	*making = *map;
	making->feature = HugeArray(features->nfeatures, sizeof(int32));
	making->block = HugeArray(features->nfeatures, sizeof(int32));
	making->vector = palloc(sizeof(float) * making->factors);
	making->rating_vector = palloc(sizeof(float) * making->factors);
	*rows = (FeatureRows) {.side = side,.make = MakeRow,.state = making};
	for (int b = 0; b < features->nblocks; b++)
		for (int32 f = features->block_start[b]; f < features->block_start[b + 1]; f++)
		{
			making->block[f] = b;
			if (making->scale[f] > 0)
				making->feature[rows->count++] = f;
		}
}

/* *rows: those of the training's map of items. */
void
MapRows(const Training *t, FeatureRows *rows)
{
	const ItemMap *map = t->map;
	Making		making = {.features = map->features,.scale = map->scale,.factors = t->problem.factors,
		.vectors = map->interest ? map->interest : map->rating,.rating_vectors = map->interest ? map->rating : NULL,
		.bias = map->bias};

	MakeRows(&making, ITEM_SIDE, rows);
}

/* *rows: those of its map of users, which has no part of ratings. */
void
UserMapRows(const Training *t, FeatureRows *rows)
{
	const UserMap *map = t->user_map;
	Making		making = {.features = map->features,.scale = map->scale,.factors = t->problem.factors,.vectors = map->map};

	MakeRows(&making, USER_SIDE, rows);
}

/* The names of the columns of features, in the current memory context. */
static const char **
ColumnNames(const Features *features)
{
	const char **names = palloc(sizeof(char *) * features->nblocks);

	for (int b = 0; b < features->nblocks; b++)
		names[b] = features->block[b].name;
	return names;
}

/* *summary: what a version's parameters say of the training's map; it lives in the current memory context. */
void
MapParameters(const Training *t, const char *text_configuration, MapSummary *summary)
{
	const Features *features = t->map->features;

	*summary = (MapSummary) {t->map->shift, text_configuration, features->nblocks, ColumnNames(features), t->map->strength,
	t->map->draws};
}

/* The same of the map of users. */
void
UserMapParameters(const Training *t, const char *text_configuration, MapSummary *summary)
{
	const Features *features = t->user_map->features;

	*summary = (MapSummary) {NULL, text_configuration, features->nblocks, ColumnNames(features), t->user_map->strength, false};
}

/* Rows of the version before on their way in. */
typedef struct Taking
{
	Training   *training;
	int32	   *sorted;			/* features by name */
} Taking;

/* For qsort_arg(), of numbers of features: by name. */
static int
CompareNames(const void *a, const void *b, void *names)
{
	CHECK_FOR_INTERRUPTS();
	return strcmp(((char **) names)[*(const int32 *) a], ((char **) names)[*(const int32 *) b]);
}

/* The feature of a name; -1 where there is none now. */
static int32
FindFeature(const Taking *taking, const char *name)
{
	const Features *features = taking->training->map->features;
	int32		low = 0;
	int32		high = features->nfeatures;

	while (low < high)
	{
		int32		middle = low + (high - low) / 2;
		int			order = strcmp(name, features->names[taking->sorted[middle]]);

		if (order == 0)
			return taking->sorted[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

/* FeatureRowFunction: as of items, of what the version before has of one part there may be less to take over. */
static void
TakeRow(void *state, const FeatureRow *row)
{
	const Taking *taking = state;
	Training   *t = taking->training;
	ItemMap    *map = t->map;
	int32		f = FindFeature(taking, row->feature);
	int64		at = (int64) f * mf_padded(t->problem.factors);
	const float *rating_vector = map->interest ? row->rating_vector : row->vector;

	if (f < 0 || row->factors != t->problem.factors)
		return;
	if (map->interest)
		memcpy(map->interest + at, row->vector, sizeof(float) * row->factors);
	if (map->rating && rating_vector)
	{
		memcpy(map->rating + at, rating_vector, sizeof(float) * row->factors);
		map->bias[f] = row->bias;
	}
}

/*
 * Starts the training's map where that of a version was, as far as there are features of the same names.  Values are as
 * they are stored until the training knows the scale: see ScaleItemMap().
 */
void
TakeMap(Training *t, Oid relid, int32 version)
{
	const Features *features = t->map->features;
	Taking		taking = {.training = t,.sorted = HugeArray(features->nfeatures, sizeof(int32))};

	for (int32 f = 0; f < features->nfeatures; f++)
		taking.sorted[f] = f;
	qsort_arg(taking.sorted, features->nfeatures, sizeof(int32), CompareNames, features->names);
	ReadFeatureRows(relid, version, ITEM_SIDE, (Datum) 0, TakeRow, &taking);
	pfree(taking.sorted);
}

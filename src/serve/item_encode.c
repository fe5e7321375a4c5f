/*
 * item_encode.c - vectors of items, or of users, that came after the training, from their attributes.
 *
 * The training has left what each feature adds to an item's vector in a table.  So an item without ratings gets the
 * vector that it would have got from the training, had its row been there: the sum of what its features add, and in the
 * interest part what all cold items have (core/features/exposure.c).  Words and categories that the training has not
 * met add nothing.  Of users it is what moves them from the mean user, to which nothing but features adds.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/als/problem.h"
#include "core/base/narrow.h"
#include "features/feature_arguments.h"
#include "features/item_values.h"
#include "ids/id_growth.h"
#include "model/factor_rows.h"
#include "model/feature_table.h"
#include "model/model_acl.h"
#include "model/objective_json.h"
#include "pg/alloc.h"
#include "pg/json.h"
#include "serve/item_encode.h"
#include "source/source_columns.h"

/* More features than this are read as a whole table rather than by name. */
#define FEW_FEATURES 1000

/*
 * Opens the relation of a side's attributes that a model was trained with last, to be read again, by the configuration
 * of text search of a version's parameters; ids are of type `items`.  False where there is none, it has gone, is not
 * for the current user, or has become of items of another type.  An error where it has no key any more.  It stays
 * locked until the end of the transaction.
 */
bool
OpenAttributes(FeatureSource *source, const FeatureSide *side, const Model *model, Jsonb *parameters, const IdType *items)
{
	FeatureArguments arguments;
	SourceColumns columns;
	Oid			relation;

	FeatureArgumentsFromJson(&arguments, side, model->parameters);
	if (!HasFeatures(&arguments))
		return false;
	relation = FindFeatures(&arguments);
	if (!OidIsValid(relation) || !MayReadRelation(relation))
		return false;
	SourceColumnsFromJson(&columns, model->parameters);
	ReopenFeatures(source, &arguments, relation, side == &item_side ? columns.item : columns.user,
				   JsonString(parameters, "text_search_config"));
	return SameIds(&source->key, items);
}

/* Whether a version, by its parameters, goes by attributes of a side. */
static bool
GoesBy(const FeatureSide *side, Jsonb *parameters, const MfObjective *objective)
{
	return side == &item_side ? objective->item_map : JsonHasKey(parameters, "user_feature_strengths");
}

/*
 * Gets ready to encode items, or users, of a version, whose ids are of type `items`.  False where the version does not
 * go by their attributes, or the current user cannot read what they are read from and encoded by: see OpenAttributes().
 */
bool
OpenEncoder(ItemEncoder *encoder, const FeatureSide *side, const Model *model, int32 version, const IdType *items)
{
	Jsonb	   *parameters = VersionParameters(model, version);

	if (parameters == NULL)
		return false;
	ObjectiveFromJson(&encoder->objective, parameters);
	if (!GoesBy(side, parameters, &encoder->objective))
		return false;
	encoder->table = FindFeatureTable(model);
	if (!OidIsValid(encoder->table) || !MayReadRelation(encoder->table) ||
		!OpenAttributes(&encoder->source, side, model, parameters, items))
		return false;
	encoder->version = version;
	encoder->cold_shift = side == &item_side ? ColdShiftFromJson(parameters, mf_dimensions(&encoder->objective)) : NULL;
	return true;
}

/* What one unit of a feature adds; NULL and 0: nothing. */
typedef struct Share
{
	float	   *vector;			/* d floats */
	float	   *rating_vector;	/* likewise */
	float		bias;
} Share;

/* Items on the way to their vectors. */
typedef struct Encoding
{
	const ItemEncoder *encoder;
	DescribedItems described;
	Share	   *share;			/* described.nfeatures */
	const int32 *rank;			/* of items as they were read: their numbers by id; NULL: they are the same */
	EncodedItems *items;
	MemoryContext context;		/* for what is kept of the table's rows */
} Encoding;

/* A copy of d floats; NULL of none. */
static float *
CopyFloats(const float *values, int d)
{
	return values ? memcpy(palloc(sizeof(float) * d), values, sizeof(float) * d) : NULL;
}

/* FeatureRowFunction: takes what the training knows of a feature that one of the items has. */
static void
TakeRow(void *state, const FeatureRow *row)
{
	Encoding   *e = state;
	DescribedItems *described = &e->described;
	MemoryContext old = MemoryContextSwitchTo(e->context);

	for (int i = FirstItemValue(described->feature, described->nfeatures, row->feature);
		 i < described->nfeatures && strcmp(described->feature[i].feature, row->feature) == 0; i++)
		if (row->factors == mf_dimensions(&e->encoder->objective) &&
			KnowValue(&e->encoder->source, &described->feature[i], row->taken_as, row->weight, row->mean, row->deviation))
			e->share[i] = (Share) {CopyFloats(row->vector, row->factors), CopyFloats(row->rating_vector, row->factors), row->bias};
	MemoryContextSwitchTo(old);
}

/* The names of all features, as a text[]; 0 where these are so many that the table is better read as a whole. */
static Datum
FeatureNames(const DescribedItems *described)
{
	return described->nfeatures > FEW_FEATURES ? (Datum) 0 : ItemValueNames(described->feature, described->nfeatures);
}

/* Adds a multiple of d floats, NULL: of zeros, to row `item` of an array. */
static void
AddShare(float *to, int64 item, const float *share, double times, int d)
{
	float	   *row = to + item * mf_padded(d);

	for (int k = 0; share && k < d; k++)
		row[k] += (float) (times * share[k]);
}

/* ItemCellsFunction: adds what features add to an item's vectors. */
static void
AddCells(void *state, int32 item, const ItemValue *values, int count)
{
	Encoding   *e = state;
	EncodedItems *items = e->items;
	const MfObjective *objective = &e->encoder->objective;
	int			d = mf_dimensions(objective);

	if (e->rank)
		item = e->rank[item];
	for (int i = 0; i < count; i++)
	{
		const Share *share = &e->share[values[i].place];

		if (!values[i].known || values[i].cell == 0)
			continue;
		AddShare(items->vectors, item, share->vector, values[i].cell, d);
		if (items->rating_vectors)
			AddShare(items->rating_vectors, item, share->rating_vector, values[i].cell, d);
		items->bias[item] += (float) (values[i].cell * share->bias);
	}
}

/*
 * *items: those of n items, by id, that have a row in the relation, with their vectors, in the current memory context.
 * read_only: see RunQuery().  Errors in rows as in training.
 */
void
EncodeItems(const ItemEncoder *encoder, const int64 *ids, int n, bool read_only, EncodedItems *items)
{
	Encoding	e = {.encoder = encoder,.items = items,.context = CurrentMemoryContext};
	int			ld = mf_padded(mf_dimensions(&encoder->objective));

	memset(items, 0, sizeof(EncodedItems));
	DescribeItems(&e.described, &encoder->source, ids, n, read_only);
	items->ids = e.described.ids;
	n = items->ids->count;
	e.rank = SortIdMap(items->ids);
	e.share = HugeZeroArray(e.described.nfeatures, sizeof(Share));
	items->vectors = HugeZeroArray((int64) n * ld, sizeof(float));
	if (encoder->source.side == &item_side && mf_is_joint(&encoder->objective))
		items->rating_vectors = HugeZeroArray((int64) n * ld, sizeof(float));
	items->bias = HugeZeroArray(n, sizeof(float));
	if (n > 0)
		ReadFeatureRows(encoder->table, encoder->version, encoder->source.side->one, FeatureNames(&e.described), TakeRow, &e);
	MakeCellsOfItems(&e.described, AddCells, &e);
	for (int i = 0; i < n && encoder->cold_shift != NULL; i++)
		mf_shift_cold(items->vectors + (int64) i * ld, 1, encoder->cold_shift, mf_dimensions(&encoder->objective));
	DropTiny(items->vectors, (int64) n * ld);
	DropTiny(items->rating_vectors, (int64) n * ld);
	DropTiny(items->bias, n);
}

/* Rounds the vectors of encoded items as a training rounds those that it stores. */
void
RoundEncodedItems(const ItemEncoder *encoder, EncodedItems *items)
{
	int			d = mf_dimensions(&encoder->objective);

	mf_narrow_round_rows(items->vectors, items->ids->count, d, mf_padded(d));
	mf_narrow_round_rows(items->rating_vectors, items->ids->count, d, mf_padded(d));
	DropTiny(items->vectors, items->ids->count * mf_padded(d));
	DropTiny(items->rating_vectors, items->ids->count * mf_padded(d));
}

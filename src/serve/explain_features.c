/*
 * explain_features.c - which attributes of an item carry its score for a user.
 *
 * An item without ratings is what its features make it: its score is the sum of what they add, and of what is the same
 * for all such items.  An item with ratings is drawn to that point, and has been moved from there by those who rated
 * it; what its features add is what it owes to them all the same, and the rest of its score is its own.
 *
 * Items' features are not stored.  The item's row is read as it is now, and encoded by what the model's table of
 * features says of them.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"
#include "core/linalg/dot.h"
#include "features/feature_arguments.h"
#include "features/item_values.h"
#include "ids/id_growth.h"
#include "model/feature_table.h"
#include "pg/json.h"
#include "serve/explain_features.h"

/* Values of an item on the way to what they add. */
typedef struct Explaining
{
	const FeatureSource *source;
	const MfObjective *objective;
	const float *user;			/* the vector */
	double		interest;		/* what the part of interest counts */
	double		rating;			/* and that of ratings */
	int			count;
	ItemValue  *value;			/* count, by name */
	double	   *pull;			/* count: what one unit adds */
} Explaining;

/* An error for a model, or a version, that does not go by attributes of items. */
static void
CheckGoesByFeatures(const Recommender *r, const FeatureArguments *arguments)
{
	if (!r->image->objective.item_map || !HasFeatures(arguments))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" does not go by attributes of items", r->model->name),
				 errhint("Train it with the argument item_features of mf_train.")));
}

/* Opens the relation of attributes that the model was trained by last; parameters: the version's. */
static void
OpenFeaturesOf(const Recommender *r, Jsonb *parameters, FeatureSource *source)
{
	FeatureArguments arguments;
	FeatureArguments users;
	SourceColumns columns;

	FeatureArgumentsFromJson(&arguments, &item_side, r->model->parameters);
	FeatureArgumentsFromJson(&users, &user_side, r->model->parameters);
	CheckGoesByFeatures(r, &arguments);
	SourceColumnsFromJson(&columns, r->model->parameters);
	OpenFeatures(source, &arguments, &users, columns.item, r->model->name, &r->image->item_type);
	UseTextConfiguration(source, JsonString(parameters, "text_search_config"));
}

/* FeatureRowFunction: what one unit of a feature adds to the score, for the item's values of its name. */
static void
TakeRow(void *state, const FeatureRow *row)
{
	Explaining *e = state;
	const MfObjective *objective = e->objective;
	bool		alone = mf_ratings_alone(objective);
	const float *rating = alone ? row->vector : row->rating_vector;
	double		pull = 0;

	if (row->factors != mf_dimensions(objective))
		return;
	if (!alone)
		pull += e->interest * mf_dot(e->user, row->vector, row->factors);
	if (rating)
		pull += e->rating * (mf_dot(e->user, rating, row->factors) + row->bias);
	for (int i = FirstItemValue(e->value, e->count, row->feature); i < e->count && strcmp(e->value[i].feature, row->feature) == 0; i++)
		if (KnowValue(e->source, &e->value[i], row->taken_as, row->weight, row->mean, row->deviation))
			e->pull[i] = pull;
}

/* How much each part counts in the score of an item: see mf_list_vectors(). */
static void
SetParts(const Recommender *r, const UserState *user, int32 item, Explaining *e)
{
	const MfObjective *objective = e->objective;
	int32		ratings = r->image->counts[item];

	e->interest = ItemRecency(r->image, item);
	e->rating = mf_ratings_alone(objective) ? objective->deviation * user->spread :
		e->interest * mf_item_taste(objective, ratings);
}

/* The largest first, whatever its sign, and of those that are alike by name. */
static int
CompareShares(const void *a, const void *b)
{
	const FeatureShare *x = a;
	const FeatureShare *y = b;
	double		p = fabs(x->contribution);
	double		q = fabs(y->contribution);

	return p != q ? (p < q ? 1 : -1) : strcmp(x->feature, y->feature);
}

/*
 * *shares: the k features of an item that add most to its score for a user, or take most from it, largest first;
 * returns how many.  All of them together are the score of an item without ratings less what all such items have: the
 * user's vector times the shift of cold items, of ratings alone the mean and the user's bias.  Errors where the model
 * does not go by attributes, or what it goes by has gone.
 */
int
ExplainFeatures(Recommender *r, const UserState *user, int32 item, int k, FeatureShare **shares)
{
	FeatureSource source;
	Explaining	e = {.source = &source,.objective = &r->image->objective,.user = user->vector};
	Jsonb	   *parameters;
	Oid			relid;
	int64		id;
	int			count = 0;

	parameters = VersionParameters(r->model, r->version);
	if (parameters == NULL)
		return 0;				/* the image is of a version that this snapshot does not see */
	OpenFeaturesOf(r, parameters, &source);
	relid = ModelFeatureTable(r->model);
	if (!ConvertId(&r->image->item_type, &source.key, IdAt(&r->image->ids, item), &id))
		return 0;
	e.count = ReadItemValues(&source, id, &e.value);
	if (e.count == 0)
		return 0;
	SortItemValues(e.value, e.count);
	e.pull = palloc_extended(sizeof(double) * e.count, MCXT_ALLOC_HUGE);
	SetParts(r, user, item, &e);
	ReadFeatureRows(relid, r->version, ITEM_SIDE, ItemValueNames(e.value, e.count), TakeRow, &e);
	MakeItemCells(e.value, e.count);
	*shares = palloc_extended(sizeof(FeatureShare) * e.count, MCXT_ALLOC_HUGE);
	for (int i = 0; i < e.count; i++)
		if (e.value[i].known && e.value[i].cell != 0)
			(*shares)[count++] = (FeatureShare) {e.value[i].feature, e.value[i].cell * e.pull[i]};
	qsort(*shares, count, sizeof(FeatureShare), CompareShares);
	return Min(k, count);
}

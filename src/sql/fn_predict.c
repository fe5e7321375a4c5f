/*
 * fn_predict.c - SQL functions that answer questions about one item: how a user would rate it, what is
 * like it, and what speaks for it.
 *
 * All go by the vectors of the version that serves, but for mf_explain, which reads the user's current rows
 * from the source: an explanation names rows that are there.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "serve/explain_features.h"
#include "serve/new_items.h"
#include "serve/recommender.h"
#include "serve/similar_items.h"
#include "serve/user_fold_in.h"
#include "sql/args.h"
#include "sql/filter_args.h"
#include "sql/srf.h"

/*
 * mf_predict(user_id, item_id "any" or text, model text): the predicted rating, within the ratings' range; in an
 * implicit model the interest, about 1 yes, about 0 no.  Null for an item that the model does not know, neither by its
 * attributes, and where an id is null; the mean user's answer for a user whom it does not know.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_predict);
Datum
mf_predict(PG_FUNCTION_ARGS)
{
	Recommender r;
	UserState	user;
	NewItems	new;
	double		predicted = NAN;
	int64		id;
	int32		item;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	OpenRecommender(&r, TextArgument(fcinfo, 2), 0);
	id = IdArgument(fcinfo, 1, &r.image->item_type, "item", r.model->name);
	item = FindId(&r.image->ids, id);
	LoadUser(&r, IdArgument(fcinfo, 0, &r.image->user_type, "user", r.model->name), false, &user);
	if (item >= 0)
		predicted = Predict(&r, &user, item);
	else if (FindNewItems(&r, &id, 1, &new))
		predicted = PredictNew(&r, &user, &new, 0);
	CloseRecommender(&r);
	if (isnan(predicted))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT4((float) predicted);
}

/* The argument by of mf_similar_items, which old views call without: whether items are compared by content. */
static bool
ByContentArgument(FunctionCallInfo fcinfo, int n)
{
	const char *by = n < PG_NARGS() ? TextArgument(fcinfo, n) : NULL;

	if (by && strcmp(by, "factors") != 0 && strcmp(by, "content") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("by must be \"factors\" or \"content\", not \"%s\"", by),
				 errhint("factors compares what takers and attributes say of items, content attributes alone.")));
	return by && strcmp(by, "content") == 0;
}

/*
 * mf_similar_items(item_id anyelement or text, k bigint, model text, new_items bool, by text, candidates, exclude
 * anycompatible, per_group bigint, group_table regclass, group_column text, group_id_column text, groups "any"): the
 * k nearest items by cosine, never the item itself, as id in the type of item_id, similarity and rank.  No rows for a
 * null item, or one that the model does not know, neither by its attributes.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_similar_items);
Datum
mf_similar_items(PG_FUNCTION_ARGS)
{
	static const FilterPlaces at = {5, 6, 7};
	int			k = ListLengthArgument(fcinfo, 1, DEFAULT_K);
	Recommender r;
	bool		content = ByContentArgument(fcinfo, 4);
	ListFilter	filter;
	Grouping	grouping;
	TopList		list;

	BeginRows(fcinfo, ROWS_RANKED, ArgumentType(fcinfo, 0));
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	OpenRecommender(&r, TextArgument(fcinfo, 2), 0);
	CheckIdColumn(fcinfo, 0, &r.image->item_type, "item", SAME_TYPE_HINT);
	ReadFilter(fcinfo, &at, r.image, !NewItemsArgument(fcinfo, 3), &filter);
	ReadGroups(fcinfo, &at, r.image, &filter, &grouping);
	MakeSimilarItems(&r, IdArgument(fcinfo, 0, &r.image->item_type, "item", r.model->name), content, &filter, &grouping, k,
					 &list);
	PutItemList(fcinfo, r.image, list.item, list.count, FillRanked, list.score);
	CloseRecommender(&r);
	return (Datum) 0;
}

/* The column of ROWS_EXPLAINED; a FillRow of contributions, one double each. */
static void
FillContribution(const void *contributions, int i, Datum *values, bool *nulls)
{
	(void) nulls;
	values[1] = Float4GetDatum((float) ((const double *) contributions)[i]);
}

/*
 * mf_explain(user_id "any" or text, item_id anyelement or text, k bigint, model text): which of the user's
 * current items carry an item's score, as item_id and contribution, largest first.  No rows where an id is
 * null, the model does not know the item, or the user has no row that it knows.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_explain);
Datum
mf_explain(PG_FUNCTION_ARGS)
{
	int			k = ListLengthArgument(fcinfo, 2, DEFAULT_K);
	Recommender r;
	int32		item;
	int32	   *items = NULL;
	double	   *contributions = NULL;
	int			count = 0;

	BeginRows(fcinfo, ROWS_EXPLAINED, ArgumentType(fcinfo, 1));
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	OpenRecommender(&r, TextArgument(fcinfo, 3), 0);
	CheckIdColumn(fcinfo, 0, &r.image->item_type, "item", SAME_TYPE_HINT);
	item = FindId(&r.image->ids, IdArgument(fcinfo, 1, &r.image->item_type, "item", r.model->name));
	if (item >= 0)
		count = ExplainItem(&r, IdArgument(fcinfo, 0, &r.image->user_type, "user", r.model->name), item, k,
							&items, &contributions);
	PutItemList(fcinfo, r.image, items, count, FillContribution, contributions);
	CloseRecommender(&r);
	return (Datum) 0;
}

/*
 * mf_explain_features(user_id, item_id "any" or text, k bigint, model text): which attributes of an item carry its
 * score for a user, as feature and contribution, the largest first whatever its sign.  The mean user answers for one
 * whom the model does not know.  No rows where an id is null, the model does not know the item, or no attribute says
 * anything.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_explain_features);
Datum
mf_explain_features(PG_FUNCTION_ARGS)
{
	int			k = ListLengthArgument(fcinfo, 2, DEFAULT_K);
	Recommender r;
	UserState	user;
	FeatureShare *shares = NULL;
	int32		item;
	int			count = 0;

	BeginRows(fcinfo, ROWS_OF_FEATURES, TEXTOID);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	OpenRecommender(&r, TextArgument(fcinfo, 3), 0);
	item = FindId(&r.image->ids, IdArgument(fcinfo, 1, &r.image->item_type, "item", r.model->name));
	LoadUser(&r, IdArgument(fcinfo, 0, &r.image->user_type, "user", r.model->name), false, &user);
	if (item >= 0)
		count = ExplainFeatures(&r, &user, item, k, &shares);
	for (int i = 0; i < count; i++)
	{
		Datum		values[2] = {CStringGetTextDatum(shares[i].feature), Float8GetDatum(shares[i].contribution)};
		bool		nulls[2] = {false, false};

		PutRow(fcinfo, values, nulls);
	}
	CloseRecommender(&r);
	return (Datum) 0;
}

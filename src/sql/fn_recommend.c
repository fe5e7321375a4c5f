/*
 * fn_recommend.c - SQL functions that list items: for a user, for a basket, the popular ones.
 *
 * Each reads its arguments, opens the model, checks that the ids it is given and asked for are of the model's
 * types, and hands the rest to src/serve.  Functions with a typed form return ids in the type of an argument
 * that comes right after k and is null; the plain form returns bigint.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"
#include "guc.h"
#include "ids/id_array.h"
#include "serve/group_cap.h"
#include "serve/new_items.h"
#include "rows/row_time.h"
#include "serve/recommender.h"
#include "serve/trend_order.h"
#include "serve/user_fold_in.h"
#include "sql/args.h"
#include "sql/filter_args.h"
#include "sql/list_args.h"
#include "sql/srf.h"

/* Candidates that the model does not know of which a call looks up attributes. */
#define MOST_NEW_ITEMS 1000

#define ITEM_TYPE_HINT "Name the type right after k: mf_recommend(user, 10, item_type => NULL::%s)."

/* The column reason, by Reason. */
static const char *const reason_names[] = {"model", "fresh", "popular", "profile", "trending"};

/*
 * Where the arguments of mf_recommend stand, from 0; user_id and k are the first two.  They come in two orders:
 * without and with the type of the items.
 */
typedef struct RecommendArguments
{
	int			model;
	FilterPlaces filter;
	int			fresh;
	int			exclude_seen;
	int			version;
	int			new_items;
	int			diversity;
	BoostPlaces boosts;
} RecommendArguments;

static const RecommendArguments plain_arguments = {2, {3, 4, 8}, 5, 6, 7, 13, 14, {15, 16, 17, 18}};
static const RecommendArguments typed_arguments = {3, {4, 5, 9}, 6, 7, 8, 14, 15, {16, 17, 18, 19}};

/* A list on its way to rows of ROWS_RECOMMENDED. */
typedef struct Recommendation
{
	const TopList *list;
	const double *predicted;	/* of each item, NaN without a rating part; NULL where nobody asks for it */
	Datum		reason;			/* text */
} Recommendation;

/* The columns of such a row; a FillRow. */
static void
FillRecommended(const void *state, int i, Datum *values, bool *nulls)
{
	const Recommendation *made = state;

	FillRanked(made->list->score, i, values, nulls);
	nulls[3] = made->predicted == NULL || isnan(made->predicted[i]);
	values[3] = nulls[3] ? (Datum) 0 : Float4GetDatum((float) made->predicted[i]);
	values[4] = made->reason;
}

/*
 * The ratings that the user would give a list's items; new: NULL, or items that it may have.  All before the first row
 * is made, so that their vectors are fetched while others are multiplied.
 */
static double *
PredictedRatings(const Recommender *r, const UserState *user, const NewItems *new, const TopList *list)
{
	double	   *predicted = palloc(sizeof(double) * Max(list->count, 1));

	for (int i = 0; i < list->count; i++)
		predicted[i] = list->item[i] < r->image->nitems ? PredictRating(r, user, list->item[i]) :
			PredictNewRating(r, user, new, (int) (list->item[i] - r->image->nitems));
	return predicted;
}

/* The ids of a list's items, of which those behind the image's are new. */
static int64 *
ListedIds(const Image *image, const NewItems *new, const TopList *list)
{
	int64	   *ids = palloc(sizeof(int64) * Max(list->count, 1));

	for (int i = 0; i < list->count; i++)
		ids[i] = new == NULL || list->item[i] < image->nitems ? IdAt(&image->ids, list->item[i]) :
			IdAt(new->items.ids, (int32) (list->item[i] - image->nitems));
	return ids;
}

/* The rows of a recommendation: a list with predicted ratings and the reason; new: NULL, or items that it may have. */
static void
PutRecommendation(FunctionCallInfo fcinfo, const Recommender *r, const UserState *user, const NewItems *new, TopList *list)
{
	Recommendation made = {list, NULL, CStringGetTextDatum(reason_names[user->reason])};

	if (WantsColumn(fcinfo, 3))
		made.predicted = PredictedRatings(r, user, new, list);
	if (!NothingKnown(user))
		ShowScores(r, user, list);
	if (new == NULL)
		PutItemList(fcinfo, r->image, list->item, list->count, FillRecommended, &made);
	else
		PutIdList(fcinfo, &r->image->item_type, ListedIds(r->image, new, list), list->count, FillRecommended, &made);
}

/* The argument exclude as a dictionary of ids; NULL where it is null. */
static IdMap *
ExcludedIds(FunctionCallInfo fcinfo, int n, IdType *type)
{
	IdMap	   *map;
	int64	   *ids;
	int			count;

	if (!ArgumentGiven(fcinfo, n))
		return NULL;
	map = CreateIdMap(type);
	ids = IdsFromArray(type, IdArrayArgument(fcinfo, n, type, "item", "exclude"), "exclude", &count);
	for (int i = 0; i < count; i++)
		(void) AddId(map, ids[i]);
	return map;
}

/* Says that not all candidates that the model does not know were looked up. */
static void
ReportManyNewItems(const Recommender *r)
{
	ereport(NOTICE,
			(errmsg("model \"%s\" does not know more than %d of the candidates: only so many were looked up among items' attributes",
					r->model->name, MOST_NEW_ITEMS),
			 errhint("Let the model know those that have come since its training with mf_refresh(%s).",
					 quote_literal_cstr(r->model->name))));
}

/* Takes what is added to the scores of new items. */
static void
BoostNewItems(const Boosts *boosts, NewItems *new)
{
	new->boost = palloc(sizeof(double) * new->items.ids->count);
	for (int32 j = 0; j < new->items.ids->count; j++)
		new->boost[j] = BoostOfUnknown(boosts, IdAt(new->items.ids, j));
}

/*
 * Those of the candidates that the model does not know, but can read attributes of, without those to be excluded.
 * False where there are none, as in a model without attributes; groups are of known items alone.
 */
static bool
FindNewCandidates(FunctionCallInfo fcinfo, const FilterPlaces *at, const Recommender *r, const ListFilter *filter,
				  NewItems *new)
{
	IdType	   *type = &r->image->item_type;
	IdMap	   *unknown;
	IdMap	   *excluded;
	int64	   *ids;
	int			count;

	if (!r->image->objective.item_map || filter->rated || filter->candidates == NULL ||
		ArgumentGiven(fcinfo, at->per_group))
		return false;
	unknown = CreateIdMap(type);
	excluded = ExcludedIds(fcinfo, at->exclude, type);
	ids = IdsFromArray(type, IdArrayArgument(fcinfo, at->candidates, type, "item", "candidates"), "candidates", &count);
	for (int i = 0; i < count && unknown->count <= MOST_NEW_ITEMS; i++)
		if (filter->candidates[i] < 0 && (excluded == NULL || FindId(excluded, ids[i]) < 0))
			(void) AddId(unknown, ids[i]);
	if (unknown->count > MOST_NEW_ITEMS)
		ReportManyNewItems(r);
	if (!FindNewItems(r, unknown->ids, Min(unknown->count, MOST_NEW_ITEMS), new))
		return false;
	if (filter->boosts)
		BoostNewItems(filter->boosts, new);
	return true;
}

/*
 * What a list of a user of whom nothing is known is called, as mfrec.cold_start says: where trends are, it may go by
 * them.
 */
static Reason
ColdStartReason(const Image *image)
{
	return mfrec_cold_start == COLD_START_TRENDING && image->trending ? REASON_TRENDING : REASON_POPULAR;
}

/* Whether such a user gets a list at all. */
static bool
ListsColdUsers(void)
{
	return mfrec_cold_start == COLD_START_POPULAR || mfrec_cold_start == COLD_START_TRENDING;
}

/* That list: popular items, none, or an error. */
static void
ColdStartList(Recommender *r, const UserState *user, const ListFilter *filter, Grouping *grouping,
			  bool leave_out_seen, int k, int64 id, TopList *list)
{
	if (mfrec_cold_start == COLD_START_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("nothing is known of user %s", IdToText(&r->image->user_type, id)),
				 errhint("Set mfrec.cold_start to \"popular\" to get the popular items instead.")));
	if (!ListsColdUsers())
		return;
	if (grouping->per_group > 0)
		MakeGroupedList(r, user, filter, grouping, leave_out_seen, k, list);
	else
		MakePopularList(r, ColdStartOrder(r->image, user->reason), leave_out_seen ? user : NULL, filter, k, list);
}

/* What is known of a user: from the version, and from their current rows where these are read; *refreshed. */
static void
LoadCurrentUser(FunctionCallInfo fcinfo, const RecommendArguments *at, Recommender *r, int64 id, bool exclude_seen,
				UserState *user, bool *refreshed)
{
	bool		known = LoadUser(r, id, exclude_seen, user);

	*refreshed = PG_ARGISNULL(at->fresh) ? r->model->fresh : PG_GETARG_BOOL(at->fresh);
	if (*refreshed)
		RefreshUser(r, id, known, user);
	if (user->reason == REASON_POPULAR)
		user->reason = ColdStartReason(r->image);
}

/*
 * The rows of mf_recommend.  Where the user's current rows are read, which is the argument fresh or else what
 * the training found to be cheap, they decide what is known of the user and what they have; else the version
 * does.
 */
static void
Recommend(FunctionCallInfo fcinfo, const RecommendArguments *at, Oid item_type)
{
	int			k = ListLengthArgument(fcinfo, 1, DEFAULT_K);
	double		diversity = DiversityArgument(fcinfo, at->diversity);
	int			length = PoolLength(diversity, k);
	int32		version = VersionArgument(fcinfo, at->version);
	bool		exclude_seen = PG_ARGISNULL(at->exclude_seen) || PG_GETARG_BOOL(at->exclude_seen);
	Recommender r;
	ListFilter	filter;
	Grouping	grouping;
	UserState	user;
	TopList		list = {0};
	NewItems	new = {.vectors = NULL};
	int64		id;
	bool		refreshed;
	bool		has_new;

	BeginRows(fcinfo, ROWS_RECOMMENDED, item_type);
	if (PG_ARGISNULL(0))
		return;
	OpenRecommender(&r, TextArgument(fcinfo, at->model), version);
	CheckIdColumn(fcinfo, 0, &r.image->item_type, "item", ITEM_TYPE_HINT);
	id = IdArgument(fcinfo, 0, &r.image->user_type, "user", r.model->name);
	ReadFilter(fcinfo, &at->filter, r.image, !NewItemsArgument(fcinfo, at->new_items), &filter);
	filter.boosts = BoostArguments(fcinfo, &at->boosts, at->filter.candidates, r.image);
	ReadGroups(fcinfo, &at->filter, r.image, &filter, &grouping);
	LoadCurrentUser(fcinfo, at, &r, id, exclude_seen, &user, &refreshed);
	if (NothingKnown(&user))
		ColdStartList(&r, &user, &filter, &grouping, exclude_seen, length, id, &list);
	else if (grouping.per_group > 0)
		MakeGroupedList(&r, &user, &filter, &grouping, exclude_seen, length, &list);
	else
		MakeList(&r, &user, &filter, exclude_seen, length, &list);
	has_new = (!NothingKnown(&user) || ListsColdUsers()) &&
		FindNewCandidates(fcinfo, &at->filter, &r, &filter, &new);
	if (has_new && exclude_seen && refreshed)
		LeaveOutHad(&r, id, &new);
	if (has_new)
		MergeNewItems(&r, &user, &new, length, &list);
	DiversifyList(r.image, new.vectors, diversity, k, &list);
	PutRecommendation(fcinfo, &r, &user, has_new ? &new : NULL, &list);
	CloseRecommender(&r);
}

/*
 * mf_recommend(user_id "any" or text, k bigint, model text, candidates, exclude anycompatible, fresh bool,
 * exclude_seen bool, version bigint, per_group bigint, group_table regclass, group_column text,
 * group_id_column text, groups "any", new_items bool, diversity float8, boosts float8[], boost_table regclass,
 * boost_column text, boost_id_column text): the k best items for a user, best first, as item_id bigint, score, rank,
 * predicted_rating (null without a rating part) and reason.  No rows for a null user.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_recommend);
Datum
mf_recommend(PG_FUNCTION_ARGS)
{
	Recommend(fcinfo, &plain_arguments, INT8OID);
	return (Datum) 0;
}

/* mf_recommend(user_id, k, item_type anyelement, model, ...): the same, items in that type. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_recommend_typed);
Datum
mf_recommend_typed(PG_FUNCTION_ARGS)
{
	Recommend(fcinfo, &typed_arguments, ArgumentType(fcinfo, 2));
	return (Datum) 0;
}

/* The argument ratings of a basket: as many as there are items, finite and without nulls; NULL where it is null. */
static float *
BasketRatings(FunctionCallInfo fcinfo, int n, int nitems)
{
	ArrayType  *array;
	float	   *ratings;
	bool		is_double;

	if (PG_ARGISNULL(n))
		return NULL;
	array = PG_GETARG_ARRAYTYPE_P(n);
	if (ARR_NDIM(array) > 1 || ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) != nitems || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("ratings must have one element for each item, and no nulls")));
	is_double = ARR_ELEMTYPE(array) == FLOAT8OID;	/* real in the SQL of 0.1.0 */
	ratings = palloc(sizeof(float) * Max(nitems, 1));
	for (int i = 0; i < nitems; i++)
	{
		ratings[i] = is_double ? (float) ((double *) ARR_DATA_PTR(array))[i] : ((float *) ARR_DATA_PTR(array))[i];
		if (!isfinite(ratings[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("ratings must be finite numbers")));
	}
	return ratings;
}

/* What is known of a user by the basket of mf_recommend_for: nothing where the model knows none of its items. */
static void
ReadBasket(FunctionCallInfo fcinfo, Recommender *r, const int64 *items, int n, UserState *user)
{
	if (!FoldInBasket(r, items, BasketRatings(fcinfo, 1, n), n, user))
		user->reason = ColdStartReason(r->image);
}

/* The list for such a user, of items that the model knows. */
static void
ListForBasket(Recommender *r, const UserState *user, const ListFilter *filter, Grouping *grouping, int k, TopList *list)
{
	if (grouping->per_group > 0)
		MakeGroupedList(r, user, filter, grouping, true, k, list);
	else if (NothingKnown(user))
		MakePopularList(r, ColdStartOrder(r->image, user->reason), NULL, filter, k, list);
	else
		MakeList(r, user, filter, true, k, list);
}

/* Keeps those of the basket's items out of the list that the model does not know, but can read attributes of. */
static void
LeaveOutBasket(const int64 *items, int n, NewItems *new)
{
	for (int i = 0; i < n; i++)
	{
		int32		item = FindId(new->items.ids, items[i]);

		if (item >= 0)
			new->had[item] = true;
	}
}

/*
 * mf_recommend_for(items anycompatiblearray, ratings float8[], k bigint, model text, new_items bool, candidates,
 * exclude "any", per_group bigint, group_table regclass, group_column text, group_id_column text, groups "any",
 * diversity float8, boosts float8[], boost_table regclass, boost_column text, boost_id_column text): the k best items
 * for a user of whom only these items are known, which the list leaves out; popular ones, by mfrec.cold_start of late,
 * where the model knows none of them.  Nothing is stored.  Items come back in the array's type; no rows for a null
 * array.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_recommend_for);
Datum
mf_recommend_for(PG_FUNCTION_ARGS)
{
	static const FilterPlaces at = {5, 6, 7};
	static const BoostPlaces boosts = {13, 14, 15, 16};
	int			k = ListLengthArgument(fcinfo, 2, DEFAULT_K);
	double		diversity = DiversityArgument(fcinfo, 12);
	int			length = PoolLength(diversity, k);
	Recommender r;
	ListFilter	filter;
	Grouping	grouping;
	UserState	user;
	TopList		list;
	NewItems	new = {.vectors = NULL};
	ArrayType  *array;
	int64	   *items;
	int			n;
	bool		has_new;

	BeginRows(fcinfo, ROWS_RANKED, ArgumentElementType(fcinfo, 0));
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	array = PG_GETARG_ARRAYTYPE_P(0);
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("items must not contain nulls")));
	OpenRecommender(&r, TextArgument(fcinfo, 3), 0);
	CheckIdColumn(fcinfo, 0, &r.image->item_type, "item", "Pass an array of item ids of type %s.");
	ReadFilter(fcinfo, &at, r.image, !NewItemsArgument(fcinfo, 4), &filter);
	filter.boosts = BoostArguments(fcinfo, &boosts, at.candidates, r.image);
	ReadGroups(fcinfo, &at, r.image, &filter, &grouping);
	items = IdsFromArray(&r.image->item_type, array, "items", &n);
	ReadBasket(fcinfo, &r, items, n, &user);
	ListForBasket(&r, &user, &filter, &grouping, length, &list);
	has_new = FindNewCandidates(fcinfo, &at, &r, &filter, &new);
	if (has_new)
	{
		LeaveOutBasket(items, n, &new);
		MergeNewItems(&r, &user, &new, length, &list);
	}
	DiversifyList(r.image, new.vectors, diversity, k, &list);
	if (!NothingKnown(&user))
		ShowScores(&r, &user, &list);
	PutIdList(fcinfo, &r.image->item_type, ListedIds(r.image, has_new ? &new : NULL, &list), list.count, FillRanked,
			  list.score);
	CloseRecommender(&r);
	return (Datum) 0;
}

/* A list of popular items on its way to rows of ROWS_COUNTED. */
typedef struct Counted
{
	const Image *image;
	const TopList *list;
} Counted;

/* The columns of such a row; a FillRow. */
static void
FillCounted(const void *state, int i, Datum *values, bool *nulls)
{
	const Counted *counted = state;

	(void) nulls;
	values[1] = Int64GetDatum(counted->image->counts[counted->list->item[i]]);
	values[2] = Int32GetDatum(i + 1);
}

/* The argument half_life in seconds; NaN where it is null, or not there. */
static double
HalfLifeArgument(FunctionCallInfo fcinfo, int n)
{
	double		seconds;

	if (PG_NARGS() <= n || PG_ARGISNULL(n))
		return NAN;
	seconds = SecondsOfInterval(PG_GETARG_INTERVAL_P(n));
	if (!(seconds > 0) || isinf(seconds))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("half_life must be positive and finite"),
				 errdetail("It is the age at which a row counts half as much as the newest one."),
				 errhint("Leave it out, and rows count the same at any age.")));
	return seconds;
}

/* The argument by: whether items are to be ordered by trend, as they are where it is null and there is a half-life. */
static bool
TrendArgument(FunctionCallInfo fcinfo, int n, bool has_half_life)
{
	char	   *by = PG_NARGS() > n ? TextArgument(fcinfo, n) : NULL;
	bool		ratings = by && strcmp(by, "ratings") == 0;

	if (by && !ratings && strcmp(by, "trend") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("by must be \"ratings\" or \"trend\", not \"%s\"", by)));
	if (ratings && has_half_life)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("half_life needs by => 'trend'"),
				 errdetail("Numbers of ratings do not fade.")));
	return by ? !ratings : has_half_life;
}

/*
 * The order of mf_popular, whose arguments half_life and by stand from place n on: without them by ratings.  By trend
 * as the version knows it, unless another half-life than its own is asked for: then the source is read.
 */
static ItemOrder
PopularOrder(FunctionCallInfo fcinfo, int n, const Recommender *r)
{
	double		half_life = HalfLifeArgument(fcinfo, n);
	const Image *image = r->image;

	if (!TrendArgument(fcinfo, n + 1, !isnan(half_life)))
		return ColdStartOrder(image, REASON_POPULAR);
	if (!isnan(half_life) && !(image->trending && half_life == image->objective.trend_half_life))
		return TrendOrder(r, half_life);
	if (image->trending == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" does not know how items trend", r->version, r->model->name),
				 errhint("Train it with the argument time_column.")));
	return ColdStartOrder(image, REASON_TRENDING);
}

/*
 * The rows of mf_popular; its forms have the model, and behind it candidates, half_life, by, exclude and what groups
 * take, in different places.  Views that were made with 0.1.0 do not pass these.
 */
static void
Popular(FunctionCallInfo fcinfo, int model_argument, Oid item_type)
{
	int			k = ListLengthArgument(fcinfo, 0, DEFAULT_K);
	FilterPlaces at = {model_argument + 1, model_argument + 4, model_argument + 5};
	Recommender r;
	ListFilter	filter;
	Grouping	grouping;
	ItemOrder	order;
	TopList		list;
	Counted		counted;

	BeginRows(fcinfo, ROWS_COUNTED, item_type);
	OpenRecommender(&r, TextArgument(fcinfo, model_argument), 0);
	CheckIdColumn(fcinfo, 0, &r.image->item_type, "item", "Name the type right after k: mf_popular(10, item_type => NULL::%s).");
	ReadFilter(fcinfo, &at, r.image, true, &filter);
	ReadGroups(fcinfo, &at, r.image, &filter, &grouping);
	order = PopularOrder(fcinfo, at.candidates + 1, &r);
	if (grouping.per_group > 0)
		MakeGroupedPopularList(&r, order, &filter, &grouping, k, &list);
	else
		MakePopularList(&r, order, NULL, &filter, k, &list);
	counted = (Counted) {r.image, &list};
	PutItemList(fcinfo, r.image, list.item, list.count, FillCounted, &counted);
	CloseRecommender(&r);
}

/*
 * mf_popular(k bigint, model text, candidates anycompatible, half_life interval, by text, exclude anycompatible,
 * per_group bigint, group_table regclass, group_column text, group_id_column text, groups "any"): the items with the
 * most ratings in the training, or by trend, of these ones where candidates are given, with the number of ratings and
 * rank; of equal ones the smaller id first.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_popular);
Datum
mf_popular(PG_FUNCTION_ARGS)
{
	Popular(fcinfo, 1, INT8OID);
	return (Datum) 0;
}

/*
 * mf_popular(k, item_type anyelement, model, candidates "any", half_life, by, exclude, ...): the same, items in that
 * type.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_popular_typed);
Datum
mf_popular_typed(PG_FUNCTION_ARGS)
{
	Popular(fcinfo, 2, ArgumentType(fcinfo, 1));
	return (Datum) 0;
}

/*
 * mf_popular(k bigint, item_type text, model text, candidates text, half_life, by, exclude, ...): the same, items as
 * text.  A call of mf_popular(k, model, candidates) comes here where candidates are a literal, so an item_type that
 * names something is an error.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_popular_text);
Datum
mf_popular_text(PG_FUNCTION_ARGS)
{
	RequireNoName(fcinfo, 1, "item_type", "mf_popular(10");
	Popular(fcinfo, 2, TEXTOID);
	return (Datum) 0;
}

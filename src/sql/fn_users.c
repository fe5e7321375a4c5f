/*
 * fn_users.c - SQL functions that look through all users: whom to tell about an item, who is like a user.
 *
 * They read the model's table of users, so they cost by its size, and see of it what the caller sees.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "serve/user_scan.h"
#include "sql/args.h"
#include "sql/filter_args.h"
#include "sql/srf.h"

#define USER_TYPE_HINT "Name the type right after k: mf_recommend_users(item, 10, user_type => NULL::%s)."

/*
 * mf_similar_users(user_id anyelement or text, k bigint, model text, candidates, exclude anycompatible, per_group
 * bigint, group_table regclass, group_column text, group_id_column text, groups "any"): the k nearest users by cosine,
 * never that user, as id in the type of user_id, similarity and rank.  No rows for a null user, or one who is not in the
 * model.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_similar_users);
Datum
mf_similar_users(PG_FUNCTION_ARGS)
{
	static const FilterPlaces at = {3, 4, 5};
	int			k = ListLengthArgument(fcinfo, 1, DEFAULT_K);
	Recommender r;
	UserFilter	filter;
	UserList	list;

	BeginRows(fcinfo, ROWS_RANKED, ArgumentType(fcinfo, 0));
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	OpenRecommender(&r, TextArgument(fcinfo, 2), 0);
	CheckIdColumn(fcinfo, 0, &r.image->user_type, "user", "Pass a user id of type %s.");
	ReadUserFilter(fcinfo, &at, &r.image->user_type, &filter);
	MakeSimilarUsers(&r, IdArgument(fcinfo, 0, &r.image->user_type, "user", r.model->name), &filter, k, &list);
	PutIdList(fcinfo, &r.image->user_type, list.user, list.count, FillRanked, list.score);
	CloseRecommender(&r);
	return (Datum) 0;
}

/*
 * The rows of mf_recommend_users: the k best users for an item; its forms have the model, and behind it candidates,
 * exclude and what groups take, in different places.
 */
static void
RecommendUsers(FunctionCallInfo fcinfo, int model_argument, Oid user_type)
{
	FilterPlaces at = {model_argument + 1, model_argument + 2, model_argument + 3};
	int			k = ListLengthArgument(fcinfo, 1, DEFAULT_K);
	Recommender r;
	UserFilter	filter;
	UserList	list;

	BeginRows(fcinfo, ROWS_RANKED, user_type);
	if (PG_ARGISNULL(0))
		return;
	OpenRecommender(&r, TextArgument(fcinfo, model_argument), 0);
	CheckIdColumn(fcinfo, 0, &r.image->user_type, "user", USER_TYPE_HINT);
	ReadUserFilter(fcinfo, &at, &r.image->user_type, &filter);
	MakeUserList(&r, IdArgument(fcinfo, 0, &r.image->item_type, "item", r.model->name), &filter, k, &list);
	PutIdList(fcinfo, &r.image->user_type, list.user, list.count, FillRanked, list.score);
	CloseRecommender(&r);
}

/*
 * mf_recommend_users(item_id "any" or text, k bigint, model text, candidates, exclude anycompatible, per_group
 * bigint, group_table regclass, group_column text, group_id_column text, groups "any"): whom to tell about an item: the k users with the best score for it who do not have it, as user_id bigint, score and rank.  No rows
 * for a null or unknown item.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_recommend_users);
Datum
mf_recommend_users(PG_FUNCTION_ARGS)
{
	RecommendUsers(fcinfo, 2, INT8OID);
	return (Datum) 0;
}

/* mf_recommend_users(item_id, k, user_type anyelement, model, candidates, exclude): the same, users in that type. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_recommend_users_typed);
Datum
mf_recommend_users_typed(PG_FUNCTION_ARGS)
{
	RecommendUsers(fcinfo, 3, ArgumentType(fcinfo, 2));
	return (Datum) 0;
}

/*
 * mf_recommend_users(item_id, k, user_type text, model text, candidates, exclude): the same, users as text.  A call of
 * mf_recommend_users(item, k, model, candidates) comes here where candidates are a literal, so a user_type that names
 * something is an error.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_recommend_users_text);
Datum
mf_recommend_users_text(PG_FUNCTION_ARGS)
{
	RequireNoName(fcinfo, 2, "user_type", "mf_recommend_users(1, 10");
	RecommendUsers(fcinfo, 3, TEXTOID);
	return (Datum) 0;
}

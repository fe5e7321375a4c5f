/*
 * fn_users.c - SQL functions that look through all users: whom to tell about an item, who is like a
 * user.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "image/seen_items.h"
#include "serve/recommender.h"
#include "serve/user_scan.h"
#include "source/source_lookup.h"
#include "sql/args.h"
#include "sql/srf.h"

#define USER_TYPE_HINT "Name the type right after k: mf_recommend_users(item, 10, user_type => NULL::%s)."

/* Puts out id, score and rank of the best users of a search. */
static void
PutBestUsers(FunctionCallInfo fcinfo, UserSearch *search)
{
	int64	   *users;
	float	   *scores;
	int			count = FindBestUsers(search, &users, &scores);

	PutIdList(fcinfo, &search->recommender->image->user_type, users, count, FillRanked, scores);
}

/* mf_similar_users(user_id anyelement or text, k bigint, model text): the nearest users by cosine. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_similar_users);
Datum
mf_similar_users(PG_FUNCTION_ARGS)
{
	int			k = ListLengthArgument(fcinfo, 1, DEFAULT_K);
	Recommender r;
	UserState	user;
	UserSearch	search;
	int64		id;

	BeginRows(fcinfo, ROWS_RANKED, ArgumentType(fcinfo, 0));
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	OpenRecommender(&r, TextArgument(fcinfo, 2), 0);
	CheckIdColumn(fcinfo, 0, &r.image->user_type, "user", "Pass a user id of type %s.");
	id = IdArgument(fcinfo, 0, &r.image->user_type, "user", r.model->name);
	InitUserSearch(&search, &r, k);
	if (LoadUser(&r, id, false, &user))
	{
		search.target = user.vector;
		search.cosine = true;
		(void) AddId(search.left_out, id);
		PutBestUsers(fcinfo, &search);
	}
	CloseRecommender(&r);
	return (Datum) 0;
}

/* Takes note of a user who has the item already. */
static void
LeaveOutUser(void *state, int64 user, float rating, float weight)
{
	(void) rating;
	(void) weight;
	(void) AddId(state, user);
}

/*
 * The k best users for an item, without those who have it: had it at the training, or have rows of it in the
 * source, where there is one.
 */
static void
RecommendUsers(FunctionCallInfo fcinfo, int model_argument, Oid user_type)
{
	int			k = ListLengthArgument(fcinfo, 1, DEFAULT_K);
	Recommender r;
	UserSearch	search;
	int64		id;
	int32		item;

	BeginRows(fcinfo, ROWS_RANKED, user_type);
	if (PG_ARGISNULL(0))
		return;
	OpenRecommender(&r, TextArgument(fcinfo, model_argument), 0);
	CheckIdColumn(fcinfo, 0, &r.image->user_type, "user", USER_TYPE_HINT);
	id = IdArgument(fcinfo, 0, &r.image->item_type, "item", r.model->name);
	item = FindId(&r.image->ids, id);
	if (item >= 0)
	{
		InitUserSearch(&search, &r, k);
		search.seen_number = ItemNumber(r.image, item);
		if (r.model->source && ReadsSource(&r))
			LookupItemRows(OpenModelSource(r.cached, mf_is_explicit(&r.image->objective), NULL), id, LeaveOutUser, search.left_out);
		search.target = mf_index_vector(&r.image->index, item);
		search.offset = r.image->objective.taste * r.image->bias[item];
		PutBestUsers(fcinfo, &search);
	}
	CloseRecommender(&r);
}

/* mf_recommend_users(item_id "any" or text, k bigint, model text): whom to tell about an item. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_recommend_users);
Datum
mf_recommend_users(PG_FUNCTION_ARGS)
{
	RecommendUsers(fcinfo, 2, INT8OID);
	return (Datum) 0;
}

/* mf_recommend_users(item_id, k, user_type anyelement, model): the same, users in that type. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_recommend_users_typed);
Datum
mf_recommend_users_typed(PG_FUNCTION_ARGS)
{
	RecommendUsers(fcinfo, 3, ArgumentType(fcinfo, 2));
	return (Datum) 0;
}

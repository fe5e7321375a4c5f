/*
 * fn_recommend_all.c - SQL functions that make the lists of all users: mf_recommend_all.
 *
 * The result has k rows a user, so it must not be kept: rows are returned one a call, and lists are made a block
 * of users ahead.  What is open meanwhile is closed when the last row is fetched, or when the executor gives
 * the call up before that (LIMIT, a cursor that is closed).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "serve/recommend_all.h"
#include "sql/args.h"
#include "sql/filter_args.h"
#include "sql/list_args.h"

/* An error with a hint unless both ids can be returned in the result's columns. */
static void
CheckIdTypes(FunctionCallInfo fcinfo, TupleDesc desc, const Image *image)
{
	char	   *user = format_type_be(image->user_type.type);
	char	   *item = format_type_be(image->item_type.type);
	char	   *hint = psprintf("Name both types right after k: "
								"mf_recommend_all(10, user_type => NULL::%s, item_type => NULL::%s).", user, item);

	CheckIdResult(fcinfo, desc, 0, &image->user_type, "user", hint);
	CheckIdResult(fcinfo, desc, 1, &image->item_type, "item", hint);
}

/* The call ends, with all of its rows fetched or not; not called where an error ends it. */
static void
EndRecommendAll(Datum all)
{
	CloseAllUsers((AllUsers *) DatumGetPointer(all));
}

/* What the arguments exclude_seen and fresh (which the SQL of 0.1.0 does not have) say together. */
static SeenFrom
SeenArgument(FunctionCallInfo fcinfo, int exclude_seen, int fresh)
{
	if (!PG_ARGISNULL(exclude_seen) && !PG_GETARG_BOOL(exclude_seen))
		return SEEN_STAYS;
	if (PG_NARGS() <= fresh || PG_ARGISNULL(fresh))
		return SEEN_FROM_ALL;
	return PG_GETARG_BOOL(fresh) ? SEEN_FROM_SOURCE : SEEN_FROM_VERSION;
}

/* The first call: opens the model and reads what there is to be read, into memory that lives until the last one. */
static void
BeginRecommendAll(FunctionCallInfo fcinfo, int model_argument)
{
	FuncCallContext *call = SRF_FIRSTCALL_INIT();
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
	char	   *model = TextArgument(fcinfo, model_argument);
	SeenFrom	seen = SeenArgument(fcinfo, model_argument + 1, model_argument + 3);
	int32		version = VersionArgument(fcinfo, model_argument + 2);
	FilterPlaces at = {model_argument + 5, model_argument + 6, model_argument + 7};
	double		diversity = DiversityArgument(fcinfo, model_argument + 12);
	BoostPlaces boosts = {-1, model_argument + 13, model_argument + 14, model_argument + 15};
	int			k = ListLengthArgument(fcinfo, 0, DEFAULT_K);
	ListFilter	filter;
	Grouping	grouping;
	TupleDesc	desc;
	AllUsers   *all;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("could not determine the type of ids to return")));
	(void) BoostTableArgument(fcinfo, &boosts); /* an error before anything is read */
	all = OpenAllUsers(model, version, seen);
	CheckIdTypes(fcinfo, desc, all->r.image);
	ReadFilter(fcinfo, &at, all->r.image, !NewItemsArgument(fcinfo, model_argument + 4), &filter);
	filter.boosts = BoostArguments(fcinfo, &boosts, at.candidates, all->r.image);
	ReadGroups(fcinfo, &at, all->r.image, &filter, &grouping);
	PrepareLists(all, k, diversity, &filter, &grouping);
	call->tuple_desc = BlessTupleDesc(desc);
	call->user_fctx = all;
	RegisterExprContextCallback(rsinfo->econtext, EndRecommendAll, PointerGetDatum(all));
	MemoryContextSwitchTo(old);
}

/* An entry of a list as a row. */
static Datum
EntryRow(const AllUsers *all, const ListEntry *entry, TupleDesc desc)
{
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = IdToOutput(&all->r.image->user_type, entry->user, TupleDescAttr(desc, 0)->atttypid);
	values[1] = IdToOutput(&all->r.image->item_type, entry->item, TupleDescAttr(desc, 1)->atttypid);
	values[2] = Float4GetDatum((float) entry->score);
	values[3] = Int32GetDatum(entry->rank);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* Value-per-call, so that the result is never materialized. */
static Datum
RecommendAll(FunctionCallInfo fcinfo, int model_argument)
{
	FuncCallContext *call;
	AllUsers   *all;
	ListEntry	entry;
	MemoryContext old;
	bool		more;

	if (SRF_IS_FIRSTCALL())
		BeginRecommendAll(fcinfo, model_argument);
	call = SRF_PERCALL_SETUP();
	all = call->user_fctx;
	old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
	more = NextListEntry(all, &entry);
	MemoryContextSwitchTo(old);
	if (more)
		SRF_RETURN_NEXT(call, EntryRow(all, &entry, call->tuple_desc));
	UnregisterExprContextCallback(((ReturnSetInfo *) fcinfo->resultinfo)->econtext, EndRecommendAll,
								  PointerGetDatum(all));
	CloseAllUsers(all);
	SRF_RETURN_DONE(call);
}

/*
 * mf_recommend_all(k bigint, model text, exclude_seen bool, version bigint, fresh bool, new_items bool, candidates,
 * exclude anycompatible, per_group bigint, group_table regclass, group_column text, group_id_column text, groups
 * "any", diversity float8, boost_table regclass, boost_column text, boost_id_column text): the k best items for every
 * user of the model by the vectors that are stored, as user_id and item_id bigint, score and rank; a user's rows follow
 * each other, by rank.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_recommend_all);
Datum
mf_recommend_all(PG_FUNCTION_ARGS)
{
	return RecommendAll(fcinfo, 1);
}

/* mf_recommend_all(k, user_type anyelement, item_type anycompatible, model, ...): the same, in those types. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_recommend_all_typed);
Datum
mf_recommend_all_typed(PG_FUNCTION_ARGS)
{
	return RecommendAll(fcinfo, 3);
}

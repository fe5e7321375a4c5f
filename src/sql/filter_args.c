/*
 * filter_args.c - the arguments of a list's filters: candidates, exclude, and at most so many of a group.
 *
 * All functions that list items or users read them here, so that they mean the same in each.  Views that were made
 * with older SQL call without them, which is as if they were null.
 */
#include "postgres.h"

#include "ids/id_array.h"
#include "sql/args.h"
#include "sql/filter_args.h"

/* Whether a call has an argument that is not null; a negative number is of one that the function does not have. */
bool
ArgumentGiven(FunctionCallInfo fcinfo, int n)
{
	return n >= 0 && PG_NARGS() > n && !PG_ARGISNULL(n);
}

/* An array of item ids, as numbers in the image; negative where the model does not know one.  Nulls are left out. */
static int32 *
NumbersArgument(FunctionCallInfo fcinfo, int n, const Image *image, const char *name, int *count)
{
	return NumbersFromArray(&image->ids, IdArrayArgument(fcinfo, n, &image->item_type, "item", name), name, count);
}

/* The arguments candidates and exclude: which items may be in the list; null: all, and none.  rated: see ListFilter. */
void
ReadFilter(FunctionCallInfo fcinfo, const FilterPlaces *at, const Image *image, bool rated, ListFilter *filter)
{
	memset(filter, 0, sizeof(ListFilter));
	filter->rated = rated;
	if (ArgumentGiven(fcinfo, at->candidates))
		filter->candidates = NumbersArgument(fcinfo, at->candidates, image, "candidates", &filter->ncandidates);
	if (ArgumentGiven(fcinfo, at->exclude))
		filter->exclude = NumbersArgument(fcinfo, at->exclude, image, "exclude", &filter->nexclude);
}

/* An error unless per_group, which is not null, is a number of items. */
static void
CheckPerGroup(FunctionCallInfo fcinfo, int n)
{
	int32		per_group = Int32Argument(fcinfo, n, "per_group");

	if (per_group < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("per_group must be at least 1, not %d", per_group)));
}

/*
 * The arguments of groups must say where groups come from, in one of the two ways: a table, or an array that
 * runs parallel to the candidates.
 */
static void
CheckGroupArguments(FunctionCallInfo fcinfo, int per_group, bool has_candidates, const char *what)
{
	bool		by_table = ArgumentGiven(fcinfo, per_group + 1) || ArgumentGiven(fcinfo, per_group + 2);
	bool		by_array = ArgumentGiven(fcinfo, per_group + 4);
	bool		whole_table = ArgumentGiven(fcinfo, per_group + 1) && ArgumentGiven(fcinfo, per_group + 2) &&
		ArgumentGiven(fcinfo, per_group + 3);

	if (!ArgumentGiven(fcinfo, per_group) && (by_table || by_array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("groups need per_group: how many of each a list may have")));
	if (!ArgumentGiven(fcinfo, per_group))
		return;
	CheckPerGroup(fcinfo, per_group);
	if (by_table == by_array || (by_table && !whole_table))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("per_group needs to know the %s' groups, in one way", what),
				 errhint("Write per_group => 2, group_table => 'products', group_column => 'seller_id', or give candidates and an array groups of the same length.")));
	if (by_array && !has_candidates)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("groups run parallel to candidates, and there are no candidates")));
}

/* How the items of the list are grouped: per_group is 0 where they are not. */
void
ReadGroups(FunctionCallInfo fcinfo, const FilterPlaces *at, const Image *image, const ListFilter *filter,
		   Grouping *grouping)
{
	int			per_group = at->per_group;

	memset(grouping, 0, sizeof(Grouping));
	CheckGroupArguments(fcinfo, per_group, filter->candidates != NULL, "items");
	if (!ArgumentGiven(fcinfo, per_group))
		return;
	grouping->per_group = Int32Argument(fcinfo, per_group, "per_group");
	if (ArgumentGiven(fcinfo, per_group + 4))
		GroupByArray(grouping, image, filter, ArrayArgument(fcinfo, per_group + 4, "groups"));
	else
		GroupByTable(grouping, PG_GETARG_OID(per_group + 1), TextArgument(fcinfo, per_group + 3),
					 TextArgument(fcinfo, per_group + 2));
}

/* An array of user ids, as a set; nulls are left out. */
static IdMap *
UserSet(IdType *type, const int64 *ids, int n)
{
	IdMap	   *users = CreateIdMap(type);

	for (int i = 0; i < n; i++)
		(void) AddId(users, ids[i]);
	return users;
}

/* The ids in an array of users, without nulls. */
static int64 *
UserIdsArgument(FunctionCallInfo fcinfo, int n, const IdType *type, const char *name, int *count)
{
	return IdsFromArray(type, IdArrayArgument(fcinfo, n, type, "user", name), name, count);
}

/*
 * The arguments candidates, exclude and those of groups, of lists of users: which of them may be in the list.
 */
void
ReadUserFilter(FunctionCallInfo fcinfo, const FilterPlaces *at, IdType *type, UserFilter *filter)
{
	Grouping   *grouping = &filter->grouping;
	int64	   *candidates = NULL;
	int64	   *exclude;
	int			n = 0;
	int			nexclude;

	memset(filter, 0, sizeof(UserFilter));
	if (ArgumentGiven(fcinfo, at->candidates))
	{
		candidates = UserIdsArgument(fcinfo, at->candidates, type, "candidates", &n);
		filter->candidates = UserSet(type, candidates, n);
	}
	if (ArgumentGiven(fcinfo, at->exclude))
	{
		exclude = UserIdsArgument(fcinfo, at->exclude, type, "exclude", &nexclude);
		filter->exclude = UserSet(type, exclude, nexclude);
	}
	CheckGroupArguments(fcinfo, at->per_group, candidates != NULL, "users");
	if (!ArgumentGiven(fcinfo, at->per_group))
		return;
	grouping->per_group = Int32Argument(fcinfo, at->per_group, "per_group");
	if (ArgumentGiven(fcinfo, at->per_group + 4))
		GroupUsersByArray(grouping, type, candidates, n, ArrayArgument(fcinfo, at->per_group + 4, "groups"));
	else
		GroupByTable(grouping, PG_GETARG_OID(at->per_group + 1), TextArgument(fcinfo, at->per_group + 3),
					 TextArgument(fcinfo, at->per_group + 2));
}

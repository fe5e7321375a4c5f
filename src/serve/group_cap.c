/*
 * group_cap.c - lists with at most so many items of a group: a seller, an artist, a category.
 *
 * The best k by that rule, taken greedily from the ranking without it, are exact: an item is left out
 * only when so many better ones of its group are in.  So where groups come from a table, a somewhat
 * longer ranking is made, the groups of just these items are looked up, and the ranking grows until
 * k items are found.  What a call sees of the table is what its snapshot, privileges and row security
 * show.  Where one group has nearly everything, all groups are read once and the search itself counts.
 *
 * Groups are numbered from 1 as they are met, so that any type will do as a name; an item without a group, or
 * with a null one, has 0 and is not limited.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "ids/id_array.h"
#include "ids/id_growth.h"
#include "pg/alloc.h"
#include "pg/placement.h"
#include "pg/spi_query.h"
#include "serve/group_cap.h"
#include "source/relation.h"

/* A ranking longer than this is not looked up item by item. */
#define LONG_RANKING 4096

/* The group in a column of this type, numbered from 1; 0 for null. */
int32
NumberGroup(Grouping *grouping, Datum value, bool isnull)
{
	return isnull ? 0 : AddId(grouping->names, IdFromColumn(&grouping->name_type, value)) + 1;
}

/* An array of the groups of all items of the image, none of which has one yet. */
static int32 *
NoGroups(const Image *image)
{
	return HugeZeroArray(image->nitems, sizeof(int32));
}

/*
 * The numbers of groups in an array of any type that runs parallel to so many candidates, and must be as long; a null is
 * no group.
 */
int32 *
NumberGroups(Grouping *grouping, ArrayType *groups, int ncandidates)
{
	Oid			element = ARR_ELEMTYPE(groups);
	int32	   *number = palloc(sizeof(int32) * Max(ncandidates, 1));
	Datum	   *values;
	bool	   *nulls;
	int			n;

	InitIdType(&grouping->name_type, element, -1, get_typcollation(element));
	grouping->names = CreateIdMap(&grouping->name_type);
	deconstruct_array(groups, element, grouping->name_type.typlen, grouping->name_type.typbyval,
					  grouping->name_type.typalign, &values, &nulls, &n);
	if (ARR_NDIM(groups) > 1 || n != ncandidates)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("groups must have one element for each of candidates, which has no nulls"),
				 errdetail("There are %d groups and %d candidates.", n, ncandidates)));
	for (int i = 0; i < n; i++)
		number[i] = NumberGroup(grouping, values[i], nulls[i]);
	return number;
}

/* Groups of items from such an array.  Candidates that the model does not know are passed over. */
void
GroupByArray(Grouping *grouping, const Image *image, const ListFilter *filter, ArrayType *groups)
{
	int32	   *number = NumberGroups(grouping, groups, filter->ncandidates);

	grouping->group = NoGroups(image);
	for (int i = 0; i < filter->ncandidates; i++)
		if (filter->candidates[i] >= 0)
			grouping->group[filter->candidates[i]] = number[i];
	pfree(number);
}

/*
 * Groups from a column of a relation with a row for each item, or user, found by its id.  An error where the relation or
 * a column is not there; rows are read later, by SQL.
 */
void
GroupByTable(Grouping *grouping, Oid relid, const char *id_column, const char *group_column)
{
	Relation	rel = OpenRows(relid, "cannot take groups from \"%s\"",
							   "Name a table or view with a row for each item with the argument group_table.");
	StringInfoData sql;

	IdColumn(rel, id_column, "group_id_column", &grouping->id_type);
	IdColumn(rel, group_column, "group_column", &grouping->name_type);
	grouping->names = CreateIdMap(&grouping->name_type);
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	appendStringInfo(&sql, "%s, %s FROM %s", quote_identifier(id_column), quote_identifier(group_column), RowsSql(relid));
	grouping->sql_all = pstrdup(sql.data);
	appendStringInfo(&sql, " WHERE %s %s ANY ($1)", quote_identifier(id_column), IdEqualitySql(&grouping->id_type));
	grouping->sql_some = sql.data;
	relation_close(rel, NoLock);
}

/* The place of an item's group, to be read or set; NULL for an item that has not been looked up. */
static int32 *
GroupPlace(const Grouping *grouping, int32 item)
{
	int32		known;

	if (grouping->group)
		return &grouping->group[item];
	known = FindId(grouping->known, item);
	return known < 0 ? NULL : &grouping->known_group[known];
}

/*
 * The ids must be of the model's type, that of its items or users, and both columns of the types that GroupByTable has
 * found: the relation may have been altered since.
 */
void
CheckGroupColumns(const Grouping *grouping, TupleDesc typeinfo, const IdType *ids, const char *what)
{
	const IdType *idtype = &grouping->id_type;

	if (!SameIds(idtype, ids))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("group_id_column \"%s\" is of type %s, but the model's %ss are of type %s",
						NameStr(TupleDescAttr(typeinfo, 0)->attname), format_type_be(idtype->type), what, format_type_be(ids->type)),
				 errhint("Cast the column in a view.")));
	CheckDeliveredId(typeinfo, 0, idtype);
	CheckDeliveredId(typeinfo, 1, &grouping->name_type);
}

/* An error about an item or user of which a second row has come. */
void
RefuseSecondGroup(const IdType *ids, int64 id, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_CARDINALITY_VIOLATION),
			 errmsg("%s %s has more than one group", what, IdToText(ids, id)),
			 errhint("group_table needs one row for each %s; choose one with a view.", what)));
}

/* Rows of the table on their way to the items' groups. */
typedef struct GroupReceiver
{
	DestReceiver pub;
	Grouping   *grouping;
	const Image *image;
} GroupReceiver;

/*
 * Takes a row of the relation: an id and a group.  A second row of an item that has a group is an error; ids
 * that the model does not know, or that were not asked for, are passed over.
 */
static bool
ReceiveGroup(TupleTableSlot *slot, DestReceiver *self)
{
	GroupReceiver *receiver = (GroupReceiver *) self;
	Grouping   *grouping = receiver->grouping;
	int32	   *place;
	int32		item;

	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
		return true;
	item = FindId(&receiver->image->ids, IdFromColumn(&grouping->id_type, slot->tts_values[0]));
	place = item < 0 ? NULL : GroupPlace(grouping, item);
	if (place == NULL)
		return true;
	if (*place > 0)
		RefuseSecondGroup(&receiver->image->item_type, IdAt(&receiver->image->ids, item), "item");
	*place = NumberGroup(grouping, slot->tts_values[1], slot->tts_isnull[1]);
	return true;
}

/* Before the first row. */
static void
StartupGroupReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	GroupReceiver *receiver = (GroupReceiver *) self;

	(void) operation;
	CheckGroupColumns(receiver->grouping, typeinfo, &receiver->image->item_type, "item");
}

/*
 * Looks up the groups of n more items in the relation, by one query with an array of their ids.  Integers are
 * passed as the relation has them, so that its index serves; one beyond that type has no row there.
 */
static void
LookUpGroups(Grouping *grouping, const Image *image, const int32 *items, int n)
{
	static IdType number = {.is_int = true};
	GroupReceiver receiver = {.grouping = grouping,.image = image};
	bool		both_int = grouping->id_type.is_int && image->item_type.is_int;
	const IdType *type = both_int ? &grouping->id_type : &image->item_type;
	Datum	   *ids = palloc(sizeof(Datum) * Max(n, 1));
	int			nids = 0;
	int			before;

	if (grouping->known == NULL)
	{
		grouping->known = CreateIdMap(&number);
		grouping->known_group = palloc(sizeof(int32));
	}
	before = grouping->known->count;
	for (int i = 0; i < n; i++)
	{
		int64		id = IdAt(&image->ids, items[i]);

		(void) AddId(grouping->known, items[i]);
		if (IdFits(type, id))
			ids[nids++] = IdToDatum(type, id);
	}
	grouping->known_group = repalloc(grouping->known_group, sizeof(int32) * (before + n + 1));
	memset(grouping->known_group + before, 0, sizeof(int32) * (n + 1));
	receiver.pub.receiveSlot = ReceiveGroup;
	receiver.pub.rStartup = StartupGroupReceiver;
	RunPrepared(grouping->sql_some, get_array_type(type->base),
				PointerGetDatum(construct_array(ids, nids, type->base, type->typlen, type->typbyval, type->typalign)),
				&receiver.pub);
}

/* Reads the groups of all items in the relation, unless all are known. */
void
LoadGroups(Grouping *grouping, const Image *image)
{
	GroupReceiver receiver = {.grouping = grouping,.image = image};

	if (grouping->group)
		return;
	grouping->group = NoGroups(image);
	receiver.pub.receiveSlot = ReceiveGroup;
	receiver.pub.rStartup = StartupGroupReceiver;
	RunPrepared(grouping->sql_all, InvalidOid, (Datum) 0, &receiver.pub);
}

/*
 * Keeps the first k of a list with at most so many of each group; returns whether there were so many.
 * Without them the list stays as it is when it can grow.
 */
static bool
CutGroups(Grouping *grouping, int k, bool can_grow, TopList *list)
{
	int32	   *taken = palloc0(sizeof(int32) * (grouping->names->count + 1));
	int32	   *kept = palloc(sizeof(int32) * k);
	int			n = 0;

	for (int i = 0; i < list->count && n < k; i++)
	{
		int32		group = *GroupPlace(grouping, list->item[i]);

		if (group <= 0 || taken[group]++ < grouping->per_group)
			kept[n++] = i;
	}
	pfree(taken);
	if (n < k && can_grow)
		return false;
	for (int i = 0; i < n; i++)
	{
		list->item[i] = list->item[kept[i]];
		list->score[i] = list->score[kept[i]];
	}
	list->count = n;
	return true;
}

/* A list by the filter and all groups, from a ranking that counts these. */
static void
RankGrouped(const Ranking *ranking, const ListFilter *filter, const Grouping *grouping, int k, TopList *list)
{
	ListFilter	grouped = *filter;

	grouped.group = grouping->group;
	grouped.per_group = grouping->per_group;
	ranking->rank(ranking->state, &grouped, k, list);
}

/* The best k items of a ranking with at most so many of each group; items without a group are not limited. */
void
CapGroups(const Image *image, const Ranking *ranking, const ListFilter *filter, Grouping *grouping, int k,
		  TopList *list)
{
	bool		done = false;
	int			looked_up = 0;

	for (int64 length = 2 * (int64) k + 8; !done; length *= 4)
	{
		int			n = (int) Min(length, image->nitems);

		CHECK_FOR_INTERRUPTS();
		if (n > LONG_RANKING)
			LoadGroups(grouping, image);
		if (grouping->group && ranking->counts && filter->boosts == NULL)
		{
			RankGrouped(ranking, filter, grouping, k, list);
			return;
		}
		ranking->rank(ranking->state, filter, n, list);
		if (grouping->group == NULL)
			LookUpGroups(grouping, image, list->item + looked_up, list->count - looked_up);
		looked_up = list->count;
		done = CutGroups(grouping, k, list->count == n && n < image->nitems, list);
	}
}

/* Lists of a user: a RankFunction's state. */
typedef struct UserRanking
{
	Recommender *r;
	const UserState *user;
	bool		leave_out_seen;
} UserRanking;

/* The k best items for a user, or by popularity where nothing is known of them; a RankFunction. */
static void
RankForUser(void *state, const ListFilter *filter, int k, TopList *list)
{
	UserRanking *ranking = state;
	const UserState *user = ranking->user;
	ItemOrder	order = ColdStartOrder(ranking->r->image, user->reason);

	if (NothingKnown(user))
		MakePopularList(ranking->r, order, ranking->leave_out_seen ? user : NULL, filter, k, list);
	else
		MakeList(ranking->r, user, filter, ranking->leave_out_seen, k, list);
}

/*
 * The best k items for a user, the most popular ones where nothing is known, with at most so many of each
 * group; items without a group are not limited.
 */
void
MakeGroupedList(Recommender *r, const UserState *user, const ListFilter *filter, Grouping *grouping,
				bool leave_out_seen, int k, TopList *list)
{
	UserRanking state = {r, user, leave_out_seen};
	Ranking		ranking = {RankForUser, &state, !NothingKnown(user)};

	CapGroups(r->image, &ranking, filter, grouping, k, list);
}

/* Lists by an order of items: a RankFunction's state. */
typedef struct OrderRanking
{
	Recommender *r;
	ItemOrder	order;
} OrderRanking;

/* The first k items of the order; a RankFunction. */
static void
RankByOrder(void *state, const ListFilter *filter, int k, TopList *list)
{
	OrderRanking *ranking = state;

	MakePopularList(ranking->r, ranking->order, NULL, filter, k, list);
}

/* MakePopularList() for nobody in particular, with at most so many items of each group. */
void
MakeGroupedPopularList(Recommender *r, ItemOrder order, const ListFilter *filter, Grouping *grouping, int k,
					   TopList *list)
{
	OrderRanking state = {r, order};
	Ranking		ranking = {RankByOrder, &state, false};

	CapGroups(r->image, &ranking, filter, grouping, k, list);
}

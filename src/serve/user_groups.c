/*
 * user_groups.c - how users are grouped: by tenant, region, sales representative.
 *
 * As group_cap.c has it for items, but that no image numbers users: a list of them is made in one pass over the model's
 * table, so all groups are read before, of candidates alone where there are any, and found by the users' ids.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "compat.h"
#include "ids/id_array.h"
#include "pg/spi_query.h"
#include "serve/user_groups.h"

/* Groups of users from an array that runs parallel to n candidates. */
void
GroupUsersByArray(Grouping *grouping, IdType *type, const int64 *candidates, int n, ArrayType *groups)
{
	int32	   *number = NumberGroups(grouping, groups, n);

	grouping->known = CreateIdMap(type);
	grouping->known_group = palloc(sizeof(int32) * Max(n, 1));
	for (int i = 0; i < n; i++)
		grouping->known_group[AddId(grouping->known, candidates[i])] = number[i];
	pfree(number);
}

/* Rows of the table on their way to the users' groups. */
typedef struct UserGroupReceiver
{
	DestReceiver pub;			/* first */
	Grouping   *grouping;
	IdType	   *type;			/* of the model's users */
	const IdMap *candidates;	/* users who are asked for; NULL: all */
	int64		capacity;		/* of known_group */
} UserGroupReceiver;

/* Takes a row of the relation: an id and a group.  A second row of a user who has a group is an error. */
static bool
ReceiveUserGroup(TupleTableSlot *slot, DestReceiver *self)
{
	UserGroupReceiver *receiver = (UserGroupReceiver *) self;
	Grouping   *grouping = receiver->grouping;
	int64		id;
	int32		group;
	int32		before = grouping->known->count;
	int32		user;

	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
		return true;
	id = IdFromColumn(&grouping->id_type, slot->tts_values[0]);
	group = NumberGroup(grouping, slot->tts_values[1], slot->tts_isnull[1]);
	if (group == 0 || (receiver->candidates && FindId(receiver->candidates, id) < 0))
		return true;
	user = AddId(grouping->known, id);
	if (user < before)
		RefuseSecondGroup(receiver->type, id, "user");
	if (user >= receiver->capacity)
	{
		receiver->capacity *= 2;
		grouping->known_group = repalloc_huge(grouping->known_group, sizeof(int32) * receiver->capacity);
	}
	grouping->known_group[user] = group;
	return true;
}

/* Before the first row. */
static void
StartupUserGroupReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	UserGroupReceiver *receiver = (UserGroupReceiver *) self;

	(void) operation;
	CheckGroupColumns(receiver->grouping, typeinfo, receiver->type, "user");
}

/* Reads the groups of all users in the relation, or of candidates (NULL: all), unless they came in an array. */
void
LoadUserGroups(Grouping *grouping, IdType *type, const IdMap *candidates)
{
	UserGroupReceiver receiver = {.grouping = grouping,.type = type,.candidates = candidates,.capacity = 1024};

	if (grouping->known)
		return;
	grouping->known = CreateIdMap(type);
	grouping->known_group = palloc(sizeof(int32) * receiver.capacity);
	receiver.pub.receiveSlot = ReceiveUserGroup;
	receiver.pub.rStartup = StartupUserGroupReceiver;
	RunPrepared(grouping->sql_all, InvalidOid, (Datum) 0, &receiver.pub);
}

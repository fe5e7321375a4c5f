/*
 * user_groups.h - how users are grouped: by tenant, region, sales representative.
 */
#ifndef MFREC_USER_GROUPS_H
#define MFREC_USER_GROUPS_H

#include "serve/group_cap.h"

extern void GroupUsersByArray(Grouping *grouping, IdType *type, const int64 *candidates, int n, ArrayType *groups);
extern void LoadUserGroups(Grouping *grouping, IdType *type, const IdMap *candidates);

/* A user's group; 0: none. */
static inline int32
GroupOfUser(const Grouping *grouping, int64 user)
{
	int32		known = FindId(grouping->known, user);

	return known < 0 ? 0 : grouping->known_group[known];
}

#endif

/*
 * user_scan.h - the best of all users of a version for an item, or by likeness to a user.
 */
#ifndef MFREC_USER_SCAN_H
#define MFREC_USER_SCAN_H

#include "serve/user_groups.h"

/* A list of users, best first. */
typedef struct UserList
{
	int			count;
	int64	   *user;			/* ids, which live as long as the memory context */
	float	   *score;
} UserList;

/* Which users may be in a list. */
typedef struct UserFilter
{
	IdMap	   *candidates;		/* only these; NULL: all */
	IdMap	   *exclude;		/* none of these, and what a search adds to them; NULL: none */
	Grouping	grouping;		/* at most so many of a group */
} UserFilter;

extern void MakeUserList(const Recommender *r, int64 item, UserFilter *filter, int k, UserList *list);
extern void MakeSimilarUsers(Recommender *r, int64 user, UserFilter *filter, int k, UserList *list);

#endif

/*
 * recommend_all.h - the lists of all users of a model, one entry after the other.
 */
#ifndef MFREC_RECOMMEND_ALL_H
#define MFREC_RECOMMEND_ALL_H

#include "storage/buffile.h"

#include "serve/group_cap.h"
#include "serve/recommend_batch.h"
#include "serve/recommender.h"
#include "source/ratings.h"

/* An entry of a user's list. */
typedef struct ListEntry
{
	int64		user;			/* ids */
	int64		item;
	double		score;			/* as it is shown */
	int			rank;			/* from 1 */
} ListEntry;

/*
 * Whether lists are without what users have, and where that is read: arguments exclude_seen and fresh of
 * mf_recommend_all.
 */
typedef enum SeenFrom
{
	SEEN_STAYS,					/* lists have it */
	SEEN_FROM_ALL,				/* the version, and the source where it is there */
	SEEN_FROM_SOURCE,			/* both; it must be there */
	SEEN_FROM_VERSION			/* that alone */
} SeenFrom;

/*
 * All users of a version, and the lists of a block of them.  A user is known by their number in `users`;
 * vectors, stored and seen have users in that order, and are read on from where the last block ended.
 */
typedef struct AllUsers
{
	Recommender r;
	MfParallel	parallel;
	SeenFrom	seen_from;
	IdMap	   *users;			/* numbers are the order in which they come */
	BufFile    *vectors;		/* bias, spread and factors of each, in that order */
	BufFile    *stored;			/* what each had at the training, in that order; NULL: not known or wanted */
	Ratings    *seen;			/* what each has in the source; NULL: nothing, or not wanted */
	MfRows		part;			/* the rows of seen that are at hand */
	Lists		lists;
	MfFilter	filter;			/* of all lists */
	int64		block_bytes;	/* that a block should not exceed */
	int32		first;			/* the block is users first .. first + n - 1 */
	int			n;
	float	   *record;			/* 2 + d: a record of the file vectors */
	float	   *vector;			/* lists.capacity x ld */
	float	   *bias;			/* lists.capacity */
	float	   *spread;			/* lists.capacity */
	int64	   *seen_start;		/* lists.capacity + 1; NULL: nothing is left out */
	int32	   *seen_items;		/* user q of the block: from seen_start[q] to seen_start[q + 1] */
	int64		seen_capacity;	/* items that there is room for */
	int			user;			/* of the block: whose entries are handed out */
	int			entry;			/* how many of them have been */
} AllUsers;

extern AllUsers *OpenAllUsers(const char *model, int32 version, SeenFrom from);
extern void PrepareLists(AllUsers *all, int k, double diversity, const ListFilter *filter, Grouping *grouping);
extern bool NextListEntry(AllUsers *all, ListEntry *entry);
extern void CloseAllUsers(AllUsers *all);

#endif

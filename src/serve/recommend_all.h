/*
 * recommend_all.h - the lists of all users of a model, one entry after the other.
 */
#ifndef MFREC_RECOMMEND_ALL_H
#define MFREC_RECOMMEND_ALL_H

#include "storage/buffile.h"

#include "serve/recommend_batch.h"
#include "serve/recommender.h"
#include "source/ratings_read.h"

/* An entry of somebody's list. */
typedef struct ListEntry
{
	int64		user;			/* ids */
	int64		item;
	double		score;
	int			rank;
} ListEntry;

/* Whether lists are without what users have, and who says what that is. */
typedef enum SeenFrom
{
	SEEN_STAYS,					/* lists have it */
	SEEN_FROM_ALL,				/* the version, and the source where it is there */
	SEEN_FROM_SOURCE,			/* both; it must be there */
	SEEN_FROM_VERSION			/* that alone */
} SeenFrom;

/* All users of a version, some of them at work. */
typedef struct Everybody
{
	Recommender r;
	MfParallel	parallel;
	IdMap	   *users;			/* numbers are the order in which they come */
	BufFile    *vectors;		/* bias and factors of each, in that order */
	BufFile    *stored;			/* what each had at the training, in that order; NULL: not known or wanted */
	Ratings    *seen;			/* what each has in the source; NULL: nothing, or not wanted */
	MfRows		part;			/* the rows of seen that are at hand */
	Lists		lists;
	int64		block_bytes;	/* what a block may take, if it can be */
	int32		first;			/* users first .. first + n - 1 are at work */
	int			n;
	float	   *record;			/* 1 + d: a record of vectors */
	float	   *vector;			/* lists.room x ld */
	float	   *bias;			/* lists.room */
	int64	   *seen_start;		/* lists.room + 1; NULL: nothing is left out */
	int32	   *seen_items;
	int64		seen_room;
	int			user;			/* of the block: whose entries are handed out */
	int			entry;			/* how many of them have been */
} Everybody;

extern Everybody *OpenEverybody(const char *model, int32 version, int k, SeenFrom from);
extern bool NextListEntry(Everybody *e, ListEntry *entry);
extern void CloseEverybody(Everybody *e);

#endif

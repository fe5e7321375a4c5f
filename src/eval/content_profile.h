/*
 * content_profile.h - what is reached by content alone: cold items by how much they are like what the user has.
 */
#ifndef MFREC_CONTENT_PROFILE_H
#define MFREC_CONTENT_PROFILE_H

#include "core/base/heap.h"
#include "core/base/threads.h"
#include "serve/recommender.h"

/*
 * What attributes say of an image's items: a row of features of each, of length 1, or without cells where nothing is
 * known.
 */
typedef struct ContentItems
{
	int64	   *start;			/* nitems of the image + 1: cells of item i are start[i] .. start[i + 1] - 1 */
	int32	   *feature;
	float	   *value;
	int32		nfeatures;
	int32		ncold;
	int32	   *cold;			/* ncold: numbers of the cold items, ascending */
} ContentItems;

/* What a thread needs beside that. */
typedef struct ContentSpace
{
	float	   *profile;		/* nfeatures, all 0 between users */
	float	   *relevant;		/* ncold scores each: of relevant items, */
	float	   *other;			/* and of the others */
} ContentSpace;

/* A user's question and answer; lists of items are ascending. */
typedef struct ContentQuery
{
	const int32 *had;			/* nhad items of the training rows */
	int64		nhad;
	const int32 *relevant;		/* nrelevant cold items, none of which the user had */
	int64		nrelevant;
	MfHeap		best;			/* result: the best cold items, once it is sorted */
	double		auc;			/* result: NaN where there are no other items */
} ContentQuery;

extern ContentItems *LoadContent(const Recommender *r, const MfParallel *parallel);
extern ContentSpace *CreateContentSpaces(const ContentItems *content, int workers);
extern void RankByContent(const ContentItems *content, ContentSpace *space, ContentQuery *query);

#endif

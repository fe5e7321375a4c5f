/*
 * user_scan.h - the best of all users of a version for an item, or by likeness to a user.
 */
#ifndef MFREC_USER_SCAN_H
#define MFREC_USER_SCAN_H

#include "core/base/heap.h"
#include "serve/recommender.h"

/* A pass over all users: their ids, and a score of each one's vector. */
typedef struct UserSearch
{
	const Recommender *recommender;
	const float *target;		/* d floats: an item's list vector, or a user's to compare with */
	bool		cosine;			/* by cosine, else by the inner product */
	double		offset;			/* added to inner products */
	IdMap	   *left_out;		/* users to leave out, */
	int32		seen_number;	/* and those whose rows name the item of this number; -1: none */
	int			k;
	MfHeap		best;			/* the k best scores so far */
	IdMap	   *users;			/* that may be among the best */
	int64		capacity;
	double	   *scores;			/* of each of them; room for capacity */
} UserSearch;

extern void InitUserSearch(UserSearch *search, const Recommender *r, int k);
extern int	FindBestUsers(UserSearch *search, int64 **ids, float **scores);

#endif

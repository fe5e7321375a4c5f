/*
 * new_items.h - items that came after the training, in lists that ask for them by id.
 */
#ifndef MFREC_NEW_ITEMS_H
#define MFREC_NEW_ITEMS_H

#include "serve/item_encode.h"
#include "serve/recommender.h"

/*
 * Items that the model does not know, but whose attributes it can read.  In a list, item j of them has the number
 * image->nitems + j.
 */
typedef struct NewItems
{
	EncodedItems items;
	bool	   *had;			/* the user has a row of it */
	double	   *boost;			/* what is added to its score, as it is shown; NULL: nothing */
	float	   *vectors;		/* list vectors, ld floats each, when they are merged with a list */
} NewItems;

extern bool FindNewItems(const Recommender *r, const int64 *ids, int n, NewItems *new);
extern void LeaveOutHad(const Recommender *r, int64 user, NewItems *new);
extern void MergeNewItems(const Recommender *r, const UserState *user, NewItems *new, int k, TopList *list);
extern double PredictNewRating(const Recommender *r, const UserState *user, const NewItems *new, int j);
extern double PredictNew(const Recommender *r, const UserState *user, const NewItems *new, int j);

#endif

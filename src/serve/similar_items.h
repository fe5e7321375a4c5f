/*
 * similar_items.h - the items whose vectors are nearest to an item's, or what their attributes alone make of these.
 */
#ifndef MFREC_SIMILAR_ITEMS_H
#define MFREC_SIMILAR_ITEMS_H

#include "serve/group_cap.h"

extern void MakeSimilarItems(const Recommender *r, int64 id, bool content, const ListFilter *filter, Grouping *grouping,
							 int k, TopList *list);

#endif

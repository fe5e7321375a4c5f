/*
 * similar_items.h - the items whose vectors are nearest to an item's.
 */
#ifndef MFREC_SIMILAR_ITEMS_H
#define MFREC_SIMILAR_ITEMS_H

#include "serve/recommender.h"

extern void MakeSimilarItems(const Recommender *r, int32 item, bool rated, int k, TopList *list);

#endif

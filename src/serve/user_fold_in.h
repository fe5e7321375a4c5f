/*
 * user_fold_in.h - a user as their current rows say: folded in, or found to be as stored.
 */
#ifndef MFREC_USER_FOLD_IN_H
#define MFREC_USER_FOLD_IN_H

#include "serve/recommender.h"

extern void RefreshUser(Recommender *r, int64 user, bool known, UserState *state);
extern bool FoldInBasket(Recommender *r, const int64 *items, const float *ratings, int n, UserState *state);
extern int	ExplainItem(Recommender *r, int64 user, int32 item, int k, int32 **items, double **contributions);

#endif

/*
 * user_priors.h - the points that users who have changed are drawn to.
 */
#ifndef MFREC_USER_PRIORS_H
#define MFREC_USER_PRIORS_H

#include "update/update_state.h"

extern void SelectUsers(Update *u);
extern float *GatherPriors(const Update *u, const Selection *users);

#endif

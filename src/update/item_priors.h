/*
 * item_priors.h - the points that items are drawn to when they are folded in.
 */
#ifndef MFREC_ITEM_PRIORS_H
#define MFREC_ITEM_PRIORS_H

#include "core/als/problem.h"
#include "update/update_state.h"

extern void ReadItemPriors(const Update *u, const Selection *items, MfProblem *problem);

#endif

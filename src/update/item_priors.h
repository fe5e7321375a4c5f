/*
 * item_priors.h - what attributes make of items that have changed: stored with them, and where they are drawn to.
 */
#ifndef MFREC_ITEM_PRIORS_H
#define MFREC_ITEM_PRIORS_H

#include "core/als/problem.h"
#include "update/update_state.h"

extern void CoolItems(Update *u);
extern void ReadItemPriors(Update *u);
extern void DrawToPriors(const Update *u, const Selection *items, MfProblem *problem);

#endif

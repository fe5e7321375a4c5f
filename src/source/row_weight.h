/*
 * row_weight.h - what an observation weighs in the objective, by the number that its row has.
 *
 * Reading and fold-in both go by this, so that a user who is folded in gets what training would give them.
 */
#ifndef MFREC_ROW_WEIGHT_H
#define MFREC_ROW_WEIGHT_H

#include <math.h>

typedef enum WeightRule
{
	WEIGHT_LINEAR,				/* number / scale */
	WEIGHT_LOG					/* log(1 + number) / scale; scale 0: 1 */
} WeightRule;

typedef struct RowWeight
{
	WeightRule	rule;
	double		scale;			/* over all observations of a training the mean weight is 1 */
} RowWeight;

/* Weights in a column of their own, which count only by what they are to each other; scale > 0: their mean. */
static inline RowWeight
LinearWeight(double scale)
{
	return (RowWeight) {WEIGHT_LINEAR, scale};
}

/*
 * Counts and other values of implicit feedback, which run from one to millions; scale: the mean of log(1 +
 * number), or 0 where there is no column of them.
 */
static inline RowWeight
LogWeight(double scale)
{
	return (RowWeight) {WEIGHT_LOG, scale};
}

/* The weight of an observation whose row has that number, which is at least 0. */
static inline float
WeightFromNumber(RowWeight weight, float number)
{
	if (weight.rule == WEIGHT_LINEAR)
		return (float) (number / weight.scale);
	return weight.scale > 0 ? (float) (log1p(number) / weight.scale) : 1.0f;
}

#endif

/*
 * row_weight.h - what an observation weighs in the objective, by the number that its row has, and by its age.
 *
 * Reading and fold-in both go by this, so that a user who is folded in gets what training would give them.
 *
 * A row's weight halves with every half-life of age before the newest row that was trained on (exponential decay:
 * Ding and Li, "Time weight collaborative filtering", 2005).  Ages count from that row and not from now, so that the
 * same rows weigh the same at any time; what came later weighs as the newest one does.
 */
#ifndef MFREC_ROW_WEIGHT_H
#define MFREC_ROW_WEIGHT_H

#include <float.h>
#include <math.h>

/* So many half-lives old is as old as a row can be: then it weighs next to nothing, and yet is an observation. */
#define MOST_HALF_LIVES 64.0

typedef enum WeightRule
{
	WEIGHT_LINEAR,				/* number / scale */
	WEIGHT_LOG					/* log(1 + number) / scale; scale 0: 1 */
} WeightRule;

typedef struct RowWeight
{
	WeightRule	rule;
	double		scale;			/* over all observations of a training but dislikes the mean weight is 1 */
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

/* The weight of an observation whose row has that number; of dislikes both are negative. */
static inline float
WeightFromNumber(RowWeight weight, float number)
{
	if (weight.rule == WEIGHT_LINEAR)
		return (float) (number / weight.scale);
	return copysignf(weight.scale > 0 ? (float) (log1p(fabsf(number)) / weight.scale) : 1.0f, number);
}

/* How rows fade; times are seconds. */
typedef struct Fading
{
	double		half_life;		/* 0: they do not */
	double		newest;			/* time of the newest row */
} Fading;

static inline bool
RowsFade(Fading fading)
{
	return fading.half_life > 0;
}

/* What is left of a row of that time: 1 of the newest one and of later ones, more than 0 of any. */
static inline float
FadeOfTime(Fading fading, double time)
{
	double		half_lives = (fading.newest - time) / fading.half_life;

	return half_lives > 0 ? (float) exp2(-fmin(half_lives, MOST_HALF_LIVES)) : 1.0f;
}

/*
 * How rows count in items' trends, by their age in half-lives: 1 / (1 + age), and not halved by each of them, as what is
 * new is forgotten fast and what has lasted slowly (hyperbolic discounting: Mazur, "An adjusting procedure for studying
 * delayed reinforcement", 1987).  So one curve serves films of the week and groceries of the season.
 */
typedef struct Trending
{
	double		half_life;		/* the age at which a row counts half; 0: items have no trends */
	double		newest;			/* time of the newest row */
	double		origin;			/* time of a row that counts 1 in sums that are kept: the newest one of a training */
} Trending;

/* Beyond so many half-lives rows count the same; twice that far apart, they still fit a FadeSum. */
#define MOST_TREND_HALF_LIVES 1e9

/* What a row of that time counts in sums that are kept: 1 of the origin's, more of later ones. */
static inline double
TrendGrowth(Trending trending, double time)
{
	double		half_lives = (time - trending.origin) / trending.half_life;
	double		growth = 1 + fmin(fabs(half_lives), MOST_TREND_HALF_LIVES);

	return half_lives < 0 ? 1 / growth : growth;
}

/* The same in units of the newest row: 1 of that and of later ones, more than 0 of any. */
static inline float
TrendOfTime(Trending trending, double time)
{
	return (float) (TrendGrowth(trending, fmin(time, trending.newest)) / TrendGrowth(trending, trending.newest));
}

/* A weight above 0, faded: still above 0. */
static inline float
FadeWeight(float weight, float fade)
{
	return fmaxf(weight * fade, FLT_MIN);
}

/*
 * The number of an implicit observation that has faded, for LinearWeight(): the logarithm is of what there was, for
 * fading is of how much it counts and not of how much it was.  value: the sum of its rows' values, negative: of a
 * dislike; fade: of its rows, the mean by their values.
 */
static inline float
FadedNumber(float value, float fade)
{
	return copysignf((float) (log1p(fabsf(value)) * fade), value);
}

/*
 * A sum of what is left of rows, as a fixed-point number: the same to the bit in whatever order they are added, and
 * fine enough for those that are as old as can be.
 */
typedef struct FadeSum
{
	uint64		whole;
	uint64		part;			/* in units of 2^-64 */
} FadeSum;

/* Adds what is left of a row: more than 0, at most 1. */
static inline void
AddFade(FadeSum *sum, float fade)
{
	uint64		part = fade < 1 ? (uint64) ldexp(fade, 64) : 0;

	sum->part += part;
	sum->whole += (fade >= 1) + (sum->part < part);
}

/* Adds another sum. */
static inline void
AddFadeSum(FadeSum *sum, FadeSum more)
{
	sum->part += more.part;
	sum->whole += more.whole + (sum->part < more.part);
}

/* The sum, rounded. */
static inline double
FadeTotal(FadeSum sum)
{
	return (double) sum.whole + ldexp((double) sum.part, -64);
}

#endif

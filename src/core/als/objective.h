/*
 * objective.h - the constants of the objective: presets, and rules that depend on the data.
 */
#ifndef MF_OBJECTIVE_H
#define MF_OBJECTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/als/problem.h"

/* How a user is folded in. */
typedef enum MfFoldRule
{
	MF_FOLD_TRAINED,			/* as training solves users */
	MF_FOLD_PLAIN,				/* factors from elsewhere: see mf_objective_imported() */
	MF_FOLD_NONE				/* factors from elsewhere, of which nothing else is known */
} MfFoldRule;

/*
 * All that a model's objective and lists are made of, once a training has settled on it.  Serving
 * needs the same numbers to fold in a user; they travel as mfrec.model_version.parameters.
 */
typedef struct MfObjective
{
	bool		has_rating;
	bool		has_interest;
	int			factors;		/* dimensions that both parts share */
	int			rating_factors; /* further ones of p_u and q_i alone, in which s_i is 0; 0 unless there are both
								 * parts */
	int			iterations;		/* at most */
	double		regularization; /* scales all terms below; 1 = the preset's own */
	double		interest_weight;
	double		alpha;			/* an observed cell weighs 1 + alpha * f(value) */
	double		taste;			/* of the predicted rating in a list's score */
	double		rating_regularization;	/* of |p_u|^2 and |q_i|^2 in the rating part, a row */
	double		rating_uncertainty; /* the same, times n^rating_exponent */
	double		rating_exponent;
	double		rating_gain;	/* p.q times this is what is predicted: see objective.c */
	double		noise;			/* c0 of the noise level, see objective.c */
	double		interest_regularization;	/* L, the noise level: times (n / mean n)^exponent */
	double		user_exponent;
	double		item_exponent;
	double		user_ratings;	/* mean number of ratings of a user, and of an item */
	double		item_ratings;
	double		bias_regularization;
	double		value_scale;	/* f(v) = log(1 + v), less what has faded, / value_scale; 0: f = 1 */
	double		weight_scale;	/* what weights of explicit feedback are divided by: their mean */
	double		half_life;		/* seconds of age in which a row loses half of its weight; 0: rows do not fade */
	double		trend_half_life;	/* the same of what rows count in items' trends; 0: they have none */
	double		trend_mean;		/* what is left of a row on average, so */
	double		trend_weight;	/* lists weigh an item by how much is left of its rows, to this power; 0: they do not */
	double		newest;			/* time of the newest row, from which ages count, in seconds; 0 without times */
	double		mean_fade;		/* what is left of a row on average: observed cells weigh 1 + alpha * mean_fade *
								 * f(value) */
	double		rating_roots;	/* the rating part takes so many square roots of a weight: ratings fade more slowly */
	double		mean;			/* of the ratings; 0 and 1 without a rating part */
	double		deviation;
	double		user_variance;	/* mean variance of users' standardized ratings around their means, by which each user's
								 * are brought to one spread (core/base/spread.c); 0: they are not */
	double		min;			/* range of the ratings: predictions stay within it */
	double		max;
	double		feature_strength;	/* what strengths are multiplied by that were found for items' features */
	MfFoldRule	fold;
	bool		item_map;		/* items without ratings have vectors, made of their features: cold ones */
	bool		value_is_confidence;	/* of factors from elsewhere: an observed cell weighs alpha * value */
} MfObjective;

/* The length of vectors: dimensions that both parts share, and those of ratings alone behind them. */
static inline int
mf_dimensions(const MfObjective *objective)
{
	return objective->factors + objective->rating_factors;
}

/* Explicit feedback: there are ratings to learn and to predict. */
static inline bool
mf_is_explicit(const MfObjective *objective)
{
	return objective->has_rating;
}

/* Both parts: how much, and whether. */
static inline bool
mf_is_joint(const MfObjective *objective)
{
	return mf_is_explicit(objective) && objective->has_interest;
}

/* The rating part alone: lists are sorted by the predicted rating. */
static inline bool
mf_ratings_alone(const MfObjective *objective)
{
	return mf_is_explicit(objective) && !objective->has_interest;
}

/*
 * What f(value), which is 1 on average, adds to the weight of an observed cell.  Rows that fade lose against cells that
 * are not observed: else the newest ones would gain what old ones lose.
 */
static inline double
mf_observed_alpha(const MfObjective *objective)
{
	return objective->half_life > 0 ? objective->alpha * objective->mean_fade : objective->alpha;
}

/* What a cell's weight is multiplied by to say how far it has faded, as the core has it; 0: rows do not fade. */
static inline float
mf_observed_fade(const MfObjective *objective)
{
	return objective->half_life > 0 ? (float) objective->mean_fade : 0.0f;
}

/* Whether a value of 0 is an observation, with the weight 1 + alpha * 0, rather than nothing. */
static inline bool
mf_observes_zeros(const MfObjective *objective)
{
	return !mf_is_explicit(objective) && objective->fold != MF_FOLD_TRAINED;
}

/* Whether an item of so many ratings is cold: a map has made its vectors. */
static inline bool
mf_is_cold(const MfObjective *objective, int64_t count)
{
	return objective->item_map && count == 0;
}

/*
 * The share of the predicted rating in the score of an item of so many ratings.  None of a cold item's where there are
 * both parts: interest that a map predicts is so small that the rating would decide alone.
 */
static inline float
mf_item_taste(const MfObjective *objective, int64_t count)
{
	return mf_is_joint(objective) && mf_is_cold(objective, count) ? 0.0f : (float) objective->taste;
}

/*
 * Adds to a cold item's vector, d floats, `times` what all of them have that the map knows something of: those of the
 * others are 0, and stay so.
 */
static inline void
mf_shift_cold(float *vector, float times, const float *shift, int d)
{
	bool		described = false;

	for (int k = 0; k < d; k++)
		described = described || vector[k] != 0.0f;
	for (int k = 0; k < d && described; k++)
		vector[k] += times * shift[k];
}

/* What presets may depend on. */
typedef struct MfDataShape
{
	int64_t		nusers;
	int64_t		nitems;
	int64_t		ncells;			/* without dislikes */
	int64_t		nfeatures;		/* of items; 0 without attributes */
	double		seconds;		/* that a training may take by the choice of its factors; infinite: any */
} MfDataShape;

extern void mf_objective_preset(MfObjective *objective, bool is_explicit, bool interest, const MfDataShape *shape);
extern void mf_objective_imported(MfObjective *objective, bool is_explicit, int factors);
extern void mf_objective_divide(MfObjective *objective, int rating_factors);
extern int	mf_default_factors(const MfDataShape *shape, bool both_parts, int iterations);
extern int	mf_default_rating_factors(const MfObjective *objective);
extern void mf_objective_settle(MfObjective *objective);
extern int	mf_slower_ratings(const MfObjective *objective);
extern float mf_item_recency(const MfObjective *objective, int64_t count, float trend);
extern double mf_user_pull(const MfObjective *objective, int64_t count);
extern double mf_user_regularization(const MfObjective *objective, int64_t count);
extern double mf_user_rating_regularization(const MfObjective *objective, int64_t count);
extern double mf_user_bias_regularization(const MfObjective *objective);

/* An array of n floats from the caller's memory. */
typedef float *MfFloats(int64_t n);

extern MfProblem mf_objective_problem(const MfObjective *objective, int64_t nusers, int64_t nitems);
extern void mf_objective_regularize(const MfObjective *objective, const int32_t *user_counts, const int32_t *item_counts,
									MfFloats *floats, MfProblem *problem);

#endif

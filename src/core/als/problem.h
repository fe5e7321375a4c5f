/*
 * problem.h - what alternating least squares minimises, and the factors that it looks for; see als.c for the formula.
 *
 * Below that what fold-in solves, for a process that has a model and no training: the same numbers, and the cells of
 * one user, whose items' vectors are found by pointers, one a cell, wherever the caller keeps them.
 */
#ifndef MF_PROBLEM_H
#define MF_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/padding.h"

/* What is minimised.  Arrays belong to the caller and stay while the problem is in use. */
typedef struct MfProblem
{
	int64_t		nusers;
	int64_t		nitems;
	int			factors;		/* d */
	bool		has_rating;		/* the rating part: p.q + biases against the standardized rating */
	bool		has_interest;	/* the interest part: p.s against 1 and 0 over all cells */
	float		interest_weight;	/* of the whole interest part; 1 where it stands alone */
	float		alpha;			/* an observed cell weighs unobserved[i] + alpha * weight */
	const float *unobserved;	/* nitems: weight of item i's cells where nothing is observed;
								 * NULL: 1 */
	const float *user_regularization;	/* nusers: factor of |p_u|^2 */
	const float *rating_regularization; /* nitems: factor of |q_i - rating_prior_i|^2; NULL without that part */
	const float *interest_regularization;	/* nitems: factor of interest_weight * |s_i -
											 * interest_prior_i|^2; or NULL */
	float		user_bias_regularization;	/* of b_u^2 */
	float		item_bias_regularization;	/* of (b_i - bias_prior_i)^2 */
	const float *user_mean;		/* mf_padded(d): the point to which users are drawn, 0 beyond shared dimensions.  The
								 * caller may change it between half-sweeps */
	const float *user_pull;		/* nusers: the part of user_regularization that multiplies |p_u -
								 * point|^2 rather than |p_u|^2; NULL: 0.  Needs an interest
								 * part */
	bool		int16;			/* half-sweeps that need not be exact may round the fixed side's vectors
								 * to 13 bits, where that is faster */
	bool		int8;			/* and to 8 bits, as long as iterations bring much: see als_int16.c */
	bool		rests;			/* and in every second of them private dimensions may rest, where there are any,
								 * and one of an item's terms by turns, if its cells weigh differently in them */
	int			shared;			/* with both parts: s_i is 0 beyond so many dimensions, and users are drawn to their
								 * mean in these alone; 0: all d */
	const float *user_rating_regularization;	/* nusers: factor of |p_u|^2 in the dimensions beyond the shared
												 * ones; NULL where there are none */
	/*
	 * The points to which items are drawn, each by the whole of its regularization; NULL: 0.  An item without cells
	 * becomes them.  The caller may change pointers and contents between half-sweeps
	 */
	const float *interest_prior;	/* nitems x mf_padded(d): of s_i; 0 beyond shared dimensions and d */
	const float *rating_prior;	/* nitems x mf_padded(d): of q_i; 0 beyond d */
	const float *bias_prior;	/* nitems: of b_i */
	const float *user_prior;	/* nusers x mf_padded(d): to which users are drawn in place of user_mean, each to their
								 * own, 0 beyond shared dimensions; NULL: to that.  It may change likewise */
	float		fade;			/* > 0: what was observed has faded by as much as fade * weight is below 1, see
								 * term.h; 0: it has not */
	int			rating_roots;	/* the rating part takes so many square roots of a cell's weight, see term.h */
	bool		weighted;		/* cells have weights: up to 96 factors nothing is rounded then */
} MfProblem;

/*
 * Factors are row-major with a leading dimension of mf_padded(d) floats, 64-byte aligned, padding
 * 0.
 */
typedef struct MfFactors
{
	float	   *user;			/* nusers x ld: p_u */
	float	   *rating;			/* nitems x ld: q_i; NULL without a rating part */
	float	   *interest;		/* nitems x ld: s_i; NULL without an interest part */
	float	   *user_bias;		/* nusers: b_u; NULL without a rating part */
	const float *user_spread;	/* nusers: what users' ratings were divided by, see core/base/spread.c; NULL: 1 */
	float	   *item_bias;		/* nitems: b_i; NULL without a rating part */
} MfFactors;

typedef enum MfSide
{
	MF_USERS,					/* solve users, items fixed */
	MF_ITEMS					/* solve items, users fixed */
} MfSide;

/* The parts of the objective that have cells. */
typedef enum MfPart
{
	MF_INTEREST,
	MF_RATING
} MfPart;

/* What fold-in needs of a model: the same numbers as in MfProblem. */
typedef struct MfFold
{
	int			factors;		/* d */
	float		interest_weight;
	float		alpha;
	float		user_bias_regularization;	/* infinite: the bias is 0 */
	const float *gram;			/* d x mf_padded(d): sum over items of unobserved[i] s_i s_i'; NULL
								 * without an interest part */
	const float *user_mean;		/* d: the point to which the user is drawn, the mean or their own; NULL: 0 */
	bool		whole;			/* alpha * weight is all that a cell weighs in the interest part, with
								 * `unobserved` in it; it may be less than that */
	int			shared;			/* with both parts: s_i is 0 beyond so many dimensions, and users are drawn to their
								 * mean in these alone; 0: all d */
	float		fade;			/* as in MfProblem */
	int			rating_roots;	/* as well */
} MfFold;

/* The cells of one user. */
typedef struct MfFoldCells
{
	int64_t		n;
	const float *const *interest;	/* n pointers to s_i (d floats); NULL: no interest part */
	const float *const *rating; /* n pointers to q_i (d floats); NULL: no rating part */
	const float *residual;		/* n: standardized rating minus b_i; with a rating part */
	const float *weight;		/* n; NULL: all 1 */
	const float *unobserved;	/* n: unobserved[i] of the cells' items; NULL: all 1 */
	float		regularization; /* user_regularization of this user */
	float		pull;			/* user_pull of this user; 0 without user_mean */
	float		rating_regularization;	/* user_rating_regularization of this user */
	const bool *outside;		/* n: cells of items that `gram` does not have; NULL: it has all of them */
} MfFoldCells;

#endif

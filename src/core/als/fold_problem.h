/*
 * fold_problem.h - what fold-in solves: a model's numbers, and the cells of one user.
 *
 * Users' counterpart of problem.h, for a process that has a model and no training: items' vectors are found by
 * pointers, one a cell, wherever the caller keeps them.
 */
#ifndef MF_FOLD_PROBLEM_H
#define MF_FOLD_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

/* What fold-in needs of a model: the same numbers as in MfProblem. */
typedef struct MfFold
{
	int			factors;		/* d */
	float		interest_weight;
	float		alpha;
	float		user_bias_regularization;	/* infinite: the bias is 0 */
	const float *gram;			/* d x mf_padded(d): sum over items of unobserved[i] s_i s_i'; NULL
								 * without an interest part */
	const float *user_mean;		/* d: the point to which users are drawn; NULL: 0 */
	bool		whole;			/* alpha * weight is all that a cell weighs in the interest part, with
								 * `unobserved` in it; it may be less than that */
	int			shared;			/* with both parts: s_i is 0 beyond so many dimensions, and users are drawn to their
								 * mean in these alone; 0: all d */
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
} MfFoldCells;

#endif

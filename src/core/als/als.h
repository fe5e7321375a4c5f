/*
 * als.h - alternating least squares for the joint objective; see als.c for the formula.
 */
#ifndef MF_ALS_H
#define MF_ALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/csr.h"
#include "core/base/error.h"
#include "core/base/padding.h"
#include "core/base/threads.h"

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
	const float *rating_regularization; /* nitems: factor of |q_i|^2; NULL without that part */
	const float *interest_regularization;	/* nitems: factor of interest_weight * |s_i|^2; or
											 * NULL */
	float		user_bias_regularization;	/* of b_u^2 */
	float		item_bias_regularization;	/* of b_i^2 */
	float	   *user_mean;		/* mf_padded(d): the point to which users are drawn.  The caller
								 * may change it between half-sweeps, which turn it with all other
								 * vectors */
	const float *user_pull;		/* nusers: the part of user_regularization that multiplies |p_u -
								 * user_mean|^2 rather than |p_u|^2; NULL: 0.  Needs an interest
								 * part */
	bool		narrow;			/* half-sweeps that need not be exact may round the fixed side's vectors
								 * to 13 bits, where that is faster; cells must have no weights then */
	int			shared;			/* with both parts: s_i is 0 beyond so many dimensions, and users are drawn to their
								 * mean in these alone; 0: all d */
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
	float	   *item_bias;		/* nitems: b_i; NULL without a rating part */
} MfFactors;

typedef enum MfSide
{
	MF_USERS,					/* solve users, items fixed */
	MF_ITEMS					/* solve items, users fixed */
} MfSide;

typedef struct MfAls MfAls;

/*
 * Fills nrows x mf_padded(nfactors) floats with numbers of mean 0 and standard deviation 0.1
 * (padding 0): number k of row r is a function of (seed, r, k) alone.
 */
extern void mf_random_factors(float *factors, int64_t nrows, int nfactors, uint64_t seed);

/*
 * A training is mf_als_init(), then any number of half-sweeps: mf_als_begin(), mf_als_rows() for
 * parts that together are all rows of the side (rows without cells too: they become 0, or the mean
 * user) in any order, and mf_als_end().  All memory is the caller's: `space` of mf_als_size()
 * bytes, any alignment, to be kept as long as the MfAls is used.  The same problem, factors and
 * rows give the same bits for any number of threads and any way of cutting rows into parts.
 *
 * exact: false lets rows be solved by an iterative method where that is faster (many factors),
 * which starts from the row's present factors, and the fixed side's vectors be rounded where the
 * problem allows it; true solves every row directly, with the fixed side as it is.
 *
 * mf_als_end() gives the objective as it is after the half-sweep (loss may be NULL).  Errors:
 * MF_CANCELLED, and MF_NOT_FINITE where numbers outgrow floats; after one, only mf_als_begin() may
 * follow, and all factors are undefined.
 */
extern size_t mf_als_size(const MfProblem *problem, const MfParallel *parallel);
extern MfAls *mf_als_init(void *space, const MfProblem *problem, const MfFactors *factors,
						  const MfParallel *parallel);
extern MfError mf_als_begin(MfAls *als, MfSide side, bool exact);
extern MfError mf_als_rows(MfAls *als, const MfRows *rows);
extern MfError mf_als_end(MfAls *als, double *loss);

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
	int			shared;			/* as in MfProblem */
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

/* What cell c weighs in the interest part: the weight of x = 1. */
static inline float
mf_fold_weight(const MfFold *fold, const MfFoldCells *cells, int64_t c)
{
	float		weight = fold->alpha * (cells->weight != NULL ? cells->weight[c] : 1.0f);

	return fold->whole ? weight : (cells->unobserved != NULL ? cells->unobserved[c] : 1.0f) + weight;
}

/* The same above what it would weigh unobserved, which is in the Gram matrix: negative where that is more. */
static inline float
mf_fold_excess(const MfFold *fold, const MfFoldCells *cells, int64_t c)
{
	float		weight = fold->alpha * (cells->weight != NULL ? cells->weight[c] : 1.0f);

	return fold->whole ? weight - (cells->unobserved != NULL ? cells->unobserved[c] : 1.0f) : weight;
}

/*
 * The vector p_u (d floats written) and bias b_u (0 without a rating part; may be NULL) that a
 * half-sweep over users would give this user: single thread, no allocation.  space: mf_fold_size()
 * bytes.
 */
extern size_t mf_fold_size(const MfFold *fold);
extern MfError mf_fold_in(const MfFold *fold, const MfFoldCells *cells, float *user, float *bias,
						  void *space);
extern double mf_fold_gradient(const MfFold *fold, const MfFoldCells *cells, const float *user,
							   float bias,
							   void *space);

#endif

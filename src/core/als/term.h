/*
 * term.h - the objective as a table of terms: what half-sweeps, losses, fold-in, gradients and explanations walk.
 *
 * Each term is a sum over cells of weight * mass * (target - p.y)^2, with the users' vector p that all terms share and
 * a vector y that items have for this term alone (with a bias: b_u + b_i besides p.y).  A cell that was observed with
 * the weight w has the mass
 *
 *     unobserved + observed * w      (or observed * w, where that is the whole of it);
 *
 * where all cells count, the others have the mass `unobserved` and the target 0.  There a negative weight says that a
 * cell was observed to be unwanted: its mass goes by |w|, and its target is 0.  So
 *
 *                weight           observed  unobserved    target               bias  all cells  dimensions  prior
 *    interest    interest_weight  alpha     of each item  1                    no    yes        shared      of s_i
 *    rating      1                1         0             standardized rating  yes   no         all         of q_i, b_i
 *
 * and to that comes weight * regularization * |y - prior|^2 of each item: what regularization draws it to is its prior,
 * 0 where there is none.
 *
 * A further term is one more row of this table and the regularization of its items.
 */
#ifndef MF_TERM_H
#define MF_TERM_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/als/problem.h"

#define MF_TERMS 2				/* by MfPart */

typedef struct MfTerm
{
	bool		present;
	int			dimensions;		/* items' vectors are 0 beyond so many of them */
	float		weight;			/* of the whole term */
	float		observed;
	const float *unobserved;	/* nitems; NULL: `empty` of all of them */
	float		empty;
	float		fade;			/* > 0: what is observed fades, see mf_cell_right() */
	int			roots;			/* of a cell's weight so many square roots are taken: see mf_term_weight() */
	bool		whole;			/* an observed cell has no part of `unobserved`, which may be more */
	bool		bias;
	bool		all_cells;		/* unobserved cells count: their sum is a Gram matrix */
	const float *regularization;	/* nitems: factor of weight * |y - prior|^2; NULL where items are not solved */
	const float *prior;			/* nitems x mf_padded(d); NULL: 0 */
	const float *bias_prior;	/* nitems: the same of the bias; NULL: 0 */
} MfTerm;

/*
 * The weight of a cell as a term takes it: each square root makes the half-life of what has faded twice as long.  Roots
 * are the same number on every processor, which powers are not; MfDense's take those of many.
 */
static inline float
mf_term_weight(const MfTerm *term, float w)
{
	for (int root = 0; root < term->roots; root++)
		w = sqrtf(w);
	return w;
}

/* Whether a cell was observed to be unwanted. */
static inline bool
mf_cell_is_dislike(float w)
{
	return w < 0.0f;
}

/* What an observed cell weighs, the term's weight apart; c0: what it would weigh unobserved. */
static inline float
mf_cell_mass(const MfTerm *term, float w, float c0)
{
	return (term->whole ? 0.0f : c0) + term->observed * fabsf(w);
}

/* The same above what the Gram matrix has of it already: below 0 where that is more. */
static inline float
mf_cell_excess(const MfTerm *term, float w, float c0)
{
	return term->observed * fabsf(w) - (term->whole ? c0 : 0.0f);
}

/*
 * What multiplies a cell's target on the right-hand side: its mass.  A cell that has faded to the share a = fade * w,
 * at most 1, is observed as far as that, and beyond it is one that is not:
 *
 *     (a unobserved + observed * w) (target - p.y)^2 + (1 - a) unobserved (0 - p.y)^2,
 *
 * so that what has faded wholly is as if it had never been there.  A dislike has the target 0 either way.
 */
static inline float
mf_cell_right(const MfTerm *term, float w, float c0)
{
	if (mf_cell_is_dislike(w))
		return 0.0f;
	return mf_cell_mass(term, w, term->fade > 0.0f ? c0 * fminf(term->fade * w, 1.0f) : c0);
}

/* Dimensions that all terms share; the others, of users and of some terms' items, come behind them. */
static inline int
mf_shared_dimensions(const MfTerm *terms, int factors)
{
	int			shared = factors;

	for (int t = 0; t < MF_TERMS; t++)
		if (terms[t].present && terms[t].dimensions < shared)
			shared = terms[t].dimensions;
	return shared;
}

/* One cell of a user who is folded in, in one term. */
typedef struct MfTermCell
{
	const float *y;				/* the item's vector: the term's dimensions */
	double		square;			/* what multiplies y y' in the user's system, above what the Gram matrix has */
	double		right;			/* what multiplies y on the right-hand side */
} MfTermCell;

/*
 * Cell c of a user in one term (part: its place in the table).  Of an item that the Gram matrix does not have all of
 * its mass is above what that has.
 */
static inline MfTermCell
mf_fold_cell(const MfTerm *term, MfPart part, const MfFoldCells *cells, int64_t c)
{
	float		w = 1.0f;
	float		c0 = !term->all_cells ? 0.0f : cells->unobserved != NULL ? cells->unobserved[c] : term->empty;
	double		target = term->bias ? cells->residual[c] : 1.0;
	MfTermCell	cell;

	if (cells->weight != NULL)
		w = mf_term_weight(term, cells->weight[c]);
	cell.y = (part == MF_RATING ? cells->rating : cells->interest)[c];
	cell.square = (double) term->weight * (cells->outside != NULL && cells->outside[c] ? mf_cell_mass(term, w, c0) :
										   mf_cell_excess(term, w, c0));
	cell.right = (double) term->weight * mf_cell_right(term, w, c0) * target;
	return cell;
}

/* How strongly regularization holds a user: in shared dimensions, and in those of ratings alone. */
static inline float
mf_fold_shift(const MfFoldCells *cells, bool shared)
{
	return shared ? cells->regularization : cells->rating_regularization;
}

extern void mf_problem_terms(const MfProblem *problem, MfTerm *terms);
extern void mf_fold_terms(const MfFold *fold, const MfFoldCells *cells, MfTerm *terms);

#endif

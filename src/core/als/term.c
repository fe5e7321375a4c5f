/*
 * term.c - the table of terms: see term.h.
 */
#include "core/als/term.h"

#include <stddef.h>

/* The terms (MF_TERMS of them, by MfPart) that a problem has. */
void
mf_problem_terms(const MfProblem *problem, MfTerm *terms)
{
	bool		both = problem->has_interest && problem->has_rating;

	terms[MF_INTEREST] = (MfTerm) {
		.present = problem->has_interest,
		.dimensions = both && problem->shared > 0 ? problem->shared : problem->factors,
		.weight = problem->interest_weight,
		.observed = problem->alpha,
		.fade = problem->fade,
		.unobserved = problem->unobserved,
		.empty = 1.0f,
		.all_cells = true,
		.regularization = problem->interest_regularization,
		.prior = problem->interest_prior
	};
	terms[MF_RATING] = (MfTerm) {
		.present = problem->has_rating,
		.dimensions = problem->factors,
		.weight = 1.0f,
		.observed = 1.0f,
		.roots = problem->rating_roots,
		.bias = true,
		.regularization = problem->rating_regularization,
		.prior = problem->rating_prior,
		.bias_prior = problem->bias_prior
	};
}

/* The same of a user who is folded in, which their cells say. */
void
mf_fold_terms(const MfFold *fold, const MfFoldCells *cells, MfTerm *terms)
{
	MfProblem	problem = {.factors = fold->factors,.shared = fold->shared,.has_rating = cells->rating != NULL,
		.has_interest = cells->interest != NULL,.interest_weight = fold->interest_weight,.alpha = fold->alpha,.fade = fold->fade,
	.rating_roots = fold->rating_roots};

	mf_problem_terms(&problem, terms);
	terms[MF_INTEREST].whole = fold->whole;
}

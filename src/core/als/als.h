/*
 * als.h - alternating least squares for the joint objective; see als.c for the formula.
 */
#ifndef MF_ALS_H
#define MF_ALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/als/problem.h"
#include "core/base/csr.h"
#include "core/base/error.h"
#include "core/base/padding.h"
#include "core/base/threads.h"

typedef struct MfAls MfAls;

/*
 * Fills nrows x mf_padded(nfactors) floats with numbers of mean 0 and standard deviation 0.1
 * (padding 0): number k of row r is a function of (seed, r, k) alone.
 */
extern void mf_random_factors(float *factors, int64_t nrows, int nfactors, uint64_t seed);

extern void mf_random_start(const MfProblem *problem, const MfFactors *factors, uint64_t seed);

/*
 * A training is mf_als_init(), then any number of half-sweeps: mf_als_begin(), mf_als_rows() for
 * parts that together are all rows of the side (rows without cells too: they become 0, the mean
 * user, or an item's priors) in any order, and mf_als_end().  All memory is the caller's: `space` of mf_als_size()
 * bytes, any alignment, to be kept as long as the MfAls is used.  The same problem, factors and
 * rows give the same bits for any number of threads and any way of cutting rows into parts.  The fixed side's
 * factors are only read, and must not change until the half-sweep ends.
 *
 * exact: false lets rows be solved by an iterative method where that is faster (many factors, or two kinds of
 * dimensions), which starts from the row's current factors, and the fixed side's vectors be rounded where the
 * problem allows it; true solves every row directly, with the fixed side as it is.  Where the
 * problem allows it, dimensions of ratings alone take part in every second such half-sweep of a side, users' in their
 * first, items' in their second, and of an item's two terms one alone is solved for from the second half-sweep of items
 * on, by turns, where its cells weigh differently in them and systems are solved side by side.
 *
 * gram: with an interest part, the sum of y y' over all rows of the fixed side (with `unobserved` as weights, if these
 * are items) in the dimensions that the parts share, shared x shared numbers as mf_gram_sums() makes them: for callers
 * that have only some of the rows, or that have it already.  NULL: made here.
 *
 * mf_als_end() gives the objective as it is after the half-sweep (loss may be NULL).  Errors:
 * MF_CANCELLED, and MF_NOT_FINITE where numbers outgrow floats; after one, only mf_als_begin() may
 * follow, and the factors of the side that was solved are undefined.
 */
extern size_t mf_als_size(const MfProblem *problem, const MfParallel *parallel);
extern MfAls *mf_als_init(void *space, const MfProblem *problem, const MfFactors *factors,
						  const MfParallel *parallel);
extern MfError mf_als_begin(MfAls *als, MfSide side, bool exact, const double *gram);
extern MfError mf_als_rows(MfAls *als, const MfRows *rows);
extern MfError mf_als_end(MfAls *als, double *loss);

/*
 * A half-sweep of items by those who have some of the users each, and one who has none (a problem of 0 users) and solves:
 * als_sums.c.  All begin it by mf_als_begin_sums(), alike; he with the sum of the others' Gram matrices, then they
 * with his basis, in arrays of mf_als_basis_floats().  Without an interest part there is none: then gram and basis
 * are NULL. Systems are those of an exact half-sweep.  Where exactness is not asked for, and the problem lets vectors
 * be rounded, users' are, and so are sums on their way.
 *
 * mf_als_sums() fills out, rows->nrows x mf_als_sums_bytes() (als_sums.h).  mf_als_solve_sums() is mf_als_rows() by
 * what `parts` of them have made, which are added in that order, NULL of one who has no cells; rows have a start
 * alone, which says of each whether it has cells.  His loss lacks the fixed side's, which each of them has for their
 * users: mf_als_fixed_loss(), from the beginning on.
 */
extern size_t mf_als_basis_floats(const MfAls *als);
extern void mf_als_get_basis(const MfAls *als, float *basis);
extern MfError mf_als_begin_sums(MfAls *als, bool exact, const double *gram, const float *basis);
extern double mf_als_fixed_loss(const MfAls *als);
extern MfError mf_als_items_loss(MfAls *als, double *loss);
extern double mf_als_gain(const MfAls *als);
extern void mf_als_set_gain(MfAls *als, double gain);
extern void mf_als_note_loss(MfAls *als, MfSide side, double loss);
extern MfError mf_als_solve_sums(MfAls *als, const MfRows *rows, const char *const *sums, int parts);

#endif

/*
 * als.c - alternating least squares for the joint objective.
 *
 * The objective
 * -------------
 * User u has a vector p_u and a bias b_u, item i two vectors q_i (rating) and s_i (interest) and a
 * bias b_i, all of d numbers.  With z the standardized rating and w the weight of an observed
 * cell, c0_i the weight of an item's unobserved cells, alpha and w0 (interest_weight) numbers, it
 * is
 *
 *       sum over observed  w (z - b_u - b_i - p_u.q_i)^2
 *     + w0 sum over observed  (c0_i + alpha |w|) (x - p_u.s_i)^2
 *     + w0 sum over all others  c0_i (p_u.s_i)^2
 *     + sum_u (ru_u - pull_u) |p_u|^2 + pull_u |p_u - point_u|^2
 *     + sum_i rq_i |q_i - q0_i|^2 + w0 sum_i rs_i |s_i - s0_i|^2
 *     + user_bias_regularization sum_u b_u^2 + rb sum_i (b_i - b0_i)^2,
 *
 * where q0, s0 and b0 are items' priors, 0 unless the caller has some.  x is 1, or 0 where the weight of an observed
 * cell is negative, a dislike, which objectives with ratings do not have.
 *
 * The third sum is one over all cells, sum_u p_u' G p_u with the Gram matrix G = sum_i c0_i s_i
 * s_i' (d x d), less its observed cells (Hu, Koren, Volinsky 2008).  With one side fixed the
 * objective falls apart into one quadratic function per row of the other, and each has its minimum
 * where
 *
 *     user:      (w0 G + ru + sum w0 alpha |w| s s' + sum w [q,1][q,1]') [p,b]
 *                                 = pull mean + sum w0 (c0 + alpha |w|) x s + sum w (z - b_i) [q,1]
 *     interest:  (c0_i G_P + rs + alpha sum |w| p p') s = rs s0 + sum (c0_i + alpha |w|) x p,   G_P = sum_u p p'
 *     rating:    ([rq,rb] + sum w [p,1][p,1]') [q,b] = [rq q0, rb b0] + sum w (z - b_u) [p,1]
 *
 * (sums over the row's cells).  A half-sweep solves all of them; two, one for each side, are an
 * iteration.
 *
 * Solving
 * -------
 * 1. The fixed side is copied into the basis in which its Gram matrix is diagonal (als_rotate.c): w0 G + ru is
 *    then a diagonal matrix B for any row.  The caller's factors stay in the basis that they have.
 * 2. A row with many cells is solved in its primal form: its vectors are gathered, scaled by the
 *    roots of their weights, into a panel that stays in the cache, and the panel's product Y'Y is
 *    added to the matrix in register tiles; then Cholesky.
 * 3. A row with fewer cells n than d is solved in its dual form: with Z = Y B^(-1/2) the solution
 *    is B^(-1/2) Z' c where (1 + Z Z') c = targets, an n x n system (Woodbury).  Where users are
 *    drawn to a mean, or items to priors, x is counted from B^-1 pull point, where regularization and
 *    the Gram matrix alone would have it.
 * 4. A bias is eliminated by a second right-hand side rather than by a further row and column.  In the
 *    dual form it is counted from where it is drawn to, as x is.
 * 5. Up to 96 factors, systems are solved side by side, one in each lane of the registers
 *    (als_batched.c); above, one at a time (als_single.c), there also by conjugate gradients
 *    from where the row stands, in the diagonal coordinates that precondition them, unless
 *    exactness is asked for.  Where a row's vectors stay in the cache, a step costs 2 n d multiplications,
 *    and two or three are enough; iALS++ with blocks of 64 would take 32 n d and more an iteration.
 * 6. Over many cells the fixed side is first rounded to whole numbers, unless exactness is asked for.  Side by side and
 *    without weights they have 8 bits, or 13 once iterations bring little more, which halves the work of step 2 and
 *    halves it again (als_int16.c); with conjugate gradients 13, which halves what they read, and multiplications take
 *    a half, too (als_whole.c), also those that turn vectors into the basis of step 1 and back (als_rotate.c).
 *    Users that have been solved so become whole numbers of 16 bits times a power of two each: they may travel
 *    (als_packed_vectors.c), and items are to be the same where they do.
 * 7. Where a row's cells weigh differently in an item's two terms, as ratings fade more slowly than choices do,
 *    each term has a matrix of its own.  The problem may let them take turns, by half-sweeps of items
 *    (choose_turn()): the term that rests is not solved for, and its part of the loss is the objective as it
 *    stands (als_rest.c).
 * 8. Rows that regularization does not hold count as held by a little more of it (ridge.h), so every
 *    system has one solution, however few its cells and whatever they weigh.  What draws them to a point
 *    is the regularization that was asked for.
 * 9. Rows without cells become the point that they are drawn to: what no one has seen is not known to be
 *    unwanted, so unobserved cells alone say nothing of it.
 *
 * The loss
 * --------
 * The minimum of a row's quadratic function, where it is solved for, is what is left of it at 0, less the inner product
 * of right-hand side and solution.  Summed over rows, and with the fixed side's regularization, that is the whole
 * objective after the half-sweep (where the fixed side is rounded, its regularization and Gram matrix are those from
 * before: they differ in the fifth digit at most, with 8 bits in the fourth).  Each row's is kept until the end and
 * added in the order of rows; none is less than 0, below which rounding alone leads.
 *
 * The same bits always
 * --------------------
 * What a row gets is a function of its cells and the fixed side alone: neither threads, nor
 * neighbours in registers, nor the way in which rows were handed over come into it.
 */
#include "core/als/als.h"

#include <math.h>
#include <string.h>

#include "core/als/als_state.h"
#include "core/als/als_int16.h"
#include "core/als/als_packed_vectors.h"
#include "core/base/arena.h"
#include "core/base/rng.h"
#include "core/kernels/int16_cells.h"

#define ROWS_PER_BLOCK 1024		/* of regularization terms */

/* Fills nrows x mf_padded(nfactors) floats with numbers of mean 0 and standard deviation 0.1. */
void
mf_random_factors(float *factors, int64_t nrows, int nfactors, uint64_t seed)
{
	int			ld = mf_padded(nfactors);

	for (int64_t r = 0; r < nrows; r++)
		for (int k = 0; k < ld; k++)
			factors[r * ld + k] = k < nfactors ?
				0.1f * mf_random_normal(seed, (uint64_t) r * 1024 + (uint64_t) k) : 0.0f;
}

/*
 * Where a training starts: items' vectors by chance, of the rating term by 2 seed and of the interest term by
 * 2 seed + 1, which are 0 beyond the dimensions that the terms share.  Users are solved first.
 */
void
mf_random_start(const MfProblem *problem, const MfFactors *factors, uint64_t seed)
{
	float	   *vectors[MF_TERMS] = {[MF_INTEREST] = factors->interest,[MF_RATING] = factors->rating};
	int			ld = mf_padded(problem->factors);
	MfTerm		terms[MF_TERMS];

	mf_problem_terms(problem, terms);
	for (int part = 0; part < MF_TERMS; part++)
	{
		if (!terms[part].present)
			continue;
		mf_random_factors(vectors[part], problem->nitems, problem->factors, 2 * seed + (part == MF_INTEREST));
		for (int64_t i = 0; i < problem->nitems; i++)
			memset(vectors[part] + i * ld + terms[part].dimensions, 0,
				   (size_t) (problem->factors - terms[part].dimensions) * sizeof(float));
	}
}

/* Whether systems are solved side by side. */
static bool
side_by_side(const MfAls *als)
{
	return als->ld <= MF_LANES_MOST_LD;
}

/* A block of dimensions that begins at `offset` of a vector: the shared ones, the private ones, or both. */
static MfBlock
make_block(const MfAls *als, int offset, bool shared, bool own)
{
	MfBlock		block = {.offset = offset};

	if (shared)
	{
		block.end[MF_SHARED] = als->shared;
		block.width = als->shared_width;
	}
	block.begin[MF_PRIVATE] = block.end[MF_PRIVATE] = block.width;
	if (own)
	{
		block.end[MF_PRIVATE] += als->own;
		block.width += als->ld - als->shared_width;
	}
	return block;
}

/* What a solver works in: terms, and the form of vectors. */
static void
choose_form(MfAls *als, const MfProblem *problem)
{
	mf_problem_terms(problem, als->term);
	als->given_ld = mf_padded(problem->factors);
	als->shared = mf_shared_dimensions(als->term, problem->factors);
	als->own = problem->factors - als->shared;
	als->shared_width = mf_padded(als->shared);
	als->ld = als->shared_width + mf_padded(als->own);
	als->rotated = als->term[MF_INTEREST].present;
	als->shared_block = make_block(als, 0, true, false);
	als->whole_block = make_block(als, 0, true, true);
	for (int k = 0; k < MF_LANES_MOST_LD; k++)
		als->each[k] = k;
}

/* Floats of the copy of the fixed side: none where it is used as it is. */
static size_t
copied_floats(const MfAls *als, const MfProblem *problem)
{
	int64_t		parts = als->term[MF_INTEREST].present + als->term[MF_RATING].present;
	int64_t		items = parts * problem->nitems;

	if (!als->rotated && !problem->int16)
		return 0;
	return (size_t) (items > problem->nusers ? items : problem->nusers) * (size_t) als->ld;
}

/* Divides a solver's workspace; start NULL only measures. */
static void
lay_out(MfAls *als, MfArena *arena, const MfProblem *problem, const MfParallel *parallel)
{
	size_t		nrows = problem->nusers > problem->nitems ? problem->nusers : problem->nitems;
	size_t		square;
	size_t		whole;
	size_t		workspace;

	choose_form(als, problem);
	square = (size_t) als->shared_width * (size_t) als->shared_width;
	als->workspace_size = side_by_side(als) ? mf_lanes_size(als) : mf_single_size(als);
	workspace = (size_t) mf_workers(parallel) * als->workspace_size;
	/* the rotation is done before rows are solved */
	if (als->rotated && mf_rotate_size(als) > workspace)
		workspace = mf_rotate_size(als);
	als->copy = mf_arena_floats(arena, copied_floats(als, problem));
	als->rotation = mf_arena_floats(arena, als->rotated ? square : 0);
	als->back = mf_arena_floats(arena, als->rotated ? square : 0);
	whole = als->rotated && problem->int16 && !side_by_side(als) ? square * sizeof(int16_t) : 0;
	als->whole_rotation = mf_arena_take(arena, whole);
	als->whole_back = mf_arena_take(arena, whole);
	als->mean = mf_arena_floats(arena, (size_t) als->ld);
	als->base = mf_arena_floats(arena, (size_t) als->ld);
	for (int part = 0; part < MF_TERMS; part++)
		als->step[part] = mf_arena_floats(arena, (size_t) als->ld);
	als->row_loss = mf_arena_take(arena, (nrows + 1) * sizeof(double));
	als->order = mf_arena_take(arena, nrows * sizeof(int32_t));
	als->block_start = mf_arena_take(arena, (nrows + 2) * sizeof(int32_t));
	als->block_widest = mf_arena_floats(arena, MF_TERMS * (nrows / ROWS_PER_BLOCK + 1));
	als->workspace = mf_arena_take(arena, workspace);
}

size_t
mf_als_size(const MfProblem *problem, const MfParallel *parallel)
{
	MfAls		als = {0};
	MfArena		arena = {NULL, 0};

	mf_arena_take(&arena, sizeof(MfAls));
	lay_out(&als, &arena, problem, parallel);
	return arena.used + 64;
}

MfAls *
mf_als_init(void *space, const MfProblem *problem, const MfFactors *factors,
			const MfParallel *parallel)
{
	MfArena		arena = mf_arena_at(space);
	MfAls	   *als = mf_arena_take(&arena, sizeof(MfAls));

	*als = (MfAls) {.problem = problem,.factors = *factors,.parallel = parallel,.gain = INFINITY,
	.last_loss = {INFINITY, INFINITY}};
	lay_out(als, &arena, problem, parallel);
	return als;
}

/* |x|^2 of row r of x; notes the largest, or one that is not finite. */
static double
row_square(const MfAls *als, const float *x, int64_t r, float *widest)
{
	float		square = als->dense->dot(x + r * als->given_ld, x + r * als->given_ld, als->given_ld);

	if (!(square <= *widest))
		*widest = square;
	return square;
}

/* The regularization terms of a user. */
static double
user_penalty(const MfAls *als, int64_t r, float *widest)
{
	const float *bias = als->factors.user_bias;
	double		square = row_square(als, als->factors.user, r, widest);
	double		sum = mf_sweep_user_penalty(als, r, als->factors.user + r * als->given_ld, square);

	if (bias != NULL)
		sum += als->problem->user_bias_regularization * (double) bias[r] * bias[r];
	return sum;
}

/* Those of an item, for all terms. */
static double
item_penalty(const MfAls *als, int64_t r, float *widest)
{
	double		sum = 0.0;

	for (int part = 0; part < MF_TERMS; part++)
	{
		double		square;

		if (!als->term[part].present)
			continue;
		square = row_square(als, als->fixed[part], r, widest + part);
		sum += mf_sweep_item_penalty(als, (MfPart) part, r, als->fixed[part] + r * als->given_ld, square);
	}
	return sum;
}

/*
 * Task: the regularization terms of ROWS_PER_BLOCK of the fixed side's rows, to
 * row_loss[block], and their largest squares.
 */
static void
sum_penalties(void *state, int64_t block, int worker)
{
	MfAls	   *als = state;
	int64_t		n = als->side == MF_USERS ? als->problem->nitems : als->problem->nusers;
	int64_t		end = (block + 1) * ROWS_PER_BLOCK < n ? (block + 1) * ROWS_PER_BLOCK : n;
	float	   *widest = als->block_widest + MF_TERMS * block;
	double		sum = 0.0;

	(void) worker;
	memset(widest, 0, MF_TERMS * sizeof(float));
	for (int64_t r = block * ROWS_PER_BLOCK; r < end; r++)
		sum += als->side == MF_ITEMS ? user_penalty(als, r, widest) : item_penalty(als, r, widest);
	als->row_loss[block] = sum;
}

/* Adds up what sum_penalties() left of so many blocks. */
static void
collect_penalties(MfAls *als, int64_t nblocks)
{
	als->fixed_loss = 0.0;
	memset(als->widest, 0, sizeof(als->widest));
	for (int64_t block = 0; block < nblocks; block++)
	{
		als->fixed_loss += als->row_loss[block];
		for (int part = 0; part < MF_TERMS; part++)
			if (!(als->block_widest[MF_TERMS * block + part] <= als->widest[part]))
				als->widest[part] = als->block_widest[MF_TERMS * block + part];
	}
	/* users have one vector for all terms */
	for (int part = 1; part < MF_TERMS && als->side == MF_ITEMS; part++)
		als->widest[part] = als->widest[0];
}

/*
 * What a half-sweep solves for, of blocks of dimensions and items' terms, where the problem lets some of it rest by
 * turns. What rests stays as it is, and so does its part of the loss.
 *
 * Private dimensions are solved for in every second half-sweep of a side alone, users' and items' by turns and users'
 * first: iterations take a sixth less, and after ten of them the objective is 1e-4 of it below where it would be if all
 * were solved for each time on sparse data, and as much as 1e-3 above on dense.
 *
 * Items' terms that are apart would need a matrix each, which costs as much more.  After the first half-sweep of items
 * they take turns, ratings first, with which private dimensions are solved for as well.
 */
static void
choose_turn(MfAls *als)
{
	bool		items = als->side == MF_ITEMS;
	int			turn = als->count[als->side];
	bool		odd = turn % 2 != 0;
	int			blocks = odd != items ? 1 : als->nblocks;

	if (als->nblocks == 1 && !als->apart)
		return;
	als->count[als->side]++;
	for (int part = 0; part < MF_TERMS; part++)
		als->solved_blocks[part] = items && als->term[part].dimensions <= als->shared ? 1 : blocks;
	if (als->apart && turn > 0)
		als->solved_blocks[odd ? MF_INTEREST : MF_RATING] = 0;
}

/* The blocks of dimensions that a half-sweep works in, and what it solves for. */
static void
choose_blocks(MfAls *als, bool exact)
{
	bool		whole = exact || !side_by_side(als);

	als->nblocks = !whole && als->own > 0 ? 2 : 1;
	als->block[0] = make_block(als, 0, true, als->nblocks == 1);
	if (als->nblocks > 1)
		als->block[1] = make_block(als, als->shared_width, false, true);
	als->solved_blocks[MF_INTEREST] = als->solved_blocks[MF_RATING] = als->nblocks;
	if (!whole && als->problem->rests)
		choose_turn(als);
}

/* Whether a half-sweep that need not be exact may round the fixed side's vectors. */
static bool
may_round(const MfAls *als)
{
	return als->problem->int16 && !als->problem->weighted && side_by_side(als) && mf_int16() != NULL;
}

/* Kernels, the blocks of dimensions, and the fixed side as the caller has it. */
static void
start_side(MfAls *als, MfSide side, bool exact)
{
	als->dense = mf_dense();
	als->cholesky = mf_cholesky();
	als->int16 = NULL;
	als->coarse = false;
	als->crossed = false;
	als->stride[MF_INTEREST] = als->stride[MF_RATING] = als->ld;
	als->may_round = !exact && may_round(als);
	als->halves = false;
	als->narrows = !exact && side == MF_USERS && als->problem->int16;
	als->side = side;
	mf_problem_terms(als->problem, als->term);	/* there may be priors by now */
	als->apart = side == MF_ITEMS && als->term[MF_INTEREST].present && als->term[MF_RATING].present &&
		als->term[MF_RATING].roots > 0;
	als->exact = exact || side_by_side(als);
	als->int16_cells = !als->exact && als->problem->int16 ? mf_int16_cells() : NULL;
	choose_blocks(als, exact);
	als->fixed[MF_INTEREST] = side == MF_ITEMS ? als->factors.user : als->factors.interest;
	als->fixed[MF_RATING] = side == MF_ITEMS ? als->factors.user : als->factors.rating;
	atomic_init(&als->error, MF_OK);
	memset(als->base, 0, (size_t) als->ld * sizeof(float));
	memset(als->mean, 0, (size_t) als->ld * sizeof(float));
}

/*
 * Prepares a half-sweep that has started: the fixed side's Gram matrix and regularization terms.  basis: given, in
 * place of gram; or NULL.
 */
static MfError
prepare(MfAls *als, const double *gram, const float *basis)
{
	const MfProblem *problem = als->problem;
	int64_t		nfixed = als->side == MF_USERS ? problem->nitems : problem->nusers;
	int64_t		nrows = als->side == MF_USERS ? problem->nusers : problem->nitems;
	int64_t		nblocks = (nfixed + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;

	if (!mf_parallel_for(als->parallel, nblocks, sum_penalties, als))
		return MF_CANCELLED;
	collect_penalties(als, nblocks);
	if (als->rotated)
	{
		MfError		error = basis != NULL ? mf_rotate_in(als, basis) : mf_rotate(als, gram, als->workspace);

		if (error != MF_OK)
			return error;
	}
	else if (als->int16_cells != NULL && mf_copy_fixed(als) != MF_OK)
		return MF_CANCELLED;
	als->base_sum = 0.0;
	for (int k = 0; k < als->shared; k++)
		als->base_sum += als->base[k];
	memset(als->row_loss, 0, (size_t) nrows * sizeof(double));
	if (als->may_round)
		return mf_int16_begin(als);
	return MF_OK;
}

MfError
mf_als_begin(MfAls *als, MfSide side, bool exact, const double *gram)
{
	start_side(als, side, exact);
	return prepare(als, gram, NULL);
}

/*
 * Begins a half-sweep of items by sums: with the Gram matrix of all users, or in a basis that was found elsewhere.
 * What is solved is as in an exact one; who has no users has nothing to round.  How much is brought by iterations
 * those who sum know from their half-sweeps of users alone.
 */
MfError
mf_als_begin_sums(MfAls *als, bool exact, const double *gram, const float *basis)
{
	start_side(als, MF_ITEMS, true);
	als->halves = !exact && als->problem->int16;
	als->may_round = !exact && als->problem->nusers > 0 && may_round(als);
	return prepare(als, gram, basis);
}

/* Floats of a basis: rotation and eigenvalues; 0 where vectors are not rotated. */
size_t
mf_als_basis_floats(const MfAls *als)
{
	return als->rotated ? (size_t) als->shared_width * (size_t) als->shared_width + (size_t) als->ld : 0;
}

/* The basis that a half-sweep has begun with. */
void
mf_als_get_basis(const MfAls *als, float *basis)
{
	size_t		square = (size_t) als->shared_width * (size_t) als->shared_width;

	if (!als->rotated)
		return;
	memcpy(basis, als->rotation, square * sizeof(float));
	memcpy(basis + square, als->base, (size_t) als->ld * sizeof(float));
}

/* What regularization makes of the fixed side. */
double
mf_als_fixed_loss(const MfAls *als)
{
	return als->fixed_loss;
}

/*
 * What regularization makes of items as they are now, which are drawn to their priors: for who solves them without
 * users, as those who have users do not know of priors.
 */
MfError
mf_als_items_loss(MfAls *als, double *loss)
{
	int64_t		nblocks = (als->problem->nitems + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;

	start_side(als, MF_USERS, true);
	if (!mf_parallel_for(als->parallel, nblocks, sum_penalties, als))
		return MF_CANCELLED;
	collect_penalties(als, nblocks);
	*loss = als->fixed_loss;
	return MF_OK;
}

/*
 * By how much the last iteration lowered the loss, which says how many bits a half-sweep has that may round: see
 * als_int16.c.  Who has some rows alone does not know what half-sweeps come to, and is told.
 */
double
mf_als_gain(const MfAls *als)
{
	return als->gain;
}

void
mf_als_set_gain(MfAls *als, double gain)
{
	als->gain = gain;
}

/* A half-sweep that might round has been done elsewhere, which came to this loss. */
void
mf_als_note_loss(MfAls *als, MfSide side, double loss)
{
	mf_int16_end(als, side, loss);
}

/* Task: solves a block of rows. */
static void
solve_block(void *state, int64_t block, int worker)
{
	MfAls	   *als = state;
	char	   *workspace = als->workspace + (size_t) worker * als->workspace_size;
	int64_t		begin = als->block_start[block];
	int64_t		end = als->block_start[block + 1];

	if (begin >= als->first_empty)
		mf_sweep_clear(als, begin, end, workspace);
	else if (side_by_side(als))
		mf_lanes_block(als, begin, end, workspace);
	else
		mf_single_block(als, begin, end, workspace);
	if (als->narrows)
		mf_vectors_round(als->problem->factors, als->factors.user + als->rows->first * als->given_ld,
						 als->order + begin, end - begin);
}

/* Solves some rows. */
MfError
mf_als_rows(MfAls *als, const MfRows *rows)
{
	int64_t		nblocks;

	als->rows = rows;
	nblocks = mf_sweep_order(als);
	if (nblocks < 0 || !mf_parallel_for(als->parallel, nblocks, solve_block, als))
		return MF_CANCELLED;
	return (MfError) atomic_load(&als->error);
}

/* The same by the sums of their cells. */
MfError
mf_als_solve_sums(MfAls *als, const MfRows *rows, const char *const *sums, int parts)
{
	MfError		error;

	als->sums = sums;
	als->nsums = parts;
	error = mf_als_rows(als, rows);
	als->sums = NULL;
	return error;
}

/* Ends a half-sweep: the objective as it is now. */
MfError
mf_als_end(MfAls *als, double *loss)
{
	int64_t		nrows = als->side == MF_USERS ? als->problem->nusers : als->problem->nitems;
	double		sum = als->fixed_loss;

	for (int64_t r = 0; r < nrows; r++)
		sum += als->row_loss[r];
	if (als->may_round)
		mf_int16_end(als, als->side, sum);
	if (loss != NULL)
		*loss = sum;
	if (atomic_load(&als->error) != MF_OK)
		return (MfError) atomic_load(&als->error);
	return isfinite(sum) ? MF_OK : MF_NOT_FINITE;
}

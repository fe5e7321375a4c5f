/*
 * als_schedule.c - the order in which rows are worked on, the form that each is solved in, and the blocks that
 * threads take.
 */
#include "core/als/als_state.h"

#include <math.h>
#include <string.h>

#define MOST_DUAL 1e3			/* trace of Z Z' in the dual form */
#define MAX_DUAL 1024			/* lengths that are told apart exactly */
#define CLASSES (2 * MAX_DUAL + 64)
#define ROWS_PER_BLOCK 4096

/* Systems that rows have in a block of dimensions, and vectors of a row of n cells in the largest of them. */
static double
systems_of(const MfAls *als, const MfBlock *block)
{
	bool		both = mf_sweep_has(als, MF_INTEREST) && mf_sweep_has(als, MF_RATING);

	return als->side == MF_ITEMS && both && mf_sweep_resting(als) == MF_TERMS && mf_block_has(block, MF_SHARED) ? 2.0 : 1.0;
}

static double
vectors_of(const MfAls *als, const MfBlock *block, double n)
{
	bool		both = mf_sweep_has(als, MF_INTEREST) && mf_sweep_has(als, MF_RATING);

	return als->side == MF_USERS && both && mf_block_has(block, MF_SHARED) ? 2.0 * n : n;
}

/* Multiply-adds, or what takes as long, for a block of a row of n cells in primal form: see als_batched.c. */
static double
primal_cost(const MfAls *als, const MfBlock *block, double n)
{
	double		ld = block->width;
	double		product = als->int16 == NULL ? 1.0 : als->coarse ? 0.25 : 0.4;

	return vectors_of(als, block, n) * (product * ld * (ld + 16.0) / 2.0 + 12.0 * ld) +
		systems_of(als, block) * (ld * ld * ld / 4.0 + 12.0 * ld * ld);
}

/* The same in dual form. */
static double
dual_cost(const MfAls *als, const MfBlock *block, double n)
{
	double		ld = block->width;
	double		m = vectors_of(als, block, n);

	return systems_of(als, block) * (m * m * ld / 2.0 + m * m * m / 4.0 + 24.0 * m * ld + 4.0 * ld * ld);
}

/* The same by conjugate gradients, with the rotation of where the row stands and of the solution. */
static double
descent_cost(const MfAls *als, const MfBlock *block, double n)
{
	double		ld = block->width;

	return systems_of(als, block) * (8.0 * vectors_of(als, block, n) * ld + 2.0 * ld * ld);
}

/*
 * The longest row that is cheaper in dual form; its vectors fit into ld, rounded up to 4 per term,
 * and so do 4 more for the mean user.
 */
static int
longest_dual(const MfAls *als, const MfBlock *block)
{
	int			n = 0;

	while (vectors_of(als, block, (n + 4) & ~3) + 4 <= als->ld &&
		   dual_cost(als, block, n + 1) < primal_cost(als, block, n + 1))
		n++;
	return n;
}

/* What a cell of weight 1 multiplies the square of its term's vector by, in a row's matrix. */
static double
cell_factor(const MfAls *als, MfPart part)
{
	const MfTerm *term = &als->term[part];

	return (double) mf_cell_excess(term, 1.0f, 0.0f) * (als->side == MF_USERS ? (double) term->weight : 1.0);
}

/* The squares of the vectors of row r's cells of one term, times their weights: their trace. */
static double
cells_trace(const MfAls *als, MfPart part, int64_t r)
{
	const MfRows *rows = als->rows;
	double		sum = 0.0;

	for (int64_t c = rows->start[r]; c < rows->start[r + 1]; c++)
	{
		const float *y = als->fixed[part] + (int64_t) rows->column[c] * als->ld;
		float		w = 1.0f;

		if (rows->weight != NULL)
			w = mf_term_weight(&als->term[part], rows->weight[c]);
		sum += fabs((double) w) * als->dense->dot(y, y, als->ld);
	}
	return sum * cell_factor(als, part);
}

/* The least shift of row r's system of a term, or 0 where it has to be raised. */
static double
least_shift(const MfAls *als, MfPart part, int64_t r)
{
	MfSystem	system;
	double		least;

	mf_sweep_system(als, part, r, &system);
	least = system.shift[MF_SHARED];
	for (int kind = 0; kind < MF_KINDS; kind++)
	{
		if (kind == MF_PRIVATE && als->own == 0)
			continue;
		if (mf_sweep_shift(als, &system, (MfKind) kind, 0.0) > system.shift[kind])
			return 0.0;
		least = fmin(least, system.shift[kind]);
	}
	return least;
}

/*
 * Whether the matrix 1 + Z Z' of row r's dual form is good enough: numbers above MOST_DUAL beside the 1
 * leave too little of it.  weight_sum: of the cells.  Mostly the largest vectors there are say so.
 */
static bool
dual_is_conditioned(const MfAls *als, int64_t r, double weight_sum)
{
	double		most = 0.0;
	double		trace = 0.0;
	double		shift = INFINITY;

	for (int part = 0; part < MF_TERMS; part++)
		if (mf_sweep_has(als, (MfPart) part))
		{
			shift = fmin(shift, least_shift(als, (MfPart) part, r));
			most += weight_sum * cell_factor(als, (MfPart) part) * als->widest[part];
		}
	if (!(shift > 1e-3f))
		return false;
	if (most <= MOST_DUAL * shift || als->int16 != NULL)
		return most <= MOST_DUAL * shift;
	for (int part = 0; part < MF_TERMS; part++)
		if (mf_sweep_has(als, (MfPart) part))
			trace += cells_trace(als, (MfPart) part, r);
	return trace <= MOST_DUAL * shift;
}

/*
 * Whether row r may be solved in dual form, which divides by the regularization and by the cells'
 * scale: neither may be next to nothing, nor the cells be so heavy that they drown it.
 */
static bool
dual_is_safe(const MfAls *als, int64_t r)
{
	const MfTerm *term = &als->term[MF_INTEREST];
	const float *weight = als->rows->weight;
	int64_t		end = als->rows->start[r + 1];
	double		sum = (double) (end - als->rows->start[r]);

	if (term->present && !(mf_cell_excess(term, 1.0f, 0.0f) > 1e-2f && term->weight > 1e-3f))
		return false;
	if (weight != NULL)
		sum = 0.0;
	for (int64_t c = als->rows->start[r]; weight != NULL && c < end; c++)
	{
		if (term->present && !(mf_cell_excess(term, weight[c], 0.0f) > 1e-2f))
			return false;
		/* no root is more than the greater of its number and 1 */
		sum += als->term[MF_RATING].roots > 0 ? fmaxf(weight[c], 1.0f) : fabsf(weight[c]);
	}
	return dual_is_conditioned(als, r, sum);
}

/*
 * Rows of a class are alike; higher classes are worked on first, and those from MAX_DUAL on are
 * primal.
 */
static int
class_of_row(const MfAls *als, int64_t r, int most_dual)
{
	int64_t		n = als->rows->start[r + 1] - als->rows->start[r];
	int			class = n < MAX_DUAL ? (int) n : MAX_DUAL;

	if (als->exact && n <= most_dual && als->sums == NULL && dual_is_safe(als, r))
		return class;
	for (int64_t length = n; length > MAX_DUAL; length /= 2)
		class++;
	return MAX_DUAL + class;
}

/* Whether the row at place k of the order takes as long as the one before it. */
static bool
is_alike(const MfAls *als, int64_t k)
{
	const int64_t *a = als->rows->start + als->order[k - 1];
	const int64_t *b = als->rows->start + als->order[k];

	return b[1] - b[0] == a[1] - a[0] && k != als->first_dual && k != als->first_empty;
}

/* Multiply-adds, or what takes as long, for the row at a place of the order. */
static double
cost_of_place(const MfAls *als, int64_t place)
{
	int64_t		r = als->order[place];
	double		n = (double) (als->rows->start[r + 1] - als->rows->start[r]);
	bool		drawn = mf_sweep_points(als, MF_INTEREST) != NULL || mf_sweep_points(als, MF_RATING) != NULL;
	double		cost = 0.0;

	if (place >= als->first_empty)
		return (drawn ? 2.0 * als->ld : 1.0) * als->ld;
	if (!als->exact)
		return descent_cost(als, &als->block[0], n);
	for (int b = 0; b < mf_sweep_blocks(als); b++)
		cost += place < als->first_dual ? primal_cost(als, &als->block[b], n) : dual_cost(als, &als->block[b], n);
	return cost;
}

/* Cuts the order of nordered rows into blocks of one or two milliseconds; returns how many. */
static int64_t
cut_blocks(MfAls *als, int64_t nordered)
{
	const double limit = 1e8;	/* multiply-adds */
	double		cost = 0.0;
	double		row_cost = 0.0;
	int64_t		nblocks = 0;
	int64_t		begin = 0;

	for (int64_t k = 0; k < nordered; k++)
	{
		if (k == 0 || !is_alike(als, k))
			row_cost = cost_of_place(als, k);
		if (k == begin)
			als->block_start[nblocks++] = (int32_t) k;
		cost += row_cost;
		/* full registers, unless rows are so long that it does not matter; and rows without cells by themselves */
		if (k + 1 == als->first_empty ||
			(cost >= limit && ((k + 1 - begin) % MF_MAX_LANES == 0 || row_cost > limit / 16)))
		{
			begin = k + 1;
			cost = 0.0;
		}
	}
	als->block_start[nblocks] = (int32_t) nordered;
	return nblocks;
}

/* What rows are sorted by. */
typedef struct Sorting
{
	const MfAls *als;
	int			most_dual;		/* cells that a row in dual form has at most */
	int32_t    *class;			/* one per row; -1: it has no cells */
} Sorting;

/* Task: the classes of ROWS_PER_BLOCK rows. */
static void
classify_block(void *state, int64_t block, int worker)
{
	const Sorting *sorting = state;
	const MfRows *rows = sorting->als->rows;
	int64_t		begin = block * ROWS_PER_BLOCK;
	int64_t		end = begin + ROWS_PER_BLOCK < rows->nrows ? begin + ROWS_PER_BLOCK : rows->nrows;

	(void) worker;
	for (int64_t r = begin; r < end; r++)
		sorting->class[r] = rows->start[r + 1] > rows->start[r] ?
			(int32_t) class_of_row(sorting->als, r, sorting->most_dual) : -1;
}

/*
 * Puts the rows of als->rows in order, long ones first, then those in dual form, and last those without cells.
 * Returns the number of blocks, or -1 when cancelled.
 */
int64_t
mf_sweep_order(MfAls *als)
{
	int64_t		place[CLASSES] = {0};
	int64_t		nrows = als->rows->nrows;
	int64_t		nordered = 0;
	/* where blocks start is not known as yet */
	Sorting		sorting = {als, longest_dual(als, &als->block[0]), als->block_start};

	if (!mf_parallel_for(als->parallel, (nrows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK, classify_block, &sorting))
		return -1;
	for (int64_t r = 0; r < nrows; r++)
		if (sorting.class[r] >= 0)
			place[sorting.class[r]]++;
	for (int class = CLASSES - 1; class >= 0; class--)
	{
		int64_t		count = place[class];

		place[class] = nordered;
		nordered += count;
		if (class == MAX_DUAL)
			als->first_dual = nordered;
	}
	als->first_empty = nordered;
	for (int64_t r = 0; r < nrows; r++)
		als->order[sorting.class[r] >= 0 ? place[sorting.class[r]]++ : nordered++] = (int32_t) r;
	return cut_blocks(als, nrows);
}

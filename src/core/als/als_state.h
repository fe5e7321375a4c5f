/*
 * als_state.h - a half-sweep in progress: what als.c shares with the solvers of rows.
 *
 * In the terms of als.c: the side that is fixed lends its vectors y, the side being solved gets vectors x.  A row's
 * system is
 *
 *     (diag(base * factor + shift) + sum over cells of scale^2 y y') x
 *                                              = pull * point + sum over cells of target * y,
 *
 * with a bias where the term has one: the cell's vector is then [y, 1].  The point is where regularization draws the
 * row: users to the mean user, or to a point of their own, by a part of it, items to their prior by the whole.
 *
 * Inside of a half-sweep vectors have `ld` floats: the dimensions that all terms share, rotated so that the Gram matrix
 * is diagonal and padded to shared_width, then those that ratings have for themselves, as they are and padded.  The
 * fixed side is copied into that form, the solved side stored from it.
 */
#ifndef MF_ALS_STATE_H
#define MF_ALS_STATE_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/als/problem.h"
#include "core/als/ridge.h"
#include "core/als/term.h"
#include "core/base/arena.h"
#include "core/base/csr.h"
#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/kernels/cholesky.h"
#include "core/kernels/dense.h"

#define MF_PANEL_ROWS 128		/* rows gathered at a time */
#define MF_PANEL_MOST 512		/* the same of whole numbers of 8 bits, which take no more space but for their sums' */
#define MF_LANES_MOST_LD 96		/* up to here systems are solved side by side */
#define MF_MAX_RIGHT 3			/* right-hand sides of a matrix: see mf_sweep_accumulate() */
#define MF_GROUP 16				/* rows that are loaded and stored together */

/* The kinds of dimensions, which regularization tells apart. */
typedef enum MfKind
{
	MF_SHARED,					/* of all terms */
	MF_PRIVATE,					/* of ratings alone */
	MF_KINDS
} MfKind;

/* Dimensions that are solved for at once. */
typedef struct MfBlock
{
	int			offset;			/* where they begin in a vector of ld floats */
	int			int16_offset;	/* and in a quantized one */
	int			width;			/* floats, a multiple of 16 */
	int			begin[MF_KINDS];	/* within the block: where the numbers of each kind begin and end; between */
	int			end[MF_KINDS];	/* and behind them are zeros */
} MfBlock;

#define MF_MAX_BLOCKS 2

/* The fixed side's vectors in whole numbers, as conjugate gradients read them: see als_whole.c. */
typedef struct MfWholeSide
{
	int16_t    *rows;			/* mf_cells_stride(ld) numbers of each */
	float	   *scale;			/* what 1 stands for, of each */
	float	   *square[MF_KINDS];	/* of each: that of its numbers of each kind of dimensions; NULL: there are none */
} MfWholeSide;

typedef struct MfAls
{
	const MfProblem *problem;
	MfFactors	factors;
	const MfParallel *parallel;
	MfTerm		term[MF_TERMS];	/* by MfPart */
	const MfDense *dense;		/* kernels, chosen at mf_als_begin() */
	const MfCholesky *cholesky;
	const struct MfInt16 *int16;	/* the fixed side is quantized: the kernels for it; or NULL */
	bool		may_round;		/* it may be in this half-sweep */
	bool		coarse;			/* and is, to 8 bits instead of 13 */
	double		gain;			/* by how much the last iteration lowered the loss: see als_int16.c */
	double		last_loss[2];	/* of each side's last half-sweep that might round */
	const MfRows *rows;			/* of mf_als_rows() in progress */
	const char *const *sums;	/* with it: the sums of their cells by who has made them, which are not here; or
								 * NULL */
	int			nsums;			/* so many have; NULL of who has no cells */
	bool		halves;			/* triangles travel in halves: als_packed_sums.c */
	bool		narrows;		/* users are rounded to what travels in half the space: als_packed_vectors.c */
	MfSide		side;
	bool		apart;			/* an item's cells weigh differently in its terms, which then share no matrix */
	bool		exact;
	bool		rotated;		/* vectors are in the basis of the Gram matrix */
	int			given_ld;		/* floats of a vector of the caller's */
	int			shared;			/* dimensions of each kind */
	int			own;
	int			shared_width;	/* floats that they take inside */
	int			ld;
	MfBlock		block[MF_MAX_BLOCKS];	/* one for all dimensions, or one for each kind */
	int			nblocks;
	int			solved_blocks[MF_TERMS];	/* so many of these are solved for by this half-sweep, for each term; the
								 * others rest: see choose_turn().  Users', who have one vector for all terms, are all alike */
	int			count[2];		/* half-sweeps of each side so far in which something might rest */
	MfBlock		shared_block;	/* of systems that have shared dimensions alone */
	MfBlock		whole_block;	/* all dimensions, of rows that are gathered at once */
	bool		crossed;		/* where blocks are two and both solved for: their products are summed with them, see
								 * als_cross.c */
	int32_t		each[MF_LANES_MOST_LD]; /* 0, 1, 2, ...: rows of a matrix */
	atomic_int	error;			/* MfError */
	double		fixed_loss;		/* the fixed side's regularization terms */
	const float *fixed[MF_TERMS];	/* the fixed side's vectors that a term's cells refer to */
	int			stride[MF_TERMS];	/* floats from one of them to the next: ld, or what whole numbers take */
	float	   *copy;			/* where they are, if they are not the caller's own */
	float	   *step[MF_TERMS];	/* ld: of quantized vectors; see mf_sweep_step() */
	const struct MfInt16Cells *int16_cells; /* the fixed side is in `whole`, not in `fixed`: the kernels for it; or
											 * NULL */
	MfWholeSide whole[MF_TERMS];	/* by MfPart */
	float	   *rotation;		/* shared_width x shared_width: the caller's basis to that of the Gram matrix */
	float	   *back;			/* and its transpose */
	int16_t    *whole_rotation;	/* both as int16_cells->turn() takes them */
	int16_t    *whole_back;
	float	   *mean;			/* ld: the mean user */
	float	   *base;			/* ld: the Gram matrix's eigenvalues; 0 without one */
	double		base_sum;		/* their sum: its trace */
	float		widest[MF_TERMS];	/* the largest square of a vector of the fixed side */
	float	   *block_widest;	/* the same of each block of the fixed side's rows, MF_TERMS x blocks */
	double	   *row_loss;		/* one per row of the larger side */
	int32_t    *order;			/* rows in the order of work: long ones first, those without cells last */
	int32_t    *block_start;	/* blocks of that order */
	int64_t		first_dual;			/* from this place of the order on rows are solved in dual form */
	int64_t		first_empty;	/* and from this one on rows have no cells */
	char	   *workspace;		/* per worker, workspace_size bytes each */
	size_t		workspace_size;
} MfAls;

/* Some cells of a row, in the terms above; sums are added to. */
typedef struct MfCells
{
	float	   *scale;			/* n */
	float	   *target;			/* n */
	float	   *weight;			/* n: scale^2, the target of a bias's vector; only with one */
	double		constant;		/* what is left of the objective at x = 0 */
	double		target_sum;		/* only with a bias */
	double		weight_sum;
} MfCells;

/* Room for a panel of rows and its cells. */
typedef struct MfPanel
{
	int			length;			/* rows it holds */
	float	   *rows;			/* (length + 1) x ld */
	float	   *scale;			/* MF_PANEL_MOST, or length if that is more; so have the others */
	float	   *target;
	float	   *weight;
	float	   *interest_target;
} MfPanel;

/* What a row's cells add up to besides matrix and right-hand sides. */
typedef struct MfRowSums
{
	double		constant[MF_TERMS]; /* a user has one system, so all is at MF_INTEREST */
	double		target_sum;
	double		weight_sum;
} MfRowSums;

/* A row on its way through the blocks of dimensions. */
typedef struct MfRowState
{
	int64_t		row;			/* within als->rows */
	const float *x;				/* ld: as it stands, in ratings; where there are several blocks, else NULL */
	const float *resting;		/* ld: an item's vector in the term that rests; NULL where none does */
	float	   *kept;			/* ratings' targets, from one block to the next; NULL: too many to keep */
	const float *point;			/* ld: where a user is drawn to; NULL: the mean user */
} MfRowState;

/* A matrix of an item's and its right-hand sides, as they travel. */
typedef struct MfSumsGroup
{
	MfPart		asked;			/* for which mf_sweep_accumulate() makes it */
	int			dimensions;		/* of the shared ones and those of ratings behind them */
	int			nright;
	int			right[MF_MAX_RIGHT];	/* which of them are used */
} MfSumsGroup;

/* One row's system besides its cells. */
typedef struct MfSystem
{
	float		factor;
	float		shift[MF_KINDS];
	float		raised[MF_KINDS];	/* what they count as: see ridge.h */
	float		bias_shift;
	float		raised_bias;
	float		pull;			/* towards the point: a part of the shift, which raising leaves as it is */
	const float *point;			/* ld: the mean user, or a row's prior once it is loaded */
	float		bias_point;		/* where bias_shift draws the bias */
	double		loss_weight;	/* of the system's loss in the objective */
	float	   *bias;			/* out; NULL: none */
} MfSystem;

/* als_cells.c */
extern bool mf_sweep_has(const MfAls *als, MfPart part);
extern const float *mf_sweep_step(const MfAls *als, MfPart part);
extern void mf_sweep_cells(const MfAls *als, MfPart part, const MfBlock *block, const MfRowState *row, int64_t begin,
						   int n, MfCells *cells);
extern void mf_sweep_accumulate(const MfAls *als, MfPart part, const MfRowState *row, int64_t next,
								const MfPanel *panel, float *matrix, MfRowSums *sums);
extern void mf_sweep_ask(const MfAls *als, int64_t place, int64_t end);
extern void mf_sweep_residuals(const MfAls *als, const MfRowState *row, int64_t next, const MfPanel *panel,
							   float *right);
extern const float *mf_sweep_rows(const MfAls *als, MfPart part, const MfBlock *block);
extern void mf_sweep_subtract(const MfAls *als, MfPart part, const MfBlock *block, const int32_t *column, const float *x,
							  int n, float *target);

/* als_packed_sums.c */
extern int	mf_sums_groups(const MfAls *als, MfSumsGroup *groups);
extern size_t mf_sums_group_bytes(const MfAls *als, const MfSumsGroup *group);
extern void mf_sums_pack(const MfAls *als, const MfSumsGroup *group, float *matrix, float *roots, const MfRowSums *sums,
						 char *out);
extern void mf_sums_take(const MfAls *als, MfPart part, int64_t row, float *matrix, float *roots, MfRowSums *sums);

/* als_cross.c */
extern void mf_cross_explain(const MfAls *als, const MfRowState *row, float *matrix, MfRowSums *sums);
extern void mf_cross_residuals(const MfAls *als, const MfRowState *row, float *matrix);

/* als_rest.c */
extern void mf_rest_account(MfAls *als, const MfRowState *row, const MfPanel *panel);

/* als_system.c */
extern void mf_sweep_system(const MfAls *als, MfPart part, int64_t r, MfSystem *system);
extern double mf_sweep_user_penalty(const MfAls *als, int64_t user, const float *x, double square);
extern double mf_sweep_item_penalty(const MfAls *als, MfPart part, int64_t item, const float *y, double square);
extern double mf_sweep_start(const MfAls *als, const MfBlock *block, const MfSystem *system, float *right);
extern float mf_sweep_shift(const MfAls *als, const MfSystem *system, MfKind kind, double cells);
extern double mf_sweep_square(const MfBlock *block, MfKind kind, const float *x, const float *point);
extern void mf_sweep_account(MfAls *als, int64_t r, const MfSystem *system, const MfBlock *block, const float *x,
							 double loss, bool good);
extern void mf_sweep_clear(MfAls *als, int64_t begin, int64_t end, char *workspace);

/* als_schedule.c */
extern int64_t mf_sweep_order(MfAls *als);

/* als_batched.c, als_single.c: rows begin .. end - 1 of the order; bytes of workspace */
extern size_t mf_lanes_size(const MfAls *als);
extern void mf_lanes_block(MfAls *als, int64_t begin, int64_t end, char *workspace);
extern size_t mf_single_size(const MfAls *als);
extern void mf_single_block(MfAls *als, int64_t begin, int64_t end, char *workspace);

/* als_whole.c */
extern void mf_whole_place(MfAls *als);
extern void mf_whole_rows(const MfAls *als, MfPart part, int64_t first, int n, const float *rows);

/* als_rotate.c */
extern size_t mf_rotate_size(const MfAls *als);
extern MfError mf_rotate(MfAls *als, const double *gram, char *space);
extern MfError mf_rotate_in(MfAls *als, const float *basis);
extern MfError mf_copy_fixed(MfAls *als);
extern float *mf_sweep_solved(const MfAls *als, MfPart part);
extern void mf_sweep_load(const MfAls *als, const float *given, const int64_t *rows, int n, float *x, float *workspace);
extern void mf_sweep_store(const MfAls *als, MfPart part, const int64_t *rows, int n, const float *x,
						   float *workspace);

/* Floats from one row of an accumulated matrix, or right-hand side, to the next. */
static inline int
mf_accumulated_ld(const MfAls *als)
{
	return als->crossed ? als->ld : als->block[0].width;
}

/* The right-hand side of ratings' targets among those of a row. */
static inline int
mf_rating_right(const MfAls *als)
{
	return als->side == MF_USERS ? 0 : 1;
}

/* Whether a block has dimensions of that kind. */
static inline bool
mf_block_has(const MfBlock *block, MfKind kind)
{
	return block->end[kind] > block->begin[kind];
}

/* Whether the side being solved is drawn to a term's priors. */
static inline bool
mf_sweep_has_prior(const MfAls *als, MfPart part)
{
	return als->side == MF_ITEMS && als->term[part].present && als->term[part].prior != NULL;
}

/*
 * Where the rows being solved are drawn to by a term, each to a point of its own, as the caller has it; NULL: there are
 * none.  Users have one vector, and one point, for all terms.
 */
static inline const float *
mf_sweep_points(const MfAls *als, MfPart part)
{
	if (als->side == MF_USERS)
		return als->problem->user_pull != NULL ? als->problem->user_prior : NULL;
	return mf_sweep_has_prior(als, part) ? als->term[part].prior : NULL;
}

/* Whether the side being solved has a vector of its own in a term: users have theirs in the first. */
static inline bool
mf_sweep_owns(const MfAls *als, MfPart part)
{
	return als->side == MF_USERS ? part == MF_INTEREST : als->term[part].present;
}

/* Blocks that this half-sweep solves for, of one term or another. */
static inline int
mf_sweep_blocks(const MfAls *als)
{
	int			most = 0;

	for (int part = 0; part < MF_TERMS; part++)
		if (als->term[part].present && als->solved_blocks[part] > most)
			most = als->solved_blocks[part];
	return most;
}

/* The term of items that rests in this half-sweep; MF_TERMS: none does. */
static inline MfPart
mf_sweep_resting(const MfAls *als)
{
	for (int part = 0; part < MF_TERMS && als->side == MF_ITEMS; part++)
		if (als->term[part].present && als->solved_blocks[part] == 0)
			return (MfPart) part;
	return MF_TERMS;
}

/*
 * Whether an item's cells are accumulated for a term, by the term for which that is asked: see mf_sweep_accumulate().
 */
static inline bool
mf_sweep_shares(const MfAls *als, MfPart asked, MfPart part)
{
	return als->term[part].present && (!als->apart || asked == part);
}

/* What the point of a system's bias adds to the bias's right-hand side; times the point, to the constant. */
static inline double
mf_bias_pull(const MfSystem *system)
{
	return system->bias_point != 0.0f ? (double) system->bias_shift * system->bias_point : 0.0;
}

static inline MfPanel
mf_panel_take(MfArena *arena, int length, int ld)
{
	MfPanel		panel;
	size_t		most = length < MF_PANEL_MOST ? MF_PANEL_MOST : (size_t) length;

	panel.length = length;
	panel.rows = mf_arena_floats(arena, (size_t) (length + 1) * (size_t) ld);
	panel.scale = mf_arena_floats(arena, most);
	panel.target = mf_arena_floats(arena, most);
	panel.weight = mf_arena_floats(arena, most);
	panel.interest_target = mf_arena_floats(arena, most);
	return panel;
}

#endif

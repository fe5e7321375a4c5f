/*
 * als_state.h - a half-sweep in progress: what als.c shares with the solvers of rows.
 *
 * In the terms of als.c: the side that is fixed lends its vectors y, the side being solved gets
 * vectors x.  A row's system is
 *
 *     (diag(base * factor + shift) + sum over cells of scale^2 y y') x
 *                                              = pull * mean + sum over cells of target * y,
 *
 * with a bias where there are ratings: the cell's vector is then [y, 1].
 */
#ifndef MF_ALS_STATE_H
#define MF_ALS_STATE_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/als/als.h"
#include "core/als/ridge.h"
#include "core/base/arena.h"
#include "core/kernels/cholesky.h"
#include "core/kernels/dense.h"

#define MF_PANEL_ROWS 128			/* rows gathered at a time */
#define MF_LANES_MOST_LD 96		/* up to here systems are solved side by side */
#define MF_MAX_RIGHT 3			/* right-hand sides of a matrix: see mf_sweep_accumulate() */

struct MfAls
{
	const MfProblem *problem;
	MfFactors	factors;
	const MfParallel *parallel;
	const MfDense *dense;		/* kernels, chosen at mf_als_begin() */
	const MfCholesky *cholesky;
	const struct MfInt16 *int16; /* the fixed side's vectors are whole numbers: their kernels; or NULL */
	const MfRows *rows;			/* of mf_als_rows() in progress */
	MfSide		side;
	bool		exact;
	int			d;
	int			ld;
	atomic_int	error;			/* MfError */
	double		fixed_loss;		/* the fixed side's regularization terms */
	float	   *step[2];		/* by MfPart, ld: of narrow vectors; see mf_sweep_step() */
	float	   *base;			/* ld: the Gram matrix's eigenvalues; 0 without an interest part */
	double		base_sum;		/* their sum: its trace */
	float		widest[2];		/* by MfPart: the largest square of a vector of the fixed side */
	float	   *block_widest;	/* the same of each block of the fixed side's rows, 2 x blocks */
	double	   *row_loss;		/* one per row of the larger side */
	int32_t    *order;			/* rows with cells, in the order of work: long ones first */
	int32_t    *block_start;	/* blocks of that order */
	int64_t		first_dual;		/* from this place of the order on rows are solved in dual form */
	char	   *scratch;		/* per worker, scratch_size bytes each */
	size_t		scratch_size;
};

/* Some cells of a row, in the terms above; sums are added to. */
typedef struct MfCells
{
	float	   *scale;			/* n */
	float	   *target;			/* n */
	float	   *weight;			/* n: scale^2, the target of a bias's vector; rating part only */
	double		constant;		/* what is left of the objective at x = 0 */
	double		target_sum;		/* rating part only */
	double		weight_sum;
} MfCells;

/* Room for a panel of rows and its cells. */
typedef struct MfPanel
{
	int			length;			/* rows it holds */
	float	   *rows;			/* length x ld */
	float	   *scale;			/* length; so are the others */
	float	   *target;
	float	   *weight;
	float	   *interest_target;
} MfPanel;

/* What a row's cells add up to besides matrix and right-hand sides. */
typedef struct MfRowSums
{
	double		constant[2];	/* by MfPart; a user has one system, so all is at MF_INTEREST */
	double		target_sum;
	double		weight_sum;
} MfRowSums;

/* One row's system besides its cells. */
typedef struct MfSystem
{
	float		factor;
	float		shift;
	float		bias_shift;
	float		pull;			/* towards the mean user */
	double		loss_weight;	/* of the system's loss in the objective */
	float	   *x;				/* ld; out */
	float	   *bias;			/* out; NULL: none */
} MfSystem;

/* als_cells.c */
extern bool mf_sweep_has(const MfAls *als, MfPart part);
extern const float *mf_sweep_vectors(const MfAls *als, MfPart part);
extern const float *mf_sweep_step(const MfAls *als, MfPart part);
extern void mf_sweep_cells(const MfAls *als, MfPart part, int64_t r, int64_t begin, int n,
						   MfCells *cells);
extern MfSystem mf_sweep_system(const MfAls *als, MfPart part, int64_t r);
extern void mf_sweep_accumulate(const MfAls *als, int64_t r, int64_t next, const MfPanel *panel,
								float *matrix, MfRowSums *sums);
extern double mf_sweep_pull(const MfAls *als, int64_t user, const float *x);
extern double mf_sweep_start(const MfAls *als, float pull, float *right);
extern double mf_sweep_shift(const MfAls *als, const MfSystem *system, double cells);
extern void mf_sweep_account(MfAls *als, int64_t r, const MfSystem *raised, MfPart part, double loss, bool good);

/* als_schedule.c */
extern int64_t mf_sweep_order(MfAls *als);

/* als_batched.c, als_single.c: rows begin .. end - 1 of the order; bytes of scratch space */
extern size_t mf_lanes_size(int ld);
extern void mf_lanes_block(MfAls *als, int64_t begin, int64_t end, char *scratch);
extern size_t mf_single_size(int ld);
extern void mf_single_block(MfAls *als, int64_t begin, int64_t end, char *scratch);

/* als_rotate.c */
extern size_t mf_rotate_size(int d, const MfParallel *parallel);
extern MfError mf_rotate(MfAls *als, bool both, char *space);

static inline MfPanel
mf_panel_take(MfArena *arena, int length, int ld)
{
	MfPanel		panel;
	size_t		bytes = (size_t) length * sizeof(float);

	panel.length = length;
	panel.rows = mf_arena_take(arena, bytes * (size_t) ld);
	panel.scale = mf_arena_take(arena, bytes);
	panel.target = mf_arena_take(arena, bytes);
	panel.weight = mf_arena_take(arena, bytes);
	panel.interest_target = mf_arena_take(arena, bytes);
	return panel;
}

#endif

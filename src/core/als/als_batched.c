/*
 * als_batched.c - rows with up to 96 factors: as many systems as a register has lanes, side by
 * side.
 *
 * Rows come in the order of their length, so that neighbours are alike.  What one row gets does not
 * depend on its neighbours: lanes never meet.
 */
#include "core/als/als_int16.h"

#include <math.h>
#include <string.h>

/* A worker's scratch space; "per lane" arrays have one number per system and place. */
typedef struct Space
{
	float	   *zero;			/* ld: the row of an empty lane */
	float	   *scale;			/* MF_MAX_LANES x length; so are the next two */
	float	   *target;
	float	   *weight;
	int			length;			/* cells of a row held at once: MF_PANEL_ROWS or ld, whichever is more */
	MfPanel		panel;
	float	   *matrix;			/* MF_MAX_LANES x (ld + MF_MAX_RIGHT) x ld: primal systems; or per
								 * lane, ld x ld: z */
	float	   *packed;			/* per lane: a triangle of ld rows */
	float	   *right;			/* per lane: 2 x ld right-hand sides */
	float	   *roots;			/* per lane: ld */
	float	   *x;				/* per lane: ld */
} Space;

/* Some rows and what is known of them. */
typedef struct Batch
{
	int			count;
	int64_t		row[MF_MAX_LANES];	/* within als->rows */
	MfRowSums	sums[MF_MAX_LANES];
} Batch;

/* Lays a worker's scratch space out; start NULL only measures. */
static Space
lay_out(MfArena *arena, int ld)
{
	Space		space;
	size_t		n = (size_t) ld;

	space.length = ld > MF_PANEL_ROWS ? ld : MF_PANEL_ROWS;
	space.zero = mf_arena_floats(arena, n);
	space.scale = mf_arena_floats(arena, MF_MAX_LANES * (size_t) space.length);
	space.target = mf_arena_floats(arena, MF_MAX_LANES * (size_t) space.length);
	space.weight = mf_arena_floats(arena, MF_MAX_LANES * (size_t) space.length);
	space.panel = mf_panel_take(arena, MF_PANEL_ROWS, ld);
	space.matrix = mf_arena_floats(arena, MF_MAX_LANES * (n + MF_MAX_RIGHT) * n);
	space.packed = mf_arena_floats(arena, MF_MAX_LANES * mf_triangle(n));
	space.right = mf_arena_floats(arena, MF_MAX_LANES * 2 * n);
	space.roots = mf_arena_floats(arena, MF_MAX_LANES * n);
	space.x = mf_arena_floats(arena, MF_MAX_LANES * n);
	return space;
}

/* Bytes of scratch space for a worker. */
size_t
mf_lanes_size(int ld)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, ld);
	return arena.used;
}

/*
 * The lanes' systems for one part, their shifts raised for these traces of their cells' parts; empty lanes
 * get 1 x = 0.
 */
static void
collect_systems(const MfAls *als, const Batch *batch, MfPart part, const float *trace, MfSystem *system,
				float *factor, float *shift)
{
	for (int l = 0; l < als->cholesky->lanes; l++)
	{
		factor[l] = 0.0f;
		shift[l] = 1.0f;
		if (l >= batch->count)
			continue;
		system[l] = mf_sweep_system(als, part, batch->row[l]);
		system[l].shift = (float) mf_sweep_shift(als, &system[l], trace[l]);
		factor[l] = system[l].factor;
		shift[l] = system[l].shift;
	}
}

/*
 * Eliminates the biases.  With y the two transformed right-hand sides (n numbers per lane): in the
 * primal form b = (target_sum - y2.y1) / (weight_sum + shift - y2.y2), in the dual b = y2.y1 /
 * (shift + y2.y2). y1 becomes y1 - b y2; explained[l]: by how much x and b lower the constant.
 */
static void
eliminate_bias(const MfAls *als, const Batch *batch, MfSystem *system, bool dual, float *y, int n,
			   double *explained)
{
	int			lanes = als->cholesky->lanes;
	float		y11[MF_MAX_LANES];
	float		y21[MF_MAX_LANES];
	float		y22[MF_MAX_LANES];
	float		b[MF_MAX_LANES] = {0};

	als->cholesky->dots(y11, y, y, n);
	als->cholesky->dots(y21, y, y + n * lanes, n);
	als->cholesky->dots(y22, y + n * lanes, y + n * lanes, n);
	for (int l = 0; l < batch->count; l++)
	{
		double		above = dual ? y21[l] : batch->sums[l].target_sum - y21[l];
		double		shift = mf_bias_ridge(system[l].bias_shift, batch->sums[l].weight_sum);
		double		below = shift + (dual ? y22[l] : batch->sums[l].weight_sum - y22[l]);

		/* in the primal form, rounding alone makes it less than shift */
		b[l] = (float) (above / (below < shift ? shift : below));
		system[l].bias_shift = (float) shift;
		*system[l].bias = b[l];
		explained[l] = (dual ? -(double) y11[l] : y11[l]) + b[l] * above;
	}
	als->cholesky->subtract(y, y + n * lanes, b, n);
}

/* Stores the lanes' vectors and losses. */
static void
store_solutions(MfAls *als, const Space *space, const Batch *batch, MfPart part,
				const MfSystem *system, const double *explained, const int32_t *bad)
{
	float	   *row[MF_MAX_LANES];

	for (int l = 0; l < als->cholesky->lanes; l++)
		row[l] = l < batch->count ? system[l].x : space->panel.rows + l * als->ld;
	als->cholesky->deinterleave(row, space->x, als->ld);
	for (int l = 0; l < batch->count; l++)
		mf_sweep_account(als, batch->row[l], &system[l], part, batch->sums[l].constant[part] - explained[l],
						 bad[l] == 0);
}

/*
 * Solves the lanes' matrices times `scale`, with right-hand side `right` (and the next for a
 * bias).
 */
static void
solve_primal(MfAls *als, const Space *space, const Batch *batch, MfPart part, bool bias,
			 float scale, int right)
{
	const MfCholesky *cholesky = als->cholesky;
	int			ld = als->ld;
	int			lanes = cholesky->lanes;
	size_t		stride = (size_t) (ld + MF_MAX_RIGHT) * (size_t) ld;
	MfSystem	system[MF_MAX_LANES];
	float		factor[MF_MAX_LANES];
	float		shift[MF_MAX_LANES];
	double		explained[MF_MAX_LANES];
	float		trace[MF_MAX_LANES];
	int32_t		bad[MF_MAX_LANES];

	cholesky->interleave_matrix(space->packed, space->matrix, stride, ld, scale);
	cholesky->traces(trace, space->packed, ld);
	collect_systems(als, batch, part, trace, system, factor, shift);
	cholesky->add_diagonal(space->packed, ld, als->base, factor, shift);
	for (size_t i = (size_t) als->d; i < (size_t) ld; i++)
		for (int l = 0; l < lanes; l++)
			space->packed[(mf_triangle(i) + i) * (size_t) lanes + (size_t) l] = 1.0f;
	for (int r = 0; r < (bias ? 2 : 1); r++)
	{
		MfLaneRows	rows;

		for (int l = 0; l < lanes; l++)
		{
			rows.row[l] = space->matrix + (size_t) l * stride + (size_t) ((ld + right + r) * ld);
			rows.scale[l] = 1.0f;
		}
		cholesky->interleave(space->right + r * ld * lanes, &rows, NULL, ld);
	}
	cholesky->factor(space->packed, ld, space->right, bias ? 2 : 1, shift, bad);
	if (bias)
		eliminate_bias(als, batch, system, false, space->right, ld, explained);
	else
	{
		float		y11[MF_MAX_LANES];

		cholesky->dots(y11, space->right, space->right, ld);
		for (int l = 0; l < batch->count; l++)
			explained[l] = y11[l];
	}
	cholesky->substitute(space->packed, ld, space->right);
	memcpy(space->x, space->right, (size_t) (ld * lanes) * sizeof(float));
	store_solutions(als, space, batch, part, system, explained, bad);
}

/* Solves rows in their primal form: ld x ld systems. */
static void
solve_long_rows(MfAls *als, const Space *space, Batch *batch)
{
	const MfProblem *problem = als->problem;
	size_t		stride = (size_t) (als->ld + MF_MAX_RIGHT) * (size_t) als->ld;

	for (int l = 0; l < batch->count; l++)
	{
		mf_sweep_accumulate(als, batch->row[l], l + 1 < batch->count ? batch->row[l + 1] : -1,
							&space->panel, space->matrix + (size_t) l * stride, &batch->sums[l]);
		if (mf_cancelled(als->parallel))
			return;
	}
	for (int l = batch->count; l < als->cholesky->lanes; l++)
		memset(space->matrix + (size_t) l * stride, 0, stride * sizeof(float));
	if (als->side == MF_USERS)
		solve_primal(als, space, batch, MF_INTEREST, problem->has_rating, 1.0f, 0);
	else
	{
		if (problem->has_interest)
			solve_primal(als, space, batch, MF_INTEREST, false, problem->alpha, 0);
		if (problem->has_rating)
			solve_primal(als, space, batch, MF_RATING, true, 1.0f, 1);
	}
}

/*
 * One lane's cells in dual form, from place `offset` of its per-lane arrays on: scale, and
 * target and weight divided by scale.
 */
static void
fill_lane(const MfAls *als, const Space *space, Batch *batch, int lane, MfPart part, MfPart system,
		  int offset)
{
	int64_t		begin = als->rows->start[batch->row[lane]];
	int			n = (int) (als->rows->start[batch->row[lane] + 1] - begin);
	size_t		place = (size_t) lane * space->length + offset;
	MfCells		cells = {0};
	double		constant;

	cells.scale = space->scale + place;
	cells.target = space->target + place;
	cells.weight = space->weight + place;
	mf_sweep_cells(als, part, batch->row[lane], begin, n, &cells);
	constant = cells.constant;
	for (int k = 0; k < n; k++)
	{
		float		scale = cells.scale[k];

		if (part == MF_INTEREST)
		{
			if (als->side == MF_ITEMS)
				scale = cells.scale[k] *= sqrtf(als->problem->alpha);
			cells.weight[k] = 0.0f;
			cells.target[k] /= scale;
		}
		else
		{
			/* scale^2 is the weight, which may be 0 */
			cells.target[k] = scale > 0.0f ? cells.target[k] / scale : 0.0f;
			cells.weight[k] = scale;
		}
		constant -= (double) cells.target[k] * cells.target[k];
	}
	batch->sums[lane].constant[system] += constant;
	batch->sums[lane].weight_sum += cells.weight_sum;
}

/* The fixed side's vector that a cell in column i refers to; lanes have a place each for narrow ones. */
static const float *
fixed_row(const MfAls *als, const Space *space, MfPart part, int lane, int64_t i)
{
	const float *rows = mf_sweep_vectors(als, part);
	float	   *wide = space->panel.rows + lane * als->ld;

	if (als->int16 == NULL)
		return rows + i * als->ld;
	als->int16->dequantize_row(wide, rows, als->ld, i, mf_sweep_step(als, part));
	return wide;
}

/*
 * z, side by side, of one part's cells, as its rows offset .. offset + n - 1; shorter lanes get
 * zeros.
 */
static void
interleave_cells(const MfAls *als, const Space *space, const Batch *batch, MfPart part, int offset,
				 int n)
{
	int			lanes = als->cholesky->lanes;
	MfLaneRows	rows;

	for (int k = 0; k < n; k++)
	{
		for (int l = 0; l < lanes; l++)
		{
			const int32_t *column;

			rows.row[l] = space->zero;
			rows.scale[l] = 0.0f;
			if (l >= batch->count)
				continue;
			column = als->rows->column + als->rows->start[batch->row[l]];
			if (k < als->rows->start[batch->row[l] + 1] - als->rows->start[batch->row[l]])
			{
				rows.row[l] = fixed_row(als, space, part, l, column[k]);
				rows.scale[l] = space->scale[l * space->length + offset + k];
			}
		}
		als->cholesky->interleave(space->matrix + (size_t) ((offset + k) * als->ld * lanes), &rows,
							   space->roots, als->ld);
	}
}

/* The length of the longest row of a batch, rounded up to a multiple of 4. */
static int
longest_row(const MfAls *als, const Batch *batch)
{
	int			longest = 0;

	for (int l = 0; l < batch->count; l++)
	{
		const int64_t *start = als->rows->start + batch->row[l];

		if (start[1] - start[0] > longest)
			longest = (int) (start[1] - start[0]);
	}
	return (longest + 3) & ~3;
}

/* Right-hand side r (0: targets, 1: weights) of n numbers per lane from the per-lane arrays. */
static void
interleave_right(const MfAls *als, const Space *space, int n, int r)
{
	MfLaneRows	rows;

	for (int l = 0; l < als->cholesky->lanes; l++)
	{
		rows.row[l] = (r == 0 ? space->target : space->weight) + l * space->length;
		rows.scale[l] = 1.0f;
	}
	als->cholesky->interleave(space->x, &rows, NULL, (n + 15) & ~15);
	memcpy(space->right + r * n * als->cholesky->lanes, space->x,
		   (size_t) (n * als->cholesky->lanes) * sizeof(float));
}

/*
 * Counts the lanes' vectors from where the mean user draws them: h = B^(-1/2) pull mean follows
 * the n rows of z (and 3 of zeros), so that the products, which are made here, hold z h and h h.
 * Targets become t - z h, and what is explained grows.
 */
static void
pull_lanes(const MfAls *als, const Space *space, const Batch *batch, const MfSystem *system, int n,
		   double *pulled)
{
	int			ld = als->ld;
	int			lanes = als->cholesky->lanes;
	const float *mean = als->problem->user_mean;
	const float *products = space->packed + mf_triangle((size_t) n) * (size_t) lanes;
	float		ones[MF_MAX_LANES];
	MfLaneRows	rows;

	for (int l = 0; l < lanes; l++)
	{
		rows.row[l] = mean;
		rows.scale[l] = l < batch->count ? system[l].pull : 0.0f;
		ones[l] = 1.0f;
	}
	als->cholesky->interleave(space->matrix + (size_t) (n * ld * lanes), &rows, space->roots, ld);
	memset(space->matrix + (size_t) ((n + 1) * ld * lanes), 0,
		   3 * (size_t) (ld * lanes) * sizeof(float));
	als->cholesky->products(space->packed, space->matrix, n + 4, ld);
	als->cholesky->subtract(space->right, products, ones, n);
	for (int l = 0; l < batch->count; l++)
		pulled[l] = (double) products[n * lanes + l] - 1.0 -
			(double) system[l].pull * als->dense->dot(mean, mean, ld);
}

/* One system of each lane in its dual form: the rows' cells of one part, or of both (users). */
static void
solve_dual(MfAls *als, const Space *space, Batch *batch, MfPart system_part, bool interest,
		   bool rating)
{
	const MfCholesky *cholesky = als->cholesky;
	int			ld = als->ld;
	int			lanes = cholesky->lanes;
	int			longest = longest_row(als, batch);
	int			n = longest * (interest + rating);
	MfSystem	system[MF_MAX_LANES] = {0};
	float		factor[MF_MAX_LANES];
	float		shift[MF_MAX_LANES];
	double		explained[MF_MAX_LANES] = {0};
	double		pulled[MF_MAX_LANES] = {0};
	float		nothing[MF_MAX_LANES] = {0};	/* cells so light that their trace does not matter */
	float		ones[MF_MAX_LANES];
	int32_t		bad[MF_MAX_LANES];
	bool		pull = als->side == MF_USERS && als->problem->user_pull != NULL;

	collect_systems(als, batch, system_part, nothing, system, factor, shift);
	cholesky->inverse_roots(space->roots, als->d, als->base, factor, shift);
	memset(space->roots + als->d * lanes, 0, (size_t) ((ld - als->d) * lanes) * sizeof(float));
	memset(space->target, 0, (size_t) (lanes * space->length) * sizeof(float));
	memset(space->weight, 0, (size_t) (lanes * space->length) * sizeof(float));
	for (int l = 0; l < batch->count; l++)
	{
		if (interest)
			fill_lane(als, space, batch, l, MF_INTEREST, system_part, 0);
		if (rating)
			fill_lane(als, space, batch, l, MF_RATING, system_part, interest ? longest : 0);
	}
	if (interest)
		interleave_cells(als, space, batch, MF_INTEREST, 0, longest);
	if (rating)
		interleave_cells(als, space, batch, MF_RATING, interest ? longest : 0, longest);
	interleave_right(als, space, n, 0);
	if (rating)
		interleave_right(als, space, n, 1);
	if (pull)
		pull_lanes(als, space, batch, system, n, pulled);
	else
		cholesky->products(space->packed, space->matrix, n, ld);
	for (int l = 0; l < lanes; l++)
		ones[l] = 1.0f;
	cholesky->factor(space->packed, n, space->right, rating ? 2 : 1, ones, bad);
	if (rating)
		eliminate_bias(als, batch, system, true, space->right, n, explained);
	else
	{
		float		y11[MF_MAX_LANES];

		cholesky->dots(y11, space->right, space->right, n);
		for (int l = 0; l < batch->count; l++)
			explained[l] = -y11[l];
	}
	cholesky->substitute(space->packed, n, space->right);
	for (int l = 0; l < lanes && pull; l++)
	{
		explained[l] += pulled[l];
		for (int k = 0; k < 4; k++)
			space->right[(n + k) * lanes + l] = k == 0 ? 1.0f : 0.0f;
	}
	cholesky->combine(space->x, space->matrix, space->right, space->roots, pull ? n + 4 : n, ld);
	store_solutions(als, space, batch, system_part, system, explained, bad);
}

/* Solves rows in their dual form: one number per cell. */
static void
solve_short_rows(MfAls *als, const Space *space, Batch *batch)
{
	const MfProblem *problem = als->problem;

	if (als->side == MF_USERS)
		solve_dual(als, space, batch, MF_INTEREST, problem->has_interest, problem->has_rating);
	else
	{
		if (problem->has_interest)
			solve_dual(als, space, batch, MF_INTEREST, true, false);
		if (problem->has_rating)
			solve_dual(als, space, batch, MF_RATING, false, true);
	}
}

/* Solves the rows begin .. end - 1 of als->order. */
void
mf_lanes_block(MfAls *als, int64_t begin, int64_t end, char *scratch)
{
	MfArena		arena = {scratch, 0};
	Space		space = lay_out(&arena, als->ld);
	int			lanes = als->cholesky->lanes;
	int64_t		first_dual = als->first_dual;

	memset(space.zero, 0, (size_t) als->ld * sizeof(float));
	for (int64_t k = begin; k < end && !mf_cancelled(als->parallel);)
	{
		Batch		batch;
		int64_t		stop = k < first_dual && first_dual < end ? first_dual : end;

		memset(&batch, 0, sizeof(batch));
		while (batch.count < lanes && k < stop)
			batch.row[batch.count++] = als->order[k++];
		if (k <= first_dual)
			solve_long_rows(als, &space, &batch);
		else
			solve_short_rows(als, &space, &batch);
	}
}

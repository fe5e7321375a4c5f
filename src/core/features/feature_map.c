/*
 * feature_map.c - the linear map from features to factors: a ridge regression by conjugate gradients.
 *
 * With G = the matrix of features times their scales (n x F), W the weights of items and Y their vectors (n x d), B
 * (F x d) solves
 *
 *		(G' W G + ridge) B = G' W Y
 *
 * F x F is never formed: F may be tens of thousands.  A step multiplies by G and by G', and what is known from the
 * last sweep is where the next one starts, so a few steps are enough.  The diagonal is the preconditioner (Jacobi): a
 * genre and a rare word differ by orders of magnitude.  Columns of Y share passes over the cells, and apart from that
 * know nothing of each other: each has its own direction and step length.
 *
 * Sums over features are made of blocks of ROWS in their order, and products row by row (feature_product.c), so no
 * number depends on threads.
 *
 * What is kept beside B is as long as Y, so columns are solved in groups, as many at once as MOST_BYTES has room for.
 */
#include "core/features/feature_map.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/features/feature_product.h"

#define MOST_BYTES ((size_t) 64 << 20)	/* of what belongs to columns, unless 16 of them take more */
#define LEAST_COLUMNS 16
#define ROWS 256				/* features, or items, of a task of dense loops; also what one sum is over */
#define LEAST 1e-30				/* what is divided by, at least, as in 0 / 0 */

/* Sums over features, for each column. */
typedef enum Sum
{
	SQUARES,					/* residual . residual */
	PRODUCTS,					/* residual . preconditioned residual, or direction . product */
	SUMS
} Sum;

/* A regression at work, of columns first .. first + width - 1. */
typedef struct Solver
{
	const MfMapFit *fit;
	int			stride;			/* of y and b */
	int			width;
	const float *y;				/* nitems x width, stride: the columns at work */
	float	   *b;				/* nfeatures x width, stride */
	float	   *items;			/* nitems x width: what G' is multiplied with */
	float	   *residual;		/* nfeatures x width, as the next two */
	float	   *direction;
	float	   *product;		/* the matrix times direction */
	float	   *inverse;		/* nfeatures: of the diagonal; 0 where that is 0 */
	double	   *part;			/* SUMS x width for every ROWS features */
	double	   *total;			/* SUMS x width: their sums, in order */
	float	   *length;			/* width: of the step, or of the old direction in the new one */
	double	   *known;			/* width: residual . preconditioned residual */
} Solver;

/* Columns solved at once: all, or the fewest equal groups that fit. */
static int
columns_at_once(int64_t nitems, int32_t nfeatures, int factors)
{
	size_t		each = ((size_t) nitems + 3 * (size_t) nfeatures) * sizeof(float) + 1;
	int			stride = mf_map_stride(factors);
	size_t		most = MOST_BYTES / each / LEAST_COLUMNS * LEAST_COLUMNS;
	int			groups;

	if (stride == 1 || most >= (size_t) stride)
		return stride;
	if (most < LEAST_COLUMNS)
		return LEAST_COLUMNS;
	groups = (stride + (int) most - 1) / (int) most;
	return mf_padded((stride + groups - 1) / groups);
}

/* Blocks of ROWS rows. */
static int64_t
blocks_of(int64_t nrows)
{
	return (nrows + ROWS - 1) / ROWS;
}

/* Takes the arrays of a solver; start NULL only measures. */
static void
lay_out(Solver *solver, MfArena *arena, int64_t nitems, int32_t nfeatures, int factors)
{
	size_t		width = (size_t) columns_at_once(nitems, nfeatures, factors);
	size_t		features = (size_t) nfeatures * width;

	solver->stride = mf_map_stride(factors);
	solver->items = mf_arena_floats(arena, (size_t) nitems * width);
	solver->residual = mf_arena_floats(arena, features);
	solver->direction = mf_arena_floats(arena, features);
	solver->product = mf_arena_floats(arena, features);
	solver->inverse = mf_arena_floats(arena, (size_t) nfeatures);
	solver->part = mf_arena_take(arena, (size_t) blocks_of(nfeatures) * SUMS * width * sizeof(double));
	solver->total = mf_arena_take(arena, SUMS * width * sizeof(double));
	solver->length = mf_arena_floats(arena, width);
	solver->known = mf_arena_take(arena, width * sizeof(double));
}

/*
 * Bytes of workspace for mf_map_fit(), of any alignment, for as many items and features or fewer: below 70 MB unless
 * there are over a million items.
 */
size_t
mf_map_size(int64_t nitems, int32_t nfeatures, int factors, const MfParallel *parallel)
{
	Solver		solver;
	MfArena		arena = {NULL, 0};
	size_t		stride = (size_t) mf_map_stride(factors);
	size_t		most;

	(void) parallel;
	lay_out(&solver, &arena, nitems, nfeatures, factors);
	if (columns_at_once(nitems, nfeatures, factors) == (int) stride)
		return arena.used + 64;

	/*
	 * fewer rows may be solved in fewer groups: these have all that columns may have, and what belongs to none of them
	 */
	most = MOST_BYTES + (size_t) nfeatures * sizeof(float) +
		((size_t) blocks_of(nfeatures) + 3) * SUMS * stride * sizeof(double) + 1024;
	return (arena.used > most ? arena.used : most) + 64;
}

/* Runs a task for every ROWS of nrows rows; few are worth no threads. */
static MfError
run_blocks(Solver *solver, int64_t nrows, MfTaskFunction task)
{
	MfParallel	parallel = *solver->fit->parallel;

	if (nrows * solver->width < 100000)
		parallel.nthreads = 1;
	return mf_parallel_for(&parallel, blocks_of(nrows), task, solver) ? MF_OK : MF_CANCELLED;
}

/* The same for features, and adds up what tasks have left in `part`, block by block. */
static MfError
run_sums(Solver *solver, MfTaskFunction task)
{
	int32_t		nfeatures = solver->fit->matrix->nfeatures;
	int			n = SUMS * solver->width;
	MfError		error = run_blocks(solver, nfeatures, task);

	memset(solver->total, 0, (size_t) n * sizeof(double));
	for (int64_t block = 0; block < blocks_of(nfeatures) && error == MF_OK; block++)
		for (int k = 0; k < n; k++)
			solver->total[k] += solver->part[block * n + k];
	for (int k = 0; k < n && error == MF_OK; k++)
		if (!isfinite(solver->total[k]))
			error = MF_NOT_FINITE;
	return error;
}

/* The end of a block of rows. */
static int64_t
block_end(int64_t block, int64_t nrows)
{
	return (block + 1) * ROWS < nrows ? (block + 1) * ROWS : nrows;
}

/* The sums of a block, zero. */
static double *
block_sums(Solver *solver, int64_t block)
{
	return memset(solver->part + block * SUMS * solver->width, 0, (size_t) (SUMS * solver->width) * sizeof(double));
}

/* Task: items = W Y; items that are left out may have anything in Y. */
static void
weigh_items(void *state, int64_t block, int worker)
{
	Solver	   *solver = state;
	const MfMapFit *fit = solver->fit;
	int64_t		end = block_end(block, fit->matrix->nitems);

	(void) worker;
	for (int64_t i = block * ROWS; i < end; i++)
	{
		const float *y = solver->y + i * solver->stride;
		float	   *out = solver->items + i * solver->width;
		float		weight = fit->weight != NULL ? fit->weight[i] : 1.0f;

		for (int k = 0; k < solver->width; k++)
			out[k] = weight != 0.0f ? weight * y[k] : 0.0f;
	}
}

/*
 * What follows is done to blocks of features, LANES columns at a time, or one where there is only one: a constant where
 * it is inlined, for compilers make registers of loops of constant length.  Lengths are a column's own.
 */
#define LANES 16
#define COLUMNS static inline __attribute__((always_inline)) void

/* A function of a block of features, for LANES columns or one. */
#define FOR_COLUMNS(function, solver, block) \
	do { \
		if ((solver)->width == 1) \
			function(solver, block, 1); \
		else \
			function(solver, block, LANES); \
	} while (0)

/* product += ridge direction, and direction . product */
COLUMNS
complete_columns(Solver *solver, int64_t block, const int lanes)
{
	double	   *sums = block_sums(solver, block) + PRODUCTS * solver->width;
	int64_t		end = block_end(block, solver->fit->matrix->nfeatures) * solver->width;
	float		ridge = solver->fit->ridge;

	for (int64_t at = block * ROWS * solver->width; at < end; at += lanes)
	{
		const float *restrict direction = solver->direction + at;
		float	   *restrict product = solver->product + at;
		double	   *restrict sum = sums + at % solver->width;

		for (int k = 0; k < lanes; k++)
		{
			product[k] += ridge * direction[k];
			sum[k] += (double) direction[k] * product[k];
		}
	}
}

/* The residual's sums. */
COLUMNS
sum_columns(Solver *solver, int64_t block, const int lanes)
{
	double	   *sums = block_sums(solver, block);
	int64_t		end = block_end(block, solver->fit->matrix->nfeatures);
	int			width = solver->width;

	for (int64_t f = block * ROWS; f < end; f++)
		for (int column = 0; column < width; column += lanes)
		{
			const float *restrict residual = solver->residual + f * width + column;
			double	   *restrict squares = sums + column;
			double	   *restrict products = squares + PRODUCTS * width;
			double		inverse = solver->inverse[f];

			for (int k = 0; k < lanes; k++)
			{
				double		square = (double) residual[k] * residual[k];

				squares[k] += square;
				products[k] += square * inverse;
			}
		}
}

/* A step along direction. */
COLUMNS
step_in_columns(Solver *solver, int64_t block, const int lanes)
{
	int64_t		end = block_end(block, solver->fit->matrix->nfeatures);
	int			width = solver->width;

	for (int64_t f = block * ROWS; f < end; f++)
		for (int column = 0; column < width; column += lanes)
		{
			float	   *restrict b = solver->b + f * solver->stride + column;
			float	   *restrict residual = solver->residual + f * width + column;
			const float *restrict direction = solver->direction + f * width + column;
			const float *restrict product = solver->product + f * width + column;
			const float *restrict length = solver->length + column;

			for (int k = 0; k < lanes; k++)
			{
				b[k] += length[k] * direction[k];
				residual[k] -= length[k] * product[k];
			}
		}
}

/* direction = preconditioned residual + length times the old direction */
COLUMNS
turn_columns(Solver *solver, int64_t block, const int lanes)
{
	int64_t		end = block_end(block, solver->fit->matrix->nfeatures);
	int			width = solver->width;

	for (int64_t f = block * ROWS; f < end; f++)
		for (int column = 0; column < width; column += lanes)
		{
			float	   *restrict direction = solver->direction + f * width + column;
			const float *restrict residual = solver->residual + f * width + column;
			const float *restrict length = solver->length + column;
			float		inverse = solver->inverse[f];

			for (int k = 0; k < lanes; k++)
				direction[k] = inverse * residual[k] + length[k] * direction[k];
		}
}

/* Task: product becomes the matrix times direction, where it was G' W G times it; direction . product. */
static void
complete_product(void *state, int64_t block, int worker)
{
	(void) worker;
	FOR_COLUMNS(complete_columns, (Solver *) state, block);
}

/* Task: the residual's sums. */
static void
sum_residual(void *state, int64_t block, int worker)
{
	(void) worker;
	FOR_COLUMNS(sum_columns, (Solver *) state, block);
}

/* Task: the residual of the b that there is, and its sums. */
static void
start_residual(void *state, int64_t block, int worker)
{
	Solver	   *solver = state;
	int64_t		end = block_end(block, solver->fit->matrix->nfeatures);

	for (int64_t f = block * ROWS; f < end; f++)
		for (int k = 0; k < solver->width; k++)
			solver->residual[f * solver->width + k] -= solver->product[f * solver->width + k] +
				solver->fit->ridge * solver->b[f * solver->stride + k];
	sum_residual(state, block, worker);
}

/* Task: a step along direction, and the sums of what is left. */
static void
take_step(void *state, int64_t block, int worker)
{
	FOR_COLUMNS(step_in_columns, (Solver *) state, block);
	sum_residual(state, block, worker);
}

/* Task: the next direction. */
static void
turn_direction(void *state, int64_t block, int worker)
{
	(void) worker;
	FOR_COLUMNS(turn_columns, (Solver *) state, block);
}

/* out (nfeatures x width) = G' items */
static MfError
multiply_items(const Solver *solver, float *out)
{
	const MfMapFit *fit = solver->fit;
	MfProduct	product = {.parallel = fit->parallel,.passes = &fit->matrix->by_feature,.row_scale = fit->scale,
		.x = solver->items,.x_stride = solver->width,.width = solver->width,
	.out = out,.out_stride = solver->width};

	return mf_feature_product(&product);
}

/* product = G' W G x, for x (nfeatures x width, stride) */
static MfError
multiply_features(const Solver *solver, const float *x, int stride)
{
	const MfMapFit *fit = solver->fit;
	MfProduct	product = {.parallel = fit->parallel,.passes = &fit->matrix->by_item,.row_scale = fit->weight,
		.column_scale = fit->scale,.x = x,.x_stride = stride,.width = solver->width,
	.out = solver->items,.out_stride = solver->width};
	MfError		error = mf_feature_product(&product);

	return error == MF_OK ? multiply_items(solver, solver->product) : error;
}

/* inverse = 1 / (the diagonal of G' W G + ridge); 0 where there is nothing. */
static MfError
invert_diagonal(Solver *solver)
{
	const MfMapFit *fit = solver->fit;
	float		one = 1.0f;
	MfProduct	product = {.parallel = fit->parallel,.passes = &fit->matrix->by_feature,.row_scale = fit->scale,
		.squares = true,.x = fit->weight != NULL ? fit->weight : &one,.x_stride = fit->weight != NULL,.width = 1,
	.out = solver->inverse,.out_stride = 1};
	MfError		error = mf_feature_product(&product);

	for (int32_t f = 0; f < fit->matrix->nfeatures && error == MF_OK; f++)
	{
		float		diagonal = solver->inverse[f] + fit->ridge;

		solver->inverse[f] = diagonal > 0.0f ? 1.0f / diagonal : 0.0f;
	}
	return error;
}

/* Whether the columns of b at work are all 0. */
static bool
is_zero(const Solver *solver)
{
	for (int64_t f = 0; f < solver->fit->matrix->nfeatures; f++)
		for (int k = 0; k < solver->width; k++)
			if (solver->b[f * solver->stride + k] != 0.0f)
				return false;
	return true;
}

/* The longest column of the residual that was summed last. */
static double
longest(const Solver *solver)
{
	double		most = 0.0;

	for (int k = 0; k < solver->width; k++)
		most = fmax(most, solver->total[SQUARES * solver->width + k]);
	return sqrt(most);
}

/*
 * The residual of the b that there is, its sums, and the first direction; *size: the length of the longest right-hand
 * side.
 */
static MfError
start_columns(Solver *solver, double *size)
{
	const MfFeatureMatrix *matrix = solver->fit->matrix;
	MfError		error = run_blocks(solver, matrix->nitems, weigh_items);

	if (error == MF_OK)
		error = multiply_items(solver, solver->residual);
	if (error == MF_OK)
		error = run_sums(solver, sum_residual);
	*size = longest(solver);
	if (error == MF_OK && !is_zero(solver))
	{
		error = multiply_features(solver, solver->b, solver->stride);
		if (error == MF_OK)
			error = run_sums(solver, start_residual);
	}
	memcpy(solver->known, solver->total + PRODUCTS * solver->width, (size_t) solver->width * sizeof(double));
	memset(solver->length, 0, (size_t) solver->width * sizeof(float));
	memset(solver->direction, 0, (size_t) matrix->nfeatures * (size_t) solver->width * sizeof(float));
	return error == MF_OK ? run_blocks(solver, matrix->nfeatures, turn_direction) : error;
}

/* One step of conjugate gradients, each column by its own length. */
static MfError
step_columns(Solver *solver)
{
	double	   *products = solver->total + PRODUCTS * solver->width;
	MfError		error = multiply_features(solver, solver->direction, solver->width);

	if (error == MF_OK)
		error = run_sums(solver, complete_product);
	for (int k = 0; k < solver->width; k++)
		solver->length[k] = (float) (solver->known[k] / fmax(products[k], LEAST));
	if (error == MF_OK)
		error = run_sums(solver, take_step);
	for (int k = 0; k < solver->width; k++)
	{
		solver->length[k] = (float) (products[k] / fmax(solver->known[k], LEAST));
		solver->known[k] = products[k];
	}
	return error == MF_OK ? run_blocks(solver, solver->fit->matrix->nfeatures, turn_direction) : error;
}

/* Solves the columns at work. */
static MfError
solve_columns(Solver *solver)
{
	double		size = 0.0;
	MfError		error = start_columns(solver, &size);

	for (int step = 0; step < solver->fit->steps && error == MF_OK; step++)
	{
		if (longest(solver) <= solver->fit->tolerance * size)
			break;
		error = step_columns(solver);
	}
	return error;
}

/*
 * Fits a map to y (nitems x d) from b (nfeatures x d; zeros for a start), which becomes the solution.  Columns solved
 * at once stop at once: tolerance is for the longest residual and the longest right-hand side among them.  workspace:
 * mf_map_size() bytes.  Passes: two by feature, and one of each orientation for every step and for a start that is not
 * 0; but for the first, as often as there are groups of columns (feature_map.c).
 *
 * Returns MF_OK; MF_CANCELLED, or MF_NOT_FINITE where y, values and weights do not fit in floats: then b is undefined.
 */
MfError
mf_map_fit(const MfMapFit *fit, const float *y, float *b, void *workspace)
{
	const MfFeatureMatrix *matrix = fit->matrix;
	int			most = columns_at_once(matrix->nitems, matrix->nfeatures, fit->factors);
	MfArena		arena = mf_arena_at(workspace);
	Solver		solver = {.fit = fit};
	MfError		error;

	lay_out(&solver, &arena, matrix->nitems, matrix->nfeatures, fit->factors);
	error = invert_diagonal(&solver);
	for (int first = 0; first < solver.stride && error == MF_OK; first += most)
	{
		solver.width = solver.stride - first < most ? solver.stride - first : most;
		solver.y = y + first;
		solver.b = b + first;
		error = solve_columns(&solver);
	}
	return error;
}

/*
 * out (nitems x d) = scaled values times b (nfeatures x d), of all items whatever their weight: what the map says of
 * them.  Items without features become 0.  One pass by item.
 */
MfError
mf_map_apply(const MfMapFit *fit, const float *b, float *out)
{
	return mf_map_apply_to(fit, b, NULL, out);
}

/* The same for some of the items: item i becomes row place[i] of out, or with -1 none; place NULL: i. */
MfError
mf_map_apply_to(const MfMapFit *fit, const float *b, const int32_t *place, float *out)
{
	int			stride = mf_map_stride(fit->factors);
	MfProduct	product = {.parallel = fit->parallel,.passes = &fit->matrix->by_item,.column_scale = fit->scale,
		.x = b,.x_stride = stride,.width = stride,.place = place,
	.out = out,.out_stride = stride};

	return mf_feature_product(&product);
}

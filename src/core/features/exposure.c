/*
 * exposure.c - how often lists show items that nobody has rated: what is added to the vectors that a map makes of them.
 *
 * A map says of a new item what the average item with its features is like, so its predictions spread less than vectors
 * of items that are known, and hardly one gets to the top of a list.  Longer ones would get there, but in the lists of
 * the wrong users: of those whose lists are led by little, on whichever item the map says most about.  What is wanted
 * is that everybody's best new items stand at the same place.  So a vector a is added to all of them,
 *
 *		score of a new item = p . (B g + a),
 *
 * which leaves the order among them as it is, and one inner product what lists are sorted by.  It is found by a sample
 * of users, each with the chance of their number of cells: those who take most look at most lists.  t_u is what is
 * missing, the score of the known item at the place at which a new one is to be, less that of the new item that is to
 * be there:
 *
 *		a = argmin sum_u (t_u - p_u . a)^2 + lambda |a|^2
 *
 * with lambda a tenth of the mean of the diagonal of P'P.  (t_u grows with the length of p_u, so that a linear function
 * is not far from it.)  It is solved by conjugate gradients, in doubles.
 *
 * New items are to have the share of lists that they have of all items, times POPULARITY: new ones are wanted more than
 * others (on two sets divided by time by factors of 1.6 and 4.3).  But never more than MOST_SHARE, as what becomes of
 * known items suffers from there on, and many of the items that nobody has rated may be there for good.
 *
 * Where there are no new items, those of a third are taken for new, as a map that was fitted to the others predicts
 * them: such items come later.
 */
#include "core/features/exposure.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/heap.h"
#include "core/features/thirds.h"
#include "core/kernels/dense.h"

#define MOST_SHARE 0.1
#define POPULARITY 3.0
#define LIST 20					/* items of a list at the end of which new ones are to be */
#define MOST_PLACE 1000			/* nobody looks beyond */
#define MOST_NEW 2				/* LIST * MOST_SHARE */

#define MOST_USERS 1000			/* of the sample, and */
#define LEAST_USERS 300			/* where items are many: */
#define MOST_SCORES 20000000	/* of the sample's users for all items */
#define TOGETHER 8				/* users that look at an item while it is in cache */

#define RIDGE 0.1				/* lambda, of the mean of the diagonal */
#define STEPS 30				/* of conjugate gradients of a map: nearly solved, wherever they start */
#define TOLERANCE 1e-2
#define SOLVE_STEPS 200			/* and of those for the shift */
#define SOLVE_TOLERANCE 1e-6

/* A worker's: what its users have, and the best of what they do not have. */
typedef struct SampleLists
{
	uint8_t    *seen;			/* nitems: bit k: the k-th of the users has it */
	MfHeap		known[TOGETHER];
	MfHeap		fresh[TOGETHER];
} SampleLists;

/* The workspace, and a part of a pass at work. */
typedef struct Exposure
{
	const MfExposureFit *fit;
	const MfDense *dense;
	int			ld;
	bool		pretended;		/* there are no new items, and those of a third are taken for new */
	int64_t		nknown;
	int64_t		nfresh;
	int32_t    *known;			/* nknown: items */
	int32_t    *fresh;			/* nfresh */
	float	   *weight;			/* nitems: without that third */
	int32_t    *place;			/* nitems: number in fresh, or -1; like the next, for those that are taken for new */
	float	   *b;				/* nfeatures x ld */
	float	   *predicted;		/* nfresh x ld */
	int64_t		nsample;		/* users */
	int64_t    *user;			/* nsample: their numbers */
	double	   *missing;		/* nsample: t_u */
	bool	   *counted;		/* nsample: the user's list is long enough */
	double	   *solution;		/* 4 x shared: the shift, and what conjugate gradients need */
	SampleLists	   *lists;			/* one per worker */
	MfScored   *entries;		/* of their heaps */
	uint8_t    *seen;
	void	   *map_space;
	int			known_place;	/* the place of the known item, and the number of the new one: 1 is the first */
	int			fresh_place;
	const MfRows *rows;
	int64_t		first;			/* of the sample's users, in the part at work */
	int64_t		end;
} Exposure;

/* True where the map knows something of an item. */
static bool
is_described(const Exposure *exposure, int64_t item)
{
	const float *vector = exposure->fit->list_vector + item * exposure->ld;

	for (int k = 0; k < exposure->ld; k++)
		if (vector[k] != 0.0f)
			return true;
	return false;
}

/* True for an item that has ratings. */
static bool
is_known(const MfExposureFit *fit, int64_t item)
{
	return fit->map.weight == NULL || fit->map.weight[item] > 0.0f;
}

/* Divides the items: sets the numbers, and if there is room the lists, of known items and of new ones. */
static void
divide(Exposure *exposure, bool fill)
{
	const MfExposureFit *fit = exposure->fit;

	exposure->nknown = exposure->nfresh = 0;
	for (int64_t i = 0; i < fit->map.matrix->nitems; i++)
	{
		bool		known = is_known(fit, i);
		bool		fresh = exposure->pretended ? known && mf_item_third(i) == 0 : !known && is_described(exposure, i);

		if (fill && exposure->pretended)
			exposure->place[i] = fresh ? (int32_t) exposure->nfresh : -1;
		if (fill && fresh)
			exposure->fresh[exposure->nfresh] = (int32_t) i;
		if (fill && known && !fresh)
			exposure->known[exposure->nknown] = (int32_t) i;
		exposure->nfresh += fresh;
		exposure->nknown += known && !fresh;
	}
}

/* Takes the arrays that are for items. */
static void
lay_out_items(Exposure *exposure, MfArena *arena)
{
	const MfMapFit *map = &exposure->fit->map;
	size_t		nitems = (size_t) map->matrix->nitems;

	exposure->known = mf_arena_take(arena, (size_t) exposure->nknown * sizeof(int32_t));
	exposure->fresh = mf_arena_take(arena, (size_t) exposure->nfresh * sizeof(int32_t));
	if (!exposure->pretended)
		return;
	exposure->place = mf_arena_take(arena, nitems * sizeof(int32_t));
	exposure->weight = mf_arena_floats(arena, nitems);
	exposure->b = mf_arena_floats(arena, (size_t) map->matrix->nfeatures * (size_t) exposure->ld);
	exposure->predicted = mf_arena_floats(arena, (size_t) exposure->nfresh * (size_t) exposure->ld);
	exposure->map_space = mf_arena_take(arena, mf_map_size(map->matrix->nitems, map->matrix->nfeatures,
														   mf_map_columns(map->factors), map->parallel));
}

/* The users of a sample, where users have so many cells. */
int64_t
mf_exposure_users(int64_t nitems, int64_t ncells)
{
	int64_t		most = nitems > 0 ? MOST_SCORES / nitems : MOST_USERS;

	most = most < LEAST_USERS ? LEAST_USERS : most > MOST_USERS ? MOST_USERS : most;
	return ncells < most ? ncells : most;
}

/* The cell, among all of them by user, by which user number s of so many is in the sample: whoever has it is. */
int64_t
mf_exposure_cell(int64_t s, int64_t nusers, int64_t ncells)
{
	double		part = ((double) s + 0.5) / (double) nusers;

	return (int64_t) (part * (double) ncells);
}

/* Divides the items and takes the arrays; start NULL only measures. */
static void
lay_out(Exposure *exposure, const MfExposureFit *fit, MfArena *arena)
{
	int64_t		nitems = fit->map.matrix->nitems;
	size_t		workers = (size_t) mf_workers(fit->map.parallel);

	*exposure = (Exposure) {.fit = fit,.dense = mf_dense(),.ld = mf_padded(fit->map.factors)};
	divide(exposure, false);
	exposure->pretended = exposure->nfresh == 0;
	if (exposure->pretended)
		divide(exposure, false);
	lay_out_items(exposure, arena);
	exposure->nsample = fit->drawn ? fit->nusers : mf_exposure_users(nitems, fit->ncells);
	exposure->user = mf_arena_take(arena, (size_t) exposure->nsample * sizeof(int64_t));
	exposure->missing = mf_arena_take(arena, (size_t) exposure->nsample * sizeof(double));
	exposure->counted = mf_arena_take(arena, (size_t) exposure->nsample * sizeof(bool));
	exposure->solution = mf_arena_take(arena, 4 * (size_t) fit->shared * sizeof(double));
	exposure->lists = mf_arena_take(arena, workers * sizeof(SampleLists));
	exposure->entries = mf_arena_take(arena, workers * TOGETHER * (MOST_PLACE + MOST_NEW) * sizeof(MfScored));
	exposure->seen = mf_arena_take(arena, workers * (size_t) nitems);
}

/* Bytes of workspace for mf_exposure_find(), of any alignment. */
size_t
mf_exposure_size(const MfExposureFit *fit)
{
	Exposure	exposure;
	MfArena		arena = {NULL, 0};

	lay_out(&exposure, fit, &arena);
	return arena.used + 64;
}

/* Predicts the items that are taken for new by a map that was fitted to the others. */
static MfError
predict_third(Exposure *exposure)
{
	const MfExposureFit *fit = exposure->fit;
	MfMapFit	map = fit->map;
	size_t		size = (size_t) map.matrix->nfeatures * (size_t) exposure->ld * sizeof(float);
	MfError		error;

	for (int64_t i = 0; i < map.matrix->nitems; i++)
		exposure->weight[i] = exposure->place[i] >= 0 ? 0.0f : map.weight != NULL ? map.weight[i] : 1.0f;
	if (fit->start != NULL)
		memcpy(exposure->b, fit->start, size);
	else
		memset(exposure->b, 0, size);
	map.weight = exposure->weight;
	map.factors = mf_map_columns(map.factors);
	map.steps = STEPS;
	map.tolerance = TOLERANCE;
	error = mf_map_fit(&map, fit->vector, exposure->b, exposure->map_space);
	return error == MF_OK ? mf_map_apply_to(&map, exposure->b, exposure->place, exposure->predicted) : error;
}

/*
 * The places: of LIST items a share is new, the last of them, or where that is less than one, one of a longer list.  In
 * lists that are hardly longer than that it is in the first half.
 */
static void
choose_places(Exposure *exposure)
{
	double		share = POPULARITY * (double) exposure->nfresh / (double) (exposure->nknown + exposure->nfresh);
	int64_t		place;

	share = share < MOST_SHARE ? share : MOST_SHARE;
	exposure->fresh_place = (int) lrint(LIST * share);
	if (exposure->fresh_place < 1)
		exposure->fresh_place = 1;
	if (exposure->fresh_place > exposure->nfresh)
		exposure->fresh_place = (int) exposure->nfresh;
	place = (int64_t) llrint(exposure->fresh_place / share) - exposure->fresh_place;
	place = place < exposure->nknown / 2 ? place : exposure->nknown / 2;
	place = place < MOST_PLACE ? place : MOST_PLACE;
	exposure->known_place = place > 1 ? (int) place : 1;
}

/* The vector of the sample's user number s. */
static const float *
vector_of(const Exposure *exposure, int64_t s)
{
	return exposure->fit->user + exposure->user[s] * exposure->ld;
}

/* Continues the sample with users of the part at work; before: cells of the parts before it.  Returns those with it. */
static int64_t
sample_part(Exposure *exposure, const MfRows *rows, int64_t before)
{
	int64_t		r = 0;

	for (exposure->first = exposure->end; exposure->end < exposure->nsample; exposure->end++)
	{
		int64_t		cell = mf_exposure_cell(exposure->end, exposure->nsample, exposure->fit->ncells) - before;

		if (exposure->fit->drawn)
			r = exposure->end - rows->first;
		while (!exposure->fit->drawn && r < rows->nrows && rows->start[r + 1] - rows->start[0] <= cell)
			r++;
		if (r >= rows->nrows)
			break;
		exposure->user[exposure->end] = rows->first + r;
	}
	return before + rows->start[rows->nrows] - rows->start[0];
}

/* Offers an item to those of some users who do not have it. */
static void
offer(const Exposure *exposure, SampleLists *lists, MfHeap *heaps, int64_t s, int n, int64_t item, const float *vector,
	  double offset)
{
	for (int k = 0; k < n; k++)
		if ((lists->seen[item] >> k & 1) == 0)
			mf_heap_push(&heaps[k], item,
						 offset + (double) exposure->dense->dot(vector_of(exposure, s + k), vector, exposure->ld));
}

/* Begins the lists of n users from number s of the sample on: marks what they have. */
static void
start_lists(const Exposure *exposure, SampleLists *lists, int worker, int64_t s, int n)
{
	const MfRows *rows = exposure->rows;
	MfScored   *entry = exposure->entries + (size_t) worker * TOGETHER * (MOST_PLACE + MOST_NEW);
	size_t		nitems = (size_t) exposure->fit->map.matrix->nitems;

	lists->seen = exposure->seen + (size_t) worker * nitems;
	memset(lists->seen, 0, nitems);
	for (int k = 0; k < n; k++)
	{
		int64_t		r = exposure->user[s + k] - rows->first;

		for (int64_t c = rows->start[r]; c < rows->start[r + 1]; c++)
			lists->seen[rows->column[c]] |= (uint8_t) (1 << k);
		mf_heap_start(&lists->known[k], entry, exposure->known_place);
		mf_heap_start(&lists->fresh[k], entry + MOST_PLACE, exposure->fresh_place);
		entry += MOST_PLACE + MOST_NEW;
	}
}

/* Task: what is missing to some users of the sample, who are in the part at work. */
static void
find_missing(void *state, int64_t task, int worker)
{
	Exposure   *exposure = state;
	const MfExposureFit *fit = exposure->fit;
	SampleLists	   *lists = &exposure->lists[worker];
	int64_t		s = exposure->first + task * TOGETHER;
	int			n = (int) (exposure->end - s < TOGETHER ? exposure->end - s : TOGETHER);

	start_lists(exposure, lists, worker, s, n);
	for (int64_t j = 0; j < exposure->nknown; j++)
	{
		int64_t		i = exposure->known[j];

		offer(exposure, lists, lists->known, s, n, i, fit->list_vector + i * exposure->ld, fit->list_offset[i]);
	}
	for (int64_t j = 0; j < exposure->nfresh; j++)
	{
		int64_t		i = exposure->fresh[j];

		offer(exposure, lists, lists->fresh, s, n, i, exposure->pretended ? exposure->predicted + j * exposure->ld :
			  fit->list_vector + i * exposure->ld, 0);
	}
	for (int k = 0; k < n; k++)
	{
		const MfHeap *known = &lists->known[k];
		const MfHeap *fresh = &lists->fresh[k];

		/* the root is the worst of those that were kept */
		exposure->counted[s + k] = known->count == known->k && fresh->count == fresh->k;
		exposure->missing[s + k] = exposure->counted[s + k] ? known->entry[0].score - fresh->entry[0].score : 0.0;
	}
}

/* Sets what is missing to the users of the sample, in one pass over the cells. */
static MfError
find_all_missing(Exposure *exposure)
{
	const MfPasses *cells = &exposure->fit->cells;
	MfRows		rows;
	int64_t		before = 0;
	MfError		error = cells->rewind(cells->state);

	exposure->rows = &rows;
	exposure->first = exposure->end = 0;
	while (error == MF_OK && cells->next(cells->state, &rows))
	{
		before = sample_part(exposure, &rows, before);
		if (!mf_parallel_for(exposure->fit->map.parallel, (exposure->end - exposure->first + TOGETHER - 1) / TOGETHER,
							 find_missing, exposure))
			error = MF_CANCELLED;
	}
	exposure->rows = NULL;
	exposure->nsample = exposure->end;
	return error;
}

/* out = sum over users of p (p . x), or of p t where x is NULL; the vectors have `shared` numbers. */
static void
multiply(const Exposure *exposure, const double *x, double *out)
{
	int			d = exposure->fit->shared;

	memset(out, 0, (size_t) d * sizeof(double));
	for (int64_t s = 0; s < exposure->nsample; s++)
	{
		const float *p = vector_of(exposure, s);
		double		factor = x == NULL ? exposure->missing[s] : 0.0;

		if (!exposure->counted[s])
			continue;
		for (int k = 0; k < d && x != NULL; k++)
			factor += p[k] * x[k];
		for (int k = 0; k < d; k++)
			out[k] += factor * p[k];
	}
}

/* The inner product of d numbers. */
static double
product(const double *x, const double *y, int d)
{
	double		sum = 0.0;

	for (int k = 0; k < d; k++)
		sum += x[k] * y[k];
	return sum;
}

/* lambda: RIDGE times the mean of the diagonal of P'P. */
static double
ridge_of(const Exposure *exposure)
{
	double		squares = 0.0;

	for (int64_t s = 0; s < exposure->nsample; s++)
	{
		const float *p = vector_of(exposure, s);

		for (int k = 0; k < exposure->fit->shared && exposure->counted[s]; k++)
			squares += (double) p[k] * p[k];
	}
	return RIDGE * squares / exposure->fit->shared;
}

/* Returns the solution, `shared` numbers, 0 where no user counts; NULL where numbers are not finite. */
static const double *
solve(Exposure *exposure)
{
	int			d = exposure->fit->shared;
	double	   *x = exposure->solution;
	double	   *residual = x + d;
	double	   *direction = residual + d;
	double	   *image = direction + d;
	double		ridge = ridge_of(exposure);
	double		now;
	double		least;

	memset(x, 0, (size_t) d * sizeof(double));
	multiply(exposure, NULL, residual);
	memcpy(direction, residual, (size_t) d * sizeof(double));
	now = product(residual, residual, d);
	least = now * SOLVE_TOLERANCE * SOLVE_TOLERANCE;
	for (int step = 0; step < SOLVE_STEPS && now > least; step++)
	{
		double		before = now;
		double		curvature;
		double		length;

		multiply(exposure, direction, image);
		for (int k = 0; k < d; k++)
			image[k] += ridge * direction[k];
		curvature = product(direction, image, d);
		if (!(curvature > 0.0))
			break;				/* so small that squares vanish */
		length = now / curvature;
		for (int k = 0; k < d; k++)
		{
			x[k] += length * direction[k];
			residual[k] -= length * image[k];
		}
		now = product(residual, residual, d);
		for (int k = 0; k < d; k++)
			direction[k] = residual[k] + now / before * direction[k];
	}
	return isfinite(now) ? x : NULL;
}

/*
 * shift (mf_padded(d); out) = what is to be added to the vector of each new item that the map knows something of, so
 * that lists show them as often as is right; 0 where no list is long enough to tell.  workspace: mf_exposure_size()
 * bytes.  One pass over the cells, and where there are no new items a fit of a map.
 *
 * Returns MF_CANCELLED, MF_NOT_FINITE, or MF_OK.
 */
MfError
mf_exposure_find(const MfExposureFit *fit, float *shift, void *workspace)
{
	MfArena		arena = mf_arena_at(workspace);
	Exposure	exposure;
	const double *solution;
	MfError		error = MF_OK;

	lay_out(&exposure, fit, &arena);
	divide(&exposure, true);
	memset(shift, 0, (size_t) exposure.ld * sizeof(float));
	if (exposure.nfresh == 0 || exposure.nknown == 0)
		return MF_OK;
	if (exposure.pretended)
		error = predict_third(&exposure);
	choose_places(&exposure);
	if (error == MF_OK)
		error = find_all_missing(&exposure);
	if (error != MF_OK)
		return error;
	solution = solve(&exposure);
	for (int k = 0; k < fit->shared; k++)
	{
		shift[k] = solution != NULL ? (float) solution[k] : NAN;
		if (!isfinite(shift[k]))
			return MF_NOT_FINITE;
	}
	return MF_OK;
}

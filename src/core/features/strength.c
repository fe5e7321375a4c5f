/*
 * strength.c - how strongly each block of features is held.
 *
 * The map's ridge holds all features alike, once values are divided by the root of their block's lambda.  Words of a
 * title can be the best that is known of an item, and can be noise that ruins the top of every list; only items that
 * the map has not seen can tell.  So a third of them is held out, and lambda is what serves them best.  Criterion: the
 * NDCG of held_out.c; squared error keeps noise, for it is small next to the rest.
 *
 * A coordinate search over powers of 4 times START: all blocks together, then each by itself, then each again, up
 * while it gains, else down.  Fits are near each other, so each starts from the one before it.
 *
 * In the end a block is off that does nothing for the held-out items which chance does not explain.  Neither its
 * lambda nor what it costs can tell: noise of a few values hardly costs anything, and where the words of titles are
 * noise, lambdas of all blocks go up together with theirs, those of genres to the end of the range.  So where others
 * are off, the blocks that are left and were held back are looked at once more, as if there had been no others.
 */
#include "core/features/strength.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/features/feature_map.h"
#include "core/features/held_out.h"
#include "core/features/matrix_sample.h"

#define START 2.0				/* lambda at level 0; each level is 4 times the one below */
#define LEAST (-2)				/* 0.125 */
#define MOST 5					/* 2048 */
#define OFF (MOST + 1)
#define GAIN 1.005
#define STEPS 10				/* of conjugate gradients */
#define TOLERANCE 1e-2

/* A setting: the level of each block. */
typedef int8_t Level;

/* A search at work. */
typedef struct Search
{
	const MfStrengthSearch *given;
	MfHeldOut	held;
	MfMatrixSample sample;
	int			nblocks;
	int			most;			/* settings that there is room for, or that may be tried */
	int			tried;
	Level	   *known;			/* most x nblocks: settings tried */
	double	   *quality;		/* most: theirs */
	Level	   *best;			/* nblocks */
	Level	   *other;			/* nblocks */
	Level	   *found;			/* nblocks: the best setting before some were off */
	Level	   *fitted;			/* nblocks: the setting that b was fitted with */
	double		highest;		/* of the best setting */
	int			fits;
	float	   *lambda;			/* nblocks */
	float	   *scale;			/* of the sample's features */
	float	   *weight;			/* of its items */
	float	   *vector;			/* those of its items */
	float	   *b;				/* of its features x mf_padded(d) */
	void	   *map_space;
} Search;

/* Settings that the search can come to, which may go twice over them, with a few to spare. */
static int
most_settings(const MfStrengthSearch *given)
{
	int			levels = MOST - LEAST + 3;
	int			all = 2 * ((2 * given->matrix->nblocks + 1) * levels + given->matrix->nblocks + 1);

	return given->evaluations > 0 && given->evaluations < all ? given->evaluations : all;
}

/* Takes the arrays; start NULL only measures. */
static void
lay_out(Search *search, const MfStrengthSearch *given, MfArena *arena)
{
	const MfFeatureMatrix *matrix = given->matrix;
	size_t		nblocks = (size_t) matrix->nblocks;
	size_t		nfeatures = (size_t) matrix->nfeatures;
	size_t		ld = (size_t) mf_padded(given->factors);
	size_t		nitems;
	int			columns = mf_map_columns(given->factors);

	*search = (Search) {.given = given,.nblocks = matrix->nblocks,.most = most_settings(given)};
	search->held = (MfHeldOut) {.parallel = given->parallel,.factors = given->factors,.nusers = given->nusers,
	.user = given->user,.nitems = matrix->nitems};
	mf_held_out_lay_out(&search->held, arena, given->items.start[given->nusers] - given->items.start[0]);
	mf_matrix_sample_lay_out(&search->sample, arena, matrix, given->parallel);
	nitems = (size_t) search->sample.by_item.nrows;
	search->known = mf_arena_take(arena, (size_t) search->most * nblocks * sizeof(Level));
	search->quality = mf_arena_take(arena, (size_t) search->most * sizeof(double));
	search->best = mf_arena_take(arena, nblocks * sizeof(Level));
	search->other = mf_arena_take(arena, nblocks * sizeof(Level));
	search->found = mf_arena_take(arena, nblocks * sizeof(Level));
	search->fitted = mf_arena_take(arena, nblocks * sizeof(Level));
	search->lambda = mf_arena_floats(arena, nblocks);
	search->scale = mf_arena_floats(arena, nfeatures);
	search->weight = mf_arena_floats(arena, nitems);
	search->vector = mf_arena_floats(arena, nitems * ld);
	search->b = mf_arena_floats(arena, nfeatures * ld);
	search->map_space = mf_arena_take(arena, mf_map_size((int64_t) nitems, matrix->nfeatures, columns, given->parallel));
}

/* Bytes of workspace for mf_strength_find(), of any alignment. */
size_t
mf_strength_size(const MfStrengthSearch *search)
{
	Search		measured;
	MfArena		arena = {NULL, 0};

	lay_out(&measured, search, &arena);
	return arena.used + 64;
}

/* The lambda of a level; 0: off. */
static float
lambda_of(Level level)
{
	return level == OFF ? 0.0f : (float) ldexp(START, 2 * level);
}

/*
 * scale (nfeatures) of the features of blocks with these lambdas (nblocks): 1 / sqrt(lambda), 0 for a block that is
 * off.
 */
void
mf_strength_scale(const MfFeatureMatrix *matrix, const float *lambda, float *scale)
{
	for (int block = 0; block < matrix->nblocks; block++)
		for (int32_t f = matrix->block_start[block]; f < matrix->block_start[block + 1]; f++)
			scale[f] = lambda[block] > 0.0f ? 1.0f / sqrtf(lambda[block]) : 0.0f;
}

/* Takes the map from the setting that it was fitted with to another, so that it says the same of every item. */
static void
rescale_map(Search *search, const Level *setting)
{
	const MfFeatureMatrix *matrix = &search->sample.fitted;
	int			ld = mf_padded(search->given->factors);

	for (int block = 0; block < search->nblocks; block++)
	{
		Level		old = search->fitted[block];
		bool		either = old == OFF || setting[block] == OFF;
		float		factor = either ? 0.0f : (float) ldexp(1.0, setting[block] - old);

		search->fitted[block] = setting[block];
		search->lambda[block] = lambda_of(setting[block]);
		for (int64_t k = (int64_t) matrix->block_start[block] * ld;
			 k < (int64_t) matrix->block_start[block + 1] * ld && factor != 1.0f; k++)
			search->b[k] *= factor;
	}
	mf_strength_scale(matrix, search->lambda, search->scale);
}

/* What the map makes of the held-out items, by the scales that there are. */
static MfError
predict(const Search *search, float *out)
{
	MfMapFit	fit = {.matrix = &search->sample.held,.parallel = search->given->parallel,.scale = search->scale,
	.factors = mf_map_columns(search->given->factors)};

	return mf_map_apply(&fit, search->b, out);
}

/* Fits a map with a setting to the items that are not held out, and predicts the others. */
static MfError
fit_setting(Search *search, const Level *setting)
{
	const MfStrengthSearch *given = search->given;
	MfMapFit	fit = {.matrix = &search->sample.fitted,.parallel = given->parallel,.scale = search->scale,
		.weight = search->weight,.ridge = given->ridge,.factors = mf_map_columns(given->factors),
	.steps = STEPS,.tolerance = TOLERANCE};
	MfError		error;

	rescale_map(search, setting);
	search->fits++;
	error = mf_map_fit(&fit, search->vector, search->b, search->map_space);
	return error == MF_OK ? predict(search, search->held.predicted) : error;
}

/* *quality = that of a setting, known or tried; nothing is as bad as one too many. */
static MfError
try_setting(Search *search, const Level *setting, double *quality)
{
	size_t		size = (size_t) search->nblocks * sizeof(Level);
	MfError		error;

	for (int k = 0; k < search->tried; k++)
		if (memcmp(search->known + (size_t) k * size, setting, size) == 0)
		{
			*quality = search->quality[k];
			return MF_OK;
		}
	*quality = -INFINITY;
	if (search->tried == search->most)
		return MF_OK;
	error = fit_setting(search, setting);
	if (error == MF_OK)
		error = mf_held_out_ndcg(&search->held, quality);
	memcpy(search->known + (size_t) search->tried * size, setting, size);
	search->quality[search->tried++] = *quality;
	return error;
}

/*
 * Moves blocks begin .. end - 1 by a step of a level, again and again while it gains, but for those that are off;
 * *moved: whether it did.
 */
static MfError
climb(Search *search, int begin, int end, int step, bool *moved)
{
	size_t		size = (size_t) search->nblocks * sizeof(Level);

	for (*moved = false;; *moved = true)
	{
		double		quality;
		MfError		error;

		memcpy(search->other, search->best, size);
		for (int block = begin; block < end; block++)
		{
			if (search->best[block] == OFF)
				continue;
			search->other[block] = (Level) (search->other[block] + step);
			if (search->other[block] < LEAST || search->other[block] > MOST)
				return MF_OK;
		}
		error = try_setting(search, search->other, &quality);
		if (error != MF_OK || !(quality > GAIN * search->highest))
			return error;
		memcpy(search->best, search->other, size);
		search->highest = quality;
	}
}

/* Moves blocks together: up, or where that is no gain down. */
static MfError
move_blocks(Search *search, int begin, int end)
{
	bool		moved;
	MfError		error = climb(search, begin, end, 1, &moved);

	return error == MF_OK && !moved ? climb(search, begin, end, -1, &moved) : error;
}

/* The coordinate search. */
static MfError
move_all(Search *search)
{
	MfError		error = search->nblocks > 1 ? move_blocks(search, 0, search->nblocks) : MF_OK;

	for (int round = 0; round < 2; round++)
		for (int block = 0; block < search->nblocks && error == MF_OK; block++)
			error = move_blocks(search, block, block + 1);
	return error;
}

/* Predicts the held-out items without a block, by the map that was fitted with it. */
static MfError
predict_rest(Search *search, int block)
{
	search->lambda[block] = 0.0f;
	mf_strength_scale(&search->sample.fitted, search->lambda, search->scale);
	search->lambda[block] = lambda_of(search->fitted[block]);
	return predict(search, search->held.rest);
}

/* Turns a block off where what it does is not proven; *off: whether it was. */
static MfError
judge_block(Search *search, int block, bool *off)
{
	bool		proven = false;
	MfError		error = predict_rest(search, block);

	if (error == MF_OK)
		error = mf_held_out_prove(&search->held, &proven);
	*off = error == MF_OK && !proven;
	if (*off)
		search->best[block] = OFF;
	return error;
}

/* Judges all blocks, those with the largest lambda first: without them the others are seen more clearly. */
static MfError
judge_blocks(Search *search)
{
	bool		off = true;		/* whether the map is of another setting */
	MfError		error = MF_OK;

	for (int level = MOST; level >= LEAST; level--)
		for (int block = 0; block < search->nblocks && error == MF_OK; block++)
		{
			if (search->best[block] != level)
				continue;
			if (off)
				error = fit_setting(search, search->best);
			if (error == MF_OK)
				error = judge_block(search, block, &off);
		}
	return error;
}

/*
 * Searches once more for the levels of blocks that are left, where they may be held back for the sake of some that are
 * off; they stay where that loses.
 */
static MfError
search_rest(Search *search)
{
	size_t		size = (size_t) search->nblocks * sizeof(Level);
	bool		off = false;
	bool		held_back = false;
	double		before;
	MfError		error;

	for (int block = 0; block < search->nblocks; block++)
	{
		off |= search->best[block] == OFF;
		held_back |= search->best[block] > 0 && search->best[block] < OFF;
	}
	if (!off || !held_back || search->tried == search->most)
		return MF_OK;
	error = try_setting(search, search->best, &before);
	memcpy(search->found, search->best, size);
	for (int block = 0; block < search->nblocks; block++)
		if (search->best[block] != OFF)
			search->best[block] = 0;
	if (error == MF_OK)
		error = try_setting(search, search->best, &search->highest);
	if (error == MF_OK)
		error = move_all(search);
	if (GAIN * search->highest < before)
		memcpy(search->best, search->found, size);
	return error;
}

/* Holds items out and draws those that maps are fitted to; the search starts with all blocks at level 0, and no map. */
static MfError
start_search(Search *search)
{
	const MfStrengthSearch *given = search->given;
	size_t		nblocks = (size_t) search->nblocks;
	int64_t		ld = mf_padded(given->factors);
	MfError		error;

	mf_held_out_choose(&search->held, given->weight, &given->items, 0);
	error = mf_matrix_sample_take(&search->sample, &search->held, given->weight, 0);
	for (int64_t k = 0; k < search->sample.count; k++)
	{
		search->weight[k] = given->weight[search->sample.item[k]];
		memcpy(search->vector + k * ld, given->vector + search->sample.item[k] * ld, (size_t) ld * sizeof(float));
	}
	memset(search->best, 0, nblocks * sizeof(Level));
	memset(search->fitted, 0, nblocks * sizeof(Level));
	memset(search->b, 0, (size_t) given->matrix->nfeatures * (size_t) ld * sizeof(float));
	return error;
}

/*
 * lambda (nblocks) = how strongly each block is held: what values are divided by the root of (mf_strength_scale); 0:
 * the block is off.  *evaluations (may be NULL) = maps fitted.  workspace: mf_strength_size() bytes.  Returns
 * MF_CANCELLED, MF_NOT_FINITE, or MF_OK: also without users or items held out, when all are off.
 */
MfError
mf_strength_find(const MfStrengthSearch *search, float *lambda, int *evaluations, void *workspace)
{
	MfArena		arena = mf_arena_at(workspace);
	Search		at;
	MfError		error;

	lay_out(&at, search, &arena);
	error = start_search(&at);
	if (error == MF_OK)
		error = try_setting(&at, at.best, &at.highest);
	if (error == MF_OK)
		error = move_all(&at);
	if (error == MF_OK)
		error = judge_blocks(&at);
	if (error == MF_OK)
		error = search_rest(&at);
	for (int block = 0; block < at.nblocks; block++)
		lambda[block] = lambda_of(at.best[block]);
	if (evaluations != NULL)
		*evaluations = at.fits;
	return error;
}

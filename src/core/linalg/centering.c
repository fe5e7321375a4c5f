/*
 * centering.c - rows moved to their mean, and scaled to numbers of about 1.
 *
 * Distances and covariances do not depend on where the origin is, but floats do: a row that is far from it keeps few
 * digits of what makes it differ from others.  And squares of numbers beyond 1e19 or below 1e-19 are no floats.
 */
#include "core/linalg/centering.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"

#define PARTS 32				/* of the rows; not of the threads, so that these do not change a bit */
#define ROWS_AT_ONCE 4096		/* between two looks at whether to cancel */

/* Rows that are centered. */
typedef struct Centering
{
	const MfParallel *parallel;
	float	   *x;
	int64_t		nrows;
	int			d;
	double	   *sum;			/* PARTS x d */
	float		largest[PARTS];	/* absolute value in each part */
	float		scale;
	float	   *shift;			/* d */
} Centering;

/* The space; start NULL only measures. */
static void
lay_out(Centering *c, MfArena *arena, int d)
{
	c->sum = mf_arena_take(arena, sizeof(double) * PARTS * (size_t) d);
	c->shift = mf_arena_floats(arena, (size_t) d);
}

/* Bytes of space for mf_center(). */
size_t
mf_center_size(int d)
{
	MfArena		arena = {NULL, 0};
	Centering	c;

	lay_out(&c, &arena, d);
	return arena.used + 64;
}

/* Task: the sum of a part's rows, and the largest number in it. */
static void
sum_part(void *state, int64_t part, int worker)
{
	Centering  *c = state;
	double	   *sum = c->sum + part * c->d;
	float		largest = 0;
	int64_t		end = c->nrows * (part + 1) / PARTS;

	(void) worker;
	memset(sum, 0, sizeof(double) * (size_t) c->d);
	for (int64_t i = c->nrows * part / PARTS; i < end; i++)
	{
		const float *row = c->x + i * mf_padded(c->d);

		if (i % ROWS_AT_ONCE == 0 && mf_cancelled(c->parallel))
			return;
		for (int k = 0; k < c->d; k++)
		{
			float		size = fabsf(row[k]);

			sum[k] += row[k];
			largest = size > largest ? size : largest;
		}
	}
	c->largest[part] = largest;
}

/* Task: moves and scales a part's rows. */
static void
move_part(void *state, int64_t part, int worker)
{
	Centering  *c = state;
	int64_t		end = c->nrows * (part + 1) / PARTS;

	(void) worker;
	for (int64_t i = c->nrows * part / PARTS; i < end; i++)
	{
		float	   *row = c->x + i * mf_padded(c->d);

		if (i % ROWS_AT_ONCE == 0 && mf_cancelled(c->parallel))
			return;
		for (int k = 0; k < c->d; k++)
			row[k] = row[k] * c->scale - c->shift[k];
	}
}

/* The power of two that brings numbers of at most `largest` to about 1; 1 for 0. */
static double
unit_scale(float largest)
{
	int			exponent;

	if (largest == 0)
		return 1;
	(void) frexp(largest, &exponent);
	/* it and its inverse are floats */
	exponent = exponent < -120 ? -120 : exponent > 126 ? 126 : exponent;
	return ldexp(1, -exponent);
}

/*
 * Centers nrows (at least 1) rows of d finite floats, mf_padded(d) from one to the next, in place; padding is not
 * touched.  space: mf_center_size() bytes.  Returns MF_CANCELLED, when rows are of no use any more, or MF_OK.
 */
MfError
mf_center(const MfParallel *parallel, float *x, int64_t nrows, int d, MfCentering *centering, void *space)
{
	Centering	c = {.parallel = parallel,.x = x,.nrows = nrows,.d = d};
	MfArena		arena = mf_arena_at(space);
	float		largest = 0;

	lay_out(&c, &arena, d);
	if (!mf_parallel_for(parallel, PARTS, sum_part, &c))
		return MF_CANCELLED;
	for (int part = 0; part < PARTS; part++)
		largest = fmaxf(largest, c.largest[part]);
	centering->scale = unit_scale(largest);
	c.scale = (float) centering->scale;
	for (int k = 0; k < d; k++)
	{
		double		sum = 0;

		for (int part = 0; part < PARTS; part++)
			sum += c.sum[part * d + k];
		centering->mean[k] = sum / (double) nrows * centering->scale;
		c.shift[k] = (float) centering->mean[k];
		centering->rest[k] = centering->mean[k] - c.shift[k];
	}
	return mf_parallel_for(parallel, PARTS, move_part, &c) ? MF_OK : MF_CANCELLED;
}

/*
 * choice.c - whether users share more items than chance makes them share.
 *
 * Who chooses by taste shares many items with some users and few with others.  Who was shown a random
 * choice, or answered everything, shares with any other user what the number of their rows and the items'
 * popularity make of it.  So of pairs of users the items that both have are counted, and the variance of
 * these counts above that of chance is set against the square of what chance expects: the excess is the
 * squared variation of how much tastes make users share, 0 where who has what says nothing about taste.
 *
 * Chance: user u has item i, of m_i users, with probability 1 - exp(-t_u m_i), and t_u is such that
 * these add up to the number of the user's items.  That is drawing items without replacement by their
 * popularity.  Items of about the same popularity are looked at together.
 */
#include "core/metrics/choice.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/base/arena.h"

/* Steps of popularity: four for each doubling. */
#define STEPS_PER_DOUBLING 4
#define STEPS (31 * STEPS_PER_DOUBLING + 1)

/* Items by popularity: how many of each step, and their mean count. */
typedef struct Popularity
{
	int			nsteps;
	double		items[STEPS];
	double		count[STEPS];
} Popularity;

/* Groups the items by their counts. */
static void
group_items(Popularity *p, const MfChoices *choices)
{
	double		items[STEPS] = {0};
	double		sum[STEPS] = {0};

	for (int64_t i = 0; i < choices->nitems; i++)
	{
		int			step = (int) (STEPS_PER_DOUBLING * log2(choices->count[i] > 1 ? choices->count[i] : 1));

		items[step]++;
		sum[step] += choices->count[i];
	}
	p->nsteps = 0;
	for (int step = 0; step < STEPS; step++)
		if (items[step] > 0)
		{
			p->items[p->nsteps] = items[step];
			p->count[p->nsteps++] = sum[step] / items[step];
		}
}

/*
 * Probabilities of having an item of each step (chance: nsteps), for a user with n items: t_u is found by bisection of
 * its logarithm.
 */
static void
chances(const Popularity *p, int64_t n, double *chance)
{
	double		low = -70;
	double		high = 10;

	for (int round = 0; round < 50; round++)
	{
		double		t = exp((low + high) / 2);
		double		sum = 0;

		for (int s = 0; s < p->nsteps; s++)
			sum += p->items[s] * -expm1(-t * p->count[s]);
		if (sum < (double) n)
			low = (low + high) / 2;
		else
			high = (low + high) / 2;
	}
	for (int s = 0; s < p->nsteps; s++)
		chance[s] = -expm1(-exp((low + high) / 2) * p->count[s]);
}

/* Turns the bits of a list's items around in a bitmap of all items. */
static void
flip_bits(uint64_t *bitmap, const int32_t *item, const int32_t *end)
{
	for (; item < end; item++)
		bitmap[*item / 64] ^= UINT64_C(1) << (*item % 64);
}

/* How many items of a list have their bits set. */
static int64_t
count_bits(const uint64_t *bitmap, const int32_t *item, const int32_t *end)
{
	int64_t		count = 0;

	for (; item < end; item++)
		count += (int64_t) (bitmap[*item / 64] >> (*item % 64) & 1);
	return count;
}

/* The sections of the workspace. */
typedef struct Space
{
	double	   *chance;			/* nusers x STEPS: of having an item of each step */
	uint64_t   *has;			/* a bitmap of all items: those of the user at work */
} Space;

static Space
lay_out(MfArena *arena, int64_t nusers, int64_t nitems)
{
	Space		space;

	space.chance = mf_arena_take(arena, (size_t) nusers * STEPS * sizeof(double));
	space.has = mf_arena_take(arena, ((size_t) nitems / 64 + 1) * sizeof(uint64_t));
	return space;
}

/* Bytes of workspace for so many users and items. */
int64_t
mf_choice_workspace(int64_t nusers, int64_t nitems)
{
	MfArena		arena = {NULL, 0};

	lay_out(&arena, nusers, nitems);
	return 64 + (int64_t) arena.used;
}

/* What chance makes of a pair's number of shared items. */
typedef struct Chance
{
	double		mean;
	double		variance;
} Chance;

/*
 * The variance is that with both numbers of items as they are: what these explain of it, by regression,
 * is taken off.  For items of equal popularity that is the variance of the hypergeometric distribution.
 */
static Chance
pair_chance(const Popularity *p, const double *a, const double *b)
{
	Chance		chance = {0, 0};
	double		with_a = 0;
	double		with_b = 0;
	double		spread_a = 0;
	double		spread_b = 0;

	for (int s = 0; s < p->nsteps; s++)
	{
		double		both = p->items[s] * a[s] * b[s];

		chance.mean += both;
		chance.variance += both * (1 - a[s] * b[s]);
		with_a += both * (1 - a[s]);
		with_b += both * (1 - b[s]);
		spread_a += p->items[s] * a[s] * (1 - a[s]);
		spread_b += p->items[s] * b[s] * (1 - b[s]);
	}
	if (spread_a > 0)
		chance.variance -= with_a * with_a / spread_a;
	if (spread_b > 0)
		chance.variance -= with_b * with_b / spread_b;
	return chance;
}

/*
 * The excess of all pairs of the users, and its standard error, infinite where there is nothing to compare.  The
 * workspace has mf_choice_workspace() bytes.
 */
double
mf_choice_excess(const MfChoices *choices, void *workspace, double *error)
{
	const int64_t *start = choices->start;
	const int32_t *item = choices->item;
	MfArena		arena = mf_arena_at(workspace);
	Space		space = lay_out(&arena, choices->nusers, choices->nitems);
	double	   *chance = space.chance;
	uint64_t   *has = space.has;
	Popularity	p;
	double		above = 0;
	double		above_squares = 0;
	double		expected_squares = 0;
	double		pairs = 0;

	group_items(&p, choices);
	for (int64_t u = 0; u < choices->nusers; u++)
		chances(&p, start[u + 1] - start[u], chance + u * STEPS);
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): null only where sizes are asked for */
	memset(has, 0, ((size_t) choices->nitems / 64 + 1) * sizeof(*has));
	for (int64_t u = 0; u < choices->nusers; u++)
	{
		flip_bits(has, item + start[u], item + start[u + 1]);
		for (int64_t v = 0; v < u; v++)
		{
			Chance		by_chance = pair_chance(&p, chance + u * STEPS, chance + v * STEPS);
			int64_t		shared = count_bits(has, item + start[v], item + start[v + 1]);
			double		off = (double) shared - by_chance.mean;

			off = off * off - by_chance.variance;
			above += off;
			above_squares += off * off;
			expected_squares += by_chance.mean * by_chance.mean;
			pairs++;
		}
		flip_bits(has, item + start[u], item + start[u + 1]);
	}
	*error = expected_squares > 0 ? sqrt(fmax(above_squares - above * above / pairs, 0)) / expected_squares : INFINITY;
	return expected_squares > 0 ? above / expected_squares : 0;
}

/*
 * held_out.c - how well users' lists of items are that a map has not seen.
 *
 * The held-out items are ranked among themselves for every user, all of them: cold items come into lists by being above
 * others like them, and NDCG without a cut says something of every item that a user has, where the first twenty places
 * would have none of most.  Items of one score take the mean of the gains of their places, as if their order were
 * drawn: so what a map knows nothing of is worth what chance is, and no order of items is any better.
 *
 * Is a figure better than chance?  Users are no independent witnesses: they share a direction (what is popular), so a
 * random map, too, lifts the same few items for all of them, and they agree that it is good or bad.  Items are: if
 * attributes say nothing, any item could as well have another one's vector.  The held-out items are in a random order,
 * so vectors handed on by so many places, round the circle, are such a case (a randomization test, exact for the group
 * of shifts).  What is found must be above all of them, and above chance by so many of their deviations as a search
 * over some dozens of settings does not reach by luck.
 */
#include "core/features/held_out.h"

#include <math.h>
#include <string.h>

#include "core/base/padding.h"
#include "core/base/rng.h"
#include "core/features/thirds.h"
#include "core/kernels/ranks.h"

#define MOST_ITEMS 20000		/* ranked; more are sampled */
#define MOST_SHIFTS 64
#define DEVIATIONS 3.0
#define SEED 0x68656c64

/* A worker's part of the workspace. */
typedef struct WorkerSpace
{
	double	   *side;			/* d x MF_RANKS_USERS: users side by side */
	float	   *score;			/* (count / MF_RANKS_ITEMS) x MF_RANKS_USERS x MF_RANKS_ITEMS */
} WorkerSpace;

/* Blocks of MF_RANKS_ITEMS items. */
static int64_t
item_blocks(int64_t count)
{
	return (count + MF_RANKS_ITEMS - 1) / MF_RANKS_ITEMS;
}

/* The most items that can be ranked. */
static int64_t
most_items(const MfHeldOut *held)
{
	return held->nitems < MOST_ITEMS ? held->nitems : MOST_ITEMS;
}

static WorkerSpace
take_space(const MfHeldOut *held, MfArena *arena)
{
	WorkerSpace space;

	space.side = mf_arena_take(arena, sizeof(double) * MF_RANKS_USERS * (size_t) held->factors);
	space.score = mf_arena_floats(arena, MF_RANKS_USERS * MF_RANKS_ITEMS * (size_t) item_blocks(most_items(held)));
	return space;
}

/* Bytes of a worker's part. */
static size_t
space_size(const MfHeldOut *held)
{
	MfArena		arena = {NULL, 0};

	take_space(held, &arena);
	return arena.used;
}

/*
 * Takes the arrays for users who have ncells items together; parallel, factors, nusers and nitems are there.  An arena
 * that starts at NULL only measures.
 */
void
mf_held_out_lay_out(MfHeldOut *held, MfArena *arena, int64_t ncells)
{
	size_t		most = (size_t) most_items(held);

	held->place = mf_arena_take(arena, (size_t) held->nitems * sizeof(int32_t));
	held->predicted = mf_arena_floats(arena, most * (size_t) mf_padded(held->factors));
	held->start = mf_arena_take(arena, ((size_t) held->nusers + 1) * sizeof(int64_t));
	held->relevant = mf_arena_take(arena, (size_t) ncells * sizeof(int32_t));
	held->gain = mf_arena_take(arena, (most + 1) * sizeof(double));
	held->quality = mf_arena_take(arena, (size_t) held->nusers * (1 + MOST_SHIFTS) * sizeof(double));
	held->space = mf_arena_take(arena, space_size(held) * (size_t) mf_workers(held->parallel));
}

/*
 * Draws the items: of those of a third that count a sample, in a random order (a reservoir, Vitter 1985, shuffled as it
 * fills).  chosen: room for as many as can be ranked.
 */
static void
choose_items(MfHeldOut *held, const float *weight, int third, int32_t *chosen)
{
	uint64_t	met = 0;

	held->count = 0;
	for (int64_t i = 0; i < held->nitems; i++)
	{
		uint64_t	at;

		held->place[i] = -1;
		if (!(weight[i] > 0.0f) || mf_item_third(i) != third)
			continue;
		at = mf_random_bits(SEED, met) % (met + 1);
		met++;
		if (held->count < MOST_ITEMS)
		{
			chosen[held->count] = at < (uint64_t) held->count ? chosen[at] : 0;
			held->count++;
		}
		if (at < (uint64_t) held->count)
			chosen[at] = (int32_t) i;
	}
	for (int64_t k = 0; k < held->count; k++)
		held->place[chosen[k]] = (int32_t) k;
}

/*
 * Holds the items of a third out that have a weight (nitems), of many a sample.  items: the users' rows, as many cells
 * as the layout was for.
 */
void
mf_held_out_choose(MfHeldOut *held, const float *weight, const MfRows *items, int third)
{
	int64_t		n = 0;

	/* predictions come later: meanwhile there is room */
	choose_items(held, weight, third, (int32_t *) (void *) held->predicted);
	for (int64_t u = 0; u < held->nusers; u++)
	{
		held->start[u] = n;
		for (int64_t c = items->start[u]; c < items->start[u + 1]; c++)
			if (held->place[items->column[c]] >= 0)
				held->relevant[n++] = held->place[items->column[c]];
	}
	held->start[held->nusers] = n;
	held->gain[0] = 0.0;
	for (int64_t k = 0; k < held->count; k++)
		held->gain[k + 1] = held->gain[k] + 1.0 / log2((double) k + 2.0);
}

/* What item j adds to the list of user u of a group: the mean gain of the places that its score shares. */
static double
gain_of(const MfHeldOut *held, const MfRanks *ranks, const float *score, int u, int64_t j)
{
	const float *mine = score + (j / MF_RANKS_ITEMS * MF_RANKS_USERS + u) * MF_RANKS_ITEMS + j % MF_RANKS_ITEMS;
	int64_t		above = 0;
	int64_t		equal = 0;

	for (int64_t b = 0; b < item_blocks(held->count); b++)
	{
		int64_t		left = held->count - b * MF_RANKS_ITEMS;

		above += ranks->above(score + (b * MF_RANKS_USERS + u) * MF_RANKS_ITEMS,
							  left < MF_RANKS_ITEMS ? (int) left : MF_RANKS_ITEMS, *mine, &equal);
	}
	/* what is not a number is equal to nothing, and makes the figure no number */
	return (held->gain[above + equal] - held->gain[above]) / (double) equal;
}

/* NDCG of a user's list where every item has the vector of the one `shift` places further on. */
static double
ndcg_of(const MfHeldOut *held, const MfRanks *ranks, const float *score, int64_t first, int u, int64_t shift)
{
	const int32_t *relevant = held->relevant + held->start[first + u];
	int64_t		n = held->start[first + u + 1] - held->start[first + u];
	double		sum = 0.0;

	for (int64_t k = 0; k < n; k++)
		sum += gain_of(held, ranks, score, u, (relevant[k] + shift) % held->count);
	return n > 0 ? sum / held->gain[n] : 0.0;
}

/* Task: the figures of MF_RANKS_USERS users. */
static void
rank_users(void *state, int64_t group, int worker)
{
	MfHeldOut  *held = state;
	const MfRanks *ranks = mf_ranks();
	MfArena		arena = {held->space + (size_t) worker * space_size(held), 0};
	WorkerSpace space = take_space(held, &arena);
	int			ld = mf_padded(held->factors);
	int64_t		first = group * MF_RANKS_USERS;
	int			n = (int) (held->nusers - first < MF_RANKS_USERS ? held->nusers - first : MF_RANKS_USERS);

	for (int k = 0; k < held->factors; k++)
		for (int u = 0; u < MF_RANKS_USERS; u++)
			space.side[k * MF_RANKS_USERS + u] = u < n ? held->user[(first + u) * ld + k] : 0.0;
	for (int64_t b = 0; b < item_blocks(held->count); b++)
	{
		int64_t		left = held->count - b * MF_RANKS_ITEMS;

		ranks->score(space.side, held->predicted + b * MF_RANKS_ITEMS * ld, NULL, held->factors, ld,
					 left < MF_RANKS_ITEMS ? (int) left : MF_RANKS_ITEMS,
					 space.score + b * MF_RANKS_USERS * MF_RANKS_ITEMS);
	}
	for (int u = 0; u < n; u++)
		for (int s = 0; s <= held->shifts && !mf_cancelled(held->parallel); s++)
			held->quality[(first + u) * (1 + held->shifts) + s] =
				ndcg_of(held, ranks, space.score, first, u, s * (held->count / (held->shifts + 1)));
}

/* The mean figure of the users who have held-out items, with vectors handed on by s shifts; 0 without any. */
static double
mean_quality(const MfHeldOut *held, int s)
{
	double		sum = 0.0;
	int64_t		n = 0;

	for (int64_t u = 0; u < held->nusers; u++)
	{
		sum += held->quality[u * (1 + held->shifts) + s];
		n += held->start[u + 1] > held->start[u];
	}
	return n > 0 ? sum / (double) n : 0.0;
}

/* The same where the order is drawn. */
static double
chance_quality(const MfHeldOut *held)
{
	double		sum = 0.0;
	int64_t		n = 0;

	for (int64_t u = 0; u < held->nusers; u++)
	{
		int64_t		count = held->start[u + 1] - held->start[u];

		if (count == 0)
			continue;
		sum += (double) count / (double) held->count * held->gain[held->count] / held->gain[count];
		n++;
	}
	return n > 0 ? sum / (double) n : 0.0;
}

/* Ranks for all users, for so many shifts. */
static MfError
rank_all(MfHeldOut *held, int shifts)
{
	int64_t		groups = (held->nusers + MF_RANKS_USERS - 1) / MF_RANKS_USERS;

	held->shifts = shifts;
	if (!mf_parallel_for(held->parallel, groups, rank_users, held))
		return MF_CANCELLED;
	return isfinite(mean_quality(held, 0)) ? MF_OK : MF_NOT_FINITE;
}

/*
 * *ndcg = the mean NDCG over users of the held-out items by the predicted vectors; 0 where no user has any.  Returns
 * MF_CANCELLED, MF_NOT_FINITE where predictions are not, or MF_OK.
 */
MfError
mf_held_out_ndcg(MfHeldOut *held, double *ndcg)
{
	MfError		error = rank_all(held, 0);

	*ndcg = mean_quality(held, 0);
	return error;
}

/* *proven = whether the predicted vectors do better than chance explains.  Errors as above. */
MfError
mf_held_out_prove(MfHeldOut *held, bool *proven)
{
	int			shifts = held->count <= MOST_SHIFTS ? (int) held->count - 1 : MOST_SHIFTS;
	double		most = -INFINITY;
	double		squares = 0.0;
	double		chance;
	MfError		error;

	*proven = false;
	if (shifts < 1 || held->start[held->nusers] == 0)
		return MF_OK;
	error = rank_all(held, shifts);
	chance = chance_quality(held);
	for (int s = 1; s <= shifts && error == MF_OK; s++)
	{
		double		quality = mean_quality(held, s);

		most = fmax(most, quality);
		squares += (quality - chance) * (quality - chance);
	}
	*proven = error == MF_OK && mean_quality(held, 0) > most &&
		mean_quality(held, 0) > chance + DEVIATIONS * sqrt(squares / shifts);
	return error;
}

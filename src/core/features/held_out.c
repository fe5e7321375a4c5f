/*
 * held_out.c - how well users' lists of items are that a map has not seen.
 *
 * The held-out items are ranked among themselves for every user, all of them: cold items come into lists by being above
 * others like them, and NDCG without a cut says something of every item that a user has, where the first twenty places
 * would have none of most.  Items of one score take the mean of the gains of their places, as if their order were
 * drawn: so what a map knows nothing of is worth what chance is, and no order of items is any better.
 *
 * Is what a block of features adds to that more than chance?  Users are no independent witnesses: they share a
 * direction (what is popular), so a random map, too, lifts the same few items for all of them, and they agree that it
 * is good or bad.  Items are: if the block says nothing, any item could as well have what it says of another.  The
 * held-out items are in a random order, so what it says handed on by so many places, round the circle, is such a case
 * (a randomization test, exact for the group of shifts; Fisher).  The true figure must be above all of those, and above
 * their mean by several of their deviations.
 */
#include "core/features/held_out.h"

#include <math.h>
#include <string.h>

#include "core/base/padding.h"
#include "core/base/rng.h"
#include "core/features/thirds.h"
#include "core/kernels/ranks.h"

#define MOST_SHIFTS 24
#define LEAST_SHIFTS 19			/* fewer prove nothing, whatever the figure */
#define DEVIATIONS 3.0
#define SEED 0x68656c64

/* A worker's part of the workspace. */
typedef struct WorkerSpace
{
	double	   *side;			/* d x MF_RANKS_USERS: users side by side */
	float	   *score;			/* by `predicted`: blocks of MF_RANKS_USERS x MF_RANKS_ITEMS */
	float	   *rest_score;		/* the same by `rest` */
	float	   *rest;			/* count: one user's, by `rest` */
	float	   *part;			/* count: what is left of those by `predicted` */
	float	   *list;			/* count: what the user's list goes by */
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
	return held->nitems < MF_MOST_HELD_OUT ? held->nitems : MF_MOST_HELD_OUT;
}

static WorkerSpace
take_space(const MfHeldOut *held, MfArena *arena)
{
	size_t		most = MF_RANKS_ITEMS * (size_t) item_blocks(most_items(held));
	WorkerSpace space;

	space.side = mf_arena_take(arena, sizeof(double) * MF_RANKS_USERS * (size_t) held->factors);
	space.score = mf_arena_floats(arena, MF_RANKS_USERS * most);
	space.rest_score = mf_arena_floats(arena, MF_RANKS_USERS * most);
	space.rest = mf_arena_floats(arena, most);
	space.part = mf_arena_floats(arena, most);
	space.list = mf_arena_floats(arena, most);
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
	held->rest = mf_arena_floats(arena, most * (size_t) mf_padded(held->factors));
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
		if (held->count < MF_MOST_HELD_OUT)
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
 * as the layout was for; dislikes are not relevant.
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
			if (held->place[items->column[c]] >= 0 && (items->weight == NULL || items->weight[c] > 0.0f))
				held->relevant[n++] = held->place[items->column[c]];
	}
	held->start[held->nusers] = n;
	held->gain[0] = 0.0;
	for (int64_t k = 0; k < held->count; k++)
		held->gain[k + 1] = held->gain[k] + 1.0 / log2((double) k + 2.0);
}

/* Holds only the first `count` of the items that have been chosen out. */
void
mf_held_out_limit(MfHeldOut *held, int64_t count)
{
	int64_t		from = 0;
	int64_t		to = 0;

	if (count >= held->count)
		return;
	held->count = count;
	for (int64_t i = 0; i < held->nitems; i++)
		if (held->place[i] >= count)
			held->place[i] = -1;
	for (int64_t u = 0; u < held->nusers; u++)
	{
		for (; from < held->start[u + 1]; from++)
			if (held->relevant[from] < count)
				held->relevant[to++] = held->relevant[from];
		held->start[u + 1] = to;
	}
}

/* The items of block b. */
static int
items_of(const MfHeldOut *held, int64_t b)
{
	int64_t		left = held->count - b * MF_RANKS_ITEMS;

	return left < MF_RANKS_ITEMS ? (int) left : MF_RANKS_ITEMS;
}

/* What item j adds to a list by these scores: the mean gain of the places that its score shares. */
static double
gain_of(const MfHeldOut *held, const MfRanks *ranks, const float *score, int64_t j)
{
	int64_t		equal = 0;
	int64_t		above = ranks->above(score, (int) held->count, score[j], &equal);

	/* what is not a number is equal to nothing, and makes the figure no number */
	return (held->gain[above + equal] - held->gain[above]) / (double) equal;
}

/* NDCG of a user's list; 0 without relevant items. */
static double
ndcg_of(const MfHeldOut *held, const MfRanks *ranks, const float *score, int64_t user)
{
	int64_t		n = held->start[user + 1] - held->start[user];
	double		sum = 0.0;

	for (int64_t k = held->start[user]; k < held->start[user + 1]; k++)
		sum += gain_of(held, ranks, score, held->relevant[k]);
	return n > 0 ? sum / held->gain[n] : 0.0;
}

/* Scores of a group of users by some vectors. */
static void
score_items(const MfHeldOut *held, const MfRanks *ranks, const double *side, const float *vector, float *score)
{
	int			ld = mf_padded(held->factors);

	for (int64_t b = 0; b < item_blocks(held->count); b++)
		ranks->score(side, vector + b * MF_RANKS_ITEMS * ld, NULL, held->factors, ld, items_of(held, b),
					 score + b * MF_RANKS_USERS * MF_RANKS_ITEMS);
}

/* Takes a user's scores from those of a group: out (count). */
static void
take_scores(const MfHeldOut *held, const float *score, int u, float *out)
{
	for (int64_t b = 0; b < item_blocks(held->count); b++)
		memcpy(out + b * MF_RANKS_ITEMS, score + (b * MF_RANKS_USERS + u) * MF_RANKS_ITEMS,
			   (size_t) items_of(held, b) * sizeof(float));
}

/* list = the scores where every item has the part of the one `shift` places further on. */
static void
mix_scores(const MfHeldOut *held, const WorkerSpace *space, int64_t shift)
{
	int64_t		turn = held->count - shift;

	for (int64_t j = 0; j < turn; j++)
		space->list[j] = space->rest[j] + space->part[j + shift];
	for (int64_t j = turn; j < held->count; j++)
		space->list[j] = space->rest[j] + space->part[j - turn];
}

/* The figures of a user of a group: one, or one for each shift, the first of which is none. */
static void
rank_user(const MfHeldOut *held, const MfRanks *ranks, const WorkerSpace *space, int64_t user)
{
	int			u = (int) (user % MF_RANKS_USERS);

	if (held->shifts == 0)
	{
		take_scores(held, space->score, u, space->list);
		held->quality[user] = ndcg_of(held, ranks, space->list, user);
		return;
	}
	take_scores(held, space->score, u, space->part);
	take_scores(held, space->rest_score, u, space->rest);
	for (int64_t j = 0; j < held->count; j++)
		space->part[j] -= space->rest[j];
	for (int s = 0; s <= held->shifts && !mf_cancelled(held->parallel); s++)
	{
		mix_scores(held, space, s * (held->count / (held->shifts + 1)));
		held->quality[user * (1 + held->shifts) + s] = ndcg_of(held, ranks, space->list, user);
	}
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
	score_items(held, ranks, space.side, held->predicted, space.score);
	if (held->shifts > 0)
		score_items(held, ranks, space.side, held->rest, space.rest_score);
	for (int u = 0; u < n && !mf_cancelled(held->parallel); u++)
		rank_user(held, ranks, &space, first + u);
}

/* The mean figure of the users who have held-out items, for shift s; 0 without any. */
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

/*
 * *proven = whether what the predicted vectors have beyond `rest` does more than chance explains.  Errors as above.
 */
MfError
mf_held_out_prove(MfHeldOut *held, bool *proven)
{
	int			shifts = held->count <= MOST_SHIFTS ? (int) held->count - 1 : MOST_SHIFTS;
	double		most = -INFINITY;
	double		sum = 0.0;
	double		squares = 0.0;
	double		above;
	MfError		error;

	*proven = false;
	if (shifts < LEAST_SHIFTS || held->start[held->nusers] == 0)
		return MF_OK;
	error = rank_all(held, shifts);
	for (int s = 1; s <= shifts && error == MF_OK; s++)
	{
		double		off = mean_quality(held, s) - mean_quality(held, 0);

		most = fmax(most, off);
		sum += off;
		squares += off * off;
	}
	above = -sum / shifts;
	*proven = error == MF_OK && most < 0.0 &&
		above > DEVIATIONS * sqrt(fmax(squares / shifts - above * above, 0.0));
	return error;
}

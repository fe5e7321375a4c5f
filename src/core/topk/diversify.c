/*
 * diversify.c - lists of items that are not all alike: maximal marginal relevance (Carbonell and Goldstein 1998), and
 * how alike a list's items are.
 *
 * A list of k items is chosen greedily from a pool of the best items by score.  The first is the best; each next one is
 * the item i with the largest
 *
 *	  (1 - diversity) (s_i - s_min) / (s_max - s_min) - 5 diversity sum_j max(0, cos(v_i, v_j))^1.5 / (k - 1),
 *
 * where j runs over the items chosen so far, s_max and s_min are the largest and the smallest score of the pool, and v
 * the vectors that lists go by.  Of equal ones the one that comes first in the pool is taken, so a list depends on
 * nothing but the pool, and not on the machine.  Scores are scaled by the pool, as those of different models and users
 * have nothing in common but their order; cosines below 0 count as 0, as opposites do not make a list better than
 * strangers do.
 *
 * The sum is divided by k - 1, not by the number of items chosen so far, and is no maximum as in that paper: so each
 * pair of items counts alike (max-sum diversification, Gollapudi and Sharma 2009), and first places, which matter most,
 * go by score more than last ones.  Of these three it loses the least NDCG where lists become as different
 * (docs/reference.md).
 *
 * A search for a longer pool takes longer, so the pool is short: five items for each place.  What it lacks in choice is
 * made up for by the weight.  The power has pairs that are much alike count more: where all items are somewhat alike,
 * lists become as different as elsewhere, and where few are, they lose no more score than that takes.  The 5 makes 0.3 a
 * good choice: pairs of items are by a quarter to a third less alike, at next to no cost.
 */
#include "core/topk/diversify.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/kernels/score.h"
#include "core/linalg/dot.h"

/* Items of a pool for each place of the list, and at most so many in all. */
#define POOL_ITEMS 5
#define MOST_POOL 1000

/* What likeness weighs beside score; a pair's likeness is its cosine to the power of 1.5. */
#define LIKENESS_WEIGHT 5

/* What choosing needs of the pool's items. */
typedef struct Choice
{
	const MfScore *kernels;
	const MfPool *pool;
	double		weight;			/* of a pair's likeness */
	double	   *reciprocal;		/* of the vector's length; 0 for one of zeros */
	double	   *relevance;		/* score, scaled by the pool, and weighed; descending */
	double	   *alike;			/* sum of likenesses with the items that it has been compared with */
	double	   *worth;			/* by these; -INFINITY: is chosen itself */
	int32_t    *compared;		/* with so many of the items chosen, the first ones */
	int32_t    *chosen;			/* places in the pool, in the order of the list */
	const float **chosen_vector;	/* their vectors */
	double	   *product;		/* of a vector with these */
	int32_t    *item;			/* of the pool, to be put into a new order */
	float	   *score;
} Choice;

/*
 * Items that the pool for a list of k places should have.  A list of more than MOST_POOL places takes up the places
 * behind them by score, so its pool is as long as the list.
 */
int
mf_diversify_pool(int k)
{
	if (k <= 1 || k >= MOST_POOL)
		return k;
	return k < MOST_POOL / POOL_ITEMS ? k * POOL_ITEMS : MOST_POOL;
}

/* Lays out the workspace for a pool of n items. */
static void
lay_out(Choice *choice, MfArena *arena, int n)
{
	choice->reciprocal = mf_arena_take(arena, n * sizeof(double));
	choice->relevance = mf_arena_take(arena, n * sizeof(double));
	choice->alike = mf_arena_take(arena, n * sizeof(double));
	choice->worth = mf_arena_take(arena, n * sizeof(double));
	choice->compared = mf_arena_take(arena, n * sizeof(int32_t));
	choice->chosen = mf_arena_take(arena, n * sizeof(int32_t));
	choice->chosen_vector = mf_arena_take(arena, n * sizeof(float *));
	choice->product = mf_arena_take(arena, n * sizeof(double));
	choice->item = mf_arena_take(arena, n * sizeof(int32_t));
	choice->score = mf_arena_floats(arena, n);
}

/* Bytes of 64-byte aligned workspace that a pool of n items needs. */
size_t
mf_diversify_workspace(int n)
{
	MfArena		arena = {NULL, 0};
	Choice		choice;

	lay_out(&choice, &arena, n < MOST_POOL ? n : MOST_POOL);
	return arena.used;
}

/* Begins with nothing chosen of the first n items. */
static void
start_choice(Choice *choice, const MfPool *pool, int n, double diversity)
{
	double		most = pool->score[0];
	double		range = most - pool->score[n - 1];

	choice->kernels = mf_score();
	choice->pool = pool;
	for (int i = 0; i < n; i++)
	{
		double		square;

		choice->kernels->exact_products(pool->vector[i], pool->ld, &pool->vector[i], 1, &square);
		choice->reciprocal[i] = square > 0 ? 1 / sqrt(square) : 0;
		choice->relevance[i] = range > 0 ? (1 - diversity) * (1 - (most - pool->score[i]) / range) : 0;
		choice->alike[i] = 0;
		choice->worth[i] = choice->relevance[i];
		choice->compared[i] = 0;
	}
	memcpy(choice->item, pool->item, sizeof(int32_t) * n);
	memcpy(choice->score, pool->score, sizeof(float) * n);
}

/* Compares an item with those of the first `places` chosen that it has not been compared with. */
static void
compare_item(Choice *choice, int i, int places)
{
	int			first = choice->compared[i];

	choice->kernels->exact_products(choice->pool->vector[i], choice->pool->ld, choice->chosen_vector + first, places - first,
							  choice->product);
	for (int place = first; place < places; place++)
	{
		double		cosine = choice->product[place - first] * (choice->reciprocal[i] * choice->reciprocal[choice->chosen[place]]);

		if (cosine > 0)
			choice->alike[i] += cosine * sqrt(cosine);
	}
	choice->compared[i] = places;
	choice->worth[i] = choice->relevance[i] - choice->weight * choice->alike[i];
}

/*
 * The item of the next place, by its place in the pool of n items, of which at least one is not chosen.
 *
 * What an item is worth only falls as others are chosen, so what is known of it by those that it has been compared with
 * is a bound (Minoux 1978): where that is too little, it need not be compared with the last ones chosen.
 */
static int
best_item(Choice *choice, int n, int places)
{
	double		most = -INFINITY;
	int			best = -1;

	for (int i = 0; i < n && choice->relevance[i] > most; i++)
	{
		if (choice->worth[i] <= most)
			continue;
		compare_item(choice, i, places);
		if (choice->worth[i] <= most)
			continue;
		most = choice->worth[i];
		best = i;
	}
	return best;
}

/* Chooses an item for a place. */
static void
take_item(Choice *choice, int place, int taken)
{
	choice->worth[taken] = -INFINITY;
	choice->chosen[place] = taken;
	choice->chosen_vector[place] = choice->pool->vector[taken];
}

/*
 * Puts the first min(k, n) places of a pool into the order of a list of that diversity, from 0 (as they are) to 1 (the
 * best item first, then those least like the ones before).  What stands behind these places is undefined, but for a
 * pool of more than MOST_POOL items, of which only so many first ones are put into another order.
 */
void
mf_diversify(MfPool *pool, double diversity, int k, void *workspace)
{
	MfArena		arena = {workspace, 0};
	int			n = pool->n < MOST_POOL ? pool->n : MOST_POOL;
	int			places = k < n ? k : n;
	Choice		choice;

	if (n == 0)
		return;
	lay_out(&choice, &arena, n);
	start_choice(&choice, pool, n, diversity);
	choice.weight = k > 1 ? LIKENESS_WEIGHT * diversity / (k - 1) : 0;
	for (int place = 0; place < places; place++)
		take_item(&choice, place, place == 0 ? 0 : best_item(&choice, n, place));
	for (int place = 0; place < places; place++)
	{
		pool->item[place] = choice.item[choice.chosen[place]];
		pool->score[place] = choice.score[choice.chosen[place]];
	}
}

/*
 * The mean cosine of the pairs of a list's items by their vectors in an index (Ziegler et al. 2005), where one with a
 * vector of zeros has 0 with all others; NaN for fewer than two.  With unit vectors u of n items it is (|sum u|^2 - sum
 * |u|^2) over n (n - 1), so that there is no need for pairs.
 */
double
mf_list_similarity(const MfIndex *index, const int32_t *list, int length)
{
	double		sum[MF_MAX_FACTORS] = {0};
	double		alone = 0;
	double		all = 0;

	for (int i = 0; i < length; i++)
	{
		float		row[MF_MAX_PADDED];
		const float *vector = mf_index_vector(index, list[i], row);
		double		norm = sqrt(mf_dot(vector, vector, index->factors));

		for (int f = 0; norm > 0 && f < index->factors; f++)
			sum[f] += vector[f] / norm;
		alone += norm > 0;
	}
	for (int f = 0; f < index->factors; f++)
		all += sum[f] * sum[f];
	return length > 1 ? (all - alone) / ((double) length * (length - 1)) : NAN;
}

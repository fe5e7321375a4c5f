/*
 * test_auc.c - the area under the ROC curve of many users at once against its definition.
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "core/als/als.h"
#include "core/metrics/auc.h"
#include "core/simd/isa.h"
#include "core/base/sorted_list.h"
#include "core/metrics/ranking.h"
#include "core/base/rng.h"
#include "core/topk/topk.h"

#define ITEMS 1000
#define USERS 37

static float *vectors;
static float *queries;
static float offsets[ITEMS];
static int32_t counts[ITEMS];

/* Vectors of few distinct coordinates, so that many scores are equal; all alike where d is 1. */
static void
make_vectors(int d)
{
	int			ld = mf_padded(d);

	vectors = aligned_alloc(64, sizeof(float) * ITEMS * ld);
	queries = aligned_alloc(64, sizeof(float) * USERS * ld);
	memset(vectors, 0, sizeof(float) * ITEMS * ld);
	memset(queries, 0, sizeof(float) * USERS * ld);
	for (int i = 0; i < ITEMS; i++)
	{
		for (int j = 0; j < d; j++)
			vectors[i * ld + j] = (float) (mf_random_bits(1, (uint64_t) (i * d + j)) % 3) / 7;
		offsets[i] = (float) (mf_random_bits(2, (uint64_t) i) % 2) / 3;
		counts[i] = (int32_t) (mf_random_bits(3, (uint64_t) i) % 20);
	}
	for (int u = 0; u < USERS; u++)
		for (int j = 0; j < d; j++)
			queries[u * ld + j] = u == 0 ? 0 : (float) mf_random_normal(4, (uint64_t) (u * d + j));
}

static void *
build_index(MfIndex *index, int d, const float *offset, const MfParallel *parallel)
{
	MfItems		items = {.nitems = ITEMS,.factors = d,.vector = vectors,.offset = offset};
	void	   *space = aligned_alloc(64, (mf_index_size(&items) + 63) / 64 * 64);
	void	   *work = aligned_alloc(64, (mf_index_workspace(ITEMS, d, parallel) + 63) / 64 * 64);
	size_t		size = mf_index_build(space, work, &items, MF_QUANTIZE_NEVER, parallel);

	ok(mf_index_open(index, space, size), "index of %d factors", d);
	free(work);
	return space;
}

/* Draws a user's seen and relevant items: disjoint, ascending; returns how many of each. */
static void
draw_items(int user, int32_t *seen, int64_t *nseen, int32_t *relevant, int64_t *nrelevant)
{
	*nseen = *nrelevant = 0;
	for (int i = 0; i < ITEMS; i++)
	{
		uint64_t	draw = mf_random_bits(5, (uint64_t) (user * ITEMS + i)) % 100;

		if (draw < (uint64_t) user)
			seen[(*nseen)++] = i;
		else if (draw >= 97 || (user == 5 && draw > 20))
			relevant[(*nrelevant)++] = i;
	}
	if (user == 7)
		*nrelevant = 0;
}

static bool
same(double a, double b)
{
	return isnan(a) ? isnan(b) : fabs(a - b) < 1e-13;
}

/*
 * The share of (relevant, other) pairs of items that the scores order rightly, ties counting half
 * (Rendle et al. 2009): score[i] of all nitems items; seen items, ascending, are on neither side.
 * Takes nrelevant passes over the scores.  NaN when either side is empty.
 */
static double
auc_by_definition(const float *score, int64_t nitems, const int32_t *seen, int64_t nseen,
				  const int32_t *relevant, int64_t nrelevant)
{
	double		right = 0;
	double		pairs = 0;

	for (int64_t r = 0; r < nrelevant; r++)
	{
		float		mine = score[relevant[r]];
		int64_t		below = 0;
		int64_t		equal = 0;
		int64_t		others = nitems;

		if (mf_list_has(seen, nseen, relevant[r]))
			continue;
		for (int64_t i = 0; i < nitems; i++)
		{
			below += score[i] < mine;
			equal += score[i] == mine;
		}
		for (int64_t s = 0; s < nseen; s++)
		{
			below -= score[seen[s]] < mine;
			equal -= score[seen[s]] == mine;
			others--;
		}
		for (int64_t s = 0; s < nrelevant; s++)
		{
			if (mf_list_has(seen, nseen, relevant[s]))
				continue;
			below -= score[relevant[s]] < mine;
			equal -= score[relevant[s]] == mine;
			others--;
		}
		right += (double) below + (double) equal / 2;
		pairs += (double) others;
	}
	return right / pairs;
}

/* Keeps the items of a list that are in the part, every third one. */
static int64_t
keep_part(int32_t *list, int64_t n)
{
	int64_t		kept = 0;

	for (int64_t i = 0; i < n; i++)
		if (list[i] % 3 == 0)
			list[kept++] = list[i];
	return kept;
}

/* The same queries where every third item alone is ranked: against the definition over these. */
static void
test_part(const MfIndex *index, MfAucQuery *query, void *work, const MfParallel *parallel)
{
	static int32_t position[ITEMS];
	static int32_t member[ITEMS];
	static float score[ITEMS];
	MfAucPart	part = {0, position};
	int			right = 0;

	for (int32_t p = 0; p < ITEMS; p++)
		if (index->item[p] % 3 == 0)
			position[part.nitems++] = p;
	for (int32_t i = 0; i < part.nitems; i++)
		member[i] = 3 * i;
	for (int u = 0; u < USERS; u++)
	{
		query[u].nseen = keep_part((int32_t *) (uintptr_t) query[u].seen, query[u].nseen);
		query[u].nrelevant = keep_part((int32_t *) (uintptr_t) query[u].relevant, query[u].nrelevant);
	}
	ok(mf_auc(index, &part, query, USERS, work, parallel), "a part ran to the end");
	for (int u = 0; u < USERS; u++)
	{
		int32_t		seen[ITEMS];
		int32_t		relevant[ITEMS];

		for (int64_t i = 0; i < query[u].nseen; i++)
			seen[i] = query[u].seen[i] / 3;
		for (int64_t i = 0; i < query[u].nrelevant; i++)
			relevant[i] = query[u].relevant[i] / 3;
		mf_topk_score(index, query[u].query, member, part.nitems, score);
		right += same(query[u].auc, auc_by_definition(score, part.nitems, seen, query[u].nseen, relevant, query[u].nrelevant));
	}
	ok(right == USERS, "%d of %d users as defined among a part of the items", right, USERS);
}

static void
test_level(int d, const float *offset, int nthreads)
{
	MfParallel	parallel = {nthreads, NULL};
	MfIndex		index;
	void	   *space = build_index(&index, d, offset, &parallel);
	static int32_t seen[USERS][ITEMS];
	static int32_t relevant[USERS][ITEMS];
	static float score[USERS][ITEMS];
	static int32_t every[ITEMS];
	static float all[ITEMS];
	MfAucQuery	query[USERS];
	void	   *work = aligned_alloc(64, (mf_auc_workspace(d, &parallel) + 63) / 64 * 64);
	int			right = 0;

	for (int i = 0; i < ITEMS; i++)
		every[i] = i;
	for (int u = 0; u < USERS; u++)
	{
		query[u] = (MfAucQuery) {queries + u * mf_padded(d), seen[u], 0, relevant[u], 0, score[u], 0};
		draw_items(u, seen[u], &query[u].nseen, relevant[u], &query[u].nrelevant);
	}
	ok(mf_auc(&index, NULL, query, USERS, work, &parallel), "ran to the end");
	for (int u = 0; u < USERS; u++)
	{
		mf_topk_score(&index, query[u].query, every, ITEMS, all);
		right += same(query[u].auc, auc_by_definition(all, ITEMS, seen[u], query[u].nseen, relevant[u], query[u].nrelevant));
	}
	ok(right == USERS, "%d of %d users as defined: level %d, d %d, %d threads", right, USERS, mf_isa(), d, nthreads);
	test_part(&index, query, work, &parallel);
	free(work);
	free(space);
}

static int
compare_counts(const void *a, const void *b)
{
	return counts[*(const int32_t *) b] - counts[*(const int32_t *) a];
}

static void
test_counts(void)
{
	static int32_t popular[ITEMS];
	static int32_t fewer[ITEMS];
	static int32_t equal[ITEMS];
	static int32_t seen[ITEMS];
	static int32_t relevant[ITEMS];
	static float all[ITEMS];
	MfPopularity popularity = {ITEMS, counts, fewer, equal};
	int			right = 0;

	for (int i = 0; i < ITEMS; i++)
	{
		popular[i] = i;
		all[i] = (float) counts[i];
	}
	qsort(popular, ITEMS, sizeof(int32_t), compare_counts);
	mf_auc_rank_counts(&popularity, popular);
	for (int u = 0; u < USERS; u++)
	{
		int64_t		nseen;
		int64_t		nrelevant;

		draw_items(u, seen, &nseen, relevant, &nrelevant);
		right += same(mf_auc_of_counts(&popularity, seen, nseen, relevant, nrelevant),
					  auc_by_definition(all, ITEMS, seen, nseen, relevant, nrelevant));
	}
	ok(right == USERS, "%d of %d users as defined: counts", right, USERS);
}

int
main(void)
{
	static const int factors[] = {1, 3, 16, 33, 64};
	int			nlevels = (int) mf_isa_limit(MF_ISA_LEVELS - 1) + 1;

	for (int f = 0; f < (int) (sizeof(factors) / sizeof(factors[0])); f++)
	{
		make_vectors(factors[f]);
		for (int level = 0; level < nlevels; level++)
		{
			mf_isa_limit((MfIsa) level);
			test_level(factors[f], level % 2 ? offsets : NULL, 1 + level);
		}
		free(vectors);
		free(queries);
	}
	test_counts();
	return done();
}

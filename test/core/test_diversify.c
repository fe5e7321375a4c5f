/*
 * test_diversify.c - diversified lists are what a naive rendering of their formula gives, on every machine the same.
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/kernels/score.h"
#include "core/simd/isa.h"
#include "core/topk/diversify.h"

enum
{
	MOST = 1300, FACTORS = 7, LD = 16
};

static float vectors[MOST][LD];
static const float *vector[MOST];
static int32_t item[MOST];
static float score[MOST];

/* A random pool; every eighth vector is zero, every fifth is the one before it, scores have ties. */
static void
make_pool(int n, uint64_t seed)
{
	for (int i = 0; i < n; i++)
	{
		for (int f = 0; f < FACTORS; f++)
			vectors[i][f] = i % 8 == 7 ? 0 : i % 5 == 4 ? vectors[i - 1][f] :
				(float) (mf_random_bits(seed, (uint64_t) (i * FACTORS + f)) % 2001) / 1000 - 0.6F;
		vector[i] = vectors[i];
		item[i] = (i * 7919) % MOST;
		score[i] = (float) ((n - i) / 3);
	}
}

static double
naive_cosine(int a, int b)
{
	double		dot = 0;
	double		aa = 0;
	double		bb = 0;

	for (int f = 0; f < FACTORS; f++)
	{
		dot += (double) vector[a][f] * vector[b][f];
		aa += (double) vector[a][f] * vector[a][f];
		bb += (double) vector[b][f] * vector[b][f];
	}
	return aa > 0 && bb > 0 ? dot / sqrt(aa) / sqrt(bb) : 0;
}

/* What an item is worth behind those that are chosen: the formula as it is written. */
static double
naive_value(int i, int n, double diversity, int k, const int *chosen, int nchosen)
{
	double		range = score[0] - score[n - 1];
	double		relevance = range > 0 ? (score[i] - score[n - 1]) / range : 0;
	double		alike = 0;

	for (int j = 0; j < nchosen; j++)
		alike += pow(fmax(0, naive_cosine(i, chosen[j])), 1.5);
	return (1 - diversity) * relevance - 5 * diversity * alike / (k - 1);
}

/* Whether each place of a list has an item than which no other is worth more, by more than rounding; ties by place. */
static bool
is_greedy(int n, double diversity, int k, const int32_t *list)
{
	int			chosen[MOST];
	bool		taken[MOST] = {false};

	for (int place = 0; place < k && place < n; place++)
	{
		double		value;
		int			at = -1;

		for (int i = 0; i < n; i++)
			if (item[i] == list[place])
				at = i;
		if (at < 0 || taken[at] || (place == 0 && at != 0))
			return false;
		value = place == 0 ? INFINITY : naive_value(at, n, diversity, k, chosen, place);
		for (int i = 0; place > 0 && i < n; i++)
			if (!taken[i] && naive_value(i, n, diversity, k, chosen, place) > value + (i < at ? -1e-12 : 1e-12) &&
				memcmp(vectors[i], vectors[at], sizeof(vectors[i])) == 0 && score[i] == score[at])
				return false;
			else if (!taken[i] && naive_value(i, n, diversity, k, chosen, place) > value + 1e-9)
				return false;
		taken[at] = true;
		chosen[place] = at;
	}
	return true;
}

/* Makes a list; whether scores have stayed with their items. */
static bool
diversify(int n, double diversity, int k, int32_t *list, float *scores, void *workspace)
{
	MfPool		pool = {n, LD, vector, list, scores};
	bool		kept = true;

	memcpy(list, item, sizeof(int32_t) * n);
	memcpy(scores, score, sizeof(float) * n);
	mf_diversify(&pool, diversity, k, workspace);
	for (int place = 0; place < k && place < n; place++)
		for (int i = 0; i < n; i++)
			kept = kept && (item[i] != list[place] || score[i] == scores[place]);
	return kept;
}

static void
test_formula(void *workspace)
{
	static const double diversities[] = {0, 0.1, 0.3, 0.5, 0.9, 1};
	static int32_t list[MOST];
	static float scores[MOST];
	bool		greedy = true;
	bool		kept = true;
	bool		same = true;

	for (int run = 0; run < 60; run++)
	{
		int			n = 1 + (int) (mf_random_bits(99, (uint64_t) run) % 130);
		int			k = 1 + run % 25;

		make_pool(n, (uint64_t) run);
		kept = diversify(n, diversities[run % 6], k, list, scores, workspace) && kept;
		greedy = greedy && is_greedy(n, diversities[run % 6], k, list);
		if (run % 6 == 0)
			same = same && memcmp(list, item, sizeof(int32_t) * (k < n ? k : n)) == 0;
	}
	ok(greedy, "each place has the item that the formula says");
	ok(kept, "scores stay with their items");
	ok(same, "diversity of 0 leaves the order as it is");
}

static void
test_long(void *workspace)
{
	static int32_t list[MOST];
	static float scores[MOST];
	bool		in_pool = true;

	ok(mf_diversify_pool(1) == 1 && mf_diversify_pool(2) == 10 && mf_diversify_pool(10) == 50 && mf_diversify_pool(200) == 1000 &&
	   mf_diversify_pool(999) == 1000 && mf_diversify_pool(10000) == 10000, "pools are five times as long as lists, within bounds");
	make_pool(MOST, 5);
	ok(diversify(MOST, 0.5, MOST, list, scores, workspace), "a list longer than any pool");
	ok(memcmp(list + 1000, item + 1000, sizeof(int32_t) * (MOST - 1000)) == 0, "stays as it is behind that");
	for (int i = 0; i < 1000; i++)
	{
		bool		found = false;

		for (int j = 0; j < 1000; j++)
			found = found || list[j] == item[i];
		in_pool = in_pool && found;
	}
	ok(in_pool && memcmp(list, item, sizeof(int32_t) * 1000) != 0, "and before that has the same items in another order");
	ok(diversify(0, 0.5, 3, list, scores, workspace), "an empty pool");
}

/* Equal scores and equal vectors: the order of the pool decides. */
static void
test_ties(void *workspace)
{
	static int32_t list[MOST];
	static float scores[MOST];

	make_pool(40, 1);
	for (int i = 0; i < 40; i++)
	{
		score[i] = 2;
		vector[i] = vectors[0];
	}
	(void) diversify(40, 0.7, 12, list, scores, workspace);
	ok(memcmp(list, item, sizeof(int32_t) * 12) == 0, "equal items stay in the order of the pool");
}

/* Products of rows have the same bits at every level, and are those of a naive sum but for rounding. */
static void
test_levels(void)
{
	enum
	{
		ROWS = 9, WIDE = 48
	};
	static float x[WIDE];
	static float rows[ROWS][WIDE];
	const float *row[ROWS];
	double		first[ROWS] = {0};
	int			nlevels = (int) mf_isa_limit(MF_ISA_LEVELS - 1) + 1;
	bool		right = true;
	bool		same = true;

	for (int i = 0; i < ROWS; i++)
	{
		row[i] = rows[i];
		for (int f = 0; f < WIDE; f++)
		{
			rows[i][f] = (float) (mf_random_bits(3, (uint64_t) (i * WIDE + f)) % 9973) / 7777 - 0.5F;
			x[f] = (float) (mf_random_bits(4, (uint64_t) f) % 9973) / 3333 - 1.5F;
		}
	}
	for (int level = 0; level < nlevels; level++)
	{
		double		product[ROWS];

		mf_isa_limit((MfIsa) level);
		mf_score()->exact_products(x, WIDE, row, ROWS, product);
		if (level == 0)
			memcpy(first, product, sizeof(first));
		same = same && memcmp(first, product, sizeof(first)) == 0;
	}
	for (int i = 0; i < ROWS; i++)
	{
		double		naive = 0;

		for (int f = 0; f < WIDE; f++)
			naive += (double) x[f] * rows[i][f];
		right = right && fabs(naive - first[i]) < 1e-12;
	}
	ok(right, "products of vectors");
	ok(same, "and the same bits at all of %d levels", nlevels);
}

int
main(void)
{
	void	   *workspace = aligned_alloc(64, (mf_diversify_workspace(MOST) + 63) & ~(size_t) 63);

	test_formula(workspace);
	test_long(workspace);
	test_ties(workspace);
	test_levels();
	free(workspace);
	return done();
}

/*
 * catalog.h - items and queries for the tests of serving, and the naive scan they are held against.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/als/als.h"
#include "core/base/narrow.h"
#include "core/base/rng.h"
#include "core/topk/index.h"
#include "core/topk/topk.h"

/* Items, and what a test does with them. */
typedef struct Catalog
{
	int64_t		n;
	int			d;
	int			ld;
	float	   *vector;
	float	   *offset;			/* NULL: none */
	void	   *space;
	MfIndex		index;
	size_t		size;
	int64_t		room;			/* positions that the index is built with; 0: those of the items */
	float	   *part[2];		/* n x ld: what vectors are made of, for an index of whole numbers; NULL: nothing is said */
	float	   *weight;			/* n: of the second part */
	float	   *scale;			/* n: of all of it; NULL: 1 */
	int			shared;			/* numbers of the first one, where there are two */
} Catalog;

/* A score of the naive scan. */
typedef struct Scored
{
	double		score;
	int32_t		item;
	uint64_t	lot;			/* breaks ties of score 0 */
} Scored;

static void *
catalog_space(size_t size)
{
	return aligned_alloc(64, (size + 64) & ~(size_t) 63);
}

/* Items of independent normal coordinates. */
__attribute__((unused)) static Catalog
catalog_new(int64_t n, int d, uint64_t seed)
{
	Catalog		c = {.n = n,.d = d,.ld = mf_padded(d)};

	c.vector = catalog_space((size_t) n * c.ld * sizeof(float));
	memset(c.vector, 0, (size_t) n * c.ld * sizeof(float));
	for (int64_t i = 0; i < n; i++)
		for (int j = 0; j < d; j++)
			c.vector[i * c.ld + j] = mf_random_normal(seed, (uint64_t) (i * d + j));
	return c;
}

/* Multiplies item i by a factor. */
__attribute__((unused)) static void
catalog_scale(Catalog *c, int64_t i, double factor)
{
	for (int j = 0; j < c->d; j++)
		c->vector[i * c->ld + j] = (float) (c->vector[i * c->ld + j] * factor);
}

/* Gives every item length 1. */
__attribute__((unused)) static void
catalog_normalize(Catalog *c)
{
	for (int64_t i = 0; i < c->n; i++)
	{
		double		sum = 0;

		for (int j = 0; j < c->d; j++)
			sum += (double) c->vector[i * c->ld + j] * c->vector[i * c->ld + j];
		catalog_scale(c, i, 1 / sqrt(sum));
	}
}

/* Gives the items normal offsets times a factor. */
__attribute__((unused)) static void
catalog_offsets(Catalog *c, float factor, uint64_t seed)
{
	c->offset = catalog_space((size_t) c->n * sizeof(float));
	for (int64_t i = 0; i < c->n; i++)
		c->offset[i] = factor * mf_random_normal(seed, (uint64_t) i);
}

/* What vectors are made of, by float arithmetic: products are rounded, then the sum. */
__attribute__((unused)) static void
catalog_compose(const Catalog *c, int64_t i)
{
	float		scale = c->scale == NULL ? 1 : c->scale[i];
	float		weight = c->part[1] == NULL ? 0 : c->weight[i] * scale;

	for (int j = 0; (c->part[1] != NULL || c->scale != NULL) && j < c->ld; j++)
	{
		volatile float first = scale * c->part[0][i * c->ld + j];
		volatile float product = c->part[1] == NULL ? 0 : weight * c->part[1][i * c->ld + j];

		c->vector[i * c->ld + j] = first + product;
	}
}

/* A scale of an item, between a 64th and 1. */
__attribute__((unused)) static float
catalog_random_scale(uint64_t seed, int64_t i)
{
	return mf_narrow_scale(pow(2, -6 * mf_random_uniform(seed, (uint64_t) i)));
}

/* Multiplies items of whole numbers by scales of their own. */
__attribute__((unused)) static void
catalog_scales(Catalog *c, uint64_t seed)
{
	c->scale = catalog_space((size_t) c->n * sizeof(float));
	if (c->part[0] == c->vector)
		c->vector = catalog_space((size_t) c->n * (size_t) c->ld * sizeof(float));
	for (int64_t i = 0; i < c->n; i++)
	{
		c->scale[i] = catalog_random_scale(seed, i);
		catalog_compose(c, i);
	}
}

/*
 * Rounds the items to whole numbers, or makes them of two parts that are: what they were, of which some last numbers are
 * cut off, and something else, which is left out of every seventh.
 */
__attribute__((unused)) static void
catalog_narrow(Catalog *c, int parts, uint64_t seed)
{
	size_t		bytes = (size_t) c->n * (size_t) c->ld * sizeof(float);

	c->part[0] = c->vector;
	if (parts > 1)
	{
		c->shared = c->d > 20 ? c->d - c->d / 3 : c->d;
		c->part[0] = catalog_space(bytes);
		c->part[1] = catalog_space(bytes);
		c->weight = catalog_space((size_t) c->n * sizeof(float));
		memcpy(c->part[0], c->vector, bytes);
		memset(c->part[1], 0, bytes);
	}
	for (int64_t i = 0; i < c->n && parts > 1; i++)
	{
		c->weight[i] = i % 7 == 3 ? 0 : 0.3f;
		for (int j = 0; j < c->d; j++)
			c->part[1][i * c->ld + j] = mf_random_normal(seed, (uint64_t) (i * c->d + j));
		for (int j = c->shared; j < c->d; j++)
			c->part[0][i * c->ld + j] = 0;
		mf_narrow_round(c->part[1] + i * c->ld, c->d);
	}
	for (int64_t i = 0; i < c->n; i++)
	{
		mf_narrow_round(c->part[0] + i * c->ld, c->d);
		catalog_compose(c, i);
	}
}

/* What the index is built of. */
static MfItems
catalog_items(const Catalog *c)
{
	MfItems		items = {.nitems = c->n,.factors = c->d,.vector = c->vector,.offset = c->offset,.room = c->room,
	.part = {c->part[0], c->part[1]},.shared = c->shared,.weight = c->weight,.scale = c->scale};

	items.parts = mf_index_parts(&items);
	return items;
}

/* Builds and opens the index. */
__attribute__((unused)) static bool
catalog_build(Catalog *c, MfQuantization codes, int nthreads)
{
	MfParallel	parallel = {nthreads, NULL};
	MfItems		items = catalog_items(c);
	void	   *workspace = catalog_space(mf_index_workspace(c->n, c->d, &parallel));

	free(c->space);
	c->space = catalog_space(mf_index_size(&items));
	c->size = mf_index_build(c->space, workspace, &items, codes, &parallel);
	free(workspace);
	return c->size > 0 && mf_index_open(&c->index, c->space, c->size);
}

static void
catalog_free(Catalog *c)
{
	if (c->part[0] != c->vector)
		free(c->part[0]);
	free(c->part[1]);
	free(c->weight);
	free(c->scale);
	free(c->vector);
	free(c->offset);
	free(c->space);
}

/* For each item whether the naive scan lets it in. */
static bool *
naive_admitted(const Catalog *c, const MfFilter *f)
{
	bool	   *admitted = malloc((size_t) c->n + 1);

	for (int64_t i = 0; i < c->n; i++)
		admitted[i] = f->candidates == NULL;
	for (int64_t k = 0; f->candidates != NULL && k < f->ncandidates; k++)
		if (f->candidates[k] >= 0 && f->candidates[k] < c->n)
			admitted[f->candidates[k]] = true;
	for (int64_t k = 0; k < f->nseen; k++)
		if (f->seen[k] >= 0 && f->seen[k] < c->n)
			admitted[f->seen[k]] = false;
	for (int64_t i = 0; i < c->n; i++)
	{
		if (f->allowed != NULL && !(f->allowed[i / 64] >> (i % 64) & 1))
			admitted[i] = false;
		if (f->excluded != NULL && f->excluded[i / 64] >> (i % 64) & 1)
			admitted[i] = false;
	}
	return admitted;
}

/* SplitMix64's finalizer, written out. */
static uint64_t
naive_mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* By which items of score 0 are ordered for a query. */
static uint64_t
naive_lot(const Catalog *c, const float *query, int32_t item)
{
	uint64_t	lot = 0;

	for (int j = 0; j < c->d; j++)
	{
		uint32_t	bits;

		memcpy(&bits, query + j, 4);
		lot += naive_mix((uint64_t) (j + 1) << 32 | bits);
	}
	return naive_mix(lot + (uint64_t) item);
}

static int
naive_order(const void *a, const void *b)
{
	const Scored *x = a;
	const Scored *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->score == 0)
		return x->lot < y->lot ? -1 : x->lot > y->lot;
	return x->item < y->item ? -1 : x->item > y->item;
}

/* The score that a naive scan in double computes. */
static double
naive_score(const Catalog *c, const float *query, int32_t item, bool cosine)
{
	const float *v = c->vector + (int64_t) item * c->ld;
	double		sum = 0;
	double		vv = 0;
	double		qq = 0;

	for (int j = 0; j < c->d; j++)
	{
		sum += (double) query[j] * v[j];
		vv += (double) v[j] * v[j];
		qq += (double) query[j] * query[j];
	}
	if (cosine)
		return vv == 0 || qq == 0 ? 0 : sum / (sqrt(qq) * sqrt(vv));
	return c->offset == NULL ? sum : sum + c->offset[item];
}

/* Puts the first `most` of n in order to the front of all[]; what is behind them is lost where they are few. */
static void
naive_first(Scored *all, int n, int most)
{
	int			kept = 0;

	if (most > n / 8)
	{
		qsort(all, (size_t) n, sizeof(Scored), naive_order);
		return;
	}
	for (int i = 0; i < n; i++)
	{
		Scored		next = all[i];
		int			at = kept;

		if (kept < most)
			kept++;
		else if (naive_order(&next, &all[--at]) >= 0)
			continue;
		for (; at > 0 && naive_order(&next, &all[at - 1]) < 0; at--)
			all[at] = all[at - 1];
		all[at] = next;
	}
}

/* The first k of all items, in all[] (room for n); returns how many. */
static int
naive_scan(const Catalog *c, const float *query, int k, const MfFilter *filter, bool cosine, Scored *all)
{
	MfFilter	everything = {0};
	int			n = 0;
	int			kept = 0;
	bool	   *admitted;

	if (filter == NULL)
		filter = &everything;
	admitted = naive_admitted(c, filter);
	for (int32_t i = 0; i < c->n; i++)
		if (admitted[i])
		{
			all[n].score = naive_score(c, query, i, cosine);
			all[n].lot = all[n].score == 0 ? naive_lot(c, query, i) : 0;
			all[n++].item = i;
		}
	naive_first(all, n, filter->group != NULL ? n : k);
	for (int i = 0; i < n && kept < k; i++)
	{
		int			mates = 0;

		if (filter->group != NULL && filter->group[all[i].item] > 0)
			for (int m = 0; m < kept; m++)
				mates += filter->group[all[m].item] == filter->group[all[i].item];
		if (filter->group == NULL || mates < filter->per_group)
			all[kept++] = all[i];
	}
	free(admitted);
	return kept;
}

/* Whether a result is what the naive scan gives: the same items in the same order, scores to 1e-5. */
__attribute__((unused)) static bool
same_as_naive(const Catalog *c, const float *query, int k, const MfFilter *filter, bool cosine)
{
	void	   *workspace = catalog_space(mf_topk_workspace(&c->index, k));
	Scored	   *all = malloc((size_t) (c->n + 1) * sizeof(Scored));
	int32_t    *item = malloc((size_t) (k + 1) * sizeof(int32_t));
	float	   *score = malloc((size_t) (k + 1) * sizeof(float));
	int			expected = naive_scan(c, query, k, filter, cosine, all);
	int			n = cosine ?
		mf_topk_similar(&c->index, query, k, filter, workspace, item, score, NULL) :
		mf_topk_search(&c->index, query, k, filter, workspace, item, score, NULL);
	bool		same = n == expected;

	for (int i = 0; i < n && same; i++)
	{
		double		tolerance = 1e-5 * fmax(fabs(all[i].score), 1e-37);

		same = item[i] == all[i].item && fabs(score[i] - all[i].score) <= tolerance;
		if (isinf(score[i]) && fabs(all[i].score) > 3e38)
			same = item[i] == all[i].item;
		if (!same)
			printf("#   rank %d: item %d score %.9g, expected item %d score %.9g\n",
				   i, item[i], score[i], all[i].item, all[i].score);
	}
	if (n != expected)
		printf("#   %d items, expected %d\n", n, expected);
	free(workspace);
	free(all);
	free(item);
	free(score);
	return same;
}

#endif

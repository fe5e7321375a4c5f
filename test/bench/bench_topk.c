/*
 * bench_topk.c - microseconds of exact search, and the share of items that it looked at.
 *
 *	 cc -O2 -std=gnu11 -Isrc -Itest/core test/bench/bench_topk.c $(find src/core -name '[a-z]*.c') -o bench_topk -lm -lpthread
 *	 bench_topk [items [factors [what [parts]]]]
 *
 * What: popular (norms fall with popularity), flat (random directions, equal norms: the worst case),
 * classic (a rating model: nearly flat norms, offsets, low effective rank), or all.  Parts: vectors are whole numbers in
 * one part or two; 0: floats.
 */
#include <stdio.h>
#include <time.h>

#include "catalog.h"
#include "core/simd/isa.h"
#include "core/topk/sq8.h"

enum
{
	QUERIES = 200, K = 10
};

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/* Weighs coordinates and items as the kind of model does. */
static void
shape(Catalog *c, const char *what)
{
	bool		classic = strcmp(what, "classic") == 0;

	if (classic)
		for (int64_t i = 0; i < c->n; i++)
			for (int j = 0; j < c->d; j++)
				c->vector[i * c->ld + j] *= (float) pow(0.93, j);
	if (strcmp(what, "popular") != 0)
		catalog_normalize(c);
	for (int64_t i = 0; i < c->n; i++)
	{
		uint64_t	rank = mf_random_bits(3, (uint64_t) i) % (uint64_t) c->n;

		if (strcmp(what, "popular") == 0)
			catalog_scale(c, i, pow((double) rank + 20, -0.6));
		else if (classic)
			catalog_scale(c, i, 0.5 + 0.1 * mf_random_normal(4, (uint64_t) i));
	}
	if (classic)
		catalog_offsets(c, 0.3f, 6);
}

static void
make_queries(const Catalog *c, float *query, int64_t n, bool classic)
{
	memset(query, 0, (size_t) n * c->ld * sizeof(float));
	for (int64_t q = 0; q < n; q++)
		for (int j = 0; j < c->d; j++)
			query[q * c->ld + j] = mf_random_normal(99, (uint64_t) (q * c->d + j)) *
				(float) (classic ? pow(0.93, j) / 3 : 1);
}

/* One query after the other: the median and the 90th percentile. */
static void
time_queries(const Catalog *c, const float *query, const char *what, bool cosine)
{
	void	   *workspace = catalog_space(mf_topk_workspace(&c->index, K));
	MfTopkStats stats = {0, 0, 0};
	double		taken[QUERIES];
	int32_t		item[K];
	float		score[K];

	for (int q = -5; q < QUERIES; q++)
	{
		double		start = seconds();

		if (cosine)
			mf_topk_similar(&c->index, query + labs(q) * c->ld, K, NULL, workspace, item, score, &stats);
		else
			mf_topk_search(&c->index, query + labs(q) * c->ld, K, NULL, workspace, item, score, &stats);
		if (q >= 0)
			taken[q] = (seconds() - start) * 1e6;
		else
			memset(&stats, 0, sizeof(stats));
	}
	qsort(taken, QUERIES, sizeof(double), compare);
	printf("%-8s %-8s %9.1f us  90%% %9.1f us  by code %9.0f  in float %9.1f (%.4f%%)  in double %.1f\n",
		   what, cosine ? "cosine" : "score", taken[QUERIES / 2], taken[QUERIES * 9 / 10],
		   (double) stats.coded / QUERIES, (double) stats.scored / QUERIES,
		   100.0 * (double) stats.scored / QUERIES / (double) c->n, (double) stats.rescored / QUERIES);
	free(workspace);
}

/* Many queries at once on two threads. */
static void
time_batch(const Catalog *c, const float *query, int64_t nqueries, const char *what)
{
	MfParallel	parallel = {2, NULL};
	void	   *workspace = catalog_space(mf_topk_batch_workspace(&c->index, K, &parallel));
	MfTopkBatch batch = {nqueries, query, K, NULL, NULL, NULL, malloc((size_t) nqueries * K * 4),
	malloc((size_t) nqueries * K * 4), malloc((size_t) nqueries * 4)};
	void	   *space = catalog_space(mf_sq8_size(&c->index));
	MfSq8		sq8;
	double		start = seconds();
	clock_t		cpu = clock();

	if (c->index.sq4.dims > 0 && mf_sq8_build(&sq8, space, &c->index, &parallel))
		batch.sq8 = &sq8;
	mf_topk_batch(&c->index, &batch, workspace, &parallel);
	printf("%-8s batch of %lld, 2 threads: %.3f s, %.3f s of processor time\n", what, (long long) nqueries,
		   seconds() - start, (double) (clock() - cpu) / CLOCKS_PER_SEC);
	free(space);
	free(workspace);
	free(batch.item);
	free(batch.score);
	free(batch.count);
}

static void
bench(int64_t n, int d, const char *what, int parts)
{
	Catalog		c = catalog_new(n, d, 1);
	int64_t		nqueries = n <= 100000 ? 10000 : 1000;
	float	   *query = catalog_space((size_t) nqueries * c.ld * sizeof(float));
	double		start;

	shape(&c, what);
	if (parts > 0)
		catalog_narrow(&c, parts, 2);
	make_queries(&c, query, nqueries, strcmp(what, "classic") == 0);
	start = seconds();
	catalog_build(&c, MF_QUANTIZE_AUTO, 2);
	printf("%-8s %lld x %d: built in %.2f s, %.1f MB, %d coordinates coded\n", what, (long long) n, d,
		   seconds() - start, (double) c.size / 1e6, c.index.sq4.dims);
	time_queries(&c, query, what, false);
	time_queries(&c, query, what, true);
	time_batch(&c, query, nqueries, what);
	free(query);
	catalog_free(&c);
}

int
main(int argc, char **argv)
{
	static const char *const all[] = {"popular", "flat", "classic"};
	int64_t		n = argc > 1 ? atoll(argv[1]) : 1000000;
	int			d = argc > 2 ? atoi(argv[2]) : 64;

	for (int i = 0; i < 3; i++)
		if (argc <= 3 || strcmp(argv[3], "all") == 0 || strcmp(argv[3], all[i]) == 0)
			bench(n, d, all[i], argc > 4 ? atoi(argv[4]) : 0);
	return 0;
}

/*
 * bench_kmeans.c - seconds of k-means and PCA on a file of vectors; see clusters.py, which compares them with others'.
 *
 *	 cc -O2 -std=gnu11 -Isrc test/bench/bench_kmeans.c $(find src/core -name '[a-z]*.c') -o bench_kmeans -lm -lpthread -ldl
 *	 bench_kmeans kmeans FILE ROWS FACTORS CLUSTERS THREADS [ITERATIONS [SEED]]
 *	 bench_kmeans pca FILE ROWS FACTORS THREADS [OUT]
 *
 * The file has floats and nothing else.  ITERATIONS: as many on all rows from one start, whatever moves; 0: the plan of
 * mf_kmeans.  Prints seconds, inertia and iterations, or seconds; OUT gets variances and coordinates, as floats.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/padding.h"
#include "core/cluster/kmeans.h"
#include "core/linalg/pca.h"

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

/* So many bytes at a cache line, touched. */
static void *
space(size_t size)
{
	void	   *memory = aligned_alloc(64, (size + 63) & ~(size_t) 63);

	if (memory == NULL)
		exit(1);
	memset(memory, 0, size);
	return memory;
}

static float *
read_rows(const char *name, int64_t n, int d)
{
	float	   *x = space((size_t) n * (size_t) mf_padded(d) * sizeof(float));
	FILE	   *file = fopen(name, "rb");

	for (int64_t i = 0; i < n; i++)
		if (file == NULL || fread(x + i * mf_padded(d), sizeof(float), (size_t) d, file) != (size_t) d)
		{
			fprintf(stderr, "%s has no %lld rows of %d floats\n", name, (long long) n, d);
			exit(1);
		}
	fclose(file);
	return x;
}

static void
bench_kmeans(float *x, int64_t n, int d, int k, const MfParallel *parallel, int iterations, uint64_t seed)
{
	MfPoints	points = {x, n, d};
	MfKmeansPlan plan = mf_kmeans_plan(k, seed);
	MfCentering centering = {.mean = space(sizeof(double) * (size_t) d),.rest = space(sizeof(double) * (size_t) d)};
	MfClusters	clusters;
	void	   *work;
	double		start;

	if (iterations > 0)
	{
		plan.starts = 1;
		plan.sample = (int) (n / k + 1);
		plan.iterations = iterations;
		plan.tolerance = 0;
	}
	if (getenv("STARTS"))
		plan.starts = atoi(getenv("STARTS"));
	if (getenv("SAMPLE"))
		plan.sample = atoi(getenv("SAMPLE"));
	work = space(mf_kmeans_size(&points, &plan, parallel) + mf_center_size(d));
	clusters.center = space(sizeof(float) * (size_t) k * (size_t) mf_padded(d));
	clusters.size = space(sizeof(int64_t) * (size_t) k);
	clusters.cluster = space(sizeof(int32_t) * (size_t) n);
	clusters.distance = space(sizeof(float) * (size_t) n);
	start = seconds();
	if (mf_center(parallel, x, n, d, &centering, work) != MF_OK ||
		mf_kmeans_run(parallel, &points, &plan, &clusters, work) != MF_OK)
		exit(1);
	printf("%.4f %.9g %d\n", seconds() - start, clusters.inertia / (centering.scale * centering.scale),
		   clusters.iterations);
}

static void
bench_pca(float *x, int64_t n, int d, const MfParallel *parallel, const char *out)
{
	MfCentering centering = {.mean = space(sizeof(double) * (size_t) d),.rest = space(sizeof(double) * (size_t) d)};
	size_t		project = mf_pca_project_size(d, d, parallel);
	void	   *work = space(mf_center_size(d) + mf_pca_size(d) + project);
	double	   *variance = space(sizeof(double) * (size_t) d);
	double	   *axes = space(sizeof(double) * (size_t) (d * d));
	float	   *coordinates = space((size_t) n * (size_t) d * sizeof(float));
	double		start = seconds();

	if (mf_center(parallel, x, n, d, &centering, work) != MF_OK ||
		mf_pca_find(parallel, x, n, d, &centering, variance, axes, work) != MF_OK ||
		mf_pca_project(parallel, x, n, d, &centering, axes, d, coordinates, work) != MF_OK)
		exit(1);
	printf("%.4f\n", seconds() - start);
	if (out != NULL)
	{
		FILE	   *file = fopen(out, "wb");

		if (file == NULL || fwrite(variance, sizeof(double), (size_t) d, file) != (size_t) d ||
			fwrite(coordinates, sizeof(float), (size_t) (n * d), file) != (size_t) (n * d))
			exit(1);
		fclose(file);
	}
}

int
main(int argc, char **argv)
{
	bool		pca = argc > 1 && strcmp(argv[1], "pca") == 0;
	MfParallel	parallel = {1, NULL};
	int64_t		n;
	int			d;

	if (argc < (pca ? 6 : 7))
	{
		fprintf(stderr, "bench_kmeans kmeans FILE ROWS FACTORS CLUSTERS THREADS [ITERATIONS [SEED]] | pca FILE ROWS FACTORS THREADS [OUT]\n");
		return 1;
	}
	n = atoll(argv[3]);
	d = atoi(argv[4]);
	parallel.nthreads = atoi(argv[pca ? 5 : 6]);
	if (pca)
		bench_pca(read_rows(argv[2], n, d), n, d, &parallel, argc > 6 ? argv[6] : NULL);
	else
		bench_kmeans(read_rows(argv[2], n, d), n, d, atoi(argv[5]), &parallel, argc > 7 ? atoi(argv[7]) : 0,
					 argc > 8 ? (uint64_t) atoll(argv[8]) : 1);
	return 0;
}

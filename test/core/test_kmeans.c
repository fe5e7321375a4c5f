/*
 * test_kmeans.c - k-means at every instruction set level, against the naive step.
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/padding.h"
#include "core/base/rng.h"
#include "core/cluster/kmeans.h"
#include "core/cluster/lloyd.h"
#include "core/linalg/centering.h"
#include "core/simd/isa.h"

static const MfParallel one = {1, NULL};
static const MfParallel three = {3, NULL};

static void *
space(size_t size)
{
	void	   *memory = aligned_alloc(64, (size + 127) & ~(size_t) 63);

	memset(memory, 0, size);
	return memory;
}

/* Rows around `groups` points, which have deviation 1, at a deviation of `noise`. */
static MfPoints
new_points(int n, int d, int groups, float noise)
{
	int			ld = mf_padded(d);
	float	   *x = space(sizeof(float) * (size_t) n * (size_t) ld);

	for (int i = 0; i < n; i++)
		for (int k = 0; k < d; k++)
			x[i * ld + k] = mf_random_normal(1, (uint64_t) (i % groups * d + k)) +
				noise * mf_random_normal(2, (uint64_t) (i * d + k));
	return (MfPoints) {x, n, d};
}

static double
square_distance(const float *a, const float *b, int d)
{
	double		sum = 0;

	for (int k = 0; k < d; k++)
		sum += ((double) a[k] - b[k]) * ((double) a[k] - b[k]);
	return sum;
}

/* How much farther than the nearest center the one is that a row was given to, in squares; the most of all rows. */
static double
worst_choice(const MfLloyd *lloyd)
{
	double		worst = 0;
	int			ld = lloyd->scoring.ld;

	for (int64_t i = 0; i < lloyd->points.n; i++)
	{
		const float *row = lloyd->points.x + i * ld;
		double		nearest = INFINITY;

		for (int c = 0; c < lloyd->scoring.k; c++)
			nearest = fmin(nearest, square_distance(row, lloyd->scoring.center + c * ld, lloyd->points.d));
		worst = fmax(worst, square_distance(row, lloyd->scoring.center + lloyd->cluster[i] * ld, lloyd->points.d) - nearest);
	}
	return worst;
}

/* How far a center is from the mean of its rows. */
static double
worst_mean(const MfLloyd *lloyd)
{
	int			d = lloyd->points.d;
	int			ld = lloyd->scoring.ld;
	double		worst = 0;
	double	   *sum = space(sizeof(double) * (size_t) lloyd->scoring.k * (size_t) d);
	int		   *count = space(sizeof(int) * (size_t) lloyd->scoring.k);

	for (int64_t i = 0; i < lloyd->points.n; i++)
	{
		count[lloyd->cluster[i]]++;
		for (int k = 0; k < d; k++)
			sum[lloyd->cluster[i] * d + k] += lloyd->points.x[i * ld + k];
	}
	for (int c = 0; c < lloyd->scoring.k; c++)
		for (int k = 0; k < d && count[c] > 0; k++)
			worst = fmax(worst, fabs(sum[c * d + k] / count[c] - lloyd->scoring.center[c * ld + k]));
	free(sum);
	free(count);
	return worst;
}

/* Steps with bounds do what naive ones do: every row is with its nearest center, every center the mean of its rows. */
static void
test_steps(int n, int d, int k, float noise)
{
	MfPoints	points = new_points(n, d, k + 3, noise);
	MfArena		measured = {NULL, 0};
	MfLloyd		lloyd;
	MfArena		arena;
	void	   *work;
	double		choice = 0;
	double		mean = 0;

	mf_lloyd_lay_out(&lloyd, &measured, &points, k, &three);
	work = space(measured.used);
	arena = (MfArena) {work, 0};
	mf_lloyd_lay_out(&lloyd, &arena, &points, k, &three);
	for (int c = 0; c < k; c++)
		memcpy(lloyd.scoring.center + c * lloyd.scoring.ld, points.x + (c * 7 % n) * lloyd.scoring.ld,
			   sizeof(float) * (size_t) lloyd.scoring.ld);
	ok(mf_lloyd_begin(&lloyd, k) == MF_OK && mf_lloyd_assign(&lloyd) == MF_OK, "%d x %d, %d clusters: begun", n, d, k);
	choice = worst_choice(&lloyd);
	for (int step = 0; step < 12; step++)
	{
		(void) mf_lloyd_move(&lloyd);
		mean = fmax(mean, worst_mean(&lloyd));
		(void) mf_lloyd_assign(&lloyd);
		choice = fmax(choice, worst_choice(&lloyd));
	}
	if (!ok(choice < 2e-6 * d, "each row is with its nearest center after each step"))
		printf("#   %g farther, squared\n", choice);
	if (!ok(mean < 1e-6, "each center is the mean of its rows"))
		printf("#   off by %g\n", mean);
	free(work);
	free(MF_WRITABLE(float, points.x));
}

/* The rows in clusters. */
static MfClusters
run(const MfPoints *points, const MfKmeansPlan *plan, const MfParallel *parallel, MfError *error)
{
	void	   *work = space(mf_kmeans_size(points, plan, parallel));
	MfClusters	clusters = {
		.center = space(sizeof(float) * (size_t) plan->clusters * (size_t) mf_padded(points->d)),
		.size = space(sizeof(int64_t) * (size_t) plan->clusters),
		.cluster = space(sizeof(int32_t) * (size_t) points->n),
		.distance = space(sizeof(float) * (size_t) points->n)
	};

	*error = mf_kmeans_run(parallel, points, plan, &clusters, work);
	free(work);
	return clusters;
}

static void
free_clusters(MfClusters *clusters)
{
	free(clusters->center);
	free(clusters->size);
	free(clusters->cluster);
	free(clusters->distance);
}

/* Groups that lie far apart are found, whatever the sample is; threads change nothing. */
static void
test_groups(int n, int d, int k, int sample)
{
	MfPoints	points = new_points(n, d, k, 0.01f);
	MfKmeansPlan plan = mf_kmeans_plan(k, 42);
	MfError		error;
	MfError		other;
	MfClusters	found;
	MfClusters	again;
	bool		same = true;
	bool		descending = true;
	double		inertia = 0;

	plan.sample = sample;
	found = run(&points, &plan, &one, &error);
	again = run(&points, &plan, &three, &other);
	for (int64_t i = 0; i < n; i++)
	{
		same = same && found.cluster[i] == found.cluster[i % k];
		inertia += (double) found.distance[i] * found.distance[i];
	}
	for (int c = 1; c < k; c++)
		descending = descending && found.size[c] <= found.size[c - 1];
	ok(error == MF_OK && found.count == k && same && descending, "%d x %d, %d groups, sample %d: found", n, d, k, sample);
	ok(fabs(inertia / found.inertia - 1) < 1e-5 && found.inertia < 1.2e-4 * n * d, "inertia is the sum of squared distances");
	ok(other == MF_OK && again.inertia == found.inertia &&
	   memcmp(again.cluster, found.cluster, sizeof(int32_t) * (size_t) n) == 0 &&
	   memcmp(again.distance, found.distance, sizeof(float) * (size_t) n) == 0 &&
	   memcmp(again.center, found.center, sizeof(float) * (size_t) (k * mf_padded(d))) == 0,
	   "the same to the bit with three threads");
	free_clusters(&found);
	free_clusters(&again);
	free(MF_WRITABLE(float, points.x));
}

/* Fewer different rows than clusters; as many rows as clusters; one row. */
static void
test_few(void)
{
	MfPoints	points = new_points(200, 5, 4, 0);
	MfKmeansPlan plan = mf_kmeans_plan(20, 1);
	MfError		error;
	MfClusters	found = run(&points, &plan, &three, &error);

	ok(error == MF_OK && found.count == 4 && found.inertia < 1e-8 && found.size[3] == 50,
	   "four different rows make four clusters of twenty");
	free_clusters(&found);
	free(MF_WRITABLE(float, points.x));
	points = new_points(20, 5, 20, 0);
	found = run(&points, &plan, &three, &error);
	ok(error == MF_OK && found.count == 20 && found.size[0] == 1, "as many rows as clusters: one in each");
	free_clusters(&found);
	points.n = 1;
	plan.clusters = 1;
	found = run(&points, &plan, &one, &error);
	ok(error == MF_OK && found.count == 1 && found.size[0] == 1 && found.distance[0] == 0, "one row");
	free_clusters(&found);
	free(MF_WRITABLE(float, points.x));
}

/* A center that loses all rows gets the one that is farthest from its own. */
static void
test_empty(void)
{
	MfPoints	points = new_points(60, 3, 2, 0.1f);
	MfArena		measured = {NULL, 0};
	MfLloyd		lloyd;
	MfArena		arena;
	void	   *work;
	int			empty = 0;

	mf_lloyd_lay_out(&lloyd, &measured, &points, 3, &one);
	work = space(measured.used);
	arena = (MfArena) {work, 0};
	mf_lloyd_lay_out(&lloyd, &arena, &points, 3, &one);
	memcpy(lloyd.scoring.center, points.x, sizeof(float) * 16);
	memcpy(lloyd.scoring.center + 16, points.x + 16, sizeof(float) * 16);
	for (int k = 0; k < 3; k++)
		lloyd.scoring.center[32 + k] = 1000;
	(void) mf_lloyd_begin(&lloyd, 3);
	(void) mf_lloyd_assign(&lloyd);
	(void) mf_lloyd_move(&lloyd);
	for (int i = 0; i < 60; i++)
		empty += lloyd.cluster[i] == 2;
	ok(empty == 1 && worst_mean(&lloyd) < 1e-6, "a cluster that has lost all rows gets one");
	(void) mf_lloyd_assign(&lloyd);
	ok(worst_choice(&lloyd) < 1e-5, "and bounds know of it");
	free(work);
	free(MF_WRITABLE(float, points.x));
}

/* Inertia does not depend on where rows lie; not worse than what a plan of one start on all rows finds, but for a little. */
static void
test_quality(void)
{
	MfPoints	points = new_points(30000, 24, 50, 0.8f);
	MfKmeansPlan plan = mf_kmeans_plan(30, 7);
	MfKmeansPlan whole = plan;
	MfError		error;
	MfClusters	found = run(&points, &plan, &three, &error);
	MfClusters	other;

	whole.starts = 1;
	whole.sample = 30000;
	other = run(&points, &whole, &three, &error);
	if (!ok(found.inertia < 1.01 * other.inertia, "starts on a sample are as good as on all rows"))
		printf("#   %g, not %g\n", found.inertia, other.inertia);
	free_clusters(&found);
	free_clusters(&other);
	free(MF_WRITABLE(float, points.x));
}

static int	iterations;

static void
count_iteration(void *state, int iteration)
{
	(void) state;
	iterations = iteration;
}

static bool
always(void)
{
	return true;
}

static void
test_calls(void)
{
	MfPoints	points = new_points(5000, 8, 30, 1);
	MfKmeansPlan plan = mf_kmeans_plan(10, 7);
	MfParallel	cancelled = {2, always};
	MfError		error;
	MfClusters	found;

	plan.iterated = count_iteration;
	found = run(&points, &plan, &three, &error);
	ok(iterations > 0 && iterations == found.iterations, "each iteration is reported");
	free_clusters(&found);
	found = run(&points, &plan, &cancelled, &error);
	ok(error == MF_CANCELLED, "a cancel ends it");
	free_clusters(&found);
	free(MF_WRITABLE(float, points.x));
}

int
main(void)
{
	static const int sizes[] = {1, 3, 8, 15, 16, 17, 33, 64, 100};

	for (int level = 0; level < MF_ISA_LEVELS; level++)
	{
		if (mf_isa_limit((MfIsa) level) != (MfIsa) level)
			continue;
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			test_steps(997, sizes[i], 13, 1);
		test_steps(3000, 20, 150, 0.5f);
		test_steps(50, 4, 50, 1);
		test_groups(3000, 16, 12, 256);
		test_groups(9000, 40, 9, 100);
		test_groups(77, 3, 7, 256);
		test_few();
		test_empty();
		test_quality();
		test_calls();
	}
	return done();
}

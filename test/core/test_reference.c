/*
 * test_reference.c - the losses of reference.py, from the same start.
 *
 * The tables hold what reference.py's train() gives when the normal numbers it draws are replaced
 * by start() below: Q first, then S.  The larger case reads the project's shared data where it is
 * there.
 */
#include "tap.h"

#include "sample.h"

/*
 * Number k of row r of the matrix drawn first (1: rating factors) or second (2: interest factors).
 */
static float
start(int64_t r, int k, int which)
{
	int64_t		hash = (r * 7919 + k * 104729 + which * 31337) % 2003;

	return (float) (((double) hash / 1001.5 - 1.0) * 0.17);
}

/* Cells of a small problem: see the condition; ratings 1 to 5. */
static int64_t
small_cells(int32_t *user, int32_t *item, float *rating)
{
	int64_t		n = 0;

	for (int u = 0; u < 60; u++)
		for (int i = 0; i < 45; i++)
			if ((u * 7919 + i * 104729 + u * i * 31) % 100 < 22)
			{
				user[n] = u;
				item[n] = i;
				rating[n++] = 1.0f + 0.5f * (float) ((u * 31 + i * 17 + u * i) % 9);
			}
	return n;
}

/*
 * The number of an id among those seen; ids are numbered in ascending order, as reference.py does.
 */
static int32_t
number_ids(int32_t *id, int64_t n)
{
	int32_t		most = 0;
	int32_t		count = 0;
	int32_t    *number;

	for (int64_t k = 0; k < n; k++)
		most = id[k] > most ? id[k] : most;
	number = calloc((size_t) most + 1, sizeof(int32_t));
	for (int64_t k = 0; k < n; k++)
		number[id[k]] = 1;
	for (int32_t i = 0; i <= most; i++)
		if (number[i])
			number[i] = count++;
	for (int64_t k = 0; k < n; k++)
		id[k] = number[id[k]];
	free(number);
	return count;
}

/*
 * reference.py's defaults on these triplets (kept: they are copied); losses of so many iterations.
 */
static bool
train(const MfTriplets *given, int64_t nusers, int64_t nitems, int d, bool rating,
	  float interest_weight, int iterations, double *loss)
{
	SampleOptions options = {nusers, nitems, d, rating, true, false, 0, 0};
	MfParallel	parallel = {2, NULL};
	size_t		bytes = (size_t) given->n * 4;
	int32_t    *row = memcpy(malloc(bytes), given->row, bytes);
	float	   *z = memcpy(malloc(bytes), given->rating, bytes);
	MfTriplets	triplets = {given->n, row, given->column, z, NULL};
	void	   *space = malloc(mf_csr_size(&parallel, given->n, nusers + nitems));
	Sample		s = sample_new(&options);
	double		mean = 0.0;
	double		square = 0.0;
	void	   *als_space;
	MfAls	   *als;
	bool		good = true;
	int			ld = mf_padded(d);

	for (int64_t k = 0; k < given->n; k++)
	{
		mean += z[k] / (double) given->n;
		square += (double) z[k] * z[k] / (double) given->n;
	}
	for (int64_t k = 0; k < given->n; k++)
		z[k] = (float) ((z[k] - mean) / sqrt(square - mean * mean));
	sample_free_rows(&s);
	sample_matrix(&s.by_user, nusers, given->n, rating, false);
	sample_matrix(&s.by_item, nitems, given->n, rating, false);
	mf_csr_build(&parallel, &triplets, MF_DUPLICATES_MEAN, &s.by_user, &s.by_item, space, NULL);
	s.users = mf_matrix_rows(&s.by_user);
	mf_csr_transpose(&parallel, &s.users, &s.by_item, row, space);
	s.items = mf_matrix_rows(&s.by_item);
	for (int64_t u = 0; u < nusers; u++)
		s.regularization[u] = 0.7f *
			sqrtf(fmaxf(1.0f, (float) (s.users.start[u + 1] - s.users.start[u])));
	for (int64_t i = 0; i < nitems; i++)
	{
		float		n = fmaxf(1.0f, (float) (s.items.start[i + 1] - s.items.start[i]));

		s.regularization[nusers + i] = 0.3f * n;
		s.regularization[nusers + nitems + i] = 40.0f * sqrtf(n);
		for (int k = 0; k < d; k++)
		{
			if (rating)
				s.factors.rating[i * ld + k] = start(i, k, 1);
			s.factors.interest[i * ld + k] = start(i, k, 2);
		}
		if (rating)
			s.factors.item_bias[i] = 0.0f;
	}
	s.problem.interest_weight = interest_weight;
	s.problem.user_pull = NULL;
	s.problem.user_bias_regularization = s.problem.item_bias_regularization = 2.0f;
	als = sample_als(&s, &parallel, &als_space);
	for (int k = 0; k < iterations; k++)
		good = good && sample_sweep(als, &s, MF_USERS, true, 0, NULL) == MF_OK &&
			sample_sweep(als, &s, MF_ITEMS, true, 0, loss + k) == MF_OK;
	free(als_space);
	free(space);
	free(row);
	free(z);
	sample_free(&s);
	return good;
}

static void
test_small(int d, bool rating, float interest_weight, const double *expected)
{
	int32_t		user[2700];
	int32_t		item[2700];
	float		value[2700];
	MfTriplets	triplets = {small_cells(user, item, value), user, item, value, NULL};
	double		loss[3];

	ok(triplets.n == 553 && train(&triplets, 60, 45, d, rating, interest_weight, 3, loss),
	   "d = %d, %s, interest_weight %g", d, rating ? "joint" : "implicit", interest_weight);
	for (int k = 0; k < 3; k++)
		is_close(loss[k] / expected[k], 1.0, 1e-5, "the loss is that of reference.py");
}

/* The shared 10-core data, d = 64. */
static void
test_shared(const char *name, bool rating, float interest_weight, const double *expected)
{
	enum
	{
		MOST = 50000
	};
	FILE	   *file = fopen(name, "r");
	int32_t    *user = malloc(MOST * 4);
	int32_t    *item = malloc(MOST * 4);
	float	   *value = malloc(MOST * 4);
	MfTriplets	triplets = {0, user, item, value, NULL};
	double		loss[3];
	int32_t		nusers;
	int32_t		nitems;

	if (file == NULL)
	{
		skip("losses on shared data", "the shared data is not there");
		free(user);
		free(item);
		free(value);
		return;
	}
	while (triplets.n < MOST &&
		   fscanf(file, "%d %d %f%*[^\n]", user + triplets.n, item + triplets.n,
				  value + triplets.n) == 3)
		triplets.n++;
	fclose(file);
	nusers = number_ids(user, triplets.n);
	nitems = number_ids(item, triplets.n);
	ok(train(&triplets, nusers, nitems, 64, rating, interest_weight, 3, loss),
	   "10-core data, %s", rating ? "joint" : "implicit");
	for (int k = 0; k < 3; k++)
		is_close(loss[k] / expected[k], 1.0, 1e-4, "the loss is that of reference.py");
	free(user);
	free(item);
	free(value);
}

int
main(void)
{
	static const double joint5[] = {1955.9519, 1772.1787, 1435.7665};
	static const double implicit5[] = {4645.2546, 3223.9547, 2538.1221};
	static const double joint20[] = {1900.3445, 1452.897, 1357.0334};
	static const double implicit20[] = {4136.4858, 2579.3309, 2518.1682};
	static const double joint64[] = {110611.23, 88226.88, 85602.647};
	static const double implicit64[] = {260190.09, 191174.24, 180642.82};
	const char *shared = "../../../shared/data/movietweetings-10core/train.tsv";

	test_small(5, true, 0.3f, joint5);
	test_small(5, false, 1.0f, implicit5);
	test_small(20, true, 0.3f, joint20);
	test_small(20, false, 1.0f, implicit20);
	test_shared(shared, true, 0.3f, joint64);
	test_shared(shared, false, 1.0f, implicit64);
	return done();
}

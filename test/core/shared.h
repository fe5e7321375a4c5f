/*
 * shared.h - reference.py's models, and the project's shared data where it is there.
 */
#ifndef SHARED_H
#define SHARED_H

#include <math.h>
#include <stdio.h>

#include "sample.h"

/* Where the shared data is, as seen from the tests' folder. */
#define SHARED_DATA "../../../shared/data/"

/*
 * Number k of row r of the matrix drawn first (1: rating factors) or second (2: interest factors).
 */
static float
start(int64_t r, int k, int which)
{
	int64_t		hash = (r * 7919 + k * 104729 + which * 31337) % 2003;

	return (float) (((double) hash / 1001.5 - 1.0) * 0.17);
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

/* Reads the ratings of a file: user, item, rating in a line.  False where it is not there. */
__attribute__((unused)) static bool
shared_read(const char *name, MfTriplets *ratings, int64_t *nusers, int64_t *nitems)
{
	enum
	{
		MOST = 200000
	};
	FILE	   *file = fopen(name, "r");
	int32_t    *user;
	int32_t    *item;
	float	   *value;

	if (file == NULL)
		return false;
	user = malloc(MOST * 4);
	item = malloc(MOST * 4);
	value = malloc(MOST * 4);
	*ratings = (MfTriplets) {0, user, item, value, NULL};
	while (ratings->n < MOST &&
		   fscanf(file, "%d %d %f%*[^\n]", user + ratings->n, item + ratings->n, value + ratings->n) == 3)
		ratings->n++;
	fclose(file);
	*nusers = number_ids(user, ratings->n);
	*nitems = number_ids(item, ratings->n);
	return true;
}

__attribute__((unused)) static void
shared_free(MfTriplets *ratings)
{
	free(ratings->row);
	free((void *) (uintptr_t) ratings->column);
	free((void *) (uintptr_t) ratings->rating);
}

/*
 * A model with reference.py's defaults on these triplets (kept: they are copied), to be freed by sample_free(),
 * and the losses of so many iterations.
 */
__attribute__((unused)) static bool
shared_train(const MfTriplets *given, int64_t nusers, int64_t nitems, int d, bool rating,
			 float interest_weight, int iterations, Sample *model, double *loss)
{
	SampleOptions options = {nusers, nitems, d, rating, true, false, 0, 0, false, 0, false, false, false, false};
	MfParallel	parallel = {2, NULL};
	size_t		bytes = (size_t) given->n * 4;
	int32_t    *row = memcpy(malloc(bytes), given->row, bytes);
	float	   *z = memcpy(malloc(bytes), given->rating, bytes);
	MfTriplets	triplets = {given->n, row, given->column, z, NULL};
	void	   *space = malloc(mf_csr_workspace(&parallel, given->n, nusers + nitems));
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
	*model = s;
	return good;
}

#endif

/*
 * test_reference.c - the losses of reference.py, from the same start.
 *
 * The tables hold what reference.py's train() gives when the normal numbers it draws are replaced
 * by start() below: Q first, then S.  The larger case reads the project's shared data where it is
 * there.
 */
#include "tap.h"

#include "shared.h"

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

static void
test_small(int d, bool rating, float interest_weight, const double *expected)
{
	int32_t		user[2700];
	int32_t		item[2700];
	float		value[2700];
	MfTriplets	triplets = {small_cells(user, item, value), user, item, value, NULL};
	Sample		model;
	double		loss[3];

	ok(triplets.n == 553 && shared_train(&triplets, 60, 45, d, rating, interest_weight, 3, &model, loss),
	   "d = %d, %s, interest_weight %g", d, rating ? "joint" : "implicit", interest_weight);
	for (int k = 0; k < 3; k++)
		is_close(loss[k] / expected[k], 1.0, 1e-5, "the loss is that of reference.py");
	sample_free(&model);
}

/* The shared 10-core data, d = 64. */
static void
test_shared(const char *name, bool rating, float interest_weight, const double *expected)
{
	MfTriplets	triplets;
	Sample		model;
	double		loss[3];
	int64_t		nusers;
	int64_t		nitems;

	if (!shared_read(name, &triplets, &nusers, &nitems))
	{
		skip("losses on shared data", "the shared data is not there");
		return;
	}
	ok(shared_train(&triplets, nusers, nitems, 64, rating, interest_weight, 3, &model, loss),
	   "10-core data, %s", rating ? "joint" : "implicit");
	for (int k = 0; k < 3; k++)
		is_close(loss[k] / expected[k], 1.0, 1e-4, "the loss is that of reference.py");
	sample_free(&model);
	shared_free(&triplets);
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
	const char *shared = SHARED_DATA "movietweetings-10core/train.tsv";

	test_small(5, true, 0.3f, joint5);
	test_small(5, false, 1.0f, implicit5);
	test_small(20, true, 0.3f, joint20);
	test_small(20, false, 1.0f, implicit20);
	test_shared(shared, true, 0.3f, joint64);
	test_shared(shared, false, 1.0f, implicit64);
	return done();
}

/*
 * test_fold.c - users folded in and explained, against textbook elimination in double precision.
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/padding.h"
#include "core/base/rng.h"
#include "core/predict/explain.h"

/* What a user is folded in with. */
typedef struct Case
{
	const char *what;
	int			d;
	int			nitems;
	int			ncells;			/* of the first items */
	double		alpha;
	bool		whole;			/* alpha * weight is all that a cell weighs */
	bool		unobserved;		/* empty cells have weights of their own */
	float		weight[3];		/* of cells in turn; negative: of dislikes */
	int			outside;		/* so many of the first items are not in the Gram matrix, as cold ones are */
	double		fade;			/* > 0: of the weight of an empty cell fade * weight is observed, at most all */
} Case;

/* All numbers of a user, and room for what is made of them. */
typedef struct Sample
{
	int			ld;
	float	   *vector;			/* nitems x ld */
	float	   *unobserved;
	float	   *weight;
	const float **rows;
	bool	   *outside;
	float	   *gram;
	float	   *user;			/* ld */
	MfFold		fold;
	MfFoldCells cells;
} Sample;

static float *
floats(int n)
{
	return calloc((size_t) n, sizeof(float));
}

static void
make_sample(const Case *c, Sample *s)
{
	const uint64_t seed = 1;

	s->ld = mf_padded(c->d);
	s->vector = floats(c->nitems * s->ld);
	s->unobserved = floats(c->nitems);
	s->weight = floats(c->nitems);
	s->rows = malloc((size_t) c->nitems * sizeof(float *));
	s->outside = calloc((size_t) c->nitems, sizeof(bool));
	s->gram = floats(c->d * s->ld);
	s->user = floats(s->ld);
	for (int i = 0; i < c->nitems; i++)
	{
		s->rows[i] = s->vector + i * s->ld;
		for (int k = 0; k < c->d; k++)
			s->vector[i * s->ld + k] = (float) (2 * mf_random_uniform(seed, (uint64_t) (i * c->d + k)) - 1);
		s->weight[i] = c->weight[i % 3];
		s->unobserved[i] = c->unobserved ? 0.5f + (float) (i % 4) / 2 : 1;
		s->outside[i] = i < c->outside;
	}
	for (int j = 0; j < c->d; j++)
		for (int k = 0; k < c->d; k++)
		{
			double		sum = 0;

			for (int i = c->outside; i < c->nitems; i++)
				sum += (double) s->unobserved[i] * s->rows[i][j] * s->rows[i][k];
			s->gram[j * s->ld + k] = (float) sum;
		}
	s->fold = (MfFold) {c->d, 1, (float) c->alpha, 0, s->gram, NULL, c->whole, 0, (float) c->fade, 0};
	s->cells = (MfFoldCells) {c->ncells, s->rows, NULL, NULL, s->weight, c->unobserved ? s->unobserved : NULL, 0.3f, 0.0f, 0.0f,
	c->outside > 0 ? s->outside : NULL};
}

static void
free_sample(Sample *s)
{
	free(s->vector);
	free(s->unobserved);
	free(s->weight);
	free(s->rows);
	free(s->outside);
	free(s->gram);
	free(s->user);
}

/* Solves a x = b (d unknowns, a of d + 1 columns with b as the last) by elimination with pivots. */
static void
eliminate(double *a, double *x, int d)
{
	int			n = d + 1;

	for (int j = 0; j < d; j++)
	{
		int			pivot = j;

		for (int i = j + 1; i < d; i++)
			if (fabs(a[i * n + j]) > fabs(a[pivot * n + j]))
				pivot = i;
		for (int k = 0; k < n; k++)
		{
			double		swap = a[j * n + k];

			a[j * n + k] = a[pivot * n + k];
			a[pivot * n + k] = swap;
		}
		for (int i = j + 1; i < d; i++)
			for (int k = n - 1; k >= j; k--)
				a[i * n + k] -= a[i * n + j] / a[j * n + j] * a[j * n + k];
	}
	for (int j = d - 1; j >= 0; j--)
	{
		x[j] = a[j * n + d];
		for (int k = j + 1; k < d; k++)
			x[j] -= a[j * n + k] * x[k];
		x[j] /= a[j * n + j];
	}
}

/* The vector that minimises sum over all items of c (x - p.s)^2 + 0.3 |p|^2, straight from the formula. */
static void
solve_formula(const Case *c, const Sample *s, double *x)
{
	int			d = c->d;
	double	   *a = calloc((size_t) (d * (d + 1)), sizeof(double));

	for (int i = 0; i < c->nitems; i++)
	{
		bool		observed = i < c->ncells;
		double		extra = c->alpha * fabs(s->weight[i]);
		double		c0 = s->unobserved[i];
		double		weight = !observed ? c0 : c->whole ? extra : c0 + extra;
		double		left = c->fade > 0 ? fmin(c->fade * s->weight[i], 1) : 1;

		for (int j = 0; j < d; j++)
		{
			for (int k = 0; k < d; k++)
				a[j * (d + 1) + k] += weight * s->rows[i][j] * s->rows[i][k];
			a[j * (d + 1) + d] += observed && s->weight[i] >= 0 ? (weight - c0 * (1 - left)) * s->rows[i][j] : 0;
		}
	}
	for (int j = 0; j < d; j++)
		a[j * (d + 1) + j] += 0.3f;
	eliminate(a, x, d);
	free(a);
}

static double
largest_difference(const float *got, const double *expected, int d)
{
	double		largest = 0;
	double		scale = 0;

	for (int k = 0; k < d; k++)
	{
		largest = fmax(largest, fabs(got[k] - expected[k]));
		scale = fmax(scale, fabs(expected[k]));
	}
	return largest / scale;
}

/* The sum of what the cells add to the score of the last item, which none of them is, and to a share of the bias. */
static double
explained(const Case *c, const Sample *s, double bias_share)
{
	double	   *contribution = malloc((size_t) (c->ncells + 1) * sizeof(double));
	void	   *space = malloc(mf_explain_size(&s->fold));
	double		sum = 0;

	if (mf_explain_cells(&s->fold, &s->cells, s->rows[c->nitems - 1], bias_share, contribution, space) != MF_OK)
		sum = NAN;
	for (int i = 0; i < c->ncells; i++)
		sum += contribution[i];
	free(space);
	free(contribution);
	return sum;
}

static void
test_case(const Case *c)
{
	Sample		s;
	double	   *expected = calloc((size_t) c->d, sizeof(double));
	double		score = 0;
	void	   *space;
	MfError		error;

	make_sample(c, &s);
	space = malloc(mf_fold_size(&s.fold));
	solve_formula(c, &s, expected);
	error = mf_fold_in(&s.fold, &s.cells, s.user, NULL, space);
	if (!ok(error == MF_OK && largest_difference(s.user, expected, c->d) < 1e-4, "%s, d = %d: as the formula says", c->what, c->d))
		printf("#   error %d, difference %g\n", error, largest_difference(s.user, expected, c->d));
	ok(mf_fold_gradient(&s.fold, &s.cells, s.user, 0, space) < 1e-5, "%s, d = %d: found to be solved", c->what, c->d);
	s.user[0] += 0.01f;
	ok(mf_fold_gradient(&s.fold, &s.cells, s.user, 0, space) > 1e-5, "%s, d = %d: another vector is not", c->what, c->d);
	for (int k = 0; k < c->d; k++)
		score += expected[k] * s.rows[c->nitems - 1][k];
	is_close(explained(c, &s, 0), score, 1e-4, "contributions add up to the score");
	free_sample(&s);
	free(expected);
	free(space);
}

/*
 * A dislike speaks against its own item as long as some interest in it is left, and for it where there is less than none; who
 * has liked nothing has no interest.
 */
static void
test_dislike(const Case *c)
{
	Sample		s;
	double	   *contribution = malloc((size_t) c->ncells * sizeof(double));
	void	   *space;
	int			wrong = 0;
	int			against = 0;

	make_sample(c, &s);
	space = malloc(mf_explain_size(&s.fold) + mf_fold_size(&s.fold));
	if (mf_fold_in(&s.fold, &s.cells, s.user, NULL, space) != MF_OK)
		wrong++;
	for (int i = 0; i < c->ncells; i++)
	{
		double		interest = 0;

		if (s.weight[i] >= 0)
			continue;
		for (int k = 0; k < c->d; k++)
			interest += s.user[k] * s.rows[i][k];
		if (mf_explain_cells(&s.fold, &s.cells, s.rows[i], 0, contribution, space) != MF_OK)
			wrong++;
		against += contribution[i] < 0;
		wrong += fabs(interest) > 1e-5 && (contribution[i] < 0) != (interest > 0);
	}
	ok(wrong == 0 && against > 0, "%s, d = %d: a dislike of an item that is still of interest speaks against it", c->what, c->d);
	free_sample(&s);
	free(contribution);
	free(space);
}

/* Ratings alone, and with interest: explanations of scores with and without the bias, and where there is none. */
static void
test_ratings(bool interest, float bias_regularization)
{
	static const Case c = {"ratings", 20, 100, 30, 2, false, false, {1, 2, 5}, 0, 0};
	Sample		s;
	float		bias;
	double		score = 0;
	void	   *space;

	make_sample(&c, &s);
	for (int i = 0; i < c.nitems; i++)
		s.unobserved[i] = (float) (i % 7) - 2;	/* residuals */
	s.cells.rating = s.rows;
	s.cells.residual = s.unobserved;
	if (!interest)
		s.cells.interest = NULL;
	if (!interest)
		s.fold.gram = NULL;
	s.fold.user_bias_regularization = bias_regularization;
	space = malloc(mf_fold_size(&s.fold));
	ok(mf_fold_in(&s.fold, &s.cells, s.user, &bias, space) == MF_OK && (bias != 0) == !isinf(bias_regularization),
	   "folded in, interest %d, bias held by %g", interest, bias_regularization);
	for (int k = 0; k < c.d; k++)
		score += s.user[k] * s.rows[c.nitems - 1][k];
	is_close(explained(&c, &s, 0), score, 1e-4, "contributions add up to the score without the bias");
	is_close(explained(&c, &s, 1), score + bias, 1e-4, "and with it");
	free_sample(&s);
	free(space);
}

/*
 * Ratings alone, of which vectors explain next to nothing, as regularization leaves them where there are few
 * rows: what the bias rounds to is large beside all that vectors say, and no change.
 */
static void
test_biases(float scale)
{
	static const Case c = {"biases", 20, 100, 30, 2, false, false, {1, 2, 5}, 0, 0};
	Sample		s;
	float		bias;
	void	   *space;

	make_sample(&c, &s);
	for (int i = 0; i < c.nitems; i++)
	{
		s.unobserved[i] = (float) (i % 7) - 2.3f;
		for (int k = 0; k < c.d; k++)
			s.vector[i * s.ld + k] *= scale;
	}
	s.cells.rating = s.rows;
	s.cells.residual = s.unobserved;
	s.cells.interest = NULL;
	s.fold.gram = NULL;
	s.fold.user_bias_regularization = 3;
	space = malloc(mf_fold_size(&s.fold));
	ok(mf_fold_in(&s.fold, &s.cells, s.user, &bias, space) == MF_OK &&
	   mf_fold_gradient(&s.fold, &s.cells, s.user, bias, space) < 1e-5, "vectors of %g: found to be solved", scale);
	ok(mf_fold_gradient(&s.fold, &s.cells, s.user, bias + 0.001f, space) > 1e-5, "another bias is not");
	free_sample(&s);
	free(space);
}

int
main(void)
{
	static const Case cases[] = {
		{"1 + alpha * value", 5, 40, 12, 2, false, false, {1, 2, 5}, 0, 0},
		{"1 + alpha * value, some values 0", 5, 40, 12, 2, false, false, {0, 2, 5}, 0, 0},
		{"weights of empty cells", 20, 100, 30, 2, false, true, {1, 2, 5}, 0, 0},
		{"some items outside of the Gram matrix", 5, 40, 12, 2, false, false, {1, 2, 5}, 3, 0},
		{"weights of empty cells, all cells' items outside", 20, 100, 30, 2, false, true, {1, 2, 5}, 30, 0},
		{"what has faded", 20, 100, 30, 2, false, true, {0.3f, 1, 5}, 0, 0.5},
		{"what has faded, some items outside of the Gram matrix", 5, 40, 12, 2, false, false, {0.1f, 2, 5}, 3, 0.5},
		{"several panels, some items outside", 100, 700, 400, 0.5, false, false, {0, 2, 5}, 150, 0},
		{"alpha * value, some items outside", 20, 100, 40, 0.5, true, true, {1, 2, 5}, 7, 0},
		{"alpha * value, alpha 40", 5, 40, 12, 40, true, false, {1, 2, 5}, 0, 0},
		{"alpha * value, alpha 1: some weigh as much as empty cells", 5, 40, 12, 1, true, false, {1, 2, 5}, 0, 0},
		{"alpha * value, alpha 0.5: some weigh less, some as much, some more", 20, 100, 40, 0.5, true, false, {1, 2, 5}, 0, 0},
		{"alpha * value, all weigh less", 5, 40, 39, 0.125, true, false, {1, 2, 5}, 0, 0},
		{"alpha * value, next to nothing", 5, 40, 12, 1e-6, true, false, {1, 2, 5}, 0, 0},
		{"alpha * value, some values 0", 5, 40, 12, 1, true, false, {0, 2, 5}, 0, 0},
		{"alpha * value, weights of empty cells", 20, 100, 40, 0.5, true, true, {1, 2, 5}, 0, 0},
		{"alpha * value, several panels", 100, 700, 400, 0.5, true, false, {1, 2, 5}, 0, 0},
		{"alpha * value, several panels that all weigh less", 100, 700, 400, 0.1, true, false, {1, 2, 5}, 0, 0},
	};

	static const Case dislikes[] = {
		{"dislikes", 5, 40, 12, 2, false, false, {1, -2, 5}, 0, 0},
		{"dislikes among weights of empty cells", 20, 100, 30, 2, false, true, {1, 2, -5}, 0, 0},
		{"dislikes, some items outside of the Gram matrix", 5, 40, 12, 2, false, false, {1, -2, 5}, 3, 0},
		{"dislikes that have faded", 20, 100, 30, 2, false, true, {0.3f, -0.2f, 5}, 0, 0.5},
		{"dislikes, several panels", 100, 700, 400, 0.5, false, false, {-3, 2, 5}, 150, 0},
		{"dislikes by alpha * value", 5, 40, 12, 40, true, false, {1, -2, 5}, 0, 0},
	};
	static const Case light = {"dislikes by alpha * value that weigh less than empty cells", 20, 100, 40, 0.1, true, false, {1, -2, 5}, 0, 0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_case(&cases[i]);
	for (size_t i = 0; i < sizeof(dislikes) / sizeof(dislikes[0]); i++)
	{
		test_case(&dislikes[i]);
		test_dislike(&dislikes[i]);
	}
	test_case(&light);
	for (int interest = 0; interest < 2; interest++)
	{
		test_ratings(interest, 0);
		test_ratings(interest, 3);
		test_ratings(interest, INFINITY);
	}
	test_biases(1e-4f);
	test_biases(1e-16f);
	test_biases(0);
	return done();
}

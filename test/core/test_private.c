/*
 * test_private.c - dimensions that ratings have for themselves: half-sweeps against textbook elimination in double
 * precision, fold-in and explanations, losses that never rise, the same bits always, and a fixed side that is only read.
 */
#include "tap.h"

#include "core/linalg/gram.h"
#include "core/predict/fold_in.h"
#include "core/predict/explain.h"
#include "core/simd/isa.h"
#include "sample.h"

/* Solves a x = b (n unknowns, a of n + 1 columns with b as the last) by elimination; a is positive definite. */
static void
eliminate(double *a, double *x, int n)
{
	int			m = n + 1;

	for (int j = 0; j < n; j++)
		for (int i = j + 1; i < n; i++)
		{
			double		f = a[i * m + j] / a[j * m + j];

			for (int k = j; k < m; k++)
				a[i * m + k] -= f * a[j * m + k];
		}
	for (int j = n - 1; j >= 0; j--)
	{
		x[j] = a[j * m + n];
		for (int k = j + 1; k < n; k++)
			x[j] -= a[j * m + k] * x[k];
		x[j] /= a[j * m + j];
	}
}

/* Adds weight (y, last)(y, last)' and weight * target (y, last), for d numbers of y, to a system of n unknowns. */
static void
add_cell(double *a, int n, const float *y, int d, double last, double weight, double right)
{
	for (int i = 0; i < n; i++)
	{
		double		yi = i < d ? y[i] : i == n - 1 ? last : 0.0;

		for (int k = 0; k < n; k++)
			a[i * (n + 1) + k] += weight * yi * (k < d ? y[k] : k == n - 1 ? last : 0.0);
		a[i * (n + 1) + n] += right * yi;
	}
}

/* User u's vector and bias, straight from the objective. */
static void
user_by_formula(const Sample *s, int64_t u, double *a, double *x)
{
	const MfProblem *p = &s->problem;
	int			d = p->factors;
	int			n = d + 1;
	int			ld = mf_padded(d);
	int64_t		c = s->users.start[u];

	memset(a, 0, (size_t) (n * (n + 1)) * sizeof(double));
	for (int64_t i = 0; i < p->nitems; i++)
	{
		bool		seen = c < s->users.start[u + 1] && s->users.column[c] == i;
		double		w = seen && s->users.weight != NULL ? s->users.weight[c] : 1.0;
		double		c0 = p->unobserved != NULL ? p->unobserved[i] : 1.0;
		double		mass = p->interest_weight * (seen ? c0 + p->alpha * w : c0);

		add_cell(a, n, s->factors.interest + i * ld, p->shared, 0.0, mass,
				 p->interest_weight * sample_right(p, c0, w, seen));
		w = sample_rating_weight(p, w);
		if (seen)
			add_cell(a, n, s->factors.rating + i * ld, d, 1.0, w, w * (s->users.rating[c] - s->factors.item_bias[i]));
		c += seen;
	}
	for (int k = 0; k < d; k++)
	{
		a[k * (n + 1) + k] += p->user_regularization[u] - (k < p->shared ? 0.0f : p->user_pull[u]);
		a[k * (n + 1) + n] += k < p->shared ? (double) p->user_pull[u] * sample_point(p, u)[k] : 0.0;
	}
	a[d * (n + 1) + d] += p->user_bias_regularization;
	eliminate(a, x, n);
}

/* Item i's vector of one part, and with ratings its bias. */
static void
item_by_formula(const Sample *s, int64_t i, bool rating, double *a, double *x)
{
	const MfProblem *p = &s->problem;
	int			d = rating ? p->factors : p->shared;
	int			n = rating ? d + 1 : d;
	int			ld = mf_padded(p->factors);
	int64_t		c = s->items.start[i];

	memset(a, 0, (size_t) (n * (n + 1)) * sizeof(double));
	for (int64_t u = 0; u < p->nusers; u++)
	{
		bool		seen = c < s->items.start[i + 1] && s->items.column[c] == u;
		double		w = seen && s->items.weight != NULL ? s->items.weight[c] : 1.0;
		double		c0 = p->unobserved != NULL ? p->unobserved[i] : 1.0;
		double		mass = seen ? c0 + p->alpha * w : c0;
		const float *y = s->factors.user + u * ld;

		if (!rating)
			add_cell(a, n, y, d, 0.0, mass, sample_right(p, c0, w, seen));
		w = sample_rating_weight(p, w);
		if (rating && seen)
			add_cell(a, n, y, d, 1.0, w, w * (s->items.rating[c] - s->factors.user_bias[u]));
		c += seen;
	}
	for (int k = 0; k < d; k++)
	{
		double		held = rating ? p->rating_regularization[i] : p->interest_regularization[i];
		const float *prior = rating ? p->rating_prior : p->interest_prior;

		a[k * (n + 1) + k] += held;
		a[k * (n + 1) + n] += prior != NULL ? held * prior[i * ld + k] : 0.0;
	}
	if (rating)
	{
		a[d * (n + 1) + d] += p->item_bias_regularization;
		a[d * (n + 1) + n] += p->bias_prior != NULL ? p->item_bias_regularization * p->bias_prior[i] : 0.0;
	}
	eliminate(a, x, n);
}

/* The largest difference of d numbers. */
static double
difference(const float *got, const double *expected, int d)
{
	double		largest = 0.0;

	for (int k = 0; k < d; k++)
		largest = fmax(largest, fabs(got[k] - expected[k]));
	return largest;
}

/* Whether items' interest vectors are 0 beyond shared dimensions, to the last bit. */
static bool
is_zero_beyond(const Sample *s)
{
	const MfProblem *p = &s->problem;
	int			ld = mf_padded(p->factors);

	for (int64_t i = 0; i < p->nitems; i++)
		for (int k = p->shared; k < ld; k++)
			if (s->factors.interest[i * ld + k] != 0.0f)
				return false;
	return true;
}

/* Exact half-sweeps are what elimination finds, of every row, or of every seventh where elimination takes long. */
static void
test_formula(const SampleOptions *o)
{
	MfParallel	parallel = {2, NULL};
	Sample		s = sample_new(o);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	int			d = o->factors;
	int			ld = mf_padded(d);
	double	   *a = malloc((size_t) ((d + 1) * (d + 2)) * sizeof(double));
	double	   *x = malloc((size_t) (d + 1) * sizeof(double));
	double		off = 0.0;
	int			step = d > 48 && o->nusers > 40 ? 7 : 1;

	sample_sweep(als, &s, MF_USERS, true, 0, NULL);
	for (int64_t u = 0; u + 1 < o->nusers; u += step)
	{
		user_by_formula(&s, u, a, x);
		off = fmax(off, fmax(difference(s.factors.user + u * ld, x, d), difference(s.factors.user_bias + u, x + d, 1)));
	}
	if (!ok(off < 3e-5, "%d of %d dimensions: users as the formula says", o->shared, d))
		printf("#   off by %g\n", off);
	sample_sweep(als, &s, MF_ITEMS, true, 0, NULL);
	off = 0.0;
	for (int64_t i = 0; i + 1 < o->nitems; i += step)
	{
		item_by_formula(&s, i, false, a, x);
		off = fmax(off, difference(s.factors.interest + i * ld, x, o->shared));
		item_by_formula(&s, i, true, a, x);
		off = fmax(off, fmax(difference(s.factors.rating + i * ld, x, d), difference(s.factors.item_bias + i, x + d, 1)));
	}
	if (!ok(off < 3e-5, "%d of %d dimensions: items as the formula says", o->shared, d))
		printf("#   off by %g\n", off);
	ok(is_zero_beyond(&s), "%d of %d dimensions: interest is 0 beyond", o->shared, d);
	free(a);
	free(x);
	free(space);
	sample_free(&s);
}

/* Thirty half-sweeps, or as many as it takes by turns: losses are the objective, never rise, and end where exact ones do. */
static void
test_descent(const SampleOptions *o)
{
	MfParallel	parallel = {2, NULL};
	double		last[2];

	for (int exact = 0; exact < 2; exact++)
	{
		Sample		s = sample_new(o);
		void	   *space;
		MfAls	   *als = sample_als(&s, &parallel, &space);
		bool		falling = true;
		double		off = 0.0;
		double		loss;

		last[exact] = INFINITY;
		for (int k = 0; k < (o->rests && o->fades ? 200 : 30); k++)
		{
			MfError		error = sample_sweep(als, &s, k % 2 == 0 ? MF_USERS : MF_ITEMS, exact, 0, &loss);

			falling = falling && error == MF_OK && loss <= last[exact] * (1 + (o->int16 ? 1e-5 : 1e-6));
			off = fmax(off, fabs(loss / sample_objective(&s, NULL) - 1));
			last[exact] = loss;
		}
		ok(falling && is_zero_beyond(&s), "%d of %d dimensions, exact %d: the loss never rises", o->shared, o->factors, exact);
		if (!ok(off < 2e-4, "%d of %d dimensions, exact %d: and it is the objective", o->shared, o->factors, exact))
			printf("#   off by %g\n", off);
		free(space);
		sample_free(&s);
	}
	if (!ok(last[0] < last[1] * 1.01, "%d of %d dimensions: blocks lead where all at once do", o->shared, o->factors))
		printf("#   %g, exactly %g\n", last[0], last[1]);
}

/* A checksum of floats. */
static uint64_t
hash_floats(uint64_t hash, const float *x, int64_t n)
{
	for (int64_t k = 0; k < n; k++)
	{
		uint32_t	bits;

		memcpy(&bits, x + k, sizeof(bits));
		hash = mf_mix64(hash ^ bits);
	}
	return hash;
}

static uint64_t
hash_items(const Sample *s)
{
	int64_t		n = s->problem.nitems * mf_padded(s->problem.factors);

	return hash_floats(hash_floats(hash_floats(1, s->factors.interest, n), s->factors.rating, n), s->factors.item_bias,
					   s->problem.nitems);
}

static uint64_t
hash_users(const Sample *s)
{
	return hash_floats(hash_floats(1, s->factors.user, s->problem.nusers * mf_padded(s->problem.factors)),
					   s->factors.user_bias, s->problem.nusers);
}

/* Two iterations, with the Gram matrix given or not; says whether fixed sides stayed as they were. */
static uint64_t
bits_after(const SampleOptions *o, bool exact, int nthreads, int64_t part, bool give, bool *untouched)
{
	MfParallel	parallel = {nthreads, NULL};
	Sample		s = sample_new(o);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	int			ld = mf_padded(o->factors);
	int			shared = sample_shared(&s.problem);
	double	   *gram = malloc((size_t) (shared * shared) * sizeof(double));
	void	   *gram_space = malloc(mf_gram_sums_size(shared));
	uint64_t	hash = 0;

	for (int k = 0; k < 4; k++)
	{
		MfSide		side = k % 2 == 0 ? MF_USERS : MF_ITEMS;
		uint64_t	before = side == MF_USERS ? hash_items(&s) : hash_users(&s);
		double		loss;

		mf_gram_sums(&parallel, side == MF_USERS ? s.factors.interest : s.factors.user, ld, NULL,
					 side == MF_USERS ? o->nitems : o->nusers, shared, side == MF_USERS ? s.problem.unobserved : NULL,
					 gram, gram_space);
		if (sample_sweep_given(als, &s, side, exact, part, give ? gram : NULL, &loss) != MF_OK)
			hash++;
		if (before != (side == MF_USERS ? hash_items(&s) : hash_users(&s)))
			*untouched = false;
	}
	hash = mf_mix64(hash ^ hash_items(&s)) ^ hash_users(&s);
	free(gram);
	free(gram_space);
	free(space);
	sample_free(&s);
	return hash;
}

static void
test_same_bits(const SampleOptions *o, bool exact)
{
	bool		untouched = true;
	uint64_t	expected = bits_after(o, exact, 1, 0, false, &untouched);

	ok(bits_after(o, exact, 2, 0, false, &untouched) == expected && bits_after(o, exact, 5, 0, false, &untouched) == expected,
	   "%d of %d dimensions, exact %d: the same bits with any threads", o->shared, o->factors, exact);
	ok(bits_after(o, exact, 1, 7, false, &untouched) == expected && bits_after(o, exact, 3, 1, false, &untouched) == expected,
	   "%d of %d dimensions, exact %d: the same bits in parts", o->shared, o->factors, exact);
	ok(bits_after(o, exact, 2, 0, true, &untouched) == expected,
	   "%d of %d dimensions, exact %d: the same bits with a Gram matrix that is given", o->shared, o->factors, exact);
	ok(untouched, "%d of %d dimensions, exact %d: the fixed side is only read", o->shared, o->factors, exact);
}

/* What cells say of user u. */
static MfFoldCells
cells_of(const Sample *s, int64_t u, const float **interest, const float **rating, float *residual, float *unobserved)
{
	const MfProblem *p = &s->problem;
	int64_t		begin = s->users.start[u];
	int			ld = mf_padded(p->factors);
	MfFoldCells cells = {s->users.start[u + 1] - begin, interest, rating, residual,
		s->users.weight != NULL ? s->users.weight + begin : NULL, p->unobserved != NULL ? unobserved : NULL,
	p->user_regularization[u], p->user_pull[u], p->user_rating_regularization[u], NULL};

	for (int64_t c = 0; c < cells.n; c++)
	{
		int32_t		i = s->users.column[begin + c];

		interest[c] = s->factors.interest + i * ld;
		rating[c] = s->factors.rating + i * ld;
		residual[c] = s->users.rating[begin + c] - s->factors.item_bias[i];
		unobserved[c] = p->unobserved != NULL ? p->unobserved[i] : 1.0f;
	}
	return cells;
}

/* Fold-in gives users as they are stored, where the gradient is 0, and explanations add up to their scores. */
static void
test_fold(const SampleOptions *o)
{
	MfParallel	parallel = {2, NULL};
	Sample		s = sample_new(o);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	const MfProblem *p = &s.problem;
	int			d = o->factors;
	int			ld = mf_padded(d);
	float	   *gram = sample_floats((size_t) (d * ld));
	void	   *gram_space = malloc(mf_gram_size(d, &parallel));
	MfFold		fold = {d, p->interest_weight, p->alpha, p->user_bias_regularization, gram, p->user_mean, false, p->shared,
	p->fade, p->rating_roots};
	void	   *fold_space = malloc(mf_fold_size(&fold));
	void	   *explain_space = malloc(mf_explain_size(&fold));
	const float *interest[512];
	const float *rating[512];
	float		residual[512];
	float		unobserved[512];
	double		part[512];
	double		off = 0.0;
	double		gradient = 0.0;
	double		missing = 0.0;

	for (int k = 0; k < 3; k++)
		sample_sweep(als, &s, k % 2 == 0 ? MF_USERS : MF_ITEMS, true, 0, NULL);
	mf_gram(&parallel, s.factors.interest, o->nitems, d, p->unobserved, gram, gram_space);
	for (int64_t u = 0; u < o->nusers; u++)
	{
		MfFoldCells cells = cells_of(&s, u, interest, rating, residual, unobserved);
		const float *stored = s.factors.user + u * ld;
		const float *vector = s.factors.rating + (u % o->nitems) * ld;
		float		x[1024] = {0};
		float		bias;
		double		sum = 0.0;

		if (mf_fold_in(&fold, &cells, x, &bias, fold_space) != MF_OK)
			off = INFINITY;
		for (int k = 0; k < d; k++)
			off = fmax(off, fabs(x[k] - stored[k]));
		off = fmax(off, fabs(bias - s.factors.user_bias[u]));
		if (cells.n == 0)
			continue;
		gradient = fmax(gradient, mf_fold_gradient(&fold, &cells, stored, s.factors.user_bias[u], fold_space));
		if (mf_explain_cells(&fold, &cells, vector, 0.5, part, explain_space) != MF_OK)
			missing = INFINITY;
		for (int64_t c = 0; c < cells.n; c++)
			sum += part[c];
		missing = fmax(missing, fabs(sum - sample_dot(stored, vector, d) - 0.5 * s.factors.user_bias[u]));
	}
	if (!ok(off < 3e-5 && gradient < 1e-4 && missing < 1e-4, "%d of %d dimensions: fold-in and explanations", o->shared, d))
		printf("#   off by %g, gradient %g, unexplained %g\n", off, gradient, missing);
	free(space);
	free(gram);
	free(gram_space);
	free(fold_space);
	free(explain_space);
	sample_free(&s);
}

/* Problems of two sizes, in which items are drawn to 0 or to priors. */
static void
test_sizes(const int *size, bool weighted, bool prior)
{
	int			d = size[0] + size[1];
	bool		small = d <= 96;
	SampleOptions few = {40, 30, d, true, true, weighted, 300, 2, false, size[0], prior, weighted, false, false};
	SampleOptions many = {small ? 300 : 60, small ? 180 : 70, d, true, true, weighted, 100, 3, false, size[0], prior, weighted && prior, false, false};

	test_formula(&few);
	test_formula(&many);
	test_descent(&few);
	test_descent(&many);
	if (!prior)
		test_fold(&many);
	test_same_bits(&many, true);
	test_same_bits(&many, false);
	if (many.fades && small)
	{
		many.rests = true;
		test_descent(&many);
		test_same_bits(&many, false);
		many.rests = false;
	}
	if ((weighted && small) || !mf_isa_has_vnni())
		return;
	many.int16 = true;
	test_descent(&many);
	test_same_bits(&many, false);
}

/* The loss of blocks after ten iterations, by numbers of so many bits, at first or throughout; NAN where it is no objective. */
static double
loss_after(SampleOptions o, int bits)
{
	MfParallel	parallel = {2, NULL};
	Sample		s;
	void	   *space;
	MfAls	   *als;
	double		loss = 0.0;
	bool		good = true;

	o.int16 = bits < 32;
	s = sample_new(&o);
	s.problem.int8 = bits == 8;
	s.problem.rests = o.rests;
	als = sample_als(&s, &parallel, &space);
	for (int k = 0; k < 20; k++)
		good = sample_sweep(als, &s, k % 2 == 0 ? MF_USERS : MF_ITEMS, false, 0, &loss) == MF_OK &&
			fabs(loss / sample_objective(&s, NULL) - 1) < 2e-3 && good;
	free(space);
	sample_free(&s);
	return good ? loss : NAN;
}

/* Both blocks from one sum over whole numbers lead where one after the other from floats do. */
static void
test_crossed(void)
{
	static const int own[] = {16, 30, 32};

	for (int k = 0; k < 3 && mf_isa_has_vnni(); k++)
	{
		SampleOptions many = {300, 180, 64 + own[k], true, true, false, 400, 3, false, 64, k > 0, false, k < 2, false};
		double		expected = loss_after(many, 32);
		double		off = fabs(loss_after(many, 13) / expected - 1);

		if (!ok(off < 5e-5, "64 of %d dimensions: crossed blocks of 13 bits", many.factors))
			printf("#   off by %g\n", off);
		off = fabs(loss_after(many, 8) / expected - 1);
		if (!ok(off < 5e-4, "64 of %d dimensions: crossed blocks of 8 bits", many.factors))
			printf("#   off by %g\n", off);
		many.int16 = true;
		test_same_bits(&many, false);
	}
}

int
main(void)
{
	static const int sizes[][2] = {{1, 1}, {10, 5}, {3, 20}, {16, 16}, {33, 30}, {64, 32}, {100, 7}, {300, 60}};
	MfIsa		best = mf_isa();

	for (int level = 0; level <= (int) best; level++)
	{
		printf("# instruction set level %d\n", level);
		mf_isa_limit((MfIsa) level);
		test_crossed();
		for (int k = 0; k < 8; k++)
		{
			if (level < (int) best && (sizes[k][0] + sizes[k][1] > 200 || (!thorough() && k % 4 != level % 4)))
				continue;
			test_sizes(sizes[k], k % 2, false);
			if (level == (int) best || k % 3 == level % 3)
				test_sizes(sizes[k], k % 2, true);
		}
	}
	return done();
}

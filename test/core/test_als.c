/*
 * test_als.c - alternating least squares: the joint objective and its optimum over all cells,
 * losses that never rise, the same bits for any threads and parts, weights, dislikes, priors, fold-in, errors.
 */
#include "tap.h"

#include "core/als/als_packed_vectors.h"
#include "core/linalg/gram.h"
#include "core/predict/fold_in.h"
#include "core/simd/isa.h"
#include "sample.h"

static const char *
preset_name(const SampleOptions *o)
{
	return o->rating ? (o->interest ? "joint" : "rating alone") : "interest alone";
}

/*
 * After a user half-sweep the gradient by users vanishes, measured against what it is at 0; but for what is left of
 * it where the items' vectors were rounded on the way, or users are solved iteratively (above 96 factors).
 */
static void
test_optimum(const SampleOptions *o, bool exact)
{
	double		tolerance = exact ? 2e-5 : o->int16 && o->factors <= 96 ? 5e-4 : 2e-2;
	MfParallel	parallel = {2, NULL};
	Sample		s = sample_new(o);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	int			ld = mf_padded(o->factors);
	size_t		n = (size_t) o->nusers * (size_t) (ld + 1);
	double	   *gradient = calloc(n, sizeof(double));
	double		at_zero = 0.0;
	double		left = 0.0;
	double		loss;
	MfError		error;

	sample_sweep(als, &s, MF_ITEMS, true, 0, NULL);
	memset(s.factors.user, 0, (size_t) o->nusers * (size_t) ld * sizeof(float));
	if (o->rating)
		memset(s.factors.user_bias, 0, (size_t) o->nusers * sizeof(float));
	sample_objective(&s, gradient);
	for (size_t k = 0; k < n; k++)
		at_zero = fmax(at_zero, fabs(gradient[k]));
	error = sample_sweep(als, &s, MF_USERS, exact, 0, &loss);
	ok(error == MF_OK, "%s, d = %d: no error", preset_name(o), o->factors);
	is_close(loss, sample_objective(&s, gradient), exact ? 2e-5 : 1e-4,
			 "the loss is the objective over all cells");
	for (size_t k = 0; k < n; k++)
		left = fmax(left, fabs(gradient[k]));
	if (!ok(left <= tolerance * at_zero, "%s, d = %d: gradient near zero for users",
			preset_name(o), o->factors))
		printf("#   %g of %g\n", left, at_zero);
	free(gradient);
	free(space);
	sample_free(&s);
}

/* The largest derivative of the objective by an item. */
static double
steepest_item(const Sample *s)
{
	int			ld = mf_padded(s->problem.factors);
	double		gradient[1024];
	double		largest = 0.0;

	for (int64_t i = 0; i < s->problem.nitems; i++)
	{
		sample_item_gradient(s, i, gradient);
		for (int k = 0; k < 2 * ld + 1; k++)
			largest = fmax(largest, fabs(gradient[k]));
	}
	return largest;
}

/* All items' vectors and biases to 0. */
static void
clear_items(Sample *s)
{
	size_t		n = (size_t) s->problem.nitems;
	size_t		ld = (size_t) mf_padded(s->problem.factors);

	if (s->problem.has_interest)
		memset(s->factors.interest, 0, n * ld * sizeof(float));
	if (!s->problem.has_rating)
		return;
	memset(s->factors.rating, 0, n * ld * sizeof(float));
	memset(s->factors.item_bias, 0, n * sizeof(float));
}

/* Multiplies all that holds items. */
static void
hold_items(Sample *s, float factor)
{
	for (int64_t k = s->problem.nusers; k < s->problem.nusers + 2 * s->problem.nitems; k++)
		s->regularization[k] *= factor;
	s->problem.item_bias_regularization *= factor;
}

/*
 * The same of items, held by so many times as much, after a half-sweep from 0 on; but for what counts as held by a
 * little more where next to nothing holds them (ridge.h).
 */
static void
test_items(const SampleOptions *o, bool exact, float hold)
{
	double		tolerance = hold < 1e-3f ? 1e-4 : exact ? 2e-5 : o->int16 && o->factors <= 96 ? 5e-4 : 5e-2;
	MfParallel	parallel = {2, NULL};
	Sample		s = sample_new(o);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	double		at_zero;
	double		left;
	double		loss;
	MfError		error;

	sample_sweep(als, &s, MF_USERS, true, 0, NULL);
	hold_items(&s, hold);
	clear_items(&s);
	at_zero = steepest_item(&s);
	error = sample_sweep(als, &s, MF_ITEMS, exact, 0, &loss);
	left = steepest_item(&s);
	if (!ok(error == MF_OK && left <= tolerance * at_zero, "%s, d = %d, items held by %g: gradient near zero",
			preset_name(o), o->factors, hold))
		printf("#   %g of %g\n", left, at_zero);
	is_close(loss, sample_objective(&s, NULL), exact ? 2e-5 : 1e-4, "and the loss is the objective over all cells");
	free(space);
	sample_free(&s);
}

/* The largest distance of items' numbers from what they are drawn to, of item `first` and those behind it. */
static double
off_priors(const Sample *s, int64_t first)
{
	const MfProblem *p = &s->problem;
	int64_t		ld = mf_padded(p->factors);
	double		off = 0.0;

	for (int64_t k = first * ld; k < p->nitems * ld; k++)
	{
		if (p->has_interest)
			off = fmax(off, fabs(s->factors.interest[k] - p->interest_prior[k]));
		if (p->has_rating)
			off = fmax(off, fabs(s->factors.rating[k] - p->rating_prior[k]));
	}
	for (int64_t i = first; i < p->nitems && p->has_rating; i++)
		off = fmax(off, fabs(s->factors.item_bias[i] - p->bias_prior[i]));
	return off;
}

/* Items without cells are their priors to the last bit, and all of them where regularization is all that counts. */
static void
test_held(const SampleOptions *o, bool exact)
{
	/* what is turned in whole numbers, into the half-sweep's basis and back, keeps some 12 bits */
	double		tolerance = !exact && o->int16 && o->factors > 96 ? 1e-3 : 1e-4;
	MfParallel	parallel = {2, NULL};
	Sample		s = sample_new(o);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	double		off;

	sample_sweep(als, &s, MF_USERS, true, 0, NULL);
	sample_sweep(als, &s, MF_ITEMS, exact, 0, NULL);
	ok(off_priors(&s, o->nitems - 1) == 0.0 && off_priors(&s, 0) > 0.1,
	   "%s, d = %d: an item without cells is its prior", preset_name(o), o->factors);
	hold_items(&s, 1e9f);
	sample_sweep(als, &s, MF_ITEMS, exact, 0, NULL);
	off = off_priors(&s, 0);
	if (!ok(off < tolerance, "%s, d = %d: and so are all that nothing else counts for", preset_name(o), o->factors))
		printf("#   off by %g\n", off);
	free(space);
	sample_free(&s);
}

/*
 * Users without cells are where they are drawn, in whole numbers where half-sweeps may round; all drawn to the mean, each for
 * themselves, is as drawn to that.
 */
static void
test_user_points(const SampleOptions *o, bool exact)
{
	MfParallel	parallel = {2, NULL};
	Sample		s = sample_new(o);
	int64_t		ld = mf_padded(o->factors);
	const float *points = s.problem.user_prior;
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	int32_t		last = (int32_t) o->nusers - 1;
	double		loss[3];

	sample_sweep(als, &s, MF_USERS, exact, 0, &loss[0]);
	if (s.problem.int16 && !exact)
		mf_vectors_round(o->factors, s.user_prior, &last, 1);
	ok(memcmp(s.factors.user + last * ld, points + last * ld, (size_t) ld * sizeof(float)) == 0,
	   "%s, d = %d: a user without cells is where they are drawn", preset_name(o), o->factors);
	for (int64_t u = 0; u < o->nusers; u++)
		memcpy(s.user_prior + u * ld, s.problem.user_mean, (size_t) ld * sizeof(float));
	memset(s.factors.user, 0, (size_t) (o->nusers * ld) * sizeof(float));
	sample_sweep(als, &s, MF_USERS, exact, 0, &loss[1]);
	s.problem.user_prior = NULL;
	memset(s.factors.user, 0, (size_t) (o->nusers * ld) * sizeof(float));
	sample_sweep(als, &s, MF_USERS, exact, 0, &loss[2]);
	ok(loss[1] != loss[0], "and that matters");
	is_close(loss[1], loss[2], 1e-5, "points that are the mean user are as that");
	free(space);
	sample_free(&s);
}

/* Priors of 0 are none, but for rounding; and they may come and go between half-sweeps. */
static void
test_zero_priors(const SampleOptions *o, bool exact)
{
	MfParallel	parallel = {2, NULL};
	Sample		s = sample_new(o);
	size_t		n = (size_t) o->nitems * (size_t) mf_padded(o->factors);
	MfProblem	drawn = s.problem;
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	double		loss[3];

	sample_sweep(als, &s, MF_USERS, true, 0, NULL);
	s.problem.interest_prior = s.problem.rating_prior = s.problem.bias_prior = NULL;
	clear_items(&s);
	sample_sweep(als, &s, MF_ITEMS, exact, 0, &loss[0]);
	s.problem = drawn;
	for (int zero = 1; zero <= 2; zero++)
	{
		clear_items(&s);
		sample_sweep(als, &s, MF_ITEMS, exact, 0, &loss[zero]);
		for (int part = 0; part < MF_TERMS; part++)
			memset(s.prior[part], 0, n * sizeof(float));
		memset(s.bias_prior, 0, (size_t) o->nitems * sizeof(float));
	}
	ok(fabs(loss[1] / loss[0] - 1) > 1e-5, "%s, d = %d: priors matter", preset_name(o), o->factors);
	is_close(loss[2], loss[0], 1e-5, "and those of 0 are none");
	free(space);
	sample_free(&s);
}

/* Ten half-sweeps: no loss is above the one before, and each is the objective. */
static void
test_descent(const SampleOptions *o, bool exact)
{
	MfParallel	parallel = {2, NULL};
	Sample		s = sample_new(o);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	double		last = INFINITY;
	bool		falling = true;
	bool		right = true;
	double		loss = 0.0;
	bool		good = true;

	for (int k = 0; k < 10; k++)
	{
		good = good &&
			sample_sweep(als, &s, k % 2 == 0 ? MF_USERS : MF_ITEMS, exact, 0, &loss) == MF_OK;
		falling = falling && loss <= last * (1.0 + 1e-6);
		right = right && fabs(loss - sample_objective(&s, NULL)) <= (exact ? 2e-5 : 2e-4) * loss;
		last = loss;
	}
	ok(good && falling, "%s, d = %d: the loss never rises", preset_name(o), o->factors);
	if (!ok(right, "%s, d = %d: and it is the objective", preset_name(o), o->factors))
		printf("#   %g, objective %g\n", loss, sample_objective(&s, NULL));
	free(space);
	sample_free(&s);
}

/* Two iterations, or four where something rests, on so many threads, in parts of so many rows: a checksum of every bit. */
static uint64_t
bits_after(const SampleOptions *o, bool exact, int nthreads, int64_t part)
{
	MfParallel	parallel = {nthreads, NULL};
	Sample		s = sample_new(o);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	uint64_t	hash = 0;
	size_t		ld = (size_t) mf_padded(o->factors);

	for (int k = 0; k < (o->rests ? 8 : 4); k++)
	{
		double		loss;
		uint64_t	bits;

		if (sample_sweep(als, &s, k % 2 == 0 ? MF_USERS : MF_ITEMS, exact, part, &loss) != MF_OK)
			hash++;
		memcpy(&bits, &loss, sizeof(bits));
		hash = mf_mix64(hash ^ bits);
	}
	for (size_t k = 0; k < (size_t) o->nusers * ld; k++)
	{
		uint32_t	bits;

		memcpy(&bits, s.factors.user + k, sizeof(bits));
		hash = mf_mix64(hash ^ bits);
	}
	for (size_t k = 0; k < (size_t) o->nitems * ld; k++)
	{
		uint32_t	bits;

		memcpy(&bits, (o->interest ? s.factors.interest : s.factors.rating) + k, sizeof(bits));
		hash = mf_mix64(hash ^ bits);
	}
	free(space);
	sample_free(&s);
	return hash;
}

static void
test_same_bits(const SampleOptions *o, bool exact)
{
	uint64_t	expected = bits_after(o, exact, 1, 0);

	for (int nthreads = 2; nthreads <= 8; nthreads += nthreads == 3 ? 5 : 1)
		ok(bits_after(o, exact, nthreads, 0) == expected,
		   "%s, d = %d: the same bits with %d threads", preset_name(o), o->factors, nthreads);
	ok(bits_after(o, exact, 1, 7) == expected && bits_after(o, exact, 3, 1) == expected &&
	   bits_after(o, exact, 2, 17) == expected, "%s, d = %d: the same bits in parts",
	   preset_name(o), o->factors);
}

/*
 * Items of which one term rests by turns, as ratings fade otherwise than choices: which they are, that losses are the
 * objective and fall, the same bits always, and that they lead where solving both each time does.
 */
static void
test_turns(int d)
{
	SampleOptions few = {40, 30, d, true, true, true, 300, 2, false, 0, d % 2 == 0, true, true, false};
	SampleOptions many = {300, 180, d, true, true, true, 100, 3, false, 0, d % 2 == 0, true, true, false};
	MfParallel	parallel = {2, NULL};
	size_t		bytes = (size_t) (many.nitems * mf_padded(d)) * sizeof(float);
	float	   *before = malloc(2 * bytes);
	double		loss[2];

	test_descent(&few, false);
	test_descent(&many, false);
	test_same_bits(&few, false);
	test_same_bits(&many, false);
	for (int exact = 0; exact < 2; exact++)
	{
		Sample		s = sample_new(&many);
		void	   *space;
		MfAls	   *als = sample_als(&s, &parallel, &space);
		bool		turns = true;

		for (int k = 0; k < 400; k++)
		{
			bool		interest;
			bool		rating;

			memcpy(before, s.factors.interest, bytes);
			memcpy((char *) before + bytes, s.factors.rating, bytes);
			sample_sweep(als, &s, k % 2 == 0 ? MF_USERS : MF_ITEMS, exact, 0, &loss[exact]);
			interest = memcmp(before, s.factors.interest, bytes) != 0;
			rating = memcmp((char *) before + bytes, s.factors.rating, bytes) != 0;
			if (k < 8)
				turns = turns && interest == (k % 2 == 1 && (exact || k % 4 == 1)) &&
					rating == (k % 2 == 1 && (exact || k == 1 || k % 4 == 3));
		}
		ok(turns, "d = %d, exact %d: terms take turns where they may", d, exact);
		free(space);
		sample_free(&s);
	}
	is_close(loss[0], loss[1], 1e-3, "and lead where all at once do");
	free(before);
}

/* A cell of weight 2 is as good as two cells in the rating part, where all have weight 1. */
static void
test_weights(void)
{
	SampleOptions o = {40, 30, 5, true, false, true, 300, 0, false, 0, false, false, false, false};
	MfParallel	parallel = {1, NULL};
	Sample		a = sample_new(&o);
	Sample		b = sample_new(&o);
	int64_t		n = a.users.start[o.nusers];
	int64_t    *start = calloc((size_t) o.nusers + 1, sizeof(int64_t));
	int32_t    *column = malloc((size_t) n * 8);
	float	   *rating = malloc((size_t) n * 8);
	int			different = 0;
	void	   *space_a;
	void	   *space_b;
	int64_t		to = 0;

	for (int64_t u = 0; u < o.nusers; u++)
	{
		for (int64_t c = a.users.start[u]; c < a.users.start[u + 1]; c++)
		{
			a.by_user.weight[c] = (float) (1 + c % 2);
			for (int k = 0; k <= c % 2; k++)
			{
				column[to] = a.users.column[c];
				rating[to++] = a.users.rating[c];
			}
		}
		start[u + 1] = to;
	}
	b.users.start = start;
	b.users.column = column;
	b.users.rating = rating;
	b.users.weight = NULL;
	sample_sweep(sample_als(&a, &parallel, &space_a), &a, MF_USERS, true, 0, NULL);
	sample_sweep(sample_als(&b, &parallel, &space_b), &b, MF_USERS, true, 0, NULL);
	for (int64_t k = 0; k < o.nusers * mf_padded(o.factors); k++)
		if (!(fabs(a.factors.user[k] - b.factors.user[k]) < 1e-5))
			different++;
	ok(different == 0, "weights are repeated rows");
	free(space_a);
	free(space_b);
	free(start);
	free(column);
	free(rating);
	sample_free(&a);
	sample_free(&b);
}

/* What fold-in says of every user is what training stored. */
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
	MfFold		fold = {d, p->interest_weight, p->alpha, p->user_bias_regularization,
	o->interest ? gram : NULL, p->user_mean, false, 0, p->fade, p->rating_roots};
	void	   *fold_space = malloc(mf_fold_size(&fold));
	const float **interest = malloc((size_t) o->nitems * sizeof(float *));
	const float **rating = malloc((size_t) o->nitems * sizeof(float *));
	float	   *residual = malloc((size_t) o->nitems * sizeof(float));
	float	   *unobserved = malloc((size_t) o->nitems * sizeof(float));
	double		difference = 0.0;
	MfError		error = MF_OK;

	sample_sweep(als, &s, MF_USERS, true, 0, NULL);
	sample_sweep(als, &s, MF_ITEMS, true, 0, NULL);
	sample_sweep(als, &s, MF_USERS, true, 0, NULL);
	if (o->interest)
		mf_gram(&parallel, s.factors.interest, o->nitems, d, p->unobserved, gram, gram_space);
	for (int64_t u = 0; u < o->nusers; u++)
	{
		int64_t		begin = s.users.start[u];
		float		x[1024];
		float		bias = -1.0f;
		MfFoldCells cells = {s.users.start[u + 1] - begin, o->interest ? interest : NULL,
			o->rating ? rating : NULL, residual, s.users.weight != NULL ? s.users.weight + begin : NULL,
			p->unobserved != NULL ? unobserved : NULL, p->user_regularization[u],
		p->user_pull != NULL ? p->user_pull[u] : 0.0f, p->user_rating_regularization[u], NULL};

		fold.user_mean = sample_point(p, u);
		for (int64_t c = 0; c < cells.n; c++)
		{
			int32_t		i = s.users.column[begin + c];

			interest[c] = o->interest ? s.factors.interest + i * ld : NULL;
			rating[c] = o->rating ? s.factors.rating + i * ld : NULL;
			residual[c] = o->rating ? s.users.rating[begin + c] - s.factors.item_bias[i] : 0.0f;
			unobserved[c] = p->unobserved != NULL ? p->unobserved[i] : 1.0f;
		}
		if (mf_fold_in(&fold, &cells, x, &bias, fold_space) != MF_OK)
			error = MF_NOT_FINITE;
		for (int k = 0; k < d; k++)
			difference = fmax(difference, fabs(x[k] - s.factors.user[u * ld + k]));
		difference = fmax(difference, fabs(bias - (o->rating ? s.factors.user_bias[u] : 0.0f)));
	}
	if (!ok(error == MF_OK && difference < 5e-5, "%s, d = %d: fold-in gives the stored vectors",
			preset_name(o), d))
		printf("#   off by %g\n", difference);
	free(space);
	free(gram);
	free(gram_space);
	free(fold_space);
	free(interest);
	free(rating);
	free(residual);
	free(unobserved);
	sample_free(&s);
}

/* Every third of n rows of `width` floats; NULL remains NULL. */
static float *
every_third(const float *values, int64_t n, int width)
{
	float	   *picked = values != NULL ? sample_floats((size_t) ((n + 2) / 3 * width)) : NULL;

	for (int64_t r = 0; picked != NULL && r < n; r += 3)
		memcpy(picked + r / 3 * width, values + r * width, (size_t) width * sizeof(float));
	return picked;
}

/* *some: every third item of *s, with its cells, as a problem of its own with the same users. */
static void
pick_items(const Sample *s, Sample *some)
{
	MfProblem  *p = &some->problem;
	int64_t		n = p->nitems;
	int			ld = mf_padded(p->factors);
	const MfRows *all = &s->items;
	int64_t		cells = 0;

	*some = *s;
	p->nitems = (n + 2) / 3;
	p->unobserved = every_third(p->unobserved, n, 1);
	p->rating_regularization = every_third(p->rating_regularization, n, 1);
	p->interest_regularization = every_third(p->interest_regularization, n, 1);
	p->interest_prior = every_third(p->interest_prior, n, ld);
	p->rating_prior = every_third(p->rating_prior, n, ld);
	p->bias_prior = every_third(p->bias_prior, n, 1);
	some->factors.rating = s->factors.rating != NULL ? sample_floats((size_t) (p->nitems * ld)) : NULL;
	some->factors.interest = s->factors.interest != NULL ? sample_floats((size_t) (p->nitems * ld)) : NULL;
	some->factors.item_bias = s->factors.item_bias != NULL ? sample_floats((size_t) p->nitems) : NULL;
	sample_matrix(&some->by_item, p->nitems, all->start[n], all->rating != NULL, all->weight != NULL);
	for (int64_t r = 0; r < p->nitems; r++)
	{
		for (int64_t c = all->start[3 * r]; c < all->start[3 * r + 1]; c++, cells++)
		{
			some->by_item.column[cells] = all->column[c];
			if (all->rating != NULL)
				some->by_item.rating[cells] = all->rating[c];
			if (all->weight != NULL)
				some->by_item.weight[cells] = all->weight[c];
		}
		some->by_item.start[r + 1] = cells;
	}
	some->items = mf_matrix_rows(&some->by_item);
}

/* Whether every third of n rows of a and all of b are the same, to the bit; NULL is like NULL. */
static bool
same_third(const float *a, const float *b, int64_t n, int width)
{
	bool		same = (a == NULL) == (b == NULL);

	for (int64_t r = 0; a != NULL && b != NULL && r < n; r += 3)
		same = same && memcmp(a + r * width, b + r / 3 * width, (size_t) width * sizeof(float)) == 0;
	return same;
}

/* Frees what pick_items() has made. */
static void
free_picked(Sample *some)
{
	const float *arrays[] = {some->problem.unobserved, some->problem.rating_regularization,
		some->problem.interest_regularization, some->problem.interest_prior, some->problem.rating_prior,
	some->problem.bias_prior, some->factors.rating, some->factors.interest, some->factors.item_bias};

	for (size_t k = 0; k < sizeof(arrays) / sizeof(arrays[0]); k++)
		free((void *) arrays[k]);
	free(some->by_item.start);
	free(some->by_item.column);
	free(some->by_item.rating);
	free(some->by_item.weight);
}

/* Some items solved apart, as an update folds them in, with the users' Gram matrix given, are as a half-sweep has them. */
static void
test_some_items(const SampleOptions *o)
{
	MfParallel	parallel = {2, NULL};
	Sample		s = sample_new(o);
	Sample		some = s;
	int			ld = mf_padded(o->factors);
	int			shared = sample_shared(&s.problem);
	double	   *gram = calloc((size_t) (shared * shared), sizeof(double));
	void	   *gram_space = aligned_alloc(64, (mf_gram_sums_size(shared) + 63) & ~(size_t) 63);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	MfError		error;

	sample_sweep(als, &s, MF_USERS, true, 0, NULL);
	pick_items(&s, &some);
	sample_sweep(als, &s, MF_ITEMS, true, 0, NULL);
	free(space);
	mf_gram_sums(&parallel, s.factors.user, ld, NULL, o->nusers, shared, NULL, gram, gram_space);
	als = sample_als(&some, &parallel, &space);
	error = mf_als_begin(als, MF_ITEMS, true, o->interest ? gram : NULL);
	if (error == MF_OK)
		error = mf_als_rows(als, &some.items);
	if (error == MF_OK)
		error = mf_als_end(als, NULL);
	ok(error == MF_OK && same_third(s.factors.rating, some.factors.rating, o->nitems, ld) &&
	   same_third(s.factors.interest, some.factors.interest, o->nitems, ld) &&
	   same_third(s.factors.item_bias, some.factors.item_bias, o->nitems, 1),
	   "%s, d = %d: some items apart are as in a half-sweep", preset_name(o), o->factors);
	free_picked(&some);
	free(space);
	free(gram);
	free(gram_space);
	sample_free(&s);
}

static bool cancel;

static bool
is_cancelled(void)
{
	return cancel;
}

/* Users without cells become the mean user; what is not finite and a flag are reported. */
static void
test_edges(void)
{
	SampleOptions o = {40, 30, 6, true, true, false, 200, 0, false, 0, false, false, false, false};
	MfParallel	parallel = {2, is_cancelled};
	Sample		s = sample_new(&o);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	bool		mean = true;

	sample_sweep(als, &s, MF_USERS, true, 0, NULL);
	for (int k = 0; k < mf_padded(o.factors); k++)
		mean = mean && s.factors.user[(o.nusers - 1) * mf_padded(o.factors) + k] == s.problem.user_mean[k];
	ok(mean && s.factors.user_bias[o.nusers - 1] == 0.0f, "a user without cells is the mean user");
	cancel = true;
	ok(sample_sweep(als, &s, MF_ITEMS, true, 0, NULL) == MF_CANCELLED,
	   "a cancelled half-sweep says so");
	cancel = false;
	s.factors.interest[0] = INFINITY;
	ok(sample_sweep(als, &s, MF_USERS, true, 0, NULL) != MF_OK, "infinite factors: an error");
	free(space);
	sample_free(&s);
}

/*
 * One preset (3 to 5: weighted) at one instruction set level: all sizes at the best one, else every second of those up to 96
 * factors, and 130 with all there is.
 */
static void
test_preset(int preset, bool best)
{
	static const int sizes[] = {1, 7, 16, 33, 64};
	static const int large_sizes[] = {130, 256};
	bool		rating = preset % 3 != 0;
	bool		interest = preset % 3 != 1;
	bool		weighted = preset >= 3;

	for (int i = best ? 0 : preset % 2; i < 5; i += best ? 1 : 2)
	{
		SampleOptions small = {40, 30, sizes[i], rating, interest, weighted, 300, 2, false, 0, false, false, false, false};
		SampleOptions wide = {300, 180, sizes[i], rating, interest, weighted, 100, 3, false, 0, false, false, false, false};

		test_optimum(&small, true);
		test_descent(&small, true);
		test_optimum(&wide, true);
		test_fold(&wide);
		if (i % 2 == 0)
			test_same_bits(&wide, true);
		if (weighted || !mf_isa_has_vnni())
			continue;
		wide.int16 = true;
		test_optimum(&wide, false);
		test_descent(&wide, false);
		test_same_bits(&wide, false);
	}
	for (int i = 0; i < (best ? 2 : preset == 5); i++)
	{
		SampleOptions wide = {150, 200, large_sizes[i], rating, interest, weighted, 150, 3, false, 0, false, false, false, false};

		test_optimum(&wide, true);
		test_optimum(&wide, false);
		test_descent(&wide, true);
		test_descent(&wide, false);
		test_same_bits(&wide, preset % 2 == 0);
		test_fold(&wide);
		wide.int16 = mf_isa_has_vnni();
		test_optimum(&wide, false);
		test_descent(&wide, false);
		test_same_bits(&wide, false);
	}
}

/* Items that are drawn to priors, in one preset and of one size, in all forms that their systems have. */
static void
test_priors(int preset, int d)
{
	bool		weighted = preset >= 3;
	bool		large = d > 96;
	SampleOptions small = {40, 30, d, preset % 3 != 0, preset % 3 != 1, weighted, 300, 2, false, 0, true, weighted, false, false};
	SampleOptions wide = small;

	wide.nusers = large ? 150 : 300;
	wide.nitems = large ? 200 : 180;
	wide.density = large ? 150 : 100;
	wide.int16 = (large || !weighted) && mf_isa_has_vnni();
	for (int exact = 0; exact < 2; exact++)
	{
		test_items(&small, exact, 1.0f);
		test_items(&wide, exact, 1.0f);
		test_items(&wide, exact, 30.0f);
		test_held(&small, exact);
		test_held(&wide, exact);
		test_zero_priors(&wide, exact);
		test_descent(&wide, exact);
		if (small.interest)
		{
			test_user_points(&small, exact);
			test_user_points(&wide, exact);
		}
	}
	test_fold(&small);
	test_fold(&wide);
	test_some_items(&small);
	test_some_items(&wide);
	test_same_bits(&wide, preset % 2);
	test_optimum(&wide, true);
	test_items(&small, true, 1e-8f);
	test_items(&wide, true, 1e-8f);
}

/* Interest with dislikes, of one size: users and items, in all forms that their systems have. */
static void
test_dislikes(int d, bool fades)
{
	bool		large = d > 96;
	SampleOptions small = {40, 30, d, false, true, true, 300, 2, false, 0, true, fades, false, true};
	SampleOptions wide = {large ? 150 : 300, large ? 200 : 180, d, false, true, true, large ? 150 : 100, 3, false, 0, false,
	fades, false, true};

	for (int exact = 0; exact < 2; exact++)
	{
		test_optimum(&small, exact || !large);
		test_optimum(&wide, exact || !large);
		test_items(&small, exact, 1.0f);
		test_items(&wide, exact, 1.0f);
		test_descent(&wide, exact);
		test_same_bits(&wide, exact);
	}
	test_fold(&small);
	test_fold(&wide);
	test_some_items(&wide);
}

/* To a user who only dislikes there is nothing but where they are drawn to, less what they dislike. */
static void
test_nothing_liked(void)
{
	SampleOptions o = {40, 30, 8, false, true, true, 300, 0, false, 0, false, false, false, true};
	MfParallel	parallel = {1, NULL};
	Sample		s = sample_new(&o);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	double		loss;

	for (int64_t c = 0; c < s.users.start[o.nusers]; c++)
		s.by_user.weight[c] = -1.0f;
	s.problem.user_pull = NULL;
	s.problem.user_mean = NULL;
	ok(sample_sweep(als, &s, MF_USERS, true, 0, &loss) == MF_OK && sample_dot(s.factors.user, s.factors.user, (int) o.nusers * 16) == 0.0,
	   "users who like nothing, and are not drawn to a mean, become 0");
	is_close(loss, sample_objective(&s, NULL), 1e-6, "which is the objective");
	free(space);
	sample_free(&s);
}

int
main(void)
{
	static const int sizes[] = {1, 8, 16, 64, 96, 100, 128};
	MfIsa		best = mf_isa();

	for (int level = 0; level <= (int) best; level++)
	{
		printf("# instruction set level %d\n", level);
		mf_isa_limit((MfIsa) level);
		for (int preset = 0; preset < 6; preset++)
		{
			int			every = level == (int) best ? 1 : thorough() ? 3 : 7;

			if (level == (int) best || thorough() || preset % 3 == (preset > 2 ? 2 : level % 3))
				test_preset(preset, level == (int) best);
			for (int k = 0; k < 7; k++)
				if ((k + preset) % every == level % every)
					test_priors(preset, sizes[k]);
		}
	}
	for (int k = 0; k < 3; k++)
		test_turns(11 + 24 * k);
	test_turns(96);
	for (int k = 0; k < 7; k++)
		for (int fades = 0; fades < 2; fades++)
			test_dislikes(sizes[k], fades);
	test_nothing_liked();
	test_weights();
	test_edges();
	return done();
}

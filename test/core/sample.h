/*
 * sample.h - small problems for the solver's tests, and the objective over all cells in double.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/als/als.h"
#include "core/als/term.h"
#include "core/base/rng.h"

typedef struct Sample
{
	MfProblem	problem;
	MfFactors	factors;
	MfRows		users;			/* views of the matrices below */
	MfRows		items;
	MfMatrix	by_user;
	MfMatrix	by_item;
	float	   *regularization; /* nusers + 2 nitems */
	float	   *unobserved;
	float	   *pull;
	float	   *rating_regularization;	/* of users */
	float	   *mean;
	float	   *prior[MF_TERMS];	/* nitems x ld: of s_i and q_i */
	float	   *bias_prior;		/* nitems */
	float	   *user_prior;		/* nusers x ld */
} Sample;

typedef struct SampleOptions
{
	int64_t		nusers;
	int64_t		nitems;
	int			factors;
	bool		rating;
	bool		interest;
	bool		weighted;		/* cells weigh 0.5 .. 2, unobserved[i] differs from 1 */
	int			density;		/* cells per 1000; the last user and item have none */
	int			long_rows;		/* so many users and items have nearly all cells */
	bool		int16;			/* half-sweeps that need not be exact may round the fixed side */
	int			shared;			/* dimensions of both parts; 0: all */
	bool		prior;			/* items are drawn to points other than 0, users to points other than their mean */
	bool		fades;			/* cells fade, some of them to what they were: weighted ones */
	bool		rests;			/* in half-sweeps that need not be exact something may rest; with int16 too */
	bool		dislikes;		/* a third of the cells are: weighted ones of interest alone */
} SampleOptions;

/* What of a cell's weight in the interest part is against 1 rather than 0: all, none, as of dislikes, or what has not faded. */
static double
sample_right(const MfProblem *p, double c0, double w, bool seen)
{
	if (seen && w < 0.0)
		return 0.0;
	return seen ? c0 * (p->fade > 0.0f ? fmin(p->fade * w, 1.0) : 1.0) + p->alpha * w : 0.0;
}

/* The weight of a rating of a cell of weight w. */
static double
sample_rating_weight(const MfProblem *p, double w)
{
	return pow(w, pow(0.5, p->rating_roots));
}

static void *
sample_floats(size_t n)
{
	void	   *x = aligned_alloc(64, (n * sizeof(float) + 127) & ~(size_t) 63);

	memset(x, 0, n * sizeof(float));
	return x;
}

static float
sample_uniform(uint64_t seed, int64_t k)
{
	return (float) mf_random_uniform(seed, (uint64_t) k);
}

/* Fills triplets (room for nusers x nitems); returns how many. */
static int64_t
sample_cells(const SampleOptions *o, int32_t *user, int32_t *item, float *rating, float *weight)
{
	int64_t		n = 0;

	for (int64_t u = 0; u + 1 < o->nusers; u++)
		for (int64_t i = 0; i + 1 < o->nitems; i++)
		{
			int64_t		k = u * o->nitems + i;
			bool		heavy = u < o->long_rows || i < o->long_rows;

			if (sample_uniform(11, k) * 1000 >= (float) (heavy ? 950 : o->density))
				continue;
			user[n] = (int32_t) u;
			item[n] = (int32_t) i;
			rating[n] = sample_uniform(12, k) * 2 - 1 + 0.3f * sample_uniform(13, u);
			weight[n] = 0.5f + 1.5f * sample_uniform(14, k);
			if (o->dislikes && sample_uniform(15, k) < 0.33f)
				weight[n] = -weight[n];
			n++;
		}
	return n;
}

static void
sample_matrix(MfMatrix *m, int64_t nrows, int64_t n, bool rating, bool weight)
{
	m->nrows = nrows;
	m->start = calloc((size_t) nrows + 1, sizeof(int64_t));
	m->column = sample_floats((size_t) n);
	m->rating = rating ? sample_floats((size_t) n) : NULL;
	m->weight = weight ? sample_floats((size_t) n) : NULL;
}

/* The cells in both orientations. */
static void
sample_rows(Sample *s, const SampleOptions *o)
{
	MfParallel	parallel = {1, NULL};
	bool		some = o->density > 0 || o->long_rows > 0;
	size_t		most = some ? (size_t) (o->nusers * o->nitems) : 0;
	int32_t    *user = sample_floats(most);
	int32_t    *item = sample_floats(most);
	float	   *rating = sample_floats(most);
	float	   *weight = sample_floats(most);
	int64_t		n = some ? sample_cells(o, user, item, rating, weight) : 0;
	MfTriplets	triplets = {n, user, item, rating, weight};
	void	   *space = malloc(mf_csr_workspace(&parallel, n, o->nusers + o->nitems));

	sample_matrix(&s->by_user, o->nusers, n, o->rating, o->weighted);
	sample_matrix(&s->by_item, o->nitems, n, o->rating, o->weighted);
	mf_csr_build(&parallel, &triplets, MF_DUPLICATES_MEAN, &s->by_user, &s->by_item, space, NULL);
	s->users = mf_matrix_rows(&s->by_user);
	mf_csr_transpose(&parallel, &s->users, &s->by_item, user, space);
	s->items = mf_matrix_rows(&s->by_item);
	free(user);
	free(item);
	free(rating);
	free(weight);
	free(space);
}

/* Dimensions that both parts share. */
static int
sample_shared(const MfProblem *p)
{
	return p->shared > 0 && p->has_rating && p->has_interest ? p->shared : p->factors;
}

/* Random starting factors of items (and users: an iterative solver starts from them). */
static void
sample_start(Sample *s, uint64_t seed)
{
	MfProblem  *p = &s->problem;
	MfFactors  *f = &s->factors;

	mf_random_factors(f->user, p->nusers, p->factors, seed);
	if (p->has_rating)
	{
		mf_random_factors(f->rating, p->nitems, p->factors, seed + 1);
		memset(f->user_bias, 0, (size_t) p->nusers * sizeof(float));
		for (int64_t i = 0; i < p->nitems; i++)
			f->item_bias[i] = 0.1f * mf_random_normal(seed + 3, (uint64_t) i);
	}
	if (p->has_interest)
		mf_random_factors(f->interest, p->nitems, p->factors, seed + 2);
	for (int64_t i = 0; p->has_interest && i < p->nitems; i++)
		for (int k = sample_shared(p); k < p->factors; k++)
			f->interest[i * mf_padded(p->factors) + k] = 0.0f;
}

/* Priors of items, about as large as their vectors become. */
static void
sample_priors(Sample *s, const SampleOptions *o)
{
	MfProblem  *p = &s->problem;
	int			ld = mf_padded(o->factors);

	for (int part = 0; part < MF_TERMS; part++)
	{
		s->prior[part] = sample_floats((size_t) (o->nitems * ld));
		mf_random_factors(s->prior[part], o->nitems, o->factors, 25 + (uint64_t) part);
		for (int64_t k = 0; k < o->nitems * ld; k++)
			s->prior[part][k] *= part == MF_INTEREST && k % ld >= sample_shared(p) ? 0.0f : 3.0f;
	}
	s->bias_prior = sample_floats((size_t) o->nitems);
	for (int64_t i = 0; i < o->nitems; i++)
		s->bias_prior[i] = sample_uniform(27, i) - 0.4f;
	p->interest_prior = o->interest ? s->prior[MF_INTEREST] : NULL;
	p->rating_prior = o->rating ? s->prior[MF_RATING] : NULL;
	p->bias_prior = o->rating ? s->bias_prior : NULL;
	s->user_prior = sample_floats((size_t) (o->nusers * ld));
	mf_random_factors(s->user_prior, o->nusers, o->factors, 28);
	for (int64_t k = 0; k < o->nusers * ld; k++)
		s->user_prior[k] *= k % ld >= sample_shared(p) ? 0.0f : 3.0f;
	p->user_prior = o->interest ? s->user_prior : NULL;
}

/* The point that a user is drawn to. */
static const float *
sample_point(const MfProblem *p, int64_t u)
{
	return p->user_prior != NULL ? p->user_prior + u * mf_padded(p->factors) : p->user_mean;
}

static Sample
sample_new(const SampleOptions *o)
{
	Sample		s;
	size_t		ld = (size_t) mf_padded(o->factors);
	float	   *r = sample_floats((size_t) (o->nusers + 2 * o->nitems));
	MfProblem	p = {o->nusers, o->nitems, o->factors, o->rating, o->interest, 1.0f, 8.0f, NULL, r,
	r + o->nusers, r + o->nusers + o->nitems, 2.0f, 1.5f, NULL, NULL, o->int16, false, o->int16 || o->rests, o->shared, NULL,
	NULL, NULL, NULL, NULL, o->fades ? 0.8f : 0.0f, o->fades ? 3 : 0, o->weighted};

	memset(&s, 0, sizeof(s));
	if (o->rating)
		p.interest_weight = 0.3f;
	s.regularization = r;
	s.unobserved = sample_floats((size_t) o->nitems);
	for (int64_t k = 0; k < o->nusers + 2 * o->nitems; k++)
		r[k] = 1.0f + 3.0f * sample_uniform(21, k);
	for (int64_t i = 0; i < o->nitems; i++)
		s.unobserved[i] = 0.5f + sample_uniform(22, i);
	if (o->weighted)
		p.unobserved = s.unobserved;
	s.mean = sample_floats(ld);
	s.pull = sample_floats((size_t) o->nusers);
	for (int64_t u = 0; u < o->nusers && o->interest; u++)
		s.pull[u] = r[u] * (o->shared > 0 ? 0.7f : 1.0f) * sample_uniform(23, u);
	if (o->interest)
		mf_random_factors(s.mean, 1, o->factors, 24);
	for (int k = sample_shared(&p); k < p.factors; k++)
		s.mean[k] = 0.0f;
	p.user_mean = s.mean;
	p.user_pull = s.pull;
	s.rating_regularization = sample_floats((size_t) o->nusers);
	for (int64_t u = 0; u < o->nusers; u++)
		s.rating_regularization[u] = r[u] - s.pull[u];
	p.user_rating_regularization = s.rating_regularization;
	s.problem = p;
	if (o->prior)
		sample_priors(&s, o);
	s.factors.user = sample_floats((size_t) o->nusers * ld);
	if (o->rating)
	{
		s.factors.rating = sample_floats((size_t) o->nitems * ld);
		s.factors.user_bias = sample_floats((size_t) o->nusers);
		s.factors.item_bias = sample_floats((size_t) o->nitems);
	}
	if (o->interest)
		s.factors.interest = sample_floats((size_t) o->nitems * ld);
	sample_rows(&s, o);
	sample_start(&s, 5);
	return s;
}

/* Frees the matrices alone. */
static void
sample_free_rows(Sample *s)
{
	MfMatrix   *matrices[] = {&s->by_user, &s->by_item};

	for (int m = 0; m < 2; m++)
	{
		free(matrices[m]->start);
		free(matrices[m]->column);
		free(matrices[m]->rating);
		free(matrices[m]->weight);
	}
}

static void
sample_free(Sample *s)
{
	sample_free_rows(s);
	free(s->regularization);
	free(s->unobserved);
	free(s->pull);
	free(s->rating_regularization);
	free(s->mean);
	for (int part = 0; part < MF_TERMS; part++)
		free(s->prior[part]);
	free(s->bias_prior);
	free(s->user_prior);
	free(s->factors.user);
	free(s->factors.rating);
	free(s->factors.interest);
	free(s->factors.user_bias);
	free(s->factors.item_bias);
}

static double
sample_dot(const float *x, const float *y, int d)
{
	double		sum = 0.0;

	for (int k = 0; k < d; k++)
		sum += (double) x[k] * y[k];
	return sum;
}

/* The square of the distance of two vectors; y NULL: from 0. */
static double
sample_distance(const float *x, const float *y, int d)
{
	double		sum = 0.0;

	for (int k = 0; k < d; k++)
		sum += pow((double) x[k] - (y != NULL ? y[k] : 0.0f), 2.0);
	return sum;
}

/* Row i of an array of rows of so many floats, or NULL where there is none. */
static const float *
sample_row(const float *rows, int64_t i, int ld)
{
	return rows != NULL ? rows + i * ld : NULL;
}

/* The regularization terms of the objective. */
static double
sample_penalty(const Sample *s)
{
	const MfProblem *p = &s->problem;
	const MfFactors *f = &s->factors;
	int			d = p->factors;
	int			ld = mf_padded(d);
	int			shared = sample_shared(p);
	double		sum = 0.0;

	for (int64_t u = 0; u < p->nusers; u++)
	{
		sum += p->user_regularization[u] * sample_dot(f->user + u * ld, f->user + u * ld, shared) +
			p->user_rating_regularization[u] * sample_dot(f->user + u * ld + shared, f->user + u * ld + shared, d - shared);
		if (p->user_pull != NULL)
			sum += p->user_pull[u] * (sample_dot(sample_point(p, u), sample_point(p, u), d) -
									  2.0 * sample_dot(sample_point(p, u), f->user + u * ld, d));
		if (p->has_rating)
			sum += p->user_bias_regularization * (double) f->user_bias[u] * f->user_bias[u];
	}
	for (int64_t i = 0; i < p->nitems; i++)
	{
		if (p->has_interest)
			sum += p->interest_weight * p->interest_regularization[i] *
				sample_distance(f->interest + i * ld, sample_row(p->interest_prior, i, ld), d);
		if (p->has_rating)
			sum += p->rating_regularization[i] *
				sample_distance(f->rating + i * ld, sample_row(p->rating_prior, i, ld), d) +
				p->item_bias_regularization *
				sample_distance(f->item_bias + i, sample_row(p->bias_prior, i, 1), 1);
	}
	return sum;
}

/*
 * The objective over all nusers x nitems cells, in double.  gradient (nusers x (ld + 1), or NULL):
 * its derivative by p_u and, at place ld, by b_u.
 */
__attribute__((unused)) static double
sample_objective(const Sample *s, double *gradient)
{
	const MfProblem *p = &s->problem;
	const MfFactors *f = &s->factors;
	int			d = p->factors;
	int			ld = mf_padded(d);
	double		sum = sample_penalty(s);

	for (int64_t u = 0; u < p->nusers; u++)
	{
		const float *pu = f->user + u * ld;
		double	   *g = gradient != NULL ? gradient + u * (ld + 1) : NULL;
		int64_t		c = s->users.start[u];

		for (int k = 0; g != NULL && k < d; k++)
			g[k] = 2.0 * (k >= sample_shared(p) ? p->user_rating_regularization[u] * pu[k] :
						  p->user_regularization[u] * pu[k] -
						  (p->user_pull != NULL ? p->user_pull[u] * sample_point(p, u)[k] : 0.0));
		if (g != NULL)
			g[ld] = p->has_rating ? 2.0 * p->user_bias_regularization * f->user_bias[u] : 0.0;
		for (int64_t i = 0; i < p->nitems; i++)
		{
			bool		seen = c < s->users.start[u + 1] && s->users.column[c] == i;
			double		w = s->users.weight != NULL && seen ? s->users.weight[c] : 1.0;

			if (p->has_interest)
			{
				double		c0 = p->unobserved != NULL ? p->unobserved[i] : 1.0;
				double		weight = p->interest_weight * (seen ? c0 + p->alpha * fabs(w) : c0);
				double		right = p->interest_weight * sample_right(p, c0, w, seen);
				double		x = sample_dot(pu, f->interest + i * ld, d);

				sum += right * (1.0 - x) * (1.0 - x) + (weight - right) * x * x;
				for (int k = 0; g != NULL && k < d; k++)
					g[k] -= 2.0 * (right - weight * x) * f->interest[i * ld + k];
			}
			if (p->has_rating && seen)
			{
				double		e = s->users.rating[c] - f->user_bias[u] - f->item_bias[i] -
					sample_dot(pu, f->rating + i * ld, d);

				w = sample_rating_weight(p, w);
				sum += w * e * e;
				for (int k = 0; g != NULL && k < d; k++)
					g[k] -= 2.0 * w * e * f->rating[i * ld + k];
				if (g != NULL)
					g[ld] -= 2.0 * w * e;
			}
			c += seen;
		}
		/* a user without cells is where they are drawn rather than the optimum */
		if (g != NULL && p->user_pull != NULL && s->users.start[u] == s->users.start[u + 1])
			memset(g, 0, (size_t) (ld + 1) * sizeof(double));
	}
	return sum;
}

/* Adds the derivative by a vector x of regularization * |x - prior|^2. */
static void
sample_hold(double *gradient, float regularization, const float *x, const float *prior, int d)
{
	for (int k = 0; k < d; k++)
		gradient[k] += 2.0 * regularization * ((double) x[k] - (prior != NULL ? prior[k] : 0.0f));
}

/* Adds factor times x. */
static void
sample_add(double *gradient, double factor, const float *x, int d)
{
	for (int k = 0; k < d; k++)
		gradient[k] += factor * x[k];
}

/*
 * The derivative of the objective by item i's s_i, q_i and b_i (ld, ld and one number), those of interest without the
 * interest's weight, and 0 of an item without cells, which is its prior rather than the optimum.
 */
__attribute__((unused)) static void
sample_item_gradient(const Sample *s, int64_t i, double *gradient)
{
	const MfProblem *p = &s->problem;
	const MfFactors *f = &s->factors;
	int			d = p->factors;
	int			ld = mf_padded(d);
	int64_t		c = s->items.start[i];

	memset(gradient, 0, (size_t) (2 * ld + 1) * sizeof(double));
	if (c == s->items.start[i + 1])
		return;
	if (p->has_interest)
		sample_hold(gradient, p->interest_regularization[i], f->interest + i * ld,
					sample_row(p->interest_prior, i, ld), sample_shared(p));
	if (p->has_rating)
	{
		sample_hold(gradient + ld, p->rating_regularization[i], f->rating + i * ld,
					sample_row(p->rating_prior, i, ld), d);
		sample_hold(gradient + 2 * ld, p->item_bias_regularization, f->item_bias + i,
					sample_row(p->bias_prior, i, 1), 1);
	}
	for (int64_t u = 0; u < p->nusers; u++)
	{
		const float *pu = f->user + u * ld;
		bool		seen = c < s->items.start[i + 1] && s->items.column[c] == u;
		double		w = s->items.weight != NULL && seen ? s->items.weight[c] : 1.0;
		double		c0 = p->unobserved != NULL ? p->unobserved[i] : 1.0;

		if (p->has_interest)
			sample_add(gradient, -2.0 * (sample_right(p, c0, w, seen) - (seen ? c0 + p->alpha * fabs(w) : c0) *
										 sample_dot(pu, f->interest + i * ld, d)), pu, sample_shared(p));
		if (p->has_rating && seen)
		{
			double		e = s->items.rating[c] - f->user_bias[u] - f->item_bias[i] -
				sample_dot(pu, f->rating + i * ld, d);

			w = sample_rating_weight(p, w);
			sample_add(gradient + ld, -2.0 * w * e, pu, d);
			gradient[2 * ld] -= 2.0 * w * e;
		}
		c += seen;
	}
}

/* A solver for the sample, in space that begins as no numbers at all, to be freed with *space. */
static MfAls *
sample_als(const Sample *s, const MfParallel *parallel, void **space)
{
	*space = malloc(mf_als_size(&s->problem, parallel));
	memset(*space, 0xff, mf_als_size(&s->problem, parallel));
	return mf_als_init(*space, &s->problem, &s->factors, parallel);
}

/* One half-sweep over all rows, in parts of so many rows (0: all at once), with that Gram matrix (NULL: made). */
static MfError
sample_sweep_given(MfAls *als, const Sample *s, MfSide side, bool exact, int64_t part, const double *gram, double *loss)
{
	const MfRows *all = side == MF_USERS ? &s->users : &s->items;
	MfError		error = mf_als_begin(als, side, exact, gram);

	if (part == 0)
		part = all->nrows;
	for (int64_t first = 0; first < all->nrows && error == MF_OK; first += part)
	{
		MfRows		rows = *all;

		rows.first = first;
		rows.nrows = first + part < all->nrows ? part : all->nrows - first;
		rows.start = all->start + first;
		error = mf_als_rows(als, &rows);
	}
	return error != MF_OK ? error : mf_als_end(als, loss);
}

/* The same with the Gram matrix made on the way. */
static MfError
sample_sweep(MfAls *als, const Sample *s, MfSide side, bool exact, int64_t part, double *loss)
{
	return sample_sweep_given(als, s, side, exact, part, NULL, loss);
}

#endif

/*
 * sparse.h - small problems of every kind that training must solve: few cells, many factors, weights and
 * constants from end to end, ratings that leave nothing to explain; and what must hold for all of them.
 *
 * Whoever draws the numbers decides: a test by chance, a fuzzer by what is new.
 */
#ifndef SPARSE_H
#define SPARSE_H

#include <math.h>
#include <stdio.h>

#include "core/linalg/gram.h"
#include "core/predict/explain.h"
#include "core/simd/isa.h"
#include "sample.h"

#define SPARSE_MOST_ROWS 24

/* Where numbers of 0 .. limit - 1 come from. */
typedef struct Draws
{
	uint32_t	(*below) (void *state, uint32_t limit);
	void	   *state;
} Draws;

/* A problem, and what is expected of it. */
typedef struct Sparse
{
	Sample		sample;
	SampleOptions options;
	int			level;			/* instruction set */
	int			rating_kind;
	int			weight_kind;
	int			constant_kind;	/* of regularization */
	int			start_kind;
	float	   *contribution_space;
	double		scale;			/* the objective where all vectors are 0, about, or the largest so far */
	bool		tame;			/* numbers are such that stored users must equal folded ones */
} Sparse;

static uint32_t
draw(const Draws *draws, uint32_t limit)
{
	return draws->below(draws->state, limit);
}

/* 10 ^ -power .. 10 ^ power, evenly by exponent. */
static float
draw_power(const Draws *draws, int power)
{
	return powf(10.0f, ((float) draw(draws, 65536) / 32768.0f - 1.0f) * (float) power);
}

static float
draw_unit(const Draws *draws)
{
	return (float) draw(draws, 65536) / 65536.0f;
}

static int
draw_factors(const Draws *draws, int most)
{
	uint32_t	kind = draw(draws, 100);
	int			d = kind < 80 ? 1 + (int) draw(draws, 40) : kind < 98 ? 41 + (int) draw(draws, 100) :
		141 + (int) draw(draws, 860);

	return d < most ? d : most;
}

/* A rating of the kinds: 0 constant, 1 all 0, 2 usual, 3 denormal, 4 of vast scale, 5 whole numbers. */
static float
draw_rating(const Draws *draws, int kind)
{
	switch (kind)
	{
		case 0:
			return 0.7f;
		case 1:
			return 0.0f;
		case 2:
			return draw_unit(draws) * 4 - 2;
		case 3:
			return 1e-42f * (float) draw(draws, 100);
		case 4:
			return 1e6f * (draw_unit(draws) - 0.5f);
		default:
			return (float) draw(draws, 5) - 2;
	}
}

/* A weight of the kinds: 0 usual, 1 from end to end, then of mean 1, 2 all tiny, 3 all huge, 4 mostly 0, 5 denormal. */
static float
draw_weight(const Draws *draws, int kind)
{
	switch (kind)
	{
		case 0:
			return 0.2f + 2 * draw_unit(draws);
		case 1:
			return draw_power(draws, 30);
		case 2:
			return 1e-30f;
		case 3:
			return 1e30f;
		case 4:
			return draw(draws, 3) == 0 ? 1.0f : 0.0f;
		default:
			return 1e-43f * (float) draw(draws, 100);
	}
}

/* Item i's rating by user u where ratings are planted: of rank 2 with biases, exactly explained. */
static float
planted_rating(int64_t u, int64_t i)
{
	return 0.5f * (float) (u % 3) - 0.25f * (float) (i % 4) + (float) ((u % 2) * (i % 2));
}

/* Divides weights by their mean, as training does. */
static void
sparse_normalise(float *weight, int64_t n)
{
	double		sum = 0.0;

	for (int64_t c = 0; c < n; c++)
		sum += weight[c];
	for (int64_t c = 0; c < n; c++)
		weight[c] = (float) (weight[c] / (sum / (double) n));
}

/* What a cell adds to the objective where vectors are 0, and biases what they start as at most. */
static double
sparse_constant(const Sparse *p, float rating, float weight)
{
	const MfProblem *problem = &p->sample.problem;
	double		w = p->options.weighted ? weight : 1.0;

	return (p->options.interest ? problem->interest_weight * (1 + problem->alpha * w) : 0.0) +
		(p->options.rating ? w * pow(fabs(rating) + 0.3, 2.0) : 0.0);
}

/* Cells by chance, some users and items without any; some columns are others' twins. */
static void
sparse_cells(Sparse *p, const Draws *draws)
{
	const SampleOptions *o = &p->options;
	Sample	   *s = &p->sample;
	MfParallel	parallel = {1, NULL};
	size_t		most = (size_t) (o->nusers * o->nitems);
	int32_t    *user = sample_floats(most);
	int32_t    *item = sample_floats(most);
	float	   *rating = sample_floats(most);
	float	   *weight = sample_floats(most);
	uint32_t	density = 1 + draw(draws, 100);
	int64_t		n = 0;
	MfTriplets	triplets = {0, user, item, rating, weight};
	void	   *space;

	for (int64_t u = 0; u < o->nusers; u++)
		for (int64_t i = 0; i < o->nitems; i++)
		{
			if (draw(draws, 100) >= density)
				continue;
			user[n] = (int32_t) u;
			item[n] = (int32_t) i;
			rating[n] = p->rating_kind == 6 ? planted_rating(u, i) : draw_rating(draws, p->rating_kind);
			weight[n++] = draw_weight(draws, p->weight_kind);
		}
	triplets.n = n;
	if (p->weight_kind == 1)
		sparse_normalise(weight, n);
	for (int64_t c = 0; c < n; c++)
		p->scale += sparse_constant(p, rating[c], weight[c]);
	sample_free_rows(s);
	sample_matrix(&s->by_user, o->nusers, n, o->rating, o->weighted);
	sample_matrix(&s->by_item, o->nitems, n, o->rating, o->weighted);
	space = malloc(mf_csr_workspace(&parallel, n, o->nusers + o->nitems));
	mf_csr_build(&parallel, &triplets, MF_DUPLICATES_MEAN, &s->by_user, &s->by_item, space, NULL);
	s->users = mf_matrix_rows(&s->by_user);
	mf_csr_transpose(&parallel, &s->users, &s->by_item, user, space);
	s->items = mf_matrix_rows(&s->by_item);
	free(space);
	free(user);
	free(item);
	free(rating);
	free(weight);
}

/* What an item adds to the objective where its vectors and bias are 0 rather than its priors. */
static double
sparse_prior(const Sample *s, int64_t i)
{
	const MfProblem *p = &s->problem;
	int			d = p->factors;
	int			ld = mf_padded(d);
	double		sum = 0.0;

	if (p->has_interest)
		sum += p->interest_weight * p->interest_regularization[i] *
			sample_dot(p->interest_prior + i * ld, p->interest_prior + i * ld, d);
	if (p->has_rating)
		sum += p->rating_regularization[i] * sample_dot(p->rating_prior + i * ld, p->rating_prior + i * ld, d) +
			p->item_bias_regularization * (double) p->bias_prior[i] * p->bias_prior[i];
	return sum;
}

/* Regularization of the kinds: 0 usual, 1 none, 2 next to none, 3 vast, 4 from end to end. */
static float
draw_regularization(const Draws *draws, int kind)
{
	static const float of_kind[] = {0.0f, 0.0f, 1e-20f, 1e9f};

	return kind == 0 ? 1 + 5 * draw_unit(draws) : kind == 4 ? draw_power(draws, 20) : of_kind[kind];
}

static void
sparse_constants(Sparse *p, const Draws *draws)
{
	static const float alphas[] = {0.0f, 1e-6f, 1.0f, 40.0f, 1e4f, 1e9f};
	static const float interests[] = {1e-9f, 1e-3f, 0.5f, 1.0f, 1e3f, 1e9f};
	Sample	   *s = &p->sample;
	MfProblem  *problem = &s->problem;
	int64_t		n = problem->nusers + 2 * problem->nitems;
	bool		vast = p->options.weighted && p->weight_kind == 3;
	bool		usual = draw(draws, 2) == 0;

	problem->alpha = vast || usual ? 1.0f : alphas[draw(draws, 6)];
	problem->interest_weight = !p->options.rating || vast || usual ? 1.0f : interests[draw(draws, 6)];
	problem->unobserved = NULL;
	for (int64_t k = 0; k < n; k++)
		s->regularization[k] = draw_regularization(draws, p->constant_kind);
	problem->user_bias_regularization = draw_regularization(draws, p->constant_kind);
	problem->item_bias_regularization = draw_regularization(draws, p->constant_kind);
	for (int64_t u = 0; s->pull != NULL && u < problem->nusers; u++)
	{
		s->pull[u] = s->regularization[u] * (float) draw(draws, 3) / 2;
		p->scale += s->pull[u] * sample_dot(sample_point(problem, u), sample_point(problem, u), problem->factors);
	}
	for (int64_t i = 0; i < problem->nitems && p->options.prior; i++)
		p->scale += sparse_prior(s, i);
	for (int64_t u = 0; u < problem->nusers; u++)
		s->rating_regularization[u] = draw_regularization(draws, p->constant_kind);
	p->tame = usual && !vast && p->constant_kind == 0 && !(p->options.weighted && p->weight_kind > 0) &&
		p->rating_kind != 4;
}

/* Where vectors start: 0 by chance, 1 at 0, 2 denormal, 3 users far off. */
static void
sparse_start(Sparse *p, const Draws *draws)
{
	MfFactors  *f = &p->sample.factors;
	int64_t		ld = mf_padded(p->options.factors);
	float		factor;

	if (p->start_kind == 2 && ((p->options.weighted && p->weight_kind == 3) ||
							   p->sample.problem.alpha * p->sample.problem.interest_weight > 1e12f))
		p->start_kind = 1;		/* weights so heavy would be all that there is of such vectors */
	factor = p->start_kind == 0 ? 1.0f : p->start_kind == 2 ? 1e-40f : 0.0f;
	sample_start(&p->sample, draw(draws, 65536));
	for (int64_t k = 0; k < p->options.nusers * ld; k++)
		f->user[k] *= p->start_kind == 3 ? 1e3f : factor;
	for (int64_t k = 0; k < p->options.nitems * ld && p->start_kind != 3; k++)
	{
		if (f->interest != NULL)
			f->interest[k] *= factor;
		if (f->rating != NULL)
			f->rating[k] *= factor;
	}
}

/* A problem; most: factors at most.  To be freed by sample_free(). */
static Sparse
sparse_new(const Draws *draws, int most)
{
	Sparse		p;
	uint32_t	parts = 1 + draw(draws, 3);

	memset(&p, 0, sizeof(p));
	p.options = (SampleOptions) {1 + draw(draws, SPARSE_MOST_ROWS), 1 + draw(draws, SPARSE_MOST_ROWS),
		draw_factors(draws, most), parts & 1, parts & 2, draw(draws, 2), 0, 0, false, 0, false, false, false, false};
	p.options.int16 = !p.options.weighted && draw(draws, 2);
	p.level = (int) draw(draws, MF_ISA_LEVELS);
	p.rating_kind = (int) draw(draws, 7);
	p.weight_kind = (int) draw(draws, 6);
	p.constant_kind = (int) draw(draws, 5);
	p.start_kind = (int) draw(draws, 4);
	if (parts == 3 && p.options.factors > 1 && draw(draws, 2))
		p.options.shared = 1 + (int) draw(draws, (uint32_t) p.options.factors - 1);
	/* beside weights so heavy, priors of next to no regularization would be all that there is of a vector */
	p.options.prior = draw(draws, 2) && !(p.options.weighted && p.weight_kind == 3);
	if (p.constant_kind == 4)
		p.options.int16 = false;	/* vectors so unlike each other are not for 13 bits */
	if (p.options.weighted && p.weight_kind == 3 && p.rating_kind == 4)
		p.rating_kind = 2;		/* their squares are no floats */
	p.sample = sample_new(&p.options);
	sparse_constants(&p, draws);
	sparse_cells(&p, draws);
	sparse_start(&p, draws);
	return p;
}

static bool
sparse_finite(const float *x, int64_t n)
{
	for (int64_t i = 0; x != NULL && i < n; i++)
		if (!isfinite(x[i]))
			return false;
	return true;
}

static bool
sparse_all_finite(const Sparse *p)
{
	const MfFactors *f = &p->sample.factors;
	int64_t		ld = mf_padded(p->options.factors);

	return sparse_finite(f->user, p->options.nusers * ld) && sparse_finite(f->rating, p->options.nitems * ld) &&
		sparse_finite(f->interest, p->options.nitems * ld) && sparse_finite(f->user_bias, p->options.nusers) &&
		sparse_finite(f->item_bias, p->options.nitems);
}

/*
 * By how much a loss may rise: what floats leave of it.  Where regularization does not hold a row, ridge.h
 * does, which is not of the objective; and beside weights of mean 1, less than 1e-17 is nothing.
 */
static double
sparse_tolerance(const Sparse *p)
{
	const MfProblem *problem = &p->sample.problem;
	bool		held = (p->constant_kind == 0 || p->constant_kind == 3) &&
		!(p->options.weighted && p->weight_kind == 3) && p->rating_kind != 4 &&
		fmaxf(problem->alpha, 1.0f) * fmaxf(problem->interest_weight, 1.0f) <= 1e4f;

	return (held ? 1e-4 : 0.02) * p->scale + 1e-17;
}

/*
 * Iterations, then users exactly: no error, all finite, and a loss that never rises, but where items without cells
 * become their priors.  NULL: all of it holds.
 */
static const char *
sparse_train(Sparse *p, bool exact)
{
	MfParallel	parallel = {1, NULL};
	void	   *space;
	MfAls	   *als = sample_als(&p->sample, &parallel, &space);
	const char *wrong = NULL;
	double		last = INFINITY;

	for (int k = 0; k < 7 && wrong == NULL; k++)
	{
		double		loss = NAN;
		MfError		error = sample_sweep(als, &p->sample, k % 2 == 0 ? MF_USERS : MF_ITEMS, exact || k == 6, 0, &loss);

		if (error != MF_OK)
			wrong = "a half-sweep fails";
		else if (!isfinite(loss) || loss < 0)
			wrong = "a loss is not finite, or negative";
		else if (!sparse_all_finite(p))
			wrong = "factors are not finite";
		else if (loss > last + sparse_tolerance(p) && !(k == 1 && p->options.prior))
			wrong = "the loss rises";
		if (getenv("SPARSE_VERBOSE") != NULL)
			printf("#   %d: loss %.9g of %.9g\n", k, loss, p->scale);
		last = loss;
		p->scale = fmax(p->scale, loss);
	}
	free(space);
	return wrong;
}

/* User u's cells as fold-in takes them. */
static MfFoldCells
sparse_user(const Sparse *p, int64_t u, const float **interest, const float **rating, float *residual)
{
	const Sample *s = &p->sample;
	int			ld = mf_padded(p->options.factors);
	int64_t		begin = s->users.start[u];
	MfFoldCells cells = {s->users.start[u + 1] - begin, p->options.interest ? interest : NULL,
		p->options.rating ? rating : NULL, residual, s->users.weight != NULL ? s->users.weight + begin : NULL,
	NULL, s->problem.user_regularization[u], s->pull != NULL ? s->pull[u] : 0.0f, s->rating_regularization[u], NULL};

	for (int64_t c = 0; c < cells.n; c++)
	{
		int64_t		i = s->users.column[begin + c];

		interest[c] = p->options.interest ? s->factors.interest + i * ld : NULL;
		rating[c] = p->options.rating ? s->factors.rating + i * ld : NULL;
		residual[c] = p->options.rating ? s->users.rating[begin + c] - s->factors.item_bias[i] : 0.0f;
	}
	return cells;
}

/* Whether user u can be folded in and explained: no error, finite, and with same = true as stored. */
static const char *
sparse_fold_user(const Sparse *p, const MfFold *fold, int64_t u, bool same, void *space, float *x)
{
	const Sample *s = &p->sample;
	int			d = p->options.factors;
	const float *interest[SPARSE_MOST_ROWS];
	const float *rating[SPARSE_MOST_ROWS];
	float		residual[SPARSE_MOST_ROWS];
	double		part[SPARSE_MOST_ROWS];
	MfFoldCells cells = sparse_user(p, u, interest, rating, residual);
	const float *vector = p->options.interest ? s->factors.interest : s->factors.rating;
	const float *stored = s->factors.user + u * mf_padded(d);
	float		bias = 0.0f;
	double		sum = 0.0;

	if (mf_fold_in(fold, &cells, x, &bias, space) != MF_OK || !sparse_finite(x, d) || !isfinite(bias))
		return "fold-in fails";
	if (mf_explain_cells(fold, &cells, vector, 0, part, space) != MF_OK)
		return "an explanation fails";
	for (int64_t c = 0; c < cells.n; c++)
		sum += part[c];
	if (!isfinite(sum))
		return "an explanation is not finite";
	/* a user without cells is the mean user, where one is drawn to them */
	for (int k = 0; k < d && same && cells.n > 0; k++)
		if (!(fabsf(x[k] - stored[k]) <= 1e-3f + 1e-3f * fabsf(stored[k])))
			return "fold-in does not give a stored user";
	if (same && cells.n > 0 && !(fabs(sum - sample_dot(vector, stored, d)) <= 1e-3 * (1 + fabs(sum))))
		return "an explanation does not add up";
	return NULL;
}

/* Folds every user in and explains their first item, also as models of other programs are. */
static const char *
sparse_fold(const Sparse *p)
{
	const Sample *s = &p->sample;
	const MfProblem *problem = &s->problem;
	int			d = p->options.factors;
	int			ld = mf_padded(d);
	MfParallel	parallel = {1, NULL};
	float	   *gram = sample_floats((size_t) d * (size_t) ld);
	MfFold		fold = {d, problem->interest_weight, problem->alpha, problem->user_bias_regularization,
	p->options.interest ? gram : NULL, problem->user_mean, false, p->options.shared,
	problem->fade, problem->rating_roots};
	void	   *space = malloc(mf_gram_size(d, &parallel) + mf_fold_size(&fold) + mf_explain_size(&fold));
	float	   *x = sample_floats((size_t) ld);
	const char *wrong = NULL;

	if (p->options.interest)
		mf_gram(&parallel, s->factors.interest, p->options.nitems, d, NULL, gram, space);
	for (int64_t u = 0; u < p->options.nusers && wrong == NULL; u++)
	{
		fold.user_mean = sample_point(problem, u);
		wrong = sparse_fold_user(p, &fold, u, p->tame, space, x);
	}
	fold.user_mean = problem->user_mean;
	fold.whole = true;
	for (int64_t u = 0; u < p->options.nusers && wrong == NULL && !p->options.rating; u++)
		wrong = sparse_fold_user(p, &fold, u, false, space, x);
	free(gram);
	free(space);
	free(x);
	return wrong;
}

/* What a problem is, for whoever repeats it. */
static void
sparse_print(const Sparse *p, bool exact, const char *wrong)
{
	const SampleOptions *o = &p->options;

	printf("# %s: %d x %d, d = %d of %d, level %d,%s%s%s%s%s%s ratings %d, weights %d, regularization %d, start %d, alpha %g, interest_weight %g\n",
		   wrong, (int) o->nusers, (int) o->nitems, o->shared, o->factors, p->level, o->rating ? " rating," : "",
		   o->interest ? " interest," : "", o->weighted ? " weighted," : "", o->int16 ? " int16," : "",
		   o->prior ? " prior," : "", exact ? " exact," : "", p->rating_kind, p->weight_kind, p->constant_kind, p->start_kind,
		   p->sample.problem.alpha, p->sample.problem.interest_weight);
}

/* Makes a problem and solves it; NULL: all of it holds, else what does not is printed. */
static const char *
sparse_check(const Draws *draws, int most)
{
	MfIsa		best = mf_isa();
	Sparse		p = sparse_new(draws, most);
	bool		exact = draw(draws, 2);
	const char *wrong;

	mf_isa_limit((MfIsa) p.level < best ? (MfIsa) p.level : best);
	wrong = sparse_train(&p, exact);
	if (wrong == NULL)
		wrong = sparse_fold(&p);
	if (wrong != NULL)
		sparse_print(&p, exact, wrong);
	mf_isa_limit(best);
	sample_free(&p.sample);
	return wrong;
}

#endif

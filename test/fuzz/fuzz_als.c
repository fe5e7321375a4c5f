/*
 * fuzz_als.c - trainings on any finite ratings, weights and regularization: finite factors, or an error;
 * with tame numbers the loss never rises.
 */
#include "bytes.h"

#include <math.h>
#include <stdbool.h>

#include "sample.h"

/* Ratings and weights of the cells, in both orientations. */
static void
take_cells(Bytes *bytes, Sample *s, bool tame)
{
	MfParallel	parallel = {1, NULL};
	int64_t		n = s->by_user.start[s->by_user.nrows];
	int32_t    *row = malloc((size_t) n * sizeof(int32_t) + 1);
	void	   *space = malloc(mf_csr_workspace(&parallel, n, s->by_user.nrows + s->by_item.nrows));

	for (int64_t c = 0; c < n && bytes->left > 0; c++)
	{
		if (s->by_user.rating != NULL)
			s->by_user.rating[c] = tame ? (float) (take_byte(bytes) % 16) / 4 : take_float(bytes);
		if (s->by_user.weight != NULL)
			s->by_user.weight[c] = tame ? (float) (take_byte(bytes) % 16) / 4 : fabsf(take_float(bytes));
	}
	require(mf_csr_transpose(&parallel, &s->users, &s->by_item, row, space) == MF_OK);
	s->items = mf_matrix_rows(&s->by_item);
	free(row);
	free(space);
}

/* What is added to the squares of vectors. */
static void
take_regularization(Bytes *bytes, Sample *s)
{
	MfProblem  *p = &s->problem;

	p->interest_weight = fabsf(take_float(bytes));
	p->alpha = fabsf(take_float(bytes));
	p->user_bias_regularization = fabsf(take_float(bytes));
	p->item_bias_regularization = fabsf(take_float(bytes));
	for (int64_t k = 0; k < p->nusers + 2 * p->nitems && bytes->left > 0; k++)
		s->regularization[k] = fabsf(take_float(bytes));
	for (int64_t i = 0; i < p->nitems && s->bias_prior != NULL && bytes->left > 0; i++)
	{
		s->bias_prior[i] = take_float(bytes);
		s->prior[MF_INTEREST][i * mf_padded(p->factors)] = take_float(bytes);
		s->prior[MF_RATING][i * mf_padded(p->factors)] = take_float(bytes);
	}
	for (int64_t u = 0; u < p->nusers && s->pull != NULL; u++)
		s->pull[u] = fminf(s->pull[u], s->regularization[u]);
}

static void
require_finite(const float *x, int64_t n)
{
	for (int64_t i = 0; x != NULL && i < n; i++)
		require(isfinite(x[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		bytes = {data, size};
	uint8_t		parts = take_byte(&bytes);
	bool		tame = parts & 1;
	SampleOptions o = {2 + take_below(&bytes, 60), 2 + take_below(&bytes, 60), 1 + (int) take_below(&bytes, 40),
		(parts & 2) || !(parts & 4), parts & 4, parts & 8, (int) take_below(&bytes, 1000), (int) take_below(&bytes, 3),
	(parts & 32) && !(parts & 8), 0, parts & 64};
	MfParallel	parallel = {1 + (parts & 1), NULL};
	Sample		s = sample_new(&o);
	int64_t		ld = mf_padded(o.factors);
	void	   *space;
	MfAls	   *als;
	double		last = INFINITY;
	MfError		error = MF_OK;

	if (!tame)
		take_regularization(&bytes, &s);
	take_cells(&bytes, &s, tame);
	als = sample_als(&s, &parallel, &space);
	for (int k = 0; k < 6 && error == MF_OK; k++)
	{
		double		loss = 0;

		error = sample_sweep(als, &s, k % 2 == 0 ? MF_USERS : MF_ITEMS, parts & 16, 0, &loss);
		if (error != MF_OK)
			break;
		require(!isnan(loss));
		/* items without cells become their priors at first */
		require(!tame || (k == 1 && o.prior) || loss <= (last + 1) * (1 + (o.int16 ? 1e-3 : 1e-5)));
		last = loss;
		require_finite(s.factors.user, o.nusers * ld);
		require_finite(s.factors.rating, o.nitems * ld);
		require_finite(s.factors.interest, o.nitems * ld);
		require_finite(s.factors.user_bias, o.nusers);
		require_finite(s.factors.item_bias, o.nitems);
	}
	require(!tame || error == MF_OK);
	free(space);
	sample_free(&s);
	return 0;
}

/*
 * test_als_sums.c - items solved from sums that three others have made over their users: as by one who has all of them.
 */
#include "tap.h"

#include "core/als/als_packed_vectors.h"
#include "core/als/als_sums.h"
#include "core/linalg/gram.h"
#include "sample.h"

#define PARTS 3

/* One who has some of the users of a sample, or none. */
typedef struct Part
{
	MfProblem	problem;
	MfFactors	factors;
	MfMatrix	cells;			/* by item, columns from the first user on */
	void	   *space;
	MfAls	   *als;
} Part;

/* The cells by item of users first .. end - 1. */
static MfMatrix
cut_cells(const Sample *s, int64_t first, int64_t end)
{
	const MfRows *all = &s->items;
	size_t		n = (size_t) all->start[all->nrows] + 1;
	MfMatrix	m = {all->nrows, calloc((size_t) all->nrows + 1, sizeof(int64_t)), calloc(n, sizeof(int32_t)), NULL, NULL};
	int64_t		to = 0;

	if (all->rating != NULL)
		m.rating = calloc(n, sizeof(float));
	if (all->weight != NULL)
		m.weight = calloc(n, sizeof(float));
	for (int64_t r = 0; r < all->nrows; r++)
	{
		for (int64_t c = all->start[r]; c < all->start[r + 1]; c++)
		{
			if (all->column[c] < first || all->column[c] >= end)
				continue;
			m.column[to] = (int32_t) (all->column[c] - first);
			if (m.rating != NULL)
				m.rating[to] = all->rating[c];
			if (m.weight != NULL)
				m.weight[to] = all->weight[c];
			to++;
		}
		m.start[r + 1] = to;
	}
	return m;
}

/* One who has users first .. end - 1; vectors and all that users have are the sample's own. */
static Part
make_part(const Sample *s, int64_t first, int64_t end, const MfParallel *parallel)
{
	Part		part = {s->problem, s->factors, cut_cells(s, first, end), NULL, NULL};
	int64_t		ld = mf_padded(s->problem.factors);

	part.problem.nusers = end - first;
	part.problem.user_regularization += first;
	if (part.problem.user_pull != NULL)
		part.problem.user_pull += first;
	if (part.problem.user_rating_regularization != NULL)
		part.problem.user_rating_regularization += first;
	if (part.problem.user_prior != NULL)
		part.problem.user_prior += first * ld;
	part.factors.user += first * ld;
	if (part.factors.user_bias != NULL)
		part.factors.user_bias += first;
	part.space = malloc(mf_als_size(&part.problem, parallel));
	return part;
}

static void
free_part(Part *part)
{
	free(part->cells.start);
	free(part->cells.column);
	free(part->cells.rating);
	free(part->cells.weight);
	free(part->space);
}

/* Adds the Gram matrix of a part's users, where there is one. */
static void
add_gram(const Part *part, const MfParallel *parallel, int d, double *gram)
{
	double	   *own = calloc((size_t) d * (size_t) d, sizeof(double));
	void	   *space = malloc(mf_gram_sums_size(d));

	mf_gram_sums(parallel, part->factors.user, mf_padded(part->problem.factors), NULL, part->problem.nusers, d, NULL, own,
				 space);
	for (int k = 0; k < d * d; k++)
		gram[k] += own[k];
	free(own);
	free(space);
}

/*
 * A half-sweep of items by sums of PARTS; returns the loss.  Items are solved `step` at a time.  exact: see
 * mf_als_begin_sums().  *bytes: of an item's sums.
 */
static double
sweep_by_sums(const Sample *s, const MfParallel *parallel, int64_t step, bool exact, size_t *bytes)
{
	int64_t		nusers = s->problem.nusers;
	int64_t		nitems = s->problem.nitems;
	int			d = s->problem.shared > 0 ? s->problem.shared : s->problem.factors;
	Part		part[PARTS];
	Part		solver = make_part(s, 0, 0, parallel);
	double	   *gram;
	float	   *basis;
	char	   *sums[PARTS];
	double		loss;
	double		fixed = 0.0;

	gram = calloc((size_t) d * (size_t) d, sizeof(double));
	for (int p = 0; p < PARTS; p++)
	{
		part[p] = make_part(s, nusers * p / PARTS, nusers * (p + 1) / PARTS, parallel);
		add_gram(&part[p], parallel, d, gram);
	}
	solver.als = mf_als_init(solver.space, &solver.problem, &solver.factors, parallel);
	ok(mf_als_begin_sums(solver.als, exact, s->problem.has_interest ? gram : NULL, NULL) == MF_OK,
	   "who solves has begun");
	basis = sample_floats(mf_als_basis_floats(solver.als) + 1);
	mf_als_get_basis(solver.als, basis);
	*bytes = mf_als_sums_bytes(solver.als);
	for (int p = 0; p < PARTS; p++)
	{
		MfRows		rows = mf_matrix_rows(&part[p].cells);

		part[p].als = mf_als_init(part[p].space, &part[p].problem, &part[p].factors, parallel);
		mf_als_begin_sums(part[p].als, exact, NULL, s->problem.has_interest ? basis : NULL);
		fixed += mf_als_fixed_loss(part[p].als);
		sums[p] = malloc((size_t) nitems * *bytes);
		mf_als_sums(part[p].als, &rows, sums[p]);
	}
	for (int64_t first = 0; first < nitems; first += step)
	{
		MfRows		rows = {.first = first,.nrows = first + step < nitems ? step : nitems - first,.start = s->items.start + first};
		const char *at[PARTS + 1];

		/* one of them has no cells */
		for (int p = 0; p < PARTS; p++)
			at[p] = sums[p] + (size_t) first * *bytes;
		at[PARTS] = NULL;
		mf_als_solve_sums(solver.als, &rows, at, PARTS + 1);
	}
	ok(mf_als_end(solver.als, &loss) == MF_OK, "no error");
	for (int p = 0; p < PARTS; p++)
	{
		free_part(&part[p]);
		free(sums[p]);
	}
	free_part(&solver);
	free(gram);
	free(basis);
	return loss + fixed;
}

/* The largest difference of two arrays, beside the largest number of the first. */
static double
difference(const float *a, const float *b, size_t n)
{
	double		most = 0.0;
	double		off = 0.0;

	for (size_t k = 0; k < n && a != NULL; k++)
	{
		most = fmax(most, fabs((double) a[k]));
		off = fmax(off, fabs((double) a[k] - b[k]));
	}
	return most > 0.0 ? off / most : off;
}

/* Bytes of an array that may be missing, copied. */
static float *
copy_of(const float *from, size_t n)
{
	float	   *copy = sample_floats(n);

	if (from != NULL)
		memcpy(copy, from, n * sizeof(float));
	return copy;
}

static void
test_sums(const SampleOptions *o)
{
	MfParallel	parallel = {2, NULL};
	MfParallel	alone = {1, NULL};
	Sample		s = sample_new(o);
	void	   *space;
	MfAls	   *als = sample_als(&s, &parallel, &space);
	size_t		n = (size_t) (o->nitems * mf_padded(o->factors));
	float	   *whole[3];
	float	   *now[3] = {s.factors.interest, s.factors.rating, s.factors.item_bias};
	size_t		size[3] = {n, n, (size_t) o->nitems};
	float	   *again[3];
	double		loss;
	double		summed;
	double		rounded;
	bool		same = true;
	double		off = 0.0;
	size_t		bytes;
	size_t		exact_bytes;

	sample_sweep(als, &s, MF_USERS, true, 0, NULL);
	sample_sweep(als, &s, MF_ITEMS, true, 0, &loss);
	for (int k = 0; k < 3; k++)
		whole[k] = copy_of(now[k], size[k]);
	summed = sweep_by_sums(&s, &parallel, o->nitems, true, &bytes);
	is_close(summed, loss, 1e-5, "the loss by sums");
	for (int k = 0; k < 3; k++)
	{
		off = fmax(off, now[k] != NULL ? difference(whole[k], now[k], size[k]) : 0.0);
		again[k] = copy_of(now[k], size[k]);
	}
	if (!ok(off < 2e-3, "d = %d, rating %d, interest %d, weighted %d: items by sums", o->factors, o->rating, o->interest,
			o->weighted))
		printf("#   off by %g\n", off);
	same = sweep_by_sums(&s, &alone, 7, true, &bytes) == summed;
	for (int k = 0; k < 3; k++)
	{
		same = same && (now[k] == NULL || memcmp(now[k], again[k], size[k] * sizeof(float)) == 0);
		free(again[k]);
		free(whole[k]);
	}
	ok(same, "the same bits by one thread, and seven items at a time");

	/* where vectors and sums may be rounded: little farther from the bottom, in half the space */
	exact_bytes = bytes;
	s.problem.int16 = s.problem.int8 = true;
	rounded = sweep_by_sums(&s, &parallel, o->nitems, false, &bytes);
	if (!ok(fabs(rounded - loss) <= 2e-3 * loss, "d = %d, rating %d, interest %d, weighted %d: rounded sums",
			o->factors, o->rating, o->interest, o->weighted))
		printf("#   %g, exactly %g\n", rounded, loss);
	ok(o->factors < 64 || (double) bytes < 0.6 * (double) exact_bytes, "and in half the space");
	ok(sweep_by_sums(&s, &alone, 7, false, &bytes) == rounded, "the same bits of these");
	s.problem.int16 = s.problem.int8 = false;
	free(space);
	sample_free(&s);
}

/* Vectors as they travel, one of them 0 and one not finite, among others that must stay as they are. */
static void
test_vectors(int factors, bool halves)
{
	enum { N = 5 };
	int			ld = mf_padded(factors);
	size_t		bytes = mf_packed_vector_bytes(factors, halves);
	float	   *from = aligned_alloc(64, N * (size_t) ld * sizeof(float));
	float	   *to = aligned_alloc(64, (N + 1) * (size_t) ld * sizeof(float));
	char	   *packed = calloc(N * bytes + 1, 1);
	float	   *again = aligned_alloc(64, N * (size_t) ld * sizeof(float));
	int32_t		row[N] = {4, 0, 3, 1, 2};
	bool		close = true;
	bool		same = true;

	mf_random_factors(from, N, factors, 7);
	for (int k = 0; k < ld; k++)
		from[2 * ld + k] = 0.0f;
	from[3 * ld] = INFINITY;
	for (int k = 0; k < (N + 1) * ld; k++)
		to[k] = 7.0f;
	packed[N * bytes] = 7;
	mf_vectors_pack(factors, halves, from, N, packed);
	mf_vectors_unpack(factors, halves, packed, row, N, to);
	for (int r = 0; r < N; r++)
	{
		const float *vector = to + row[r] * ld;
		double		square = 0.0;
		double		off = 0.0;

		for (int k = 0; k < ld; k++)
		{
			square += (double) from[r * ld + k] * from[r * ld + k];
			off += ((double) from[r * ld + k] - vector[k]) * ((double) from[r * ld + k] - vector[k]);
		}
		if (r == 3)
			close = close && !isfinite(vector[0]);
		else
			close = close && off <= (halves ? factors * square / (4 * 16383.0 * 16383.0) : 0.0);
	}
	ok(close, "%d numbers of a vector, halves %d: off by half a step each at most", factors, halves);
	ok(packed[N * bytes] == 7 && to[N * ld] == 7.0f && bytes % 4 == 0, "and nothing beyond them is written");

	/* what half-sweeps leave, that is, arrives as it is */
	memcpy(again, from, N * (size_t) ld * sizeof(float));
	mf_vectors_round(factors, again, row, halves ? N : 0);
	mf_vectors_pack(factors, halves, again, N, packed);
	mf_vectors_unpack(factors, halves, packed, row, N, to);
	for (int r = 0; r < N; r++)
		same = same && (r == 3 || memcmp(again + r * ld, to + row[r] * ld, (size_t) ld * sizeof(float)) == 0);
	ok(same, "of rounded ones the same bits");
	free(again);
	free(from);
	free(to);
	free(packed);
}

int
main(void)
{
	static const int sizes[] = {1, 7, 16, 33, 64, 100, 130};

	for (int preset = 0; preset < 6; preset++)
		for (int k = 0; k < 7; k++)
		{
			SampleOptions o = {.nusers = 90,.nitems = 60,.factors = sizes[k],.rating = preset % 3 != 0,
			.interest = preset % 3 != 1,.weighted = preset >= 3,.density = 200,.long_rows = 2};

			test_sums(&o);
			o.prior = true;
			test_sums(&o);
			if (o.rating && o.interest && sizes[k] > 1)
			{
				o.shared = sizes[k] / 2;
				test_sums(&o);
				o.fades = o.weighted;
				test_sums(&o);
			}
			if (o.weighted && !o.rating)
			{
				o.dislikes = true;
				test_sums(&o);
			}
		}
	for (int k = 0; k < 7; k++)
	{
		test_vectors(sizes[k], false);
		test_vectors(sizes[k], true);
	}
	return done();
}

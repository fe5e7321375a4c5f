/*
 * test_strength.c - what is found on items that a map has not seen: how strongly blocks are held, and the length of
 * predicted vectors.
 */
#include "tap.h"

#include "core/features/exposure.h"
#include "core/features/held_out.h"
#include "core/features/strength.h"
#include "core/features/thirds.h"
#include "core/simd/isa.h"
#include "feature_sample.h"

#define ITEMS 2400
#define USERS 300
#define D 8
#define GENRES 15

/* A world in which users like genres: vectors, cells, and features that know of the genres or do not. */
typedef struct World
{
	Features   *features;
	MfParallel	parallel;
	float	   *item;			/* ITEMS x 16 */
	float	   *user;			/* USERS x 16 */
	float	   *weight;			/* ITEMS: 0 for every 13th */
	MfMatrix	by_user;
	MfMatrix	by_item;
	MfRows		rows;
	Pass		pass;
} World;

static int32_t genre_of[ITEMS];

/* Draws everything; each user has some dozens of items, by how they like them, but for some who have none. */
static World
world_new(const Block *blocks, int nblocks, uint64_t seed, bool dense)
{
	World		w = {.features = features_new(ITEMS, blocks, nblocks, seed, dense),.parallel = {2, NULL},
		.item = floats(ITEMS * 16),.user = floats(USERS * 16),.weight = floats(ITEMS)
	};
	MfTriplets	cells = {0, malloc(USERS * ITEMS * 4), NULL, NULL, NULL};
	int32_t    *column = malloc(USERS * ITEMS * 4);
	float	   *rating = malloc(USERS * ITEMS * 4);

	for (int i = 0; i < ITEMS; i++)
	{
		w.weight[i] = i % 13 == 5 ? 0.0f : 2.0f;
		for (int k = 0; k < D; k++)
			w.item[i * 16 + k] = w.weight[i] == 0.0f ? NAN : mf_random_normal(seed + 20, (uint64_t) (genre_of[i] * D + k)) +
				0.7f * mf_random_normal(seed + 21, (uint64_t) (i * D + k));
	}
	for (int u = 0; u < USERS; u++)
	{
		/* all users share a direction: what is popular */
		for (int k = 0; k < D; k++)
			w.user[u * 16 + k] = mf_random_normal(seed + 22, (uint64_t) (u * D + k)) + (k == 0 ? 1.5f : 0.0f);
		for (int i = 0; i < ITEMS; i++)
		{
			double		score = 0;

			for (int k = 0; k < D && w.weight[i] > 0; k++)
				score += w.user[u * 16 + k] * w.item[i * 16 + k];
			if (w.weight[i] == 0.0f || u % 20 == 19 ||
				mf_random_uniform(seed + 23, (uint64_t) (u * ITEMS + i)) > 0.1 / (1 + exp(3 - score)))
				continue;
			cells.row[cells.n] = u;
			column[cells.n] = i;
			rating[cells.n++] = 1.0f;
		}
	}
	cells.column = column;
	cells.rating = rating;
	matrices_of(&cells, USERS, ITEMS, &w.by_user, &w.by_item);
	w.rows = mf_matrix_rows(&w.by_user);
	w.rows.rating = NULL;
	free(cells.row);
	free(column);
	free(rating);
	return w;
}

static void
world_free(World *w)
{
	features_free(w->features);
	free(w->item);
	free(w->user);
	free(w->weight);
	pass_forget(&w->pass);
	matrix_free(&w->by_user);
	matrix_free(&w->by_item);
}

static MfStrengthSearch
search_of(World *w)
{
	return (MfStrengthSearch) {&w->features->matrix, &w->parallel, D, w->item, w->weight, 2.0f, USERS, w->user, w->rows, 0};
}

/* Finds the strengths; returns how many maps were fitted, or -1. */
static int
find_strength(World *w, float *lambda)
{
	MfStrengthSearch search = search_of(w);
	void	   *workspace = malloc(mf_strength_size(&search));
	int			evaluations = 0;
	MfError		error = mf_strength_find(&search, lambda, &evaluations, workspace);

	free(workspace);
	return error == MF_OK ? evaluations : -1;
}

/* Blocks that say something are held less than those that do not, which are off. */
static void
test_blocks(void)
{
	const Block blocks[] = {{WORDS, 80, NULL}, {CATEGORY, GENRES, genre_of}, {CATEGORY, 30, NULL}, {DISTINCT, 0, NULL},
	{NUMBER, 1, NULL}};
	int			right = 0;
	int			most = 0;

	for (uint64_t seed = 1; seed <= 5; seed++)
	{
		World		w = world_new(blocks, 5, 100 * seed, false);
		float		lambda[5];
		int			evaluations = find_strength(&w, lambda);

		right += evaluations > 0 && lambda[0] == 0 && lambda[1] > 0 && lambda[1] <= 8 && lambda[2] == 0 &&
			lambda[3] == 0 && lambda[4] == 0;
		most = evaluations > most ? evaluations : most;
		printf("#   lambda %g %g %g %g %g after %d\n", lambda[0], lambda[1], lambda[2], lambda[3], lambda[4], evaluations);
		world_free(&w);
	}
	ok(right == 5, "genres are taken, noise is off (%d of 5)", right);
	ok(most < 60, "after %d maps at most", most);
}

/* The same number of features, some of which say something: genres that are wrong for two items of three. */
static void
test_weak(void)
{
	int32_t		weak[ITEMS];
	const Block blocks[] = {{CATEGORY, GENRES, weak}, {CATEGORY, GENRES, genre_of}};
	bool		right = true;

	for (int i = 0; i < ITEMS; i++)
		weak[i] = mf_random_uniform(8, (uint64_t) i) < 0.3 ? genre_of[i] : (int32_t) (mf_random_bits(9, (uint64_t) i) % GENRES);
	for (uint64_t seed = 1; seed <= 3; seed++)
	{
		World		w = world_new(blocks, 2, 100 * seed, false);
		float		lambda[2];

		right = right && find_strength(&w, lambda) > 0 && lambda[1] > 0 && (lambda[0] == 0 || lambda[0] > lambda[1]);
		printf("#   lambda %g %g\n", lambda[0], lambda[1]);
		world_free(&w);
	}
	ok(right, "what says less is held more");
}

/* Alone, noise of any kind is off. */
static void
test_noise(void)
{
	static const Block noise[4] = {{CATEGORY, 30, NULL}, {DISTINCT, 0, NULL}, {WORDS, 200, NULL}, {NUMBER, 1, NULL}};
	int			off = 0;

	for (uint64_t seed = 1; seed <= 12; seed++)
	{
		World		w = world_new(noise + seed % 4, 1, 100 * seed + 50, false);
		float		lambda[2];

		off += find_strength(&w, lambda) > 0 && lambda[0] == 0;
		world_free(&w);
	}
	ok(off == 12, "noise alone is off (%d of 12)", off);
}

/* A limit on the maps that are fitted, nobody to ask, nothing held out. */
static void
test_limits(void)
{
	const Block blocks[] = {{CATEGORY, GENRES, genre_of}, {CATEGORY, 30, NULL}};
	World		w = world_new(blocks, 2, 7, false);
	MfStrengthSearch search = search_of(&w);
	void	   *workspace = malloc(mf_strength_size(&search));
	float		lambda[2];
	float		scale[GENRES + 30];
	int			evaluations;

	search.evaluations = 3;
	ok(mf_strength_find(&search, lambda, &evaluations, workspace) == MF_OK && evaluations >= 4 && evaluations <= 5 &&
	   lambda[0] > 0 && lambda[1] == 0, "three settings, and fits to judge by");
	search.nusers = 0;
	ok(mf_strength_find(&search, lambda, NULL, workspace) == MF_OK && lambda[0] == 0 && lambda[1] == 0,
	   "without users all is off");
	search.nusers = USERS;
	memset(w.weight, 0, ITEMS * sizeof(float));
	ok(mf_strength_find(&search, lambda, NULL, workspace) == MF_OK && lambda[0] == 0 && lambda[1] == 0,
	   "without items, too");
	mf_strength_scale(&w.features->matrix, (float[]) {4, 0}, scale);
	ok(scale[0] == 0.5f && scale[GENRES - 1] == 0.5f && scale[GENRES] == 0 && scale[GENRES + 29] == 0, "scales");
	free(workspace);
	world_free(&w);
}

/* The mean gain of the places that item j's score shares, by comparing with all others. */
static double
naive_gain(const double *score, int n, int j)
{
	int			above = 0;
	int			equal = 0;
	double		sum = 0;

	for (int k = 0; k < n; k++)
	{
		above += score[k] > score[j];
		equal += score[k] == score[j];
	}
	for (int k = above; k < above + equal; k++)
		sum += 1 / log2(k + 2);
	return sum / equal;
}

/* NDCG by the definition. */
static double
naive_ndcg(const World *w, const MfHeldOut *held)
{
	double		total = 0;
	int			users = 0;

	for (int u = 0; u < USERS; u++)
	{
		double		score[ITEMS];
		double		sum = 0;
		double		ideal = 0;
		int			n = 0;

		for (int j = 0; j < held->count; j++)
		{
			score[j] = 0;
			for (int k = 0; k < D; k++)
				score[j] += (double) w->user[u * 16 + k] * held->predicted[j * 16 + k];
			score[j] = (float) score[j];
		}
		for (int64_t c = w->rows.start[u]; c < w->rows.start[u + 1]; c++)
			if (mf_item_third(w->rows.column[c]) == 0)
			{
				sum += naive_gain(score, (int) held->count, held->place[w->rows.column[c]]);
				ideal += 1 / log2(2 + n++);
			}
		users += n > 0;
		total += n > 0 ? sum / ideal : 0;
	}
	return total / users;
}

/* Figures are as defined, ties too; an order drawn is worth what chance is. */
static void
test_ndcg(void)
{
	const Block block = {CATEGORY, GENRES, genre_of};
	World		w = world_new(&block, 1, 3, false);
	MfHeldOut	held = {.parallel = &w.parallel,.factors = D,.nusers = USERS,.user = w.user,.nitems = ITEMS};
	MfArena		arena = {NULL, 0};
	double		ndcg;
	double		chance;
	bool		proven;
	MfIsa		best = mf_isa();
	int			expected = 0;
	bool		right = true;
	void	   *space;

	mf_held_out_lay_out(&held, &arena, w.rows.start[USERS]);
	space = malloc(arena.used + 64);
	arena = mf_arena_at(space);
	mf_held_out_lay_out(&held, &arena, w.rows.start[USERS]);
	mf_held_out_choose(&held, w.weight, &w.rows, 0);
	for (int i = 0; i < ITEMS; i++)
	{
		bool		out = mf_item_third(i) == 0 && w.weight[i] > 0;

		right = right && (held.place[i] >= 0) == out && held.place[i] < held.count;
		expected += out;
	}
	ok(right && held.count == expected && expected > 650 && expected < 850, "a third is held out (%d)", expected);
	memset(held.predicted, 0, (size_t) held.count * 64);
	memset(held.rest, 0, (size_t) held.count * 64);
	ok(mf_held_out_ndcg(&held, &chance) == MF_OK && fabs(chance - naive_ndcg(&w, &held)) < 1e-9, "all alike: as defined");
	ok(mf_held_out_prove(&held, &proven) == MF_OK && !proven, "which proves nothing");
	for (int i = 0; i < ITEMS; i++)
		for (int k = 0; k < D && held.place[i] >= 0; k++)
			held.predicted[held.place[i] * 16 + k] = mf_random_normal(3 + 20, (uint64_t) (genre_of[i] * D + k));
	ok(mf_held_out_ndcg(&held, &ndcg) == MF_OK && fabs(ndcg - naive_ndcg(&w, &held)) < 1e-9 && ndcg > 1.1 * chance,
	   "genres: as defined, and better");
	ok(mf_held_out_prove(&held, &proven) == MF_OK && proven, "which is proven");
	for (int level = 0; level <= (int) best; level++)
	{
		double		other;

		mf_isa_limit((MfIsa) level);
		right = right && mf_held_out_ndcg(&held, &other) == MF_OK && other == ndcg;
	}
	mf_isa_limit(best);
	ok(right, "the same at every level");
	memcpy(held.rest, held.predicted, (size_t) held.count * 64);
	ok(mf_held_out_prove(&held, &proven) == MF_OK && !proven, "what is known already is no proof");
	for (int k = 0; k < held.count * 16; k++)
		held.rest[k] = k % 16 < D ? 0.5f * mf_random_normal(99, (uint64_t) k) : 0.0f;
	for (int k = 0; k < held.count * 16; k++)
		held.predicted[k] += held.rest[k];
	ok(mf_held_out_prove(&held, &proven) == MF_OK && proven, "beside noise it is proven");
	for (int k = 0; k < held.count * 16; k++)
	{
		float		noise = held.rest[k];

		held.rest[k] = held.predicted[k] - noise;
	}
	ok(mf_held_out_prove(&held, &proven) == MF_OK && !proven, "noise beside it is not");
	held.predicted[3] = NAN;
	ok(mf_held_out_ndcg(&held, &ndcg) == MF_NOT_FINITE, "what is no number is refused");
	free(space);
	world_free(&w);
}

/* Of many items a sample is held out, in no order. */
static void
test_sample(void)
{
	enum
	{
		MANY = 90000
	};
	MfParallel	parallel = {1, NULL};
	MfHeldOut	held = {.parallel = &parallel,.factors = 1,.nitems = MANY};
	MfArena		arena = {NULL, 0};
	MfRows		none = {0};
	float	   *weight = floats(MANY);
	char	   *taken = zeros(MANY, 1);
	int64_t		ascends = 0;
	int64_t		late = 0;
	int64_t		last = 0;
	bool		right = true;
	void	   *space;

	mf_held_out_lay_out(&held, &arena, 0);
	space = malloc(arena.used + 64);
	arena = mf_arena_at(space);
	mf_held_out_lay_out(&held, &arena, 0);
	for (int i = 0; i < MANY; i++)
		weight[i] = 1.0f;
	mf_held_out_choose(&held, weight, &none, 1);
	for (int i = 0; i < MANY; i++)
	{
		if (held.place[i] < 0)
			continue;
		right = right && mf_item_third(i) == 1 && held.place[i] < held.count && !taken[held.place[i]];
		taken[held.place[i]] = 1;
		ascends += held.place[i] > last;
		late += i >= MANY / 2;
		last = held.place[i];
	}
	ok(right && held.count == 20000, "a sample of many items");
	ok(ascends > 9700 && ascends < 10300 && late > 9700 && late < 10300, "in no order, from anywhere");
	free(weight);
	free(taken);
	free(space);
}

/* Strengths and gamma do not depend on threads and parts. */
static void
test_bits(void)
{
	const Block blocks[] = {{CATEGORY, GENRES, genre_of}, {WORDS, 60, NULL}};
	float		first[2] = {0, 0};
	bool		same = true;
	int			evaluations = 0;

	for (int k = 0; k < 3; k++)
	{
		World		w = world_new(blocks, 2, 6, false);
		float		lambda[2];
		int			n;

		w.parallel.nthreads = k + 1;
		features_cut(w.features, k * 41);
		n = find_strength(&w, lambda);
		if (k == 0)
			memcpy(first, lambda, sizeof(first));
		evaluations = k == 0 ? n : evaluations;
		same = same && n == evaluations && memcmp(first, lambda, sizeof(first)) == 0;
		world_free(&w);
	}
	ok(same && evaluations > 2, "the same strengths for any threads and parts");
}

/* The items are three parts of a like size. */
static void
test_thirds(void)
{
	int			count[MF_THIRDS] = {0};

	for (int64_t i = 0; i < 30000; i++)
		count[mf_item_third(i)]++;
	ok(abs(count[0] - 10000) < 300 && abs(count[1] - 10000) < 300 && abs(count[2] - 10000) < 300, "thirds");
}

/* What exposure is found from. */
static MfExposureFit
exposure_of(World *w, float *scale, const float *start, double *gram, float alpha, const float *unobserved)
{
	MfExposureFit fit = {{&w->features->matrix, &w->parallel, scale, w->weight, 2.0f, D, 0, 0}, w->item, start, USERS,
	w->user, gram, pass_of(&w->pass, w->rows), alpha, unobserved};

	for (int j = 0; j < D; j++)
		for (int k = 0; k < D; k++)
		{
			gram[j * D + k] = 0;
			for (int u = 0; u < USERS; u++)
				gram[j * D + k] += (double) w->user[u * 16 + j] * w->user[u * 16 + k];
		}
	return fit;
}

/* v (ITEMS x D): what maps that have not seen an item say of it. */
static double *
naive_predictions(const World *w, const MfExposureFit *fit)
{
	double	   *v = zeros(ITEMS * D, sizeof(double));
	double	   *g = naive_scaled(w->features, fit->map.scale);
	int32_t		m = w->features->matrix.nfeatures;

	for (int third = 0; third < 3; third++)
	{
		float		weight[ITEMS];
		MfMapFit	map = fit->map;
		double	   *b;

		for (int i = 0; i < ITEMS; i++)
			weight[i] = mf_item_third(i) == third ? 0 : w->weight[i];
		map.weight = weight;
		map.steps = 30;
		map.tolerance = 1e-2;
		b = naive_steps(w->features, &map, w->item, fit->start);
		for (int i = 0; i < ITEMS; i++)
			for (int k = 0; k < D && w->weight[i] > 0 && mf_item_third(i) == third; k++)
				for (int32_t f = 0; f < m; f++)
					v[i * D + k] += g[i * m + f] * b[f * D + k];
		free(b);
	}
	free(g);
	return v;
}

/* gamma by its definition, over all cells of all users and items. */
static double
naive_gamma(const World *w, const MfExposureFit *fit, const double *v)
{
	double		products = 0;
	double		squares = 0;

	for (int u = 0; u < USERS; u++)
	{
		int64_t		c = w->rows.start[u];

		for (int i = 0; i < ITEMS; i++)
		{
			bool		observed = c < w->rows.start[u + 1] && w->rows.column[c] == i;
			double		weight = fit->unobserved != NULL ? fit->unobserved[i] : 1;
			double		product = 0;

			for (int k = 0; k < D; k++)
				product += w->user[u * 16 + k] * v[i * D + k];
			if (observed)
				weight += fit->alpha * (w->rows.weight != NULL ? w->rows.weight[c++] : (c++, 1));
			products += observed ? weight * product : 0;
			squares += weight * product * product;
		}
	}
	return fmax(products / squares, 0);
}

/* gamma against the definition. */
static void
test_gamma(const char *what, float alpha, bool weighted, bool started)
{
	const Block blocks[] = {{CATEGORY, GENRES, genre_of}, {WORDS, 60, NULL}};
	World		w = world_new(blocks, 2, 4, true);
	float	   *unobserved = floats(ITEMS);
	float	   *start = floats((GENRES + 60) * 16);
	float	   *scale = floats(GENRES + 60);
	float	   *predicted = floats(ITEMS * 16);
	double		gram[D * D];
	MfExposureFit fit = exposure_of(&w, scale, started ? start : NULL, gram, alpha, weighted ? unobserved : NULL);
	double		gamma = -1;
	double		off = 0;
	double	   *v;
	bool		found;
	void	   *workspace = malloc(mf_exposure_size(&fit));

	mf_strength_scale(&w.features->matrix, (float[]) {2, 32}, scale);
	for (int i = 0; i < ITEMS; i++)
		unobserved[i] = 0.5f + (float) (i % 5);
	for (int k = 0; k < (GENRES + 60) * 16 && started; k++)
		start[k] = k % 16 < D ? 0.1f * mf_random_normal(3, (uint64_t) k) : 0.0f;
	w.by_user.weight = floats((size_t) w.rows.start[USERS]);
	for (int64_t c = 0; c < w.rows.start[USERS]; c++)
		w.by_user.weight[c] = 0.5f + (float) (c % 3);
	if (weighted)
		w.rows.weight = w.pass.all.weight = w.by_user.weight;
	found = mf_exposure_find(&fit, predicted, &gamma, workspace) == MF_OK;
	v = naive_predictions(&w, &fit);
	for (int k = 0; k < ITEMS * 16; k++)
		off = fmax(off, fabs(predicted[k] - (k % 16 < D ? v[k / 16 * D + k % 16] : 0)));
	ok(found && off < 1e-4, "%s: predictions by maps that have not seen the items", what);
	is_close(gamma / naive_gamma(&w, &fit, v), 1, 1e-4, what);
	free(v);
	free(unobserved);
	free(start);
	free(scale);
	free(predicted);
	free(workspace);
	world_free(&w);
}

/* Predictions that say the wrong, or nothing; and the same bits for any threads and parts. */
static void
test_gamma_ends(void)
{
	const Block block = {CATEGORY, GENRES, genre_of};
	World		w = world_new(&block, 1, 4, false);
	float	   *predicted = floats(ITEMS * 16);
	float	   *scale = floats(GENRES);
	double		gram[D * D];
	MfExposureFit fit = exposure_of(&w, NULL, NULL, gram, 2.0f, NULL);
	double		first = 0;
	double		gamma = -1;
	bool		same = true;
	void	   *workspace;

	w.parallel.nthreads = 3;
	workspace = malloc(mf_exposure_size(&fit));
	for (int k = 0; k < 6; k++)
	{
		static const int64_t cuts[] = {USERS, 70, 1};

		w.parallel.nthreads = 1 + k % 3;
		w.pass.rows_per_part = cuts[k / 2];
		features_cut(w.features, cuts[k / 2]);
		same = same && mf_exposure_find(&fit, predicted, &gamma, workspace) == MF_OK && (k == 0 || gamma == first);
		first = gamma;
	}
	ok(same && first > 0, "gamma has the same bits for any threads and parts");
	fit.map.scale = scale;
	ok(mf_exposure_find(&fit, predicted, &gamma, workspace) == MF_OK && gamma == 0, "without features gamma is 0");
	fit.map.scale = NULL;
	for (int k = 0; k < USERS * 16; k++)
		w.user[k] = -w.user[k];
	ok(mf_exposure_find(&fit, predicted, &gamma, workspace) == MF_OK && gamma == 0, "as where users want the opposite");
	w.user[5] = INFINITY;
	ok(mf_exposure_find(&fit, predicted, &gamma, workspace) == MF_NOT_FINITE, "infinity is refused");
	free(predicted);
	free(scale);
	free(workspace);
	world_free(&w);
}

/* Whenever it comes, a cancel ends both, and soon. */
static void
test_cancel(void)
{
	const Block blocks[] = {{CATEGORY, GENRES, genre_of}, {WORDS, 60, NULL}};
	World		w = world_new(blocks, 2, 6, false);
	MfStrengthSearch search = search_of(&w);
	float	   *predicted = floats(ITEMS * 16);
	double		gram[D * D];
	MfExposureFit fit = exposure_of(&w, NULL, NULL, gram, 2.0f, NULL);
	void	   *workspace = malloc(mf_strength_size(&search) + mf_exposure_size(&fit));
	float		lambda[2];
	double		gamma;
	bool		right = true;

	w.parallel.cancelled = cancel_later;
	for (int what = 0; what < 2; what++)
	{
		MfError		error = MF_CANCELLED;

		for (int polls = 0; error == MF_CANCELLED && polls < 10000000; polls = polls * 3 / 2 + 1)
		{
			polls_left = polls;
			polls_after = 0;
			error = what == 0 ? mf_strength_find(&search, lambda, NULL, workspace) :
				mf_exposure_find(&fit, predicted, &gamma, workspace);
			right = right && (error == MF_OK || (error == MF_CANCELLED && polls_after < 100));
		}
		right = right && error == MF_OK;
	}
	ok(right, "a cancel ends them at any point, and soon");
	free(predicted);
	free(workspace);
	world_free(&w);
}

int
main(void)
{
	for (int i = 0; i < ITEMS; i++)
		genre_of[i] = (int32_t) (mf_random_bits(1, (uint64_t) i) % GENRES);
	test_thirds();
	test_ndcg();
	test_sample();
	test_blocks();
	test_weak();
	test_noise();
	test_limits();
	test_bits();
	test_gamma("plain", 2.0f, false, false);
	test_gamma("weighted", 3.0f, true, false);
	test_gamma("from a map", 1.0f, false, true);
	test_gamma_ends();
	test_cancel();
	return done();
}

/*
 * test_strength.c - what is found on items that a map has not seen: how strongly blocks are held, and how often lists
 * show new items.
 */
#include "tap.h"

#include "core/features/exposure.h"
#include "core/features/held_out.h"
#include "core/features/matrix_sample.h"
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

/* Strengths do not depend on threads and parts. */
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

/* Whether row `row` of a sample has the cells of an item but for those of features that no fitted item has. */
static bool
same_row(const MfMatrixSample *sample, const MfMatrix *rows, int64_t row, const MfMatrix *all, int64_t item)
{
	int64_t		at = rows->start[row];

	for (int64_t c = all->start[item]; c < all->start[item + 1]; c++)
	{
		int32_t		f = sample->feature[all->column[c]];

		if (f < 0)
			continue;
		if (at >= rows->start[row + 1] || rows->column[at] != f || rows->rating[at] != all->rating[c])
			return false;
		at++;
	}
	return at == rows->start[row + 1];
}

/* Whether the fitted items may be fitted to, and the rows of all are theirs; adds up what was taken. */
static bool
same_rows(const MfMatrixSample *sample, const MfHeldOut *held, const float *weight, const MfMatrix *all)
{
	bool		right = sample->held_rows.nrows == held->count && sample->fitted.nitems == sample->count;

	for (int64_t k = 0; k < sample->count; k++)
		right = right && weight[sample->item[k]] > 0 && mf_item_third(sample->item[k]) != 1 &&
			same_row(sample, &sample->by_item, k, all, sample->item[k]);
	for (int64_t i = 0; i < held->nitems; i++)
		right = right && (held->place[i] < 0 || same_row(sample, &sample->held_rows, held->place[i], all, i));
	return right;
}

/* Whether the other orientation has the same cells: each of its rows has some, and they are found where they belong. */
static bool
is_transpose(const MfMatrix *a, const MfMatrix *b)
{
	int64_t    *at = zeros((size_t) a->nrows + 1, sizeof(int64_t));
	bool		right = a->start[a->nrows] == b->start[b->nrows];

	for (int64_t f = 0; f < b->nrows && right; f++)
	{
		right = b->start[f + 1] > b->start[f];
		for (int64_t c = b->start[f]; c < b->start[f + 1] && right; c++)
		{
			int64_t		from = a->start[b->column[c]] + at[b->column[c]]++;

			right = a->column[from] == f && a->rating[from] == b->rating[c];
		}
	}
	free(at);
	return right;
}

/* Few items are taken as they are, of many a sample that fits, the same by any threads and parts. */
static void
test_matrix_sample(int64_t nitems, int nblocks, int64_t held_out, int64_t fitted, const char *name)
{
	static const Block blocks[] = {{WORDS, 900, NULL}, {WORDS, 3000, NULL}, {DISTINCT, 0, NULL}, {WORDS, 500, NULL},
	{WORDS, 500, NULL}, {WORDS, 500, NULL}, {WORDS, 500, NULL}, {WORDS, 500, NULL}, {WORDS, 500, NULL}};
	Features   *features = features_new(nitems, blocks, nblocks, 5, false);
	float	   *weight = floats((size_t) nitems);
	int64_t		start[2] = {0, 0};
	MfRows		none = {0, 1, start, NULL, NULL, NULL};
	int64_t		count[2] = {0, 0};
	bool		right = true;

	for (int64_t i = 0; i < nitems; i++)
		weight[i] = i % 13 == 5 ? 0.0f : 1.0f;
	for (int k = 0; k < 2; k++)
	{
		MfParallel	parallel = {k + 1, NULL};
		MfHeldOut	held = {.parallel = &parallel,.factors = D,.nusers = 1,.nitems = nitems};
		MfMatrixSample sample;
		MfArena		arena = {NULL, 0};

		features_cut(features, k * 997);
		mf_held_out_lay_out(&held, &arena, 0);
		mf_matrix_sample_lay_out(&sample, &arena, &features->matrix, &parallel);
		arena = (MfArena) {zeros(arena.used, 1), 0};
		mf_held_out_lay_out(&held, &arena, 0);
		mf_matrix_sample_lay_out(&sample, &arena, &features->matrix, &parallel);
		mf_held_out_choose(&held, weight, &none, 1);
		right = right && mf_matrix_sample_take(&sample, &held, weight, 1) == MF_OK &&
			same_rows(&sample, &held, weight, &features->by_item) && is_transpose(&sample.by_item, &sample.by_feature) &&
			sample.fitted.nfeatures == sample.by_feature.nrows && sample.block_start[nblocks] == sample.fitted.nfeatures &&
			llabs(sample.item[sample.count / 2] - nitems / 2) < nitems / 20 &&
			sample.by_item.start[sample.count] + sample.held_rows.start[held.count] <= 1 << 20 &&
			(k == 0 || (count[0] == sample.count && count[1] == held.count));
		count[0] = sample.count;
		count[1] = held.count;
		free(arena.start);
	}
	printf("#   %lld fitted, %lld held out, of %lld cells\n", (long long) count[0], (long long) count[1],
		   (long long) features->matrix.ncells);
	ok(right, "%s: rows and their transpose are those of the items", name);
	ok(llabs(count[0] - fitted) <= fitted / 50 && llabs(count[1] - held_out) <= held_out / 50,
	   "%s: as many as there is room for", name);
	free(weight);
	features_free(features);
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

/* What exposure is found from; list vectors are those of items, of cold ones drawn anew and much shorter, but for every 26th. */
static MfExposureFit
exposure_of(World *w, float *list, float *offset)
{
	for (int i = 0; i < ITEMS; i++)
	{
		offset[i] = w->weight[i] > 0 ? 0.2f * (float) (i % 7) : NAN;
		for (int k = 0; k < D; k++)
			list[i * 16 + k] = w->weight[i] > 0 ? w->item[i * 16 + k] : i % 26 == 5 ? 0 :
				0.2f * mf_random_normal(77, (uint64_t) (i * D + k));
	}
	return (MfExposureFit) {.map = {.matrix = &w->features->matrix,.parallel = &w->parallel,.weight = w->weight,.ridge = 2,
			.factors = D},.vector = w->item,.list_vector = list,.list_offset = offset,.shared = D,.nusers = USERS,
		.user = w->user,.ncells = w->rows.start[USERS],.cells = pass_of(&w->pass, w->rows)};
}

/* For qsort(): the largest first. */
static int
descending(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The score of the item at a place (from 1) among those of a kind that a user does not have: fresh or known ones. */
static double
naive_score(const World *w, const MfExposureFit *fit, int u, bool fresh, int place)
{
	static double score[ITEMS];
	int			n = 0;
	int64_t		c = w->rows.start[u];

	for (int i = 0; i < ITEMS; i++)
	{
		bool		seen = c < w->rows.start[u + 1] && w->rows.column[c] == i;

		c += seen;
		if (seen || (w->weight[i] > 0) == fresh || (fresh && i % 26 == 5))
			continue;
		score[n] = fresh ? 0 : fit->list_offset[i];
		for (int k = 0; k < D; k++)
			score[n] += (double) w->user[u * 16 + k] * fit->list_vector[i * 16 + k];
		n++;
	}
	qsort(score, (size_t) n, sizeof(double), descending);
	return score[place - 1];
}

/* Share of new items in lists of 20 of users, each as often as they have items. */
static double
share_of_new(const World *w, const MfExposureFit *fit, const float *shift)
{
	double		fresh = 0;
	double		all = 0;

	for (int u = 0; u < USERS; u++)
	{
		double		n = (double) (w->rows.start[u + 1] - w->rows.start[u]);
		double		more = 0;
		int			place = 0;

		for (int k = 0; k < D; k++)
			more += (double) w->user[u * 16 + k] * shift[k];
		/* so many new ones as are ahead of the known one that would be the next */
		while (n > 0 && place < 20 && naive_score(w, fit, u, true, place + 1) + more > naive_score(w, fit, u, false, 20 - place))
			place++;
		fresh += n * place;
		all += n * 20;
	}
	return fresh / all;
}

/* How far the shift is from solving its equations, for 0.1 of lists: users as often as the sample has them. */
static double
naive_residual(const World *w, const MfExposureFit *fit, const float *shift)
{
	double		residual[D] = {0};
	double		size = 0;
	double		trace = 0;
	double		worst = 0;

	for (int s = 0, u = 0; s < 1000; s++)
	{
		double		missing;

		while (w->rows.start[u + 1] <= (int64_t) ((s + 0.5) / 1000 * (double) fit->ncells))
			u++;
		missing = naive_score(w, fit, u, false, 18) - naive_score(w, fit, u, true, 2);
		for (int k = 0; k < D; k++)
			missing -= (double) w->user[u * 16 + k] * shift[k];
		for (int k = 0; k < D; k++)
		{
			residual[k] += missing * w->user[u * 16 + k];
			trace += (double) w->user[u * 16 + k] * w->user[u * 16 + k];
		}
	}
	for (int k = 0; k < D; k++)
	{
		worst = fmax(worst, fabs(residual[k] - 0.1 * trace / D * shift[k]));
		size = fmax(size, fabs(0.1 * trace / D * shift[k]));
	}
	return worst / size;
}

/* The shift against its equations, and what it is for; without new items it is that of a third. */
static void
test_exposure(void)
{
	const Block blocks[] = {{CATEGORY, GENRES, genre_of}, {WORDS, 60, NULL}};
	World		w = world_new(blocks, 2, 4, true);
	float	   *list = floats(ITEMS * 16);
	float	   *offset = floats(ITEMS);
	float		shift[16];
	const float none[16] = {0};
	MfExposureFit fit = exposure_of(&w, list, offset);
	void	   *workspace = malloc(mf_exposure_size(&fit));
	double		share;

	ok(mf_exposure_find(&fit, shift, workspace) == MF_OK && naive_residual(&w, &fit, shift) < 1e-4, "the shift solves its equations");
	ok(share_of_new(&w, &fit, none) < 0.01, "without it there are no new items in lists");
	share = share_of_new(&w, &fit, shift);
	ok(share > 0.05 && share < 0.2, "with it they have about a tenth");
	fit.shared = D - 3;
	ok(mf_exposure_find(&fit, shift, workspace) == MF_OK && shift[D - 4] != 0 && shift[D - 3] == 0 && shift[D] == 0,
	   "it is 0 beyond shared dimensions");
	free(workspace);
	free(list);
	free(offset);
	world_free(&w);
}

/* Without new items those of a third are taken for new: as if they were, and what a map of the others says of them were known. */
static void
test_taken_for_new(void)
{
	const Block blocks[] = {{CATEGORY, GENRES, genre_of}, {WORDS, 60, NULL}};
	World		w = world_new(blocks, 2, 4, true);
	float	   *list = floats(ITEMS * 16);
	float	   *offset = floats(ITEMS);
	float	   *weight = floats(ITEMS);
	float		shift[2][16];
	MfExposureFit fit = exposure_of(&w, list, offset);
	MfMapFit	map = fit.map;
	void	   *workspace = malloc(mf_exposure_size(&fit));
	double	   *g = naive_scaled(w.features, NULL);
	int32_t		m = w.features->matrix.nfeatures;
	bool		found;
	double		off = 0;
	double	   *b;

	for (int i = 0; i < ITEMS; i++)
		weight[i] = mf_item_third(i) == 0 ? 0 : w.weight[i];
	map.weight = weight;
	map.steps = 30;
	map.tolerance = 1e-2;
	b = naive_steps(w.features, &map, w.item, NULL);
	for (int k = 0; k < ITEMS * 16; k++)
		list[k] = w.weight[k / 16] > 0 ? list[k] : 0;
	workspace = realloc(workspace, mf_exposure_size(&fit));
	found = mf_exposure_find(&fit, shift[0], workspace) == MF_OK;
	fit.map.weight = weight;
	for (int i = 0; i < ITEMS; i++)
		for (int k = 0; k < D && w.weight[i] > 0 && weight[i] == 0; k++)
		{
			double		sum = 0;

			for (int32_t f = 0; f < m; f++)
				sum += g[i * m + f] * b[f * D + k];
			list[i * 16 + k] = (float) sum;
		}
	found = found && mf_exposure_find(&fit, shift[1], workspace) == MF_OK;
	for (int k = 0; k < 16; k++)
		off = fmax(off, fabs(shift[0][k] - shift[1][k]));
	ok(found && shift[0][0] != 0 && off < 1e-3 * fabs(shift[0][0]), "without new items, those of a third are taken for new");
	free(b);
	free(g);
	free(list);
	free(offset);
	free(weight);
	free(workspace);
	world_free(&w);
}

/* A sample that the caller has drawn gives the same bits as all users do. */
static void
test_exposure_drawn(void)
{
	const Block blocks[] = {{CATEGORY, GENRES, genre_of}, {WORDS, 60, NULL}};
	World		w = world_new(blocks, 2, 4, true);
	float	   *list = floats(ITEMS * 16);
	float	   *offset = floats(ITEMS);
	float		shift[2][16];
	MfExposureFit fit = exposure_of(&w, list, offset);
	MfExposureFit drawn = fit;
	int64_t		n = mf_exposure_users(ITEMS, fit.ncells);
	MfMatrix	rows = {n, malloc((size_t) (n + 1) * sizeof(int64_t)), malloc((size_t) (n * ITEMS) * sizeof(int32_t)), NULL, NULL};
	float	   *user = floats((int) n * 16);
	Pass		pass = w.pass;
	void	   *workspace = malloc(mf_exposure_size(&fit));
	int64_t		u = 0;

	rows.start[0] = 0;
	for (int64_t s = 0; s < n; s++)
	{
		int64_t		count;

		while (w.rows.start[u + 1] <= mf_exposure_cell(s, n, fit.ncells))
			u++;
		count = w.rows.start[u + 1] - w.rows.start[u];
		memcpy(rows.column + rows.start[s], w.rows.column + w.rows.start[u], (size_t) count * sizeof(int32_t));
		memcpy(user + s * 16, w.user + u * 16, 16 * sizeof(float));
		rows.start[s + 1] = rows.start[s] + count;
	}
	drawn.drawn = true;
	drawn.nusers = n;
	drawn.user = user;
	drawn.cells = pass_of(&pass, mf_matrix_rows(&rows));
	pass.rows_per_part = 70;
	ok(n > 100 && n < fit.ncells && mf_exposure_find(&fit, shift[0], workspace) == MF_OK &&
	   mf_exposure_find(&drawn, shift[1], workspace) == MF_OK && shift[0][0] != 0 && memcmp(shift[0], shift[1], sizeof(shift[0])) == 0,
	   "a sample that was drawn gives the same bits");
	free(workspace);
	free(rows.start);
	free(rows.column);
	free(user);
	free(list);
	free(offset);
	world_free(&w);
}

/* Where there is nothing to shift, or no room; and the same bits for any threads and parts. */
static void
test_exposure_ends(void)
{
	const Block block = {CATEGORY, GENRES, genre_of};
	World		w = world_new(&block, 1, 4, false);
	float	   *list = floats(ITEMS * 16);
	float	   *offset = floats(ITEMS);
	float		first[2][16];
	float		shift[16];
	MfExposureFit fit = exposure_of(&w, list, offset);
	void	   *workspace;
	bool		same = true;

	w.parallel.nthreads = 3;
	workspace = malloc(mf_exposure_size(&fit) + (1 << 20));	/* with room for a map's fit */
	for (int k = 0; k < 12; k++)
	{
		static const int64_t cuts[] = {USERS, 70, 1};

		/* without new items, those of a third are taken for new */
		if (k == 6)
			for (int i = 0; i < ITEMS * 16; i++)
				list[i] = w.weight[i / 16] > 0 ? list[i] : 0;
		w.parallel.nthreads = 1 + k % 3;
		w.pass.rows_per_part = cuts[k % 6 / 2];
		features_cut(w.features, cuts[k % 6 / 2]);
		same = same && mf_exposure_find(&fit, shift, workspace) == MF_OK;
		if (k % 6 == 0)
			memcpy(first[k / 6], shift, sizeof(shift));
		same = same && memcmp(first[k / 6], shift, sizeof(shift)) == 0;
	}
	ok(same && first[0][0] != 0 && first[1][0] != 0, "the shift has the same bits for any threads and parts");
	ok(memcmp(first[0], first[1], sizeof(shift)) != 0, "that of items taken for new is another one");
	w.user[5] = INFINITY;
	ok(mf_exposure_find(&fit, shift, workspace) == MF_NOT_FINITE, "infinity is refused");
	fit.ncells = 0;
	ok(mf_exposure_find(&fit, shift, workspace) == MF_OK && shift[0] == 0, "without cells there is no shift");
	free(list);
	free(offset);
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
	float	   *list = floats(ITEMS * 16);
	float	   *offset = floats(ITEMS);
	MfExposureFit fit = exposure_of(&w, list, offset);
	void	   *workspace = malloc(mf_strength_size(&search) + mf_exposure_size(&fit));
	float		lambda[2];
	float		shift[16];
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
				mf_exposure_find(&fit, shift, workspace);
			right = right && (error == MF_OK || (error == MF_CANCELLED && polls_after < 100));
		}
		right = right && error == MF_OK;
	}
	ok(right, "a cancel ends them at any point, and soon");
	free(list);
	free(offset);
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
	test_matrix_sample(2000, 3, 626, 1220, "few items");
	test_matrix_sample(150000, 1, 20000, 20000, "many items");
	test_matrix_sample(90000, 9, 19890, 19890, "many cells");
	test_exposure();
	test_exposure_drawn();
	test_taken_for_new();
	test_exposure_ends();
	test_cancel();
	return done();
}

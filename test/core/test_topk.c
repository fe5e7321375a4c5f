/*
 * test_topk.c - exact search: at every instruction set level, items and order of a naive double scan.
 */
#include "tap.h"

#include "catalog.h"
#include "core/topk/sq4.h"
#include "core/topk/sq8.h"
#include "core/simd/isa.h"
#include "core/kernels/score.h"

/* How the items of a test are made. */
typedef enum Shape
{
	RANDOM,						/* normal coordinates */
	POPULAR,					/* norms fall like a power of the rank */
	FLAT,						/* equal norms */
	LOW_RANK,					/* flat, with most of it in a few directions */
	ALL_EQUAL,
	ALL_ZERO,
	ONE_HUGE,					/* one norm of 1e30 */
	OVERFLOWING,				/* products beyond the largest float */
	DENORMAL,					/* norms of 1e-40 */
	ALTERNATING,				/* signs by item */
	ONE_DIMENSION,				/* one coordinate carries all */
	COPIES,						/* every item many times */
	NEAR_TIES,					/* scores that differ by less than floats can tell */
	OUTLIERS,					/* a coordinate that is large in a few items */
	SHAPES
} Shape;

static const char *const shape_name[] = {
	"random", "popular", "flat", "low rank", "all equal", "all zero", "one huge", "overflowing",
	"denormal", "alternating", "one dimension", "copies", "near ties", "outliers"
};

/* What indexes of tests are of: 0 floats, else whole numbers in so many parts. */
static int	parts;

/* And whether these have scales. */
static bool scaled;

/* Whether the level under test is to do all (tap.h). */
static bool whole;

/* Makes item i of a shape out of a random one. */
static void
shape_item(Catalog *c, Shape shape, int64_t i)
{
	float	   *v = c->vector + i * c->ld;

	switch (shape)
	{
		case POPULAR:
			catalog_scale(c, i, pow((double) (mf_random_bits(3, (uint64_t) i) % (uint64_t) c->n) + 1, -0.7));
			break;
		case LOW_RANK:
			for (int j = 0; j < c->d; j++)
				v[j] *= (float) pow(0.7, j);
			break;
		case ALL_EQUAL:
			memcpy(v, c->vector, c->ld * sizeof(float));
			break;
		case ALL_ZERO:
			memset(v, 0, c->ld * sizeof(float));
			break;
		case ONE_HUGE:
			catalog_scale(c, i, i == c->n / 2 ? 1e30 : 1);
			break;
		case OVERFLOWING:
			catalog_scale(c, i, i % 3 == 0 ? 3e37 : 1);
			break;
		case DENORMAL:
			catalog_scale(c, i, 1e-40);
			break;
		case ALTERNATING:
			for (int j = 0; j < c->d; j++)
				v[j] = i % 2 ? -1 : 1;
			break;
		case ONE_DIMENSION:
			for (int j = 0; j < c->d; j++)
				v[j] *= j == c->d / 2 ? 1 : 1e-6f;
			break;
		case COPIES:
			memcpy(v, c->vector + i % 3 * c->ld, c->ld * sizeof(float));
			break;
		case NEAR_TIES:
			for (int j = 0; j < c->d; j++)
				v[j] = 1 + (j == 0 ? 0x1.0p-22f * (float) (mf_random_bits(9, (uint64_t) i) % 8) : 0);
			break;
		case OUTLIERS:
			v[i % c->d] *= i % 17 == 0 ? 40 : 1;
			break;
		default:
			break;
	}
}

static Catalog
shaped(Shape shape, int64_t n, int d, float offsets)
{
	Catalog		c = catalog_new(n, d, 7 + (uint64_t) d);

	for (int64_t i = 0; i < n; i++)
		shape_item(&c, shape, i);
	if (shape == FLAT || shape == LOW_RANK)
		catalog_normalize(&c);
	if (offsets > 0)
		catalog_offsets(&c, offsets, 5);
	if (parts > 0)
		catalog_narrow(&c, parts, 8);
	if (parts > 0 && scaled)
		catalog_scales(&c, 9);
	return c;
}

/* Query q: most are random, one in four is an item, one in eight is zero. */
static void
make_query(const Catalog *c, int q, float *query)
{
	memset(query, 0, c->ld * sizeof(float));
	for (int j = 0; j < c->d; j++)
		query[j] = mf_random_normal(77, (uint64_t) (q * c->d + j));
	if (q % 4 == 1 && c->n > 0)
		memcpy(query, c->vector + q % c->n * c->ld, c->ld * sizeof(float));
	if (q % 8 == 7)
		memset(query, 0, c->ld * sizeof(float));
}

/* Some queries by score and by cosine on the index as it is. */
static bool
queries_agree(const Catalog *c, int nqueries, int k)
{
	float	   *query = catalog_space(c->ld * sizeof(float));
	bool		same = true;

	for (int q = 0; q < nqueries && same; q++)
	{
		make_query(c, q, query);
		same = same_as_naive(c, query, k, NULL, false) && same_as_naive(c, query, k, NULL, true);
	}
	free(query);
	return same;
}

/* Every shape, with and without offsets, with codes of every kind and with none. */
static void
test_shapes(const char *level, int64_t n, int d, int nqueries)
{
	static const float offsets[] = {0, 0.5f, 1e4f};

	for (int shape = 0; shape < SHAPES; shape++)
	{
		bool		same = true;

		for (int o = 0; o < 3; o++)
			for (int codes = MF_QUANTIZE_AUTO; codes <= MF_QUANTIZE_SQ4; codes++)
			{
				Catalog		c = shaped((Shape) shape, n, d, offsets[o]);

				same = same && catalog_build(&c, (MfQuantization) codes, 2) && queries_agree(&c, nqueries, 10);
				if (!same)
					printf("#   offsets %g, codes %d\n", offsets[o], codes);
				catalog_free(&c);
			}
		ok(same, "%s: %s, %lld x %d", level, shape_name[shape], (long long) n, d);
	}
}

/*
 * All lengths of vectors, and numbers of items around the sizes of packs and blocks; for indexes of whole numbers every
 * third of them, others for each number of parts.
 */
static void
test_sizes(const char *level)
{
	static const int lengths[] = {1, 2, 7, 15, 16, 17, 63, 64, 65, 128, 300, 1000};
	static const int counts[] = {0, 1, 2, 15, 16, 17, 1023, 1024, 1025, 2100};

	for (int l = parts; l < 12; l += parts > 0 ? 3 : 1)
	{
		bool		same = true;

		if (lengths[l] > 300 && !whole)
			continue;
		for (int shape = lengths[l] > 128 ? FLAT : RANDOM; shape <= LOW_RANK; shape++)
		{
			Catalog		c = shaped((Shape) shape, lengths[l] > 128 ? 300 : 1500, lengths[l], shape == FLAT ? 1 : 0);

			same = same && catalog_build(&c, shape == POPULAR ? MF_QUANTIZE_AUTO : MF_QUANTIZE_SQ4, 1) &&
				queries_agree(&c, 6, 7);
			catalog_free(&c);
		}
		ok(same, "%s: d = %d", level, lengths[l]);
	}
	for (int l = parts; l < 10; l += parts > 0 ? 3 : 1)
	{
		bool		same = true;

		for (int codes = MF_QUANTIZE_AUTO; codes <= MF_QUANTIZE_SQ4; codes++)
		{
			Catalog		c = shaped(RANDOM, counts[l], 19, 0.3f);

			same = same && catalog_build(&c, (MfQuantization) codes, 2) && queries_agree(&c, 4, 5) &&
				queries_agree(&c, 2, 3000);
			catalog_free(&c);
		}
		ok(same, "%s: %d items, k up to 3000", level, counts[l]);
	}
}

/* A large k, up to all items. */
static void
test_many(const char *level)
{
	static const int ks[] = {1, 16, 100, 999, 4999, 5000, 10000};

	for (int shape = RANDOM; shape <= LOW_RANK; shape++)
	{
		bool		same = true;

		for (int codes = MF_QUANTIZE_AUTO; codes <= MF_QUANTIZE_SQ4; codes++)
		{
			Catalog		c = shaped((Shape) shape, 5000, 24, shape == FLAT ? 0.1f : 0);

			same = same && catalog_build(&c, (MfQuantization) codes, 1);
			for (int i = 0; i < 7; i++)
				same = same && queries_agree(&c, 3, ks[i]);
			catalog_free(&c);
		}
		ok(same, "%s: k from 1 to 10000 of 5000 items, %s", level, shape_name[shape]);
	}
}

/* A bitmap of those items whose random number is below share. */
static uint64_t *
random_bitmap(int64_t n, double share, uint64_t seed)
{
	uint64_t   *bitmap = calloc((size_t) n / 64 + 1, sizeof(uint64_t));

	for (int64_t i = 0; i < n; i++)
		if (mf_random_uniform(seed, (uint64_t) i) < share)
			bitmap[i / 64] |= UINT64_C(1) << (i % 64);
	return bitmap;
}

/* The items of a bitmap, every one twice, the second time backwards; with -1 between where there may be some. */
static int32_t *
bitmap_list(int64_t n, const uint64_t *bitmap, bool negative, int64_t *count)
{
	int32_t    *list = malloc((size_t) (3 * n + 1) * sizeof(int32_t));

	*count = 0;
	for (int64_t i = 0; i < n; i++)
		if (bitmap[i / 64] >> (i % 64) & 1)
			list[(*count)++] = (int32_t) i;
	for (int64_t i = *count - 1; i >= 0; i--)
	{
		list[(*count)++] = list[i];
		if (negative && i % 5 == 0)
			list[(*count)++] = -1;
	}
	return list;
}

/* One kind of filter at several shares of items. */
static bool
filter_agrees(const Catalog *c, int kind, double share, int k)
{
	MfFilter	filter = {0};
	uint64_t   *bitmap = random_bitmap(c->n, share, 31);
	int32_t    *group = malloc((size_t) (c->n + 1) * sizeof(int32_t));
	int64_t		count;
	int32_t    *list = bitmap_list(c->n, bitmap, kind != 2, &count);
	float	   *query = catalog_space(c->ld * sizeof(float));
	bool		same = true;

	for (int64_t i = 0; i < c->n; i++)
		group[i] = (int32_t) (mf_random_bits(8, (uint64_t) i) % (uint64_t) (1 + share * 1000)) * 12345;
	if (kind == 0 || kind == 5)
		filter.allowed = bitmap;
	else if (kind == 1)
		filter.excluded = bitmap;
	if (kind == 2)
	{
		filter.seen = list;
		filter.nseen = count;
	}
	else if (kind == 3 || kind == 5)
	{
		filter.candidates = list;
		filter.ncandidates = count;
	}
	if (kind >= 4)
	{
		filter.group = group;
		filter.per_group = 2;
	}
	for (int q = 0; q < 3 && same; q++)
	{
		make_query(c, q, query);
		same = same_as_naive(c, query, k, &filter, q == 2);
	}
	free(bitmap);
	free(group);
	free(list);
	free(query);
	return same;
}

/* Filters of all kinds. */
static void
test_filters(const char *level)
{
	static const char *const kinds[] = {
		"allowed", "excluded", "seen", "candidates", "groups", "groups of candidates"
	};
	static const double shares[] = {0, 0.001, 0.03, 0.3, 0.9, 0.9993, 1};

	for (int kind = 0; kind < 6; kind++)
	{
		bool		same = true;

		for (int shape = RANDOM; shape <= FLAT; shape++)
		{
			Catalog		c = shaped((Shape) shape, 4000, 16, shape == RANDOM ? 0.2f : 0);

			same = same && catalog_build(&c, MF_QUANTIZE_SQ4, 1);
			for (int s = 0; s < 7; s++)
				same = same && filter_agrees(&c, kind, shares[s], 10) &&
					filter_agrees(&c, kind, shares[s], 700);
			catalog_free(&c);
		}
		ok(same, "%s: %s", level, kinds[kind]);
	}
}

/* Users who have the items that a search begins with, or nearly all there are. */
static void
test_first_seen(const char *level)
{
	static const int counts[] = {50, 57, 64, 200, 1000, 1025, 2995, 3000};
	Catalog		c = shaped(POPULAR, 3000, 24, 0);
	float	   *query = catalog_space(c.ld * sizeof(float));
	bool		same = catalog_build(&c, MF_QUANTIZE_AUTO, 1) && c.index.sq8.nblocks > 0;

	for (int n = 0; n < 8; n++)
		for (int q = 0; q < 4 && same; q++)
		{
			MfFilter	filter = {.seen = c.index.item, .nseen = counts[n]};

			make_query(&c, q, query);
			same = same_as_naive(&c, query, q % 2 == 0 ? 10 : 100, &filter, false);
		}
	ok(same, "%s: first items seen", level);
	free(query);
	catalog_free(&c);
}

enum
{
	BATCH_QUERIES = 43, BATCH_K = 12
};

/* Queries of a batch, what they have seen, and room for the result. */
typedef struct Many
{
	float	   *query;
	int32_t    *seen;
	int64_t		start[BATCH_QUERIES + 1];
	int32_t		item[BATCH_QUERIES * BATCH_K];
	float		score[BATCH_QUERIES * BATCH_K];
	int32_t		count[BATCH_QUERIES];
	MfTopkBatch batch;
} Many;

/* Query 5 has seen everything, query 6 all but three, the others a few items. */
static void
make_many(Many *many, const Catalog *c)
{
	MfTopkBatch batch = {BATCH_QUERIES, NULL, BATCH_K, NULL, many->start, NULL, many->item, many->score, many->count, NULL};

	batch.query = many->query = catalog_space(BATCH_QUERIES * c->ld * sizeof(float));
	batch.seen = many->seen = malloc((size_t) (2 * c->n + BATCH_QUERIES * 10) * sizeof(int32_t));
	many->start[0] = 0;
	for (int q = 0; q < BATCH_QUERIES; q++)
	{
		int64_t		end = many->start[q];

		make_query(c, q, many->query + q * c->ld);
		if (q == 5 || q == 6)
			for (int32_t i = 0; i < c->n; i++)
			{
				if (q == 5 || i % 500 != 7 || i > 1400)
					many->seen[end++] = i;
			}
		else
			for (int s = 0; s < q % 10 && s * 100 + q < c->n; s++)
				many->seen[end++] = s * 100 + q;
		many->start[q + 1] = end;
	}
	many->batch = batch;
}

static void
free_many(Many *many)
{
	free(many->query);
	free(many->seen);
}

/* Whether the result of a batch is what naive scans give. */
static bool
many_agree(const Many *many, const Catalog *c)
{
	Scored	   *all = malloc((size_t) (c->n + 1) * sizeof(Scored));
	bool		same = true;

	for (int q = 0; q < BATCH_QUERIES && same; q++)
	{
		MfFilter	filter = {.seen = many->seen + many->start[q],.nseen = many->start[q + 1] - many->start[q]};
		int			n = naive_scan(c, many->query + q * c->ld, BATCH_K, &filter, false, all);

		same = many->count[q] == n;
		for (int i = 0; i < n && same; i++)
			same = many->item[q * BATCH_K + i] == all[i].item &&
				(fabs(all[i].score) > 3e38 ||
				 fabs(many->score[q * BATCH_K + i] - all[i].score) <= 1e-5 * fmax(fabs(all[i].score), 1e-37));
		if (!same)
			printf("#   query %d: %d items, expected %d\n", q, many->count[q], n);
	}
	free(all);
	return same;
}

/* A batch on 1, 2 and 3 threads, without and with 8-bit codes. */
static bool
batch_agrees(const Catalog *c, bool sq8)
{
	Many		many;
	Many		one;			/* after the run on one thread */
	MfSq8		codes;
	void	   *space = catalog_space(mf_sq8_size(&c->index));
	bool		same = true;

	make_many(&many, c);
	memset(many.item, 0, sizeof(many.item));
	memset(many.score, 0, sizeof(many.score));
	for (int threads = 1; threads <= 3 && same; threads++)
	{
		MfParallel	parallel = {threads, NULL};
		void	   *workspace = catalog_space(mf_topk_batch_workspace(&c->index, BATCH_K, &parallel));

		if (sq8 && mf_sq8_build(&codes, space, &c->index, &parallel))
			many.batch.sq8 = &codes;
		memset(many.count, -1, sizeof(many.count));
		same = mf_topk_batch(&c->index, &many.batch, workspace, &parallel);
		if (threads == 1)
			same = same && many_agree(&many, c);
		else
			same = same && memcmp(one.count, many.count, sizeof(one.count)) == 0 &&
				memcmp(one.item, many.item, sizeof(one.item)) == 0 &&
				memcmp(one.score, many.score, sizeof(one.score)) == 0;
		one = many;
		free(workspace);
	}
	free(space);
	free_many(&many);
	return same;
}

static bool
always(void)
{
	return true;
}

/* Batches of every shape, with few and no items, and one that is cancelled. */
static void
test_batch(const char *level)
{
	static const int counts[] = {0, 1, 5, 17};

	for (int shape = 0; shape < SHAPES; shape++)
	{
		bool		same = true;

		for (int o = 0; o < 2; o++)
		{
			Catalog		c = shaped((Shape) shape, 1500, 33, (float) o);

			same = same && catalog_build(&c, shape == POPULAR ? MF_QUANTIZE_NEVER : MF_QUANTIZE_SQ4, 2) &&
				batch_agrees(&c, false) && batch_agrees(&c, true);
			catalog_free(&c);
		}
		ok(same, "%s: a batch, %s", level, shape_name[shape]);
	}
	for (int i = 0; i < 4; i++)
	{
		Catalog		c = shaped(FLAT, counts[i], 9, 0.1f);
		Many		many;
		MfParallel	parallel = {2, always};
		void	   *workspace;

		ok(catalog_build(&c, MF_QUANTIZE_SQ4, 1) && batch_agrees(&c, true), "%s: a batch on %d items", level, counts[i]);
		workspace = catalog_space(mf_topk_batch_workspace(&c.index, BATCH_K, &parallel));
		make_many(&many, &c);
		ok(!mf_topk_batch(&c.index, &many.batch, workspace, &parallel), "%s: a cancelled batch says so", level);
		free_many(&many);
		free(workspace);
		catalog_free(&c);
	}
}

/* The block itself: the same bytes for any number of threads, vectors by item, damaged headers. */
static void
test_block(MfQuantization codes)
{
	Catalog		c = shaped(POPULAR, 3000, 20, 0.3f);
	MfItems		items = catalog_items(&c);
	void	   *copy = catalog_space(mf_index_size(&items));
	float	   *row = catalog_space((size_t) c.ld * sizeof(float));
	MfIndex		index;
	size_t		size;
	bool		same = true;

	catalog_build(&c, codes, 1);
	size = c.size;
	memcpy(copy, c.space, size);
	catalog_build(&c, codes, 3);
	ok(size == c.size && memcmp(copy, c.space, size) == 0, "an index has the same bytes for 1 and 3 threads");
	ok(size <= mf_index_size(&items), "it is no larger than announced");
	ok(mf_index_narrow_parts(&c.index) == parts, "it is of %d parts of whole numbers", parts);
	for (int32_t i = 0; i < c.n; i++)
		same = same && memcmp(mf_index_vector(&c.index, i, row), c.vector + (int64_t) i * c.ld, c.ld * sizeof(float)) == 0;
	ok(same, "it gives every item's vector back");
	ok(mf_index_open(&index, copy, size), "a copy elsewhere opens");
	ok(!mf_index_open(&index, copy, size - 64), "a truncated one does not");
	ok(!mf_index_open(&index, copy, 10), "nor one shorter than its header");
	((char *) copy)[0] ^= 1;
	ok(!mf_index_open(&index, copy, size), "nor one with another first word");
	free(copy);
	free(row);
	catalog_free(&c);
}

/* The norm of the numbers of a vector that both parts of the items share, or of those behind them. */
static double
half_norm(const Catalog *c, const float *vector, int half)
{
	int			shared = c->index.shared;

	return half == 0 ? mf_norm(vector, shared) : mf_norm(vector + shared, c->d - shared);
}

/* Whether no item exceeds the bounds of halves of its pack, and of its block and those before it. */
static bool
halves_hold(const Catalog *c)
{
	const MfIndex *x = &c->index;
	float	   *row = catalog_space((size_t) c->ld * sizeof(float));
	bool		hold = true;

	for (int64_t at = 0; at < c->n; at++)
		for (int h = 0; h < 2; h++)
		{
			double		norm = half_norm(c, mf_index_row(x, (int32_t) at, row), h);

			hold = hold && norm <= x->pack_half[h][at / MF_PACK];
			for (int64_t block = 0; block <= at / MF_BLOCK; block++)
				hold = hold && norm <= x->block_half[h][block];
		}
	free(row);
	return hold;
}

/*
 * Norms of halves: searches look at fewer items by them, where items have much behind what both parts share, and users
 * little, and find the same.
 */
static void
test_halves(void)
{
	Catalog		c = shaped(POPULAR, 5000, 24, 0.3f);
	MfFilter	filter = {0};
	float	   *query = catalog_space(c.ld * sizeof(float));
	int32_t		item[2][10];
	float		score[2][10];
	MfTopkStats stats[2] = {{0}};
	int64_t		looked[2];
	MfIndex		whole;
	void	   *workspace;
	bool		same = true;

	for (int64_t i = 0; i < c.n; i++)
	{
		memset(c.part[1] + i * c.ld, 0, (size_t) c.shared * sizeof(float));
		catalog_compose(&c, i);
	}
	ok(catalog_build(&c, MF_QUANTIZE_AUTO, 1) && mf_index_has_halves(&c.index) && c.index.shared == 16,
	   "an index of two parts has norms of halves");
	ok(halves_hold(&c), "which no item exceeds");
	whole = c.index;
	memset(whole.pack_half, 0, sizeof(whole.pack_half));
	memset(whole.block_half, 0, sizeof(whole.block_half));
	workspace = catalog_space(mf_topk_workspace(&c.index, 10));
	for (int q = 0; q < 50; q++)
	{
		make_query(&c, q, query);
		for (int j = c.index.shared; j < c.d; j++)
			query[j] *= 0.1f;
		for (int w = 0; w < 2; w++)
			mf_topk_search(w ? &whole : &c.index, query, 10, &filter, workspace, item[w], score[w], &stats[w]);
		same = same && memcmp(item[0], item[1], sizeof(item[0])) == 0 && memcmp(score[0], score[1], sizeof(score[0])) == 0;
	}
	ok(same, "searches find the same by them");
	for (int w = 0; w < 2; w++)
		looked[w] = stats[w].coded + stats[w].scored;
	ok(10 * looked[0] < 9 * looked[1], "and look at a tenth fewer items at least: %lld, not %lld", (long long) looked[0],
	   (long long) looked[1]);
	free(workspace);
	free(query);
	catalog_free(&c);
}

/* The kernels of each level that this machine has; returns how many. */
static int
kernels_of_levels(const MfScore **table)
{
	int			n = 0;

	for (; n < MF_ISA_LEVELS && mf_isa_limit((MfIsa) n) == (MfIsa) n; n++)
		table[n] = mf_score();
	return n;
}

/* Every table of kernels against plain loops: sums of codes to the bit, scores within their error. */
static void
test_kernels(void)
{
	static const int lengths[] = {16, 32, 48, 64, 80, 1008};
	const MfScore *table[MF_ISA_LEVELS];
	int			ntables = kernels_of_levels(table);
	uint8_t		code[16 * 1008 / 2];
	int8_t		query[1008];
	float		score[16];
	int32_t		sum[16];

	for (int t = 0; t < ntables; t++)
		for (int l = 0; l < 6; l++)
		{
			int			n = lengths[l];
			Catalog		c = catalog_new(17, n, 3);
			const float *q = c.vector + 16 * n;
			int32_t		least_sum = 0;
			uint16_t	passed = 0;
			uint16_t	expected = 0;
			bool		same = true;

			for (int i = 0; i < 8 * n; i++)
				code[i] = (uint8_t) (i % 5 == 0 ? 255 : mf_random_bits(1, (uint64_t) i));
			for (int j = 0; j < n; j++)
				query[j] = (int8_t) (j % 7 < 4 ? 127 : (int) (mf_random_bits(2, (uint64_t) j) % 255) - 127);
			table[t]->sq4_sums(code, n, query, sum);
			for (int i = 0; i < 16; i++)
			{
				int32_t		total = 0;
				double		exact = 0;
				double		qq = 0;
				double		vv = 0;

				for (int j = 0; j < n; j++)
				{
					int			byte = code[j / 8 * 64 + i * 4 + j % 4];
					double		v = c.vector[i * n + j];

					total += query[j] * (j % 8 < 4 ? byte & 15 : byte >> 4);
					exact += q[j] * v;
					vv += v * v;
					qq += (double) q[j] * q[j];
				}
				least_sum = i == 3 ? total : least_sum;
				same = same && sum[i] == total;
				if (i == 0)
					table[t]->score_rows(q, n, c.vector, (int32_t[]) {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
										 NULL, NULL, 0, score);
				same = same && fabs(score[i] - exact) <= mf_score_error(n) * sqrt(qq * vv);
			}
			for (int i = 0; i < 16; i++)
				expected |= (uint16_t) ((sum[i] >= least_sum) << i);
			same = same && table[t]->sq4_scan(code, n, query, 1, &least_sum, &passed) == 1 && passed == expected;
			ok(same, "%s: kernels, %d coordinates", mf_isa_name((MfIsa) t), n);
			catalog_free(&c);
		}
}

/* Every table's kernel of 8-bit codes against plain loops, with the largest numbers there are among them. */
static void
test_tile(void)
{
	static const int lengths[] = {16, 48, 64, 1008};
	static uint8_t code[MF_BLOCK * 1008];
	static int8_t query[MF_SQ8_TILE][1008];
	const MfScore *table[MF_ISA_LEVELS + 1];
	int			ntables = kernels_of_levels(table);

	table[ntables++] = mf_score_batch();

	for (int i = 0; i < (int) sizeof(code); i++)
		code[i] = (uint8_t) (i % 3 == 0 ? 127 : mf_random_bits(1, (uint64_t) i) % 128);
	for (int q = 0; q < MF_SQ8_TILE; q++)
		for (int j = 0; j < 1008; j++)
			query[q][j] = (int8_t) (q == 1 ? 127 : q == 2 ? -127 : (int) (mf_random_bits(2, (uint64_t) (q * 1008 + j)) % 255) - 127);
	for (int t = 0; t < ntables; t++)
		for (int l = 0; l < 4; l++)
			for (int n = 1; n <= MF_SQ8_TILE; n += 3)
			{
				int			ld = lengths[l];
				MfSq8Tile	tile = {.nqueries = n};
				bool		same = true;

				for (int q = 0; q < n; q++)
				{
					tile.query[q] = query[q];
					tile.live[q] = q == 3 ? 5 : 7;
					for (int p = 0; p < 3; p++)
						tile.least_sum[q][p] = p == 1 ? INT32_MAX : 100 * ld * (q - 2);
				}
				table[t]->sq8_scan_tile(code, ld, &tile);
				for (int q = 0; q < n; q++)
				{
					uint16_t	alone[64];
					uint64_t	found = table[t]->sq8_scan(code, ld, query[q], tile.live[q], tile.least_sum[q], alone);

					same = same && found == tile.found[q];
					for (int p = 0; p < 3; p++)
					{
						uint16_t	passed = 0;

						for (int i = 0; i < 16; i++)
						{
							int32_t		sum = 0;

							for (int j = 0; j < ld; j++)
								sum += query[q][j] * code[p * 16 * ld + j / 4 * 64 + i * 4 + j % 4];
							passed |= (uint16_t) ((sum >= tile.least_sum[q][p]) << i);
						}
						if ((tile.live[q] >> p & 1) == 0)
							passed = 0;
						same = same && (tile.found[q] >> p & 1) == (passed != 0) &&
							(passed == 0 || (tile.passed[q][p] == passed && alone[p] == passed));
					}
				}
				ok(same, "%s: 8-bit codes, %d coordinates, %d queries",
				   t == ntables - 1 ? "a batch" : mf_isa_name((MfIsa) t), ld, n);
			}
}

/* Whether every item passes the test of its codes when the threshold is its own score. */
static bool
codes_admit(const Catalog *c, const MfScore *kernels, const float *query, bool cosine)
{
	const MfIndex *x = &c->index;
	int8_t		code[1008];
	float		coordinate[1008];
	float		unit[1008] = {0};
	MfSqQuery	q = {.code = code,.coordinate = coordinate};
	double		norm = 0;
	bool		admitted = true;

	for (int j = 0; j < c->d; j++)
		norm += (double) query[j] * query[j];
	norm = sqrt(norm);
	for (int j = 0; j < c->d; j++)
		unit[j] = cosine && norm > 0 ? (float) (query[j] / norm) : query[j];
	if (cosine)
		norm = norm > 0 ? 1 : 0;
	norm *= 1 + 1e-6;
	if (!mf_sq4_query(&q, x, unit, norm))
		return true;
	for (int64_t at = 0; at < c->n && admitted; at++)
	{
		int64_t		first = at / MF_BLOCK * MF_BLOCK_PACKS;
		int64_t		p = at / MF_PACK - first;
		double		score = naive_score(c, query, x->item[at], cosine);
		MfSqBounds	b = {x->pack_norm + first,
			cosine || x->pack_offset == NULL ? NULL : x->pack_offset + first,
			cosine ? x->sq4.least_norm + first : NULL, x->sq4.step + first, x->sq4.error + first,
			x->sq4.length + first, x->sq4.rest + first,
			(float) (score - fabs(score) * 0x1.0p-21 - 0x1.0p-148), cosine ? INFINITY : (float) (norm * (1 + 1e-6)),
		q.per_error, q.per_length, q.per_rest, q.per_skew, q.unit, q.shift, {NULL, NULL}, {0, 0}};
		int32_t		least_sum[MF_BLOCK_PACKS];
		int32_t		sum[MF_PACK];

		for (int h = 0; h < 2 && mf_index_has_halves(x) && !cosine; h++)
		{
			b.half[h] = x->pack_half[h] + first;
			b.per_half[h] = (float) (half_norm(c, query, h) * (1 + 1e-6));
		}
		if (fabs(score) > 1e37)
			continue;
		admitted = kernels->sq_bound(&b, least_sum) >> p & 1;
		kernels->sq4_sums(x->sq4.code + (size_t) (at / MF_PACK) * x->sq4.dims * 8, x->sq4.dims, code, sum);
		admitted = admitted && sum[at % MF_PACK] >= least_sum[p];
		if (!admitted)
			printf("#   position %lld, score %g: sum %d, least_sum %d\n", (long long) at, score,
				   sum[at % MF_PACK], least_sum[p]);
	}
	return admitted;
}

/* The bound of the codes, directly: on every shape, no item is ruled out by a threshold that it reaches. */
static void
test_bound(void)
{
	static const int lengths[] = {1, 15, 24, 65, 128};
	const MfScore *table[MF_ISA_LEVELS];
	int			ntables = kernels_of_levels(table);

	for (int shape = 0; shape < SHAPES; shape++)
	{
		bool		admitted = true;

		for (int l = parts; l < 5; l += parts > 0 ? 2 : 1)
			for (int offsets = 0; offsets < 2; offsets++)
			{
				Catalog		c = shaped((Shape) shape, 1100, lengths[l], offsets * 2.0f);
				float	   *query = catalog_space(c.ld * sizeof(float));

				admitted = admitted && catalog_build(&c, MF_QUANTIZE_SQ4, 1) && c.index.sq4.dims > 0;
				for (int q = 0; q < 8; q++)
				{
					make_query(&c, q, query);
					for (int t = 0; t < ntables; t++)
						admitted = admitted && codes_admit(&c, table[t], query, false) &&
							codes_admit(&c, table[t], query, true);
				}
				free(query);
				catalog_free(&c);
			}
		ok(admitted, "codes rule out no item that reaches the threshold: %s", shape_name[shape]);
	}
}

/* Scores of chosen items. */
static void
test_score(void)
{
	Catalog		c = shaped(RANDOM, 100, 9, 0.3f);
	float		query[16];
	int32_t		item[100];
	float		score[100];
	bool		same = true;

	catalog_build(&c, MF_QUANTIZE_AUTO, 1);
	make_query(&c, 0, query);
	for (int i = 0; i < 100; i++)
		item[i] = 99 - i;
	mf_topk_score(&c.index, query, item, 100, score);
	for (int i = 0; i < 100; i++)
		same = same && score[i] == (float) naive_score(&c, query, item[i], false);
	ok(same, "scores of chosen items");
	catalog_free(&c);
}

int
main(void)
{
	MfIsa		best = mf_isa();

	for (int level = 0; level < MF_ISA_LEVELS; level++)
	{
		const char *name = mf_isa_name((MfIsa) level);

		if (mf_isa_limit((MfIsa) level) != (MfIsa) level)
		{
			skip(name, "this machine has not got it");
			continue;
		}
		whole = level == (int) best || thorough();
		test_shapes(name, 2500, 24, 8);
		test_sizes(name);
		test_many(name);
		test_filters(name);
		test_first_seen(name);
		test_batch(name);
		for (parts = 1; parts <= 2; parts++)
		{
			if (!whole && parts != 1 + level % 2)
				continue;
			scaled = false;
			test_shapes(name, 1200, 24, 3);
			test_sizes(name);
			scaled = true;
			test_shapes(name, 1200, 24, 3);
		}
		parts = 0;
	}
	test_kernels();
	test_tile();
	for (int kind = 0; kind <= 4; kind++)
	{
		parts = kind > 2 ? kind - 2 : kind;
		scaled = kind > 2;
		test_bound();
		test_block(MF_QUANTIZE_AUTO);
		test_block(MF_QUANTIZE_SQ4);
		test_score();
	}
	parts = 2;
	test_halves();
	return done();
}

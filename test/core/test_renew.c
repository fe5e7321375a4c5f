/*
 * test_renew.c - an index in which items have changed, come and gone: what searches find is what a naive scan of the items
 * that there are now finds, round after round, and nearly all of the block stays as it was.
 */
#include "tap.h"

#include "catalog.h"
#include "core/topk/directions.h"
#include "core/topk/sq8.h"

/* What indexes are of: 0 floats, else whole numbers in so many parts. */
static int	parts;

/* And whether those of two parts have scales. */
static bool scaled;

/* A random number below n. */
static int64_t
below(uint64_t seed, int64_t i, int64_t n)
{
	return (int64_t) (mf_random_bits(seed, (uint64_t) i) % (uint64_t) n);
}

/* Items after a round, and how they came to be. */
typedef struct Round
{
	Catalog		now;			/* without an index */
	int32_t    *before;
	int64_t		nrenewed;
	int32_t    *item;
	float	   *vector;
	float	   *offset;
	float	   *part[2];		/* of what index has parts of whole numbers, like the next */
	float	   *weight;
	float	   *scale;
} Round;

/* Rounds item i, or makes it of two parts that are whole numbers: what it is, as far as these share numbers, and this. */
static void
compose_item(Catalog *c, int64_t i, uint64_t seed)
{
	size_t		at = (size_t) (i * c->ld);

	if (parts == 1)
		mf_narrow_round(c->vector + at, c->d);
	if (parts < 2)
		return;
	memcpy(c->part[0] + at, c->vector + at, sizeof(float) * (size_t) c->ld);
	memset(c->part[0] + at + c->shared, 0, sizeof(float) * (size_t) (c->ld - c->shared));
	for (int j = 0; j < c->ld; j++)
		c->part[1][at + (size_t) j] = j < c->d ? mf_random_normal(seed + 2, (uint64_t) (i * c->d + j)) : 0;
	mf_narrow_round(c->part[0] + at, c->d);
	mf_narrow_round(c->part[1] + at, c->d);
	c->weight[i] = i % 5 == 0 ? 0 : 0.3f;
	if (scaled)
		c->scale[i] = catalog_random_scale(seed + 3, i);
	catalog_compose(c, i);
}

/* Gives an item of a round a random vector, longer or shorter than others, and offset. */
static void
renew_item(Round *round, int64_t i, uint64_t seed)
{
	Catalog    *c = &round->now;
	float	   *v = c->vector + i * c->ld;
	double		factor = pow(10, below(seed, 3 * i, 5) - 3);

	for (int j = 0; j < c->ld; j++)
		v[j] = j < c->d ? mf_random_normal(seed, (uint64_t) (i * c->d + j)) : 0;
	catalog_scale(c, i, factor);
	compose_item(c, i, seed);
	for (int p = 0; p < 2 && parts == 2; p++)
		memcpy(round->part[p] + round->nrenewed * c->ld, c->part[p] + i * c->ld, c->ld * sizeof(float));
	if (parts == 2)
		round->weight[round->nrenewed] = c->weight[i];
	if (c->scale != NULL)
		round->scale[round->nrenewed] = c->scale[i];
	if (c->offset != NULL)
		c->offset[i] = mf_random_normal(seed + 1, (uint64_t) i);
	memcpy(round->vector + round->nrenewed * c->ld, v, c->ld * sizeof(float));
	round->offset[round->nrenewed] = c->offset == NULL ? 0 : c->offset[i];
	round->item[round->nrenewed++] = (int32_t) i;
	round->before[i] = -1;
}

/* Of each `rate` items of c one goes, one changes, and one comes before it. */
static Round
make_round(const Catalog *c, int64_t rate, uint64_t seed)
{
	int64_t		most = 2 * c->n;
	Round		round = {.now = catalog_new(most, c->d, 1),.before = malloc(most * sizeof(int32_t)),
	.item = malloc(most * sizeof(int32_t)),.vector = catalog_space(most * c->ld * sizeof(float)),
	.offset = malloc(most * sizeof(float)),.weight = malloc(most * sizeof(float)),
	.scale = c->scale == NULL ? NULL : malloc(most * sizeof(float))};
	int64_t		n = 0;

	round.now.part[0] = parts == 1 ? round.now.vector : NULL;
	for (int p = 0; p < 2 && parts == 2; p++)
	{
		round.part[p] = catalog_space(most * c->ld * sizeof(float));
		round.now.part[p] = catalog_space(most * c->ld * sizeof(float));
	}
	if (parts == 2)
		round.now.weight = malloc(most * sizeof(float));
	if (c->scale != NULL)
		round.now.scale = malloc(most * sizeof(float));
	round.now.shared = c->shared;
	if (c->offset != NULL)
		catalog_offsets(&round.now, 1, 1);
	for (int64_t i = 0; i < c->n; i++)
	{
		int64_t		fate = below(seed, i, rate);

		if (fate == 2)
			renew_item(&round, n++, seed);
		if (fate == 0)
			continue;
		round.before[n] = (int32_t) i;
		memcpy(round.now.vector + n * c->ld, c->vector + i * c->ld, c->ld * sizeof(float));
		for (int p = 0; p < 2 && parts == 2; p++)
			memcpy(round.now.part[p] + n * c->ld, c->part[p] + i * c->ld, c->ld * sizeof(float));
		if (parts == 2)
			round.now.weight[n] = c->weight[i];
		if (c->scale != NULL)
			round.now.scale[n] = c->scale[i];
		if (c->offset != NULL)
			round.now.offset[n] = c->offset[i];
		if (fate == 1)
			renew_item(&round, n, seed);
		n++;
	}
	round.now.n = n;
	return round;
}

static void
free_round(Round *round)
{
	free(round->before);
	free(round->item);
	free(round->vector);
	free(round->offset);
	free(round->part[0]);
	free(round->part[1]);
	free(round->weight);
	free(round->scale);
}

/* Renews the index of c by a round; c becomes what the round says.  False where there is no room. */
static bool
take_round(Catalog *c, Round *round)
{
	MfRenewal	renewal = {round->now.n, round->before, round->nrenewed, round->item, round->vector,
	c->offset == NULL ? NULL : round->offset, {parts == 2 ? round->part[0] : round->vector, round->part[1]}, round->weight, round->scale};
	void	   *workspace = catalog_space(mf_index_renew_workspace(&c->index, &renewal));
	bool		renewed = mf_index_renew(c->space, c->size, workspace, &renewal);

	free(workspace);
	if (!renewed)
		return false;
	free(c->vector);
	free(c->offset);
	for (int p = 0; p < 2 && parts == 2; p++)
	{
		free(c->part[p]);
		c->part[p] = round->now.part[p];
	}
	free(c->weight);
	c->weight = round->now.weight;
	free(c->scale);
	c->scale = round->now.scale;
	c->vector = round->now.vector;
	if (parts == 1)
		c->part[0] = c->vector;
	c->offset = round->now.offset;
	c->n = round->now.n;
	return mf_index_open(&c->index, c->space, c->size);
}

/* A catalog with an index that has room; flat: norms of 1, else they fall like a power of the rank. */
static Catalog
make_catalog(int64_t n, int d, bool flat, bool offsets, MfQuantization codes)
{
	Catalog		c = catalog_new(n, d, 11);

	for (int64_t i = 0; i < n && !flat; i++)
		catalog_scale(&c, i, pow((double) below(3, i, n) + 1, -0.7));
	if (flat)
		catalog_normalize(&c);
	if (offsets)
		catalog_offsets(&c, 0.3f, 5);
	if (parts > 0)
		catalog_narrow(&c, parts, 8);
	if (scaled)
		catalog_scales(&c, 9);
	c.room = mf_index_room(n);
	if (!catalog_build(&c, codes, 2))
		c.n = 0;
	return c;
}

/* Searches of all kinds: by score and by cosine, all items or some, at most so many of a group. */
static bool
searches_agree(const Catalog *c, int k)
{
	int32_t    *list = malloc((size_t) c->n * sizeof(int32_t));
	int32_t    *group = malloc((size_t) c->n * sizeof(int32_t));
	uint64_t   *allowed = calloc((size_t) c->n / 64 + 1, sizeof(uint64_t));
	float	   *query = catalog_space(c->ld * sizeof(float));
	bool		same = true;

	for (int32_t i = 0; i < c->n; i++)
	{
		list[i] = (int32_t) below(21, i, c->n);
		group[i] = (int32_t) below(22, i, 40);
		allowed[i / 64] |= (uint64_t) (below(23, i, 50) == 0) << (i % 64);
	}
	for (int q = 0; q < 6 && same; q++)
	{
		MfFilter	filters[] = {{0}, {.candidates = list,.ncandidates = 100}, {.candidates = list,.ncandidates = 1000},
			{.allowed = allowed}, {.excluded = allowed,.seen = list,.nseen = 300}, {.group = group,.per_group = 2}};

		memset(query, 0, c->ld * sizeof(float));
		for (int j = 0; j < c->d; j++)
			query[j] = mf_random_normal(77, (uint64_t) (q * c->d + j));
		if (q == 3)
			memcpy(query, c->vector + c->n / 3 * c->ld, c->ld * sizeof(float));
		for (int f = 0; f < 6 && same; f++)
			same = same_as_naive(c, query, k, &filters[f], false) && same_as_naive(c, query, k, &filters[f], true);
	}
	free(list);
	free(group);
	free(allowed);
	free(query);
	return same;
}

/* Searches for many vectors at once find what searches for each do. */
static bool
batches_agree(const Catalog *c, int k)
{
	enum
	{
		QUERIES = 70
	};
	MfParallel	parallel = {2, NULL};
	Catalog		queries = catalog_new(QUERIES, c->d, 99);
	int32_t    *item = malloc(sizeof(int32_t) * QUERIES * (size_t) k);
	float	   *score = malloc(sizeof(float) * QUERIES * (size_t) k);
	int32_t		count[QUERIES];
	int32_t    *its_item = malloc(sizeof(int32_t) * (size_t) k);
	float	   *its_score = malloc(sizeof(float) * (size_t) k);
	void	   *codes = catalog_space(mf_sq8_size(&c->index));
	void	   *workspace = catalog_space(mf_topk_batch_workspace(&c->index, k, &parallel));
	MfSq8		sq8;
	MfTopkBatch batch = {.nqueries = QUERIES,.query = queries.vector,.k = k,.item = item,.score = score,.count = count};
	bool		same = mf_sq8_build(&sq8, codes, &c->index, &parallel);

	if (c->index.sq4.dims > 0)
		batch.sq8 = &sq8;
	same = same && mf_topk_batch(&c->index, &batch, workspace, &parallel);
	for (int q = 0; q < QUERIES && same; q++)
		same = count[q] == mf_topk_search(&c->index, queries.vector + q * c->ld, k, NULL, workspace, its_item, its_score, NULL) &&
			memcmp(item + q * k, its_item, sizeof(int32_t) * (size_t) count[q]) == 0 &&
			memcmp(score + q * k, its_score, sizeof(float) * (size_t) count[q]) == 0;
	free(item);
	free(score);
	free(its_item);
	free(its_score);
	free(codes);
	free(workspace);
	catalog_free(&queries);
	return same;
}

/* The directions of a catalog's own vectors, as another catalog of the same items. */
static Catalog
make_directions(const Catalog *c)
{
	MfVectors	rows = {.factors = parts == 2 ? c->shared : c->d};
	MfParallel	parallel = {2, NULL};
	Catalog		directions = *c;
	void	   *workspace = catalog_space(mf_directions_workspace(c->n, rows.factors, &parallel));

	if (parts == 2)
		directions.d = c->shared;
	directions.space = catalog_space(mf_directions_size(c->index.room, rows.factors));
	directions.size = mf_directions_build(directions.space, workspace, &c->index, &rows, &parallel);
	free(workspace);
	return directions;
}

/* Renews these after the index has been; whether searches by cosine find what there is now, and codes have stayed. */
static bool
directions_agree(Catalog *directions, const Catalog *c)
{
	MfVectors	rows = {.factors = parts == 2 ? c->shared : c->d};
	void	   *workspace = catalog_space(mf_directions_renew_workspace(rows.factors));
	size_t		coded = (size_t) mf_index_base_rows(&c->index) / 2;
	void	   *copy = malloc(directions->size);
	bool		same;

	memcpy(copy, directions->space, directions->size);
	same = mf_directions_renew(directions->space, directions->size, workspace, &c->index, &rows) &&
		mf_directions_open(&directions->index, &c->index, &rows, directions->space, directions->size);
	directions->n = c->n;
	directions->vector = parts == 2 ? c->part[0] : c->vector;
	coded *= (size_t) directions->index.sq4.dims;
	same = same && memcmp(directions->index.sq4.code, (char *) copy +
						  ((const char *) directions->index.sq4.code - (char *) directions->space), coded) == 0;
	for (int q = 0; q < 20 && same; q++)
		same = same_as_naive(directions, directions->vector + (c->n / 20 * q) * c->ld, q % 2 == 0 ? 10 : 3000, NULL, true);
	free(workspace);
	free(copy);
	return same;
}

/* The vectors of the blocks that an index was built with, as they lie there; of whole numbers their last part. */
static const void *
built_vectors(const MfIndex *index)
{
	int			n = mf_index_narrow_parts(index);

	return n > 0 ? (const void *) index->narrow.number[n - 1] : index->vector;
}

/* Their bytes. */
static size_t
built_bytes(const MfIndex *index)
{
	return (size_t) (mf_index_base_rows(index) * index->ld) *
		(mf_index_narrow_parts(index) > 0 ? sizeof(int16_t) : sizeof(float));
}

/* Whether vectors are the same but for the sign of 0, which whole numbers do not have. */
static bool
same_numbers(const float *a, const float *b, int n)
{
	bool		same = true;

	for (int j = 0; j < n; j++)
		same &= a[j] == b[j];
	return same;
}

/* Rounds on one index; vectors and codes of the blocks that it was built with stay to the byte. */
static void
test_rounds(int64_t n, int d, bool flat, bool offsets, MfQuantization codes)
{
	Catalog		c = make_catalog(n, d, flat, offsets, codes);
	size_t		rows = built_bytes(&c.index);
	size_t		coded = (size_t) mf_index_base_rows(&c.index) / 2 * (size_t) c.index.sq4.dims;
	float	   *row = catalog_space((size_t) c.ld * sizeof(float));
	void	   *vector = malloc(rows);
	uint8_t    *code = malloc(coded + 1);
	bool		same = c.n == n && c.index.renewed_blocks == 0;
	Catalog		directions = make_directions(&c);

	memcpy(vector, built_vectors(&c.index), rows);
	if (coded > 0)
		memcpy(code, c.index.sq4.code, coded);
	for (uint64_t r = 0; r < 3 && same; r++)
	{
		Round		round = make_round(&c, n > 10000 ? 130 : 100, 40 + r);

		same = take_round(&c, &round) && c.index.nitems == c.n && c.index.renewed_blocks > 0;
		for (int32_t i = 0; i < c.n && same; i++)
			same = same_numbers(mf_index_vector(&c.index, i, row), c.vector + (int64_t) i * c.ld, c.ld) &&
				c.index.item[c.index.position[i]] == i;
		same = same && searches_agree(&c, 10) && searches_agree(&c, (int) c.n) && batches_agree(&c, 12) &&
			directions_agree(&directions, &c);
		free_round(&round);
	}
	ok(same && mf_index_narrow_parts(&c.index) == parts, "%lld x %d items of %d parts in three rounds, %s%s, codes %d",
	   (long long) n, d, parts, flat ? "flat" : "popular", offsets ? ", offsets" : "", (int) codes);
	ok(memcmp(vector, built_vectors(&c.index), rows) == 0 && (coded == 0 || memcmp(code, c.index.sq4.code, coded) == 0),
	   "vectors and codes that were built stay");
	free(row);
	free(vector);
	free(code);
	free(directions.space);
	catalog_free(&c);
}

/* Without room an index stays as it is: one of few items has none, and any has an end. */
static void
test_room(void)
{
	Catalog		few = make_catalog(1000, 8, false, true, MF_QUANTIZE_AUTO);
	Catalog		many = make_catalog(5000, 8, false, false, MF_QUANTIZE_AUTO);
	Round		round = make_round(&few, 100, 1);
	void	   *copy = catalog_space(many.size);

	ok(few.room == 1000 && !take_round(&few, &round), "few items have no room");
	ok(searches_agree(&few, 10), "and are found as before");
	free_round(&round);
	catalog_free(&round.now);
	memcpy(copy, many.space, many.size);
	round = make_round(&many, 4, 1);
	ok(!take_round(&many, &round) && memcmp(copy, many.space, many.size) == 0, "too many changes leave an index as it is");
	ok(!mf_index_renew(many.space, many.size - 64, copy, &(MfRenewal) {0}), "as does one that does not open");
	free_round(&round);
	catalog_free(&round.now);
	catalog_free(&few);
	catalog_free(&many);
	free(copy);
}

/* Of whole numbers an index takes nothing else, and stays as it is. */
static void
test_misfit(void)
{
	Catalog		c = make_catalog(5000, 24, false, true, MF_QUANTIZE_AUTO);
	Round		round = make_round(&c, 100, 1);
	void	   *copy = catalog_space(c.size);
	float	   *last = (parts == 2 ? round.part[1] : round.vector) + (round.nrenewed - 1) * c.ld;

	memcpy(copy, c.space, c.size);
	last[0] = last[1] * 1.0001f;
	ok(!take_round(&c, &round) && memcmp(copy, c.space, c.size) == 0,
	   "a vector that is not of whole numbers leaves an index of %d parts as it is", parts);
	free_round(&round);
	catalog_free(&round.now);
	catalog_free(&c);
	free(copy);
}

int
main(void)
{
	for (int kind = 0; kind <= 3; kind++)
		for (int flat = 0; flat <= 1; flat++)
			for (int offsets = 0; offsets <= 1; offsets++)
			{
				parts = kind > 2 ? 2 : kind;
				scaled = kind > 2;
				test_rounds(5000, 24, flat, offsets, MF_QUANTIZE_AUTO);
				test_rounds(4700, 33, flat, offsets, MF_QUANTIZE_SQ4);
			}
	scaled = false;
	for (parts = 1; parts <= 2; parts++)
		test_misfit();
	parts = 0;
	test_rounds(9000, 16, true, true, MF_QUANTIZE_AUTO);
	test_rounds(6000, 300, false, true, MF_QUANTIZE_NEVER);
	test_rounds(40000, 8, false, true, MF_QUANTIZE_AUTO);	/* several renewed blocks */
	test_room();
	return done();
}

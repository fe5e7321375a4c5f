/*
 * test_directions.c - an index of directions over another index: searches by cosine find what a naive scan of its vectors
 * finds, be they those of the other index or given one by one.
 */
#include "tap.h"

#include "catalog.h"
#include "core/simd/isa.h"
#include "core/topk/directions.h"

/* How vectors are made. */
typedef enum Shape
{
	RANDOM,
	LOW_RANK,					/* most of it in a few directions */
	ZEROS,						/* every third vector is 0 */
	ALL_ZERO,
	COPIES,						/* every vector many times, in other lengths */
	NEAR_TIES,					/* cosines that differ by less than floats can tell */
	WIDE,						/* norms from 1e-35 to 1e35 */
	SHAPES
} Shape;

static const char *const shape_name[] = {"random", "low rank", "zeros", "all zero", "copies", "near ties", "wide"};

/* Makes vector i of a shape out of a random one. */
static void
shape_vector(Catalog *c, Shape shape, int64_t i)
{
	float	   *v = c->vector + i * c->ld;

	for (int j = 0; j < c->d && shape == LOW_RANK; j++)
		v[j] *= (float) pow(0.7, j);
	if (shape == ALL_ZERO || (shape == ZEROS && i % 3 == 0))
		memset(v, 0, c->ld * sizeof(float));
	if (shape == COPIES)
		memcpy(v, c->vector + i % 5 * c->ld, c->ld * sizeof(float));
	if (shape == COPIES && i >= 5)
		catalog_scale(c, i, ldexp(1, (int) (i % 7)));
	for (int j = 0; j < c->d && shape == NEAR_TIES; j++)
		v[j] = 1 + (j == 0 ? 0x1.0p-22f * (float) (mf_random_bits(9, (uint64_t) i) % 8) : 0);
	if (shape == WIDE)
		catalog_scale(c, i, pow(10, (double) (i % 71) - 35));
}

static Catalog
shaped(Shape shape, int64_t n, int d, uint64_t seed)
{
	Catalog		c = catalog_new(n, d, seed);

	for (int64_t i = 0; i < n; i++)
		shape_vector(&c, shape, i);
	return c;
}

/* MfVectors: those of a catalog, by position in the index of another one. */
typedef struct Given
{
	const Catalog *directions;
	const MfIndex *index;
} Given;

static const float *
give(const void *state, int32_t position, float *workspace)
{
	const Given *given = state;
	int32_t		item = given->index->item[position];

	if (item < 0)
		return given->directions->vector;
	return memcpy(workspace, given->directions->vector + (int64_t) item * given->directions->ld,
				  given->directions->ld * sizeof(float));
}

/* Builds the index of directions of c over base's: of base's vectors, or where c has others given ones. */
static bool
build(Catalog *c, const Catalog *base, Given *given, int nthreads)
{
	MfParallel	parallel = {nthreads, NULL};
	MfVectors	rows = {c->vector == base->vector ? NULL : give, given, c->d};
	void	   *workspace = catalog_space(mf_directions_workspace(c->n, c->d, &parallel));

	*given = (Given) {c, &base->index};
	free(c->space);
	c->space = catalog_space(mf_directions_size(base->index.room, c->d));
	c->size = mf_directions_build(c->space, workspace, &base->index, &rows, &parallel);
	free(workspace);
	return c->size > 0 && c->size <= mf_directions_size(base->index.room, c->d) &&
		mf_directions_open(&c->index, &base->index, &rows, c->space, c->size);
}

/* Searches of all kinds, for few and for many. */
static bool
searches_agree(const Catalog *c)
{
	int32_t    *list = malloc((size_t) (c->n + 1) * sizeof(int32_t));
	int32_t    *group = malloc((size_t) (c->n + 1) * sizeof(int32_t));
	uint64_t   *some = calloc((size_t) c->n / 64 + 1, sizeof(uint64_t));
	float	   *query = catalog_space(c->ld * sizeof(float));
	bool		same = true;

	for (int32_t i = 0; i < c->n; i++)
	{
		list[i] = (int32_t) (mf_random_bits(21, (uint64_t) i) % (uint64_t) c->n);
		group[i] = (int32_t) (mf_random_bits(22, (uint64_t) i) % 40);
		some[i / 64] |= (uint64_t) (mf_random_bits(23, (uint64_t) i) % 4 == 0) << (i % 64);
	}
	for (int q = 0; q < 5 && same; q++)
	{
		MfFilter	filters[] = {{0}, {.candidates = list,.ncandidates = c->n < 100 ? c->n : 100}, {.allowed = some},
			{.candidates = list,.ncandidates = c->n}, {.excluded = some,.seen = list,.nseen = c->n / 9}, {.group = group,.per_group = 2}};

		memset(query, 0, c->ld * sizeof(float));
		for (int j = 0; j < c->d && q < 4; j++)
			query[j] = mf_random_normal(77, (uint64_t) (q * c->d + j));
		if (q % 2 == 1 && c->n > 0)
			memcpy(query, c->vector + q * 7 % c->n * c->ld, c->ld * sizeof(float));
		for (int f = 0; f < 6 && same; f++)
			same = same_as_naive(c, query, 10, &filters[f], true) && same_as_naive(c, query, (int) c->n, &filters[f], true);
	}
	free(list);
	free(group);
	free(some);
	free(query);
	return same;
}

/* Directions of one shape over an index of n items x d: its own vectors, and others of a length that may be another. */
static bool
shape_agrees(Shape shape, int64_t n, int d, int length)
{
	Catalog		base = shaped(shape, n, d, 3);
	Catalog		own = base;
	Catalog		other = shaped(shape, n, length, 5);
	Given		given;
	bool		same;

	catalog_offsets(&base, 0.3f, 5);
	base.room = n + n / 3;
	same = catalog_build(&base, MF_QUANTIZE_AUTO, 1) && build(&own, &base, &given, 1) && searches_agree(&own) &&
		build(&other, &base, &given, 2) && searches_agree(&other);
	free(own.space);
	catalog_free(&other);
	catalog_free(&base);
	return same;
}

/* The same over an index of whole numbers in two parts, of whose first one the directions are. */
static bool
first_part_agrees(Shape shape, int64_t n, int d)
{
	Catalog		base = shaped(shape, n, d, 3);
	Catalog		own;
	Given		given;
	bool		same;

	base.room = n + n / 3;
	catalog_narrow(&base, 2, 8);
	catalog_scales(&base, 9);	/* of which directions know nothing */
	same = catalog_build(&base, MF_QUANTIZE_AUTO, 1) && mf_index_narrow_parts(&base.index) == 2;
	own = base;
	own.space = NULL;
	own.d = base.shared;
	same = same && build(&own, &base, &given, 1);
	own.vector = base.part[0];
	same = same && searches_agree(&own);
	free(own.space);
	catalog_free(&base);
	return same;
}

/* The block: the same bytes for any number of threads, and it opens only whole, over the index that it was built over. */
static void
test_block(void)
{
	Catalog		base = shaped(RANDOM, 3000, 40, 3);
	Catalog		c = shaped(RANDOM, 3000, 20, 5);
	Catalog		less = shaped(RANDOM, 2000, 40, 3);
	Given		given;
	MfVectors	rows = {give, &given, 20};
	MfIndex		index;
	void	   *copy;

	ok(catalog_build(&base, MF_QUANTIZE_AUTO, 1) && catalog_build(&less, MF_QUANTIZE_AUTO, 1) && build(&c, &base, &given, 1),
	   "directions are built");
	copy = catalog_space(c.size);
	memcpy(copy, c.space, c.size);
	ok(build(&c, &base, &given, 3) && memcmp(copy, c.space, c.size) == 0, "they have the same bytes for 1 and 3 threads");
	ok(mf_directions_open(&index, &base.index, &rows, copy, c.size), "a copy elsewhere opens");
	ok(!mf_directions_open(&index, &base.index, &rows, copy, c.size - 64), "a truncated one does not");
	ok(!mf_directions_open(&index, &base.index, &rows, copy, 10), "nor one shorter than its header");
	ok(!mf_directions_open(&index, &less.index, &rows, copy, c.size), "nor one of another index");
	rows.factors = 21;
	ok(!mf_directions_open(&index, &base.index, &rows, copy, c.size), "nor one of vectors of another length");
	rows.factors = 20;
	((char *) copy)[0] ^= 1;
	ok(!mf_directions_open(&index, &base.index, &rows, copy, c.size), "nor one with another first word");
	free(copy);
	catalog_free(&c);
	catalog_free(&less);
	catalog_free(&base);
}

int
main(void)
{
	static const int64_t counts[] = {0, 1, 15, 17, 1025, 2500};
	MfIsa		best = mf_isa();

	for (int level = 0; level < MF_ISA_LEVELS; level++)
	{
		const char *name = mf_isa_name((MfIsa) level);
		bool		whole;

		if (mf_isa_limit((MfIsa) level) != (MfIsa) level)
		{
			skip(name, "this machine has not got it");
			continue;
		}
		whole = level == (int) best || thorough();
		for (int shape = whole ? 0 : level % 2; shape < SHAPES; shape += whole ? 1 : 2)
			ok(shape_agrees((Shape) shape, 2500, 24, 24) && shape_agrees((Shape) shape, 1100, 96, 65), "%s: %s", name,
			   shape_name[shape]);
		for (int shape = whole ? 0 : level % 2; shape < WIDE; shape += whole ? 1 : 2)
			ok(first_part_agrees((Shape) shape, 2500, 24) && first_part_agrees((Shape) shape, 1100, 96), "%s: %s, whole numbers",
			   name, shape_name[shape]);
		for (int i = 0; i < 6; i++)
			ok(shape_agrees(RANDOM, counts[i], 33, 7), "%s: %lld items", name, (long long) counts[i]);
	}
	test_block();
	return done();
}

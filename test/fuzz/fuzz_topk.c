/*
 * fuzz_topk.c - any items, any filter: the search gives what the naive scan gives.
 *
 * Coordinates are small whole numbers times a power of two of the item's, so that sums are exact in
 * double whatever their order, and ties are common.
 */
#include "bytes.h"

#include "catalog.h"

#define WORDS(n) ((size_t) ((n) + MF_BLOCK - 1) / MF_BLOCK * (MF_BLOCK / 64))

static Catalog
take_catalog(Bytes *bytes)
{
	int64_t		n = 1 + take_below(bytes, 2600);
	int			d = 1 + (int) take_below(bytes, 40);
	Catalog		c = {.n = n,.d = d,.ld = mf_padded(d)};
	bool		offsets = take_byte(bytes) & 1;
	uint32_t	period = 1 + take_below(bytes, 64);
	uint8_t		pattern[64];

	for (uint32_t i = 0; i < period; i++)
		pattern[i] = take_byte(bytes);
	c.vector = catalog_space((size_t) n * c.ld * sizeof(float));
	memset(c.vector, 0, (size_t) n * c.ld * sizeof(float));
	if (offsets)
		c.offset = catalog_space((size_t) n * sizeof(float));
	for (int64_t i = 0; i < n; i++)
	{
		uint8_t		shape = bytes->left > 0 ? take_byte(bytes) : pattern[i % period];

		for (int j = 0; j < d; j++)
		{
			uint8_t		b = pattern[(shape + j * (1 + shape / 16)) % period];

			c.vector[i * c.ld + j] = ldexpf((float) (b % 16) - 8, shape % 8 - 4);
		}
		if (offsets)
			c.offset[i] = (float) (shape % 32) - 16;
	}
	return c;
}

static void
take_query(Bytes *bytes, const Catalog *c, float *query)
{
	memset(query, 0, sizeof(float) * c->ld);
	for (int j = 0; j < c->d; j++)
		query[j] = (float) take_byte(bytes) - 128;
}

/* Numbers of items in any order, some more than once, some negative where they may be. */
static int64_t
take_items(Bytes *bytes, const Catalog *c, int32_t *item, bool negative)
{
	int64_t		n = take_below(bytes, 600);
	int64_t		kept = 0;

	for (int64_t i = 0; i < n; i++)
	{
		int32_t		next = (int32_t) take_below(bytes, (uint32_t) c->n + 3) - 3;

		if (next >= 0 || negative)
			item[kept++] = next;
	}
	return kept;
}

static uint64_t *
take_bitmap(Bytes *bytes, const Catalog *c)
{
	uint64_t   *bitmap = calloc(WORDS(c->n), sizeof(uint64_t));

	for (size_t w = 0; w < WORDS(c->n); w++)
		bitmap[w] = (uint64_t) take_byte(bytes) * UINT64_C(0x0123456789abcdef);
	return bitmap;
}

static int32_t *
take_groups(Bytes *bytes, const Catalog *c)
{
	int32_t    *group = malloc((size_t) c->n * sizeof(int32_t));
	uint32_t	ngroups = 1 + take_below(bytes, 50);

	for (int64_t i = 0; i < c->n; i++)
		group[i] = (int32_t) ((uint32_t) (i * i) % (ngroups + 1));
	return group;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		bytes = {data, size};
	MfQuantization codes = (MfQuantization) take_below(&bytes, 3);
	uint8_t		parts = take_byte(&bytes);
	Catalog		c = take_catalog(&bytes);
	int			k = 1 + (int) take_below(&bytes, 300);
	float	   *query = catalog_space(sizeof(float) * c.ld);
	int32_t		seen[600];
	int32_t		candidates[600];
	MfFilter	filter = {0};

	take_query(&bytes, &c, query);
	if (parts & 1)
		filter.allowed = take_bitmap(&bytes, &c);
	if (parts & 2)
		filter.excluded = take_bitmap(&bytes, &c);
	if (parts & 4)
	{
		filter.nseen = take_items(&bytes, &c, seen, false);
		filter.seen = seen;
	}
	if (parts & 8)
	{
		filter.ncandidates = take_items(&bytes, &c, candidates, true);
		filter.candidates = candidates;
	}
	if (parts & 16)
	{
		filter.per_group = 1 + (int) take_below(&bytes, 4);
		filter.group = take_groups(&bytes, &c);
	}
	require(catalog_build(&c, codes, 1));
	require(same_as_naive(&c, query, k, &filter, false));
	free((void *) filter.allowed);
	free((void *) filter.excluded);
	free((void *) filter.group);
	free(query);
	catalog_free(&c);
	return 0;
}

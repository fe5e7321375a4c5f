/*
 * index.c - builds and opens the item index that serving reads.
 *
 * The block is a header and arrays at multiples of 64 bytes whose places follow from the header, so
 * it means the same wherever it is mapped.  The caller owns all memory.
 *
 * Items are ordered by descending norm, because |p| |v| bounds p.v: a search that has k items better
 * than |p| times the next norm is done.  With offsets the bound is |p| |v| + o, whose order depends
 * on |p|.  So items are cut into strips within which norms differ by at most 3%, and a strip is
 * ordered by descending offset: its packs are then alike in both, whatever |p|.
 */
#include "core/topk/index.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/base/rounding.h"
#include "core/kernels/score.h"
#include "core/topk/sq4.h"
#include "core/topk/sq8.h"

#define INDEX_MAGIC "mfindex"
#define INDEX_FORMAT 5
#define INDEX_ORDER UINT32_C(0x01020304)	/* tells the byte order */

/* A strip ends where the norm has fallen below this share of its first one. */
#define STRIP_SHARE 0.97f

/* Where norms prune, most searches end within so many blocks: those have 8-bit codes. */
#define SQ8_BLOCKS 4

/* What the block begins with; everything else follows from it. */
typedef struct Header
{
	char		magic[8];
	uint32_t	format;
	uint32_t	order;
	int64_t		nitems;
	int32_t		factors;
	int32_t		sq4_dims;
	int32_t		has_offset;
	float		sq4_skew;
	int32_t		sq8_blocks;		/* the first ones */
} Header;

/* An item on its way to its position. */
typedef struct Entry
{
	uint64_t	key;			/* ascending */
	int32_t		item;
	float		norm;
} Entry;

/* State of a build, shared by its parallel rounds. */
typedef struct Build
{
	const MfItems *items;
	Entry	   *entry;
	Entry	   *spare;
	MfIndex		index;			/* arrays point into the caller's space */
} Build;

/* Fills in the view of a block with this header; block may be NULL to learn the size alone. */
static void
lay_out(MfIndex *index, const void *block, const Header *header)
{
	void	   *space = (void *) (uintptr_t) block;	/* only taken apart here */
	int64_t		n = header->nitems;
	size_t		rows;
	size_t		packs;
	size_t		blocks;
	size_t		coded = header->sq4_dims;
	size_t		used = 0;

	memset(index, 0, sizeof(*index));
	index->nitems = n;
	index->factors = header->factors;
	index->ld = mf_padded(header->factors);
	index->npacks = (n + MF_PACK - 1) / MF_PACK;
	index->nblocks = (n + MF_BLOCK - 1) / MF_BLOCK;
	index->sq4.dims = header->sq4_dims;
	index->sq4.skew = header->sq4_skew;
	rows = (size_t) index->npacks * MF_PACK;
	packs = (size_t) index->nblocks * MF_BLOCK_PACKS;
	blocks = ((size_t) index->nblocks + MF_PACK - 1) / MF_PACK * MF_PACK;

	mf_take_space(space, &used, sizeof(Header));
	index->block_norm = mf_take_space(space, &used, blocks * sizeof(float));
	index->pack_norm = mf_take_space(space, &used, packs * sizeof(float));
	if (header->has_offset)
	{
		index->block_offset = mf_take_space(space, &used, blocks * sizeof(float));
		index->tail_offset = mf_take_space(space, &used, blocks * sizeof(float));
		index->pack_offset = mf_take_space(space, &used, packs * sizeof(float));
		index->offset = mf_take_space(space, &used, rows * sizeof(float));
	}
	index->norm = mf_take_space(space, &used, rows * sizeof(float));
	index->item = mf_take_space(space, &used, rows * sizeof(int32_t));
	index->position = mf_take_space(space, &used, rows * sizeof(int32_t));
	index->vector = mf_take_space(space, &used, rows * index->ld * sizeof(float));
	/* last, so that all else has its place before it is known whether there are codes */
	if (header->sq8_blocks > 0)
		mf_sq8_lay_out(&index->sq8, space, &used, index->ld, header->sq8_blocks);
	if (coded > 0)
	{
		index->sq4.rotation = mf_take_space(space, &used, coded * index->ld * sizeof(float));
		index->sq4.spread = mf_take_space(space, &used, coded * sizeof(float));
		index->sq4.least_norm = mf_take_space(space, &used, packs * sizeof(float));
		index->sq4.step = mf_take_space(space, &used, packs * sizeof(float));
		index->sq4.error = mf_take_space(space, &used, packs * sizeof(float));
		index->sq4.length = mf_take_space(space, &used, packs * sizeof(float));
		index->sq4.rest = mf_take_space(space, &used, packs * sizeof(float));
		index->sq4.code = mf_take_space(space, &used, (size_t) index->npacks * coded * 8);
	}
	index->size = used;
}

/* Blocks that have 8-bit codes where norms prune. */
static int32_t
sq8_blocks(int64_t nitems)
{
	int64_t		nblocks = (nitems + MF_BLOCK - 1) / MF_BLOCK;

	return nblocks < SQ8_BLOCKS ? (int32_t) nblocks : SQ8_BLOCKS;
}

/* The largest header that a build of this shape can end with. */
static Header
largest_header(int64_t nitems, int factors)
{
	Header		header = {0};

	header.nitems = nitems;
	header.factors = factors;
	header.sq4_dims = mf_padded(factors);
	header.has_offset = 1;
	header.sq8_blocks = sq8_blocks(nitems);
	return header;
}

/* Bytes that an index of nitems x factors may need: what mf_index_build() is to be given. */
size_t
mf_index_size(int64_t nitems, int factors)
{
	Header		header = largest_header(nitems, factors);
	MfIndex		index;

	lay_out(&index, NULL, &header);
	return index.size;
}

/* Bytes of 64-byte aligned scratch space that mf_index_build() needs. */
size_t
mf_index_workspace(int64_t nitems, int factors, const MfParallel *parallel)
{
	size_t		sort = 2 * (size_t) nitems * sizeof(Entry);
	size_t		codes = mf_sq4_workspace(nitems, factors, parallel);

	return sort > codes ? sort : codes;
}

/* An unsigned integer that descends where x ascends. */
static uint32_t
descending(float x)
{
	uint32_t	bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits & UINT32_C(0x80000000) ? bits : ~(bits | UINT32_C(0x80000000));
}

/* One block of items: their norms, as entries to be sorted. */
static void
measure_block(void *state, int64_t block, int worker)
{
	Build	   *build = state;
	const MfItems *items = build->items;
	int64_t		end = (block + 1) * MF_BLOCK;

	(void) worker;
	for (int64_t i = block * MF_BLOCK; i < end && i < items->nitems; i++)
	{
		Entry	   *entry = &build->entry[i];

		entry->item = (int32_t) i;
		entry->norm = (float) mf_norm(items->vector + (size_t) i * build->index.ld, build->index.ld);
		entry->key = descending(entry->norm);
	}
}

/* Sorts entries by key, equal keys staying in order: a radix sort of 8 bits a pass. */
static void
sort_entries(Build *build)
{
	int64_t		n = build->items->nitems;

	for (int shift = 0; shift < 64; shift += 8)
	{
		int64_t		start[257] = {0};
		Entry	   *swap = build->entry;

		for (int64_t i = 0; i < n; i++)
			start[((build->entry[i].key >> shift) & 255) + 1]++;
		if (n == 0 || start[((build->entry[0].key >> shift) & 255) + 1] == n)
			continue;
		for (int b = 0; b < 256; b++)
			start[b + 1] += start[b];
		for (int64_t i = 0; i < n; i++)
			build->spare[start[(build->entry[i].key >> shift) & 255]++] = build->entry[i];
		build->entry = build->spare;
		build->spare = swap;
	}
}

/* Orders the items within each strip by descending offset; entries are sorted by norm already. */
static void
sort_strips(Build *build)
{
	uint64_t	strip = 0;
	float		first = 0;

	for (int64_t i = 0; i < build->items->nitems; i++)
	{
		Entry	   *entry = &build->entry[i];

		if (i == 0 || entry->norm < first * STRIP_SHARE)
		{
			strip++;
			first = entry->norm;
		}
		entry->key = strip << 32 | descending(build->items->offset[entry->item]);
	}
	sort_entries(build);
}

/* One pack: moves its items in, the last pack's free places are zeros, and bounds them. */
static void
fill_pack(Build *build, int64_t pack)
{
	const MfItems *items = build->items;
	MfIndex    *index = &build->index;
	size_t		row = index->ld * sizeof(float);
	float		most = 0;
	float		most_offset = -INFINITY;

	for (int64_t at = pack * MF_PACK; at < (pack + 1) * MF_PACK; at++)
	{
		float	   *vector = MF_WRITABLE(float, index->vector) + (size_t) at * index->ld;
		const Entry *entry = &build->entry[at];

		if (at >= index->nitems)
		{
			memset(vector, 0, row);
			MF_WRITABLE(int32_t, index->item)[at] = -1;
			MF_WRITABLE(int32_t, index->position)[at] = -1;
			MF_WRITABLE(float, index->norm)[at] = 0;
			if (index->offset != NULL)
				MF_WRITABLE(float, index->offset)[at] = 0;
			continue;
		}
		memcpy(vector, items->vector + (size_t) entry->item * index->ld, row);
		MF_WRITABLE(int32_t, index->item)[at] = entry->item;
		MF_WRITABLE(int32_t, index->position)[entry->item] = (int32_t) at;
		MF_WRITABLE(float, index->norm)[at] = entry->norm;
		most = fmaxf(most, mf_float_above(mf_norm(vector, index->ld)));
		if (index->offset != NULL)
		{
			MF_WRITABLE(float, index->offset)[at] = items->offset[entry->item];
			most_offset = fmaxf(most_offset, items->offset[entry->item]);
		}
	}
	MF_WRITABLE(float, index->pack_norm)[pack] = most;
	if (index->offset != NULL)
		MF_WRITABLE(float, index->pack_offset)[pack] = most_offset;
}

/* One block: its packs, and the bounds of it all. */
static void
fill_block(void *state, int64_t block, int worker)
{
	Build	   *build = state;
	MfIndex    *index = &build->index;
	float		most = 0;
	float		most_offset = -INFINITY;

	(void) worker;
	for (int64_t pack = block * MF_BLOCK_PACKS; pack < (block + 1) * MF_BLOCK_PACKS; pack++)
	{
		if (pack < index->npacks)
			fill_pack(build, pack);
		else
		{
			MF_WRITABLE(float, index->pack_norm)[pack] = 0;
			if (index->offset != NULL)
				MF_WRITABLE(float, index->pack_offset)[pack] = -INFINITY;
		}
		most = fmaxf(most, index->pack_norm[pack]);
		if (index->offset != NULL)
			most_offset = fmaxf(most_offset, index->pack_offset[pack]);
	}
	MF_WRITABLE(float, index->block_norm)[block] = most;
	if (index->offset != NULL)
		MF_WRITABLE(float, index->block_offset)[block] = most_offset;
}

/* Makes bounds of blocks bounds of all that follow; those after the last block are zeros. */
static void
fill_tails(MfIndex *index)
{
	float		norm = 0;
	float		offset = -INFINITY;

	for (int64_t block = (index->nblocks + MF_PACK - 1) / MF_PACK * MF_PACK - 1; block >= 0; block--)
	{
		if (block < index->nblocks)
			norm = fmaxf(norm, index->block_norm[block]);
		MF_WRITABLE(float, index->block_norm)[block] = norm;
		if (index->offset == NULL)
			continue;
		if (block < index->nblocks)
			offset = fmaxf(offset, index->block_offset[block]);
		else
			MF_WRITABLE(float, index->block_offset)[block] = -INFINITY;
		MF_WRITABLE(float, index->tail_offset)[block] = offset;
	}
}

/*
 * Builds the index of these items in space, which is 64-byte aligned and has mf_index_size() bytes.
 * Returns the bytes that it takes, or 0 when it was cancelled.  The bytes are the same for any number
 * of threads.
 */
size_t
mf_index_build(void *space, void *workspace, const MfItems *items, MfQuantization codes,
			   const MfParallel *parallel)
{
	Header		header = {.magic = INDEX_MAGIC,.format = INDEX_FORMAT,.order = INDEX_ORDER};
	Build		build;
	MfSq4Plan	plan;
	int64_t		nblocks = (items->nitems + MF_BLOCK - 1) / MF_BLOCK;

	header.nitems = items->nitems;
	header.factors = items->factors;
	header.has_offset = items->offset != NULL;
	build.items = items;
	build.entry = workspace;
	build.spare = build.entry + items->nitems;
	lay_out(&build.index, space, &header);

	if (!mf_parallel_blocks(parallel, nblocks, measure_block, &build))
		return 0;
	sort_entries(&build);
	if (items->offset != NULL)
		sort_strips(&build);
	if (!mf_parallel_blocks(parallel, nblocks, fill_block, &build))
		return 0;
	fill_tails(&build.index);
	if (!mf_sq4_plan(&plan, &build.index, items, codes, workspace, parallel))
		return 0;
	header.sq4_dims = plan.dims;
	header.sq4_skew = plan.skew;
	header.sq8_blocks = plan.dims > 0 || codes == MF_QUANTIZE_NEVER ? 0 : sq8_blocks(items->nitems);
	lay_out(&build.index, space, &header);
	if (plan.dims > 0 && !mf_sq4_fill(&build.index, &plan, workspace, parallel))
		return 0;
	if (header.sq8_blocks > 0 && !mf_sq8_fill(&build.index.sq8, &build.index, parallel))
		return 0;
	memset(space, 0, 64);
	memcpy(space, &header, sizeof(header));
	return build.index.size;
}

/*
 * Makes index a view of the block at space, which must stay, and be 64-byte aligned.  Returns false
 * when that is not an index of this format and byte order or does not fit in size bytes.
 */
bool
mf_index_open(MfIndex *index, const void *space, size_t size)
{
	Header		header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, space, sizeof(header));
	if (memcmp(header.magic, INDEX_MAGIC, sizeof(header.magic)) != 0 ||
		header.format != INDEX_FORMAT || header.order != INDEX_ORDER)
		return false;
	if (header.nitems < 0 || header.nitems > INT32_MAX ||
		header.factors < 1 || header.factors > 1000 ||
		header.sq4_dims < 0 || header.sq4_dims > mf_padded(header.factors) || header.sq4_dims % 16 != 0 ||
		header.sq8_blocks < 0 || header.sq8_blocks > sq8_blocks(header.nitems))
		return false;
	lay_out(index, space, &header);
	return index->size <= size;
}

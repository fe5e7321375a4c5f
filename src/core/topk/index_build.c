/*
 * index_build.c - builds the item index that serving reads.
 *
 * Items are ordered by descending norm, because |p| |v| bounds p.v: a search that has k items better than |p| times
 * the next norm is done.  With offsets the bound is |p| |v| + o, whose order depends on |p|.  So items are cut into
 * strips within which norms differ by at most 3%, and a strip is ordered by descending offset: its packs are then
 * alike in both, whatever |p|.
 *
 * The rounds are parallel over blocks and write to places of their own, so the bytes of an index do not depend on
 * the number of threads.
 */
#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/base/rounding.h"
#include "core/kernels/score.h"
#include "core/topk/index.h"
#include "core/topk/sq4.h"
#include "core/topk/sq8.h"

/* A strip ends where the norm has fallen below this share of its first one. */
#define STRIP_SHARE 0.97f

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
	Entry	   *entry;			/* nitems, in the order reached so far */
	Entry	   *spare;			/* nitems: the other side of a sort */
	MfIndex		index;			/* arrays point into the caller's space */
} Build;

/* Divides the part of the workspace that items are ordered in. */
static void
lay_out_entries(Build *build, MfArena *arena, int64_t nitems)
{
	build->entry = mf_arena_take(arena, (size_t) nitems * sizeof(Entry));
	build->spare = mf_arena_take(arena, (size_t) nitems * sizeof(Entry));
}

/* Bytes of 64-byte aligned workspace that mf_index_build() needs: first to order items, then for codes. */
size_t
mf_index_workspace(int64_t nitems, int factors, const MfParallel *parallel)
{
	size_t		codes = mf_sq4_workspace(nitems, factors, parallel);
	MfArena		arena = {NULL, 0};
	Build		build;

	lay_out_entries(&build, &arena, nitems);
	return arena.used > codes ? arena.used : codes;
}

/* An unsigned integer that descends where x ascends: a float's bits ascend with its size, behind the sign. */
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

/* Whether whole numbers in this unit times a factor are as MfNarrowRows wants them. */
static bool
factor_fits(float factor, uint8_t exponent)
{
	return factor == 0 || exponent == 0 || isnormal(factor * mf_narrow_unit(exponent));
}

/* Whether the numbers of a row from the j-th on are 0. */
static bool
ends_at(const float *row, int j, int ld)
{
	for (; j < ld; j++)
		if (row[j] != 0)
			return false;
	return true;
}

/*
 * Whether an item can be kept as whole numbers in so many parts, of which the first one is 0 behind its shared numbers,
 * and the second one weighs so much or nothing.
 */
static bool
is_narrow(const MfIndexEntry *entry, int ld, int parts, int shared, float weight)
{
	uint8_t		exponent = 0;

	for (int p = 0; p < parts; p++)
		if (!mf_narrow_encode(entry->part[p], ld, NULL, &exponent) ||
			!factor_fits(p == 0 ? entry->scale : entry->weight * entry->scale, exponent))
			return false;
	return parts < 2 || (ends_at(entry->part[0], shared, ld) && (entry->weight == 0 || entry->weight == weight));
}

/* Whether an index can keep an item as it keeps the others: as floats, or as whole numbers. */
bool
mf_index_takes(const MfIndex *index, const MfIndexEntry *entry)
{
	if (index->vector != NULL)
		return true;
	return (index->narrow.scale != NULL || entry->scale == 1) &&
		is_narrow(entry, index->ld, mf_index_narrow_parts(index), index->shared, index->narrow.weight);
}

/* What an item's position gets. */
static MfIndexEntry
entry_of(const MfItems *items, int64_t i, int ld)
{
	MfIndexEntry entry = {(int32_t) i, items->vector + i * ld, {NULL, NULL}, 0, 0, 1};

	for (int p = 0; p < 2; p++)
		entry.part[p] = items->part[p] == NULL ? NULL : items->part[p] + i * ld;
	entry.weight = items->weight == NULL ? 0 : items->weight[i];
	entry.offset = items->offset == NULL ? 0 : items->offset[i];
	entry.scale = items->scale == NULL ? 1 : items->scale[i];
	return entry;
}

/*
 * Whether all items are whole numbers, to the last bit, so that their index had better have these: how many parts there
 * are then, else 0.
 */
int
mf_index_parts(const MfItems *items)
{
	MfItems		narrow = *items;
	MfIndexHeader header;
	int			ld = mf_padded(items->factors);

	narrow.parts = items->part[0] == NULL ? 0 : items->part[1] == NULL ? 1 : 2;
	header = mf_index_header(&narrow);
	for (int64_t i = 0; narrow.parts > 0 && i < items->nitems; i++)
	{
		MfIndexEntry entry = entry_of(items, i, ld);

		if (!is_narrow(&entry, ld, narrow.parts, header.shared, header.weight))
			return 0;
	}
	return narrow.parts;
}

/* Writes the vector of a position, ld floats or what these are made of, which mf_index_takes() has been asked for. */
static void
put_vector(MfIndex *index, int64_t at, const MfIndexEntry *entry)
{
	if (index->vector != NULL)
	{
		memcpy(MF_WRITABLE(float, index->vector) + at * index->ld, entry->vector, (size_t) index->ld * sizeof(float));
		return;
	}
	if (index->narrow.scale != NULL)
		MF_WRITABLE(float, index->narrow.scale)[at] = entry->scale;
	for (int p = 0; p < mf_index_narrow_parts(index); p++)
	{
		uint8_t    *exponent = MF_WRITABLE(uint8_t, index->narrow.exponent[p]) + at;
		int			stride = index->narrow.stride[p];

		mf_narrow_encode(entry->part[p], stride, MF_WRITABLE(int16_t, index->narrow.number[p]) + at * stride, exponent);
		if (p == 0)
			continue;
		MF_WRITABLE(uint8_t, index->second_exponent)[at] = *exponent;
		if (entry->weight == 0)
			*exponent = 0;
	}
}

/* Puts an item at a position. */
void
mf_index_put(MfIndex *index, int64_t at, const MfIndexEntry *entry)
{
	float		row[MF_MAX_PADDED];

	put_vector(index, at, entry);
	MF_WRITABLE(int32_t, index->item)[at] = entry->item;
	MF_WRITABLE(int32_t, index->position)[entry->item] = (int32_t) at;
	MF_WRITABLE(float, index->norm)[at] = (float) mf_norm(mf_index_row(index, (int32_t) at, row), index->ld);
	MF_WRITABLE(uint64_t, index->live)[at / 64] |= UINT64_C(1) << (at % 64);
	if (index->offset != NULL)
		MF_WRITABLE(float, index->offset)[at] = entry->offset;
}

/* Writes a vector of zeros. */
static void
clear_vector(MfIndex *index, int64_t at)
{
	if (index->vector != NULL)
		memset(MF_WRITABLE(float, index->vector) + at * index->ld, 0, (size_t) index->ld * sizeof(float));
	if (index->narrow.scale != NULL)
		MF_WRITABLE(float, index->narrow.scale)[at] = 1;
	for (int p = 0; p < mf_index_narrow_parts(index); p++)
	{
		int			stride = index->narrow.stride[p];

		memset(MF_WRITABLE(int16_t, index->narrow.number[p]) + at * stride, 0, (size_t) stride * sizeof(int16_t));
		MF_WRITABLE(uint8_t, index->narrow.exponent[p])[at] = 0;
		if (p > 0)
			MF_WRITABLE(uint8_t, index->second_exponent)[at] = 0;
	}
}

/* Makes a position that of no item: it is never asked for, and its scores are 0. */
void
mf_index_clear(MfIndex *index, int64_t at)
{
	clear_vector(index, at);
	MF_WRITABLE(int32_t, index->item)[at] = -1;
	MF_WRITABLE(float, index->norm)[at] = 0;
	if (index->offset != NULL)
		MF_WRITABLE(float, index->offset)[at] = 0;
}

/* Makes all exponents 0, also what lies between them and the next array. */
static void
clear_exponents(MfIndex *index)
{
	size_t		bytes = ((size_t) index->room + 63) / 64 * 64;

	for (int p = 0; p < mf_index_narrow_parts(index); p++)
		memset(MF_WRITABLE(uint8_t, index->narrow.exponent[p]), 0, bytes);
	if (index->second_exponent != NULL)
		memset(MF_WRITABLE(uint8_t, index->second_exponent), 0, bytes);
}

/* What bounds begin with: no item exceeds it where there is none. */
static const MfIndexBound no_items = {0, {0, 0}, -INFINITY};

/* The norm of n numbers, rounded upwards. */
static float
norm_above(const float *numbers, int n)
{
	return mf_float_above(mf_norm(numbers, n));
}

/* The bounds of a pack's items. */
static void
bound_pack(MfIndex *index, int64_t pack)
{
	float		space[MF_MAX_PADDED];
	MfIndexBound bound = no_items;

	for (int64_t at = pack * MF_PACK; at < (pack + 1) * MF_PACK && at < index->room; at++)
	{
		const float *row;

		if (!(index->live[at / 64] >> (at % 64) & 1))
			continue;
		row = mf_index_row(index, (int32_t) at, space);
		bound.norm = fmaxf(bound.norm, norm_above(row, index->ld));
		if (mf_index_has_halves(index))
		{
			bound.half[0] = fmaxf(bound.half[0], norm_above(row, index->shared));
			bound.half[1] = fmaxf(bound.half[1], norm_above(row + index->shared, index->ld - index->shared));
		}
		if (index->offset != NULL)
			bound.offset = fmaxf(bound.offset, index->offset[at]);
	}
	MF_WRITABLE(float, index->pack_norm)[pack] = bound.norm;
	for (int h = 0; h < 2 && mf_index_has_halves(index); h++)
		MF_WRITABLE(float, index->pack_half[h])[pack] = bound.half[h];
	if (index->offset != NULL)
		MF_WRITABLE(float, index->pack_offset)[pack] = bound.offset;
}

/* Writes the bounds of a block, as if none were searched later. */
static void
put_bound(MfIndex *index, int64_t block, const MfIndexBound *bound)
{
	MF_WRITABLE(float, index->block_norm)[block] = bound->norm;
	for (int h = 0; h < 2 && mf_index_has_halves(index); h++)
		MF_WRITABLE(float, index->block_half[h])[block] = bound->half[h];
	if (index->offset != NULL)
		MF_WRITABLE(float, index->block_offset)[block] = bound->offset;
}

/* The bounds of a block's packs, also of those behind the last one, and of all of it. */
void
mf_index_bound_block(MfIndex *index, int64_t block)
{
	MfIndexBound bound = no_items;

	for (int64_t pack = block * MF_BLOCK_PACKS; pack < (block + 1) * MF_BLOCK_PACKS; pack++)
	{
		bound_pack(index, pack);
		bound.norm = fmaxf(bound.norm, index->pack_norm[pack]);
		for (int h = 0; h < 2 && mf_index_has_halves(index); h++)
			bound.half[h] = fmaxf(bound.half[h], index->pack_half[h][pack]);
		if (index->offset != NULL)
			bound.offset = fmaxf(bound.offset, index->pack_offset[pack]);
	}
	put_bound(index, block, &bound);
}

/* Takes a block before those that *tail is of: its bounds become theirs, too, but for its own offset. */
void
mf_index_bound_tail(MfIndex *index, int64_t block, MfIndexBound *tail)
{
	tail->norm = fmaxf(tail->norm, index->block_norm[block]);
	MF_WRITABLE(float, index->block_norm)[block] = tail->norm;
	for (int h = 0; h < 2 && mf_index_has_halves(index); h++)
	{
		tail->half[h] = fmaxf(tail->half[h], index->block_half[h][block]);
		MF_WRITABLE(float, index->block_half[h])[block] = tail->half[h];
	}
	if (index->offset == NULL)
		return;
	tail->offset = fmaxf(tail->offset, index->block_offset[block]);
	MF_WRITABLE(float, index->tail_offset)[block] = tail->offset;
}

/* One block: its items, positions that have none, and bounds. */
static void
fill_block(void *state, int64_t block, int worker)
{
	Build	   *build = state;
	MfIndex    *index = &build->index;
	int64_t		rows = (index->room + MF_PACK - 1) / MF_PACK * MF_PACK;

	(void) worker;
	memset(MF_WRITABLE(uint64_t, index->live) + block * (MF_BLOCK / 64), 0, MF_BLOCK / 8);
	for (int64_t at = block * MF_BLOCK; at < (block + 1) * MF_BLOCK && at < rows; at++)
	{
		MfIndexEntry entry;

		if (at >= index->nitems)
		{
			mf_index_clear(index, at);
			continue;
		}
		entry = entry_of(build->items, build->entry[at].item, index->ld);
		mf_index_put(index, at, &entry);
	}
	mf_index_bound_block(index, block);
}

/* Makes bounds of blocks bounds of all that follow; after the last block there are no items. */
static void
fill_tails(MfIndex *index)
{
	MfIndexBound tail = no_items;
	int64_t		blocks = (index->room + MF_BLOCK - 1) / MF_BLOCK;

	for (int64_t block = (blocks + MF_PACK - 1) / MF_PACK * MF_PACK - 1; block >= 0; block--)
	{
		if (block >= index->nblocks)
			put_bound(index, block, &no_items);
		mf_index_bound_tail(index, block, &tail);
	}
}

/*
 * Builds the index of these items in space, which is 64-byte aligned and has mf_index_size() bytes for its room; the
 * workspace,
 * 64-byte aligned, has mf_index_workspace() bytes and may be freed afterwards.  Returns the bytes that the index
 * takes, or 0 when it was cancelled.  They are the same for any number of threads.
 */
size_t
mf_index_build(void *space, void *workspace, const MfItems *items, MfQuantization quantization,
			   const MfParallel *parallel)
{
	MfIndexHeader header = mf_index_header(items);
	MfArena		arena = {workspace, 0};
	Build		build;
	MfSq4Plan	plan;
	int64_t		nblocks = (items->nitems + MF_BLOCK - 1) / MF_BLOCK;

	build.items = items;
	lay_out_entries(&build, &arena, items->nitems);
	mf_index_lay_out(&build.index, space, &header);
	clear_exponents(&build.index);
	/* order the items, and move them */
	if (!mf_parallel_for(parallel, nblocks, measure_block, &build))
		return 0;
	sort_entries(&build);
	if (items->offset != NULL)
		sort_strips(&build);
	for (int64_t item = items->nitems; item < (header.room + MF_PACK - 1) / MF_PACK * MF_PACK; item++)
		MF_WRITABLE(int32_t, build.index.position)[item] = -1;
	if (!mf_parallel_for(parallel, nblocks, fill_block, &build))
		return 0;
	fill_tails(&build.index);
	/* what codes there are to be is known now: they come behind what is there already */
	if (!mf_sq4_plan(&plan, &build.index, items, quantization, workspace, parallel))
		return 0;
	header.sq4_dims = plan.dims;
	header.sq4_skew = plan.skew;
	header.sq8_blocks = plan.flat || quantization == MF_QUANTIZE_NEVER ? 0 : mf_index_sq8_blocks(items->nitems);
	mf_index_lay_out(&build.index, space, &header);
	if (plan.dims > 0 && !mf_sq4_fill(&build.index, &plan, parallel))
		return 0;
	if (header.sq8_blocks > 0 && !mf_sq8_fill(&build.index.sq8, &build.index, parallel))
		return 0;
	memset(space, 0, MF_INDEX_HEADER_BYTES);
	memcpy(space, &header, sizeof(header));
	return build.index.size;
}


/*
 * index.c - the item index that serving reads: how it lies in memory, and opening it.
 *
 * The block is a header and arrays at multiples of 64 bytes whose places follow from the header, so it means the
 * same wherever it is mapped.  The caller owns all memory.
 */
#include "core/topk/index.h"

#include <math.h>
#include <string.h>

#include "core/base/padding.h"

/* Where norms prune, most searches end within so many blocks: those have 8-bit codes. */
#define SQ8_BLOCKS 4

/* An index of fewer items is built anew in no time, so it has no room for more; others for a part more. */
#define LEAST_WITH_ROOM 4096
#define SPARE_SHARE 32

/* Blocks that have 8-bit codes where norms prune. */
int32_t
mf_index_sq8_blocks(int64_t nitems)
{
	int64_t		nblocks = (nitems + MF_BLOCK - 1) / MF_BLOCK;

	return nblocks < SQ8_BLOCKS ? (int32_t) nblocks : SQ8_BLOCKS;
}

/* The blocks of so many positions. */
static int64_t
count_blocks(int64_t positions)
{
	return (positions + MF_BLOCK - 1) / MF_BLOCK;
}

/* The packs of as many whole blocks as so many positions take. */
size_t
mf_index_packs(int64_t positions)
{
	return (size_t) count_blocks(positions) * MF_BLOCK_PACKS;
}

/* The positions that an index of so many items had better have room for: so many, or more in whole blocks. */
int64_t
mf_index_room(int64_t nitems)
{
	int64_t		spare = count_blocks(nitems / SPARE_SHARE);
	int64_t		room = (count_blocks(nitems) + spare) * MF_BLOCK;

	return nitems < LEAST_WITH_ROOM || room > INT32_MAX ? nitems : room;
}

/* The next section of an index, of n numbers of 4 bytes. */
static void *
take_numbers(MfArena *arena, size_t n)
{
	return mf_arena_take(arena, n * sizeof(float));
}

/* The arrays of 4-bit codes of index->sq4.dims coordinates; packs: of whole blocks. */
void
mf_index_lay_out_sq4(MfIndex *index, MfArena *arena, size_t packs)
{
	size_t		dims = (size_t) index->sq4.dims;
	MfSq4	   *sq4 = &index->sq4;

	sq4->rotation = take_numbers(arena, dims * (size_t) index->ld);
	sq4->least_norm = take_numbers(arena, packs);
	sq4->step = take_numbers(arena, packs);
	sq4->error = take_numbers(arena, packs);
	sq4->length = take_numbers(arena, packs);
	sq4->rest = take_numbers(arena, packs);
	sq4->code = mf_arena_take(arena, (size_t) (index->room + MF_PACK - 1) / MF_PACK * dims * 8);
}

/* The arrays of 8-bit codes of nblocks blocks of vectors, of an index or apart from one. */
void
mf_index_lay_out_sq8(MfSq8 *sq8, MfArena *arena, int ld, int64_t nblocks)
{
	size_t		packs = (size_t) nblocks * MF_BLOCK_PACKS;

	sq8->nblocks = nblocks;
	sq8->step = mf_arena_floats(arena, packs);
	sq8->error = mf_arena_floats(arena, packs);
	sq8->length = mf_arena_floats(arena, packs);
	sq8->zero = mf_arena_floats(arena, MF_BLOCK_PACKS);
	sq8->code = mf_arena_take(arena, packs * (size_t) ld * MF_PACK);
}

/*
 * The arrays of vectors, as floats or as whole numbers; of the latter only as many as there are parts, but for
 * exponents.
 */
static void
lay_out_vectors(MfIndex *index, MfArena *arena, const MfIndexHeader *header, size_t rows)
{
	MfNarrowRows *narrow = &index->narrow;

	if (header->parts == 0)
	{
		index->vector = take_numbers(arena, rows * (size_t) index->ld);
		return;
	}
	index->shared = header->shared;
	narrow->stride[0] = mf_padded(header->shared);
	narrow->stride[1] = index->ld;
	narrow->weight = header->weight;
	if (header->has_scale)
		narrow->scale = take_numbers(arena, rows);
	for (int p = 0; p < header->parts; p++)
		narrow->exponent[p] = mf_arena_take(arena, rows);
	if (header->parts > 1)
		index->second_exponent = mf_arena_take(arena, rows);
	for (int p = 0; p < header->parts; p++)
		narrow->number[p] = mf_arena_take(arena, rows * (size_t) narrow->stride[p] * sizeof(int16_t));
}

/*
 * Fills in the view of a block that begins with this header; block may be NULL to learn index->size alone.  The
 * arrays of codes are last, so that all else has its place before it is known whether there are any.
 */
void
mf_index_lay_out(MfIndex *index, const void *block, const MfIndexHeader *header)
{
	MfArena		arena = {MF_WRITABLE(char, block), 0};	/* only taken apart here */
	size_t		rows;
	size_t		packs;
	size_t		blocks;

	memset(index, 0, sizeof(*index));
	index->nitems = header->nitems;
	index->factors = index->rows.factors = header->factors;
	index->ld = mf_padded(header->factors);
	index->room = header->room;
	index->renewed_blocks = header->renewed_blocks;
	index->nblocks = count_blocks(header->built_items) + header->renewed_blocks;
	index->npacks = header->renewed_blocks > 0 ? index->nblocks * MF_BLOCK_PACKS :
		(header->built_items + MF_PACK - 1) / MF_PACK;
	index->sq4.dims = header->sq4_dims;
	index->sq4.skew = header->sq4_skew;
	rows = (size_t) (header->room + MF_PACK - 1) / MF_PACK * MF_PACK;
	packs = mf_index_packs(header->room);
	blocks = ((size_t) count_blocks(header->room) + MF_PACK - 1) / MF_PACK * MF_PACK;

	mf_arena_take(&arena, sizeof(MfIndexHeader));
	index->block_norm = take_numbers(&arena, blocks);
	index->pack_norm = take_numbers(&arena, packs);
	for (int h = 0; h < 2 && header->shared < header->factors; h++)
	{
		index->block_half[h] = take_numbers(&arena, blocks);
		index->pack_half[h] = take_numbers(&arena, packs);
	}
	if (header->has_offset)
	{
		index->block_offset = take_numbers(&arena, blocks);
		index->tail_offset = take_numbers(&arena, blocks);
		index->pack_offset = take_numbers(&arena, packs);
		index->offset = take_numbers(&arena, rows);
	}
	index->live = mf_arena_take(&arena, packs * (MF_PACK / 8));
	index->norm = take_numbers(&arena, rows);
	index->item = take_numbers(&arena, rows);
	index->position = take_numbers(&arena, rows);
	lay_out_vectors(index, &arena, header, rows);
	if (header->sq8_blocks > 0)
		mf_index_lay_out_sq8(&index->sq8, &arena, index->ld, header->sq8_blocks);
	if (header->sq4_dims > 0)
		mf_index_lay_out_sq4(index, &arena, packs);
	index->size = arena.used;
}

/* What an index of these items begins with, before it is known what codes there are. */
MfIndexHeader
mf_index_header(const MfItems *items)
{
	MfIndexHeader header = {.magic = MF_INDEX_MAGIC,.format = MF_INDEX_FORMAT,.order = MF_INDEX_ORDER};

	header.nitems = header.built_items = items->nitems;
	header.room = items->room > items->nitems ? items->room : items->nitems;
	header.factors = items->factors;
	header.has_offset = items->offset != NULL;
	header.parts = items->parts;
	header.shared = items->parts > 1 ? items->shared : items->factors;
	header.has_scale = items->parts > 0 && items->scale != NULL;
	for (int64_t i = 0; items->parts > 1 && i < items->nitems && header.weight == 0; i++)
		header.weight = items->weight[i];
	return header;
}

/* Bytes that an index of these items may need, whatever their vectors: what mf_index_build() is to be given. */
size_t
mf_index_size(const MfItems *items)
{
	MfIndexHeader header = mf_index_header(items);
	MfIndex		index;

	header.sq4_dims = mf_padded(items->factors);
	header.sq8_blocks = mf_index_sq8_blocks(items->nitems);
	mf_index_lay_out(&index, NULL, &header);
	return index.size;
}

/*
 * Makes index a view of the block at space, which must stay, and be 64-byte aligned.  Returns false
 * when that is not an index of this format and byte order or does not fit in size bytes.
 */
bool
mf_index_open(MfIndex *index, const void *space, size_t size)
{
	MfIndexHeader header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, space, sizeof(header));
	if (memcmp(header.magic, MF_INDEX_MAGIC, sizeof(header.magic)) != 0 ||
		header.format != MF_INDEX_FORMAT || header.order != MF_INDEX_ORDER)
		return false;
	if (header.nitems < 0 || header.room < 0 || header.room > INT32_MAX ||
		header.built_items < 0 || header.built_items > header.room || header.renewed_blocks < 0 ||
		header.nitems > header.built_items + (int64_t) header.renewed_blocks * MF_BLOCK ||
		(header.renewed_blocks > 0 && (count_blocks(header.built_items) + header.renewed_blocks) * MF_BLOCK > header.room) ||
		header.factors < 1 || header.factors > MF_MAX_FACTORS ||
		header.parts < 0 || header.parts > 2 || header.shared < 1 || header.shared > header.factors ||
		(header.parts == 1 && header.shared < header.factors) || !isfinite(header.weight) ||
		header.sq4_dims < 0 || header.sq4_dims > mf_padded(header.factors) || header.sq4_dims % MF_PACK != 0 ||
		header.sq8_blocks < 0 || header.sq8_blocks > mf_index_sq8_blocks(header.built_items))
		return false;
	mf_index_lay_out(index, space, &header);
	return index->size <= size;
}

/* The vector at a position: ld floats, padding 0; it may be put together in workspace, ld floats. */
const float *
mf_index_row(const MfIndex *index, int32_t position, float *workspace)
{
	if (index->rows.row != NULL)
		return index->rows.row(index->rows.state, position, workspace);
	if (index->vector != NULL)
		return index->vector + (size_t) position * index->ld;
	mf_score()->narrow_row(&index->narrow, position, index->ld, workspace);
	return workspace;
}

/*
 * The first ld floats, a multiple of 16, of one of the parts of which the vector at a position is made, without weight
 * and scale, of an index of whole numbers: put together in workspace.
 */
const float *
mf_index_part(const MfIndex *index, int part, int32_t position, int ld, float *workspace)
{
	MfNarrowRows rows = {.number = {index->narrow.number[part], NULL},.stride = {index->narrow.stride[part], 0}};

	rows.exponent[0] = part > 0 ? index->second_exponent : index->narrow.exponent[0];
	mf_score()->narrow_row(&rows, position, ld, workspace);
	return workspace;
}

/*
 * index.c - the item index that serving reads: how it lies in memory, and opening it.
 *
 * The block is a header and arrays at multiples of 64 bytes whose places follow from the header, so it means the
 * same wherever it is mapped.  The caller owns all memory.
 */
#include "core/topk/index.h"

#include <string.h>

#include "core/base/padding.h"

/* Where norms prune, most searches end within so many blocks: those have 8-bit codes. */
#define SQ8_BLOCKS 4

/* Blocks that have 8-bit codes where norms prune. */
int32_t
mf_index_sq8_blocks(int64_t nitems)
{
	int64_t		nblocks = (nitems + MF_BLOCK - 1) / MF_BLOCK;

	return nblocks < SQ8_BLOCKS ? (int32_t) nblocks : SQ8_BLOCKS;
}

/* The next section of an index, of n numbers of 4 bytes. */
static void *
take_numbers(MfArena *arena, size_t n)
{
	return mf_arena_take(arena, n * sizeof(float));
}

/* The arrays of 4-bit codes; packs: of whole blocks. */
static void
lay_out_sq4(MfIndex *index, MfArena *arena, const MfIndexHeader *header, size_t packs)
{
	size_t		dims = (size_t) header->sq4_dims;
	MfSq4	   *sq4 = &index->sq4;

	sq4->rotation = take_numbers(arena, dims * (size_t) index->ld);
	sq4->least_norm = take_numbers(arena, packs);
	sq4->step = take_numbers(arena, packs);
	sq4->error = take_numbers(arena, packs);
	sq4->length = take_numbers(arena, packs);
	sq4->rest = take_numbers(arena, packs);
	sq4->code = mf_arena_take(arena, (size_t) index->npacks * dims * 8);
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
	index->factors = header->factors;
	index->ld = mf_padded(header->factors);
	index->npacks = (header->nitems + MF_PACK - 1) / MF_PACK;
	index->nblocks = (header->nitems + MF_BLOCK - 1) / MF_BLOCK;
	index->sq4.dims = header->sq4_dims;
	index->sq4.skew = header->sq4_skew;
	rows = (size_t) index->npacks * MF_PACK;
	packs = (size_t) index->nblocks * MF_BLOCK_PACKS;
	blocks = ((size_t) index->nblocks + MF_PACK - 1) / MF_PACK * MF_PACK;

	mf_arena_take(&arena, sizeof(MfIndexHeader));
	index->block_norm = take_numbers(&arena, blocks);
	index->pack_norm = take_numbers(&arena, packs);
	if (header->has_offset)
	{
		index->block_offset = take_numbers(&arena, blocks);
		index->tail_offset = take_numbers(&arena, blocks);
		index->pack_offset = take_numbers(&arena, packs);
		index->offset = take_numbers(&arena, rows);
	}
	index->norm = take_numbers(&arena, rows);
	index->item = take_numbers(&arena, rows);
	index->position = take_numbers(&arena, rows);
	index->vector = take_numbers(&arena, rows * (size_t) index->ld);
	if (header->sq8_blocks > 0)
		mf_index_lay_out_sq8(&index->sq8, &arena, index->ld, header->sq8_blocks);
	if (header->sq4_dims > 0)
		lay_out_sq4(index, &arena, header, packs);
	index->size = arena.used;
}

/* Bytes that an index of nitems x factors may need, whatever it is built of: what mf_index_build() is to be given. */
size_t
mf_index_size(int64_t nitems, int factors)
{
	MfIndexHeader header = {.nitems = nitems,.factors = factors,.has_offset = 1};
	MfIndex		index;

	header.sq4_dims = mf_padded(factors);
	header.sq8_blocks = mf_index_sq8_blocks(nitems);
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
	if (header.nitems < 0 || header.nitems > INT32_MAX ||
		header.factors < 1 || header.factors > MF_MAX_FACTORS ||
		header.sq4_dims < 0 || header.sq4_dims > mf_padded(header.factors) || header.sq4_dims % MF_PACK != 0 ||
		header.sq8_blocks < 0 || header.sq8_blocks > mf_index_sq8_blocks(header.nitems))
		return false;
	mf_index_lay_out(index, space, &header);
	return index->size <= size;
}

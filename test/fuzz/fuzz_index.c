/*
 * fuzz_index.c - a damaged header of an index: it does not open, or all of its view is within the block.
 *
 * What is behind the header is protected by a checksum where it is stored.
 */
#include "bytes.h"

#include "catalog.h"

#define HEADER sizeof(MfIndexHeader)

static volatile uint8_t sink;

/* Reads the first and the last byte of an array. */
static void
touch(const void *array, size_t size)
{
	const volatile uint8_t *byte = array;

	if (array != NULL && size > 0)
		sink = byte[0] ^ byte[size - 1];
}

static void
touch_all(const MfIndex *index)
{
	size_t		places = (size_t) index->npacks * MF_PACK;
	size_t		packs = (size_t) index->nblocks * MF_BLOCK_PACKS * sizeof(float);
	size_t		blocks = (size_t) index->nblocks * sizeof(float);

	touch(index->item, places * sizeof(int32_t));
	touch(index->position, places * sizeof(int32_t));
	touch(index->vector, places * (size_t) index->ld * sizeof(float));
	for (int p = 0; p < mf_index_narrow_parts(index); p++)
	{
		touch(index->narrow.number[p], places * (size_t) index->narrow.stride[p] * sizeof(int16_t));
		touch(index->narrow.exponent[p], places);
	}
	touch(index->second_exponent, places);
	touch(index->norm, places * sizeof(float));
	touch(index->offset, places * sizeof(float));
	touch(index->pack_norm, packs);
	touch(index->pack_offset, packs);
	touch(index->block_norm, blocks);
	touch(index->block_offset, blocks);
	touch(index->tail_offset, blocks);
	touch(index->sq4.rotation, (size_t) index->sq4.dims * index->ld * sizeof(float));
	touch(index->sq4.code, (size_t) index->npacks * index->sq4.dims * 8);
	touch(index->sq4.least_norm, packs);
	touch(index->sq4.step, packs);
	touch(index->sq4.error, packs);
	touch(index->sq4.length, packs);
	touch(index->sq4.rest, packs);
	packs = (size_t) index->sq8.nblocks * MF_BLOCK_PACKS * sizeof(float);
	touch(index->sq8.code, (size_t) index->sq8.nblocks * MF_BLOCK_PACKS * index->ld * MF_PACK);
	touch(index->sq8.step, packs);
	touch(index->sq8.error, packs);
	touch(index->sq8.length, packs);
	touch(index->sq8.zero, index->sq8.nblocks > 0 ? MF_BLOCK_PACKS * sizeof(float) : 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		bytes = {data, size};
	Catalog		c = catalog_new(take_below(&bytes, 200), 1 + (int) take_below(&bytes, 40), 1);
	bool		offsets = take_byte(&bytes) & 1;
	MfQuantization codes = (MfQuantization) take_below(&bytes, 3);
	int			parts = (int) take_below(&bytes, 3);
	MfIndex		index;
	size_t		length;
	char	   *copy;

	if (offsets)
		catalog_offsets(&c, 1, 2);
	if (parts > 0)
		catalog_narrow(&c, parts, 3);
	require(catalog_build(&c, codes, 1));
	length = take_byte(&bytes) & 1 ? take_below(&bytes, (uint32_t) c.size + 1) : c.size;
	copy = aligned_alloc(64, (length + 63) & ~(size_t) 63);
	memcpy(copy, c.space, length);
	while (bytes.left > 0)
	{
		uint32_t	at = take_below(&bytes, HEADER);

		if (at < length)
			copy[at] = (char) take_byte(&bytes);
	}
	if (mf_index_open(&index, copy, length))
		touch_all(&index);
	free(copy);
	catalog_free(&c);
	return 0;
}

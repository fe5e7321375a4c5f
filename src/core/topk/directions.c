/*
 * directions.c - an index of the directions of items that another index has, for searches by cosine.
 *
 * Items have the positions that they have in the other index, the base, so that what is said by position is there
 * once: which items there are, and mostly their vectors.  Of its own an index of directions has the vectors' norms, and
 * 4-bit codes, which are those of the vectors divided by their norms.  Where the directions are not those of the base's
 * vectors but follow from these and from what the caller has beside them, the caller gives each as it is asked for:
 * few are, as the codes rule out most.
 */
#include "core/topk/directions.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/topk/sq4.h"

#define MAGIC "mfdirec"

/*
 * What bounds the norms of vectors that have been divided by theirs: 1, and what the rounding of such a vector is to
 * the error of sums over codes.
 */
#define UNIT_NORM 1.02f

/* Fills in the view of an index of directions; block may be NULL to learn directions->size alone. */
static void
lay_out(MfIndex *directions, const void *block, const MfIndex *base, const MfVectors *rows, const MfIndexHeader *header)
{
	MfArena		arena = {MF_WRITABLE(char, block), 0};	/* only taken apart here */
	size_t		packs = mf_index_packs(base->room);

	*directions = *base;
	directions->directions = true;
	directions->factors = header->factors;
	directions->ld = mf_padded(header->factors);
	directions->rows = *rows;
	directions->narrow.number[1] = NULL;	/* items are alike by the first part alone */
	directions->second_exponent = NULL;
	directions->narrow.scale = NULL;	/* and however much lists make of them */
	directions->pack_half[0] = directions->pack_half[1] = NULL;
	directions->block_half[0] = directions->block_half[1] = NULL;
	directions->offset = NULL;
	directions->pack_offset = NULL;
	directions->block_offset = NULL;
	directions->tail_offset = NULL;
	memset(&directions->sq8, 0, sizeof(MfSq8));
	memset(&directions->sq4, 0, sizeof(MfSq4));
	directions->sq4.dims = header->sq4_dims;
	directions->sq4.skew = header->sq4_skew;
	mf_arena_take(&arena, sizeof(MfIndexHeader));
	directions->pack_norm = mf_arena_floats(&arena, packs);
	directions->norm = mf_arena_floats(&arena, (size_t) (base->room + MF_PACK - 1) / MF_PACK * MF_PACK);
	if (header->sq4_dims > 0)
		mf_index_lay_out_sq4(directions, &arena, packs);
	directions->size = arena.used;
}

/* Bytes that an index of directions may need over a base with room for so many positions. */
size_t
mf_directions_size(int64_t room, int factors)
{
	MfIndexHeader header = {.factors = factors,.sq4_dims = mf_padded(factors)};
	MfIndex		base = {.room = room};
	MfVectors		rows = {0};
	MfIndex		directions;

	lay_out(&directions, NULL, &base, &rows, &header);
	return directions.size;
}

/* Bytes of 64-byte aligned workspace that mf_directions_build() needs. */
size_t
mf_directions_workspace(int64_t nitems, int factors, const MfParallel *parallel)
{
	return mf_sq4_workspace(nitems, factors, parallel);
}

/* Measures the vectors of a block, also of its positions that have no item; row: ld floats. */
static void
measure_block(const MfIndex *directions, int64_t block, float *row)
{
	int64_t		rows = (directions->room + MF_PACK - 1) / MF_PACK * MF_PACK;

	for (int64_t at = block * MF_BLOCK; at < (block + 1) * MF_BLOCK && at < rows; at++)
		MF_WRITABLE(float, directions->norm)[at] = directions->item[at] < 0 ? 0 :
			(float) mf_norm(mf_index_row(directions, (int32_t) at, row), directions->ld);
	for (int64_t pack = block * MF_BLOCK_PACKS; pack < (block + 1) * MF_BLOCK_PACKS; pack++)
		MF_WRITABLE(float, directions->pack_norm)[pack] = UNIT_NORM;
}

/* Task: measures one block. */
static void
measure_task(void *state, int64_t block, int worker)
{
	float		row[MF_MAX_PADDED];

	(void) worker;
	measure_block(state, block, row);
}

/*
 * Builds the index of the directions of these rows, of the items that base has, in space, which is 64-byte aligned and
 * has mf_directions_size() bytes for the base's room; the workspace, likewise aligned, has mf_directions_workspace()
 * bytes and may be freed afterwards.  Returns the bytes that the index takes, or 0 when it was cancelled.  They are the
 * same for any number of threads.
 */
size_t
mf_directions_build(void *space, void *workspace, const MfIndex *base, const MfVectors *rows, const MfParallel *parallel)
{
	MfIndexHeader header = {.magic = MAGIC,.format = MF_INDEX_FORMAT,.order = MF_INDEX_ORDER};
	MfItems		items = {.nitems = base->nitems};
	MfIndex		directions;
	MfSq4Plan	plan;

	header.room = base->room;
	header.factors = rows->factors;
	lay_out(&directions, space, base, rows, &header);
	memset(space, 0, directions.size);
	if (!mf_parallel_for(parallel, directions.nblocks, measure_task, &directions) ||
		!mf_sq4_plan(&plan, &directions, &items, MF_QUANTIZE_SQ4, workspace, parallel))
		return 0;
	header.sq4_dims = plan.dims;
	header.sq4_skew = plan.skew;
	lay_out(&directions, space, base, rows, &header);
	if (plan.dims > 0 && !mf_sq4_fill(&directions, &plan, parallel))
		return 0;
	memcpy(space, &header, sizeof(header));
	return directions.size;
}

/*
 * Makes directions a view of the block at space, which must stay, as base and what rows point to must, and be 64-byte
 * aligned.  Returns false when that is not an index of directions of such rows and base, or does not fit in size bytes.
 */
bool
mf_directions_open(MfIndex *directions, const MfIndex *base, const MfVectors *rows, const void *space, size_t size)
{
	MfIndexHeader header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, space, sizeof(header));
	if (memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0 || header.format != MF_INDEX_FORMAT ||
		header.order != MF_INDEX_ORDER || header.room != base->room || header.factors != rows->factors ||
		header.sq4_dims < 0 || header.sq4_dims > mf_padded(header.factors) || header.sq4_dims % MF_PACK != 0)
		return false;
	lay_out(directions, space, base, rows, &header);
	return directions->size <= size;
}

/* Bytes of 64-byte aligned workspace that mf_directions_renew() needs. */
size_t
mf_directions_renew_workspace(int factors)
{
	return (MF_PACK + 1) * (size_t) mf_padded(factors) * sizeof(float);
}

/*
 * Renews the index of directions in space after its base has been: codes the blocks anew that the base has renewed.
 * Nothing is written of what lies before mf_index_base_rows().  Returns false where there is no such index.
 */
bool
mf_directions_renew(void *space, size_t size, void *workspace, const MfIndex *base, const MfVectors *rows)
{
	MfIndex		directions;

	if (!mf_directions_open(&directions, base, rows, space, size))
		return false;
	for (int64_t block = mf_index_base_rows(base) / MF_BLOCK; block < base->nblocks; block++)
	{
		measure_block(&directions, block, workspace);
		if (directions.sq4.dims > 0)
			mf_sq4_recode(&directions, block, workspace);
	}
	return true;
}

/*
 * index_renew.c - an index whose items change, come and go, without building it anew.
 *
 * Vectors and codes, nearly all of an index, stay where they are.  An item that is given anew leaves its position,
 * which becomes that of no item, and goes with all others of its kind to blocks of their own behind those that the
 * index was built with, where there is room for a part more.  These few blocks are written as a whole, in the order of
 * norms, and a search goes through them as soon as it has been through the first block: the bounds of all later ones
 * hold as they are, for nothing was put there, and a search ends within them as early as it did.
 *
 * So whoever shares the memory of the old index with the new one needs to copy only what is small.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/kernels/score.h"
#include "core/topk/index.h"
#include "core/topk/sq4.h"

/* An item on its way to a renewed block. */
typedef struct Mover
{
	float		norm;
	int32_t		item;
	int64_t		row;			/* of RenewSpace.vector */
} Mover;

/* The sections of the workspace. */
typedef struct RenewSpace
{
	int64_t		most;			/* movers that there may be */
	Mover	   *mover;			/* most */
	float	   *vector;			/* most x ld */
	float	   *part[2];		/* most x ld: what they are made of, where the index has whole numbers */
	float	   *weight;			/* most, likewise */
	float	   *scale;			/* most */
	float	   *offset;			/* most */
	int32_t    *position;		/* of each item now, -1 of movers */
	float	   *coordinate;		/* for mf_sq4_recode() */
} RenewSpace;

/* Divides the workspace; start NULL only measures. */
static void
lay_out_space(RenewSpace *space, MfArena *arena, const MfIndex *index, const MfRenewal *renewal)
{
	space->most = renewal->nrenewed + index->renewed_blocks * MF_BLOCK;
	space->mover = mf_arena_take(arena, (size_t) space->most * sizeof(Mover));
	space->vector = mf_arena_floats(arena, (size_t) (space->most * index->ld));
	for (int p = 0; p < 2; p++)
		space->part[p] = mf_arena_floats(arena, p < mf_index_narrow_parts(index) ? (size_t) (space->most * index->ld) : 0);
	space->weight = mf_arena_floats(arena, (size_t) space->most);
	space->scale = mf_arena_floats(arena, (size_t) space->most);
	space->offset = mf_arena_floats(arena, (size_t) space->most);
	space->position = mf_arena_take(arena, (size_t) renewal->nitems * sizeof(int32_t));
	space->coordinate = mf_arena_floats(arena, (size_t) (MF_PACK + 1) * (size_t) index->ld);
}

/* Bytes of 64-byte aligned workspace that mf_index_renew() needs. */
size_t
mf_index_renew_workspace(const MfIndex *index, const MfRenewal *renewal)
{
	MfArena		arena = {NULL, 0};
	RenewSpace	space;

	lay_out_space(&space, &arena, index, renewal);
	return arena.used;
}

/* Takes an item to those that move. */
static void
take_mover(RenewSpace *space, const MfIndex *index, int64_t row, const MfIndexEntry *entry)
{
	size_t		bytes = (size_t) index->ld * sizeof(float);

	space->mover[row] = (Mover) {(float) mf_norm(entry->vector, index->ld), entry->item, row};
	space->offset[row] = entry->offset;
	space->weight[row] = entry->weight;
	space->scale[row] = entry->scale;
	memcpy(space->vector + row * index->ld, entry->vector, bytes);
	for (int p = 0; p < mf_index_narrow_parts(index); p++)
		memcpy(space->part[p] + row * index->ld, entry->part[p], bytes);
	space->position[entry->item] = -1;
}

/* Takes one that has moved before. */
static void
take_again(RenewSpace *space, const MfIndex *index, int64_t row, int32_t item, int32_t position)
{
	float		vector[MF_MAX_PADDED];
	float		part[2][MF_MAX_PADDED];
	MfIndexEntry entry = {.item = item};

	entry.vector = mf_index_row(index, position, vector);
	for (int p = 0; p < mf_index_narrow_parts(index); p++)
		entry.part[p] = mf_index_part(index, p, position, index->ld, part[p]);
	if (mf_index_narrow_parts(index) > 1 && index->narrow.exponent[1][position] > 0)
		entry.weight = index->narrow.weight;
	entry.offset = index->offset == NULL ? 0 : index->offset[position];
	entry.scale = index->narrow.scale == NULL ? 1 : index->narrow.scale[position];
	take_mover(space, index, row, &entry);
}

/* An item that is given anew. */
static MfIndexEntry
renewed_entry(const MfIndex *index, const MfRenewal *renewal, int64_t r)
{
	MfIndexEntry entry = {.item = renewal->item[r],.vector = renewal->vector + r * index->ld};

	for (int p = 0; p < mf_index_narrow_parts(index); p++)
		entry.part[p] = renewal->part[p] + r * index->ld;
	entry.weight = mf_index_narrow_parts(index) > 1 ? renewal->weight[r] : 0;
	entry.offset = renewal->offset == NULL ? 0 : renewal->offset[r];
	entry.scale = renewal->scale == NULL ? 1 : renewal->scale[r];
	return entry;
}

/*
 * Finds the place of each item that stays, and copies the others, also those that have moved before; returns how many,
 * or -1 where one cannot be kept as the index keeps them.
 */
static int64_t
find_movers(RenewSpace *space, const MfIndex *index, const MfRenewal *renewal)
{
	int64_t		base = mf_index_base_rows(index);
	int64_t		count = 0;

	for (int64_t i = 0; i < renewal->nitems; i++)
	{
		int32_t		position = renewal->before[i] < 0 ? -1 : index->position[renewal->before[i]];

		if (position >= base)
			take_again(space, index, count++, (int32_t) i, position);
		else
			space->position[i] = position;
	}
	for (int64_t r = 0; r < renewal->nrenewed; r++)
	{
		MfIndexEntry entry = renewed_entry(index, renewal, r);

		if (!mf_index_takes(index, &entry))
			return -1;
		take_mover(space, index, count++, &entry);
	}
	return count;
}

/* qsort(): descending norms, ties by number. */
static int
compare_movers(const void *a, const void *b)
{
	const Mover *x = a;
	const Mover *y = b;

	if (x->norm != y->norm)
		return x->norm > y->norm ? -1 : 1;
	return (x->item > y->item) - (x->item < y->item);
}

/* Enters the items that stay where they are, under the numbers that they have now, and no others. */
static void
enter_stayers(MfIndex *index, const MfRenewal *renewal, const int32_t *position)
{
	int32_t    *item = MF_WRITABLE(int32_t, index->item);
	uint64_t   *live = MF_WRITABLE(uint64_t, index->live);

	memset(item, -1, (size_t) index->room * sizeof(int32_t));
	memset(live, 0, (size_t) index->room / 8);
	memset(MF_WRITABLE(int32_t, index->position), -1, (size_t) index->room * sizeof(int32_t));
	for (int64_t i = 0; i < renewal->nitems; i++)
	{
		if (position[i] < 0)
			continue;
		item[position[i]] = (int32_t) i;
		live[position[i] / 64] |= UINT64_C(1) << (position[i] % 64);
		MF_WRITABLE(int32_t, index->position)[i] = position[i];
	}
}

/* The bounds of what a search comes to after the renewed blocks, of an index that was built with so many positions. */
static MfIndexBound
bound_of_rest(const MfIndex *index, int64_t base)
{
	MfIndexBound bound = {0, {0, 0}, -INFINITY};

	if (base <= MF_BLOCK)
		return bound;
	bound.norm = index->block_norm[1];
	for (int h = 0; h < 2 && mf_index_has_halves(index); h++)
		bound.half[h] = index->block_half[h][1];
	if (index->offset != NULL)
		bound.offset = index->tail_offset[1];
	return bound;
}

/* Bounds a block anew, before those that *tail is of. */
static void
bound_turn(MfIndex *index, int64_t block, MfIndexBound *tail)
{
	mf_index_bound_block(index, block);
	mf_index_bound_tail(index, block, tail);
}

/* What a mover's position gets. */
static MfIndexEntry
mover_entry(const MfIndex *index, const RenewSpace *space, const Mover *mover)
{
	MfIndexEntry entry = {.item = mover->item,.vector = space->vector + mover->row * index->ld};

	for (int p = 0; p < 2; p++)
		entry.part[p] = space->part[p] + mover->row * index->ld;
	entry.weight = space->weight[mover->row];
	entry.offset = space->offset[mover->row];
	entry.scale = space->scale[mover->row];
	return entry;
}

/* Writes the renewed blocks, with these movers in order, and the bounds of what a search has before it there. */
static void
fill_renewed(MfIndex *index, const RenewSpace *space, int64_t count)
{
	int64_t		base = mf_index_base_rows(index);
	MfIndexBound tail = bound_of_rest(index, base);

	for (int64_t at = base; at < index->nblocks * MF_BLOCK; at++)
	{
		MfIndexEntry entry;

		if (at - base >= count)
		{
			mf_index_clear(index, at);
			continue;
		}
		entry = mover_entry(index, space, &space->mover[at - base]);
		mf_index_put(index, at, &entry);
	}
	for (int64_t block = index->nblocks - 1; block >= base / MF_BLOCK; block--)
	{
		bound_turn(index, block, &tail);
		if (index->sq4.dims > 0)
			mf_sq4_recode(index, block, space->coordinate);
	}
	if (base > 0)
		bound_turn(index, 0, &tail);
}

/*
 * Renews the index in space, which has so many bytes.  Items get the numbers that the renewal says; searches find what
 * they would find in an index that was built of the items that there are now.  The workspace has
 * mf_index_renew_workspace() bytes,
 * 64-byte aligned.  Returns false where there is no room, or no index, or an item is not of such whole numbers as the
 * index has, and nothing has changed.
 *
 * Of vectors and codes nothing is written before mf_index_base_rows().
 */
bool
mf_index_renew(void *space, size_t size, void *workspace, const MfRenewal *renewal)
{
	MfArena		arena = {workspace, 0};
	RenewSpace	sections;
	MfIndexHeader header;
	MfIndex		index;
	int64_t		count;

	if (!mf_index_open(&index, space, size))
		return false;
	lay_out_space(&sections, &arena, &index, renewal);
	count = find_movers(&sections, &index, renewal);
	if (count < 0 || mf_index_base_rows(&index) + count > index.room)
		return false;
	qsort(sections.mover, (size_t) count, sizeof(Mover), compare_movers);
	memcpy(&header, space, sizeof(header));
	header.nitems = renewal->nitems;
	header.renewed_blocks = (int32_t) ((count + MF_BLOCK - 1) / MF_BLOCK);
	mf_index_lay_out(&index, space, &header);
	enter_stayers(&index, renewal, sections.position);
	fill_renewed(&index, &sections, count);
	memcpy(space, &header, sizeof(header));
	return true;
}

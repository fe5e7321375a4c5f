/*
 * index.h - the item index that serving reads: one read-only block of memory without pointers.
 *
 * The block may be written to a file and mapped by any number of processes; MfIndex is a process's
 * view of it.  Whoever stores it protects it by a checksum: opening checks sizes only.
 */
#ifndef MF_INDEX_H
#define MF_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/threads.h"
#include "core/kernels/score.h"

/* What an index is built from.  Item i's number is the rank of its id: smaller number, smaller id. */
typedef struct MfItems
{
	int64_t		nitems;			/* 0 .. 2^31 - 1 */
	int			factors;		/* d, 1 .. MF_MAX_FACTORS */
	const float *vector;		/* nitems x mf_padded(d), row-major, padding 0, finite */
	const float *offset;		/* nitems: added to the score; NULL: 0 */
	const float *query;			/* nqueries x mf_padded(d): some users' vectors, by which it is
								 * decided whether codes are worth their room; may be NULL */
	int64_t		nqueries;
	int64_t		room;			/* positions, for items that come later: mf_index_room(); 0: none but these items' */
	const float *part[2];		/* nitems x mf_padded(d): what vectors are made of, for those that are whole numbers:
								 * vector = part[0] + weight * part[1], [1] NULL: part[0]; both NULL: nobody says */
	int			shared;			/* with part[1]: numbers of part[0], behind which it is 0 */
	const float *weight;		/* nitems: of part[1]; a single value, or 0 */
	int			parts;			/* mf_index_parts() of these: whole numbers; 0: floats */
	const float *scale;			/* nitems: vector = scale * part[0] + (weight * scale) * part[1], as
								 * mf_narrow_scale() has them; NULL: 1 */
} MfItems;

/*
 * How an index is quantized: by codes of 4 bits of all items where these are many, and where norms prune of 8 bits of
 * the first items, which most searches end with.
 */
typedef enum MfQuantization
{
	MF_QUANTIZE_AUTO,			/* 4 bits of many items, 8 bits unless a sample says that norms prune badly */
	MF_QUANTIZE_NEVER,
	MF_QUANTIZE_SQ4				/* 4 bits alone, whatever norms and items are like */
} MfQuantization;

/*
 * Codes of 8 bits of whole vectors, of an index's first blocks or of all: see sq8.c.  Arrays but code are of whole
 * blocks, a number for each pack.  All zero where there are none.
 */
typedef struct MfSq8
{
	int64_t		nblocks;		/* that have such codes: the first ones of the index */
	const uint8_t *code;		/* ld x 16 bytes a pack: see MfScore.sq8_scan */
	const float *step;			/* what one step of a code is worth */
	const float *error;			/* largest norm of what the codes miss */
	const float *length;		/* largest norm of what the codes stand for */
	const float *zero;			/* MF_BLOCK_PACKS zeros: no coordinate is left out */
} MfSq8;

/*
 * 4-bit codes of the leading coordinates of all items: see sq4.c.  Arrays but rotation and code are of
 * whole blocks, a number for each pack.  All zero where there are none.
 */
typedef struct MfSq4
{
	int			dims;			/* leading coordinates that have codes, a multiple of 16; 0: none */
	float		skew;			/* how far the rotation is from orthonormal */
	const float *rotation;		/* dims x ld: from vectors to coordinates, orthonormal rows */
	const uint8_t *code;		/* npacks x dims x 8 bytes: see MfScore.sq4_sums */
	const float *least_norm;	/* no item of the pack has a smaller norm */
	const float *step;			/* what one step of a code is worth */
	const float *error;			/* largest norm of what the codes miss */
	const float *length;		/* largest norm of what the codes stand for */
	const float *rest;			/* largest norm beyond the coded coordinates */
} MfSq4;

/*
 * Vectors that whoever opens an index gives by position, as they are not in it: row() returns one of mf_padded(factors)
 * floats, padding 0, which it may put together in a workspace of so many; of a position without an item anything.  NULL:
 * they are the index's own.
 */
typedef struct MfVectors
{
	const float *(*row) (const void *state, int32_t position, float *workspace);
	const void *state;
	int			factors;		/* d */
} MfVectors;

/*
 * A view of an index.  Arrays "by position" are in the order in which items are searched, but for those of the last
 * blocks, which have been renewed since the others were built: these come after the first block.
 */
typedef struct MfIndex
{
	int64_t		nitems;
	int			factors;		/* d */
	int			ld;				/* mf_padded(d) */
	int64_t		npacks;
	int64_t		nblocks;
	int64_t		renewed_blocks; /* the last ones: see index_renew.c */
	int64_t		room;			/* positions that there can be */
	size_t		size;			/* bytes of the block */
	const uint64_t *live;		/* of whole blocks: a bit by position, where there is an item */
	const int32_t *item;		/* by position, of whole packs: the item there, -1: none */
	const int32_t *position;	/* by item, of whole packs */
	const float *vector;		/* by position, of whole packs: ld floats each; NULL: they are whole numbers */
	MfNarrowRows narrow;		/* by position, of whole packs: these, the second part's exponent 0 where it weighs
								 * nothing; see mf_index_row() */
	int			shared;			/* numbers of the first part, behind which it is 0 */
	const uint8_t *second_exponent; /* by position: of the second part itself */
	MfVectors	rows;			/* of an index of directions */
	bool		directions;		/* codes are of vectors divided by their norms, for cosines: see directions.c */
	const float *norm;			/* by position, of whole packs: |v|, nearest float */
	const float *offset;		/* by position, of whole packs; NULL: all 0 */
	const float *pack_norm;	/* of whole blocks: no item of the pack has a larger norm */
	const float *pack_half[2];	/* of whole blocks: nor larger ones of the numbers that both parts share, and of those behind;
								 * NULL: there are none behind */
	const float *pack_offset;	/* of whole blocks: nor a larger offset; NULL: all 0 */
	const float *block_norm;	/* no item of the block or one that is searched later has a larger norm */
	const float *block_half[2]; /* nor larger ones of halves; NULL as above */
	const float *block_offset;	/* no item of the block has a larger offset; NULL: all 0 */
	const float *tail_offset;	/* nor, of the block or one that is searched later; NULL: all 0 */
	MfSq8		sq8;			/* of the items with the largest norms, where norms prune */
	MfSq4		sq4;			/* of all items, where they are many */
} MfIndex;

/* Items of an index in which vectors change, or come and go. */
typedef struct MfRenewal
{
	int64_t		nitems;			/* that there are now */
	const int32_t *before;		/* nitems: the number that each had; negative: it is one of the next */
	int64_t		nrenewed;
	const int32_t *item;		/* nrenewed: their numbers now */
	const float *vector;		/* nrenewed x ld */
	const float *offset;		/* nrenewed; NULL where the index has none */
	const float *part[2];		/* nrenewed x ld: see MfItems; where the index has whole numbers */
	const float *weight;		/* nrenewed */
	const float *scale;			/* nrenewed; NULL: 1 */
} MfRenewal;

extern int64_t mf_index_room(int64_t nitems);
extern int	mf_index_parts(const MfItems *items);
extern size_t mf_index_size(const MfItems *items);
extern size_t mf_index_workspace(int64_t nitems, int factors, const MfParallel *parallel);
extern size_t mf_index_build(void *space, void *workspace, const MfItems *items, MfQuantization quantization,
							 const MfParallel *parallel);
extern bool mf_index_open(MfIndex *index, const void *space, size_t size);
extern size_t mf_index_renew_workspace(const MfIndex *index, const MfRenewal *renewal);
extern bool mf_index_renew(void *space, size_t size, void *workspace, const MfRenewal *renewal);

extern const float *mf_index_row(const MfIndex *index, int32_t position, float *workspace);
extern const float *mf_index_part(const MfIndex *index, int part, int32_t position, int ld, float *workspace);

/* How many parts of whole numbers an index has, and how many numbers of a part lie in a row. */
static inline int
mf_index_narrow_parts(const MfIndex *index)
{
	return index->narrow.number[1] != NULL ? 2 : index->narrow.number[0] != NULL ? 1 : 0;
}

/* Whether an index has its vectors as floats, so that mf_index_row() needs no workspace. */
static inline bool
mf_index_has_rows(const MfIndex *index)
{
	return index->rows.row == NULL && index->vector != NULL;
}

/* The vector of an item: ld floats, padding 0; it may be put together in workspace, ld floats. */
static inline const float *
mf_index_vector(const MfIndex *index, int32_t item, float *workspace)
{
	return mf_index_row(index, index->position[item], workspace);
}

/* Positions of the blocks that an index was built with: what lies there of vectors and codes stays for good. */
static inline int64_t
mf_index_base_rows(const MfIndex *index)
{
	return (index->nblocks - index->renewed_blocks) * MF_BLOCK;
}

/* Whether vectors have halves of which norms are known: numbers that both parts share, and others behind them. */
static inline bool
mf_index_has_halves(const MfIndex *index)
{
	return index->pack_half[0] != NULL;
}

/* Whether norms prune so little that searches look at nearly all codes. */
static inline bool
mf_index_is_flat(const MfIndex *index)
{
	return index->sq4.dims > 0 && index->sq8.nblocks == 0;
}

/*
 * The block that a search goes through in a turn, from 0 to nblocks - 1: the first, whose items set a threshold,
 * renewed ones, then the others as norms descend.
 */
static inline int64_t
mf_index_visited(const MfIndex *index, int64_t turn)
{
	if (turn == 0)
		return 0;
	return turn <= index->renewed_blocks ? index->nblocks - index->renewed_blocks + turn - 1 : turn - index->renewed_blocks;
}

/*
 * For those who fill a block: what it begins with, from which the place of every array follows.  Every number of an
 * index has 4 bytes but codes, which have half of one or one, and whole numbers, which have two.
 */
#define MF_INDEX_MAGIC "mfindex"
#define MF_INDEX_FORMAT 9
#define MF_INDEX_ORDER UINT32_C(0x01020304) /* tells the byte order */

typedef struct MfIndexHeader
{
	char		magic[8];
	uint32_t	format;
	uint32_t	order;
	int64_t		nitems;
	int32_t		factors;
	int32_t		sq4_dims;		/* 0: no 4-bit codes */
	int32_t		has_offset;
	float		sq4_skew;
	int32_t		sq8_blocks;		/* the first ones, which have 8-bit codes */
	int32_t		renewed_blocks;
	int64_t		built_items;	/* that it was built with, the positions before renewed blocks */
	int64_t		room;			/* positions that there can be */
	int32_t		parts;			/* of whole numbers; 0: vectors are floats */
	int32_t		shared;			/* numbers of the first part that are not 0 */
	float		weight;			/* of the second one */
	int32_t		has_scale;		/* whole numbers have scales */
} MfIndexHeader;

/* The header, and what lies between it and the first array. */
#define MF_INDEX_HEADER_BYTES ((sizeof(MfIndexHeader) + 63) / 64 * 64)

/* An item that gets a position: its vector, or what it is made of where the index has whole numbers. */
typedef struct MfIndexEntry
{
	int32_t		item;
	const float *vector;		/* ld, like the next */
	const float *part[2];
	float		weight;
	float		offset;
	float		scale;
} MfIndexEntry;

/* What no item exceeds of a block and of those that are searched later: norms, rounded upwards, and the offset. */
typedef struct MfIndexBound
{
	float		norm;
	float		half[2];
	float		offset;
} MfIndexBound;

extern MfIndexHeader mf_index_header(const MfItems *items);
extern void mf_index_lay_out(MfIndex *index, const void *block, const MfIndexHeader *header);
extern size_t mf_index_packs(int64_t positions);
extern void mf_index_lay_out_sq4(MfIndex *index, MfArena *arena, size_t packs);
extern void mf_index_lay_out_sq8(MfSq8 *sq8, MfArena *arena, int ld, int64_t nblocks);
extern int32_t mf_index_sq8_blocks(int64_t nitems);
extern void mf_index_put(MfIndex *index, int64_t at, const MfIndexEntry *entry);
extern bool mf_index_takes(const MfIndex *index, const MfIndexEntry *entry);
extern void mf_index_clear(MfIndex *index, int64_t at);
extern void mf_index_bound_block(MfIndex *index, int64_t block);
extern void mf_index_bound_tail(MfIndex *index, int64_t block, MfIndexBound *tail);

#endif

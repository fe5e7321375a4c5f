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

#include "core/base/threads.h"

/* Items are kept in panels of 16, panels in blocks of 64. */
#define MF_PANEL 16
#define MF_BLOCK_PANELS 64
#define MF_BLOCK (MF_PANEL * MF_BLOCK_PANELS)

/* What an index is built from.  Item i's number is the rank of its id: smaller number, smaller id. */
typedef struct MfItems
{
	int64_t		nitems;			/* 0 .. 2^31 - 1 */
	int			factors;		/* d, 1 .. 1000 */
	const float *vector;		/* nitems x mf_padded(d), row-major, padding 0, finite */
	const float *offset;		/* nitems: added to the score; NULL: 0 */
	const float *query;			/* nqueries x mf_padded(d): some users' vectors, by which it is
								 * decided whether codes are worth their room; may be NULL */
	int64_t		nqueries;
} MfItems;

/*
 * What codes an index carries: of 4 bits, by which all items are looked at where norms are flat, or fine
 * ones of the first items, where norms prune.
 */
typedef enum MfCodes
{
	MF_CODES_AUTO,				/* 4 bits where the sample says that norms prune badly, else fine ones */
	MF_CODES_NEVER,				/* none */
	MF_CODES_ALWAYS				/* 4 bits */
} MfCodes;

/*
 * Codes of 7 bits of whole vectors, of an index's first blocks or of all: see sq8.c.  Arrays but code are
 * of whole blocks, a number for each panel.
 */
typedef struct MfFine
{
	int64_t		nblocks;		/* that have such codes: the first ones of the index */
	const uint8_t *code;		/* ld x 16 bytes a panel: see MfScanTile */
	const float *step;			/* what one step of a code is worth */
	const float *error;			/* largest norm of what the codes miss */
	const float *length;		/* largest norm of what the codes stand for */
	const float *zero;			/* MF_BLOCK_PANELS zeros: no coordinate is left out */
} MfFine;

/* A view of an index.  Arrays "by position" are in the order in which items are searched. */
typedef struct MfIndex
{
	int64_t		nitems;
	int			factors;		/* d */
	int			ld;				/* mf_padded(d) */
	int64_t		npanels;
	int64_t		nblocks;
	size_t		size;			/* bytes of the block */
	const int32_t *item;		/* by position, of whole panels: the item there */
	const int32_t *position;	/* by item, of whole panels */
	const float *vector;		/* by position, of whole panels: ld floats each */
	const float *norm;			/* by position, of whole panels: |v|, nearest float */
	const float *offset;		/* by position, of whole panels; NULL: all 0 */
	const float *panel_norm;	/* of whole blocks: no item of the panel has a larger norm */
	const float *panel_offset;	/* of whole blocks: nor a larger offset; NULL: all 0 */
	const float *block_norm;	/* no item of the block or a later one has a larger norm */
	const float *block_offset;	/* no item of the block has a larger offset; NULL: all 0 */
	const float *tail_offset;	/* nor, of the block or a later one; NULL: all 0 */
	MfFine		head;			/* fine codes of the items with the largest norms, where norms prune */
	/* codes, see sq4.h; all NULL where there are none */
	int			coded;			/* leading coordinates that codes cover, a multiple of 16; 0: none */
	float		skew;			/* how far the rotation is from orthonormal */
	const float *rotation;		/* coded x ld: from vectors to coordinates, orthonormal rows */
	const float *spread;		/* coded: unit of each coordinate */
	const uint8_t *code;		/* npanels x coded x 8 bytes */
	const float *panel_least;	/* of whole blocks: no item of the panel has a smaller norm */
	const float *panel_step;	/* of whole blocks: what one step of a code is worth */
	const float *panel_error;	/* of whole blocks: largest norm of what the codes miss, in units */
	const float *panel_length;	/* of whole blocks: largest norm of what the codes stand for, in units */
	const float *panel_rest;	/* of whole blocks: largest norm beyond the coded coordinates */
} MfIndex;

extern size_t mf_index_size(int64_t nitems, int factors);
extern size_t mf_index_workspace(int64_t nitems, int factors, const MfParallel *parallel);
extern size_t mf_index_build(void *space, void *workspace, const MfItems *items, MfCodes codes,
							 const MfParallel *parallel);
extern bool mf_index_open(MfIndex *index, const void *space, size_t size);

/* The vector of an item: ld floats, padding 0. */
static inline const float *
mf_index_vector(const MfIndex *index, int32_t item)
{
	return index->vector + (size_t) index->position[item] * index->ld;
}

#endif

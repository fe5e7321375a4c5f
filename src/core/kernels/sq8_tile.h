/*
 * sq8_tile.h - some queries' way through the 8-bit codes of a block of items, by whichever kernel.
 */
#ifndef MF_SQ8_TILE_H
#define MF_SQ8_TILE_H

#include <stdint.h>

#define MF_PACK 16
#define MF_BLOCK_PACKS 64
#define MF_BLOCK (MF_PACK * MF_BLOCK_PACKS)

/* Queries that go through the 8-bit codes of a block together. */
#define MF_SQ8_TILE 16

/* Some queries' way through the 8-bit codes of a block. */
typedef struct MfSq8Tile
{
	int			nqueries;		/* 1 .. MF_SQ8_TILE */
	const int8_t *query[MF_SQ8_TILE];	/* ld each */
	uint64_t	live[MF_SQ8_TILE];	/* packs that each is interested in */
	int32_t		least_sum[MF_SQ8_TILE][MF_BLOCK_PACKS]; /* sums of products that matter to it */
	uint64_t	found[MF_SQ8_TILE]; /* result: the packs with items whose sums reach least_sum */
	uint16_t	passed[MF_SQ8_TILE][MF_BLOCK_PACKS];	/* result: the bits of such items, in packs of found[] */
} MfSq8Tile;

/* Takes the queries of a tile through the codes of a block, ld of each item: see MfScore. */
typedef void (*MfSq8ScanTile) (const uint8_t *code, int ld, MfSq8Tile *tile);

#endif

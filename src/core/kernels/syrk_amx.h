/*
 * syrk_amx.h - the product of a panel of whole numbers of 8 bits with itself by tiles of bytes (AMX-INT8).
 *
 * Numbers of 13 bits would be two bytes each.  Their panels of 128 rows take longer so than by VNNI (1.1 to 1.3 times
 * at 64 columns on a Xeon of 2023): tiles want operands transposed, and what is stored for them cannot be loaded at
 * once.
 */
#ifndef MF_SYRK_AMX_H
#define MF_SYRK_AMX_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/kernels/dense.h"

/* See MfInt16. */
typedef void (*MfSyrk) (float *c, int ldc, const float *panel, int ld, int n, const float *step, float square, int add,
						const MfAhead *ahead);

#define MF_TILE_SIDE 16			/* rows of a tile, and words of 4 bytes in a row */
#define MF_TILE_STEP 64			/* rows of a panel that are multiplied at once */
#define MF_TILE_PANEL 512		/* and those that it has at most */

/* What is loaded to a tile, and stored from one. */
typedef uint32_t MfTile[MF_TILE_SIDE][MF_TILE_SIDE];

/* 16 columns of a panel, transposed: a tile for each step. */
typedef struct MfTurned
{
	_Alignas(64) MfTile tile[MF_TILE_PANEL / MF_TILE_STEP];
} MfTurned;

/* Sums of products that were made together. */
typedef struct MfTileSums
{
	_Alignas(64) MfTile tile[3];
} MfTileSums;

/* As instructions load it: the number of bytes and rows of each tile. */
typedef struct MfTileConfig
{
	uint8_t		palette;
	uint8_t		start_row;
	uint8_t		reserved[14];
	uint16_t	bytes[16];
	uint8_t		rows[16];
} MfTileConfig;

/*
 * Whether tiles multiply a panel of n rows of ld columns sooner than VNNI does.  Measured on a Xeon of 2023, with the
 * panel in the cache: at 64 columns with 512 rows they take .5 of the time, with 128 .55, with 64 .7, with 32 1.1; at 32
 * columns with 256 .63, with 128 1.
 */
static inline bool
mf_tiles_pay(int ld, int n)
{
	return ld >= 64 ? n > 40 : ld >= 32 && n > 128;
}

/* Zeros behind the last of a panel's n rows, which tiles multiply as well. */
static inline void
mf_tiles_end(float *panel, int ld, int n)
{
	int			used = (n + 3) / 4;
	int			words = (n + MF_TILE_STEP - 1) / MF_TILE_STEP * (MF_TILE_STEP / 4);

	memset(panel + used * ld, 0, (size_t) ((words - used) * ld) * sizeof(float));
}

/* As MfSyrk, for panels of int8.h that mf_tiles_end() has ended; only where mf_syrk_amx_agrees(). */
extern void mf_syrk_amx(float *c, int ldc, const float *panel, int ld, int n, const float *step, float square, int add,
						const MfAhead *ahead);

extern bool mf_syrk_amx_agrees(MfSyrk other);
extern bool mf_syrk_amx_trial(MfSyrk tiles, MfSyrk other);

#endif

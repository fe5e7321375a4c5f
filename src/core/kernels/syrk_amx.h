/*
 * syrk_amx.h - the product of a panel of whole numbers with itself by tiles of bytes (AMX-INT8).
 */
#ifndef MF_SYRK_AMX_H
#define MF_SYRK_AMX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernels/dense.h"

/* c (ld x ld, upper tiles) (+)= square times the sum over the panel's n rows of y y': see MfInt16 */
typedef void (*MfSyrk) (float *c, int ld, const float *panel, int n, const float *step, float square, int add,
						const MfAhead *ahead);

/*
 * Panels of fewer rows are multiplied sooner without tiles.  That is an estimate: about 1500 cycles at 64 columns are
 * spent whatever the number of rows, in which VNNI multiplies some thirty.
 */
#define MF_AMX_LEAST_ROWS 32

#define MF_TILE_SIDE 16			/* rows of a tile, and words of 4 bytes in a row */
#define MF_TILE_STEPS 2			/* in which a panel is multiplied at most, 64 rows at once */
#define MF_TILE_PANEL (MF_TILE_STEPS * 4 * MF_TILE_SIDE)

/* What is loaded to a tile, and stored from one. */
typedef uint32_t MfTile[MF_TILE_SIDE][MF_TILE_SIDE];

/* Some columns of a panel, as two tiles for every step. */
typedef struct MfStrip
{
	_Alignas(64) MfTile tile[MF_TILE_STEPS][2];
} MfStrip;

/* The sums of products of the first and second tiles of one strip with those of another. */
typedef struct MfStripProduct
{
	_Alignas(64) MfTile sum[2][2];
} MfStripProduct;

/* As instructions load it: the number of bytes and rows of each tile. */
typedef struct MfTileConfig
{
	uint8_t		palette;
	uint8_t		start_row;
	uint8_t		reserved[14];
	uint16_t	bytes[16];
	uint8_t		rows[16];
} MfTileConfig;

/* As MfSyrk, for panels of int16.h and of int8.h; only where mf_syrk_amx_agrees(). */
extern void mf_syrk_amx_int16(float *c, int ld, const float *panel, int n, const float *step, float square, int add,
							  const MfAhead *ahead);
extern void mf_syrk_amx_int8(float *c, int ld, const float *panel, int n, const float *step, float square, int add,
							 const MfAhead *ahead);

extern bool mf_syrk_amx_agrees(int most, MfSyrk other);
extern bool mf_syrk_amx_trial(int most, MfSyrk tiles, MfSyrk other);

#endif

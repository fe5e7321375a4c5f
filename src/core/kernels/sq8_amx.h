/*
 * sq8_amx.h - sums of products of 8-bit codes for sixteen queries at once, by tiles of bytes (AMX-INT8).
 */
#ifndef MF_SQ8_AMX_H
#define MF_SQ8_AMX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernels/sq8_tile.h"

/* Only where mf_sq8_amx_agrees(). */
extern void mf_sq8_scan_tile_amx(const uint8_t *code, int ld, MfSq8Tile *tile);

extern bool mf_sq8_amx_agrees(MfSq8ScanTile other);
extern bool mf_sq8_amx_trial(MfSq8ScanTile tiles, MfSq8ScanTile other);

#endif

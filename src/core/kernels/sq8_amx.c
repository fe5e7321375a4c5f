/*
 * sq8_amx.c - 8-bit codes of a block for sixteen queries by tiles of bytes, and the trial before that.
 *
 * Tiles are taken into use and given back within a call, and trusted after a trial, as in syrk_amx.c.
 */
#include "core/kernels/sq8_amx.h"

#include <stddef.h>
#include <string.h>

#include "core/base/padding.h"
#include "core/base/rng.h"
#include "core/kernels/syrk_amx.h"
#include "core/simd/simd.h"

/* A trial's codes: of one step and a part of another, of two groups of packs. */
#define TRIAL_LD 80
#define TRIAL_PACKS 8

#ifdef MF_HAS_AMX
#include "core/kernels/amx_instructions.h"

#define MF_ISA_ROW MF_ISA_5
MF_TARGET_BEGIN(MF_TARGETS_AMX)
#include "core/simd/simd_f32.h"
#include "core/kernels/sq8_amx_body.h"
MF_TARGET_END
#undef MF_ISA_ROW

void
mf_sq8_scan_tile_amx(const uint8_t *code, int ld, MfSq8Tile *tile)
{
	sq8_scan_tiles_amx(code, ld, tile);
}

#endif

/* Whether two kernels find the same items, about half of all, in some codes up to the largest. */
bool
mf_sq8_amx_trial(MfSq8ScanTile tiles, MfSq8ScanTile other)
{
	uint8_t		code[TRIAL_PACKS * TRIAL_LD * MF_PACK];
	int8_t		query[MF_SQ8_TILE][TRIAL_LD];
	MfSq8Tile	tile[2];
	bool		same = true;

	for (size_t i = 0; i < sizeof(code); i++)
		code[i] = (uint8_t) (mf_mix64(i) % 128);
	tile[0].nqueries = MF_SQ8_TILE;
	for (int q = 0; q < MF_SQ8_TILE; q++)
	{
		int32_t		total = 0;

		for (int j = 0; j < TRIAL_LD; j++)
			total += query[q][j] = (int8_t) ((int) (mf_mix64((uint64_t) (q * TRIAL_LD + j) << 32) % 255) - 127);
		tile[0].query[q] = query[q];
		tile[0].live[q] = (UINT64_C(1) << TRIAL_PACKS) - 1;
		for (int p = 0; p < MF_BLOCK_PACKS; p++)
			tile[0].least_sum[q][p] = 64 * total + 100 * (p % 5 - 2);
	}
	tile[1] = tile[0];
	tiles(code, TRIAL_LD, &tile[0]);
	other(code, TRIAL_LD, &tile[1]);
	for (int q = 0; q < MF_SQ8_TILE; q++)
	{
		same = same && tile[0].found[q] == tile[1].found[q];
		for (uint64_t found = tile[1].found[q]; found != 0; found &= found - 1)
			same = same && tile[0].passed[q][__builtin_ctzll(found)] == tile[1].passed[q][__builtin_ctzll(found)];
	}
	return same;
}

#ifdef MF_HAS_AMX

/*
 * Whether tiles may be used for what `other` does without.  The first time this asks the kernel and makes a trial;
 * after one that fails no tiles are used again.
 */
bool
mf_sq8_amx_agrees(MfSq8ScanTile other)
{
	static atomic_bool tried;

	if (mf_amx_wants_trial(&tried))
		mf_amx_end_trial(&tried, mf_sq8_amx_trial(mf_sq8_scan_tile_amx, other));
	return mf_isa_has_amx();
}

#endif

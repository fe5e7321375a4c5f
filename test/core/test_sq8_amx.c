/*
 * test_sq8_amx.c - sums of 8-bit codes by tiles of bytes: the kernel over a model of these in plain C, wherever this runs,
 * and the library's own instructions, by the processor or trapped, find what kernels without tiles find.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "amx_model.h"
#include "amx_trap.h"
#include "core/base/padding.h"
#include "core/base/rng.h"
#include "core/kernels/score.h"
#include "core/kernels/sq8_amx.h"

#define MF_BODY "core/kernels/sq8_amx_body.h"
#include "core/simd/foreach_isa.h"

/* The kernel over the model, for each level's registers. */
#define MODEL_CODES(x, id, name, bodies, lanes, vnni, target, support) sq8_scan_tiles_##bodies,
static const MfSq8ScanTile model[MF_ISA_LEVELS] = {MF_ISA_EACH(MODEL_CODES, )};

/* Codes of a block, and queries that are interested in some of its packs. */
typedef struct Codes
{
	uint8_t		code[MF_BLOCK * MF_MAX_PADDED];
	int8_t		query[MF_SQ8_TILE][MF_MAX_PADDED];
	MfSq8Tile	tile;
} Codes;

/* n queries of ld coordinates, one of which is as large as can be; about half of the items pass. */
static void
set_codes(Codes *c, int ld, int n)
{
	for (size_t i = 0; i < sizeof(c->code); i++)
		c->code[i] = (uint8_t) (i % 5 == 0 ? 127 : mf_random_bits(1, i) % 128);
	c->tile.nqueries = n;
	for (int q = 0; q < n; q++)
	{
		int32_t		total = 0;

		for (int j = 0; j < ld; j++)
			total += c->query[q][j] = (int8_t) (q == 1 ? 127 : (int) (mf_random_bits(2, (uint64_t) (q * ld + j)) % 255) - 127);
		c->tile.query[q] = c->query[q];
		c->tile.live[q] = q == 2 ? 0 : mf_random_bits(3, (uint64_t) q) & ~(UINT64_C(0xff) << 12);
		for (int p = 0; p < MF_BLOCK_PACKS; p++)
			c->tile.least_sum[q][p] = p == 1 ? INT32_MAX : p == 3 ? -(1 << 30) : 76 * total;
	}
}

/* Whether a kernel finds what one without tiles does. */
static bool
finds_same(const Codes *c, int ld, MfSq8ScanTile scan)
{
	MfSq8Tile	found = c->tile;
	MfSq8Tile	expected = c->tile;
	bool		same = true;

	scan(c->code, ld, &found);
	mf_score()->sq8_scan_tile(c->code, ld, &expected);
	for (int q = 0; q < c->tile.nqueries; q++)
		for (int p = 0; p < MF_BLOCK_PACKS; p++)
			same = same && (found.found[q] >> p & 1) == (expected.found[q] >> p & 1) &&
				((expected.found[q] >> p & 1) == 0 || found.passed[q][p] == expected.passed[q][p]);
	return same;
}

/* A kernel that misses an item. */
static void
wrong_codes(const uint8_t *code, int ld, MfSq8Tile *tile)
{
	model[0] (code, ld, tile);
	tile->passed[7][__builtin_ctzll(tile->found[7])] &= (uint16_t) (tile->passed[7][__builtin_ctzll(tile->found[7])] - 1);
}

int
main(void)
{
	static const int sizes[] = {16, 48, 64, 80, 112, 128, 1008};
	Codes	   *c = malloc(sizeof(Codes));

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
		for (int n = 1; n <= MF_SQ8_TILE; n += 5)
		{
			bool		good = true;

			set_codes(c, sizes[k], n);
			for (int level = 0; level <= (int) mf_isa(); level++)
				good = finds_same(c, sizes[k], model[level]) && good;
			ok(good && model_faults == 0 && !model_configured, "codes, d = %d, %d queries: the model's tiles find the same",
			   sizes[k], n);
#ifdef MF_HAS_AMX
			if (mf_isa_has_amx())
				ok(finds_same(c, sizes[k], mf_sq8_scan_tile_amx), "so do the processor's tiles");
			else if (pretend_tiles())
			{
				good = finds_same(c, sizes[k], mf_sq8_scan_tile_amx);
				ok(good && trapped > 0 && model_faults == 0, "so do the library's own instructions, trapped");
				stop_pretending();
			}
#endif
		}
	ok(mf_sq8_amx_trial(model[mf_isa()], mf_score()->sq8_scan_tile), "codes: right tiles stand a trial");
	ok(!mf_sq8_amx_trial(wrong_codes, mf_score()->sq8_scan_tile), "and wrong ones do not");
	free(c);
	return done();
}

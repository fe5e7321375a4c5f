/*
 * sq8_amx_body.h - 8-bit codes of a block for sixteen queries, by tiles of bytes.
 *
 * A pack's codes lie as a tile is loaded (B): a row is 16 items' codes of four coordinates, and 64 coordinates are one.
 * The queries' codes, a row each, are the other factor (A), so a product has a row of 16 items' sums for each query.
 * Codes are less than 128, so it does not matter that the instruction takes them for numbers with a sign.
 *
 * Four packs are multiplied while what came of the four before is held against what matters, as their sums lie in memory by
 * then.  The includer says what the instructions are: see syrk_amx_body.h.
 */

#define FOUR 4					/* packs */

/* The sums of products of four packs' items (the last index) with the queries' codes. */
typedef int32_t MF_KERNEL(four_sums)[FOUR][MF_SQ8_TILE][MF_PACK];

/* The queries' codes: 64 coordinates of each for every step, zeros behind the last ones. */
typedef struct MF_KERNEL(factors)
{
	_Alignas(64) int8_t row[(MF_MAX_PADDED + 63) / 64][MF_SQ8_TILE][64];
} MF_KERNEL(factors);

/* Takes tiles into use: tile 6 and tile 7 have the columns and rows that are left behind whole steps. */
MF_INLINE void
MF_KERNEL(configure_sq8) (int rest)
{
	MfTileConfig config = {.palette = 1,.bytes = {64, 64, 64, 64, 64, 64},.rows = {16, 16, 16, 16, 16, 16}};

	if (rest > 0)
	{
		config.bytes[6] = (uint16_t) rest;
		config.rows[6] = 16;
		config.bytes[7] = 64;
		config.rows[7] = (uint8_t) (rest / 4);
	}
	AMX_CONFIGURE(&config);
}

/* Adds a step: by tile a the queries' codes, by tile b those of four packs, one after the other. */
#define MULTIPLY_STEP(a, b) \
	do \
	{ \
		AMX_LOAD(a, factors->row[s], MF_TILE_SIDE); \
		AMX_LOAD(b, code, MF_TILE_SIDE); \
		AMX_DOT(0, a, b); \
		AMX_LOAD(b, code + size, MF_TILE_SIDE); \
		AMX_DOT(1, a, b); \
		AMX_LOAD(b, code + 2 * size, MF_TILE_SIDE); \
		AMX_DOT(2, a, b); \
		AMX_LOAD(b, code + 3 * size, MF_TILE_SIDE); \
		AMX_DOT(3, a, b); \
	} while (0)

/* Four packs' sums, from the codes of the first on, size bytes each. */
MF_INLINE void
MF_KERNEL(multiply_packs) (MF_KERNEL(four_sums) sum, const MF_KERNEL(factors) *factors, const uint8_t *code, int ld)
{
	size_t		size = (size_t) ld * MF_PACK;
	int			s = 0;

	AMX_ZERO(0);
	AMX_ZERO(1);
	AMX_ZERO(2);
	AMX_ZERO(3);
	for (; s < ld / 64; s++, code += 64 * MF_PACK)
		MULTIPLY_STEP(4, 5);
	if (ld % 64 != 0)
		MULTIPLY_STEP(6, 7);
	AMX_STORE(0, sum[0]);
	AMX_STORE(1, sum[1]);
	AMX_STORE(2, sum[2]);
	AMX_STORE(3, sum[3]);
}

#undef MULTIPLY_STEP

/* Notes whose items reach what matters in four packs, the first of which is p. */
MF_INLINE void
MF_KERNEL(judge_packs) (MfSq8Tile *tile, int p, MF_KERNEL(four_sums) sum)
{
	for (int q = 0; q < tile->nqueries; q++)
	{
		uint64_t	passed = 0;

		MF_UNROLL
		for (int k = 0; k < FOUR; k++)
			MF_UNROLL
			for (int l = 0; l < MF_PACK; l += MF_LANES)
				passed |= (uint64_t) MF_KERNEL(lanes_reached) (MF_LOAD_INTS(sum[k][q] + l), tile->least_sum[q][p + k]) <<
					(k * MF_PACK + l);
		if (passed == 0)
			continue;
		for (int k = 0; k < FOUR; k++)
		{
			tile->passed[q][p + k] = (uint16_t) (passed >> k * MF_PACK);
			tile->found[q] |= (uint64_t) (tile->passed[q][p + k] != 0) << (p + k);
		}
	}
}

/* As sq8_scan_tile of MfScore: what dead queries found is cleared at the end. */
static void
MF_KERNEL(sq8_scan_tiles) (const uint8_t *code, int ld, MfSq8Tile *tile)
{
	MF_KERNEL(factors) factors;
	_Alignas(64) MF_KERNEL(four_sums) sum[2];
	uint64_t	live = 0;
	int			turn = 0;
	int			before = -1;

	for (int q = 0; q < MF_SQ8_TILE; q++)
		for (int j = 0; j < ld; j += 16)
			memcpy(factors.row[j / 64][q] + j % 64, tile->query[q < tile->nqueries ? q : 0] + j, 16);
	for (int q = 0; q < tile->nqueries; q++)
	{
		live |= tile->live[q];
		tile->found[q] = 0;
	}
	MF_KERNEL(configure_sq8) (ld % 64);
	for (int p = 0; p < MF_BLOCK_PACKS; p += FOUR)
	{
		if ((live >> p & ((1 << FOUR) - 1)) == 0)
			continue;
		MF_KERNEL(multiply_packs) (sum[turn], &factors, code + (size_t) p * ld * MF_PACK, ld);
		turn = 1 - turn;
		if (before >= 0)
			MF_KERNEL(judge_packs) (tile, before, sum[turn]);
		before = p;
	}
	AMX_RELEASE();
	if (before >= 0)
		MF_KERNEL(judge_packs) (tile, before, sum[1 - turn]);
	for (int q = 0; q < tile->nqueries; q++)
		tile->found[q] &= tile->live[q];
}

#undef FOUR

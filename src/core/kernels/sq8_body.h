/*
 * sq8_body.h - the kernels of score.c on 8-bit codes, for one instruction set level; included by score_body.h.
 *
 * The codes of 4 coordinates of an item are neighbours in a lane of 32 bits, as in sq4_body.h.  Codes have 7 bits, so
 * that two products of at most 127 * 127 stay within 16, where instructions before VNNI add them; a sum of 1008
 * products is a whole number of 32 bits.
 */

#if MF_HAS_BYTES

/* Chains of additions, as many as registers are free for: a dot product takes longer than the next one waits. */
#define CHAINS (MF_LANES == 16 ? 4 : 1)

/* The sums of products of a pack's items, SUMS registers, in CHAINS parts until the end. */
MF_INLINE void
MF_KERNEL(sq8_pack) (const uint8_t *code, int ld, const int8_t *query, MF_VI *sum)
{
	const int8_t *end = query + ld;
	MF_VI		part[CHAINS][SUMS] = {{{0}}};

	for (; query < end; query += 4 * CHAINS, code += 64 * CHAINS)
	{
		MF_UNROLL
		for (int c = 0; c < CHAINS; c++)
		{
			MF_VB		factor = MF_KERNEL(four_bytes) (query + 4 * c);

			MF_UNROLL
			for (int r = 0; r < SUMS; r++)
				part[c][r] = MF_KERNEL(dot_bytes) (part[c][r], MF_KERNEL(load_bytes) (code + 64 * c + 4 * MF_LANES * r),
												   factor);
		}
	}
	MF_UNROLL
	for (int r = 0; r < SUMS; r++)
	{
		sum[r] = part[0][r];
		MF_UNROLL
		for (int c = 1; c < CHAINS; c++)
			sum[r] += part[c][r];
	}
}

#undef CHAINS

#else

/* The same without an instruction for bytes: of four items at a time, two lanes of 16 bits each. */
MF_INLINE void
MF_KERNEL(sq8_pack) (const uint8_t *code, int ld, const int8_t *query, MF_VI *sum)
{
	for (int r = 0; r < SUMS; r++)
	{
		sum[r] = (MF_VI) {0};
		for (int g = 0; g < ld / 4; g++)
		{
			MF_KERNEL(words) four = MF_KERNEL(load_words) (code + 64 * g + 16 * r);
			const int8_t *q = query + 4 * g;
			MF_KERNEL(shorts) part = (MF_KERNEL(shorts)) (four & 255) * MF_KERNEL(pairs) (q, 0) +
				(MF_KERNEL(shorts)) (four >> 8) * MF_KERNEL(pairs) (q, 1);

			sum[r] += ((MF_VI) part << 16 >> 16) + ((MF_VI) part >> 16);
		}
	}
}

#endif

/* The bits of a pack's items whose codes reach least_sum. */
MF_INLINE uint32_t
MF_KERNEL(sq8_bits) (const uint8_t *pack, int ld, const int8_t *query, int32_t least_sum)
{
	MF_VI		sum[SUMS];

	MF_KERNEL(sq8_pack) (pack, ld, query, sum);
	return MF_KERNEL(reached) (sum, least_sum);
}

/* Packs that are not live are passed over, so a search whose norms prune loads few codes. */
static uint64_t
MF_KERNEL(sq8_scan) (const uint8_t *code, int ld, const int8_t *query, uint64_t live, const int32_t *least_sum,
					 uint16_t *passed)
{
	uint64_t	found = 0;

	for (; live != 0; live &= live - 1)
	{
		int			p = __builtin_ctzll(live);

		passed[p] = (uint16_t) MF_KERNEL(sq8_bits) (code + (size_t) p * ld * MF_PACK, ld, query, least_sum[p]);
		found |= (uint64_t) (passed[p] != 0) << p;
	}
	return found;
}

/* The packs that some query of a tile is interested in; none has found anything yet. */
MF_INLINE uint64_t
MF_KERNEL(start_tile) (MfSq8Tile *tile)
{
	uint64_t	live = 0;

	for (int q = 0; q < tile->nqueries; q++)
	{
		live |= tile->live[q];
		tile->found[q] = 0;
	}
	return live;
}

/* Notes what a query has found in a pack. */
MF_INLINE void
MF_KERNEL(note_pack) (MfSq8Tile *tile, int q, int p, uint32_t passed)
{
	tile->passed[q][p] = (uint16_t) passed;
	tile->found[q] |= (uint64_t) (passed != 0) << p;
}

#if MF_VNNI

/*
 * sum + the sums of four products of bytes of code and of the four bytes at factor, the same in every lane.  Not as an
 * intrinsic function: GCC 12 then loads them by an instruction of their own.
 */
MF_INLINE MF_VI
MF_KERNEL(dot_four) (MF_VI sum, MF_VB code, const int8_t *factor)
{
	__asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v" (sum) : "v" (code), "m" (*(const int32_t *) (const void *) factor));
	return sum;
}

/*
 * Codes that are loaded are multiplied by those of all queries of the tile, whether they are live or not: so sixteen
 * chains of additions fill the time, and what dead ones found is cleared at the end.  The queries' codes are put side by
 * side first, four of each.
 */
static void
MF_KERNEL(sq8_scan_tile) (const uint8_t *code, int ld, MfSq8Tile *tile)
{
	int8_t		query[MF_MAX_PADDED / 4][MF_SQ8_TILE][4] __attribute__((aligned(4)));

	for (int q = 0; q < MF_SQ8_TILE; q++)
		for (int g = 0; g < ld / 4; g++)
			memcpy(query[g][q], tile->query[q < tile->nqueries ? q : 0] + 4 * g, 4);
	for (uint64_t live = MF_KERNEL(start_tile) (tile); live != 0; live &= live - 1)
	{
		int			p = __builtin_ctzll(live);
		const uint8_t *pack = code + (size_t) p * ld * MF_PACK;
		MF_VI		sum[MF_SQ8_TILE];

		MF_UNROLL
		for (int q = 0; q < MF_SQ8_TILE; q++)
			sum[q] = (MF_VI) {0};
		for (int g = 0; g < ld / 4; g++)
		{
			MF_VB		four = MF_KERNEL(load_bytes) (pack + 64 * g);

			MF_UNROLL
			for (int q = 0; q < MF_SQ8_TILE; q++)
				sum[q] = MF_KERNEL(dot_four) (sum[q], four, query[g][q]);
		}
		MF_UNROLL
		for (int q = 0; q < MF_SQ8_TILE; q++)
		{
			uint32_t	passed = MF_KERNEL(lanes_reached) (sum[q], tile->least_sum[q][p]);

			if (passed != 0)
				MF_KERNEL(note_pack) (tile, q, p, passed);
		}
	}
	for (int q = 0; q < tile->nqueries; q++)
		tile->found[q] &= tile->live[q];
}

#else

/*
 * Without VNNI a pack's sums take several instructions a step, and there is nothing to gain from several queries but
 * the codes' way from memory.
 */
static void
MF_KERNEL(sq8_scan_tile) (const uint8_t *code, int ld, MfSq8Tile *tile)
{
	for (uint64_t live = MF_KERNEL(start_tile) (tile); live != 0; live &= live - 1)
	{
		int			p = __builtin_ctzll(live);
		const uint8_t *pack = code + (size_t) p * ld * MF_PACK;

		for (int q = 0; q < tile->nqueries; q++)
			if ((tile->live[q] >> p & 1) != 0)
				MF_KERNEL(note_pack) (tile, q, p,
									  MF_KERNEL(sq8_bits) (pack, ld, tile->query[q], tile->least_sum[q][p]));
	}
}

#endif

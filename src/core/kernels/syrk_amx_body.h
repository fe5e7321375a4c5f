/*
 * syrk_amx_body.h - the product of a panel of whole numbers with itself, in tiles of bytes.
 *
 * A tile is 16 rows of 16 words, a word is 4 bytes, and one instruction multiplies two tiles and adds to a third:
 *
 *	  c[i][j] += sum over k = 0 .. 15 of the 4 products of bytes of a[i][k] and b[k][j].
 *
 * Row k of b is 4 rows of the panel side by side, in 16 columns; so 64 rows are multiplied at once.  That is how the
 * panel lies (see syrk_amx.h), so b is loaded from there, and a is the same for other columns, transposed.
 *
 * Tiles of 16 columns are multiplied with up to three others at once.  The unit begins a product every 16 cycles, ends
 * it after 52, and storing a tile takes 16 as well: so three tiles of sums are made while the three before are stored
 * and those before these become floats.
 *
 * Sums become floats as without tiles and in the same order, so to the same bits.
 *
 * The includer says what the instructions are, of which tests have twins in plain C:
 *
 *	  AMX_CONFIGURE(config)		takes tiles of these sizes into use
 *	  AMX_ZERO(t)				tile t = 0
 *	  AMX_LOAD(t, from, ld)		tile t = 16 rows of 16 words, ld words apart
 *	  AMX_DOT(c, a, b)			tile c += a b, as above
 *	  AMX_STORE(t, to)			an MfTile = tile t
 *	  AMX_RELEASE()				gives all tiles back
 *
 * and includes this for a level, MF_ISA_ROW.
 */

/* Tiles of sums that are made at once. */
#define TOGETHER 3

/* Registers of words, which wrap around. */
typedef uint32_t MF_KERNEL(words) __attribute__((vector_size(MF_LANES * 4), aligned(4), may_alias));

/* A product on its way. */
typedef struct MF_KERNEL(job)
{
	float	   *c;
	int			ldc;
	const uint32_t *panel;
	int			ld;
	int			nsteps;			/* of 64 rows */
	const float *step;
	float		square;
	int			add;
} MF_KERNEL(job);

/* Tiles of c that are made together: row i of them, from column j on. */
typedef struct MF_KERNEL(group)
{
	int			i;
	int			j;
	int			count;
} MF_KERNEL(group);

/* The words that step s multiplies of a tile of 16 columns; they are rows of job->ld. */
MF_INLINE const uint32_t *
MF_KERNEL(words_of) (const MF_KERNEL(job) *job, int s, int tile)
{
	return job->panel + (s * job->ld + tile) * MF_TILE_SIDE;
}

/* A register from words in memory. */
MF_INLINE MF_KERNEL(words)
MF_KERNEL(load_words) (const uint32_t *from)
{
	return *(const MF_KERNEL(words) *) from;
}

/* to = the transpose of 16 rows of words, ld apart. */
MF_INLINE void
MF_KERNEL(transpose_tile) (MfTile to, const uint32_t *from, int ld)
{
#if defined(MF_ISA_X86) && MF_LANES == 16
	/* 128 bits of each of 16 rows go to their places as they are loaded; four words of four rows are left to turn */
	for (int q = 0; q < MF_TILE_SIDE; q += 4)
	{
		__m512i		x[4];
		__m512i		low[2];
		__m512i		high[2];

		MF_UNROLL
		for (int i = 0; i < 4; i++)
		{
			x[i] = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *) (from + i * ld + q)));
			x[i] = _mm512_inserti32x4(x[i], _mm_loadu_si128((const __m128i *) (from + (4 + i) * ld + q)), 1);
			x[i] = _mm512_inserti32x4(x[i], _mm_loadu_si128((const __m128i *) (from + (8 + i) * ld + q)), 2);
			x[i] = _mm512_inserti32x4(x[i], _mm_loadu_si128((const __m128i *) (from + (12 + i) * ld + q)), 3);
		}
		MF_UNROLL
		for (int i = 0; i < 2; i++)
		{
			low[i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
			high[i] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
		}
		_mm512_storeu_si512(to[q], _mm512_unpacklo_epi64(low[0], low[1]));
		_mm512_storeu_si512(to[q + 1], _mm512_unpackhi_epi64(low[0], low[1]));
		_mm512_storeu_si512(to[q + 2], _mm512_unpacklo_epi64(high[0], high[1]));
		_mm512_storeu_si512(to[q + 3], _mm512_unpackhi_epi64(high[0], high[1]));
	}
#else
	for (int i = 0; i < MF_TILE_SIDE; i++)
		for (int j = 0; j < MF_TILE_SIDE; j++)
			to[i][j] = from[j * ld + i];
#endif
}

/* A tile's columns of the panel, transposed. */
MF_INLINE void
MF_KERNEL(turn_columns) (MfTurned *to, const MF_KERNEL(job) *job, int tile)
{
	for (int s = 0; s < job->nsteps; s++)
		MF_KERNEL(transpose_tile) (to->tile[s], MF_KERNEL(words_of) (job, s, tile), job->ld);
}

/* Tiles x, y, z = the sums of a group. */
#define MULTIPLY(x, y, z) \
	do \
	{ \
		AMX_ZERO(x); \
		AMX_ZERO(y); \
		AMX_ZERO(z); \
		for (int s = 0; s < job->nsteps; s++) \
		{ \
			const uint32_t *words = MF_KERNEL(words_of) (job, s, group->j); \
			AMX_LOAD(6, turned->tile[s][0], MF_TILE_SIDE); \
			AMX_LOAD(7, words, job->ld); \
			AMX_DOT(x, 6, 7); \
			if (group->count > 1) \
			{ \
				AMX_LOAD(7, words + MF_TILE_SIDE, job->ld); \
				AMX_DOT(y, 6, 7); \
			} \
			if (group->count > 2) \
			{ \
				AMX_LOAD(7, words + 2 * MF_TILE_SIDE, job->ld); \
				AMX_DOT(z, 6, 7); \
			} \
		} \
	} while (0)

/* Makes the sums of a group in one of two sets of tiles, from the columns of its row, transposed. */
MF_INLINE void
MF_KERNEL(multiply_group) (const MF_KERNEL(job) *job, const MF_KERNEL(group) *group, const MfTurned *turned, int set)
{
	if (set == 0)
		MULTIPLY(0, 1, 2);
	else
		MULTIPLY(3, 4, 5);
}

#undef MULTIPLY

/* Stores the first tiles of a set, `count` of them. */
MF_INLINE void
MF_KERNEL(store_sums) (MfTileSums *to, int set, int count)
{
	if (set == 0)
	{
		AMX_STORE(0, to->tile[0]);
		if (count > 1)
			AMX_STORE(1, to->tile[1]);
		if (count > 2)
			AMX_STORE(2, to->tile[2]);
		return;
	}
	AMX_STORE(3, to->tile[0]);
	if (count > 1)
		AMX_STORE(4, to->tile[1]);
	if (count > 2)
		AMX_STORE(5, to->tile[2]);
}

/* before + sum times factor, rounded once, as without tiles. */
MF_INLINE MF_V
MF_KERNEL(add_scaled) (MF_V before, MF_KERNEL(words) sum, MF_V factor)
{
	MF_V		x = __builtin_convertvector((MF_VI) sum, MF_V);

#if defined(MF_ISA_X86) && MF_LANES == 16
	return (MF_V) _mm512_fmadd_ps((__m512) x, (__m512) factor, (__m512) before);
#else
	for (int l = 0; l < MF_LANES; l++)
		x[l] = fmaf(x[l], factor[l], before[l]);
	return x;
#endif
}

/* Adds tile k of a group to c. */
MF_INLINE void
MF_KERNEL(finish_tile) (const MF_KERNEL(job) *job, const MF_KERNEL(group) *group, int k, const MfTileSums *sums)
{
	/* not read again after every store */
	int			ldc = job->ldc;
	int			i = group->i * MF_TILE_SIDE;
	int			j = (group->j + k) * MF_TILE_SIDE;
	float	   *to = job->c + (int64_t) i * ldc + j;
	const float *step = job->step;
	float		square = job->square;
	bool		add = job->add != 0;
	MF_V		column_step[MF_TILE_SIDE / MF_LANES];

	for (int l = 0; l < MF_TILE_SIDE; l += MF_LANES)
		column_step[l / MF_LANES] = MF_LOAD(step + j + l);
	for (int r = 0; r < MF_TILE_SIDE; r++, to += ldc)
	{
		float		unit = square * step[i + r];

		for (int l = 0; l < MF_TILE_SIDE; l += MF_LANES)
		{
			MF_V		before = add ? MF_LOAD(to + l) : (MF_V) {0};
			MF_KERNEL(words) sum = MF_KERNEL(load_words) (sums->tile[k][r] + l);

			MF_STORE(to + l, MF_KERNEL(add_scaled) (before, sum, unit * column_step[l / MF_LANES]));
		}
	}
}

/* Adds a group to c. */
MF_INLINE void
MF_KERNEL(finish_group) (const MF_KERNEL(job) *job, const MF_KERNEL(group) *group, const MfTileSums *sums)
{
	for (int k = 0; k < group->count; k++)
		MF_KERNEL(finish_tile) (job, group, k, sums);
}

/* All of the product, tiles on and above c's diagonal: groups are multiplied, stored and finished, in turns. */
MF_INLINE void
MF_KERNEL(multiply_panel) (const MF_KERNEL(job) *job)
{
	static const MfTileConfig config = {.palette = 1,.bytes = {64, 64, 64, 64, 64, 64, 64, 64},
	.rows = {16, 16, 16, 16, 16, 16, 16, 16}};
	int			side = job->ld / MF_TILE_SIDE;
	MfTurned	turned[2];		/* by row of tiles, in turns */
	MfTileSums	sums[2];		/* by set of tiles */
	MF_KERNEL(group) group[2] = {{0}};	/* likewise */
	int			n = 0;

	AMX_CONFIGURE(&config);
	MF_KERNEL(turn_columns) (&turned[0], job, 0);
	for (int i = 0; i < side; i++)
		for (int j = i; j < side; j += TOGETHER, n++)
		{
			int			set = n & 1;
			MF_KERNEL(group) now = {i, j, side - j < TOGETHER ? side - j : TOGETHER};

			MF_KERNEL(multiply_group) (job, &now, &turned[i & 1], set);
			if (n > 0)
				MF_KERNEL(store_sums) (&sums[1 - set], 1 - set, group[1 - set].count);
			/* long before it is loaded, for a tile is not forwarded what was stored just now */
			if (j == i && i + 1 < side)
				MF_KERNEL(turn_columns) (&turned[(i + 1) & 1], job, i + 1);
			if (n > 1)
				MF_KERNEL(finish_group) (job, &group[set], &sums[set]);
			group[set] = now;
		}
	MF_KERNEL(store_sums) (&sums[(n - 1) & 1], (n - 1) & 1, group[(n - 1) & 1].count);
	AMX_RELEASE();
	if (n > 1)
		MF_KERNEL(finish_group) (job, &group[n & 1], &sums[n & 1]);
	MF_KERNEL(finish_group) (job, &group[(n - 1) & 1], &sums[(n - 1) & 1]);
}

/* See MfInt16, of a panel as int8.h has it. */
static void
MF_KERNEL(syrk_tiles) (float *c, int ldc, const float *panel, int ld, int n, const float *step, float square, int add,
					   const MfAhead *ahead)
{
	int			nsteps = (n + MF_TILE_STEP - 1) / MF_TILE_STEP;
	MF_KERNEL(job) job = {c, ldc, (const uint32_t *) panel, ld, nsteps, step, square, add};

	mf_ask_ahead(ahead);
	MF_KERNEL(multiply_panel) (&job);
}

#undef TOGETHER

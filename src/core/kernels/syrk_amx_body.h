/*
 * syrk_amx_body.h - the product of a panel of whole numbers with itself, in tiles of bytes.
 *
 * A tile is 16 rows of 16 words, a word is 4 bytes, and one instruction multiplies two tiles and adds to a third:
 *
 *	  c[i][j] += sum over k = 0 .. 15 of the 4 products of bytes of a[i][k] and b[k][j].
 *
 * Row k of b is 4 rows of the panel side by side, in 16 columns; so 64 rows are multiplied at once.  a is the same for
 * other columns, transposed.  In which order the 64 rows come does not matter, as long as both have the same.
 *
 * Numbers of 13 bits are two signed bytes, h of -64 .. 63 and l of 0 .. 63:
 *
 *	  x = 64 h + l,    x y = 4096 h_x h_y + 64 (h_x l_y + l_x h_y) + l_x l_y.
 *
 * So 16 columns are two tiles, and their products with the two of 16 others are the four sums of products that this
 * takes.  All is modulo 2^32, and what comes out is less than 2^31.  Of numbers of 8 bits two tiles are 32 columns.
 * Four sums, of which none waits for another, and what they are made of fill the eight tiles that there are; that keeps
 * the unit busy, which begins a product every 16 cycles and ends it after 52.  Where a strip meets itself, one of the
 * four is another's transpose, and is made all the same: transposing it takes longer.
 *
 * Sums become floats while the next ones are made, as without tiles and in the same order, so to the same bits.
 *
 * The includer says what the instructions are, of which tests have twins in plain C:
 *
 *	  AMX_CONFIGURE(config)		takes tiles of these sizes into use
 *	  AMX_ZERO(t)				tile t = 0
 *	  AMX_LOAD(t, from)			tile t = an MfTile
 *	  AMX_DOT(c, a, b)			tile c += a b, as above
 *	  AMX_STORE(t, to)			an MfTile = tile t
 *	  AMX_RELEASE()				gives all tiles back
 *
 * and includes this for a level, MF_ISA_ROW.
 */

/* Tiles in which 13 bits are two bytes. */
#define HIGH 0
#define LOW 1

/* Strips that are kept as they are multiplied from the right. */
#define HELD 6

/* Registers of words, which wrap around. */
typedef uint32_t MF_KERNEL(words) __attribute__((vector_size(MF_LANES * 4), aligned(4), may_alias));

/* A product on its way. */
typedef struct MF_KERNEL(job)
{
	float	   *c;
	int			ld;
	const uint32_t *panel;
	int			n;
	const float *step;
	float		square;
	int			add;
	const MfAhead *ahead;
	int			nlines;			/* cache lines of a row ahead */
	int			share;			/* of them are asked for with every row of a tile; next is */
	int			line;			/* this one of */
	int			row;			/* this one */
} MF_KERNEL(job);

/* Asks for some of the rows ahead: a core waits for few lines at a time. */
MF_INLINE void
MF_KERNEL(ask_ahead) (MF_KERNEL(job) *job)
{
	const MfAhead *ahead = job->ahead;

	for (int k = 0; k < job->share && job->row < ahead->n; k++)
	{
		__builtin_prefetch(ahead->rows + (int64_t) ahead->column[job->row] * ahead->stride + 16 * job->line, 0, 2);
		if (++job->line == job->nlines)
		{
			job->line = 0;
			job->row++;
		}
	}
}

/* Columns that two tiles have; halves: numbers have two bytes.  That is a constant here and below. */
MF_INLINE int
MF_KERNEL(strip_columns) (const bool halves)
{
	return halves ? MF_TILE_SIDE : 2 * MF_TILE_SIDE;
}

/* A register from the panel's words, and one to a tile. */
MF_INLINE MF_KERNEL(words)
MF_KERNEL(load_words) (const uint32_t *from)
{
	return *(const MF_KERNEL(words) *) from;
}

MF_INLINE void
MF_KERNEL(store_words) (uint32_t *to, MF_KERNEL(words) words)
{
	*(MF_KERNEL(words) *) to = words;
}

/* Row k of a strip: the bytes of two pairs of rows, those of one between those of the other. */
MF_INLINE void
MF_KERNEL(split_pairs) (MfStrip *strip, int k, int l, MF_KERNEL(words) a, MF_KERNEL(words) b)
{
	MfTile	   *tile = strip->tile[k / MF_TILE_SIDE];
	int			row = k % MF_TILE_SIDE;

	MF_KERNEL(store_words) (tile[HIGH][row] + l, (a >> 6 & 0x00ff00ff) | (b << 2 & 0xff00ff00));
	MF_KERNEL(store_words) (tile[LOW][row] + l, ((a & 0x00ff00ff) | (b << 8 & 0xff00ff00)) & 0x3f3f3f3f);
}

/* 16 columns of 13 bits from `column` on; returns the number of the strip's rows that have some. */
MF_INLINE int
MF_KERNEL(fill_halves) (MfStrip *strip, const MF_KERNEL(job) *job, int column)
{
	const uint32_t *from = job->panel + column;
	int			ld = job->ld;
	int			npairs = (job->n + 1) / 2;

	for (int k = 0; k < npairs / 2; k++, from += 2 * ld)
		for (int l = 0; l < MF_TILE_SIDE; l += MF_LANES)
			MF_KERNEL(split_pairs) (strip, k, l, MF_KERNEL(load_words) (from + l), MF_KERNEL(load_words) (from + ld + l));
	for (int l = 0; l < MF_TILE_SIDE && npairs % 2 != 0; l += MF_LANES)
		MF_KERNEL(split_pairs) (strip, npairs / 2, l, MF_KERNEL(load_words) (from + l), (MF_KERNEL(words)) {0});
	return (npairs + 1) / 2;
}

/* 32 columns of 8 bits, of which the last 16 may not be there. */
MF_INLINE int
MF_KERNEL(fill_bytes) (MfStrip *strip, const MF_KERNEL(job) *job, int column)
{
	int			nrows = (job->n + 3) / 4;

	for (int t = 0; t < 2; t++, column += MF_TILE_SIDE)
		for (int k = 0; k < nrows; k++)
			for (int l = 0; l < MF_TILE_SIDE; l += MF_LANES)
				MF_KERNEL(store_words) (strip->tile[k / MF_TILE_SIDE][t][k % MF_TILE_SIDE] + l, column < job->ld ?
										MF_KERNEL(load_words) (job->panel + k * job->ld + column + l) :
										(MF_KERNEL(words)) {0});
	return nrows;
}

/* A strip of columns, zeros behind the last row. */
MF_INLINE void
MF_KERNEL(fill_strip) (MfStrip *strip, const MF_KERNEL(job) *job, int number, const bool halves)
{
	int			column = number * MF_KERNEL(strip_columns) (halves);
	int			k = halves ? MF_KERNEL(fill_halves) (strip, job, column) : MF_KERNEL(fill_bytes) (strip, job, column);

	for (; k % MF_TILE_SIDE != 0; k++)
		for (int t = 0; t < 2; t++)
			for (int l = 0; l < MF_TILE_SIDE; l += MF_LANES)
				MF_KERNEL(store_words) (strip->tile[k / MF_TILE_SIDE][t][k % MF_TILE_SIDE] + l, (MF_KERNEL(words)) {0});
}

/* to = the transpose of a tile. */
MF_INLINE void
MF_KERNEL(transpose_tile) (MfTile to, const MfTile from)
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
			x[i] = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *) (from[i] + q)));
			x[i] = _mm512_inserti32x4(x[i], _mm_loadu_si128((const __m128i *) (from[4 + i] + q)), 1);
			x[i] = _mm512_inserti32x4(x[i], _mm_loadu_si128((const __m128i *) (from[8 + i] + q)), 2);
			x[i] = _mm512_inserti32x4(x[i], _mm_loadu_si128((const __m128i *) (from[12 + i] + q)), 3);
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
			to[i][j] = from[j][i];
#endif
}

/* The same of all of a strip's. */
MF_INLINE void
MF_KERNEL(transpose_strip) (MfStrip *to, const MfStrip *from, int nsteps)
{
	for (int s = 0; s < nsteps; s++)
		for (int t = 0; t < 2; t++)
			MF_KERNEL(transpose_tile) (to->tile[s][t], from->tile[s][t]);
}

/* The sums of products of a strip, transposed, with another. */
MF_INLINE void
MF_KERNEL(multiply_strips) (MfStripProduct *product, const MfStrip *a, const MfStrip *b, int nsteps)
{
	AMX_ZERO(0);
	AMX_ZERO(1);
	AMX_ZERO(2);
	AMX_ZERO(3);
	for (int s = 0; s < nsteps; s++)
	{
		AMX_LOAD(4, a->tile[s][0]);
		AMX_LOAD(6, b->tile[s][0]);
		AMX_DOT(0, 4, 6);
		AMX_LOAD(7, b->tile[s][1]);
		AMX_DOT(1, 4, 7);
		AMX_LOAD(5, a->tile[s][1]);
		AMX_DOT(2, 5, 6);
		AMX_DOT(3, 5, 7);
	}
	AMX_STORE(0, product->sum[0][0]);
	AMX_STORE(1, product->sum[0][1]);
	AMX_STORE(2, product->sum[1][0]);
	AMX_STORE(3, product->sum[1][1]);
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

/* The sum of products of some columns, in row r of tile (a, b) of what was made of two strips; halves: of all four. */
MF_INLINE MF_KERNEL(words)
MF_KERNEL(whole_sum) (const MfStripProduct *product, int a, int b, int r, int l, const bool halves)
{
	MF_KERNEL(words) sum;

	if (!halves)
		return MF_KERNEL(load_words) (product->sum[a][b][r] + l);
	sum = MF_KERNEL(load_words) (product->sum[HIGH][HIGH][r] + l) << 6;
	sum += MF_KERNEL(load_words) (product->sum[HIGH][LOW][r] + l) + MF_KERNEL(load_words) (product->sum[LOW][HIGH][r] + l);
	return (sum << 6) + MF_KERNEL(load_words) (product->sum[LOW][LOW][r] + l);
}

/* The tile of c that begins at row i and column j. */
MF_INLINE void
MF_KERNEL(finish_tile) (MF_KERNEL(job) *job, int i, int j, const MfStripProduct *product, int a, int b,
						const bool halves)
{
	/* not read again after every store */
	int			ld = job->ld;
	float	   *to = job->c + (int64_t) i * ld + j;
	const float *step = job->step;
	float		square = job->square;
	bool		add = job->add != 0;
	MF_V		column_step[MF_TILE_SIDE / MF_LANES];

	for (int l = 0; l < MF_TILE_SIDE; l += MF_LANES)
		column_step[l / MF_LANES] = MF_LOAD(step + j + l);
	for (int r = 0; r < MF_TILE_SIDE; r++, to += ld)
	{
		float		unit = square * step[i + r];

		MF_KERNEL(ask_ahead) (job);
		for (int l = 0; l < MF_TILE_SIDE; l += MF_LANES)
		{
			MF_V		before = add ? MF_LOAD(to + l) : (MF_V) {0};
			MF_KERNEL(words) sum = MF_KERNEL(whole_sum) (product, a, b, r, l, halves);

			MF_STORE(to + l, MF_KERNEL(add_scaled) (before, sum, unit * column_step[l / MF_LANES]));
		}
	}
}

/* What strips i and j give to c, on and above its diagonal. */
MF_INLINE void
MF_KERNEL(finish_strips) (MF_KERNEL(job) *job, int i, int j, const MfStripProduct *product, const bool halves)
{
	int			columns = MF_KERNEL(strip_columns) (halves);

	for (int a = 0; a < columns / MF_TILE_SIDE; a++)
		for (int b = 0; b < columns / MF_TILE_SIDE; b++)
		{
			int			row = i * columns + a * MF_TILE_SIDE;
			int			column = j * columns + b * MF_TILE_SIDE;

			if (row <= column && column < job->ld)
				MF_KERNEL(finish_tile) (job, row, column, product, a, b, halves);
		}
}

/* How many cache lines ahead are asked for with each row of a tile of the product. */
MF_INLINE void
MF_KERNEL(share_ahead) (MF_KERNEL(job) *job)
{
	int			side = job->ld / MF_TILE_SIDE;
	int			rows = side * (side + 1) / 2 * MF_TILE_SIDE;

	job->nlines = job->ahead->width > 16 ? (job->ahead->width + 15) / 16 : 1;
	job->share = (job->ahead->n * job->nlines + rows - 1) / rows;
}

/* All of the product, strip by strip; of wide panels a block of columns at a time. */
MF_INLINE void
MF_KERNEL(multiply_panel) (MF_KERNEL(job) *job, const bool halves)
{
	static const MfTileConfig config = {.palette = 1,.bytes = {64, 64, 64, 64, 64, 64, 64, 64},
	.rows = {16, 16, 16, 16, 16, 16, 16, 16}};
	int			columns = MF_KERNEL(strip_columns) (halves);
	int			nstrips = (job->ld + columns - 1) / columns;
	int			nsteps = (job->n + 63) / 64;
	MfStrip		held[HELD];
	MfStrip		other;
	MfStrip		turned;
	MfStripProduct product[2];	/* one is finished while the other is made */
	int			turn = 0;
	int			before[2] = {-1, -1};

	MF_KERNEL(share_ahead) (job);
	AMX_CONFIGURE(&config);
	for (int first = 0; first < nstrips; first += HELD)
	{
		int			end = first + HELD < nstrips ? first + HELD : nstrips;

		for (int j = first; j < end; j++)
			MF_KERNEL(fill_strip) (&held[j - first], job, j, halves);
		for (int i = 0; i < end; i++)
		{
			if (i < first)
				MF_KERNEL(fill_strip) (&other, job, i, halves);
			MF_KERNEL(transpose_strip) (&turned, i < first ? &other : &held[i - first], nsteps);
			for (int j = i < first ? first : i; j < end; j++)
			{
				MF_KERNEL(multiply_strips) (&product[turn], &turned, &held[j - first], nsteps);
				turn = 1 - turn;
				if (before[0] >= 0)
					MF_KERNEL(finish_strips) (job, before[0], before[1], &product[turn], halves);
				before[0] = i;
				before[1] = j;
			}
		}
	}
	AMX_RELEASE();
	MF_KERNEL(finish_strips) (job, before[0], before[1], &product[1 - turn], halves);
}

/* As MfSyrk: of a panel of numbers of 13 bits, pairs of rows. */
static void
MF_KERNEL(syrk_int16) (float *c, int ld, const float *panel, int n, const float *step, float square, int add,
					   const MfAhead *ahead)
{
	MF_KERNEL(job) job = {c, ld, (const uint32_t *) panel, n, step, square, add, ahead, 0, 0, 0, 0};

	MF_KERNEL(multiply_panel) (&job, true);
}

/* And of 8 bits, four rows side by side. */
static void
MF_KERNEL(syrk_int8) (float *c, int ld, const float *panel, int n, const float *step, float square, int add,
					  const MfAhead *ahead)
{
	MF_KERNEL(job) job = {c, ld, (const uint32_t *) panel, n, step, square, add, ahead, 0, 0, 0, 0};

	MF_KERNEL(multiply_panel) (&job, false);
}

#undef HIGH
#undef LOW
#undef HELD

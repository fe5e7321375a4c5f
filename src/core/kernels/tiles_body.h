/*
 * tiles_body.h - the product of a panel of whole numbers with itself, in tiles of registers; included by int16.c and int8.c.
 *
 * The including file says what an instruction takes, which multiplies TILE_ROWS rows' numbers of a column with those of 16
 * others:
 *
 *     TILE_FIRST(p, i)               what sums of row i begin with
 *     TILE_LOAD(b)                   16 columns' numbers from b on
 *     TILE_ADD(sum, y, x)            sum plus the products of the columns x and the register y
 *     TILE_ADD_MEMORY(sum, a, x)     the same with the numbers *a for every lane
 *     TILE_MOST_APART                rows ahead that a tile asks for are at most so far apart: see tile()
 */

/* What tiles of a panel's product are made from. */
typedef struct Product
{
	const int32_t *panel;
	int			nsteps;			/* of so many rows at once as an instruction multiplies */
	const int32_t *totals;		/* ld: of columns, behind the panel; int8 alone looks at them */
	int			ld;
	int			ldc;
	const float *step;
	float		square;
	int			add;
	const MfAhead *ahead;
	int			nlines;			/* cache lines of a row ahead */
	int			apart;			/* rows ahead that a tile asks for are so far apart, */
	int			pace;			/* one of them for every step (0) or every second one (1): see tile() */
} Product;

/* Asks for cache line `line` of row k of those ahead. */
MF_INLINE void
prefetch(const MfAhead *ahead, int line, int k)
{
	__builtin_prefetch(ahead->rows + (int64_t) ahead->column[k] * ahead->stride + 16 * line, 0, 2);
}

/*
 * Rows i .. i + nrows - 1 and columns j .. j + 16 nv - 1 of the product; nrows and nv are constants.
 * Meanwhile tile number t of all asks for a part of the rows ahead: of every apart-th row a cache line,
 * and not in a hurry, for a core waits for few lines at a time.
 */
MF_INLINE void
tile(float *c, const Product *p, int i, int j, int t, const int nrows, const int nv)
{
	const MfAhead *ahead = p->ahead;
	const int32_t *a = p->panel + i;
	const int32_t *b = p->panel + j;
	int			ld = p->ld;
	int			line = t % p->nlines;
	int			row = t / p->nlines < p->apart ? t / p->nlines : ahead->n;
	int			apart = p->apart;
	int			pace = p->pace;
	__m512i		sum[16][3];

	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[r][v] = TILE_FIRST(p, i + r);
	}
	for (int k = 0; k < p->nsteps; k++)
	{
		__m512i		x[3];

		if ((k & pace) == 0 && row < ahead->n)
		{
			prefetch(ahead, line, row);
			row += apart;
		}
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			x[v] = TILE_LOAD(b + v * 16);
		MF_UNROLL
		for (int r = 0; r < nrows; r++)
		{
			/* loads are as scarce as products: a number that meets several registers is loaded once */
			__m512i		y = nv > 1 ? _mm512_set1_epi32(a[r]) : x[0];

			MF_UNROLL
			for (int v = 0; v < nv; v++)
				sum[r][v] = nv > 1 ? TILE_ADD(sum[r][v], y, x[v]) : TILE_ADD_MEMORY(sum[r][v], a + r, x[v]);
		}
		a += ld;
		b += ld;
	}
	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		__m512		unit = _mm512_set1_ps(p->square * p->step[i + r]);

		MF_UNROLL
		for (int v = 0; v < nv; v++)
		{
			float	   *to = c + (i + r) * p->ldc + j + v * 16;
			__m512		factor = _mm512_mul_ps(unit, _mm512_loadu_ps(p->step + j + v * 16));
			__m512		before = p->add ? _mm512_loadu_ps(to) : _mm512_setzero_ps();

			_mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][v]), factor, before));
		}
	}
}

/* Registers of columns that a tile has, of those that are left; a tile of one has 16 rows, others have 8. */
MF_INLINE int
tile_width(int left)
{
	return left == 4 || left == 2 ? 2 : left >= 3 ? 3 : 1;
}

/* Tiles of a product of ld columns. */
MF_INLINE int
count_tiles(int ld)
{
	int			count = 0;

	for (int i = 0; i < ld; i += 16)
		for (int left = (ld - i) / 16; left > 0; left -= tile_width(left))
			count += tile_width(left) == 1 ? 1 : 2;
	return count;
}

/* See MfInt16.  Tiles have 8 rows of 2 or 3 registers, or 16 of 1, for 32 registers are all there are. */
static void
syrk_vnni(float *c, int ldc, const float *panel, int ld, int n, const float *step, float square, int add,
		  const MfAhead *ahead)
{
	int			nsteps = (n + TILE_ROWS - 1) / TILE_ROWS;
	Product		p = {(const int32_t *) panel, nsteps, (const int32_t *) panel + nsteps * ld, ld, ldc, step, square, add, ahead,
	ahead->width > 16 ? (ahead->width + 15) / 16 : 1, 0, 0};
	int			ntiles = count_tiles(ld);
	int			t = 0;

	p.apart = ntiles / p.nlines < TILE_MOST_APART ? ntiles / p.nlines : TILE_MOST_APART;
	p.pace = p.apart == TILE_MOST_APART;
	for (int i = 0; i < ld; i += 16)
		for (int j = i; j < ld;)
		{
			int			nv = tile_width((ld - j) / 16);

			if (nv == 1)
				tile(c, &p, i, j, t++, 16, 1);
			else if (nv == 2)
			{
				tile(c, &p, i, j, t++, 8, 2);
				tile(c, &p, i + 8, j, t++, 8, 2);
			}
			else
			{
				tile(c, &p, i, j, t++, 8, 3);
				tile(c, &p, i + 8, j, t++, 8, 3);
			}
			j += 16 * nv;
		}
	/* what tiles did not get to */
	for (int k = p.apart * ((p.nsteps + p.pace) >> p.pace); k < ahead->n; k++)
		for (int line = 0; line < p.nlines; line++)
			prefetch(ahead, line, k);
}

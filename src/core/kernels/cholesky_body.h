/*
 * cholesky_body.h - the kernels of cholesky.c for one instruction set level; included by foreach_isa.h.
 *
 * Side by side, everything is a sum over k of products of two rows, in tiles of 4 rows by TILE
 * columns of registers: L (left-looking Cholesky), L^-1 y and z z' alike.  The diagonal of L is stored as its
 * inverse, so that no solution divides.
 *
 * A register holds one number of every lane; L, the macro, is the number of lanes, so number x of all systems is at
 * [x * L].  Loops over rows and columns of a tile have constant bounds and are unrolled, so that its array of sums
 * stays in registers.
 */
#if MF_LANES == 16
#define TILE 4
#else
#define TILE 2
#endif
#define L MF_LANES

/* Where row i of a packed triangle starts, behind 1 + 2 + ... + i numbers. */
MF_INLINE float *
MF_KERNEL(triangle_row) (const float *a, int i)
{
	return (float *) a + (size_t) i * (size_t) (i + 1) / 2 * L;
}

/* L numbers of L rows at a time, transposed in registers: see MfCholesky. */
static void
MF_KERNEL(interleave) (float *out, const MfLaneRows *rows, const float *column_scale, int ld)
{
	for (int e = 0; e < ld; e += L)
	{
		MF_V		x[L];

		MF_UNROLL
		for (int l = 0; l < L; l++)
			x[l] = MF_LOAD(rows->row[l] + e) * rows->scale[l];
		MF_TRANSPOSE(x);
		MF_UNROLL
		for (int i = 0; i < L; i++)
			MF_STORE(out + (e + i) * L,
					 column_scale ? x[i] * MF_LOAD(column_scale + (e + i) * L) : x[i]);
	}
}

/* The reverse of interleave(). */
static void
MF_KERNEL(deinterleave) (float *const *row, const float *in, int ld)
{
	for (int e = 0; e < ld; e += L)
	{
		MF_V		x[L];

		MF_UNROLL
		for (int i = 0; i < L; i++)
			x[i] = MF_LOAD(in + (e + i) * L);
		MF_TRANSPOSE(x);
		MF_UNROLL
		for (int l = 0; l < L; l++)
			MF_STORE(row[l] + e, x[l]);
	}
}

/*
 * Row j of a matrix in upper tiles is column j of the packed lower triangle, so rows are read as they lie and scattered
 * over the triangle's rows.
 */
static void
MF_KERNEL(interleave_matrix) (float *a, const float *c, size_t stride, int ld, int n, float scale)
{
	for (int j = 0; j < n; j++)
		for (int first = j / L * L; first < n; first += L)
		{
			MF_V		x[L];

			MF_UNROLL
			for (int l = 0; l < L; l++)
				x[l] = MF_LOAD(c + (size_t) l * stride + (size_t) j * (size_t) ld + first);
			MF_TRANSPOSE(x);
			MF_UNROLL
			for (int i = 0; i < L; i++)
				if (first + i >= j)
					MF_STORE(MF_KERNEL(triangle_row) (a, first + i) + j * L, x[i] * scale);
		}
}

/* Sums of diagonals, numbers first .. end - 1 of them. */
static void
MF_KERNEL(traces) (float *out, const float *a, int first, int end)
{
	MF_V		sum = {0};

	for (int i = first; i < end; i++)
		sum += MF_LOAD(MF_KERNEL(triangle_row) (a, i) + i * L);
	MF_STORE(out, sum);
}

/* Number i of a diagonal, of all systems, is one register: at the end of row i of the triangle. */
static void
MF_KERNEL(add_diagonal) (float *a, int first, int end, const float *base, const float *factor,
						 const float *shift)
{
	for (int i = first; i < end; i++)
	{
		float	   *x = MF_KERNEL(triangle_row) (a, i) + i * L;

		MF_STORE(x, MF_LOAD(x) + (base[i] * MF_LOAD(factor) + MF_LOAD(shift)));
	}
}

/* A register a number, with a division: this is done once per system. */
static void
MF_KERNEL(inverse_roots) (float *out, int n, const float *base, const float *factor,
						  const float *shift)
{
	for (int i = 0; i < n; i++)
		MF_STORE(out + i * L, 1.0f / MF_ROOT(base[i] * MF_LOAD(factor) + MF_LOAD(shift)));
}

/* Four sums, for an addition takes as long as four of them; n is a multiple of 4. */
static void
MF_KERNEL(dots) (float *out, const float *x, const float *y, int n)
{
	MF_V		sum[4] = {{0}, {0}, {0}, {0}};

	for (int i = 0; i < n; i += 4)
	{
		MF_UNROLL
		for (int v = 0; v < 4; v++)
			sum[v] += MF_LOAD(x + (i + v) * L) * MF_LOAD(y + (i + v) * L);
	}
	MF_STORE(out, (sum[0] + sum[1]) + (sum[2] + sum[3]));
}

/* Each system has a factor of its own: one register for all numbers. */
static void
MF_KERNEL(subtract) (float *x, const float *y, const float *factor, int n)
{
	for (int i = 0; i < n; i++)
		MF_STORE(x + i * L, MF_LOAD(x + i * L) - MF_LOAD(factor) * MF_LOAD(y + i * L));
}

/*
 * sum[r][c] += sign * sum over k < n of p[r][k] q[c][k]; nrows, ncolumns and sign are constants.  All of the time of
 * systems side by side goes here: nrows + ncolumns loads for nrows * ncolumns multiply-adds.
 */
MF_INLINE void
MF_KERNEL(row_products) (MF_V sum[4][4], float *const *p, float *const *q, int n, const int nrows,
						 const int ncolumns, const int sign)
{
	for (int k = 0; k < n; k++)
	{
		MF_V		y[4];

		MF_UNROLL
		for (int c = 0; c < ncolumns; c++)
			y[c] = MF_LOAD(q[c] + k * L);
		MF_UNROLL
		for (int r = 0; r < nrows; r++)
		{
			MF_V		x = MF_LOAD(p[r] + k * L);

			MF_UNROLL
			for (int c = 0; c < ncolumns; c++)
			{
				if (sign > 0)
					sum[r][c] += x * y[c];
				else
					sum[r][c] -= x * y[c];
			}
		}
	}
}

/*
 * Tiles of 1 + z z' on and below the diagonal, where a tile that crosses it is computed whole and stored in part.
 */
static void
MF_KERNEL(products) (float *a, const float *z, int n, int ld)
{
	for (int i = 0; i < n; i += 4)
		for (int j = 0; j < i + 4; j += TILE)
		{
			float	   *p[4];
			float	   *q[TILE];
			MF_V		sum[4][4];

			MF_UNROLL
			for (int r = 0; r < 4; r++)
				p[r] = (float *) z + (size_t) ((i + r) * ld) * L;
			MF_UNROLL
			for (int c = 0; c < TILE; c++)
				q[c] = (float *) z + (size_t) ((j + c) * ld) * L;
			MF_UNROLL
			for (int r = 0; r < 4; r++)
			{
				MF_UNROLL
				for (int c = 0; c < TILE; c++)
					sum[r][c] = i + r == j + c ? (MF_V) {0} + 1.0f : (MF_V) {0};
			}
			MF_KERNEL(row_products) (sum, p, q, ld, 4, TILE, 1);
			MF_UNROLL
			for (int r = 0; r < 4; r++)
			{
				MF_UNROLL
				for (int c = 0; c < TILE; c++)
					if (j + c <= i + r)
						MF_STORE(MF_KERNEL(triangle_row) (a, i + r) + (j + c) * L, sum[r][c]);
			}
		}
}

/*
 * Numbers j .. j + ncolumns - 1 of the nrows rows p of L (or of right-hand sides), from what is
 * left of a and the numbers before; the rows j .. of L are complete.
 */
MF_INLINE void
MF_KERNEL(factor_tile) (const float *a, float *const *p, int j, const int nrows, const int ncolumns)
{
	float	   *q[4];
	MF_V		sum[4][4];

	MF_UNROLL
	for (int c = 0; c < ncolumns; c++)
		q[c] = MF_KERNEL(triangle_row) (a, j + c);
	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		MF_UNROLL
		for (int c = 0; c < ncolumns; c++)
			sum[r][c] = MF_LOAD(p[r] + (j + c) * L);
	}
	MF_KERNEL(row_products) (sum, p, q, j, nrows, ncolumns, -1);
	MF_UNROLL
	for (int c = 0; c < ncolumns; c++)
	{
		MF_V		inverse = MF_LOAD(q[c] + (j + c) * L);

		MF_UNROLL
		for (int r = 0; r < nrows; r++)
		{
			MF_UNROLL
			for (int before = 0; before < c; before++)
				sum[r][c] -= sum[r][before] * MF_LOAD(q[c] + (j + before) * L);
			sum[r][c] *= inverse;
			MF_STORE(p[r] + (j + c) * L, sum[r][c]);
		}
	}
}

/* Lanes of x, or of least where that is more or x is no number. */
MF_INLINE MF_V
MF_KERNEL(at_least) (MF_V x, MF_V least)
{
	return MF_SELECT(x > least, x, least);
}

/* The 4 x 4 block on the diagonal at row i, from what is left of a; says which lanes are not finite. */
MF_INLINE MF_VI
MF_KERNEL(factor_diagonal) (float *const *p, int i, MF_V least)
{
	MF_VI bad = {0};
	MF_V		x[4][4];

	MF_UNROLL
	for (int c = 0; c < 4; c += TILE)
	{
		MF_V		sum[4][4];

		MF_UNROLL
		for (int r = c; r < 4; r++)
		{
			MF_UNROLL
			for (int k = 0; k < TILE; k++)
				sum[r - c][k] = c + k <= r ? MF_LOAD(p[r] + (i + c + k) * L) : (MF_V) {0};
		}
		if (c == 0)
			MF_KERNEL(row_products) (sum, p, p, i, 4, TILE, -1);
		else
			MF_KERNEL(row_products) (sum, p + c, p + c, i, 4 - TILE, TILE, -1);
		MF_UNROLL
		for (int r = c; r < 4; r++)
		{
			MF_UNROLL
			for (int k = 0; k < TILE; k++)
				x[r][c + k] = sum[r - c][k];
		}
	}
	MF_UNROLL
	for (int c = 0; c < 4; c++)
	{
		MF_V		inverse;

		MF_UNROLL
		for (int k = 0; k < c; k++)
			x[c][c] -= x[c][k] * x[c][k];
		/* what is finite becomes 0 times 0, and nothing else does */
		bad |= x[c][c] * 0.0f != 0.0f;
		inverse = 1.0f / MF_ROOT(MF_KERNEL(at_least) (x[c][c], least));
		MF_STORE(p[c] + (i + c) * L, inverse);
		MF_UNROLL
		for (int r = c + 1; r < 4; r++)
		{
			MF_UNROLL
			for (int k = 0; k < c; k++)
				x[r][c] -= x[r][k] * x[c][k];
			x[r][c] *= inverse;
			MF_STORE(p[r] + (i + c) * L, x[r][c]);
		}
	}
	return bad;
}

/*
 * Four rows at a time: what is left of the diagonal is in these rows alone, so each tile reads rows that are complete
 * and its own.  Right-hand sides are further rows, of L^-1 y.
 */
static void
MF_KERNEL(factor) (float *a, int n, float *y, int nright, const float *least, int32_t *bad)
{
	MF_VI wrong = {0};

	for (int i = 0; i < n; i += 4)
	{
		float	   *p[4];

		MF_UNROLL
		for (int r = 0; r < 4; r++)
			p[r] = MF_KERNEL(triangle_row) (a, i + r);
		for (int j = 0; j < i; j += TILE)
			MF_KERNEL(factor_tile) (a, p, j, 4, TILE);
		wrong |= MF_KERNEL(factor_diagonal) (p, i, MF_LOAD(least));
	}
	for (int r = 0; r < nright; r++)
	{
		float	   *p[1] = {y + (size_t) (r * n) * L};

		for (int j = 0; j < n; j += 4)
			MF_KERNEL(factor_tile) (a, p, j, 1, 4);
	}
	for (int l = 0; l < L; l++)
		bad[l] = wrong[l];
}

/* Back substitution, L' x = y: four rows at a time, whose solutions are then taken off all rows before them. */
static void
MF_KERNEL(substitute) (const float *a, int n, float *y)
{
	for (int i = n - 4; i >= 0; i -= 4)
	{
		float	   *p[4];
		MF_V		x[4];

		MF_UNROLL
		for (int r = 0; r < 4; r++)
			p[r] = MF_KERNEL(triangle_row) (a, i + r);
		MF_UNROLL
		for (int r = 3; r >= 0; r--)
		{
			x[r] = MF_LOAD(y + (i + r) * L);
			MF_UNROLL
			for (int after = r + 1; after < 4; after++)
				x[r] -= x[after] * MF_LOAD(p[after] + (i + r) * L);
			x[r] *= MF_LOAD(p[r] + (i + r) * L);
			MF_STORE(y + (i + r) * L, x[r]);
		}
		for (int k = 0; k < i; k++)
		{
			MF_V		left = MF_LOAD(y + k * L);

			MF_UNROLL
			for (int r = 0; r < 4; r++)
				left -= x[r] * MF_LOAD(p[r] + k * L);
			MF_STORE(y + k * L, left);
		}
	}
}

/* x = column_scale * Z' c: eight columns at a time stay in registers over all n rows. */
static void
MF_KERNEL(combine) (float *x, const float *z, const float *c, const float *column_scale, int n,
					int ld)
{
	for (int e = 0; e < ld; e += 8)
	{
		MF_V		sum[8];

		MF_UNROLL
		for (int v = 0; v < 8; v++)
			sum[v] = (MF_V) {0};
		for (int k = 0; k < n; k++)
		{
			MF_V		ck = MF_LOAD(c + k * L);
			const float *zk = z + (size_t) (k * ld + e) * L;

			MF_UNROLL
			for (int v = 0; v < 8; v++)
				sum[v] += ck * MF_LOAD(zk + v * L);
		}
		MF_UNROLL
		for (int v = 0; v < 8; v++)
			MF_STORE(x + (e + v) * L, sum[v] * MF_LOAD(column_scale + (e + v) * L));
	}
}

/* The 16 x 16 block at c (rows of ld) becomes U, with zeros below its diagonal; inverse: of the 16 numbers on it. */
static bool
MF_KERNEL(factor_block) (float *c, int ld, float least, float *inverse)
{
	for (int k = 0; k < 16; k++)
	{
		float		pivot = c[k * ld + k];

		if (!isfinite(pivot))
			return false;
		inverse[k] = 1.0f / sqrtf(pivot > least ? pivot : least);
		for (int j = k / L * L; j < 16; j += L)
			MF_STORE(c + k * ld + j, MF_LOAD(c + k * ld + j) * inverse[k]);
		for (int i = k + 1; i < 16; i++)
			for (int j = i / L * L; j < 16; j += L)
				MF_STORE(c + i * ld + j,
						 MF_LOAD(c + i * ld + j) - c[k * ld + i] * MF_LOAD(c + k * ld + j));
	}
	for (int i = 1; i < 16; i++)
		for (int j = 0; j < i; j++)
			c[i * ld + j] = 0.0f;
	return true;
}

/*
 * One register of columns of the 16 rows c: U'^-1 c for the block u (16 x 16 of rows of ld) in place of c, and negated
 * in `negative` for the update of what is left.
 */
MF_INLINE void
MF_KERNEL(solve_columns) (float *c, float *negative, const float *u, int ld, const float *inverse)
{
	MF_V		x[16];

	MF_UNROLL
	for (int k = 0; k < 16; k++)
	{
		x[k] = MF_LOAD(c + k * ld);
		MF_UNROLL
		for (int before = 0; before < k; before++)
			x[k] -= x[before] * u[before * ld + k];
		x[k] *= inverse[k];
		MF_STORE(c + k * ld, x[k]);
		MF_STORE(negative + k * ld, -x[k]);
	}
}

/*
 * Right-looking, 16 rows at a time (LAPACK's potrf is of this kind): the block on the diagonal, the rows beside it, and
 * by gemmt what they take off all that is left, where nearly all of the time goes.
 */
static bool
MF_KERNEL(potrf) (const MfDense *dense, float *c, int ld, float least, float *inverse, float *work)
{
	for (int i = 0; i < ld; i += 16)
	{
		float	   *rows = c + i * ld;

		if (!MF_KERNEL(factor_block) (rows + i, ld, least, inverse + i))
			return false;
		for (int j = i + 16; j < ld; j += L)
			MF_KERNEL(solve_columns) (rows + j, work + j, rows + i, ld, inverse + i);
		if (i + 16 < ld)
			dense->gemmt(c, ld, work, rows, 16, i + 16, 1);
	}
	return true;
}

/*
 * U' y = x, then U x = y, in place.  The old x times the new one is |y|^2.
 */
static float
MF_KERNEL(potrs) (const float *c, int ld, const float *inverse, float *x)
{
	float		product = 0.0f;

	for (int k = 0; k < ld; k++)
	{
		float		y = x[k] * inverse[k];
		const float *u = c + k * ld;

		product += y * y;
		for (int j = k / L * L; j < ld; j += L)
			MF_STORE(x + j, MF_LOAD(x + j) - y * MF_LOAD(u + j));
		x[k] = y;
	}
	for (int k = ld - 1; k >= 0; k--)
	{
		const float *u = c + k * ld;
		MF_V		sum = {0};
		int			j = k + 1;
		float		rest = 0.0f;

		for (; j < ld && j % L != 0; j++)
			rest += u[j] * x[j];
		for (; j < ld; j += L)
			sum += MF_LOAD(u + j) * MF_LOAD(x + j);
		x[k] = (x[k] - rest - MF_SUM(sum)) * inverse[k];
	}
	return product;
}

static const MfCholesky MF_KERNEL(mf_cholesky) = {
	MF_LANES,
	MF_KERNEL(interleave),
	MF_KERNEL(deinterleave),
	MF_KERNEL(interleave_matrix),
	MF_KERNEL(traces),
	MF_KERNEL(add_diagonal),
	MF_KERNEL(inverse_roots),
	MF_KERNEL(dots),
	MF_KERNEL(subtract),
	MF_KERNEL(products),
	MF_KERNEL(factor),
	MF_KERNEL(substitute),
	MF_KERNEL(combine),
	MF_KERNEL(potrf),
	MF_KERNEL(potrs)
};

#undef TILE
#undef L

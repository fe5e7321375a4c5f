/*
 * dense_body.h - the kernels of dense.c for one instruction set level; included by foreach_isa.h.
 *
 * Products of matrices are made of tiles, sums of outer products that stay in registers.  Tiles are as large as the
 * registers allow: with 32 of them (AVX-512) 8 rows by 3 registers, with 16 4 by 3, so that loads keep up with two
 * multiply-adds a cycle (Goto and van de Geijn 2008).  Panels have at most some hundred rows: they are in L2.
 */
#include "core/kernels/halves_body.h"
#include "core/kernels/weights_body.h"

#if MF_LANES == 16
#define TILE_ROWS 8
#else
#define TILE_ROWS 4
#endif

/* sum[r][v] += a[r * row_step] * b[v], for constant nrows and nv. */
MF_INLINE void
MF_KERNEL(tile_step) (MF_V sum[TILE_ROWS][3], const float *a, int row_step, const float *b,
					  const int nrows, const int nv)
{
	MF_V		x[3];

	MF_UNROLL
	for (int v = 0; v < nv; v++)
		x[v] = MF_LOAD(b + v * MF_LANES);
	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[r][v] += a[r * row_step] * x[v];
	}
}

/* Asks for the cache line with number `column` of row k of those ahead. */
MF_INLINE void
MF_KERNEL(prefetch) (const MfAhead *ahead, int column, int k)
{
	__builtin_prefetch(ahead->rows + (int64_t) ahead->column[k] * ahead->stride + column, 0, 2);
}

/* What a tile multiplies: a[r * row_step + k * k_step] and b[k * ldb ..], for k < n. */
typedef struct MF_KERNEL(factors)
{
	const float *a;
	int			row_step;
	int			k_step;
	const float *b;
	int			ldb;
	int			n;
} MF_KERNEL(factors);

/*
 * c (nrows rows of nv registers, ldc) (+)= sum over k of a[r] b[..].  nrows and nv are constants
 * where this is inlined.  Meanwhile, number `column` of the rows ahead is asked for (NULL: none).
 */
MF_INLINE void
MF_KERNEL(tile) (float *c, int ldc, MF_KERNEL(factors) f, int add, const MfAhead *ahead, int column,
				 const int nrows, const int nv)
{
	MF_V		sum[TILE_ROWS][3];
	int			nahead = ahead == NULL ? 0 : ahead->n < f.n ? ahead->n : f.n;
	int			k = 0;

	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[r][v] = add ? MF_LOAD(c + r * ldc + v * MF_LANES) : (MF_V) {0};
	}
	for (; k < nahead; k++)
	{
		MF_KERNEL(prefetch) (ahead, column, k);
		MF_KERNEL(tile_step) (sum, f.a, f.row_step, f.b, nrows, nv);
		f.a += f.k_step;
		f.b += f.ldb;
	}
	for (; k < f.n; k++)
	{
		MF_KERNEL(tile_step) (sum, f.a, f.row_step, f.b, nrows, nv);
		f.a += f.k_step;
		f.b += f.ldb;
	}
	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			MF_STORE(c + r * ldc + v * MF_LANES, sum[r][v]);
	}
}

/*
 * The same for `width` columns (a multiple of MF_LANES): in tiles of 3 registers, 2 or 1 at the
 * end.
 */
MF_INLINE void
MF_KERNEL(tile_row) (float *c, int ldc, MF_KERNEL(factors) f, int add, const MfAhead *ahead,
					 int column, int width, const int nrows)
{
	int			nv = width / MF_LANES;

	while (nv > 0)
	{
		int			step = nv == 4 || nv == 2 ? 2 : nv >= 3 ? 3 : 1;

		if (step == 3)
			MF_KERNEL(tile) (c, ldc, f, add, ahead, column, nrows, 3);
		else if (step == 2)
			MF_KERNEL(tile) (c, ldc, f, add, ahead, column, nrows, 2);
		else
			MF_KERNEL(tile) (c, ldc, f, add, ahead, column, nrows, 1);
		nv -= step;
		f.b += step * MF_LANES;
		c += step * MF_LANES;
		ahead = NULL;
	}
}

/*
 * Rows of tiles, each from its tile on the diagonal to the right: what is computed below the diagonal is within a tile.
 */
static void
MF_KERNEL(gemmt) (float *c, int ld, const float *a, const float *b, int n, int first, int add)
{
	for (int i = first; i < ld; i += TILE_ROWS)
	{
		int			j = i / MF_LANES * MF_LANES;
		MF_KERNEL(factors) f = {a + i, 1, ld, b + j, ld, n};

		MF_KERNEL(tile_row) (c + i * ld + j, ld, f, add, NULL, 0, ld - j, TILE_ROWS);
	}
}

/*
 * As gemmt, and meanwhile the rows ahead are asked for, a line of the cache with each step of a tile: a processor's
 * own prefetching does not follow rows that are anywhere.
 */
static void
MF_KERNEL(syrk) (float *c, int ld, const float *panel, int n, int add, const MfAhead *ahead)
{
	for (int i = 0; i < ld; i += TILE_ROWS)
	{
		int			j = i / MF_LANES * MF_LANES;
		MF_KERNEL(factors) f = {panel + i, 1, ld, panel + j, ld, n};

		/* a cache line is 16 floats: the first tile of each asks for it */
		MF_KERNEL(tile_row) (c + i * ld + j, ld, f, add, i % 16 == 0 ? ahead : NULL, i, ld - j,
							 TILE_ROWS);
	}
	for (int k = 0; k < ahead->n; k++)
		for (int j = k < n ? ld : 0; j < ahead->width; j += 16)
			MF_KERNEL(prefetch) (ahead, j, k);
}

/* TILE_ROWS rows of x at a time, so that m, which stays in the cache, is loaded once for all of them. */
static void
MF_KERNEL(gemm) (float *out, int ldo, const float *x, int ldx, const float *m, int inner, int width, int n)
{
	int			r = 0;

	for (; r + TILE_ROWS <= n; r += TILE_ROWS)
	{
		MF_KERNEL(factors) f = {x + r * ldx, ldx, 1, m, width, inner};

		MF_KERNEL(tile_row) (out + r * ldo, ldo, f, 0, NULL, 0, width, TILE_ROWS);
	}
	for (; r < n; r++)
	{
		MF_KERNEL(factors) f = {x + r * ldx, ldx, 1, m, width, inner};

		MF_KERNEL(tile_row) (out + r * ldo, ldo, f, 0, NULL, 0, width, 1);
	}
}

/*
 * Gathers nv registers of every row, from column `offset` on; nsums and nv are constants.  The first columns' turn also
 * asks for the whole of the row that is `reach` further on.
 */
MF_INLINE void
MF_KERNEL(gather_columns) (const MfGather *g, int offset, const int nsums, const int nv)
{
	const float *rows = g->rows + offset;
	float	   *panel = g->panel + offset;
	int			ld = g->ld;
	MF_V		sum[3][4];

	MF_UNROLL
	for (int s = 0; s < nsums; s++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[s][v] = MF_LOAD(g->sum[s] + offset + v * MF_LANES);
	}
	for (int k = 0; k < g->n; k++)
	{
		const float *row = rows + (int64_t) g->column[k] * g->stride;
		float		scale = g->scale[k];

		if (offset == 0 && k < g->n - g->reach)
		{
			const float *later = rows + (int64_t) g->column[k + g->reach] * g->stride;

			for (int j = 0; g->reach > 0 && j < ld; j += 16)
				__builtin_prefetch(later + j, 0, 3);
		}
		MF_UNROLL
		for (int v = 0; v < nv; v++)
		{
			MF_V		x = MF_LOAD(row + v * MF_LANES);

			MF_STORE(panel + v * MF_LANES, x * scale);
			MF_UNROLL
			for (int s = 0; s < nsums; s++)
				sum[s][v] += x * g->factor[s][k];
		}
		panel += ld;
	}
	MF_UNROLL
	for (int s = 0; s < nsums; s++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			MF_STORE(g->sum[s] + offset + v * MF_LANES, sum[s][v]);
	}
}

/* Gathers whole rows for a constant number of sums. */
MF_INLINE void
MF_KERNEL(gather_rows) (const MfGather *g, const int nsums)
{
	int			offset = 0;

	for (; offset + 4 * MF_LANES <= g->ld; offset += 4 * MF_LANES)
		MF_KERNEL(gather_columns) (g, offset, nsums, 4);
	for (; offset < g->ld; offset += MF_LANES)
		MF_KERNEL(gather_columns) (g, offset, nsums, 1);
}

/* The number of sums is a constant of the loops: they are compiled once for each. */
static void
MF_KERNEL(gather) (const MfGather *g)
{
	if (g->nsums == 0)
		MF_KERNEL(gather_rows) (g, 0);
	else if (g->nsums == 1)
		MF_KERNEL(gather_rows) (g, 1);
	else if (g->nsums == 2)
		MF_KERNEL(gather_rows) (g, 2);
	else
		MF_KERNEL(gather_rows) (g, 3);
}

/* A register of columns at a time, over all rows; two chains of additions, for each waits for the one before. */
static void
MF_KERNEL(gemv) (float *out, const float *panel, const float *factor, int ld, int n)
{
	for (int j = 0; j < ld; j += MF_LANES)
	{
		MF_V		sum = MF_LOAD(out + j);
		MF_V		odd = {0};
		int			k = 0;

		for (; k + 2 <= n; k += 2)
		{
			sum += factor[k] * MF_LOAD(panel + k * ld + j);
			odd += factor[k + 1] * MF_LOAD(panel + (k + 1) * ld + j);
		}
		if (k < n)
			sum += factor[k] * MF_LOAD(panel + k * ld + j);
		MF_STORE(out + j, sum + odd);
	}
}

/*
 * product[r] = row[r] . x over `width` floats, for MF_SUM_ROWS rows at once: x is loaded once for all of them, and
 * their sums are put together by shuffles.
 */
MF_INLINE void
MF_KERNEL(row_products) (const float *const *row, const float *x, int width, float *product)
{
	MF_V		sum[MF_SUM_ROWS];

	MF_UNROLL
	for (int r = 0; r < MF_SUM_ROWS; r++)
		sum[r] = (MF_V) {0};
	for (int j = 0; j < width; j += MF_LANES)
	{
		MF_V		xj = MF_LOAD(x + j);

		MF_UNROLL
		for (int r = 0; r < MF_SUM_ROWS; r++)
			sum[r] += xj * MF_LOAD(row[r] + j);
	}
	MF_KERNEL(sum_rows) (product, sum);
}

/* MF_SUM_ROWS rows at a time; a group that is not full has its first row several times. */
static void
MF_KERNEL(subtract_products) (float *out, const float *rows, int stride, const int32_t *column, const float *x,
							  int width, int n)
{
	for (int k = 0; k < n; k += MF_SUM_ROWS)
	{
		int			count = n - k < MF_SUM_ROWS ? n - k : MF_SUM_ROWS;
		const float *row[MF_SUM_ROWS];
		float		product[MF_SUM_ROWS];

		MF_UNROLL
		for (int r = 0; r < MF_SUM_ROWS; r++)
			row[r] = rows + (int64_t) column[k + (r < count ? r : 0)] * stride;
		MF_KERNEL(row_products) (row, x, width, product);
		for (int r = 0; r < count; r++)
			out[k + r] -= product[r];
	}
}

/* Adds n rows' numbers to nv registers, a constant where this is inlined, which stay in place meanwhile. */
MF_INLINE void
MF_KERNEL(add_columns) (float *out, const float *rows, int stride, const int32_t *column, const float *factor, int n,
						const int nv)
{
	MF_V		sum[4];

	MF_UNROLL
	for (int v = 0; v < nv; v++)
		sum[v] = MF_LOAD(out + v * MF_LANES);
	for (int k = 0; k < n; k++)
	{
		const float *row = rows + (int64_t) column[k] * stride;

		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[v] += factor[k] * MF_LOAD(row + v * MF_LANES);
	}
	MF_UNROLL
	for (int v = 0; v < nv; v++)
		MF_STORE(out + v * MF_LANES, sum[v]);
}

/* Four registers at a time: rows of 64 floats are read once with the widest ones. */
static void
MF_KERNEL(add_rows) (float *out, const float *rows, int stride, const int32_t *column, const float *factor, int width,
					 int n)
{
	int			j = 0;

	for (; j + 4 * MF_LANES <= width; j += 4 * MF_LANES)
		MF_KERNEL(add_columns) (out + j, rows + j, stride, column, factor, n, 4);
	for (; j < width; j += MF_LANES)
		MF_KERNEL(add_columns) (out + j, rows + j, stride, column, factor, n, 1);
}

/* A register of gathered numbers at a time: they are collected in memory, for not every level can gather. */
static void
MF_KERNEL(subtract_gathered) (float *out, const float *x, const float *y, const int32_t *column, int n)
{
	int			k = 0;

	for (; k + MF_LANES <= n; k += MF_LANES)
	{
		float		gathered[MF_LANES];

		MF_UNROLL
		for (int l = 0; l < MF_LANES; l++)
			gathered[l] = y[column[k + l]];
		MF_STORE(out + k, MF_LOAD(x + k) - MF_LOAD(gathered));
	}
	for (; k < n; k++)
		out[k] = x[k] - y[column[k]];
}

/* A sum in float is of few numbers: callers give it a panel at a time. */
static void
MF_KERNEL(moments) (const float *x, int n, double *sum, double *squares)
{
	MF_V		total = {0};
	MF_V		square = {0};
	int			k = 0;

	for (; k + MF_LANES <= n; k += MF_LANES)
	{
		MF_V		v = MF_LOAD(x + k);

		total += v;
		square += v * v;
	}
	*sum += MF_SUM(total);
	*squares += MF_SUM(square);
	for (; k < n; k++)
	{
		*sum += x[k];
		*squares += (double) x[k] * x[k];
	}
}

/* Row by row, as they lie in memory: out stays in L1. */
static void
MF_KERNEL(column_squares) (float *out, const float *panel, int ld, int n)
{
	for (int k = 0; k < n; k++)
		for (int j = 0; j < ld; j += MF_LANES)
		{
			MF_V		x = MF_LOAD(panel + k * ld + j);

			MF_STORE(out + j, MF_LOAD(out + j) + x * x);
		}
}

/* Blocks of MF_LANES x MF_LANES, transposed in registers. */
static void
MF_KERNEL(transpose_panel) (float *out, const float *panel, int ld, int n, int width)
{
	for (int k = 0; k < width; k += MF_LANES)
		for (int j = 0; j < ld; j += MF_LANES)
		{
			MF_V		x[MF_LANES];

			MF_UNROLL
			for (int r = 0; r < MF_LANES; r++)
				x[r] = k + r < n ? MF_LOAD(panel + (k + r) * ld + j) : (MF_V) {0};
			MF_TRANSPOSE(x);
			MF_UNROLL
			for (int r = 0; r < MF_LANES; r++)
				MF_STORE(out + (j + r) * width + k, x[r]);
		}
}

/* Registers, and single floats at the end: n is any number. */
static void
MF_KERNEL(fill) (float *x, float value, int n)
{
	MF_V		v = (MF_V) {0} + value;
	int			k = 0;

	for (; k + MF_LANES <= n; k += MF_LANES)
		MF_STORE(x + k, v);
	for (; k < n; k++)
		x[k] = value;
}

/* One register at a time: bound by memory. */
static void
MF_KERNEL(axpy) (float *x, const float *y, float f, int ld)
{
	for (int j = 0; j < ld; j += MF_LANES)
		MF_STORE(x + j, MF_LOAD(x + j) + f * MF_LOAD(y + j));
}

/* As axpy. */
static void
MF_KERNEL(multiply_by) (float *x, const float *y, int ld)
{
	for (int j = 0; j < ld; j += MF_LANES)
		MF_STORE(x + j, MF_LOAD(x + j) * MF_LOAD(y + j));
}

/* As axpy. */
static void
MF_KERNEL(reciprocals) (float *x, int ld)
{
	for (int j = 0; j < ld; j += MF_LANES)
		MF_STORE(x + j, 1.0f / MF_LOAD(x + j));
}

/* Two chains of additions; the order of the sum is the same at every call, but not at every level. */
static float
MF_KERNEL(dot) (const float *x, const float *y, int ld)
{
	MF_V		even = {0};
	MF_V		odd = {0};
	int			j = 0;

	for (; j + 2 * MF_LANES <= ld; j += 2 * MF_LANES)
	{
		even += MF_LOAD(x + j) * MF_LOAD(y + j);
		odd += MF_LOAD(x + j + MF_LANES) * MF_LOAD(y + j + MF_LANES);
	}
	if (j < ld)
		even += MF_LOAD(x + j) * MF_LOAD(y + j);
	return MF_SUM(even + odd);
}

/*
 * out += panel' (panel x) for `count` rows, at most MF_SUM_ROWS: both products while they are in L1.  Rows that there
 * are not count as the first one, times 0.
 */
MF_INLINE void
MF_KERNEL(normal_rows) (float *out, const float *panel, const float *x, int ld, int count)
{
	const float *row[MF_SUM_ROWS];
	MF_V		factor[MF_SUM_ROWS];
	float		product[MF_SUM_ROWS];

	MF_UNROLL
	for (int r = 0; r < MF_SUM_ROWS; r++)
		row[r] = panel + (r < count ? r : 0) * ld;
	MF_KERNEL(row_products) (row, x, ld, product);
	MF_UNROLL
	for (int r = 0; r < MF_SUM_ROWS; r++)
		factor[r] = (MF_V) {0} + (r < count ? product[r] : 0.0f);
	for (int j = 0; j < ld; j += MF_LANES)
	{
		MF_V		y = MF_LOAD(out + j);

		MF_UNROLL
		for (int r = 0; r < MF_SUM_ROWS; r++)
			y += factor[r] * MF_LOAD(row[r] + j);
		MF_STORE(out + j, y);
	}
}

/*
 * Panel by panel of MF_SUM_ROWS rows, so that the matrix panel' panel is never made: 2 n ld multiplications rather than
 * n ld^2 / 2.
 */
static void
MF_KERNEL(normal_product) (float *out, const float *diagonal, const float *panel, const float *x,
						   int ld, int n)
{
	int			k = 0;

	for (int j = 0; j < ld && diagonal != NULL; j += MF_LANES)
		MF_STORE(out + j, MF_LOAD(diagonal + j) * MF_LOAD(x + j));
	for (; k + MF_SUM_ROWS <= n; k += MF_SUM_ROWS)
		MF_KERNEL(normal_rows) (out, panel + k * ld, x, ld, MF_SUM_ROWS);
	if (k < n)
		MF_KERNEL(normal_rows) (out, panel + k * ld, x, ld, n - k);
}

/* All that a step of conjugate gradients does to its vectors, in one pass over them. */
static float
MF_KERNEL(cg_step) (float *x, float *residual, float *product, const float *direction,
					const float *preconditioner, float length, int ld)
{
	MF_V		sum = {0};

	for (int j = 0; j < ld; j += MF_LANES)
	{
		MF_V		r = MF_LOAD(residual + j) - length * MF_LOAD(product + j);
		MF_V		z = MF_LOAD(preconditioner + j) * r;

		MF_STORE(x + j, MF_LOAD(x + j) + length * MF_LOAD(direction + j));
		MF_STORE(residual + j, r);
		MF_STORE(product + j, z);
		sum += r * z;
	}
	return MF_SUM(sum);
}

/* The next direction of conjugate gradients; as axpy, with the factor at the other vector. */
static void
MF_KERNEL(xpay) (float *x, const float *y, float f, int ld)
{
	for (int j = 0; j < ld; j += MF_LANES)
		MF_STORE(x + j, MF_LOAD(y + j) + f * MF_LOAD(x + j));
}

static const MfDense MF_KERNEL(mf_dense) = {
	MF_LANES,
	MF_KERNEL(gather),
	MF_KERNEL(gemmt),
	MF_KERNEL(syrk),
	MF_KERNEL(gemm),
	MF_KERNEL(subtract_products),
	MF_KERNEL(add_rows),
	MF_KERNEL(subtract_gathered),
	MF_KERNEL(moments),
	MF_KERNEL(roots),
	MF_KERNEL(weigh),
	MF_KERNEL(divide_by),
	MF_KERNEL(masses),
	MF_KERNEL(to_halves),
	MF_KERNEL(add_halves),
	MF_KERNEL(add),
	MF_KERNEL(normal_product),
	MF_KERNEL(cg_step),
	MF_KERNEL(xpay),
	MF_KERNEL(gemv),
	MF_KERNEL(column_squares),
	MF_KERNEL(transpose_panel),
	MF_KERNEL(fill),
	MF_KERNEL(axpy),
	MF_KERNEL(multiply_by),
	MF_KERNEL(reciprocals),
	MF_KERNEL(dot)
};

#undef TILE_ROWS

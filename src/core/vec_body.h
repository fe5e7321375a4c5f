/*
 * vec_body.h - the kernels of vec.c for one instruction set level; included by isa_each.h.
 *
 * Tiles are as large as the registers allow: with 32 of them (AVX-512) 8 rows by 3 registers, with 16
 * 4 by 3, so that loads keep up with two multiply-adds a cycle.
 */
#include "lanes.h"

#if MF_LANES == 16
#define TILE_ROWS 8
#else
#define TILE_ROWS 4
#endif

/*
 * c (nrows rows of nv registers, ldc) (+)= sum over k < n of a[r * row_step + k * k_step] * b[k * ldb ..].
 * nrows and nv are constants where this is inlined.
 */
MF_INLINE void
MF_KERNEL(tile) (float *c, int ldc, const float *a, int row_step, int k_step, const float *b, int ldb,
				 int n, int add, const int nrows, const int nv)
{
	MF_V		sum[TILE_ROWS][3];

	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[r][v] = add ? MF_LOAD(c + r * ldc + v * MF_LANES) : (MF_V) {0};
	}
	for (int k = 0; k < n; k++)
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
		a += k_step;
		b += ldb;
	}
	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			MF_STORE(c + r * ldc + v * MF_LANES, sum[r][v]);
	}
}

/* The same for `width` columns (a multiple of MF_LANES): in tiles of 3 registers, 2 or 1 at the end. */
MF_INLINE void
MF_KERNEL(tile_row) (float *c, int ldc, const float *a, int row_step, int k_step, const float *b,
					 int ldb, int n, int add, int width, const int nrows)
{
	int			nv = width / MF_LANES;

	while (nv > 0)
	{
		int			step = nv == 4 || nv == 2 ? 2 : nv >= 3 ? 3 : 1;

		if (step == 3)
			MF_KERNEL(tile) (c, ldc, a, row_step, k_step, b, ldb, n, add, nrows, 3);
		else if (step == 2)
			MF_KERNEL(tile) (c, ldc, a, row_step, k_step, b, ldb, n, add, nrows, 2);
		else
			MF_KERNEL(tile) (c, ldc, a, row_step, k_step, b, ldb, n, add, nrows, 1);
		nv -= step;
		b += step * MF_LANES;
		c += step * MF_LANES;
	}
}

/* See MfVec. */
static void
MF_KERNEL(rank_update) (float *c, int ld, const float *a, const float *b, int n, int first, int add)
{
	for (int i = first; i < ld; i += TILE_ROWS)
	{
		int			j = i / MF_LANES * MF_LANES;

		MF_KERNEL(tile_row) (c + i * ld + j, ld, a + i, 1, ld, b + j, ld, n, add, ld - j, TILE_ROWS);
	}
}

/* See MfVec. */
static void
MF_KERNEL(multiply) (float *out, const float *x, const float *m, int ld, int n)
{
	int			r = 0;

	for (; r + TILE_ROWS <= n; r += TILE_ROWS)
		MF_KERNEL(tile_row) (out + r * ld, ld, x + r * ld, ld, 1, m, ld, ld, 0, ld, TILE_ROWS);
	for (; r < n; r++)
		MF_KERNEL(tile_row) (out + r * ld, ld, x + r * ld, ld, 1, m, ld, ld, 0, ld, 1);
}

/* Gathers nv registers of every row, from column `offset` on; nsums and nv are constants. */
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
		const float *row = rows + (int64_t) g->column[k] * ld;
		float		scale = g->scale[k];

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

/* Asks for the rows that the next panel will want. */
MF_INLINE void
MF_KERNEL(prefetch_rows) (const MfGather *g)
{
	for (int k = 0; k < g->nahead; k++)
	{
		const char *row = (const char *) (g->rows + (int64_t) g->ahead[k] * g->ld);

		for (int byte = 0; byte < g->ld * 4; byte += 64)
			__builtin_prefetch(row + byte, 0, 2);
	}
}

/* See MfGather. */
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
	MF_KERNEL(prefetch_rows) (g);
}

/* See MfVec. */
static void
MF_KERNEL(weighted_sum) (float *out, const float *panel, const float *factor, int ld, int n)
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

/* See MfVec. */
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

/* See MfVec. */
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

/* See MfVec. */
static void
MF_KERNEL(add) (float *x, const float *y, float f, int ld)
{
	for (int j = 0; j < ld; j += MF_LANES)
		MF_STORE(x + j, MF_LOAD(x + j) + f * MF_LOAD(y + j));
}

/* See MfVec. */
static void
MF_KERNEL(multiply_by) (float *x, const float *y, int ld)
{
	for (int j = 0; j < ld; j += MF_LANES)
		MF_STORE(x + j, MF_LOAD(x + j) * MF_LOAD(y + j));
}

/* See MfVec. */
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

/* out += panel' (panel x) for `count` rows, at most MF_SUM_ROWS: both products while they are in L1. */
MF_INLINE void
MF_KERNEL(normal_rows) (float *out, const float *panel, const float *x, int ld, int count)
{
	const float *row[MF_SUM_ROWS];
	MF_V		sum[MF_SUM_ROWS];
	float		product[MF_SUM_ROWS];

	MF_UNROLL
	for (int r = 0; r < MF_SUM_ROWS; r++)
	{
		row[r] = panel + (r < count ? r : 0) * ld;
		sum[r] = (MF_V) {0};
	}
	for (int j = 0; j < ld; j += MF_LANES)
	{
		MF_V		xj = MF_LOAD(x + j);

		MF_UNROLL
		for (int r = 0; r < MF_SUM_ROWS; r++)
			sum[r] += xj * MF_LOAD(row[r] + j);
	}
	MF_KERNEL(sum_rows) (product, sum);
	MF_UNROLL
	for (int r = 0; r < MF_SUM_ROWS; r++)
		sum[r] = (MF_V) {0} + (r < count ? product[r] : 0.0f);
	for (int j = 0; j < ld; j += MF_LANES)
	{
		MF_V		y = MF_LOAD(out + j);

		MF_UNROLL
		for (int r = 0; r < MF_SUM_ROWS; r++)
			y += sum[r] * MF_LOAD(row[r] + j);
		MF_STORE(out + j, y);
	}
}

/* See MfVec. */
static void
MF_KERNEL(normal_product) (float *out, const float *diagonal, const float *panel, const float *x, int ld,
						   int n)
{
	int			k = 0;

	for (int j = 0; j < ld && diagonal != NULL; j += MF_LANES)
		MF_STORE(out + j, MF_LOAD(diagonal + j) * MF_LOAD(x + j));
	for (; k + MF_SUM_ROWS <= n; k += MF_SUM_ROWS)
		MF_KERNEL(normal_rows) (out, panel + k * ld, x, ld, MF_SUM_ROWS);
	if (k < n)
		MF_KERNEL(normal_rows) (out, panel + k * ld, x, ld, n - k);
}

/* See MfVec. */
static float
MF_KERNEL(step) (float *x, float *residual, float *product, const float *direction,
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

/* See MfVec. */
static void
MF_KERNEL(turn) (float *x, const float *y, float f, int ld)
{
	for (int j = 0; j < ld; j += MF_LANES)
		MF_STORE(x + j, MF_LOAD(y + j) + f * MF_LOAD(x + j));
}

static const MfVec MF_KERNEL(mf_vec) = {
	MF_LANES,
	MF_KERNEL(gather),
	MF_KERNEL(rank_update),
	MF_KERNEL(multiply),
	MF_KERNEL(normal_product),
	MF_KERNEL(step),
	MF_KERNEL(turn),
	MF_KERNEL(weighted_sum),
	MF_KERNEL(column_squares),
	MF_KERNEL(transpose_panel),
	MF_KERNEL(add),
	MF_KERNEL(multiply_by),
	MF_KERNEL(dot)
};

#undef TILE_ROWS
#undef MF_SUM_ROWS

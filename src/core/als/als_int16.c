/*
 * als_int16.c - the fixed side's vectors as whole numbers of 13 bits, for half-sweeps over many cells.
 *
 * Most of a half-sweep is products of pairs of a vector's numbers, one for every cell, and a
 * register multiplies twice as many numbers of 16 bits as of 32 (AVX-512 VNNI).  So before rows are
 * solved, number j of every vector of the fixed side is rounded to a multiple of step[j], 1/4095 of
 * the largest there is:
 *
 *	  y_j = step_j n_j,    n_j = -4095 .. 4095.
 *
 * From then on this is the fixed side, and solutions are as exact as ever: sums of products over a
 * panel of 128 rows are below 128 * 4095^2 < 2^31, so they are whole numbers too, and only sums over
 * panels are rounded to floats.  What rounding costs is the fixed side's distance from where it was,
 * at the bottom of the objective: the objective rises by the square of the distance.  Where few
 * vectors are so much larger than the others that little is left of these, nothing is rounded.
 *
 * Since the next half-sweep solves that side anew, and the last one of a training is asked to be
 * exact (als.h), nothing of this is left in a model.
 *
 * Whole numbers are kept in the place of the floats that they stand for, of which they take the first
 * half.
 */
#include "core/als/als_int16.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/simd/simd.h"

#define MOST 4095				/* times itself and MF_PANEL below 2^31 */
#define LEAST_MEAN 4			/* steps that a column's numbers must have on the average */
#define PARTS 32				/* of a side, measured one by one: threads cannot change a bit */
#define ROWS_AT_ONCE 256		/* summed in float before they are added in double */
#define ROWS_PER_BLOCK 1024

/* Columns 16 .. 31 of a group are kept between its columns 0 .. 15, as instructions pack and unpack them. */
#define GROUP 32
#define GROUPED(ld) (((ld) + GROUP - 1) / GROUP * GROUP)

#define STRIDE 4				/* see tile() */

_Static_assert((int64_t) MOST * MOST * MF_PANEL <= INT32_MAX, "sums over a panel are whole numbers");

/* Where the whole numbers of row r are. */
MF_INLINE int16_t *
narrow_row(const float *rows, int ld, int64_t r)
{
	return (int16_t *) (uintptr_t) (rows + r * ld);
}

#ifdef MF_ISA_X86
MF_TARGET_BEGIN(MF_TARGETS_VNNI)

/* See MfNarrow. */
static void
measure_vnni(const float *rows, int ld, int64_t n, float *widest, float *sizes)
{
	for (int j = 0; j < ld; j += 16)
	{
		__m512		most = _mm512_loadu_ps(widest + j);
		__m512		sum = _mm512_loadu_ps(sizes + j);

		for (int64_t r = 0; r < n; r++)
		{
			__m512		size = _mm512_abs_ps(_mm512_loadu_ps(rows + r * ld + j));

			most = _mm512_max_ps(most, size);
			sum = _mm512_add_ps(sum, size);
		}
		_mm512_storeu_ps(widest + j, most);
		_mm512_storeu_ps(sizes + j, sum);
	}
}

/* See MfNarrow. */
static void
narrow_vnni(float *rows, int ld, int64_t begin, int64_t end, const float *step)
{
	for (int64_t r = begin; r < end; r++)
	{
		const float *row = rows + r * ld;
		int16_t		number[GROUPED(MF_LANES_MOST_LD)];

		for (int j = 0; j < ld; j += GROUP)
		{
			__m512		x = _mm512_div_ps(_mm512_loadu_ps(row + j), _mm512_loadu_ps(step + j));
			__m512		y = _mm512_setzero_ps();

			if (j + 16 < ld)
				y = _mm512_div_ps(_mm512_loadu_ps(row + j + 16), _mm512_loadu_ps(step + j + 16));
			_mm512_storeu_si512(number + j, _mm512_packs_epi32(_mm512_cvtps_epi32(x), _mm512_cvtps_epi32(y)));
		}
		memcpy(narrow_row(rows, ld, r), number, (size_t) GROUPED(ld) * sizeof(int16_t));
	}
}

/* See MfNarrow. */
static void
widen_row_vnni(float *out, const float *rows, int ld, int64_t r, const float *step)
{
	const int16_t *number = narrow_row(rows, ld, r);

	for (int j = 0; j < ld; j += GROUP)
	{
		__m512i		n = _mm512_loadu_si512(number + j);
		__m512		x = _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_unpacklo_epi16(n, n), 16));
		__m512		y = _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_unpackhi_epi16(n, n), 16));

		_mm512_storeu_ps(out + j, _mm512_mul_ps(x, _mm512_loadu_ps(step + j)));
		if (j + 16 < ld)
			_mm512_storeu_ps(out + j + 16, _mm512_mul_ps(y, _mm512_loadu_ps(step + j + 16)));
	}
}

/* See MfNarrow. */
static void
widen_vnni(float *rows, int ld, int64_t begin, int64_t end, const float *step)
{
	for (int64_t r = begin; r < end; r++)
	{
		float		wide[MF_LANES_MOST_LD];

		widen_row_vnni(wide, rows, ld, r, step);
		memcpy(rows + r * ld, wide, (size_t) ld * sizeof(float));
	}
}

/*
 * Every lane's sum, plus the products of both halves of *a with those of the lane of b.  Not as an
 * intrinsic function: GCC 12 copies every sum before it is added to, which takes twice as long.
 */
MF_INLINE __m512i
add_products(__m512i sum, const int32_t *a, __m512i b)
{
	__asm__("vpdpwssd %2%{1to16%}, %1, %0" : "+v" (sum) : "v" (b), "m" (*a));
	return sum;
}

/* The lower and the upper halves of lanes, as floats. */
MF_INLINE __m512
lower_halves(__m512i pairs)
{
	return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(pairs, 16), 16));
}

MF_INLINE __m512
upper_halves(__m512i pairs)
{
	return _mm512_cvtepi32_ps(_mm512_srai_epi32(pairs, 16));
}

/* Sums of gathered rows. */
typedef struct Sums
{
	const float *step;
	const float *factor;		/* of the sum whose factors differ, which goes to */
	float	   *sum;
	float	   *total;			/* ld: += the sum of all rows */
} Sums;

/* to (16 floats) += step times x */
MF_INLINE void
add_steps(float *to, __m512 x, const float *step)
{
	_mm512_storeu_ps(to, _mm512_fmadd_ps(x, _mm512_loadu_ps(step), _mm512_loadu_ps(to)));
}

/*
 * Gathers nv registers of every row, from column `offset` on; nv and varying, whether there are factors that
 * differ, are constants.
 */
MF_INLINE void
gather_columns(const MfGather *g, const Sums *sums, int offset, const int nv, const bool varying)
{
	static const int32_t ones = 0x10001;
	int32_t    *panel = (int32_t *) g->panel + offset;
	__m512i		total[4];
	__m512		sum[4];

	MF_UNROLL
	for (int v = 0; v < nv; v++)
	{
		total[v] = _mm512_setzero_si512();
		sum[v] = _mm512_setzero_ps();
	}
	for (int k = 0; k < g->n; k += 2)
	{
		bool		single = k + 1 == g->n;
		const int16_t *even = narrow_row(g->rows, g->ld, g->column[k]) + offset;
		const int16_t *odd = narrow_row(g->rows, g->ld, g->column[single ? k : k + 1]) + offset;

		MF_UNROLL
		for (int v = 0; v < nv; v++)
		{
			__m512i		a = _mm512_loadu_si512(even + v / 2 * GROUP);
			__m512i		b = single ? _mm512_setzero_si512() : _mm512_loadu_si512(odd + v / 2 * GROUP);
			__m512i		pairs = v % 2 == 0 ? _mm512_unpacklo_epi16(a, b) : _mm512_unpackhi_epi16(a, b);

			_mm512_storeu_si512(panel + v * 16, pairs);
			total[v] = add_products(total[v], &ones, pairs);
			if (varying)
			{
				float		last = single ? 0.0f : sums->factor[k + 1];

				sum[v] = _mm512_fmadd_ps(lower_halves(pairs), _mm512_set1_ps(sums->factor[k]), sum[v]);
				sum[v] = _mm512_fmadd_ps(upper_halves(pairs), _mm512_set1_ps(last), sum[v]);
			}
		}
		panel += g->ld;
	}
	MF_UNROLL
	for (int v = 0; v < nv; v++)
	{
		int			j = offset + v * 16;

		add_steps(sums->total + j, _mm512_cvtepi32_ps(total[v]), sums->step + j);
		if (varying)
			add_steps(sums->sum + j, sum[v], sums->step + j);
	}
}

/* Gathers whole rows. */
MF_INLINE void
gather_rows(const MfGather *g, const Sums *sums, const bool varying)
{
	int			offset = 0;

	for (; offset + 64 <= g->ld; offset += 64)
		gather_columns(g, sums, offset, 4, varying);
	for (; offset + 32 <= g->ld; offset += 32)
		gather_columns(g, sums, offset, 2, varying);
	if (offset < g->ld)
		gather_columns(g, sums, offset, 1, varying);
}

/* See MfNarrow. */
static void
gather_vnni(const MfGather *g, const float *step)
{
	float		total[MF_LANES_MOST_LD] = {0};
	Sums		sums = {.step = step, .total = total};

	for (int s = 0; s < g->nsums; s++)
		if (!g->even[s])
		{
			sums.factor = g->factor[s];
			sums.sum = g->sum[s];
		}
	if (sums.factor != NULL)
		gather_rows(g, &sums, true);
	else
		gather_rows(g, &sums, false);
	for (int s = 0; s < g->nsums; s++)
		for (int j = 0; g->even[s] && j < g->ld; j++)
			g->sum[s][j] += g->factor[s][0] * total[j];
}

/* What tiles of a panel's product are made from. */
typedef struct Product
{
	const int32_t *panel;
	int			npairs;
	int			ld;
	const float *step;
	float		square;
	int			add;
	const MfAhead *ahead;
	int			nlines;			/* cache lines of a row */
} Product;

/* Asks for cache line `line` of row k of those ahead. */
MF_INLINE void
prefetch(const MfAhead *ahead, int ld, int line, int k)
{
	__builtin_prefetch(narrow_row(ahead->rows, ld, ahead->column[k]) + GROUP * line, 0, 2);
}

/*
 * Rows i .. i + nrows - 1 and columns j .. j + 16 nv - 1 of the product; nrows and nv are constants.
 * Meanwhile tile number t of all asks for a part of the rows ahead: of every STRIDE-th row a cache line,
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
	int			row = t / p->nlines < STRIDE ? t / p->nlines : ahead->n;
	__m512i		sum[16][3];

	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[r][v] = _mm512_setzero_si512();
	}
	for (int k = 0; k < p->npairs; k++)
	{
		__m512i		x[3];

		if (k % 2 == 0 && row < ahead->n)
		{
			prefetch(ahead, ld, line, row);
			row += STRIDE;
		}
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			x[v] = _mm512_loadu_si512(b + v * 16);
		MF_UNROLL
		for (int r = 0; r < nrows; r++)
		{
			MF_UNROLL
			for (int v = 0; v < nv; v++)
				sum[r][v] = add_products(sum[r][v], a + r, x[v]);
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
			float	   *to = c + (i + r) * ld + j + v * 16;
			__m512		factor = _mm512_mul_ps(unit, _mm512_loadu_ps(p->step + j + v * 16));
			__m512		before = p->add ? _mm512_loadu_ps(to) : _mm512_setzero_ps();

			_mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][v]), factor, before));
		}
	}
}

/* See MfNarrow.  Tiles have 8 rows of 2 or 3 registers, or 16 of 1, for 32 registers are all there are. */
static void
panel_update_vnni(float *c, int ld, const float *panel, int n, const float *step, float square, int add,
				  const MfAhead *ahead)
{
	Product		p = {(const int32_t *) panel, (n + 1) / 2, ld, step, square, add, ahead, (ld + GROUP - 1) / GROUP};
	int			t = 0;

	for (int i = 0; i < ld; i += 16)
		for (int j = i; j < ld;)
		{
			int			left = (ld - j) / 16;
			int			nv = left == 4 || left == 2 ? 2 : left >= 3 ? 3 : 1;

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
	for (int k = 2 * p.npairs; k < ahead->n; k++)
		for (int line = 0; line < p.nlines; line++)
			prefetch(ahead, ld, line, k);
}

static const MfNarrow narrow_kernels = {
	measure_vnni,
	narrow_vnni,
	widen_vnni,
	widen_row_vnni,
	gather_vnni,
	panel_update_vnni
};

MF_TARGET_END
#endif

/* The kernels; NULL where floats are as fast. */
const MfNarrow *
mf_narrow(void)
{
#ifdef MF_ISA_X86
	if (mf_isa_has_vnni())
		return &narrow_kernels;
#endif
	return NULL;
}

/* A matrix of the fixed side on its way to whole numbers or back. */
typedef struct Side
{
	const MfNarrow *kernels;
	const MfParallel *parallel;
	float	   *rows;			/* nrows x ld */
	int64_t		nrows;
	int			ld;
	float	   *step;			/* ld */
	double	   *mean;			/* ld x PARTS: of sizes */
	float	   *widest;			/* PARTS x ld */
} Side;

/* The matrices of the fixed side; returns how many: of items, one for each part of the objective. */
static int
fixed_sides(const MfAls *als, Side *side)
{
	bool		users = als->side == MF_ITEMS;
	float	   *rows[2] = {users ? als->factors.user : als->factors.interest, users ? NULL : als->factors.rating};
	int			n = 0;

	for (int part = 0; part < 2; part++)
	{
		if (rows[part] == NULL)
			continue;
		side[n] = (Side) {.kernels = mf_narrow(), .parallel = als->parallel, .rows = rows[part], .ld = als->ld};
		side[n].nrows = users ? als->problem->nusers : als->problem->nitems;
		side[n].step = als->step[part];
		side[n].mean = (double *) als->scratch;
		side[n].widest = (float *) (side[n].mean + PARTS * als->ld);
		n++;
	}
	return n;
}

/* The first row of a part. */
static int64_t
part_start(const Side *side, int64_t part)
{
	return side->nrows * part / PARTS;
}

/* Block function: the widest numbers of one part of the rows, and the mean sizes. */
static void
measure_part(void *state, int64_t part, int worker)
{
	const Side *side = state;
	int			ld = side->ld;
	float	   *widest = side->widest + part * ld;
	int64_t		begin = part_start(side, part);
	int64_t		end = part_start(side, part + 1);
	double		total[MF_LANES_MOST_LD] = {0};

	(void) worker;
	memset(widest, 0, (size_t) ld * sizeof(float));
	for (int64_t r = begin; r < end; r += ROWS_AT_ONCE)
	{
		float		sizes[MF_LANES_MOST_LD] = {0};

		side->kernels->measure(side->rows + r * ld, ld, end - r < ROWS_AT_ONCE ? end - r : ROWS_AT_ONCE, widest,
							   sizes);
		for (int j = 0; j < ld; j++)
			total[j] += sizes[j];
	}
	for (int j = 0; j < ld && end > begin; j++)
		side->mean[j * PARTS + part] = total[j] / (double) (end - begin);
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/* The mean size in column j, as the parts that have rows see it in the middle: giants are in few of them. */
static double
typical_size(const Side *side, int j)
{
	double		mean[PARTS];
	int			n = 0;

	for (int part = 0; part < PARTS; part++)
		if (part_start(side, part + 1) > part_start(side, part))
			mean[n++] = side->mean[j * PARTS + part];
	for (int k = 0; k < n; k++)
		if (!isfinite(mean[k]))
			return NAN;
	qsort(mean, (size_t) n, sizeof(double), compare_doubles);
	return n > 0 ? mean[n / 2] : 0.0;
}

/* Sets a side's steps; false where rounding to them would leave too little. */
static bool
choose_steps(const Side *side)
{
	for (int j = 0; j < side->ld; j++)
	{
		float		widest = 0.0f;

		for (int part = 0; part < PARTS; part++)
			widest = fmaxf(widest, side->widest[part * side->ld + j]);
		side->step[j] = widest > 0.0f ? widest / MOST : 1.0f;
		if (side->step[j] < 1e-30f || (widest > 0.0f && !(typical_size(side, j) >= LEAST_MEAN * side->step[j])))
			return false;
	}
	return true;
}

/* Block function: ROWS_PER_BLOCK rows to whole numbers. */
static void
narrow_block(void *state, int64_t block, int worker)
{
	const Side *side = state;
	int64_t		end = (block + 1) * ROWS_PER_BLOCK;

	(void) worker;
	side->kernels->narrow(side->rows, side->ld, block * ROWS_PER_BLOCK, end < side->nrows ? end : side->nrows,
						  side->step);
}

/* Block function: and back. */
static void
widen_block(void *state, int64_t block, int worker)
{
	const Side *side = state;
	int64_t		end = (block + 1) * ROWS_PER_BLOCK;

	(void) worker;
	side->kernels->widen(side->rows, side->ld, block * ROWS_PER_BLOCK, end < side->nrows ? end : side->nrows,
						 side->step);
}

/* Does that to all of the fixed side's rows. */
static MfError
over_blocks(Side *side, int nsides, MfBlockFunction function)
{
	for (int k = 0; k < nsides; k++)
		if (!mf_parallel_blocks(side[k].parallel, (side[k].nrows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK, function,
								&side[k]))
			return MF_CANCELLED;
	return MF_OK;
}

/* Makes the fixed side narrow and sets als->narrow, unless the vectors' sizes differ too much. */
MfError
mf_narrow_begin(MfAls *als)
{
	Side		side[2];
	int			nsides = fixed_sides(als, side);
	bool		good = true;
	MfError		error;

	for (int k = 0; k < nsides; k++)
	{
		if (!mf_parallel_blocks(als->parallel, PARTS, measure_part, &side[k]))
			return MF_CANCELLED;
		good = choose_steps(&side[k]) && good;
	}
	if (!good)
		return MF_OK;
	error = over_blocks(side, nsides, narrow_block);
	if (error == MF_OK)
		als->narrow = mf_narrow();
	return error;
}

/* Makes the fixed side floats again. */
MfError
mf_narrow_end(MfAls *als)
{
	Side		side[2];

	if (als->narrow == NULL)
		return MF_OK;
	als->narrow = NULL;
	return over_blocks(side, fixed_sides(als, side), widen_block);
}

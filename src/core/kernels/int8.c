/*
 * int8.c - kernels on vectors of whole numbers of 8 bits, for AVX-512 VNNI; see int8.h.
 *
 * Four rows are multiplied at once, by an instruction that takes numbers without a sign and numbers with one.  So one
 * of two rows' numbers is raised by 128, and what that adds to a sum of products is taken from it in advance:
 *
 *	  sum a b = sum a (b + 128) - 128 sum a.
 *
 * Everything is exact but for factors of rows and columns, which are rounded to 16 bits.
 */
#include "core/kernels/int8.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/simd/simd.h"

/*
 * Columns that instructions pack and unpack together: number 16 l + 4 q + e of a group is its column 16 q + 4 l + e, so
 * that four rows' bytes side by side are columns in their order.
 */
#define GROUP 64
#define GROUPED(ld) (((ld) + GROUP - 1) / GROUP * GROUP)
#define MOST_APART 8			/* see tile() */
#define MOST_FACTOR 32767		/* of rows' and columns' factors as whole numbers */

_Static_assert((int64_t) MF_INT8_MOST * (MF_INT8_MOST + 2 * 128) * MF_INT16_PANEL <= INT32_MAX,
			   "sums of products over a panel are whole numbers, and so is what is taken from them");
_Static_assert((int64_t) MF_INT8_MOST * MOST_FACTOR * MF_INT16_PANEL <= INT32_MAX &&
			   (int64_t) MF_INT8_MOST * MOST_FACTOR * GROUPED(MF_INT16_MOST_LD) <= INT32_MAX,
			   "sums of rows times factors, too");

/* Where the whole numbers of row r are. */
MF_INLINE int8_t *
int8_row(const float *rows, int stride, int64_t r)
{
	return (int8_t *) (uintptr_t) (rows + r * stride);
}

#ifdef MF_ISA_X86
MF_TARGET_BEGIN(MF_TARGETS_VNNI)

/* The whole numbers of 16 floats over their steps; 0 behind the last of width. */
MF_INLINE __m512i
whole_numbers(const float *row, const float *step, int j, int width)
{
	if (j >= width)
		return _mm512_setzero_si512();
	return _mm512_cvtps_epi32(_mm512_div_ps(_mm512_loadu_ps(row + j), _mm512_loadu_ps(step + j)));
}

/* A group of columns at a time: four registers of 16 whole numbers are packed into one of 64. */
static void
quantize_vnni(float *out, const float *row, int width, const float *step)
{
	int8_t	   *number = int8_row(out, 0, 0);

	for (int j = 0; j < width; j += GROUP)
	{
		__m512i		a = _mm512_packs_epi32(whole_numbers(row, step, j, width), whole_numbers(row, step, j + 16, width));
		__m512i		b = _mm512_packs_epi32(whole_numbers(row, step, j + 32, width), whole_numbers(row, step, j + 48, width));

		_mm512_storeu_si512(number + j, _mm512_packs_epi16(a, b));
	}
}

/* Bytes that are four times in every lane, as floats. */
MF_INLINE __m512
upper_bytes(__m512i x)
{
	return _mm512_cvtepi32_ps(_mm512_srai_epi32(x, 24));
}

/* The other way round: bytes become lanes, and are multiplied by their steps. */
static void
dequantize_row_vnni(float *out, const float *rows, int stride, int width, int64_t r, const float *step)
{
	const int8_t *number = int8_row(rows, stride, r);

	for (int j = 0; j < width; j += GROUP)
	{
		__m512i		n = _mm512_loadu_si512(number + j);
		__m512i		low = _mm512_unpacklo_epi8(n, n);
		__m512i		high = _mm512_unpackhi_epi8(n, n);
		__m512		x[4] = {upper_bytes(_mm512_unpacklo_epi16(low, low)), upper_bytes(_mm512_unpackhi_epi16(low, low)),
		upper_bytes(_mm512_unpacklo_epi16(high, high)), upper_bytes(_mm512_unpackhi_epi16(high, high))};

		MF_UNROLL
		for (int q = 0; q < 4; q++)
			if (j + 16 * q < width)
				_mm512_storeu_ps(out + j + 16 * q, _mm512_mul_ps(x[q], _mm512_loadu_ps(step + j + 16 * q)));
	}
}

/*
 * Every lane's sum, plus the products of its four bytes of a, which have no sign, with those of b.  Not as intrinsic
 * functions: see add_products() of int16.c.
 */
MF_INLINE __m512i
add_register(__m512i sum, __m512i a, __m512i b)
{
	__asm__("vpdpbusd %2, %1, %0" : "+v" (sum) : "v" (a), "v" (b));
	return sum;
}

/* The same with the four bytes *b for every lane. */
MF_INLINE __m512i
add_products(__m512i sum, __m512i a, const int32_t *b)
{
	__asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v" (sum) : "v" (a), "m" (*b));
	return sum;
}

/* The first n lanes, or all there are. */
MF_INLINE __mmask16
first_lanes(int n)
{
	return n < 16 ? (__mmask16) ((1u << n) - 1) : 0xffff;
}

/* What one of the whole numbers stands for as which numbers of these sizes are rounded. */
MF_INLINE float
unit_of_factors(__m512 sizes)
{
	return fmaxf(_mm512_reduce_max_ps(sizes) / (float) MOST_FACTOR, 1e-37f);
}

/*
 * x (width floats) times step as whole numbers of 16 bits, in the order of rows; returns what one of them stands for.
 */
MF_INLINE float
round_columns(__m512i *number, const float *x, const float *step, int width)
{
	const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
	const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
	__m512i		whole[GROUPED(MF_INT16_MOST_LD) / 16];
	float		product[GROUPED(MF_INT16_MOST_LD)] = {0};
	__m512		most = _mm512_setzero_ps();
	float		unit;

	for (int j = 0; j < width; j += 16)
	{
		__m512		v = _mm512_mul_ps(_mm512_loadu_ps(x + j), _mm512_loadu_ps(step + j));

		_mm512_storeu_ps(product + j, v);
		most = _mm512_max_ps(most, _mm512_abs_ps(v));
	}
	unit = unit_of_factors(most);
	for (int j = 0; j < GROUPED(width); j += 16)
		whole[j / 16] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(product + j), _mm512_set1_ps(1.0f / unit)));
	for (int j = 0; j < width; j += GROUP)
	{
		__m512i		a = _mm512_packs_epi32(whole[j / 16], whole[j / 16 + 1]);
		__m512i		b = _mm512_packs_epi32(whole[j / 16 + 2], whole[j / 16 + 3]);

		number[j / 32] = _mm512_permutex2var_epi64(a, first, b);
		number[j / 32 + 1] = _mm512_permutex2var_epi64(a, second, b);
	}
	return unit;
}

/* The sums of the lanes of 16 registers, which are overwritten, as one register of them. */
MF_INLINE __m512i
sum_lanes(__m512i *x)
{
	MF_UNROLL
	for (int r = 0; r < 8; r++)
	{
		__m512i		low = _mm512_unpacklo_epi32(x[2 * r], x[2 * r + 1]);

		x[r] = _mm512_add_epi32(low, _mm512_unpackhi_epi32(x[2 * r], x[2 * r + 1]));
	}
	MF_UNROLL
	for (int r = 0; r < 4; r++)
	{
		__m512i		low = _mm512_unpacklo_epi64(x[2 * r], x[2 * r + 1]);

		x[r] = _mm512_add_epi32(low, _mm512_unpackhi_epi64(x[2 * r], x[2 * r + 1]));
	}
	/* each 128 bits of x[r] are parts of the sums of rows 4 r .. 4 r + 3 */
	MF_UNROLL
	for (int r = 0; r < 2; r++)
	{
		__m512i		low = _mm512_shuffle_i32x4(x[2 * r], x[2 * r + 1], 0x88);

		x[r] = _mm512_add_epi32(low, _mm512_shuffle_i32x4(x[2 * r], x[2 * r + 1], 0xdd));
	}
	/* now parts of rows 8 r .. 8 r + 7: two 128s each of the first four and of the others */
	return _mm512_add_epi32(_mm512_shuffle_i32x4(x[0], x[1], 0x88), _mm512_shuffle_i32x4(x[0], x[1], 0xdd));
}

/* 32 whole numbers of a row, of 16 bits. */
MF_INLINE __m512i
load_wide(const int8_t *number)
{
	return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *) number));
}

/*
 * The products of 16 rows (the last of them again where there are fewer) with factors of nv registers, a constant.
 */
MF_INLINE __m512i
row_products(const float *rows, int stride, const int32_t *column, int count, const __m512i *factor, const int nv)
{
	__m512i		sum[16];

	MF_UNROLL
	for (int r = 0; r < 16; r++)
	{
		const int8_t *row = int8_row(rows, stride, column[r < count ? r : count - 1]);

		sum[r] = _mm512_setzero_si512();
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[r] = _mm512_dpwssd_epi32(sum[r], load_wide(row + 32 * v), factor[v]);
	}
	return sum_lanes(sum);
}

/* 16 rows at a time, in one group of columns or two, the number of which is a constant of the loop. */
static void
subtract_products_vnni(float *out, const float *rows, int stride, const int32_t *column, const float *x,
					   const float *step, int width, int n)
{
	__m512i		factor[GROUPED(MF_INT16_MOST_LD) / 32];
	__m512		unit = _mm512_set1_ps(round_columns(factor, x, step, width));

	for (int k = 0; k < n; k += 16)
	{
		int			count = n - k < 16 ? n - k : 16;
		__mmask16	mask = first_lanes(count);
		__m512i		sum = width <= GROUP ? row_products(rows, stride, column + k, count, factor, 2) :
			row_products(rows, stride, column + k, count, factor, 4);
		__m512		before = _mm512_maskz_loadu_ps(mask, out + k);

		_mm512_mask_storeu_ps(out + k, mask, _mm512_fnmadd_ps(_mm512_cvtepi32_ps(sum), unit, before));
	}
}

/* Rows' factors as whole numbers: four rows' are two pairs, of rows 0 and 2 and of rows 1 and 3. */
typedef struct Factors
{
	int32_t		pair[MF_INT16_PANEL / 2];
	float		unit;			/* what one of them stands for */
} Factors;

/* The factors of up to a panel's rows. */
MF_INLINE void
round_factors(Factors *f, const float *factor, int n)
{
	__m512		most = _mm512_setzero_ps();
	__m512		inverse;

	for (int k = 0; k < n; k += 16)
		most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_maskz_loadu_ps(first_lanes(n - k), factor + k)));
	f->unit = unit_of_factors(most);
	inverse = _mm512_set1_ps(1.0f / f->unit);
	for (int k = 0; k < n; k += 16)
	{
		__m512		x = _mm512_mul_ps(_mm512_maskz_loadu_ps(first_lanes(n - k), factor + k), inverse);
		__m256i		whole = _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(x));

		whole = _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(whole, 0xd8), 0xd8);
		_mm256_storeu_si256((__m256i *) (f->pair + k / 2), whole);
	}
}

/* Sums of gathered rows. */
typedef struct Sums
{
	const float *step;
	const Factors *factors;		/* of the sum whose factors differ, which goes to */
	float	   *sum;
	float	   *total;			/* ld: += the sum of all rows */
} Sums;

/* to (16 floats) += unit times step times x */
MF_INLINE void
add_steps(float *to, __m512i x, float unit, const float *step)
{
	__m512		factor = _mm512_mul_ps(_mm512_loadu_ps(step), _mm512_set1_ps(unit));

	_mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(x), factor, _mm512_loadu_ps(to)));
}

/* A group of up to four rows from row k on, others being 0, their bytes side by side: 16 columns in each register. */
MF_INLINE void
load_four(__m512i *x, const MfGather *g, int k, int offset)
{
	__m512i		row[4];
	__m512i		even[2];
	__m512i		odd[2];

	MF_UNROLL
	for (int i = 0; i < 4; i++)
		row[i] = k + i < g->n ? _mm512_loadu_si512(int8_row(g->rows, g->stride, g->column[k + i]) + offset) :
			_mm512_setzero_si512();
	even[0] = _mm512_unpacklo_epi8(row[0], row[1]);
	even[1] = _mm512_unpackhi_epi8(row[0], row[1]);
	odd[0] = _mm512_unpacklo_epi8(row[2], row[3]);
	odd[1] = _mm512_unpackhi_epi8(row[2], row[3]);
	x[0] = _mm512_unpacklo_epi16(even[0], odd[0]);
	x[1] = _mm512_unpackhi_epi16(even[0], odd[0]);
	x[2] = _mm512_unpacklo_epi16(even[1], odd[1]);
	x[3] = _mm512_unpackhi_epi16(even[1], odd[1]);
}

/* sum plus four rows' numbers times their factors. */
MF_INLINE __m512i
add_factored(__m512i sum, __m512i x, const int32_t *pair)
{
	sum = _mm512_dpwssd_epi32(sum, _mm512_srai_epi16(_mm512_slli_epi16(x, 8), 8), _mm512_set1_epi32(pair[0]));
	return _mm512_dpwssd_epi32(sum, _mm512_srai_epi16(x, 8), _mm512_set1_epi32(pair[1]));
}

/*
 * Gathers nv registers of every row, from column `offset` on: into the panel with their totals behind it (kept), and
 * times factors (varying).  nv, kept and varying are constants.
 */
MF_INLINE void
gather_columns(const MfGather *g, const Sums *sums, int offset, const int nv, const bool kept, const bool varying)
{
	int32_t    *panel = (int32_t *) g->panel + (kept ? offset : 0);
	__m512i		total[4];
	__m512i		sum[4];

	MF_UNROLL
	for (int v = 0; v < nv; v++)
		total[v] = sum[v] = _mm512_setzero_si512();
	for (int k = 0; k < g->n; k += 4)
	{
		__m512i		x[4];

		load_four(x, g, k, offset);
		MF_UNROLL
		for (int v = 0; v < nv; v++)
		{
			if (kept)
			{
				_mm512_storeu_si512(panel + v * 16, x[v]);
				total[v] = add_register(total[v], _mm512_set1_epi8(1), x[v]);
			}
			if (varying)
				sum[v] = add_factored(sum[v], x[v], sums->factors->pair + k / 2);
		}
		panel += kept ? g->ld : 0;
	}
	MF_UNROLL
	for (int v = 0; v < nv; v++)
	{
		int			j = offset + v * 16;

		if (kept)
		{
			_mm512_storeu_si512(panel + v * 16, total[v]);
			add_steps(sums->total + j, total[v], 1.0f, sums->step + j);
		}
		if (varying)
			add_steps(sums->sum + j, sum[v], sums->factors->unit, sums->step + j);
	}
}

/* Gathers whole rows. */
MF_INLINE void
gather_rows(const MfGather *g, const Sums *sums, const bool kept, const bool varying)
{
	for (int offset = 0; offset < g->ld; offset += GROUP)
		switch ((g->ld - offset) / 16)
		{
			case 1:
				gather_columns(g, sums, offset, 1, kept, varying);
				break;
			case 2:
				gather_columns(g, sums, offset, 2, kept, varying);
				break;
			case 3:
				gather_columns(g, sums, offset, 3, kept, varying);
				break;
			default:
				gather_columns(g, sums, offset, 4, kept, varying);
		}
}

/* Sums whose factors are all the same are sums of whole numbers, made once for all of them in `total`. */
static void
gather_vnni(const MfGather *g, const float *step)
{
	float		total[MF_INT16_MOST_LD] = {0};
	Factors		factors;
	Sums		sums = {.step = step,.total = total};

	for (int s = 0; s < g->nsums; s++)
		if (!g->even[s])
		{
			round_factors(&factors, g->factor[s], g->n);
			sums.factors = &factors;
			sums.sum = g->sum[s];
		}
	if (sums.factors != NULL)
		gather_rows(g, &sums, true, true);
	else
		gather_rows(g, &sums, true, false);
	for (int s = 0; s < g->nsums; s++)
		for (int j = 0; g->even[s] && j < g->ld; j++)
			g->sum[s][j] += g->factor[s][0] * total[j];
}

/* As many rows at a time as a panel has: sums of more would not be whole numbers of 32 bits. */
static void
add_rows_vnni(float *out, const float *rows, int stride, const int32_t *column, const float *factor, const float *step,
			  int width, int n)
{
	Factors		factors;
	Sums		sums = {.step = step,.factors = &factors,.sum = out};

	for (int k = 0; k < n; k += MF_INT16_PANEL)
	{
		MfGather	g = {.rows = rows,.stride = stride,.ld = width,.column = column + k};

		g.n = n - k < MF_INT16_PANEL ? n - k : MF_INT16_PANEL;
		round_factors(&factors, factor + k, g.n);
		gather_rows(&g, &sums, false, true);
	}
}

/* What tiles of a panel's product are made from. */
typedef struct Product
{
	const int32_t *panel;
	int			nfours;			/* of rows */
	const int32_t *totals;	/* ld: of columns, behind the panel */
	int			ld;
	const float *step;
	float		square;
	int			add;
	const MfAhead *ahead;
	int			nlines;			/* cache lines of a row ahead */
	int			apart;			/* rows ahead that a tile asks for are so far apart, */
	int			pace;			/* one of them for every four rows (0) or every eight (1): see tile() */
} Product;

/* Asks for cache line `line` of row k of those ahead. */
MF_INLINE void
prefetch(const MfAhead *ahead, int line, int k)
{
	__builtin_prefetch(int8_row(ahead->rows, ahead->stride, ahead->column[k]) + 64 * line, 0, 2);
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
	const __m512i raise = _mm512_set1_epi8(-128);

	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[r][v] = _mm512_set1_epi32(-128 * p->totals[i + r]);
	}
	for (int k = 0; k < p->nfours; k++)
	{
		__m512i		x[3];

		if ((k & pace) == 0 && row < ahead->n)
		{
			prefetch(ahead, line, row);
			row += apart;
		}
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			x[v] = _mm512_xor_si512(_mm512_loadu_si512(b + v * 16), raise);
		MF_UNROLL
		for (int r = 0; r < nrows; r++)
		{
			/* loads are as scarce as products: a number that meets several registers is loaded once */
			__m512i		y = nv > 1 ? _mm512_set1_epi32(a[r]) : x[0];

			MF_UNROLL
			for (int v = 0; v < nv; v++)
				sum[r][v] = nv > 1 ? add_register(sum[r][v], x[v], y) : add_products(sum[r][v], x[v], a + r);
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
syrk_vnni(float *c, int ld, const float *panel, int n, const float *step, float square, int add,
		  const MfAhead *ahead)
{
	int			nfours = (n + 3) / 4;
	Product		p = {(const int32_t *) panel, nfours, (const int32_t *) panel + nfours * ld, ld, step, square, add, ahead,
	ahead->width > 16 ? (ahead->width + 15) / 16 : 1, 0, 0};
	int			ntiles = count_tiles(ld);
	int			t = 0;

	p.apart = ntiles / p.nlines < MOST_APART ? ntiles / p.nlines : MOST_APART;
	p.pace = p.apart == MOST_APART;
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
	for (int k = p.apart * ((p.nfours + p.pace) >> p.pace); k < ahead->n; k++)
		for (int line = 0; line < p.nlines; line++)
			prefetch(ahead, line, k);
}

static const MfInt16 int8_kernels = {
	.quantize = quantize_vnni,
	.dequantize_row = dequantize_row_vnni,
	.subtract_products = subtract_products_vnni,
	.add_rows = add_rows_vnni,
	.gather = gather_vnni,
	.syrk = syrk_vnni
};

MF_TARGET_END
#endif

/* The kernels; NULL where there are none of int16.h's. */
const MfInt16 *
mf_int8(void)
{
#ifdef MF_ISA_X86
	if (mf_isa_has_vnni())
		return &int8_kernels;
#endif
	return NULL;
}

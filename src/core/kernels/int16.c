/*
 * int16.c - kernels on vectors of whole numbers of 13 bits, for AVX-512 VNNI; see int16.h for what they do.
 *
 * Whole numbers are kept in the place of the floats that they stand for, of which they take the first half.
 */
#include "core/kernels/int16.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/simd/simd.h"

/* Columns 16 .. 31 of a group are kept between its columns 0 .. 15, as instructions pack and unpack them. */
#define GROUP 32
#define GROUPED(ld) (((ld) + GROUP - 1) / GROUP * GROUP)

_Static_assert((int64_t) MF_INT16_MOST * MF_INT16_MOST * MF_INT16_PANEL <= INT32_MAX,
			   "sums over a panel are whole numbers");

/* Where the whole numbers of row r are. */
MF_INLINE int16_t *
int16_row(const float *rows, int stride, int64_t r)
{
	return (int16_t *) (uintptr_t) (rows + r * stride);
}

#ifdef MF_ISA_X86
MF_TARGET_BEGIN(MF_TARGETS_VNNI)

#include "core/kernels/vnni_body.h"

/* A register of columns at a time, over all rows: read once, before rows are quantized. */
static void
measure_vnni(const float *rows, int stride, int width, int64_t n, float *widest, float *sizes)
{
	for (int j = 0; j < width; j += 16)
	{
		__m512		most = _mm512_loadu_ps(widest + j);
		__m512		sum = _mm512_loadu_ps(sizes + j);

		for (int64_t r = 0; r < n; r++)
		{
			__m512		size = _mm512_abs_ps(_mm512_loadu_ps(rows + r * stride + j));

			most = _mm512_max_ps(most, size);
			sum = _mm512_add_ps(sum, size);
		}
		_mm512_storeu_ps(widest + j, most);
		_mm512_storeu_ps(sizes + j, sum);
	}
}

/* A group of columns at a time: two registers of 16 whole numbers are packed into one of 32, cut at 16 bits. */
static void
quantize_vnni(float *out, const float *row, int width, const float *step)
{
	int16_t    *number = int16_row(out, 0, 0);

	for (int j = 0; j < width; j += GROUP)
		_mm512_storeu_si512(number + j, _mm512_packs_epi32(whole_numbers(row, step, j, width),
														   whole_numbers(row, step, j + 16, width)));
}

/* The upper halves of lanes times factors; these are of 2^-16, so that no lane has to be shifted down again. */
MF_INLINE void
store_halves(float *out, __m512i numbers, const float *column_scale, float factor)
{
	__m512i		upper = _mm512_and_si512(numbers, _mm512_set1_epi32(-65536));
	__m512		scale = _mm512_mul_ps(_mm512_loadu_ps(column_scale), _mm512_set1_ps(factor));

	_mm512_storeu_ps(out, _mm512_mul_ps(_mm512_cvtepi32_ps(upper), scale));
}

/* Lanes of rows, two numbers each, are turned to rows of lanes, a group at a time; word 4 l + q of a group is in q's half. */
static void
interleave_vnni(float *out, const float *const *row, const float *step, float scale, const float *column_scale, int width)
{
	for (int j = 0; j < width; j += GROUP)
	{
		__m512i		x[16];

		MF_UNROLL
		for (int r = 0; r < 16; r++)
			x[r] = _mm512_loadu_si512(int16_row(row[r], 0, 0) + j);
		turn_lanes(x);
		MF_UNROLL
		for (int half = 0; half < 2; half++)
		{
			if (j + 16 * half >= width)
				break;
			MF_UNROLL
			for (int c = 0; c < 16; c++)
			{
				int			column = j + 16 * half + c;
				__m512i		word = x[c / 4 * 4 + half * 2 + c % 4 / 2];

				store_halves(out + column * 16, c % 2 == 0 ? _mm512_slli_epi32(word, 16) : word, column_scale + column * 16,
							 step[column] * scale * 0x1p-16f);
			}
		}
	}
}

/*
 * Every lane's sum, plus the products of both halves of *a with those of the lane of b.
 */
MF_INLINE __m512i
add_products(__m512i sum, const int32_t *a, __m512i b)
{
	__asm__("vpdpwssd %2%{1to16%}, %1, %0" : "+v" (sum) : "v" (b), "m" (*a));
	return sum;
}

/*
 * x (width floats) times step as whole numbers, in the order of rows; returns what one of them stands for.  They are
 * so small that the sum over a row is a whole number of 32 bits: of 12 bits for 96 of them.
 */
MF_INLINE float
round_factors(__m512i *number, const float *x, const float *step, int width)
{
	float		product[GROUPED(MF_INT16_MOST_LD)] = {0};
	__m512		most = _mm512_setzero_ps();
	float		unit;

	for (int j = 0; j < width; j += 16)
	{
		__m512		v = _mm512_mul_ps(_mm512_loadu_ps(x + j), _mm512_loadu_ps(step + j));

		_mm512_storeu_ps(product + j, v);
		most = _mm512_max_ps(most, _mm512_abs_ps(v));
	}
	/* 1 less than fits, for the largest is rounded */
	unit = fmaxf(_mm512_reduce_max_ps(most) / fminf(2147483000.0f / (MF_INT16_MOST * (float) width) - 1.0f, 32767.0f),
				 1e-37f);
	for (int j = 0; j < width; j += GROUP)
	{
		__m512		inverse = _mm512_set1_ps(1.0f / unit);

		number[j / GROUP] = _mm512_packs_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(product + j), inverse)),
											   _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(product + j + 16), inverse)));
	}
	return unit;
}

/* The products of 16 rows (the last of them again where there are fewer) with factors of nv registers, a constant. */
MF_INLINE __m512i
row_products(const float *rows, int stride, const int32_t *column, int count, const __m512i *factor, const int nv)
{
	__m512i		sum[16];

	MF_UNROLL
	for (int r = 0; r < 16; r++)
	{
		const int16_t *row = int16_row(rows, stride, column[r < count ? r : count - 1]);

		sum[r] = _mm512_setzero_si512();
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[r] = _mm512_dpwssd_epi32(sum[r], _mm512_loadu_si512(row + v * GROUP), factor[v]);
	}
	return sum_lanes(sum);
}

/* 16 rows at a time, in up to 3 groups of columns, the number of which is a constant of the loop. */
static void
subtract_products_vnni(float *out, const float *rows, int stride, const int32_t *column, const float *x,
					   const float *step, int width, int n)
{
	__m512i		factor[GROUPED(MF_INT16_MOST_LD) / GROUP];
	__m512		unit = _mm512_set1_ps(round_factors(factor, x, step, width));

	for (int k = 0; k < n; k += 16)
	{
		int			count = n - k < 16 ? n - k : 16;
		__mmask16	mask = first_lanes(count);
		__m512i		sum = width <= GROUP ? row_products(rows, stride, column + k, count, factor, 1) :
			width <= 2 * GROUP ? row_products(rows, stride, column + k, count, factor, 2) :
			row_products(rows, stride, column + k, count, factor, 3);
		__m512		before = _mm512_maskz_loadu_ps(mask, out + k);

		_mm512_mask_storeu_ps(out + k, mask, _mm512_fnmadd_ps(_mm512_cvtepi32_ps(sum), unit, before));
	}
}

/* The lower halves of lanes, as floats. */
MF_INLINE __m512
lower_halves(__m512i pairs)
{
	return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(pairs, 16), 16));
}

/* The upper halves. */
MF_INLINE __m512
upper_halves(__m512i pairs)
{
	return _mm512_cvtepi32_ps(_mm512_srai_epi32(pairs, 16));
}

/* Numbers become floats before they are multiplied, for factors are floats; steps are multiplied by at the end. */
static void
add_rows_vnni(float *out, const float *rows, int stride, const int32_t *column, const float *factor, const float *step,
			  int width, int n)
{
	for (int j = 0; j < width; j += GROUP)
	{
		__m512		low = _mm512_setzero_ps();
		__m512		high = _mm512_setzero_ps();

		/* halves of lanes: columns 0 .. 15 are the lower ones of a group's */
		for (int k = 0; k < n; k++)
		{
			__m512i		numbers = _mm512_loadu_si512(int16_row(rows, stride, column[k]) + j);
			__m512		f = _mm512_set1_ps(factor[k]);

			low = _mm512_fmadd_ps(upper_halves(_mm512_unpacklo_epi16(numbers, numbers)), f, low);
			high = _mm512_fmadd_ps(upper_halves(_mm512_unpackhi_epi16(numbers, numbers)), f, high);
		}
		_mm512_storeu_ps(out + j, _mm512_fmadd_ps(low, _mm512_loadu_ps(step + j), _mm512_loadu_ps(out + j)));
		if (j + 16 < width)
			_mm512_storeu_ps(out + j + 16,
							 _mm512_fmadd_ps(high, _mm512_loadu_ps(step + j + 16), _mm512_loadu_ps(out + j + 16)));
	}
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
		const int16_t *even = int16_row(g->rows, g->stride, g->column[k]) + offset;
		const int16_t *odd = int16_row(g->rows, g->stride, g->column[single ? k : k + 1]) + offset;

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

/*
 * Sums whose factors are all the same are sums of whole numbers, made once for all of them in `total`; at most one sum
 * has factors that differ, and is made in float.
 */
static void
gather_vnni(const MfGather *g, const float *step)
{
	float		total[MF_INT16_MOST_LD] = {0};
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
		if (g->even[s])
			add_times(g->sum[s], total, g->factor[s][0], g->ld);
}

#define TILE_ROWS 2
#define TILE_FIRST(p, i) _mm512_setzero_si512()
#define TILE_LOAD(b) _mm512_loadu_si512(b)
#define TILE_ADD(sum, y, x) add_pairs(sum, y, x)
#define TILE_ADD_MEMORY(sum, a, x) add_products(sum, a, x)
#define TILE_MOST_APART 4
#include "core/kernels/tiles_body.h"

static const MfInt16 int16_kernels = {
	.measure = measure_vnni,
	.quantize = quantize_vnni,
	.interleave = interleave_vnni,
	.subtract_products = subtract_products_vnni,
	.add_rows = add_rows_vnni,
	.gather = gather_vnni,
	.syrk = syrk_vnni
};

MF_TARGET_END
#endif

/* The kernels; NULL where floats are as fast. */
const MfInt16 *
mf_int16(void)
{
#ifdef MF_ISA_X86
	if (mf_isa_has_vnni())
		return &int16_kernels;
#endif
	return NULL;
}

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

#include "core/kernels/syrk_amx.h"
#include "core/simd/simd.h"

/*
 * Columns that instructions pack and unpack together: number 16 l + 4 q + e of a group is its column 16 q + 4 l + e, so
 * that four rows' bytes side by side are columns in their order.
 */
#define GROUP 64
#define GROUPED(ld) (((ld) + GROUP - 1) / GROUP * GROUP)
#define MOST_FACTOR 32767		/* of rows' and columns' factors as whole numbers */

_Static_assert((int64_t) MF_INT8_MOST * (MF_INT8_MOST + 2 * 128) * MF_INT8_PANEL <= INT32_MAX,
			   "sums of products over a panel are whole numbers, and so is what is taken from them");
_Static_assert((int64_t) MF_INT8_MOST * MOST_FACTOR * MF_INT8_PANEL <= INT32_MAX &&
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

#include "core/kernels/vnni_body.h"

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

/* The uppermost bytes of lanes times factors; these are of 2^-24, so that no lane has to be shifted down again. */
MF_INLINE void
store_bytes(float *out, __m512i numbers, const float *column_scale, float factor)
{
	__m512i		upper = _mm512_and_si512(numbers, _mm512_set1_epi32(-16777216));
	__m512		scale = _mm512_mul_ps(_mm512_loadu_ps(column_scale), _mm512_set1_ps(factor));

	_mm512_storeu_ps(out, _mm512_mul_ps(_mm512_cvtepi32_ps(upper), scale));
}

/* Lanes of rows, four numbers each, are turned to rows of lanes, a group at a time. */
static void
interleave_vnni(float *out, const float *const *row, const float *step, float scale, const float *column_scale, int width)
{
	for (int j = 0; j < width; j += GROUP)
	{
		__m512i		x[16];

		MF_UNROLL
		for (int r = 0; r < 16; r++)
			x[r] = _mm512_loadu_si512(int8_row(row[r], 0, 0) + j);
		turn_lanes(x);
		MF_UNROLL
		for (int q = 0; q < 4; q++)
		{
			if (j + 16 * q >= width)
				break;
			MF_UNROLL
			for (int c = 0; c < 16; c++)
			{
				int			column = j + 16 * q + c;

				store_bytes(out + column * 16, _mm512_slli_epi32(x[c / 4 * 4 + q], 24 - c % 4 * 8),
							column_scale + column * 16, step[column] * scale * 0x1p-24f);
			}
		}
	}
}

/*
 * Every lane's sum, plus the products of its four bytes of a, which have no sign, with those of b.  Not as intrinsic
 * functions: see add_pairs().
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
	int32_t		pair[MF_INT8_PANEL / 2];
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
		if (g->even[s])
			add_times(g->sum[s], total, g->factor[s][0], g->ld);
}

/* As many rows at a time as a panel has: sums of more would not be whole numbers of 32 bits. */
static void
add_rows_vnni(float *out, const float *rows, int stride, const int32_t *column, const float *factor, const float *step,
			  int width, int n)
{
	Factors		factors;
	Sums		sums = {.step = step,.factors = &factors,.sum = out};

	for (int k = 0; k < n; k += MF_INT8_PANEL)
	{
		MfGather	g = {.rows = rows,.stride = stride,.ld = width,.column = column + k};

		g.n = n - k < MF_INT8_PANEL ? n - k : MF_INT8_PANEL;
		round_factors(&factors, factor + k, g.n);
		gather_rows(&g, &sums, false, true);
	}
}

/* Columns are raised by 128, and what that adds is taken from the sums first. */
#define TILE_ROWS 4
#define TILE_FIRST(p, i) _mm512_set1_epi32(-128 * (p)->totals[i])
#define TILE_LOAD(b) _mm512_xor_si512(_mm512_loadu_si512(b), _mm512_set1_epi8(-128))
#define TILE_ADD(sum, y, x) add_register(sum, x, y)
#define TILE_ADD_MEMORY(sum, a, x) add_products(sum, x, a)
#define TILE_MOST_APART 8
#include "core/kernels/tiles_body.h"

static const MfInt16 int8_kernels = {
	.quantize = quantize_vnni,
	.interleave = interleave_vnni,
	.subtract_products = subtract_products_vnni,
	.add_rows = add_rows_vnni,
	.gather = gather_vnni,
	.syrk = syrk_vnni
};

#ifdef MF_HAS_AMX
_Static_assert(MF_INT8_PANEL <= MF_TILE_PANEL && MF_INT8_PANEL % MF_TILE_STEP == 0,
			   "tiles multiply a panel, and nothing behind it");

/* The same for tiles, where these pay: they do not look at the sums of columns, which may lie where zeros must. */
static void
gather_amx(const MfGather *g, const float *step)
{
	gather_vnni(g, step);
	if (mf_tiles_pay(g->ld, g->n))
		mf_tiles_end(g->panel, g->ld, g->n);
}

static void
syrk_amx(float *c, int ldc, const float *panel, int ld, int n, const float *step, float square, int add,
		 const MfAhead *ahead)
{
	MfSyrk		syrk = mf_tiles_pay(ld, n) ? mf_syrk_amx : syrk_vnni;

	syrk(c, ldc, panel, ld, n, step, square, add, ahead);
}

static const MfInt16 int8_amx_kernels = {
	.quantize = quantize_vnni,
	.interleave = interleave_vnni,
	.subtract_products = subtract_products_vnni,
	.add_rows = add_rows_vnni,
	.gather = gather_amx,
	.syrk = syrk_amx
};
#endif

MF_TARGET_END
#endif

/* The kernels; NULL where there are none of int16.h's. */
const MfInt16 *
mf_int8(void)
{
#ifdef MF_HAS_AMX
	if (mf_syrk_amx_agrees(syrk_vnni))
		return &int8_amx_kernels;
#endif
#ifdef MF_ISA_X86
	if (mf_isa_has_vnni())
		return &int8_kernels;
#endif
	return NULL;
}

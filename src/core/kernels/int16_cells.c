/*
 * int16_cells.c - products of cells with vectors in whole numbers, for AVX-512 VNNI; see int16_cells.h for what they
 * do.
 *
 * No sum is larger than 32 bits hold: |row| |x| of rounded vectors is below 2^31, whose inner products are no larger
 * (Cauchy and Schwarz), and sums over MF_CELLS_AT_ONCE cells of numbers of 15 and 12 bits are.  Parts of a sum may
 * overflow: what is added wraps back.
 */
#include "core/kernels/int16_cells.h"

#include <stddef.h>
#include <math.h>
#include <string.h>

#include "core/simd/simd.h"

#define MOST 4095				/* of a row's numbers */
#define MOST_FACTOR 32767		/* of a vector's numbers and of factors */
#define ROW_LENGTH 32700		/* |row| at most, but for rounding */
#define VECTOR_LENGTH 65000	/* |x| at most */
#define ONE 16384				/* what 1 is in a rotation */
#define TURNED_LENGTH 130000	/* |x| of rows that are rotated, at most */
#define ROWS_AT_ONCE 8			/* of them */
#define GROUP 32				/* columns 16 .. 31 are kept between columns 0 .. 15, as instructions pack them */
#define LEAST_UNIT 1e-30f		/* shorter vectors count as 0 */

_Static_assert((int64_t) MOST * MOST_FACTOR * MF_CELLS_AT_ONCE <= INT32_MAX, "sums over cells are whole numbers");
/* Rounding moves a vector of 1008 numbers by half of their root at most, which is below 16. */
_Static_assert((int64_t) (ROW_LENGTH + 16) * (VECTOR_LENGTH + 16) <= INT32_MAX, "and so are inner products");
_Static_assert((int64_t) (ONE + 17) * (TURNED_LENGTH + 16) <= INT32_MAX, "and those with columns of a rotation");

#ifdef MF_ISA_X86
MF_TARGET_BEGIN(MF_TARGETS_VNNI)

#include "core/kernels/vnni_body.h"

/* add_pairs() with a in memory. */
MF_INLINE __m512i
add_memory(__m512i sum, const int16_t *a, __m512i b)
{
	__asm__("vpdpwssd %2, %1, %0" : "+v" (sum) : "v" (b), "m" (*(const __m512i *) (const void *) a));
	return sum;
}

/* What 1 is to stand for, so that no number is above `most` and the vector no longer than `length`; 0: of nothing. */
MF_INLINE float
choose_unit(const float *x, int width, int most, int length)
{
	__m512		widest = _mm512_setzero_ps();
	__m512		square = _mm512_setzero_ps();
	float		by_width;
	float		unit;

	for (int j = 0; j < width; j += 16)
	{
		__m512		v = _mm512_loadu_ps(x + j);

		widest = _mm512_max_ps(widest, _mm512_abs_ps(v));
		square = _mm512_fmadd_ps(v, v, square);
	}
	by_width = _mm512_reduce_max_ps(widest) / (float) most;
	unit = sqrtf(_mm512_reduce_add_ps(square)) / (float) length;
	/* what is not finite is so in the square, and stays as it is */
	if (by_width > unit)
		unit = by_width;
	return unit < LEAST_UNIT ? 0.0f : unit;
}

/* 16 numbers of a row as whole ones; 0 behind the last. */
MF_INLINE __m512i
rounded_numbers(const float *x, __m512 inverse, int j, int width)
{
	return j < width ? _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + j), inverse)) : _mm512_setzero_si512();
}

/* A group of columns at a time. */
static float
quantize_vnni(int16_t *out, const float *row, int width)
{
	float		unit = choose_unit(row, width, MOST, ROW_LENGTH);
	__m512		inverse = _mm512_set1_ps(unit == 0.0f ? 0.0f : 1.0f / unit);

	for (int j = 0; j < width; j += GROUP)
		_mm512_storeu_si512(out + j, _mm512_packs_epi32(rounded_numbers(row, inverse, j, width),
														rounded_numbers(row, inverse, j + 16, width)));
	return unit;
}

/* And back to floats at once. */
static float
round_vector_vnni(int16_t *out, float *x, int width)
{
	float		unit = choose_unit(x, width, MOST_FACTOR, VECTOR_LENGTH);
	__m512		inverse = _mm512_set1_ps(unit == 0.0f ? 0.0f : 1.0f / unit);

	for (int j = 0; j < width; j += GROUP)
	{
		__m512i		low = rounded_numbers(x, inverse, j, width);
		__m512i		high = rounded_numbers(x, inverse, j + 16, width);

		_mm512_storeu_si512(out + j, _mm512_packs_epi32(low, high));
		_mm512_storeu_ps(x + j, _mm512_mul_ps(_mm512_cvtepi32_ps(low), _mm512_set1_ps(unit)));
		if (j + 16 < width)
			_mm512_storeu_ps(x + j + 16, _mm512_mul_ps(_mm512_cvtepi32_ps(high), _mm512_set1_ps(unit)));
	}
	return unit;
}

/* Adds the products of nv groups (a constant) of columns from j on to the sums of 16 rows. */
MF_INLINE void
add_groups(__m512i *sum, const int16_t *const *row, const int16_t *x, int j, const int nv)
{
	__m512i		factor[4];

	/* with the sums, 20 of the 32 registers there are; rows are read from memory */
	MF_UNROLL
	for (int v = 0; v < nv; v++)
		factor[v] = _mm512_loadu_si512(x + j + v * GROUP);
	MF_UNROLL
	for (int r = 0; r < 16; r++)
	{
		const int16_t *at = row[r] + j;

		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[r] = add_memory(sum[r], at + v * GROUP, factor[v]);
	}
}

/* The inner products of 16 rows with x; meanwhile those that are ahead are asked for. */
MF_INLINE __m512i
inner_products(const int16_t *const *row, const MfCellProduct *p, const int16_t *const *ahead, int nahead)
{
	int			width = mf_cells_stride(p->width);
	__m512i		sum[16];
	int			j = 0;

	MF_UNROLL
	for (int r = 0; r < 16; r++)
		sum[r] = _mm512_setzero_si512();
	/* a row's pointer is loaded once for four groups */
	for (; j + 4 * GROUP <= width; j += 4 * GROUP)
	{
		for (int r = 0; r < nahead; r++)
			for (int v = 0; v < 4; v++)
				__builtin_prefetch(ahead[r] + j + v * GROUP, 0, 3);
		add_groups(sum, row, p->x, j, 4);
	}
	for (; j < width; j += GROUP)
	{
		for (int r = 0; r < nahead; r++)
			__builtin_prefetch(ahead[r] + j, 0, 3);
		add_groups(sum, row, p->x, j, 1);
	}
	return sum_lanes(sum);
}

/* out (from column j on) += unit times the sum of 16 rows times factors, in nv groups (a constant) of columns. */
MF_INLINE void
add_scaled(float *out, const int16_t *const *row, const __m512i *factor, __m512 unit, int j, int width, const int nv)
{
	__m512i		sum[2 * 2];

	MF_UNROLL
	for (int v = 0; v < 2 * nv; v++)
		sum[v] = _mm512_setzero_si512();
	/* a lane gets a number of each of two rows, and their factors */
	MF_UNROLL
	for (int r = 0; r < 8; r++)
	{
		const int16_t *even = row[2 * r] + j;
		const int16_t *odd = row[2 * r + 1] + j;

		MF_UNROLL
		for (int v = 0; v < nv; v++)
		{
			__m512i		a = _mm512_loadu_si512(even + v * GROUP);
			__m512i		b = _mm512_loadu_si512(odd + v * GROUP);

			sum[2 * v] = add_pairs(sum[2 * v], _mm512_unpacklo_epi16(a, b), factor[r]);
			sum[2 * v + 1] = add_pairs(sum[2 * v + 1], _mm512_unpackhi_epi16(a, b), factor[r]);
		}
	}
	/* the second half of the last group may be beyond the row */
	MF_UNROLL
	for (int v = 0; v < 2 * nv; v++)
		if (j + v * 16 < width)
			_mm512_storeu_ps(out + j + v * 16, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[v]), unit,
															   _mm512_loadu_ps(out + j + v * 16)));
}

/* Adds 16 rows times their factors, which become whole numbers of 15 bits, two in every lane. */
MF_INLINE void
add_rows(const MfCellProduct *p, const int16_t *const *row, __m512 factors)
{
	float		unit = _mm512_reduce_max_ps(_mm512_abs_ps(factors)) / MOST_FACTOR;
	int16_t		number[16];
	__m512i		pairs[8];
	int			width = mf_cells_stride(p->width);
	int			j = 0;

	if (!(unit >= LEAST_UNIT))
		return;
	_mm256_storeu_si256((__m256i *) (void *) number,
						_mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(_mm512_mul_ps(factors, _mm512_set1_ps(1.0f / unit)))));
	MF_UNROLL
	for (int r = 0; r < 8; r++)
	{
		int32_t		pair;

		memcpy(&pair, number + 2 * r, sizeof(pair));
		pairs[r] = _mm512_set1_epi32(pair);
	}
	for (; j + 2 * GROUP <= width; j += 2 * GROUP)
		add_scaled(p->out, row, pairs, _mm512_set1_ps(unit), j, p->width, 2);
	if (j < width)
		add_scaled(p->out, row, pairs, _mm512_set1_ps(unit), j, p->width, 1);
}

/* Rows of up to 16 cells, the last of them again where there are fewer; returns how many there are. */
MF_INLINE int
find_rows(const int16_t **row, const MfCellProduct *p, const int32_t *column, int64_t left)
{
	int			count = left < 16 ? (int) left : 16;

	for (int r = 0; r < 16; r++)
		row[r] = count == 0 ? p->rows : p->rows + (int64_t) column[r < count ? r : count - 1] * p->stride;
	return count;
}

/* Adds up the squares of up to 16 cells' rows times weights. */
MF_INLINE void
sum_squares(MfCellProduct *p, __m512i column, __mmask16 mask, __m512 weight)
{
	MF_UNROLL
	for (int s = 0; s < 2; s++)
		if (p->square[s] != NULL)
		{
			__m512		square = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, column, p->square[s], 4);

			p->squares[s] += _mm512_reduce_add_ps(_mm512_maskz_mul_ps(mask, weight, square));
		}
}

/* The factors of up to 16 cells from k on: see MfInt16Cells.  0 behind the last. */
MF_INLINE __m512
make_factors(MfCellProduct *p, int64_t k, __m512i column, __mmask16 mask, __m512i sums, __m512 scale)
{
	__m512		product = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), _mm512_mul_ps(scale, _mm512_set1_ps(p->unit)),
										  _mm512_set1_ps(p->bias));
	__m512		weight = p->weight != NULL ? _mm512_maskz_loadu_ps(mask, p->weight + k) : _mm512_set1_ps(p->even);
	__m512		factor = _mm512_maskz_mul_ps(mask, weight, product);

	if (p->target != NULL)
	{
		__m512		target = _mm512_maskz_loadu_ps(mask, p->target + k);

		p->fitted += _mm512_reduce_add_ps(_mm512_maskz_mul_ps(mask, target, product));
		factor = _mm512_maskz_sub_ps(mask, target, factor);
		sum_squares(p, column, mask, weight);
	}
	p->total += _mm512_reduce_add_ps(factor);
	return factor;
}

/* MF_CELLS_AT_ONCE cells at a time: both products while their rows are in L1. */
static void
multiply_vnni(MfCellProduct *p)
{
	const int16_t *rows[2][16];
	int			count = find_rows(rows[0], p, p->column, p->n);

	for (int64_t k = 0; k < p->n; k += 16)
	{
		const int16_t **row = rows[k / 16 % 2];
		const int16_t **next = rows[(k / 16 + 1) % 2];
		/* behind the last cells come the first ones of what is multiplied next */
		bool		last = k + 16 >= p->n;
		int			nahead = last ? find_rows(next, p, p->ahead, p->nahead) :
			find_rows(next, p, p->column + k + 16, p->n - k - 16);
		__mmask16	mask = (__mmask16) ((1u << count) - 1);
		__m512i		column = _mm512_maskz_loadu_epi32(mask, p->column + k);
		__m512		scale = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, column, p->scale, 4);
		__m512i		sums = inner_products(row, p, next, p->reach ? nahead : 0);

		add_rows(p, row, _mm512_mul_ps(make_factors(p, k, column, mask, sums, scale), scale));
		count = nahead;
	}
}

/* 16 numbers of a rotation as whole ones. */
MF_INLINE __m512i
rotation_numbers(const float *m)
{
	return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(m), _mm512_set1_ps((float) ONE)));
}

/*
 * Numbers of two rows in each lane, which a lane's two products are added over.  Columns that are multiplied together,
 * two registers of them or a last one, are together in memory, too, all rows of them: column j begins at j * width.
 */
static void
pack_rotation_vnni(int16_t *out, const float *m, int width)
{
	for (int j = 0; j < width; j += GROUP)
		for (int k = 0; k < width; k += 2)
			for (int c = j; c < j + GROUP && c < width; c += 16, out += GROUP)
			{
				__m512i		even = rotation_numbers(m + k * width + c);
				__m512i		odd = rotation_numbers(m + (k + 1) * width + c);
				__m512i		low = _mm512_and_si512(even, _mm512_set1_epi32(0xffff));

				_mm512_storeu_si512(out, _mm512_or_si512(low, _mm512_slli_epi32(odd, 16)));
			}
}

/* Rows of floats as whole numbers, two in each word, and what 1 stands for in each row. */
typedef struct TurnedRows
{
	int32_t		pair[ROWS_AT_ONCE][MF_MAX_PADDED / 2];
	float		unit[ROWS_AT_ONCE];
} TurnedRows;

/* Rounds a row. */
MF_INLINE void
round_row(TurnedRows *rows, int r, const float *x, int width)
{
	float		unit = choose_unit(x, width, MOST_FACTOR, TURNED_LENGTH);
	__m512		inverse = _mm512_set1_ps(unit == 0.0f ? 0.0f : 1.0f / unit);

	for (int j = 0; j < width; j += 16)
		_mm256_storeu_si256((__m256i *) (void *) (rows->pair[r] + j / 2),
							_mm512_cvtsepi32_epi16(rounded_numbers(x, inverse, j, width)));
	rows->unit[r] = unit / (float) ONE;
}

/* nv registers of columns of nrows rows times a rotation, from its column j on; nrows and nv are constants. */
MF_INLINE void
turn_tile(float *out, int ldo, const TurnedRows *rows, const int16_t *rotation, int width, int j, const int nrows,
		  const int nv)
{
	__m512i		sum[ROWS_AT_ONCE][2];

	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			sum[r][v] = _mm512_setzero_si512();
	}
	for (int k = 0; k < width / 2; k++)
	{
		const int16_t *at = rotation + j * width + k * nv * GROUP;
		__m512i		m[2];

		MF_UNROLL
		for (int v = 0; v < nv; v++)
			m[v] = _mm512_loadu_si512(at + v * GROUP);
		MF_UNROLL
		for (int r = 0; r < nrows; r++)
		{
			__m512i		x = _mm512_set1_epi32(rows->pair[r][k]);

			MF_UNROLL
			for (int v = 0; v < nv; v++)
				sum[r][v] = add_pairs(sum[r][v], x, m[v]);
		}
	}
	MF_UNROLL
	for (int r = 0; r < nrows; r++)
	{
		MF_UNROLL
		for (int v = 0; v < nv; v++)
			_mm512_storeu_ps(out + r * ldo + j + 16 * v,
							 _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][v]), _mm512_set1_ps(rows->unit[r])));
	}
}

/* All columns of nrows rows, a constant, times a rotation. */
MF_INLINE void
turn_columns(float *out, int ldo, const TurnedRows *rows, const int16_t *rotation, int width, const int nrows)
{
	int			j = 0;

	for (; j + GROUP <= width; j += GROUP)
		turn_tile(out, ldo, rows, rotation, width, j, nrows, 2);
	if (j < width)
		turn_tile(out, ldo, rows, rotation, width, j, nrows, 1);
}

/* Some rows at a time, so that the rotation, which stays in the cache, is loaded once for all of them. */
static void
turn_vnni(float *out, int ldo, const float *x, int ldx, const int16_t *rotation, int width, int n)
{
	TurnedRows	rows;
	int			count;

	for (int first = 0; first < n; first += count)
	{
		count = n - first < ROWS_AT_ONCE ? 1 : ROWS_AT_ONCE;
		for (int r = 0; r < count; r++)
			round_row(&rows, r, x + (first + r) * ldx, width);
		if (count == 1)
			turn_columns(out + first * ldo, ldo, &rows, rotation, width, 1);
		else
			turn_columns(out + first * ldo, ldo, &rows, rotation, width, ROWS_AT_ONCE);
	}
}

static const MfInt16Cells kernels = {quantize_vnni, round_vector_vnni, multiply_vnni, pack_rotation_vnni, turn_vnni};

MF_TARGET_END
#endif

/* The kernels; NULL where floats are as fast. */
const MfInt16Cells *
mf_int16_cells(void)
{
#ifdef MF_ISA_X86
	if (mf_isa_has_vnni())
		return &kernels;
#endif
	return NULL;
}

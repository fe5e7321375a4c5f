/*
 * score_body.h - the kernels of score.c for one instruction set level: scores in float, and the table.
 *
 * Included by foreach_isa.h.  A row's inner product ends as a register of partial sums, one in every lane.  Adding
 * these up lane by lane would take longer than the product itself, so four rows are summed at a time: shuffles and
 * additions of whole registers bring their sums side by side, in the order in which they are stored.
 */
#include "core/simd/simd_i8.h"

/* Registers that a pack's scores, or sums of products of codes, fill. */
#define SUMS (MF_PACK / MF_LANES)

#include "core/kernels/sq4_body.h"
#include "core/kernels/sq8_body.h"

/* Four sums side by side: in 128 bits, or in parts in every 128 bits of a register of 512. */
#if MF_LANES == 16
typedef __m512 MF_KERNEL(quad);
#elif MF_LANES == 8
typedef __m128 MF_KERNEL(quad);
#else
typedef MF_V MF_KERNEL(quad);
#endif

/* The lanes of four registers, each added up. */
MF_INLINE MF_KERNEL(quad)
MF_KERNEL(add_up) (MF_V sum_a, MF_V sum_b, MF_V sum_c, MF_V sum_d)
{
#if MF_LANES == 16
	/* each 128 bits of the result hold parts of the four sums */
	__m512		ab = _mm512_add_ps(_mm512_unpacklo_ps((__m512) sum_a, (__m512) sum_b),
								   _mm512_unpackhi_ps((__m512) sum_a, (__m512) sum_b));
	__m512		cd = _mm512_add_ps(_mm512_unpacklo_ps((__m512) sum_c, (__m512) sum_d),
								   _mm512_unpackhi_ps((__m512) sum_c, (__m512) sum_d));

	return _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
#elif MF_LANES == 8
	__m256		ab = _mm256_add_ps(_mm256_unpacklo_ps((__m256) sum_a, (__m256) sum_b),
								   _mm256_unpackhi_ps((__m256) sum_a, (__m256) sum_b));
	__m256		cd = _mm256_add_ps(_mm256_unpacklo_ps((__m256) sum_c, (__m256) sum_d),
								   _mm256_unpackhi_ps((__m256) sum_c, (__m256) sum_d));
	__m256		all = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));

	return _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
#else
	return (MF_V) {(sum_a[0] + sum_a[1]) + (sum_a[2] + sum_a[3]), (sum_b[0] + sum_b[1]) + (sum_b[2] + sum_b[3]),
		(sum_c[0] + sum_c[1]) + (sum_c[2] + sum_c[3]), (sum_d[0] + sum_d[1]) + (sum_d[2] + sum_d[3])};
#endif
}

/*
 * The inner products of the query with rows position[0 .. 3] of ld floats.  The query's registers are loaded once for
 * all four rows, and four chains of additions hide each other's latency.
 */
MF_INLINE MF_KERNEL(quad)
MF_KERNEL(dot_quad) (const float *query, int ld, const float *base, const int32_t *position)
{
	const float *a = base + (size_t) position[0] * ld;
	const float *b = base + (size_t) position[1] * ld;
	const float *c = base + (size_t) position[2] * ld;
	const float *d = base + (size_t) position[3] * ld;
	MF_V		sum_a = {0};
	MF_V		sum_b = {0};
	MF_V		sum_c = {0};
	MF_V		sum_d = {0};

	for (int j = 0; j < ld; j += MF_LANES)
	{
		MF_V		q = MF_LOAD(query + j);

		sum_a += q * MF_LOAD(a + j);
		sum_b += q * MF_LOAD(b + j);
		sum_c += q * MF_LOAD(c + j);
		sum_d += q * MF_LOAD(d + j);
	}
	return MF_KERNEL(add_up) (sum_a, sum_b, sum_c, sum_d);
}

/* A row of whole numbers, in one part or two. */
typedef struct MF_KERNEL(narrow)
{
	const int16_t *first;
	const int16_t *second;
	float		unit;			/* what one of the numbers is worth */
	float		second_unit;
} MF_KERNEL(narrow);

/* Row `position` of these. */
MF_INLINE MF_KERNEL(narrow)
MF_KERNEL(narrow_at) (const MfNarrowRows *rows, int32_t position, bool two)
{
	float		scale = rows->scale ? rows->scale[position] : 1.0f;

	return (MF_KERNEL(narrow)) {
		rows->number[0] + (size_t) position * rows->stride[0],
		two ? rows->number[1] + (size_t) position * rows->stride[1] : NULL,
		scale * mf_narrow_unit(rows->exponent[0][position]),
		two ? rows->weight * scale * mf_narrow_unit(rows->exponent[1][position]) : 0
	};
}

/*
 * Numbers j and following of a row, of the first part, the second one or both, as floats: the same at every level.  A
 * number times a unit and a scale is exact, so that all which is rounded is a product with the weight, and its sum with the first
 * part.
 */
MF_INLINE MF_V
MF_KERNEL(narrow_load) (const MF_KERNEL(narrow) *row, int j, bool one, bool two)
{
	MF_V		v = {0};

	if (two)
		v = MF_ROUNDED(MF_LOAD_SHORTS(row->second + j) * row->second_unit);
	if (one)
		v += MF_LOAD_SHORTS(row->first + j) * row->unit;
	return v;
}

/* Adds the products of the query with numbers from .. until - 1 of four rows. */
MF_INLINE void
MF_KERNEL(narrow_products) (const float *query, const MF_KERNEL(narrow) *row, int from, int until, bool one, bool two,
							MF_V *sum)
{
	for (int j = from; j < until; j += MF_LANES)
	{
		MF_V		q = MF_LOAD(query + j);

		MF_UNROLL
		for (int r = 0; r < 4; r++)
			sum[r] += q * MF_KERNEL(narrow_load) (&row[r], j, one, two);
	}
}

/* dot_quad() with rows of whole numbers, each part of a register of which is made a float as it is multiplied. */
MF_INLINE MF_KERNEL(quad)
MF_KERNEL(narrow_quad) (const float *query, int ld, const MfNarrowRows *rows, const int32_t *position, bool two)
{
	int			shared = ld < rows->stride[0] ? ld : rows->stride[0];
	MF_KERNEL(narrow) row[4];
	MF_V		sum[4] = {{0}};

	MF_UNROLL
	for (int r = 0; r < 4; r++)
		row[r] = MF_KERNEL(narrow_at) (rows, position[r], two);
	MF_KERNEL(narrow_products) (query, row, 0, shared, true, two, sum);
	if (two)
		MF_KERNEL(narrow_products) (query, row, shared, ld, false, true, sum);
	return MF_KERNEL(add_up) (sum[0], sum[1], sum[2], sum[3]);
}

/* The sums of a pack's four quads, in registers as they are stored. */
MF_INLINE void
MF_KERNEL(join_quads) (const MF_KERNEL(quad) *quad, MF_V *sum)
{
#if MF_LANES == 16
	__m512		low = _mm512_add_ps(_mm512_shuffle_f32x4(quad[0], quad[1], 0x88),
									_mm512_shuffle_f32x4(quad[0], quad[1], 0xdd));
	__m512		high = _mm512_add_ps(_mm512_shuffle_f32x4(quad[2], quad[3], 0x88),
									 _mm512_shuffle_f32x4(quad[2], quad[3], 0xdd));

	sum[0] = (MF_V) _mm512_add_ps(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xdd));
#elif MF_LANES == 8
	sum[0] = (MF_V) _mm256_set_m128(quad[1], quad[0]);
	sum[1] = (MF_V) _mm256_set_m128(quad[3], quad[2]);
#else
	sum[0] = quad[0];
	sum[1] = quad[1];
	sum[2] = quad[2];
	sum[3] = quad[3];
#endif
}

/*
 * Makes scores of sums.  Without norm and offset, which callers leave out or give for all packs alike, the branches are
 * predicted.  Scores are compared while they are in registers.
 */
MF_INLINE uint32_t
MF_KERNEL(finish_scores) (MF_V *sum, const float *norm, const float *offset, float threshold, float *score)
{
	uint32_t	reached = 0;

	for (int r = 0; norm && r < SUMS; r++)
		sum[r] /= MF_LOAD(norm + r * MF_LANES);
	for (int r = 0; offset && r < SUMS; r++)
		sum[r] += MF_LOAD(offset + r * MF_LANES);
	for (int r = 0; r < SUMS; r++)
	{
		MF_STORE(score + r * MF_LANES, sum[r]);
		reached |= MF_BITS(sum[r] >= threshold) << (r * MF_LANES);
	}
	return reached;
}

static uint32_t
MF_KERNEL(score_rows) (const float *query, int ld, const float *base, const int32_t *position, const float *norm,
					   const float *offset, float threshold, float *score)
{
	MF_KERNEL(quad) quad[4];
	MF_V		sum[SUMS];

	MF_UNROLL
	for (int q = 0; q < 4; q++)
		quad[q] = MF_KERNEL(dot_quad) (query, ld, base, position + 4 * q);
	MF_KERNEL(join_quads) (quad, sum);
	return MF_KERNEL(finish_scores) (sum, norm, offset, threshold, score);
}

static uint32_t
MF_KERNEL(score_narrow) (const float *query, int ld, const MfNarrowRows *rows, const int32_t *position, const float *norm,
						 const float *offset, float threshold, float *score)
{
	MF_KERNEL(quad) quad[4];
	MF_V		sum[SUMS];

	for (int q = 0; q < 4; q++)
		quad[q] = rows->number[1] != NULL ? MF_KERNEL(narrow_quad) (query, ld, rows, position + 4 * q, true) :
			MF_KERNEL(narrow_quad) (query, ld, rows, position + 4 * q, false);
	MF_KERNEL(join_quads) (quad, sum);
	return MF_KERNEL(finish_scores) (sum, norm, offset, threshold, score);
}

static void
MF_KERNEL(narrow_row) (const MfNarrowRows *rows, int32_t position, int ld, float *out)
{
	bool		two = rows->number[1] != NULL;
	int			shared = ld < rows->stride[0] ? ld : rows->stride[0];
	MF_KERNEL(narrow) row = MF_KERNEL(narrow_at) (rows, position, two);

	for (int j = 0; j < shared; j += MF_LANES)
		MF_STORE(out + j, MF_KERNEL(narrow_load) (&row, j, true, two));
	for (int j = shared; j < ld; j += MF_LANES)
		MF_STORE(out + j, MF_KERNEL(narrow_load) (&row, j, false, two));
}

#define DOUBLES (MF_LANES / 2)
#define PARTS (8 / DOUBLES)		/* registers that eight doubles fill */

/*
 * Eight partial sums at every level, coordinate j's in number j % 8, which are added up in one order.  A product of two
 * floats is exact in double, with or without FMA, so the bits are the same everywhere.
 */
static void
MF_KERNEL(exact_products) (const float *x, int ld, const float *const *row, int n, double *product)
{
	for (int i = 0; i < n; i++)
	{
		const float *y = row[i];
		MF_VD		sum[PARTS];
		double		s[8];

		MF_UNROLL
		for (int p = 0; p < PARTS; p++)
			sum[p] = (MF_VD) {0};
		for (int j = 0; j < ld; j += 8)
		{
			MF_UNROLL
			for (int p = 0; p < PARTS; p++)
				sum[p] += MF_WIDEN(x + j + p * DOUBLES) * MF_WIDEN(y + j + p * DOUBLES);
		}
		memcpy(s, sum, sizeof(s));
		product[i] = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
	}
}

static const MfScore MF_KERNEL(mf_score) = {
	MF_KERNEL(score_rows), MF_KERNEL(score_narrow), MF_KERNEL(narrow_row), MF_KERNEL(sq_bound), MF_KERNEL(sq4_sums),
	MF_KERNEL(sq4_scan), MF_KERNEL(sq8_scan), MF_KERNEL(sq8_scan_tile), MF_KERNEL(sq4_error), MF_KERNEL(exact_products)
};

#undef DOUBLES
#undef PARTS
#undef SUMS

/*
 * score_body.h - the kernels of score.c for one instruction set level; included by foreach_isa.h.
 */

/* Four sums, in parts. */
#if MF_LANES == 16
typedef __m512 MF_KERNEL(quad);
#elif MF_LANES == 8
typedef __m128 MF_KERNEL(quad);
#else
typedef MF_V MF_KERNEL(quad);
#endif

/* The inner products of the query with four rows, in what dot_rows() puts together. */
static inline MF_KERNEL(quad)
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
#if MF_LANES == 16
	/* each 128 bits of the result hold parts of the four sums */
	{
		__m512		ab = _mm512_add_ps(_mm512_unpacklo_ps((__m512) sum_a, (__m512) sum_b),
									   _mm512_unpackhi_ps((__m512) sum_a, (__m512) sum_b));
		__m512		cd = _mm512_add_ps(_mm512_unpacklo_ps((__m512) sum_c, (__m512) sum_d),
									   _mm512_unpackhi_ps((__m512) sum_c, (__m512) sum_d));

		return _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
	}
#elif MF_LANES == 8
	{
		__m256		ab = _mm256_add_ps(_mm256_unpacklo_ps((__m256) sum_a, (__m256) sum_b),
									   _mm256_unpackhi_ps((__m256) sum_a, (__m256) sum_b));
		__m256		cd = _mm256_add_ps(_mm256_unpacklo_ps((__m256) sum_c, (__m256) sum_d),
									   _mm256_unpackhi_ps((__m256) sum_c, (__m256) sum_d));
		__m256		all = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));

		return _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
	}
#else
	return (MF_V) {(sum_a[0] + sum_a[1]) + (sum_a[2] + sum_a[3]), (sum_b[0] + sum_b[1]) + (sum_b[2] + sum_b[3]),
		(sum_c[0] + sum_c[1]) + (sum_c[2] + sum_c[3]), (sum_d[0] + sum_d[1]) + (sum_d[2] + sum_d[3])};
#endif
}

/* The inner products of the query with 16 rows. */
static inline void
MF_KERNEL(dot_rows) (const float *query, int ld, const float *base, const int32_t *position, float *sum)
{
	MF_KERNEL(quad) first = MF_KERNEL(dot_quad) (query, ld, base, position);
	MF_KERNEL(quad) second = MF_KERNEL(dot_quad) (query, ld, base, position + 4);
	MF_KERNEL(quad) third = MF_KERNEL(dot_quad) (query, ld, base, position + 8);
	MF_KERNEL(quad) fourth = MF_KERNEL(dot_quad) (query, ld, base, position + 12);
#if MF_LANES == 16
	__m512		low = _mm512_add_ps(_mm512_shuffle_f32x4(first, second, 0x88),
									_mm512_shuffle_f32x4(first, second, 0xdd));
	__m512		high = _mm512_add_ps(_mm512_shuffle_f32x4(third, fourth, 0x88),
									 _mm512_shuffle_f32x4(third, fourth, 0xdd));

	_mm512_storeu_ps(sum, _mm512_add_ps(_mm512_shuffle_f32x4(low, high, 0x88),
										_mm512_shuffle_f32x4(low, high, 0xdd)));
#else
	memcpy(sum, &first, sizeof(first));
	memcpy(sum + 4, &second, sizeof(second));
	memcpy(sum + 8, &third, sizeof(third));
	memcpy(sum + 12, &fourth, sizeof(fourth));
#endif
}

/* The bits of the 16 scores that are at least threshold. */
static inline uint32_t
MF_KERNEL(compare) (const float *score, float threshold)
{
#if MF_LANES == 16
	return _mm512_cmp_ps_mask(_mm512_loadu_ps(score), _mm512_set1_ps(threshold), _CMP_GE_OQ);
#elif MF_LANES == 8
	__m256		bar = _mm256_set1_ps(threshold);
	int			low = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(score), bar, _CMP_GE_OQ));
	int			high = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(score + 8), bar, _CMP_GE_OQ));

	return (uint32_t) low | (uint32_t) high << 8;
#else
	uint32_t	passed = 0;

	for (int i = 0; i < 16; i++)
		passed |= (uint32_t) (score[i] >= threshold) << i;
	return passed;
#endif
}

/* See MfScoreRows. */
static uint32_t
MF_KERNEL(score_rows) (const float *query, int ld, const float *base, const int32_t *position,
					   const float *norm, const float *offset, float threshold, float *score)
{
	MF_KERNEL(dot_rows) (query, ld, base, position, score);
	for (int i = 0; norm && i < 16; i += MF_LANES)
		MF_STORE(score + i, MF_LOAD(score + i) / MF_LOAD(norm + i));
	for (int i = 0; offset && i < 16; i += MF_LANES)
		MF_STORE(score + i, MF_LOAD(score + i) + MF_LOAD(offset + i));
	return MF_KERNEL(compare) (score, threshold);
}

/*
 * See MfSqBound.  All in float: margins of 2^-20 of what is added up cover its rounding, and one
 * whole step that of the least_sum.
 */
static uint64_t
MF_KERNEL(sq_bound) (const MfSqBounds *bounds, int32_t *least_sum)
{
	const float margin = 0x1.0p-20f;
	const MF_V zero = {0};
	const MF_V most = zero + 0x1.0p30f;
	uint64_t	live = 0;

	for (int i = 0; i < 64; i += MF_LANES)
	{
		MF_V		norm = MF_LOAD(bounds->norm + i);
		MF_V		threshold = zero + bounds->threshold;
		MF_V		missed;
		MF_V		bar;
		MF_VI		out;

		if (bounds->least)
			threshold *= MF_SELECT(threshold > zero, MF_LOAD(bounds->least + i), norm);
		threshold -= MF_SELECT(threshold < zero, zero - threshold, threshold) * margin;
		if (bounds->offset)
		{
			MF_V		offset = MF_LOAD(bounds->offset + i);

			threshold -= offset + MF_SELECT(offset < zero, zero - offset, offset) * margin;
		}
		threshold -= MF_SELECT(threshold < zero, zero - threshold, threshold) * margin;
		out = bounds->per_norm * norm * (1 + margin) < threshold;
		missed = bounds->per_error * MF_LOAD(bounds->error + i) + bounds->per_length * MF_LOAD(bounds->length + i) +
			bounds->per_rest * MF_LOAD(bounds->rest + i) + bounds->per_skew * norm;
		bar = threshold - missed * (1 + margin);
		bar = bar / (MF_LOAD(bounds->step + i) * bounds->unit);
		bar -= MF_SELECT(bar < zero, zero - bar, bar) * margin;
		bar = bar + bounds->shift - 2;
		/* in this order, so that NaN, infinity less infinity, rules nothing out */
		bar = MF_SELECT(bar > zero - most, bar, zero - most);
		bar = MF_SELECT(bar < most, bar, most);
		MF_STORE_INTS(least_sum + i, __builtin_convertvector(bar, MF_VI));
#if MF_LANES == 16
		live |= (uint64_t) (uint16_t) ~_mm512_movepi32_mask((__m512i) out) << i;
#elif MF_LANES == 8
		live |= (uint64_t) (~_mm256_movemask_ps((__m256) out) & 0xff) << i;
#else
		for (int l = 0; l < MF_LANES; l++)
			live |= (uint64_t) (out[l] == 0) << (i + l);
#endif
	}
	return live;
}

#if MF_LANES == 16

/* The sums of products of one pack. */
static inline __m512i
MF_KERNEL(pack_sums) (const uint8_t *code, int coded, const int8_t *query)
{
	const __m512i half = _mm512_set1_epi8(15);
	const int32_t *word = (const int32_t *) query;
	__m512i		sum = _mm512_setzero_si512();
#if MF_VNNI
	__m512i		more = _mm512_setzero_si512();

	for (int g = 0; g < coded / 8; g++)
	{
		__m512i		both = _mm512_loadu_si512(code + 64 * g);

		sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(both, half), _mm512_set1_epi32(word[2 * g]));
		more = _mm512_dpbusd_epi32(more, _mm512_and_si512(_mm512_srli_epi16(both, 4), half),
								   _mm512_set1_epi32(word[2 * g + 1]));
	}
	return _mm512_add_epi32(sum, more);
#else
	const __m512i ones = _mm512_set1_epi16(1);

	/* eight times two products of at most 15 * 127 stay within 16 bits */
	for (int g = 0; g < coded / 8;)
	{
		__m512i		part = _mm512_setzero_si512();

		for (int end = g + 4 < coded / 8 ? g + 4 : coded / 8; g < end; g++)
		{
			__m512i		both = _mm512_loadu_si512(code + 64 * g);
			__m512i		low = _mm512_and_si512(both, half);
			__m512i		high = _mm512_and_si512(_mm512_srli_epi16(both, 4), half);

			part = _mm512_add_epi16(part, _mm512_maddubs_epi16(low, _mm512_set1_epi32(word[2 * g])));
			part = _mm512_add_epi16(part, _mm512_maddubs_epi16(high, _mm512_set1_epi32(word[2 * g + 1])));
		}
		sum = _mm512_add_epi32(sum, _mm512_madd_epi16(part, ones));
	}
	return sum;
#endif
}

/* The bits of a pack's items whose codes reach least_sum. */
static inline uint16_t
MF_KERNEL(sq4_bits) (const uint8_t *code, int coded, const int8_t *query, int32_t least_sum)
{
	return _mm512_cmpge_epi32_mask(MF_KERNEL(pack_sums) (code, coded, query), _mm512_set1_epi32(least_sum));
}

/* See MfSq4Sums. */
static void
MF_KERNEL(sq4_sums) (const uint8_t *code, int coded, const int8_t *query, int32_t *sum)
{
	_mm512_storeu_si512(sum, MF_KERNEL(pack_sums) (code, coded, query));
}

#elif MF_LANES == 8

/* The sums of products of eight of a pack's items. */
static inline __m256i
MF_KERNEL(half_sums) (const uint8_t *code, int coded, const int8_t *query)
{
	const __m256i half = _mm256_set1_epi8(15);
	const __m256i ones = _mm256_set1_epi16(1);
	const int32_t *word = (const int32_t *) query;
	__m256i		sum = _mm256_setzero_si256();

	/* eight times two products of at most 15 * 127 stay within 16 bits */
	for (int g = 0; g < coded / 8;)
	{
		__m256i		part = _mm256_setzero_si256();

		for (int end = g + 4 < coded / 8 ? g + 4 : coded / 8; g < end; g++)
		{
			__m256i		both = _mm256_loadu_si256((const __m256i *) (code + 64 * g));
			__m256i		low = _mm256_and_si256(both, half);
			__m256i		high = _mm256_and_si256(_mm256_srli_epi16(both, 4), half);

			part = _mm256_add_epi16(part, _mm256_maddubs_epi16(low, _mm256_set1_epi32(word[2 * g])));
			part = _mm256_add_epi16(part, _mm256_maddubs_epi16(high, _mm256_set1_epi32(word[2 * g + 1])));
		}
		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(part, ones));
	}
	return sum;
}

/* The bits of a pack's items whose codes reach least_sum. */
static inline uint16_t
MF_KERNEL(sq4_bits) (const uint8_t *code, int coded, const int8_t *query, int32_t least_sum)
{
	__m256i		bar = _mm256_set1_epi32(least_sum);
	__m256i		low = _mm256_cmpgt_epi32(bar, MF_KERNEL(half_sums) (code, coded, query));
	__m256i		high = _mm256_cmpgt_epi32(bar, MF_KERNEL(half_sums) (code + 32, coded, query));

	return (uint16_t) ~(_mm256_movemask_ps((__m256) low) | _mm256_movemask_ps((__m256) high) << 8);
}

/* See MfSq4Sums. */
static void
MF_KERNEL(sq4_sums) (const uint8_t *code, int coded, const int8_t *query, int32_t *sum)
{
	_mm256_storeu_si256((__m256i *) sum, MF_KERNEL(half_sums) (code, coded, query));
	_mm256_storeu_si256((__m256i *) (sum + 8), MF_KERNEL(half_sums) (code + 32, coded, query));
}

#else

typedef int16_t MF_KERNEL(shorts) __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint16_t MF_KERNEL(words) __attribute__((vector_size(16), aligned(4), may_alias));

/* Eight words of two codes or four, of which the first byte is the lower one on every processor. */
static inline MF_KERNEL(words)
MF_KERNEL(load_words) (const uint8_t *code)
{
	MF_KERNEL(words) word = *(const MF_KERNEL(words) *) code;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = word << 8 | word >> 8;
#endif
	return word;
}

/* Two factors of the query in every pair of 16-bit lanes. */
static inline MF_KERNEL(shorts)
MF_KERNEL(pairs) (const int8_t *query, int first)
{
	int16_t		a = query[first];
	int16_t		b = query[first + 2];

	return (MF_KERNEL(shorts)) {a, b, a, b, a, b, a, b};
}

/* The sums of products of four of a pack's items, two 16-bit lanes each. */
static inline void
MF_KERNEL(quarter_sums) (const uint8_t *code, int coded, const int8_t *query, int32_t *total)
{
	MF_VI		sum = {0};

	/* sixteen products of at most 15 * 127 stay within 16 bits */
	for (int g = 0; g < coded / 8;)
	{
		MF_KERNEL(shorts) part = {0};

		for (int end = g + 4 < coded / 8 ? g + 4 : coded / 8; g < end; g++)
		{
			MF_KERNEL(words) four = MF_KERNEL(load_words) (code + 64 * g);
			const int8_t *q = query + 8 * g;

			part += (MF_KERNEL(shorts)) (four & 15) * MF_KERNEL(pairs) (q, 0);
			part += (MF_KERNEL(shorts)) (four >> 4 & 15) * MF_KERNEL(pairs) (q, 4);
			part += (MF_KERNEL(shorts)) (four >> 8 & 15) * MF_KERNEL(pairs) (q, 1);
			part += (MF_KERNEL(shorts)) (four >> 12) * MF_KERNEL(pairs) (q, 5);
		}
		sum += ((MF_VI) part << 16 >> 16) + ((MF_VI) part >> 16);
	}
	MF_STORE_INTS(total, sum);
}

/* See MfSq4Sums. */
static void
MF_KERNEL(sq4_sums) (const uint8_t *code, int coded, const int8_t *query, int32_t *sum)
{
	for (int quarter = 0; quarter < 4; quarter++)
		MF_KERNEL(quarter_sums) (code + 16 * quarter, coded, query, sum + 4 * quarter);
}

/* The bits of a pack's items whose codes reach least_sum. */
static inline uint16_t
MF_KERNEL(sq4_bits) (const uint8_t *code, int coded, const int8_t *query, int32_t least_sum)
{
	int32_t		sum[16];
	int			passed = 0;

	MF_KERNEL(sq4_sums) (code, coded, query, sum);
	for (int i = 0; i < 16; i++)
		passed |= (sum[i] >= least_sum) << i;
	return (uint16_t) passed;
}

#endif

/* See MfSq4Scan. */
static uint64_t
MF_KERNEL(sq4_scan) (const uint8_t *code, int coded, const int8_t *query, uint64_t live,
					   const int32_t *least_sum, uint16_t *passed)
{
	uint64_t	found = 0;

	for (; live != 0; live &= live - 1)
	{
		int			p = __builtin_ctzll(live);

		passed[p] = MF_KERNEL(sq4_bits) (code + (size_t) p * coded * 8, coded, query, least_sum[p]);
		found |= (uint64_t) (passed[p] != 0) << p;
	}
	return found;
}

/* The packs that some query of a tile is interested in. */
static inline uint64_t
MF_KERNEL(tile_packs) (MfSq8Tile *tile)
{
	uint64_t	live = 0;

	for (int q = 0; q < tile->nqueries; q++)
	{
		live |= tile->live[q];
		tile->found[q] = 0;
	}
	return live;
}

/* Notes what a query has found in a pack. */
static inline void
MF_KERNEL(note_pack) (MfSq8Tile *tile, int q, int p, uint32_t passed)
{
	tile->passed[q][p] = (uint16_t) passed;
	tile->found[q] |= (uint64_t) (passed != 0) << p;
}

#if MF_VNNI

/* The bits of a pack's items whose 8-bit codes reach least_sum. */
static inline uint16_t
MF_KERNEL(sq8_bits) (const uint8_t *pack, int ld, const int8_t *query, int32_t least_sum)
{
	const int32_t *word = (const int32_t *) query;
	__m512i		sum[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};

	for (int g = 0; g < ld / 4; g += 4)
		MF_UNROLL
		for (int i = 0; i < 4; i++)
			sum[i] = _mm512_dpbusd_epi32(sum[i], _mm512_loadu_si512(pack + 64 * (g + i)), _mm512_set1_epi32(word[g + i]));
	return _mm512_cmpge_epi32_mask(_mm512_add_epi32(_mm512_add_epi32(sum[0], sum[1]), _mm512_add_epi32(sum[2], sum[3])),
								   _mm512_set1_epi32(least_sum));
}

/* See MfSq8ScanTile. */
static void
MF_KERNEL(sq8_scan_tile) (const uint8_t *code, int ld, MfSq8Tile *tile)
{
	int32_t		word[1008 / 4][MF_SQ8_TILE];

	for (int q = 0; q < MF_SQ8_TILE; q++)
		for (int g = 0; g < ld / 4; g++)
			memcpy(&word[g][q], tile->query[q < tile->nqueries ? q : 0] + 4 * g, sizeof(int32_t));
	for (uint64_t live = MF_KERNEL(tile_packs) (tile); live != 0; live &= live - 1)
	{
		int			p = __builtin_ctzll(live);
		const uint8_t *pack = code + (size_t) p * ld * 16;
		__m512i		sum[MF_SQ8_TILE];

		MF_UNROLL
		for (int q = 0; q < MF_SQ8_TILE; q++)
			sum[q] = _mm512_setzero_si512();
		for (int g = 0; g < ld / 4; g++)
		{
			__m512i		four = _mm512_loadu_si512(pack + 64 * g);

			MF_UNROLL
			for (int q = 0; q < MF_SQ8_TILE; q++)
				sum[q] = _mm512_dpbusd_epi32(sum[q], four, _mm512_set1_epi32(word[g][q]));
		}
		MF_UNROLL
		for (int q = 0; q < MF_SQ8_TILE; q++)
		{
			__mmask16	passed = _mm512_cmpge_epi32_mask(sum[q], _mm512_set1_epi32(tile->least_sum[q][p]));

			if (passed != 0)
				MF_KERNEL(note_pack) (tile, q, p, passed);
		}
	}
	for (int q = 0; q < tile->nqueries; q++)
		tile->found[q] &= tile->live[q];
}

#else

/* The sums of products of one pack's 8-bit codes. */
static inline void
MF_KERNEL(sq8_sums) (const uint8_t *pack, int ld, const int8_t *query, int32_t *sum)
{
#if MF_LANES == 16
	const __m512i ones = _mm512_set1_epi16(1);
	const int32_t *word = (const int32_t *) query;
	__m512i		total = _mm512_setzero_si512();

	/* two products of at most 127 * 127 stay within 16 bits */
	for (int g = 0; g < ld / 4; g++)
		total = _mm512_add_epi32(total, _mm512_madd_epi16(_mm512_maddubs_epi16(_mm512_loadu_si512(pack + 64 * g),
																			   _mm512_set1_epi32(word[g])), ones));
	_mm512_storeu_si512(sum, total);
#elif MF_LANES == 8
	const __m256i ones = _mm256_set1_epi16(1);
	const int32_t *word = (const int32_t *) query;
	__m256i		low = _mm256_setzero_si256();
	__m256i		high = _mm256_setzero_si256();

	for (int g = 0; g < ld / 4; g++)
	{
		const __m256i *four = (const __m256i *) (pack + 64 * g);
		__m256i		q = _mm256_set1_epi32(word[g]);

		low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_loadu_si256(four), q), ones));
		high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_loadu_si256(four + 1), q), ones));
	}
	_mm256_storeu_si256((__m256i *) sum, low);
	_mm256_storeu_si256((__m256i *) (sum + 8), high);
#else
	for (int quarter = 0; quarter < 16; quarter += 4)
	{
		MF_VI		total = {0};

		for (int g = 0; g < ld / 4; g++)
		{
			MF_KERNEL(words) four = MF_KERNEL(load_words) (pack + 64 * g + 4 * quarter);
			const int8_t *q = query + 4 * g;
			int16_t		a = q[0];
			int16_t		b = q[1];
			int16_t		c = q[2];
			int16_t		d = q[3];
			MF_KERNEL(shorts) part = (MF_KERNEL(shorts)) (four & 255) * (MF_KERNEL(shorts)) {a, c, a, c, a, c, a, c} +
				(MF_KERNEL(shorts)) (four >> 8) * (MF_KERNEL(shorts)) {b, d, b, d, b, d, b, d};

			total += ((MF_VI) part << 16 >> 16) + ((MF_VI) part >> 16);
		}
		MF_STORE_INTS(sum + quarter, total);
	}
#endif
}

/* The bits of a pack's items whose 8-bit codes reach least_sum. */
static inline uint16_t
MF_KERNEL(sq8_bits) (const uint8_t *pack, int ld, const int8_t *query, int32_t least_sum)
{
	int32_t		sum[16];
	int			passed = 0;

	MF_KERNEL(sq8_sums) (pack, ld, query, sum);
	for (int i = 0; i < 16; i++)
		passed |= (sum[i] >= least_sum) << i;
	return (uint16_t) passed;
}

/* See MfSq8ScanTile. */
static void
MF_KERNEL(sq8_scan_tile) (const uint8_t *code, int ld, MfSq8Tile *tile)
{
	for (uint64_t live = MF_KERNEL(tile_packs) (tile); live != 0; live &= live - 1)
	{
		int			p = __builtin_ctzll(live);

		for (int q = 0; q < tile->nqueries; q++)
			if ((tile->live[q] >> p & 1) != 0)
				MF_KERNEL(note_pack) (tile, q, p, MF_KERNEL(sq8_bits) (code + (size_t) p * ld * 16, ld, tile->query[q],
																		 tile->least_sum[q][p]));
	}
}

#endif

/* See MfSq8Scan. */
static uint64_t
MF_KERNEL(sq8_scan) (const uint8_t *code, int ld, const int8_t *query, uint64_t live,
					  const int32_t *least_sum, uint16_t *passed)
{
	uint64_t	found = 0;

	for (; live != 0; live &= live - 1)
	{
		int			p = __builtin_ctzll(live);

		passed[p] = MF_KERNEL(sq8_bits) (code + (size_t) p * ld * 16, ld, query, least_sum[p]);
		found |= (uint64_t) (passed[p] != 0) << p;
	}
	return found;
}

/* See MfSq4Error. */
static float
MF_KERNEL(sq4_error) (const float *row, int coded, float step)
{
	const MF_V zero = {0};
	const MF_V last = zero + 15;
	const float per_step = 1 / step;
	float		most = 0;

	for (int i = 0; i < 16; i++)
	{
		MF_V		squares = zero;
		float		sum = 0;

		for (int j = 0; j < coded; j += MF_LANES)
		{
			MF_V		x = MF_LOAD(row + i * coded + j);
			MF_V		n = x * per_step + 8;

			n = MF_SELECT(n < last, n, last);
			n = MF_SELECT(n > zero, n, zero);
			n = __builtin_convertvector(__builtin_convertvector(n, MF_VI), MF_V);
			x -= (n - 7.5f) * step;
			squares += x * x;
		}
		for (int l = 0; l < MF_LANES; l++)
			sum += squares[l];
		most = sum > most ? sum : most;
	}
	return most;
}

static const MfScore MF_KERNEL(mf_score) = {
	MF_KERNEL(score_rows), MF_KERNEL(sq_bound), MF_KERNEL(sq4_sums), MF_KERNEL(sq4_scan),
	MF_KERNEL(sq8_scan), MF_KERNEL(sq8_scan_tile), MF_KERNEL(sq4_error)
};


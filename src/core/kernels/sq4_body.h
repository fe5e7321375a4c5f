/*
 * sq4_body.h - the kernels of score.c on 4-bit codes, for one instruction set level; included by score_body.h.
 *
 * Two codes share a byte, so that 16 items' codes of 8 coordinates are one line of the cache.  Halves of bytes become
 * bytes by a mask and a shift; the codes of 4 coordinates of one item are then neighbours in a lane of 32 bits, as
 * instructions that multiply bytes want them, and the query's factors are the same in all lanes.
 *
 * Products of bytes are added in 16 bits as long as they fit: eight times two products of at most 15 * 127.
 */

/* x less a margin of 2^-20 of itself, which covers the rounding of what x is made of. */
MF_INLINE MF_V
MF_KERNEL(lowered) (MF_V x)
{
	return x - MF_ABS(x) * 0x1.0p-20f;
}

/*
 * The bound of sq4.c and sq8.c, solved for the sum of products, for MF_LANES packs at a time:
 *
 *	  least = (threshold - offset - missed) / (step * unit) + shift
 *
 * All in float: margins of 2^-20 of what is added up cover its rounding, and one whole step that of the sum.  The
 * threshold of a cosine is multiplied by a norm, the smallest of the pack or, where it is negative, the largest.
 */
static uint64_t
MF_KERNEL(sq_bound) (const MfSqBounds *bounds, int32_t *least_sum)
{
	const float margin = 0x1.0p-20f;
	const MF_V	zero = {0};
	const MF_V	most = zero + 0x1.0p30f;
	uint64_t	dead = 0;

	for (int i = 0; i < MF_BLOCK_PACKS; i += MF_LANES)
	{
		MF_V		norm = MF_LOAD(bounds->norm + i);
		MF_V		threshold = zero + bounds->threshold;
		MF_V		bound = bounds->per_norm * norm;
		MF_V		missed;
		MF_V		least;

		if (bounds->least_norm)
			threshold *= MF_SELECT(threshold > zero, MF_LOAD(bounds->least_norm + i), norm);
		threshold = MF_KERNEL(lowered) (threshold);
		if (bounds->offset)
		{
			MF_V		offset = MF_LOAD(bounds->offset + i);

			threshold -= offset + MF_ABS(offset) * margin;
		}
		threshold = MF_KERNEL(lowered) (threshold);
		if (bounds->half[0])
		{
			MF_V		halves = bounds->per_half[0] * MF_LOAD(bounds->half[0] + i) +
				bounds->per_half[1] * MF_LOAD(bounds->half[1] + i);

			bound = MF_SELECT(halves < bound, halves, bound);
		}
		dead |= (uint64_t) MF_BITS(bound * (1 + margin) < threshold) << i;
		missed = bounds->per_error * MF_LOAD(bounds->error + i) + bounds->per_length * MF_LOAD(bounds->length + i) +
			bounds->per_rest * MF_LOAD(bounds->rest + i) + bounds->per_skew * norm;
		least = threshold - missed * (1 + margin);
		least = MF_KERNEL(lowered) (least / (MF_LOAD(bounds->step + i) * bounds->unit));
		least = least + bounds->shift - 2;
		/* in this order, so that NaN, infinity less infinity, rules nothing out */
		least = MF_SELECT(least > zero - most, least, zero - most);
		least = MF_SELECT(least < most, least, most);
		MF_STORE_INTS(least_sum + i, __builtin_convertvector(least, MF_VI));
	}
	return ~dead;
}

/* The bits of a pack's items whose sums reach least_sum. */
MF_INLINE uint32_t
MF_KERNEL(reached) (const MF_VI *sum, int32_t least_sum)
{
	uint32_t	bits = 0;

	MF_UNROLL
	for (int r = 0; r < SUMS; r++)
		bits |= MF_KERNEL(lanes_reached) (sum[r], least_sum) << (r * MF_LANES);
	return bits;
}

#if MF_HAS_BYTES

/*
 * The sums of products of a pack's items, SUMS registers.  With VNNI halves of bytes have sums of their own: two chains
 * of additions.  Without, up to four groups of 8 coordinates are added in 16 bits before they are widened.
 */
MF_INLINE void
MF_KERNEL(sq4_pack) (const uint8_t *code, int dims, const int8_t *query, MF_VI *sum)
{
#if MF_VNNI
	MF_VI		more = {0};

	*sum = (MF_VI) {0};
	for (int g = 0; g < dims / 8; g++)
	{
		MF_VB		both = MF_KERNEL(load_bytes) (code + 64 * g);

		*sum = MF_KERNEL(dot_bytes) (*sum, both & 15, MF_KERNEL(four_bytes) (query + 8 * g));
		more = MF_KERNEL(dot_bytes) (more, both >> 4, MF_KERNEL(four_bytes) (query + 8 * g + 4));
	}
	*sum += more;
#else
	MF_UNROLL
	for (int r = 0; r < SUMS; r++)
		sum[r] = (MF_VI) {0};
	for (int g = 0; g < dims / 8;)
	{
		MF_VS		part[SUMS] = {{0}};

		for (int end = g + 4 < dims / 8 ? g + 4 : dims / 8; g < end; g++)
		{
			MF_VB		low = MF_KERNEL(four_bytes) (query + 8 * g);
			MF_VB		high = MF_KERNEL(four_bytes) (query + 8 * g + 4);

			MF_UNROLL
			for (int r = 0; r < SUMS; r++)
			{
				MF_VB		both = MF_KERNEL(load_bytes) (code + 64 * g + 4 * MF_LANES * r);

				part[r] += MF_KERNEL(multiply_bytes) (both & 15, low) + MF_KERNEL(multiply_bytes) (both >> 4, high);
			}
		}
		MF_UNROLL
		for (int r = 0; r < SUMS; r++)
			sum[r] += MF_KERNEL(add_pairs) (part[r]);
	}
#endif
}

#else

typedef int16_t MF_KERNEL(shorts) __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint16_t MF_KERNEL(words) __attribute__((vector_size(16), aligned(4), may_alias));

/* Eight words of two codes or four, of which the first byte is the lower one on every processor. */
MF_INLINE MF_KERNEL(words)
MF_KERNEL(load_words) (const uint8_t *code)
{
	MF_KERNEL(words) word = *(const MF_KERNEL(words) *) code;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = word << 8 | word >> 8;
#endif
	return word;
}

/* Two factors of the query in every pair of 16-bit lanes. */
MF_INLINE MF_KERNEL(shorts)
MF_KERNEL(pairs) (const int8_t *query, int first)
{
	int16_t		a = query[first];
	int16_t		b = query[first + 2];

	return (MF_KERNEL(shorts)) {a, b, a, b, a, b, a, b};
}

/*
 * The sums of products of a pack's items, without an instruction for bytes: of four items at a time, each of which has
 * two lanes of 16 bits, for even coordinates and odd ones of four.
 */
MF_INLINE void
MF_KERNEL(sq4_pack) (const uint8_t *code, int dims, const int8_t *query, MF_VI *sum)
{
	for (int r = 0; r < SUMS; r++)
	{
		sum[r] = (MF_VI) {0};
		for (int g = 0; g < dims / 8;)
		{
			MF_KERNEL(shorts) part = {0};

			for (int end = g + 4 < dims / 8 ? g + 4 : dims / 8; g < end; g++)
			{
				MF_KERNEL(words) four = MF_KERNEL(load_words) (code + 64 * g + 16 * r);
				const int8_t *q = query + 8 * g;

				part += (MF_KERNEL(shorts)) (four & 15) * MF_KERNEL(pairs) (q, 0);
				part += (MF_KERNEL(shorts)) (four >> 4 & 15) * MF_KERNEL(pairs) (q, 4);
				part += (MF_KERNEL(shorts)) (four >> 8 & 15) * MF_KERNEL(pairs) (q, 1);
				part += (MF_KERNEL(shorts)) (four >> 12) * MF_KERNEL(pairs) (q, 5);
			}
			sum[r] += ((MF_VI) part << 16 >> 16) + ((MF_VI) part >> 16);
		}
	}
}

#endif

/* The sums themselves, for the few packs of which items have passed. */
static void
MF_KERNEL(sq4_sums) (const uint8_t *code, int dims, const int8_t *query, int32_t *sum)
{
	MF_VI		sums[SUMS];

	MF_KERNEL(sq4_pack) (code, dims, query, sums);
	for (int r = 0; r < SUMS; r++)
		MF_STORE_INTS(sum + r * MF_LANES, sums[r]);
}

/* Bytes of codes that are fetched ahead: the processor itself fetches ahead within a page only. */
#define SQ4_AHEAD 8192

/* The loop in which a search over flat norms spends its time: bound by memory where it has several cores' worth. */
static uint64_t
MF_KERNEL(sq4_scan) (const uint8_t *code, int dims, const int8_t *query, uint64_t live, const int32_t *least_sum,
					 uint16_t *passed)
{
	uint64_t	found = 0;

	for (; live != 0; live &= live - 1)
	{
		int			p = __builtin_ctzll(live);
		const uint8_t *pack = code + (size_t) p * dims * 8;
		MF_VI		sum[SUMS];

		for (int line = 0; line < dims * 8; line += 64)
			__builtin_prefetch(pack + SQ4_AHEAD + line);
		MF_KERNEL(sq4_pack) (pack, dims, query, sum);
		passed[p] = (uint16_t) MF_KERNEL(reached) (sum, least_sum[p]);
		found |= (uint64_t) (passed[p] != 0) << p;
	}
	return found;
}

/* Codes are rounded by cutting digits off, as encoding does, so that the error is that of the codes stored. */
static float
MF_KERNEL(sq4_error) (const float *row, int dims, float step)
{
	const MF_V	zero = {0};
	const MF_V	last = zero + 15;
	const float per_step = 1 / step;
	float		most = 0;

	for (int i = 0; i < MF_PACK; i++)
	{
		MF_V		squares = zero;
		float		sum = 0;

		for (int j = 0; j < dims; j += MF_LANES)
		{
			MF_V		x = MF_LOAD(row + i * dims + j);
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

/*
 * simd_f32.h - registers of MF_LANES floats, for the kernel bodies of one level.
 *
 * Included by foreach_isa.h before each body, once per level, so without an include guard.  simd.h names what is
 * defined here MF_V, MF_LOAD and so on.
 */
typedef float MF_V __attribute__((vector_size(MF_LANES * 4)));
typedef int32_t MF_VI __attribute__((vector_size(MF_LANES * 4)));
typedef double MF_VD __attribute__((vector_size(MF_LANES * 4)));

/* The same in memory, at any address. */
typedef float MF_KERNEL(vector_in_memory) __attribute__((vector_size(MF_LANES * 4), aligned(4), may_alias));
typedef int32_t MF_KERNEL(ints_in_memory) __attribute__((vector_size(MF_LANES * 4), aligned(4), may_alias));

/* A register from any address. */
MF_INLINE MF_V
MF_KERNEL(load) (const float *x)
{
	return *(const MF_KERNEL(vector_in_memory) *) x;
}

/* A register to any address. */
MF_INLINE void
MF_KERNEL(store) (float *x, MF_V v)
{
	*(MF_KERNEL(vector_in_memory) *) x = v;
}

/* A register of int32 from any address, and to any. */
MF_INLINE MF_VI
MF_KERNEL(load_ints) (const int32_t *x)
{
	return *(const MF_KERNEL(ints_in_memory) *) x;
}

MF_INLINE void
MF_KERNEL(store_ints) (int32_t *x, MF_VI v)
{
	*(MF_KERNEL(ints_in_memory) *) x = v;
}

/* Half a register of floats, from any address, as doubles. */
MF_INLINE MF_VD
MF_KERNEL(widen) (const float *x)
{
#if defined(MF_ISA_X86) && MF_LANES == 16
	return (MF_VD) _mm512_cvtps_pd(_mm256_loadu_ps(x));
#elif defined(MF_ISA_X86) && MF_LANES == 8
	return (MF_VD) _mm256_cvtps_pd(_mm_loadu_ps(x));
#else
	MF_VD		v;

	for (int l = 0; l < MF_LANES / 2; l++)
		v[l] = x[l];
	return v;
#endif
}

/* A register of int16 from any address, as floats. */
MF_INLINE MF_V
MF_KERNEL(load_shorts) (const int16_t *x)
{
#if defined(MF_ISA_X86) && MF_LANES == 16
	return (MF_V) _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *) x)));
#elif defined(MF_ISA_X86) && MF_LANES == 8
	return (MF_V) _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *) x)));
#elif defined(MF_ISA_X86)
	__m128i		shorts = _mm_loadl_epi64((const __m128i *) x);

	return (MF_V) _mm_cvtepi32_ps(_mm_srai_epi32(_mm_unpacklo_epi16(shorts, shorts), 16));
#else
	MF_V		v = {0};

	for (int l = 0; l < MF_LANES; l++)
		v[l] = x[l];
	return v;
#endif
}

/* The same register; a product in it is rounded before it is added to anything, also where there is FMA. */
MF_INLINE MF_V
MF_KERNEL(rounded) (MF_V v)
{
#if defined(MF_ISA_X86) && MF_LANES == 16
	__asm__("" : "+v"(v));
#elif defined(MF_ISA_X86)
	__asm__("" : "+x"(v));
#elif defined(__aarch64__)
	__asm__("" : "+w"(v));
#else
	__asm__("" : "+m"(v));
#endif
	return v;
}

/* |v| */
MF_INLINE MF_V
MF_KERNEL(absolute) (MF_V v)
{
	return MF_SELECT(v < 0, -v, v);
}

/* Bit l of the result is set where lane l of the mask is -1. */
MF_INLINE uint32_t
MF_KERNEL(bits) (MF_VI mask)
{
#if defined(MF_ISA_X86) && MF_LANES == 16
	return _mm512_movepi32_mask((__m512i) mask);
#elif defined(MF_ISA_X86) && MF_LANES == 8
	return (uint32_t) _mm256_movemask_ps((__m256) mask);
#elif defined(MF_ISA_X86)
	return (uint32_t) _mm_movemask_ps((__m128) mask);
#else
	uint32_t	bits = 0;

	for (int l = 0; l < MF_LANES; l++)
		bits |= (uint32_t) (mask[l] != 0) << l;
	return bits;
#endif
}

/* The square root of every lane. */
MF_INLINE MF_V
MF_KERNEL(root) (MF_V v)
{
#if defined(MF_ISA_X86) && MF_LANES == 16
	return (MF_V) _mm512_sqrt_ps((__m512) v);
#elif defined(MF_ISA_X86) && MF_LANES == 8
	return (MF_V) _mm256_sqrt_ps((__m256) v);
#elif defined(MF_ISA_X86)
	return (MF_V) _mm_sqrt_ps((__m128) v);
#else
	MF_V		r;

	for (int l = 0; l < MF_LANES; l++)
		r[l] = sqrtf(v[l]);
	return r;
#endif
}

/* The sum of the lanes, in the order of a tree. */
MF_INLINE float
MF_KERNEL(sum) (MF_V v)
{
	float		x[MF_LANES];

	MF_STORE(x, v);
	MF_UNROLL
	for (int half = MF_LANES / 2; half > 0; half /= 2)
		for (int l = 0; l < half; l++)
			x[l] += x[l + half];
	return x[0];
}

/*
 * Lane l of a register that takes its lanes from the pair (a, b) by turns of `step`: the two
 * shuffles of which transposes are made.
 */
#define MF_TURN_LOW(step, l) (((l) & (step)) ? MF_LANES + (l) - (step) : (l))
#define MF_TURN_HIGH(step, l) (((l) & (step)) ? MF_LANES + (l) : (l) + (step))
#if MF_LANES == 16
#define MF_TURN(f, s) f(s, 0), f(s, 1), f(s, 2), f(s, 3), f(s, 4), f(s, 5), f(s, 6), f(s, 7), \
	f(s, 8), f(s, 9), f(s, 10), f(s, 11), f(s, 12), f(s, 13), f(s, 14), f(s, 15)
#elif MF_LANES == 8
#define MF_TURN(f, s) f(s, 0), f(s, 1), f(s, 2), f(s, 3), f(s, 4), f(s, 5), f(s, 6), f(s, 7)
#else
#define MF_TURN(f, s) f(s, 0), f(s, 1), f(s, 2), f(s, 3)
#endif

/* Lanes of the pair (a, b) by constant numbers. */
#if defined(__clang__) || __GNUC__ >= 12
#define MF_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t MF_KERNEL(lane_numbers) __attribute__((vector_size(MF_LANES * 4)));

#define MF_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (MF_KERNEL(lane_numbers)) {__VA_ARGS__})
#endif

/* One step of a transpose: swaps blocks of `step` lanes between registers `step` apart. */
#define MF_TRANSPOSE_STEP(x, step) \
	MF_UNROLL \
	for (int i = 0; i < MF_LANES; i++) \
		if ((i & (step)) == 0) \
		{ \
			MF_V		a = (x)[i]; \
			MF_V		b = (x)[i + (step)]; \
\
			(x)[i] = MF_SHUFFLE(a, b, MF_TURN(MF_TURN_LOW, step)); \
			(x)[i + (step)] = MF_SHUFFLE(a, b, MF_TURN(MF_TURN_HIGH, step)); \
		}

/* x (MF_LANES x MF_LANES) becomes its transpose. */
MF_INLINE void
MF_KERNEL(transpose) (MF_V *x)
{
#if MF_LANES == 16
	MF_TRANSPOSE_STEP(x, 8)
#endif
#if MF_LANES >= 8
		MF_TRANSPOSE_STEP(x, 4)
#endif
		MF_TRANSPOSE_STEP(x, 2)
		MF_TRANSPOSE_STEP(x, 1)
}

/* Lane l of a plus lane l + step, for lanes without that bit; for the others the same of b. */
#define MF_FOLD(a, b, step) \
	(MF_SHUFFLE(a, b, MF_TURN(MF_TURN_LOW, step)) + \
	 MF_SHUFFLE(a, b, MF_TURN(MF_TURN_HIGH, step)))

/* out[r] = the sum of the lanes of x[r], for MF_SUM_ROWS registers, which are overwritten. */
MF_INLINE void
MF_KERNEL(sum_rows) (float *out, MF_V *x)
{
	float		sum[MF_LANES];

	MF_UNROLL
	for (int r = 0; r < MF_SUM_ROWS; r += 2)
		x[r] = MF_FOLD(x[r], x[r + 1], 1);
	MF_UNROLL
	for (int r = 0; r < MF_SUM_ROWS; r += 4)
		x[r] = MF_FOLD(x[r], x[r + 2], 2);
#if MF_LANES >= 8
	x[0] = MF_FOLD(x[0], x[4], 4);
#endif
#if MF_LANES == 16
	x[0] = MF_FOLD(x[0], x[0], 8);
#endif
	MF_STORE(sum, x[0]);
	MF_UNROLL
	for (int r = 0; r < MF_SUM_ROWS; r++)
		out[r] = sum[r];
}

#undef MF_FOLD
#undef MF_SHUFFLE
#undef MF_TURN
#undef MF_TURN_LOW
#undef MF_TURN_HIGH
#undef MF_TRANSPOSE_STEP

/* The bits of a register's lanes that are at least `least`. */
MF_INLINE uint32_t
MF_KERNEL(lanes_reached) (MF_VI sum, int32_t least)
{
#if MF_LANES == 16
	return _mm512_cmpge_epi32_mask((__m512i) sum, _mm512_set1_epi32(least));
#else
	return MF_BITS(sum >= least);
#endif
}

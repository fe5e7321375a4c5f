/*
 * simd_i8.h - registers of 4 * MF_LANES bytes, for the kernel bodies of one level that multiply codes.
 *
 * Included once per level, so without an include guard, by a body whose kernels have something else where
 * MF_HAS_BYTES is 0.  Codes are unsigned, what they are multiplied by is signed.
 */
#define MF_HAS_BYTES (MF_LANES >= 8)

#if MF_LANES >= 8
typedef uint8_t MF_VB __attribute__((vector_size(MF_LANES * 4)));
typedef int16_t MF_VS __attribute__((vector_size(MF_LANES * 4)));
typedef uint8_t MF_KERNEL(bytes_in_memory) __attribute__((vector_size(MF_LANES * 4), aligned(1), may_alias));

/* A register of bytes from any address. */
MF_INLINE MF_VB
MF_KERNEL(load_bytes) (const uint8_t *x)
{
	return *(const MF_KERNEL(bytes_in_memory) *) x;
}

/* Four bytes in every lane. */
MF_INLINE MF_VB
MF_KERNEL(four_bytes) (const int8_t *x)
{
	int32_t		four;

	memcpy(&four, x, sizeof(four));
	return (MF_VB) ((MF_VI) {0} + four);
}

/* Sums of two products of bytes; beyond 16 bits they are cut off. */
MF_INLINE MF_VS
MF_KERNEL(multiply_bytes) (MF_VB code, MF_VB factor)
{
#if MF_LANES == 16
	return (MF_VS) _mm512_maddubs_epi16((__m512i) code, (__m512i) factor);
#else
	return (MF_VS) _mm256_maddubs_epi16((__m256i) code, (__m256i) factor);
#endif
}

/* Sums of two neighbours of 16 bits. */
MF_INLINE MF_VI
MF_KERNEL(add_pairs) (MF_VS x)
{
#if MF_LANES == 16
	return (MF_VI) _mm512_madd_epi16((__m512i) x, _mm512_set1_epi16(1));
#else
	return (MF_VI) _mm256_madd_epi16((__m256i) x, _mm256_set1_epi16(1));
#endif
}

/* sum + the sums of four products of bytes; any two neighbouring products fit into 16 bits. */
MF_INLINE MF_VI
MF_KERNEL(dot_bytes) (MF_VI sum, MF_VB code, MF_VB factor)
{
#if MF_VNNI
	return (MF_VI) _mm512_dpbusd_epi32((__m512i) sum, (__m512i) code, (__m512i) factor);
#else
	return sum + MF_KERNEL(add_pairs) (MF_KERNEL(multiply_bytes) (code, factor));
#endif
}
#endif

/*
 * halves_body.h - the kernels of dense.c that write floats as whole numbers of 16 bits and read them, for one
 * instruction set level; included by dense_body.h.
 *
 * Rows of a triangle have any length and begin anywhere, so the last numbers of one go through a register that is not
 * full.
 */
typedef int16_t MF_KERNEL(halves) __attribute__((vector_size(MF_LANES * 2)));
typedef int16_t MF_KERNEL(halves_in_memory) __attribute__((vector_size(MF_LANES * 2), aligned(2), may_alias));

/*
 * A register of floats rounded to whole numbers of 16 bits.  Beside 1.5 * 2^23 a float has none but whole numbers, in
 * its last bits; what is below 2^22 stays there.
 */
MF_INLINE MF_KERNEL(halves)
MF_KERNEL(round_to_halves) (MF_V v)
{
#if defined(MF_ISA_X86) && MF_LANES == 16
	/* which cuts off what is beyond 16 bits */
	return (MF_KERNEL(halves)) _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32((__m512) v));
#else
	const MF_V	none = {0};
	const MF_V	magic = none + 12582912.0f;
	const MF_V	most = none + 32767.0f;

	v = MF_SELECT(v < most, v, most);
	v = MF_SELECT(v > -most, v, -most);
	return __builtin_convertvector((MF_VI) (v + magic) - (MF_VI) magic, MF_KERNEL(halves));
#endif
}

/* out[k] = x[k] factor[k] f, rounded; reads and writes up to a register beyond n. */
static void
MF_KERNEL(to_halves) (int16_t *out, const float *x, const float *factor, float f, int n)
{
	for (int k = 0; k < n; k += MF_LANES)
	{
		MF_V		v = MF_LOAD(x + k) * MF_LOAD(factor + k) * f;

		*(MF_KERNEL(halves_in_memory) *) (out + k) = MF_KERNEL(round_to_halves) (v);
	}
}

/* x[k] += half[k] factor[k] f. */
static void
MF_KERNEL(add_halves) (float *x, const int16_t *half, const float *factor, float f, int n)
{
	int			k = 0;

	for (; k + MF_LANES <= n; k += MF_LANES)
	{
		MF_V		v = __builtin_convertvector(*(const MF_KERNEL(halves_in_memory) *) (half + k), MF_V);

		MF_STORE(x + k, MF_LOAD(x + k) + v * (MF_LOAD(factor + k) * f));
	}
	for (; k < n; k++)
		x[k] += (float) half[k] * (factor[k] * f);
}

/* x[k] += y[k]. */
static void
MF_KERNEL(add) (float *x, const float *y, int n)
{
	int			k = 0;

	for (; k + MF_LANES <= n; k += MF_LANES)
		MF_STORE(x + k, MF_LOAD(x + k) + MF_LOAD(y + k));
	for (; k < n; k++)
		x[k] += y[k];
}

/*
 * vnni_body.h - what kernels on whole numbers share, for AVX-512 VNNI; included by int16.c, int8.c and int16_cells.c, where
 * functions are compiled for that.
 */

/* The whole numbers of 16 floats over their steps; 0 behind the last of width. */
MF_INLINE __m512i
whole_numbers(const float *row, const float *step, int j, int width)
{
	if (j >= width)
		return _mm512_setzero_si512();
	return _mm512_cvtps_epi32(_mm512_div_ps(_mm512_loadu_ps(row + j), _mm512_loadu_ps(step + j)));
}

/*
 * Every lane's sum, plus the products of both halves of the lanes of a and b.  Not as an intrinsic function: GCC 12 copies
 * every sum before it is added to, which takes twice as long.
 */
MF_INLINE __m512i
add_pairs(__m512i sum, __m512i a, __m512i b)
{
	__asm__("vpdpwssd %2, %1, %0" : "+v" (sum) : "v" (b), "v" (a));
	return sum;
}

/* to (n floats) += factor times x. */
MF_INLINE void
add_times(float *to, const float *x, float factor, int n)
{
	for (int j = 0; j < n; j += 16)
	{
		__m512		before = _mm512_loadu_ps(to + j);

		_mm512_storeu_ps(to + j, _mm512_fmadd_ps(_mm512_set1_ps(factor), _mm512_loadu_ps(x + j), before));
	}
}

/* The first n lanes, or all there are. */
MF_INLINE __mmask16
first_lanes(int n)
{
	return n < 16 ? (__mmask16) ((1u << n) - 1) : 0xffff;
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

/* The transpose of 16 registers of 16 lanes, in place: pairs of registers swap 1, 2, 4 and 8 lanes. */
MF_INLINE void
turn_lanes(__m512i *x)
{
	__m512i		y[16];

	MF_UNROLL
	for (int r = 0; r < 16; r += 4)
	{
		__m512i		a = _mm512_unpacklo_epi32(x[r], x[r + 1]);
		__m512i		b = _mm512_unpackhi_epi32(x[r], x[r + 1]);
		__m512i		c = _mm512_unpacklo_epi32(x[r + 2], x[r + 3]);
		__m512i		d = _mm512_unpackhi_epi32(x[r + 2], x[r + 3]);

		y[r] = _mm512_unpacklo_epi64(a, c);
		y[r + 1] = _mm512_unpackhi_epi64(a, c);
		y[r + 2] = _mm512_unpacklo_epi64(b, d);
		y[r + 3] = _mm512_unpackhi_epi64(b, d);
	}
	/* 128 bits q of y[r + c] are now lanes 4 q + c of rows r .. r + 3 */
	MF_UNROLL
	for (int c = 0; c < 4; c++)
	{
		__m512i		first = _mm512_shuffle_i32x4(y[c], y[4 + c], 0x88);
		__m512i		second = _mm512_shuffle_i32x4(y[8 + c], y[12 + c], 0x88);
		__m512i		third = _mm512_shuffle_i32x4(y[c], y[4 + c], 0xdd);
		__m512i		fourth = _mm512_shuffle_i32x4(y[8 + c], y[12 + c], 0xdd);

		x[c] = _mm512_shuffle_i32x4(first, second, 0x88);
		x[8 + c] = _mm512_shuffle_i32x4(first, second, 0xdd);
		x[4 + c] = _mm512_shuffle_i32x4(third, fourth, 0x88);
		x[12 + c] = _mm512_shuffle_i32x4(third, fourth, 0xdd);
	}
}

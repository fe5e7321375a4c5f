/*
 * als_packed_vectors.c - users' vectors as they travel from who has solved them to who solves items from them.
 *
 * What travels are the numbers of dimensions, without padding.  For a half-sweep that may round the fixed side's vectors
 * they go in half the space: the vector's length, and every number as a part of it in 16 bits.  In a vector of 64 numbers
 * that is off by 7e-5 of its length, a quarter of what rounding to 13 bits is off by (als_int16.c), and as what it costs
 * goes by the square, a sixteenth of that.
 */
#include "core/als/als_packed_vectors.h"

#include <math.h>
#include <string.h>

#include "core/base/padding.h"
#include "core/kernels/cholesky.h"
#include "core/kernels/dense.h"

/* Whole numbers stand for 0 .. 1 by this. */
#define MOST_PART 32767

/* Kernels read and write up to a register beyond the numbers. */
#define ROOM (MF_MAX_PADDED + MF_MAX_LANES)

/* Bytes of a vector, a multiple of 4. */
size_t
mf_packed_vector_bytes(int factors, bool halves)
{
	size_t		d = (size_t) factors;

	return halves ? sizeof(float) + (d + 1) / 2 * 2 * sizeof(int16_t) : d * sizeof(float);
}

/* Packs n vectors of mf_padded(factors) floats; halves: in half the space. */
void
mf_vectors_pack(int factors, bool halves, const float *vectors, int64_t n, char *out)
{
	const MfDense *dense = mf_dense();
	int			ld = mf_padded(factors);
	size_t		bytes = mf_packed_vector_bytes(factors, halves);
	int16_t		half[ROOM];
	float		one[ROOM];

	for (int k = 0; k < ROOM; k++)
		one[k] = 1.0f;
	for (int64_t r = 0; r < n; r++, vectors += ld, out += bytes)
	{
		float		length;

		if (!halves)
		{
			memcpy(out, vectors, bytes);
			continue;
		}
		/* one that is not finite stays so */
		length = (float) sqrt(dense->dot(vectors, vectors, ld));
		dense->to_halves(half, vectors, one, length > 0.0f ? MOST_PART / length : 0.0f, ld);
		memcpy(out, &length, sizeof(float));
		/* padding is 0, of which one number goes with an odd number of dimensions */
		memcpy(out + sizeof(float), half, bytes - sizeof(float));
	}
}

/* The other way round; padding becomes 0. */
void
mf_vectors_unpack(int factors, bool halves, const char *from, int64_t n, float *vectors)
{
	const MfDense *dense = mf_dense();
	int			ld = mf_padded(factors);
	size_t		bytes = mf_packed_vector_bytes(factors, halves);
	float		one[ROOM];

	for (int k = 0; k < ROOM; k++)
		one[k] = 1.0f;
	for (int64_t r = 0; r < n; r++, vectors += ld, from += bytes)
	{
		float		length;

		memset(vectors, 0, (size_t) ld * sizeof(float));
		if (!halves)
		{
			memcpy(vectors, from, bytes);
			continue;
		}
		memcpy(&length, from, sizeof(float));
		dense->add_halves(vectors, (const int16_t *) (const void *) (from + sizeof(float)), one, length / MOST_PART, factors);
	}
}

/*
 * als_packed_vectors.c - users' vectors as they travel from who has solved them to who solves items from them.
 *
 * What travels are the numbers of dimensions, without padding.  Half-sweeps of users that may round leave vectors as
 * whole numbers of 16 bits times a power of two (base/narrow.h), on one node as on several: so they go in half the
 * space, and what arrives is what was solved, to the bit.  That is off by 2^-15 of a vector's largest number at most, a
 * fourth of what rounding to 13 bits is off by (als_int16.c), and as what it costs goes by the square, a sixteenth of
 * that.
 */
#include "core/als/als_packed_vectors.h"

#include <string.h>

#include "core/base/narrow.h"
#include "core/base/padding.h"
#include "core/kernels/cholesky.h"
#include "core/kernels/dense.h"

/* Kernels read and write up to a register beyond the numbers. */
#define ROOM (MF_MAX_PADDED + MF_MAX_LANES)

/* Bytes of a vector, a multiple of 4. */
size_t
mf_packed_vector_bytes(int factors, bool halves)
{
	size_t		d = (size_t) factors;

	return halves ? sizeof(float) + (d + 1) / 2 * 2 * sizeof(int16_t) : d * sizeof(float);
}

/* Factors of the kernels, which have one for each number: 1, for vectors of ld floats. */
static void
fill_ones(float *one, int ld)
{
	for (int k = 0; k < ld + MF_MAX_LANES; k++)
		one[k] = 1.0f;
}

/* What a vector (ld floats, of which the first d count) is in whole numbers; returns what 1 of them stands for. */
static float
to_whole(const MfDense *dense, const float *vector, int d, int ld, const float *one, int16_t *whole)
{
	uint8_t		exponent = mf_narrow_exponent(vector, d);

	/* of one that is not finite nothing is left but its unit, which is not finite either */
	dense->to_halves(whole, vector, one, exponent > 0 && exponent < MF_NARROW_NONE ? mf_narrow_per_unit(exponent) : 0.0f, ld);
	return mf_narrow_unit(exponent);
}

/* Rounds some rows of vectors (mf_padded(factors) floats each) to what travels in half the space. */
void
mf_vectors_round(int factors, float *vectors, const int32_t *row, int64_t n)
{
	const MfDense *dense = mf_dense();
	int			ld = mf_padded(factors);
	int16_t		whole[ROOM];
	float		one[ROOM];

	fill_ones(one, ld);
	for (int64_t k = 0; k < n; k++)
	{
		float	   *vector = vectors + row[k] * (int64_t) ld;
		float		unit = to_whole(dense, vector, factors, ld, one, whole);

		memset(vector, 0, (size_t) ld * sizeof(float));
		dense->add_halves(vector, whole, one, unit, factors);
	}
}

/* Packs n vectors of mf_padded(factors) floats; halves: in half the space, which rounds what has not been rounded. */
void
mf_vectors_pack(int factors, bool halves, const float *vectors, int64_t n, char *out)
{
	const MfDense *dense = mf_dense();
	int			ld = mf_padded(factors);
	size_t		bytes = mf_packed_vector_bytes(factors, halves);
	int16_t		whole[ROOM];
	float		one[ROOM];

	fill_ones(one, ld);
	for (int64_t r = 0; r < n; r++, vectors += ld, out += bytes)
	{
		float		unit;

		if (!halves)
		{
			memcpy(out, vectors, bytes);
			continue;
		}
		unit = to_whole(dense, vectors, factors, ld, one, whole);
		memcpy(out, &unit, sizeof(float));
		/* padding is 0, of which one number goes with an odd number of dimensions */
		memcpy(out + sizeof(float), whole, bytes - sizeof(float));
	}
}

/* The other way round: the r-th becomes row row[r] of vectors.  Padding becomes 0. */
void
mf_vectors_unpack(int factors, bool halves, const char *from, const int32_t *row, int64_t n, float *vectors)
{
	const MfDense *dense = mf_dense();
	int			ld = mf_padded(factors);
	size_t		bytes = mf_packed_vector_bytes(factors, halves);
	float		one[ROOM];

	fill_ones(one, ld);
	for (int64_t r = 0; r < n; r++, from += bytes)
	{
		float	   *vector = vectors + row[r] * (int64_t) ld;
		float		unit;

		memset(vector, 0, (size_t) ld * sizeof(float));
		if (!halves)
		{
			memcpy(vector, from, bytes);
			continue;
		}
		memcpy(&unit, from, sizeof(float));
		dense->add_halves(vector, (const int16_t *) (const void *) (from + sizeof(float)), one, unit, factors);
	}
}

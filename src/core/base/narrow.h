/*
 * narrow.h - vectors of floats that are whole numbers of 16 bits times a power of two, which half of the room holds.
 */
#ifndef MF_NARROW_H
#define MF_NARROW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The power of two that an exponent says, as a float's own bits do; 0 says 0, of which vectors of zeros are multiples. */
static inline float
mf_narrow_unit(uint8_t exponent)
{
	uint32_t	bits = (uint32_t) exponent << 23;
	float		unit;

	memcpy(&unit, &bits, sizeof(unit));
	return unit;
}

/* The exponent of a vector that has numbers which are not finite: its unit is infinite. */
#define MF_NARROW_NONE 255

/* One over a unit, which is a normal float as well; of exponents 1 .. 253. */
static inline float
mf_narrow_per_unit(uint8_t exponent)
{
	return mf_narrow_unit((uint8_t) (254 - exponent));
}

/*
 * A positive number rounded to 8 bits: its product with a whole number of 16 bits and a unit is a float to the bit, unless it
 * is smaller than normal floats are.
 */
static inline float
mf_narrow_scale(double value)
{
	float		scale = (float) value;
	uint32_t	bits;

	memcpy(&bits, &scale, sizeof(bits));
	bits = (bits + UINT32_C(0x7fff) + (bits >> 16 & 1)) & UINT32_C(0xffff0000);
	memcpy(&scale, &bits, sizeof(scale));
	return scale;
}

extern uint8_t mf_narrow_exponent(const float *vector, int n);
extern void mf_narrow_round(float *vector, int n);
extern void mf_narrow_round_rows(float *rows, int64_t nrows, int n, int ld);
extern bool mf_narrow_encode(const float *vector, int n, int16_t *number, uint8_t *exponent);

#endif

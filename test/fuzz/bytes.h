/*
 * bytes.h - a fuzzer's bytes taken one after the other; after the last one come zeros.
 */
#ifndef BYTES_H
#define BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Bytes
{
	const uint8_t *at;
	size_t		left;
} Bytes;

/* What must hold; libFuzzer keeps the input with which it does not. */
#define require(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

static inline uint8_t
take_byte(Bytes *bytes)
{
	if (bytes->left == 0)
		return 0;
	bytes->left--;
	return *bytes->at++;
}

/* A number of 0 .. limit - 1. */
static inline uint32_t
take_below(Bytes *bytes, uint32_t limit)
{
	uint32_t	number = take_byte(bytes);

	if (limit > 256)
		number = number << 8 | take_byte(bytes);
	return number % limit;
}

/* A float of any bits; those that are not finite become 0. */
__attribute__((unused)) static inline float
take_float(Bytes *bytes)
{
	uint32_t	bits = 0;
	float		number;

	for (int i = 0; i < 4; i++)
		bits = bits << 8 | take_byte(bytes);
	if ((bits & 0x7f800000) == 0x7f800000)
		bits = 0;
	memcpy(&number, &bits, sizeof(number));
	return number;
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

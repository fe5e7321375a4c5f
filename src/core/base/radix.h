/*
 * radix.h - one pass of a radix sort.
 */
#ifndef MF_RADIX_H
#define MF_RADIX_H

#include <stddef.h>
#include <stdint.h>

/* Bits that one pass goes by. */
#define MF_RADIX_BITS 8
#define MF_RADIX (1 << MF_RADIX_BITS)

/*
 * Puts n numbers in the order of MF_RADIX_BITS bits of their keys, from bit `shift` on, keeping the order of equal
 * ones.  The key of number x is key[x], or with key NULL x itself; keys are not negative.
 */
static inline void
mf_radix_pass(const int32_t *from, const int32_t *key, int64_t n, int shift, int32_t *to)
{
	int64_t		start[MF_RADIX + 1] = {0};

	for (int64_t i = 0; i < n; i++)
		start[(((key ? key[from[i]] : from[i]) >> shift) & (MF_RADIX - 1)) + 1]++;
	for (int b = 0; b < MF_RADIX; b++)
		start[b + 1] += start[b];
	for (int64_t i = 0; i < n; i++)
		to[start[((key ? key[from[i]] : from[i]) >> shift) & (MF_RADIX - 1)]++] = from[i];
}

#endif

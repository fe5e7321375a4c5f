/*
 * als_packed_vectors.h - users' vectors as they travel from who has solved them to who solves items from them.
 */
#ifndef MF_ALS_PACKED_VECTORS_H
#define MF_ALS_PACKED_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern size_t mf_packed_vector_bytes(int factors, bool halves);
extern void mf_vectors_round(int factors, float *vectors, const int32_t *row, int64_t n);
extern void mf_vectors_pack(int factors, bool halves, const float *vectors, int64_t n, char *out);
extern void mf_vectors_unpack(int factors, bool halves, const char *from, const int32_t *row, int64_t n,
							  float *vectors);

#endif

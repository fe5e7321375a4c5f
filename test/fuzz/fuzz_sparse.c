/*
 * fuzz_sparse.c - small problems of every kind that training must solve: no error, all finite, a loss
 * that never rises, and users folded in and explained; see sparse.h.
 */
#include "bytes.h"

#include "sparse.h"

static uint32_t
byte_below(void *state, uint32_t limit)
{
	return take_below(state, limit);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		bytes = {data, size};
	Draws		draws = {byte_below, &bytes};

	require(sparse_check(&draws, 130) == NULL);
	return 0;
}

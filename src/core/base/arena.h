/*
 * arena.h - divides a caller's buffer into sections at multiples of 64 bytes.
 */
#ifndef MF_ARENA_H
#define MF_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* The next section of `size` bytes; NULL while there is no buffer and only *used, the sum, matters. */
static inline void *
mf_take_space(void *space, size_t *used, size_t size)
{
	char	   *place = space == NULL ? NULL : (char *) space + *used;

	*used += (size + 63) & ~(size_t) 63;
	return place;
}

/* Writes through a view whose arrays are the caller's own space. */
#define MF_WRITABLE(type, array) ((type *) (uintptr_t) (array))

#endif

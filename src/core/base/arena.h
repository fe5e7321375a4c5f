/*
 * arena.h - divides a caller's buffer into sections at multiples of 64 bytes.
 */
#ifndef MF_ARENA_H
#define MF_ARENA_H

#include <stddef.h>
#include <stdint.h>

/*
 * A buffer from which sections are taken one after the other.  start NULL only measures: what is handed out must not
 * be touched, and `used` ends as the bytes that the same taking needs, so a layout is written once.
 */
typedef struct MfArena
{
	char	   *start;			/* at a multiple of 64 bytes, or NULL */
	size_t		used;
} MfArena;

/* The next section of `size` bytes, at a multiple of 64 bytes.  By way of an integer: NULL cannot be added to. */
static inline void *
mf_arena_take(MfArena *arena, size_t size)
{
	void	   *section = (void *) ((uintptr_t) arena->start + arena->used);

	arena->used += (size + 63) & ~(size_t) 63;
	return section;
}

/* The next section of so many floats. */
static inline float *
mf_arena_floats(MfArena *arena, size_t nfloats)
{
	return mf_arena_take(arena, nfloats * sizeof(float));
}

/* An arena over a buffer of any alignment; 64 bytes more than measured are enough for it. */
static inline MfArena
mf_arena_at(void *buffer)
{
	return (MfArena) {(char *) (((uintptr_t) buffer + 63) & ~(uintptr_t) 63), 0};
}

/* Writes through a view whose arrays are the caller's own space. */
#define MF_WRITABLE(type, array) ((type *) (uintptr_t) (array))

#endif

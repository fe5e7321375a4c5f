/*
 * seen.h - the items that a user has, in few bytes; see seen.c for how.
 */
#ifndef MF_SEEN_H
#define MF_SEEN_H

#include <stddef.h>
#include <stdint.h>

/* What decoding answers where bytes are not what mf_seen_encode() makes of numbers below the limit. */
#define MF_SEEN_DAMAGED (-1)

extern void mf_seen_number(const int32_t *counts, int64_t nitems, int32_t *number, void *space);
extern size_t mf_seen_number_workspace(int64_t nitems);

extern size_t mf_seen_bound(int64_t n);
extern size_t mf_seen_encode(const int32_t *number, int64_t n, uint8_t *bytes);

extern int64_t mf_seen_most(size_t size);
extern int64_t mf_seen_decode(const uint8_t *bytes, size_t size, int32_t limit, const int32_t *item_of, int32_t *item);
extern int	mf_seen_has(const uint8_t *bytes, size_t size, int32_t limit, int32_t number);

#endif

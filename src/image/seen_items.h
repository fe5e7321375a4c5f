/*
 * seen_items.h - what users have by their rows of a version, as items of its image.
 */
#ifndef MFREC_SEEN_ITEMS_H
#define MFREC_SEEN_ITEMS_H

#include "image/image_cache.h"

extern int32 *SeenItems(const Image *image, int64 user, bytea *seen, int *count);
extern int32 ItemNumber(const Image *image, int32 item);
extern bool HasSeen(const Image *image, int64 user, bytea *seen, int32 number);
extern int32 *JoinItems(const int32 *a, int na, const int32 *b, int nb, int *count);

#endif

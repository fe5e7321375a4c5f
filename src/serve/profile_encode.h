/*
 * profile_encode.h - users who came after the training, by what is known of them.
 */
#ifndef MFREC_PROFILE_ENCODE_H
#define MFREC_PROFILE_ENCODE_H

#include "image/image_cache.h"
#include "serve/item_encode.h"

extern bool *EncodeProfiles(const ItemEncoder *encoder, const float *mean_user, const int64 *ids, int n, bool read_only,
							EncodedItems *users);
extern bool EncodeProfile(const Image *image, const Model *model, int32 version, int64 user, float *vector);

#endif

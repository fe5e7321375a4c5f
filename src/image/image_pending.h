/*
 * image_pending.h - files of images whose fate the end of a transaction decides.
 */
#ifndef MFREC_IMAGE_PENDING_H
#define MFREC_IMAGE_PENDING_H

#include "utils/uuid.h"

extern void UnlinkImageAtAbort(const pg_uuid_t *uuid);
extern void UnlinkImageAtCommit(const pg_uuid_t *uuid);
extern bool IsImagePending(const pg_uuid_t *uuid);

#endif

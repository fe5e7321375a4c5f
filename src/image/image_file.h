/*
 * image_file.h - the file of a version's image, which all sessions map.
 */
#ifndef MFREC_IMAGE_FILE_H
#define MFREC_IMAGE_FILE_H

#include "fmgr.h"
#include "utils/uuid.h"

extern const char *MapImageFile(const pg_uuid_t *uuid, Size *size);
extern void UnmapImageFile(const char *block, Size size);
extern bool WriteImageFile(const pg_uuid_t *uuid, char *block);
extern int64 ImageFileBytes(const pg_uuid_t *uuid);

extern void LockImage(const pg_uuid_t *uuid);
extern void UnlockImage(const pg_uuid_t *uuid);
extern void SweepImages(void);

extern void DropImageAtAbort(const pg_uuid_t *uuid);
extern void DropImageAtCommit(const pg_uuid_t *uuid);

#endif

/*
 * image_file.h - the file of a version's image, which all sessions map.
 */
#ifndef MFREC_IMAGE_FILE_H
#define MFREC_IMAGE_FILE_H

#include "common/file_utils.h"
#include "storage/fd.h"
#include "utils/uuid.h"

/* Files are called <directory>/<prefix><oid of the database>.<uuid of the version>, with .<pid>.tmp while written. */
#define IMAGE_DIRECTORY "base/" PG_TEMP_FILES_DIR
#define IMAGE_PREFIX PG_TEMP_FILE_PREFIX "_mfrec."

/* Of the name under which a patch has what it is a patch of. */
#define IMAGE_BASE_SUFFIX ".base"

extern void UnmapImageFile(const char *block, Size size);
extern bool WriteImageFile(const pg_uuid_t *uuid, char *block);
extern void UnlinkImageFile(const pg_uuid_t *uuid);
extern int64 ImageFileBytes(const pg_uuid_t *uuid);

/* For image_patch.c. */
extern void ImagePath(const pg_uuid_t *uuid, char *path);
extern void ImageBasePath(const pg_uuid_t *uuid, char *path);
extern char *MapWholeFile(int fd, const pg_uuid_t *uuid, const char *path, bool copy, Size *size);
extern int	CreateImageFile(const char *path);
extern bool WriteImageBytes(int fd, const char *bytes, int64 size);

extern void LockImage(const pg_uuid_t *uuid);
extern bool TryLockImage(const pg_uuid_t *uuid);
extern void UnlockImage(const pg_uuid_t *uuid);

#endif

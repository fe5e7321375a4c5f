/*
 * image_patch.h - the file of an image that is nearly the same as an older one's: its pages that differ.
 */
#ifndef MFREC_IMAGE_PATCH_H
#define MFREC_IMAGE_PATCH_H

#include "utils/uuid.h"

/* A part of a block that is known to be as it was. */
typedef struct ImageSpan
{
	int64		at;
	int64		length;
} ImageSpan;

/* A version's image, mapped to make the next one of it. */
typedef struct ImageCopy
{
	char	   *block;			/* may be written to, and changes no file */
	char	   *base;			/* of the same size: the image that the file is a patch of, or the file's own */
	Size		size;
	char		base_path[MAXPGPATH];
} ImageCopy;

extern char *MapImageFile(const pg_uuid_t *uuid, bool copy, Size *size);
extern bool OpenImageCopy(const pg_uuid_t *uuid, ImageCopy *copy);
extern void CloseImageCopy(ImageCopy *copy);
extern bool WriteImagePatch(const pg_uuid_t *uuid, const ImageCopy *copy, const ImageSpan *same, int nsame);

#endif

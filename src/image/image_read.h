/*
 * image_read.h - a version's items, read from its model table for an image.
 */
#ifndef MFREC_IMAGE_READ_H
#define MFREC_IMAGE_READ_H

#include "image/image_build.h"
#include "model/model_catalog.h"

extern void ReadImageSource(ImageSource *source, const Model *model, int32 version, const pg_uuid_t *uuid);

#endif

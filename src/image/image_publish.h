/*
 * image_publish.h - images of versions that a transaction makes, or takes out of service.
 */
#ifndef MFREC_IMAGE_PUBLISH_H
#define MFREC_IMAGE_PUBLISH_H

#include "image/image_renew.h"
#include "model/model_catalog.h"

extern void PublishImage(const ImageSource *source);
extern int64 PublishStoredVersion(const Model *model, int32 version);
extern void SupersedeImages(const char *model, const pg_uuid_t *except);
extern bool RenewImage(const Model *model, const ImageChanges *changes, pg_uuid_t *uuid);
extern int64 RenewImages(const Model *model);

#endif

/*
 * image_renew.h - the image of a version in which some items have changed, made from the image that it had.
 */
#ifndef MFREC_IMAGE_RENEW_H
#define MFREC_IMAGE_RENEW_H

#include "image/image_build.h"

/* What has become of an item since an image. */
typedef enum ItemFate
{
	ITEM_KEPT,					/* it has the vectors that it had; its bias and count may be others */
	ITEM_CHANGED,				/* it has not, or has come */
	ITEM_GONE					/* it is none of the version, and may have been one */
} ItemFate;

/* A version's items now: rows of a source by number of its ids, which are in no order, and the fate of each. */
typedef struct ImageChanges
{
	ImageSource source;			/* but for its uuid */
	const uint8 *fate;			/* ItemFate, by number */
} ImageChanges;

extern bool RenewImageFile(const pg_uuid_t *before, const pg_uuid_t *uuid, const ImageChanges *changes);

#endif

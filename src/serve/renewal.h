/*
 * renewal.h - the items and the profiles of a version, brought up to date with the relations of attributes.
 */
#ifndef MFREC_RENEWAL_H
#define MFREC_RENEWAL_H

#include "model/model_catalog.h"

extern void RenewItems(const Model *model, int64 *added, int64 *removed);
extern void RenewProfiles(const Model *model, int64 *added, int64 *removed);

#endif

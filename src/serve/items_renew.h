/*
 * items_renew.h - the items of a version, brought up to date with the relation of attributes.
 */
#ifndef MFREC_ITEMS_RENEW_H
#define MFREC_ITEMS_RENEW_H

#include "model/model_catalog.h"

extern void RenewItems(const Model *model, int64 *added, int64 *removed);

#endif

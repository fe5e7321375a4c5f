/*
 * model_relink.h - what a model's source and tables are called now.
 */
#ifndef MFREC_MODEL_RELINK_H
#define MFREC_MODEL_RELINK_H

#include "model/model_catalog.h"

extern bool Relink(Model *model, Oid source, Oid users, Oid items);

#endif

/*
 * model_source.h - the relation that a model was trained on.
 */
#ifndef MFREC_MODEL_SOURCE_H
#define MFREC_MODEL_SOURCE_H

#include "model/model_catalog.h"

/* For ModelSourceRelation: the calls that need no source. */
#define UNTIL_LISTS "mf_recommend answers with fresh => false"

extern bool SourceIsThere(const Model *model);
extern Oid	ModelSourceRelation(const Model *model, const char *until);

#endif

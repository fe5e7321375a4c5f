/*
 * relink.h - what a model's source and tables are called now.
 */
#ifndef MFREC_RELINK_H
#define MFREC_RELINK_H

#include "model.h"

extern void Relink(Model *model, Oid source, Oid users, Oid items);

#endif

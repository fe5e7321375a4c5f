/*
 * idarray.h - arrays of ids, as arguments bring them.
 */
#ifndef MFREC_IDARRAY_H
#define MFREC_IDARRAY_H

#include "idmap.h"
#include "utils/array.h"

extern int64 *IdsFromArray(const IdType *idtype, ArrayType *array, const char *argument, int *count);
extern int32 *NumbersFromArray(const IdMap *map, ArrayType *array, const char *argument, int *count);

#endif

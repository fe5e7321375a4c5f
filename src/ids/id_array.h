/*
 * id_array.h - arrays of ids, as arguments bring them.
 */
#ifndef MFREC_ID_ARRAY_H
#define MFREC_ID_ARRAY_H

#include "ids/id_map.h"
#include "utils/array.h"

extern int64 *IdsFromArray(const IdType *idtype, ArrayType *array, const char *argument, int *count);
extern int32 *NumbersFromArray(const IdMap *map, ArrayType *array, const char *argument, int *count);

#endif

/*
 * row_hash.h - hashes of rows, whose sums say whether somebody's rows are still the same.
 */
#ifndef MFREC_ROW_HASH_H
#define MFREC_ROW_HASH_H

#include "ids/id_type.h"

extern void HashRows(const IdType *user, const IdType *item, int n, const int64 *users, const int64 *items,
					 const float *values, const float *weights, const double *times, uint64 *hash);

#endif

/*
 * id_growth.h - ids whose column has become of another type: what still fits, what grows, what becomes what.
 */
#ifndef MFREC_ID_GROWTH_H
#define MFREC_ID_GROWTH_H

#include "ids/id_type.h"

/* `column` is the type of a column of a model table, `ids` that of the source's ids as they are now. */
extern bool SameIds(const IdType *a, const IdType *b);
extern bool IdTypeTakes(const IdType *column, const IdType *ids);
extern bool IdTypeGrows(const IdType *column, const IdType *ids, IdType *grown);
extern bool IdsConvert(const IdType *from, const IdType *to);
extern bool ConvertId(const IdType *from, const IdType *to, int64 id, int64 *converted);

#endif

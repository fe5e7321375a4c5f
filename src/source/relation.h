/*
 * relation.h - a relation that the user names, and its columns: found, checked, read.
 */
#ifndef MFREC_RELATION_H
#define MFREC_RELATION_H

#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/rel.h"

#include "ids/id_map.h"
#include "pg/numeric.h"

extern Relation OpenRows(Oid relid, const char *refusal, const char *hint);
extern Form_pg_attribute NamedColumn(Relation rel, const char *column, const char *argument);
extern Oid	NumberColumn(Relation rel, const char *column, const char *argument);
extern void CheckDeliveredType(TupleDesc desc, int column, Oid type);
extern void IdColumn(Relation rel, const char *column, const char *argument, IdType *idtype);

/* A number of any accepted type as float; infinite where that cannot hold it. */
static inline float
NumberFromDatum(Datum value, Oid type)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return DatumGetInt64(value);
		case FLOAT4OID:
			return DatumGetFloat4(value);
		case NUMERICOID:
			return (float) DoubleOfNumeric(value);
		default:
			return (float) DatumGetFloat8(value);
	}
}

#endif

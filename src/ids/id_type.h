/*
 * id_type.h - the types of ids: how their values are hashed, compared and converted.
 */
#ifndef MFREC_ID_TYPE_H
#define MFREC_ID_TYPE_H

#include "access/tupdesc.h"

#include "compat.h"

/* A type of ids: what is needed to copy, compare, hash and convert its values. */
typedef struct IdType
{
	Oid			type;			/* the column's type, perhaps a domain */
	Oid			base;			/* the type beneath */
	int32		typmod;
	Oid			collation;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	bool		is_int;			/* int2, int4 or int8: kept as int64 */
	FmgrInfo	hash;			/* the rest is unset for integers */
	FmgrInfo	equal;
	FmgrInfo	compare;		/* fn_oid is InvalidOid where the type has no order */
} IdType;

extern bool IsStringType(Oid base);
extern char *StringDatumToCString(Datum value, Oid base);
extern void InitIdType(IdType *idtype, Oid type, int32 typmod, Oid collation);
pg_noreturn extern void ColumnHasChanged(TupleDesc desc, int column, Oid type);
extern void CheckDeliveredId(TupleDesc desc, int column, const IdType *idtype);
extern bool IntegerFromString(const char *s, int64 *integer);
extern bool IntegerFromNumeric(Datum value, int64 *integer);
extern bool IdFromDatum(const IdType *idtype, Datum value, Oid value_type, int64 *id);
extern int64 IdFromColumn(const IdType *idtype, Datum value);
extern Datum IdToDatum(const IdType *idtype, int64 id);
extern Datum IdToOutput(const IdType *idtype, int64 id, Oid output_type);
extern bool IdFits(const IdType *idtype, int64 id);
extern bool IdTypeFits(const IdType *idtype, Oid value_type);
extern char *IdToText(const IdType *idtype, int64 id);
extern Oid HashCollation(const IdType *idtype);
extern uint32 HashId(const IdType *idtype, int64 id);
extern bool EqualIds(const IdType *idtype, int64 a, int64 b);
extern char *IdEqualitySql(const IdType *idtype);

/* An id as 64 bits that are the same wherever and whenever it is read, for hashes of more than it. */
static inline uint64
IdBits(const IdType *idtype, int64 id)
{
	return idtype->is_int ? (uint64) id : HashId(idtype, id);
}

#endif

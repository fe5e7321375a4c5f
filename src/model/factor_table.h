/*
 * factor_table.h - the model tables: created, checked, altered.
 */
#ifndef MFREC_FACTOR_TABLE_H
#define MFREC_FACTOR_TABLE_H

#include "access/tupdesc.h"
#include "utils/rel.h"

#include "compat.h"
#include "ids/id_type.h"

/* Where the columns of a model table are; 0 for one that is not there. */
typedef struct FactorColumns
{
	AttrNumber	version;
	AttrNumber	id;
	AttrNumber	ratings;
	AttrNumber	bias;
	AttrNumber	factors;
	AttrNumber	rating_factors;
	IdType		idtype;			/* of the column of ids, which may be wider than the ids */
	AttrNumber	seen;
	AttrNumber	number;
} FactorColumns;

extern void CheckTableInTheWay(Oid schema, const char *table, const char *model);
extern Oid	CreateFactorTable(const char *schema, const char *table, const char *id_column,
							  const IdType *idtype, bool items);
extern void CheckFactorColumn(TupleDesc desc, int column, Oid type);
extern const char *FactorTableSql(Oid relid);
pg_noreturn extern void RefuseTable(Relation rel, const char *detail);
extern void CheckFactorTarget(Relation rel, const char *id_column, const IdType *idtype, bool grows, FactorColumns *columns);
extern void CheckFactorTable(Oid relid, const char *id_column, const IdType *idtype);
extern void CheckRatingColumn(Oid relid);
extern bool AdaptFactorTable(Oid relid, const char *id_column, const IdType *idtype);
extern char *AlterIdSql(Oid relid, const char *id_column, const IdType *from, const IdType *to);
extern void RunSql(const char *sql);
extern char *AddSeenSql(Oid relid);
extern char *AddNumberSql(Oid relid);
extern AttrNumber SeenColumn(Oid relid);
extern AttrNumber ItemNumberColumn(Oid relid);
extern void FactorIdType(Oid relid, const char *id_column, IdType *idtype);

#endif

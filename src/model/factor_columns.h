/*
 * factor_columns.h - what a model table and its columns are called, and of which types they are.
 */
#ifndef MFREC_FACTOR_COLUMNS_H
#define MFREC_FACTOR_COLUMNS_H

#include "access/attnum.h"
#include "access/tupdesc.h"

#include "ids/id_type.h"

/*
 * The columns of a model table; InvalidAttrNumber for one that is not there.  Comments on the tables, see
 * factor_table.c, say what they mean.
 */
typedef struct FactorColumns
{
	AttrNumber	version;		/* int4 */
	AttrNumber	id;
	IdType		idtype;			/* of that, which may be wider than the ids; RequireFactorColumns finds it */
	AttrNumber	ratings;		/* int4 */
	AttrNumber	bias;			/* float4 */
	AttrNumber	factors;		/* float4[] */
	AttrNumber	rating_factors; /* float4[], of items */
	AttrNumber	seen;			/* bytea, of users */
	AttrNumber	prior;			/* float4[] */
	AttrNumber	number;			/* int4, of items */
	AttrNumber	fingerprint;	/* int8 */
	AttrNumber	trend;			/* float4, of items */
	AttrNumber	spread;			/* float4, of users */
	AttrNumber	tenant;			/* text, of a family's tables */
} FactorColumns;

extern const char *FactorTableName(Oid relid);
extern const char *FactorTableSql(Oid relid);
extern void FactorIdType(Oid relid, const char *id_column, IdType *idtype);
extern AttrNumber SeenColumn(Oid relid);
extern AttrNumber PriorColumn(Oid relid);
extern AttrNumber ItemNumberColumn(Oid relid);
extern AttrNumber FingerprintColumn(Oid relid);
extern AttrNumber TrendColumn(Oid relid);
extern AttrNumber SpreadColumn(Oid relid);
extern void FindFactorColumns(Oid relid, const char *id_column, FactorColumns *columns);
extern void RequireFactorColumns(Oid relid, const char *id_column, FactorColumns *columns);
extern void RequireColumn(Oid relid, const char *column, Oid type);
extern void CheckRatingColumn(Oid relid);
extern void CheckFactorColumn(TupleDesc desc, int column, Oid type);

#endif

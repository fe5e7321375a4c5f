/*
 * factor_table.h - the model tables: created, checked, altered.
 */
#ifndef MFREC_FACTOR_TABLE_H
#define MFREC_FACTOR_TABLE_H

#include "utils/rel.h"

#include "compat.h"
#include "model/factor_columns.h"

/* They belong to the user, who may have altered them since: see factor_table.c for what is refused then. */
extern void CheckNameIsFree(Oid schema, const char *table, const char *model);
extern Oid	CreateFactorTable(const char *schema, const char *table, const char *id_column,
							  const IdType *idtype, bool items, bool tenants);
extern void CommentModelTable(const char *name, const char *column, const char *comment);
extern void DropFactorTable(Oid relid);
pg_noreturn extern void RefuseTable(Relation rel, const char *detail);
extern void CheckBulkTarget(Relation rel, const char *const *own, int count);
extern void CheckFactorTarget(Relation rel, const char *id_column, const IdType *idtype, bool grows,
							  FactorColumns *columns);
extern void CheckFactorTable(Oid relid, const char *id_column, const IdType *idtype);
extern bool AdaptFactorTable(Oid relid, const char *id_column, const IdType *idtype);
extern char *AlterIdSql(Oid relid, const char *id_column, const IdType *from, const IdType *to);
extern char *AddSeenSql(Oid relid);
extern char *AddNumbersSql(Oid relid, const char *column);
extern char *AddPriorSql(Oid relid);

#endif

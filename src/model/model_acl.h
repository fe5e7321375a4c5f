/*
 * model_acl.h - what the caller may do with a model, acting as its owner, and writing the bookkeeping as who may.
 */
#ifndef MFREC_MODEL_ACL_H
#define MFREC_MODEL_ACL_H

#include "model/model_catalog.h"

/* What a call was before it acted as the owner of a model. */
typedef struct Acting
{
	Oid			user;			/* see GetUserIdAndSecContext() */
	int			context;
	int			settings;		/* nesting of settings; 0: nothing was changed */
} Acting;

/* Takes a row that a statement on the bookkeeping returns. */
typedef void (*OwnerRowFunction) (void *state, HeapTuple tuple, TupleDesc desc);

extern void CheckModelOwner(const Model *model);
extern Oid	RelationOwner(Oid relid);
extern bool MayReadRelation(Oid relid);
extern void CheckModelReadable(const Model *model);
extern void ActAsModelOwner(const Model *model, Acting *acting);
extern void StopActing(const Acting *acting);
extern void CheckMayWrite(const char *name);
extern void OwnerSqlRows(const char *model, const char *sql, int nargs, Oid *types, Datum *values, const char *nulls,
						 OwnerRowFunction function, void *state);
extern Datum OwnerSql(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls, bool *isnull);
extern void OwnerSqlForModel(const char *sql, const char *name, Oid type, Datum value);

#endif
